import { jsonEncode, linkify, squeeze, urlEscape, xhtmlEscape } from "../../http/escape.ts";

/** What templates can use without being given it. */
export const BUILTINS: Readonly<Record<string, unknown>> = {
  __proto__: null,
  escape: xhtmlEscape,
  xhtmlEscape,
  // deno-lint-ignore camelcase -- as templates that were written for Tornado name it
  xhtml_escape: xhtmlEscape,
  urlEscape,
  // deno-lint-ignore camelcase -- as above
  url_escape: urlEscape,
  jsonEncode,
  // deno-lint-ignore camelcase -- as above
  json_encode: jsonEncode,
  squeeze,
  linkify,
};

const decoder = new TextDecoder();

/** Returns what a value prints: nothing for null and undefined, bytes as UTF-8. */
export function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return value instanceof Uint8Array ? decoder.decode(value) : String(value);
}

/** Returns what a value prints, escaped as by `xhtmlEscape`. */
export function toEscapedText(value: unknown): string {
  return xhtmlEscape(typeof value === "string" ? value : toText(value));
}
