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

const SPECIAL_REGEXP = /[&<>"']/;

const decoder = new TextDecoder();

/** Returns what a value prints: nothing for null and undefined, bytes as UTF-8. */
export function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return value instanceof Uint8Array ? decoder.decode(value) : String(value);
}

/**
 * Returns what a value prints, escaped as by `xhtmlEscape`. With a search and a loop a row of
 * a table takes a third of the time that it takes with a callback for each character.
 */
export function toEscapedText(value: unknown): string {
  const text = typeof value === "string" ? value : toText(value);
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
