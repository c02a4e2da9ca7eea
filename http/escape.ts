/**
 * Escaping and unescaping for HTML, JSON, URLs and text, under one name.
 *
 * @module
 */
export { jsonDecode, jsonEncode } from "./json.ts";
export { linkify, type LinkifyOptions } from "./linkify.ts";
export { parseQsBytes, type ParseQsOptions } from "./query_string.ts";
export { squeeze } from "./squeeze.ts";
export { nativeStr, recursiveUnicode, toBasestring, toUnicode, utf8 } from "./unicode.ts";
export {
  urlEscape,
  type UrlEscapeOptions,
  urlUnescape,
  type UrlUnescapeOptions,
} from "./url_escape.ts";
export { xhtmlEscape, xhtmlUnescape } from "./xhtml.ts";
