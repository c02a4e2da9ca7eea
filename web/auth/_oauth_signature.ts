import { createHmac } from "node:crypto";

/** Is a key and its secret; a token may have more that the provider told. */
export interface OAuthToken {
  /** What is shown. */
  readonly key: string;
  /** What signs. */
  readonly secret: string;
  /** Something else that the provider told. */
  readonly [name: string]: string;
}

/** Is a version of OAuth 1. */
export type OAuthVersion = "1.0" | "1.0a";

const NOT_ESCAPED_REGEXP = /[!'()*]/g; // by encodeURIComponent(), and RFC 5849 3.6 wants it

/**
 * Signs a request with HMAC-SHA1 (RFC 5849 3.4). In version 1.0 the secrets are run together as
 * they are, since 1.0a escaped.
 */
export function signOAuth(
  version: OAuthVersion,
  consumer: OAuthToken,
  method: string,
  url: string,
  parameters: Readonly<Record<string, string>>,
  token: OAuthToken | null,
): string {
  const { protocol, host, pathname } = new URL(url); // without a default port
  const pairs = Object.entries(parameters)
    .map(([name, value]) => [escape(name), escape(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`);
  const base = [method.toUpperCase(), `${protocol}//${host}${pathname}`, pairs.join("&")];
  const key = [consumer.secret, token?.secret ?? ""];
  return createHmac("sha1", (version === "1.0a" ? key.map(escape) : key).join("&"))
    .update(base.map(escape).join("&"))
    .digest("base64");
}

function escape(text: string): string {
  return encodeURIComponent(text).replace(
    NOT_ESCAPED_REGEXP,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
