import { decodeHTMLStrict } from "entities/decode";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#x27;",
};

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
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]!);
}

/**
 * Replaces character references, named ones of HTML, decimal and hexadecimal, by what they stand for.
 *
 * What is no reference, or does not end in `;`, stays as it is; a number that is no character becomes U+FFFD.
 */
export function xhtmlUnescape(text: string): string {
  return decodeHTMLStrict(text);
}
