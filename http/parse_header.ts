import { trimBlanks } from "./_blanks.ts";
import { urlUnescape } from "./url_escape.ts";

// RFC 8187 3.2.1: charset, language and the value, percent-encoded.
const EXTENDED_REGEXP = /^(utf-8|iso-8859-1)'[^']*'(.*)$/i;

const TOKEN_REGEXP = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Takes a field value with parameters apart: `form-data; name="a;b"`.
 *
 * Names of parameters become lower case. A quoted value loses its quotes, and the backslash before
 * a quote or backslash; any other backslash stays, because browsers send file names so. `name*=`
 * (RFC 8187) is decoded and outranks `name=`. A parameter without `=` has the value `""`. Of two
 * with one name the last one wins. The time it takes is linear in the length.
 *
 * @example Read a disposition
 * ```ts
 * import { parseHeader } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const [key, params] = parseHeader("form-data; foo=\"b\\\"a;r\"; file*=utf-8''T%C3%A4st");
 * assertEquals(key, "form-data");
 * assertEquals({ ...params }, { foo: 'b"a;r', file: "Täst" });
 * ```
 *
 * @returns what stands before the first `;`, and the parameters in an object without prototype.
 */
export function parseHeader(
  line: string,
): [key: string, params: Record<string, string>] {
  const params: Record<string, string> = Object.create(null);
  const extended: Record<string, string> = Object.create(null);
  const [key = "", ...parts] = splitOutsideQuotes(line);
  for (const part of parts) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = (equals === -1 ? part : trimBlanks(part, 0, equals))
      .toLowerCase();
    const value = equals === -1 ? "" : trimBlanks(part, equals + 1);
    if (!name.endsWith("*")) {
      params[name] = unquote(value);
      continue;
    }
    const match = EXTENDED_REGEXP.exec(unquote(value));
    if (match !== null) {
      extended[name.slice(0, -1)] = urlUnescape(match[2]!, {
        encoding: match[1]!,
        plus: false,
      });
    }
  }
  return [key, Object.assign(params, extended)];
}

/**
 * Puts a field value with parameters together, the reverse of {@linkcode parseHeader}.
 *
 * @param params In the order of their names; a value that is `null` gives a parameter without `=`, and
 * one that is not a token is quoted.
 */
export function encodeHeader(
  key: string,
  params: Readonly<Record<string, string | null>>,
): string {
  const parts = [key];
  for (const name of Object.keys(params).sort()) {
    const value = params[name]!;
    parts.push(value === null ? name : `${name}=${quoteIfNeeded(value)}`);
  }
  return parts.join("; ");
}

/** Splits at each `;` that is not inside quotes, and trims the parts. */
function splitOutsideQuotes(line: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '"') quoted = !quoted;
    else if (char === "\\" && quoted) at++;
    else if (char === ";" && !quoted) {
      parts.push(trimBlanks(line, start, at));
      start = at + 1;
    }
  }
  parts.push(trimBlanks(line, start));
  return parts;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) {
    return value;
  }
  return value.slice(1, -1).replace(/\\(["\\])/g, "$1");
}

function quoteIfNeeded(value: string): string {
  return TOKEN_REGEXP.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
