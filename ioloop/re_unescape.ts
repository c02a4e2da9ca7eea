const ESCAPE_REGEXP = /\\(.)/gsu;
const LETTER_REGEXP = /[A-Za-z0-9]/;

/**
 * Undoes the escaping of punctuation in the source of a regular expression: `a\.b` is the
 * source of an expression that matches `a.b` alone.
 *
 * @throws {TypeError} when a letter or digit is escaped: `\d` matches more than one string.
 *
 * @example The text that an expression stands for
 * ```ts
 * import { reUnescape } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(reUnescape(String.raw`/index\.html`), "/index.html");
 * ```
 */
export function reUnescape(source: string): string {
  return source.replace(ESCAPE_REGEXP, (escape, char: string) => {
    if (!LETTER_REGEXP.test(char)) return char;
    throw new TypeError(`Cannot unescape "${source}": ${escape} stands for no single text`);
  });
}
