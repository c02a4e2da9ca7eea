import { latin1 } from "./_latin1.ts";
import { binaryString, percentDecode, percentEncode } from "./_percent.ts";

/** How {@linkcode urlEscape} treats blanks and slashes. */
export interface UrlEscapeOptions {
  /**
   * Writes a blank as `+`, as in a query; without it a blank is `%20` and `/` stays, as in a path.
   *
   * @default {true}
   */
  plus?: boolean;
}

/** How {@linkcode urlUnescape} reads blanks and what it gives. */
export interface UrlUnescapeOptions {
  /**
   * Encoding of the text, a label that `TextDecoder` knows; `null` gives the bytes.
   *
   * @default {"utf-8"}
   */
  encoding?: string | null;
  /**
   * Reads `+` as a blank.
   *
   * @default {true}
   */
  plus?: boolean;
}

const LATIN1_REGEXP = /^(?:latin-?1|iso-?8859-1)$/i;

/**
 * Encodes text, in UTF-8, or bytes for use in a URL; only letters, digits and `_.-~` stay.
 *
 * @example Escape and unescape
 * ```ts
 * import { urlEscape, urlUnescape } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(urlEscape("a b/é"), "a+b%2F%C3%A9");
 * assertEquals(urlEscape("a b/é", { plus: false }), "a%20b/%C3%A9");
 * assertEquals(urlUnescape("a+b%2F%C3%A9"), "a b/é");
 * ```
 */
export function urlEscape(
  data: string | Uint8Array,
  options: UrlEscapeOptions = {},
): string {
  return percentEncode(binaryString(data), options.plus ?? true);
}

/** Decodes what {@linkcode urlEscape} encoded, to bytes. */
export function urlUnescape(
  data: string | Uint8Array,
  options: UrlUnescapeOptions & { encoding: null },
): Uint8Array;
/**
 * Decodes what {@linkcode urlEscape} encoded; a `%` without two hexadecimal digits stays.
 *
 * Bytes that `options.encoding` does not allow become U+FFFD.
 *
 * @throws {RangeError} if the encoding is unknown.
 */
export function urlUnescape(
  data: string | Uint8Array,
  options?: UrlUnescapeOptions & { encoding?: string },
): string;
export function urlUnescape(
  data: string | Uint8Array,
  options: UrlUnescapeOptions = {},
): string | Uint8Array {
  const { encoding = "utf-8", plus = true } = options;
  const bytes = percentDecode(binaryString(data), plus);
  if (encoding === null) return bytes;
  // `TextDecoder` takes these labels for windows-1252.
  if (LATIN1_REGEXP.test(encoding)) return latin1(bytes, 0, bytes.length);
  return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
}
