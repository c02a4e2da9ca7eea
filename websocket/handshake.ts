/**
 * The opening handshake, server side: what a request must have, RFC 6455 4.2.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** The one version of the protocol that is spoken here. */
export const WEBSOCKET_VERSION = "13";

// RFC 6455 1.3: joined to the key, so that nobody answers who does not know this protocol.
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// 16 bytes are 21 base64 digits of 6 bits and one that holds the last 2 bits
// with zeros behind: A, Q, g or w.
const KEY_REGEXP = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

// RFC 9110 5.6.2.
const TOKEN_REGEXP = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

// Scheme, then host and port, then a path that some clients add. No user, no
// white space; a host is compared as it is written, so nothing decodes it.
const ORIGIN_REGEXP = /^(http|ws)(s?):\/\/([^\s/?#@\\:][^\s/?#@\\]*)(?:[/?#]|$)/;

/** What the decision needs to know of a request. */
export interface HandshakeRequest {
  /** The method, in capitals. */
  readonly method: string;
  /** The minor version of HTTP/1. */
  readonly minorVersion: number;
  /**
   * Finds a header field by its name in whatever case, with repeated fields
   * joined by commas; `null` if there is none.
   */
  header(name: string): string | null;
}

/** A request that may be answered with 101. */
export interface HandshakeAccepted {
  /** Says that this is one. */
  readonly ok: true;
  /** The client's key, for {@linkcode computeAcceptValue}. */
  readonly key: string;
  /** The subprotocols that the client offers, the one it likes best first. */
  readonly subprotocols: string[];
  /** The extensions that the client offers, as they came; `null` if none. */
  readonly extensions: string | null;
}

/** A request that is no handshake, and how to say so. */
export interface HandshakeRefused {
  /** Says that this is one. */
  readonly ok: false;
  /** The status of the answer. */
  readonly status: 400 | 405 | 426;
  /** What is wrong, as a sentence for the body or the log. */
  readonly reason: string;
  /** Header fields that the answer must have. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Decides whether a request is a WebSocket handshake. It does not look at
 * Origin, which is for the application to judge.
 *
 * @example A request that asks for nothing
 * ```ts
 * import { decideHandshake } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const decision = decideHandshake({
 *   method: "GET",
 *   minorVersion: 1,
 *   header: () => null,
 * });
 * assertEquals(decision, {
 *   ok: false,
 *   status: 400,
 *   reason: 'Upgrade must name "websocket"',
 *   headers: {},
 * });
 * ```
 *
 * @param request The request.
 * @returns What to go on with, or how to refuse.
 */
export function decideHandshake(
  request: HandshakeRequest,
): HandshakeAccepted | HandshakeRefused {
  if (request.method !== "GET") {
    return refuse(405, "Method must be GET", { Allow: "GET" });
  }
  if (request.minorVersion < 1) {
    return refuse(400, "A WebSocket needs HTTP/1.1");
  }
  if (!hasToken(request.header("Upgrade"), "websocket")) {
    return refuse(400, 'Upgrade must name "websocket"');
  }
  if (!hasToken(request.header("Connection"), "upgrade")) {
    return refuse(400, 'Connection must name "Upgrade"');
  }
  if (request.header("Sec-WebSocket-Version") !== WEBSOCKET_VERSION) {
    return refuseVersion();
  }
  const key = request.header("Sec-WebSocket-Key") ?? "";
  if (!isValidKey(key)) {
    return refuse(400, "Sec-WebSocket-Key must be base64 of 16 bytes");
  }
  return {
    ok: true,
    key,
    subprotocols: parseSubprotocols(request.header("Sec-WebSocket-Protocol")),
    extensions: request.header("Sec-WebSocket-Extensions"),
  };
}

function refuse(
  status: HandshakeRefused["status"],
  reason: string,
  headers: Record<string, string> = {},
): HandshakeRefused {
  return { ok: false, status, reason, headers };
}

/** Says which version is spoken here. */
export function refuseVersion(): HandshakeRefused {
  // RFC 9110 15.5.22 wants Upgrade here, and 7.8 wants Connection beside it.
  return refuse(426, `Sec-WebSocket-Version must be ${WEBSOCKET_VERSION}`, {
    "Sec-WebSocket-Version": WEBSOCKET_VERSION,
    "Upgrade": "websocket",
    "Connection": "Upgrade",
  });
}

/** Tells whether a comma-separated field holds `token`, which is in lower case. */
function hasToken(field: string | null, token: string): boolean {
  if (field === null) return false;
  return field.toLowerCase().split(",").some((item) => item.trim() === token);
}

/**
 * Computes the Sec-WebSocket-Accept that proves that a key was read.
 *
 * @example The key of RFC 6455 1.3
 * ```ts
 * import { computeAcceptValue } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   computeAcceptValue("dGhlIHNhbXBsZSBub25jZQ=="),
 *   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
 * );
 * ```
 *
 * @param key The Sec-WebSocket-Key as it came.
 * @returns 28 characters of base64.
 */
export function computeAcceptValue(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}

/**
 * Tells whether `key` is what a client must send: 16 bytes in base64, padded,
 * and in the one form that encoding them gives.
 *
 * @param key The Sec-WebSocket-Key as it came.
 * @returns Whether it is valid.
 */
export function isValidKey(key: string): boolean {
  return KEY_REGEXP.test(key);
}

/**
 * Splits a Sec-WebSocket-Protocol field. What is not a token, or came before,
 * is left out: no answer could name it.
 *
 * @param header The field, or `null` if there is none.
 * @returns The names in the order they came.
 */
export function parseSubprotocols(header: string | null): string[] {
  if (header === null) return [];
  const names = header.split(",").map((name) => name.trim());
  return [...new Set(names.filter((name) => TOKEN_REGEXP.test(name)))];
}

/**
 * Tells whether a page of `origin` may be taken as one of this server: same
 * host and same port, where the default port of the origin's scheme may be
 * written or left out. The scheme itself is not compared, since TLS may end at a
 * proxy in front.
 *
 * @example Case and default ports do not matter
 * ```ts
 * import { isSameOrigin } from "@waterspout/waterspout/websocket";
 * import { assert, assertEquals } from "@std/assert";
 *
 * assert(isSameOrigin("https://Example.com", "example.COM:443"));
 * assertEquals(isSameOrigin("https://evil.com", "example.com"), false);
 * assertEquals(isSameOrigin("null", "example.com"), false);
 * ```
 *
 * @param origin The Origin field: `http`, `https`, `ws` or `wss` URL; all else
 * is no origin of ours.
 * @param host The Host field.
 * @returns Whether they agree.
 */
export function isSameOrigin(origin: string, host: string): boolean {
  const match = ORIGIN_REGEXP.exec(origin.toLowerCase());
  if (match === null) return false;
  const port = match[2] === "s" ? ":443" : ":80";
  return stripEnd(match[3]!, port) === stripEnd(host.toLowerCase(), port);
}

function stripEnd(text: string, end: string): string {
  return text.endsWith(end) ? text.slice(0, -end.length) : text;
}
