import { trimBlanks } from "./_blanks.ts";

const ESCAPE_REGEXP = /\\(?:([0-3][0-7][0-7])|([^]))/g;

/**
 * Reads a Cookie field.
 *
 * Nothing is refused: browsers send what old servers once set. Of two cookies with one name the
 * last one wins; a part without `=` is the value of the cookie named `""`; a value in quotes loses
 * them, and its escapes (`\"`, `\042`) are undone.
 *
 * @example Read cookies
 * ```ts
 * import { parseCookie } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals({ ...parseCookie('a=b; c="d\\073e"; f=g=h') }, { a: "b", c: "d;e", f: "g=h" });
 * ```
 *
 * @returns an object without prototype.
 */
export function parseCookie(header: string): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null);
  for (const part of header.split(";")) {
    const equals = part.indexOf("=");
    const name = equals === -1 ? "" : trimBlanks(part, 0, equals);
    const value = trimBlanks(part, equals + 1);
    if (name !== "" || value !== "") cookies[name] = unquote(value);
  }
  return cookies;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) {
    return value;
  }
  return value.slice(1, -1).replace(
    ESCAPE_REGEXP,
    (_, octal?: string, char?: string) =>
      octal === undefined ? char! : String.fromCharCode(parseInt(octal, 8)),
  );
}
