import type { ResolvedRequest } from "./client_request.ts";
import { urlUnescape } from "./url_escape.ts";

const STATUSES = new Set([301, 302, 303, 307, 308]);

// What only the origin it was meant for may see; also what was made out to that host.
const SECRETS = ["Authorization", "Cookie", "Cookie2", "Proxy-Authorization"];

const BODY_FIELDS = [
  "Content-Length",
  "Content-Type",
  "Content-Encoding",
  "Content-Language",
  "Content-Location",
  "Transfer-Encoding",
];

/** Is what {@linkcode redirectOf} looks at. */
export interface Redirecting {
  readonly code: number;
  /** The values of Location. */
  readonly locations: readonly string[];
}

/**
 * Gives the request that follows an answer; null when the answer is no redirect, or none that
 * can or shall be followed.
 */
export function redirectOf(
  request: ResolvedRequest,
  { code, locations }: Redirecting,
): ResolvedRequest | null {
  if (!request.followRedirects || request.maxRedirects <= 0 || !STATUSES.has(code)) return null;
  const [location] = locations;
  if (location === undefined) return null;
  const url = URL.parse(asUnicode(location), request.url);
  if (url === null || url.protocol !== "http:" && url.protocol !== "https:") return null;
  if (url.hash === "") url.hash = request.url.hash; // RFC 9110 10.2.2
  const headers = request.headers.copy();
  headers.delete("Host");
  let { method, body, bodyProducer, authUsername, authPassword } = request;
  // RFC 9110 15.4: of 301 and 302 that is what all clients do.
  if (code === 303 && method !== "HEAD" || (code === 301 || code === 302) && method === "POST") {
    method = "GET";
    body = bodyProducer = null;
    for (const name of BODY_FIELDS) headers.delete(name);
  }
  if (url.origin !== request.url.origin) {
    for (const name of SECRETS) headers.delete(name);
    authUsername = null;
    authPassword = "";
  }
  if (url.username !== "") {
    authUsername = urlUnescape(url.username, { plus: false });
    authPassword = urlUnescape(url.password, { plus: false });
    url.username = url.password = "";
  }
  const maxRedirects = request.maxRedirects - 1;
  return {
    ...request,
    url,
    headers,
    method,
    body,
    bodyProducer,
    authUsername,
    authPassword,
    maxRedirects,
  };
}

// Servers send paths in UTF-8 as they are; header fields come as latin-1.
function asUnicode(location: string): string {
  if (!/[\x80-\xff]/.test(location)) return location;
  const bytes = Uint8Array.from(location, (char) => char.charCodeAt(0));
  try {
    return utf8.decode(bytes);
  } catch {
    return location;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
