// The value of a Set-Cookie field (RFC 6265 4.1), in the form that Python's http.cookies has made
// usual among Tornado's clients: attributes in alphabetical order, and a value that is more than
// token characters in quotes, where `"`, `\` and all that a cookie may not hold are escaped, the
// latter by three octal digits. parseCookie() undoes it.
import { formatTimestamp } from "../http/mod.ts";

/** Options of a cookie that is set. */
export interface CookieOptions {
  /** The host that gets it, with those below; by default only the one that sets it. */
  domain?: string | undefined;
  /** When it ends, as a date or in ms since the epoch. */
  expires?: Date | number | undefined;
  /**
   * The paths that it is sent with: this one and those below.
   *
   * @default {"/"}
   */
  path?: string | undefined;
  /** In how many days it ends; `expires` wins. Without either it ends with the browser. */
  expiresDays?: number | null | undefined;
  /** In how many seconds it ends; browsers heed it before `expires`. */
  maxAge?: number | undefined;
  /**
   * Whether it is kept from scripts.
   *
   * @default {false}
   */
  httpOnly?: boolean | undefined;
  /**
   * Whether it goes over TLS only.
   *
   * @default {false}
   */
  secure?: boolean | undefined;
  /** Whether it goes with requests that other sites cause: `Strict`, `Lax` or `None`. */
  sameSite?: string | undefined;
}

// What stands without quotes: the characters of a token, and the colon.
const PLAIN_REGEXP = /^[\w!#$%&'*+.^`|~:-]+$/;
const ESCAPED_REGEXP = /[^\w!#$%&'*+.^`|~: ()/<=>?@[\]{}-]/g;
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROL_OR_BLANK_REGEXP = /[\x00-\x20]/;
// deno-lint-ignore no-control-regex -- these are what is looked for
const NOT_IN_ATTRIBUTE_REGEXP = /[\x00-\x1f\x7f;]|[^\x00-\xff]/;
// deno-lint-ignore no-control-regex -- latin-1 begins at NUL
const NOT_LATIN1_REGEXP = /[^\x00-\xff]/;
const DAY = 86_400_000;

/**
 * Returns the value of the Set-Cookie field.
 *
 * @throws {TypeError} when name, value or an attribute holds what would end it.
 */
export function formatSetCookie(
  name: string,
  value: string,
  { domain, expires, path = "/", expiresDays, maxAge, httpOnly, secure, sameSite }: CookieOptions,
): string {
  if (!isCookieName(name)) refuse(name, `${JSON.stringify(name)} is not a name for a cookie`);
  if (CONTROL_OR_BLANK_REGEXP.test(value)) {
    refuse(name, "a control character or blank is in its value");
  }
  if (NOT_LATIN1_REGEXP.test(value)) {
    refuse(name, "a character of its value is beyond latin-1; encodeURIComponent() makes it fit");
  }
  let field = `${name}=${PLAIN_REGEXP.test(value) ? value : `"${escape(value)}"`}`;
  if (domain) field += `; Domain=${attribute(name, "domain", domain)}`;
  const end = expires ??
    (typeof expiresDays === "number" ? Date.now() + expiresDays * DAY : undefined);
  // Tornado's spelling, the only attribute that it begins with a small letter.
  if (end !== undefined) field += `; expires=${formatTimestamp(new Date(end))}`;
  if (httpOnly) field += "; HttpOnly";
  if (maxAge !== undefined) field += `; Max-Age=${seconds(name, maxAge)}`;
  if (path) field += `; Path=${attribute(name, "path", path)}`;
  if (sameSite) field += `; SameSite=${attribute(name, "sameSite", sameSite)}`;
  if (secure) field += "; Secure";
  return field;
}

/** Tells whether a cookie can have this name. */
export function isCookieName(name: string): boolean {
  return PLAIN_REGEXP.test(name);
}

function attribute(name: string, option: string, value: string): string {
  if (NOT_IN_ATTRIBUTE_REGEXP.test(value)) {
    refuse(name, `its ${option} holds a control character, a semicolon or what is beyond latin-1`);
  }
  return value;
}

function seconds(name: string, maxAge: number): number {
  if (!Number.isInteger(maxAge)) refuse(name, `expected a whole number as maxAge, got ${maxAge}`);
  return maxAge;
}

function escape(value: string): string {
  return value.replace(
    ESCAPED_REGEXP,
    (char) =>
      char === '"' || char === "\\"
        ? `\\${char}`
        : `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

function refuse(name: string, why: string): never {
  throw new TypeError(`Cannot set cookie ${JSON.stringify(name)}: ${why}`);
}
