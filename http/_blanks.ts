/**
 * Cuts blanks and tabs, and only those, from both ends of `text[start..end)`.
 *
 * `trim()` would take U+00A0 and U+0085 too, which belong to a field value; a regular expression
 * takes quadratic time over long runs of blanks inside.
 */
export function trimBlanks(
  text: string,
  start = 0,
  end: number = text.length,
): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
