import { decodeHTMLStrict } from "entities/decode";

const SPECIAL_REGEXP = /[&<>"']/;

/**
 * Escapes text for HTML and XML, as content or as an attribute value in either kind of quotes.
 *
 * @example Escape
 * ```ts
 * import { xhtmlEscape } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(xhtmlEscape(`<a href="x">`), "&lt;a href=&quot;x&quot;&gt;");
 * ```
 */
export function xhtmlEscape(text: string): string {
  // A search and a loop take a third of the time of replace() with a callback.
  let at = text.search(SPECIAL_REGEXP);
  if (at === -1) return text;
  let escaped = "";
  let start = 0; // of what is not yet in `escaped`
  for (; at < text.length; at++) {
    const entity = entityOf(text.charCodeAt(at));
    if (entity === "") continue;
    escaped += text.slice(start, at) + entity;
    start = at + 1;
  }
  return escaped + text.slice(start);
}

/**
 * Replaces character references, named ones of HTML, decimal and hexadecimal, by what they stand for.
 *
 * What is no reference, or does not end in `;`, stays as it is; a number that is no character becomes U+FFFD.
 */
export function xhtmlUnescape(text: string): string {
  return decodeHTMLStrict(text);
}

function entityOf(code: number): string {
  switch (code) {
    case 0x22:
      return "&quot;";
    case 0x26:
      return "&amp;";
    case 0x27:
      return "&#x27;";
    case 0x3c:
      return "&lt;";
    case 0x3e:
      return "&gt;";
    default:
      return "";
  }
}
