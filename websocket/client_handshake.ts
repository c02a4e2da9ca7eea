/**
 * The opening handshake, client side (RFC 6455 4.1): what is asked, and whether the answer may
 * stand. Values in, values out.
 *
 * @module
 */
import {
  encodeUsernamePassword,
  HTTPClientError,
  HTTPHeaders,
  type HTTPHeadersInit,
  parseResponseStartLine,
  urlUnescape,
} from "../http/mod.ts";
import { VERSION } from "../ioloop/mod.ts";
import { CloseCode } from "./close_code.ts";
import {
  type CompressionOptions,
  type DeflateAgreement,
  offerDeflate,
  readDeflateAnswer,
} from "./deflate_extension.ts";
import { WebSocketHandshakeError } from "./errors.ts";
import { computeAcceptValue, parseSubprotocols, WEBSOCKET_VERSION } from "./handshake.ts";

/** What a client asks for. */
export interface HandshakeOffer {
  /** The `ws:` or `wss:` URL. */
  readonly url: URL;
  /** Sec-WebSocket-Key: base64 of 16 bytes. */
  readonly key: string;
  /** Further header fields. */
  readonly headers?: HTTPHeadersInit | undefined;
  /** The subprotocols, the one it likes best first. */
  readonly subprotocols: readonly string[];
  /** The compression; null: none is offered. */
  readonly compression: CompressionOptions | null;
}

/** What the server answered, if it is well. */
export interface HandshakeAnswer {
  /** Its header fields. */
  readonly headers: HTTPHeaders;
  /** The subprotocol that it chose; null for none. */
  readonly subprotocol: string | null;
  /** The compression that both agreed on; null for none. */
  readonly deflate: DeflateAgreement | null;
}

/** Makes a new Sec-WebSocket-Key. */
export function makeKey(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toBase64();
}

/**
 * Reads a URL of a WebSocket; `http:` and `https:` stand for `ws:` and `wss:`.
 *
 * @throws {TypeError} when it is none, or has a fragment.
 */
export function parseWebSocketUrl(url: string | URL): URL {
  const text = String(url);
  const parsed = new URL(text.replace(/^http(s?:)/i, "ws$1"));
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw new TypeError(`Cannot connect to ${text}: expected a ws: or wss: URL`);
  }
  if (parsed.hash !== "" || text.endsWith("#")) {
    throw new TypeError(`Cannot connect to ${text}: a WebSocket URL has no fragment`);
  }
  return parsed;
}

/**
 * Writes the head of the request. Those fields that make it a handshake cannot be replaced by
 * `headers`.
 *
 * @throws {TypeError} when a subprotocol is no token or stands twice, or a field cannot be sent.
 * @throws {RangeError} when a number of the compression is out of its range.
 */
export function handshakeRequest({ url, key, ...offer }: HandshakeOffer): string {
  const { headers, subprotocols, compression } = offer;
  const offered = subprotocols.join(", ");
  if (parseSubprotocols(offered).length !== subprotocols.length) {
    throw new TypeError(`Cannot offer the subprotocols ${offered}: expected different tokens`);
  }
  const fields = new HTTPHeaders(headers);
  fields.setDefault("Host", url.host);
  fields.setDefault("User-Agent", `Waterspout/${VERSION}`);
  if (url.username !== "" || url.password !== "") {
    const name = urlUnescape(url.username, { plus: false });
    const password = urlUnescape(url.password, { plus: false });
    const credentials = encodeUsernamePassword(name, password);
    fields.setDefault("Authorization", `Basic ${credentials.toBase64()}`);
  }
  fields.set("Upgrade", "websocket");
  fields.set("Connection", "Upgrade");
  fields.set("Sec-WebSocket-Key", key);
  fields.set("Sec-WebSocket-Version", WEBSOCKET_VERSION);
  if (offered !== "") fields.set("Sec-WebSocket-Protocol", offered);
  fields.delete("Sec-WebSocket-Extensions");
  if (compression !== null) fields.set("Sec-WebSocket-Extensions", offerDeflate(compression));
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\n${fields.toBlock()}\r\n`;
}

/**
 * Reads the head of the answer.
 *
 * @param head The head up to and including the empty line, one character per byte.
 * @throws {HTTPInputError} when it is not HTTP.
 * @throws {HTTPClientError} when the status is from 300 on: redirects are not followed.
 * @throws {WebSocketHandshakeError} when another status than 101 came, or its fields do not fit
 * what was asked.
 */
export function readHandshakeAnswer(head: string, offer: HandshakeOffer): HandshakeAnswer {
  const lineEnd = head.indexOf("\n");
  const line = parseResponseStartLine(head.slice(0, lineEnd).replace(/\r$/, ""));
  const headers = HTTPHeaders.parse(head.slice(lineEnd + 1));
  const { code, reason } = line;
  if (code >= 300) throw new HTTPClientError(code, reason);
  const refuse = (why: string, options: { code?: number; cause?: unknown } = {}): never => {
    throw new WebSocketHandshakeError(
      `Cannot open a WebSocket to ${offer.url.href}: ${why}`,
      { status: code, ...options },
    );
  };
  if (code !== 101) refuse(`the server answered ${code} ${reason}, not 101`);
  if (headers.get("Upgrade")?.toLowerCase() !== "websocket") {
    refuse('the answer has no "Upgrade: websocket"');
  }
  const connection = headers.get("Connection") ?? "";
  if (!connection.toLowerCase().split(",").some((token) => token.trim() === "upgrade")) {
    refuse('the answer has no "Connection: Upgrade"');
  }
  if (headers.get("Sec-WebSocket-Accept") !== computeAcceptValue(offer.key)) {
    refuse("Sec-WebSocket-Accept of the answer does not fit the key");
  }
  const subprotocol = headers.get("Sec-WebSocket-Protocol");
  if (subprotocol !== null && !offer.subprotocols.includes(subprotocol)) {
    refuse(`the subprotocol ${subprotocol} was not offered`);
  }
  try {
    const extensions = headers.get("Sec-WebSocket-Extensions");
    return { headers, subprotocol, deflate: readDeflateAnswer(extensions, offer.compression) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return refuse(why, { code: CloseCode.MANDATORY_EXTENSION, cause });
  }
}
