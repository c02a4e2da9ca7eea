import { basicCredentials } from "./credentials.ts";
import type { ResolvedRequest } from "./client_request.ts";
import { formatTimestamp } from "./timestamp.ts";

// Beyond latin-1 a character has no byte, and cut to its low byte it could become a CR or LF.
const NOT_LATIN1_REGEXP = /[^\0-\xff]/;
const CONTROL_REGEXP = /[^\t\x20-\x7e\x80-\uffff]/;
const FORM = "application/x-www-form-urlencoded";

/** How the body of a request goes out. */
export interface RequestFraming {
  /** Bytes that Content-Length announces; -1: none is sent. */
  readonly length: number;
  /** Whether it goes out in chunks. */
  readonly chunked: boolean;
}

/** What of a head is not the request's own. */
export interface HeadSurroundings {
  /** The request-target. */
  readonly target: string;
  /** The value of Authorization, or null; one among the headers counts more. */
  readonly authorization: string | null;
  /** The value of Proxy-Authorization, or null. */
  readonly proxyAuthorization: string | null;
  /** Whether the connection ends with this exchange. */
  readonly closes: boolean;
}

/**
 * Decides how the body is framed.
 *
 * @throws {TypeError} when Content-Length or Transfer-Encoding among the headers do not fit.
 */
export function framingOf(request: ResolvedRequest): RequestFraming {
  const { headers, body, bodyProducer, method } = request;
  const announced = headers.get("Content-Length");
  if (announced !== null && !/^\d+$/.test(announced)) {
    throw new TypeError(`Cannot fetch: the Content-Length is ${JSON.stringify(announced)}`);
  }
  const coding = headers.get("Transfer-Encoding");
  if (coding !== null && (coding.toLowerCase() !== "chunked" || bodyProducer === null)) {
    throw new TypeError(`Cannot fetch: Transfer-Encoding is the connection's to choose`);
  }
  if (bodyProducer !== null) {
    if (announced === null) return { length: -1, chunked: true };
    if (coding === null) return { length: Number(announced), chunked: false };
    throw new TypeError("Cannot fetch: there are both Content-Length and Transfer-Encoding");
  }
  // RFC 9110 8.6: methods for which a body is usual send the length of an empty one.
  const usual = method === "POST" || method === "PUT" || method === "PATCH";
  const length = body?.length ?? (usual ? 0 : -1);
  if (announced !== null && Number(announced) !== Math.max(length, 0)) {
    throw new TypeError(
      `Cannot fetch: the Content-Length is ${announced}, but the body has ${length} bytes`,
    );
  }
  return { length, chunked: false };
}

/**
 * Gives the head of a request, one character for each byte.
 *
 * @throws {TypeError} when a field holds a control character or is beyond latin-1.
 */
export function formatRequestHead(
  request: ResolvedRequest,
  { length, chunked }: RequestFraming,
  { target, authorization, proxyAuthorization, closes }: HeadSurroundings,
): string {
  const { method, url, headers, cookieJar } = request;
  const plain = headers.size === 0; // nothing has to be looked up
  const lacks = (name: string) => plain || !headers.has(name);
  let head = `${method} ${target} HTTP/1.1\r\n`;
  if (lacks("Host")) head += `Host: ${url.host}\r\n`;
  if (lacks("User-Agent")) head += `User-Agent: ${checked("userAgent", request.userAgent)}\r\n`;
  if (request.decompressResponse && lacks("Accept-Encoding")) head += "Accept-Encoding: gzip\r\n";
  if (authorization !== null && lacks("Authorization")) {
    head += `Authorization: ${authorization}\r\n`;
  }
  if (proxyAuthorization !== null) head += `Proxy-Authorization: ${proxyAuthorization}\r\n`;
  if (request.ifModifiedSince !== null) {
    head += `If-Modified-Since: ${formatTimestamp(request.ifModifiedSince)}\r\n`;
  }
  if (cookieJar !== null && lacks("Cookie")) {
    const cookies = cookieJar.getCookieStringSync(url.href);
    if (cookies !== "") head += `Cookie: ${checked("cookie", cookies)}\r\n`;
  }
  if (method === "POST" && request.body !== null && lacks("Content-Type")) {
    head += `Content-Type: ${FORM}\r\n`;
  }
  if (waitsForContinue(request)) head += "Expect: 100-continue\r\n";
  if (chunked && lacks("Transfer-Encoding")) head += "Transfer-Encoding: chunked\r\n";
  if (length >= 0 && lacks("Content-Length")) head += `Content-Length: ${length}\r\n`;
  if (closes && lacks("Connection")) head += "Connection: close\r\n";
  head = `${head}${plain ? "" : headers.toBlock()}\r\n`;
  if (NOT_LATIN1_REGEXP.test(head)) {
    throw new TypeError("Cannot fetch: a character in the head is beyond latin-1");
  }
  return head;
}

// What is no header field yet was not checked as one.
function checked(what: string, value: string): string {
  if (!CONTROL_REGEXP.test(value)) return value;
  throw new TypeError(`Cannot fetch: a control character is in the ${what}`);
}

/** The value of Authorization that needs no challenge; null when there is none. */
export function basicAuthorization(
  { authUsername, authPassword, authMode }: ResolvedRequest,
): string | null {
  return authUsername === null || authMode !== "basic"
    ? null
    : basicCredentials(authUsername, authPassword);
}

/** Tells whether the body is held back until the server asks for it. */
export function waitsForContinue(
  { expect100Continue, body, bodyProducer }: ResolvedRequest,
): boolean {
  return expect100Continue && (bodyProducer !== null || body !== null && body.length > 0);
}
