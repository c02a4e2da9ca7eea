import { HTTPInputError } from "./errors.ts";

/** First line of a request. */
export interface RequestStartLine {
  /** Method, a token. */
  readonly method: string;
  /** Request-target as sent, query and all. */
  readonly path: string;
  /** `HTTP/1.0` or `HTTP/1.1`, as sent. */
  readonly version: string;
}

/** First line of a response. */
export interface ResponseStartLine {
  /** `HTTP/1.0` or `HTTP/1.1`, as sent. */
  readonly version: string;
  /** Status code of three digits. */
  readonly code: number;
  /** Reason phrase; it may be empty. */
  readonly reason: string;
}

const REQUEST_LINE_REGEXP =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\uffff]+) (HTTP\/1\.\d)$/;

// RFC 9112 4: the blank after the code is part of the line, but some servers leave it
// out together with the reason.
const STATUS_LINE_REGEXP = /^(HTTP\/1\.\d) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\uffff]*))?$/;

/**
 * Takes the first line of a request apart.
 *
 * @example Parse a request line
 * ```ts
 * import { parseRequestStartLine } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseRequestStartLine("GET /foo HTTP/1.1"), {
 *   method: "GET",
 *   path: "/foo",
 *   version: "HTTP/1.1",
 * });
 * ```
 *
 * @param line The line without CRLF.
 * @throws {HTTPInputError} if it is not method, target and HTTP/1.x, one blank between them.
 */
export function parseRequestStartLine(line: string): RequestStartLine {
  const match = REQUEST_LINE_REGEXP.exec(line);
  if (match === null) {
    throw new HTTPInputError(
      "Cannot read request line: expected method, target and HTTP/1.x",
    );
  }
  const [, method, path, version] = match;
  return Object.freeze({ method: method!, path: path!, version: version! });
}

/**
 * Takes the first line of a response apart.
 *
 * @example Parse a status line
 * ```ts
 * import { parseResponseStartLine } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseResponseStartLine("HTTP/1.1 200 OK"), {
 *   version: "HTTP/1.1",
 *   code: 200,
 *   reason: "OK",
 * });
 * ```
 *
 * @param line The line without CRLF.
 * @throws {HTTPInputError} if it is not HTTP/1.x, a code of three digits and a reason.
 */
export function parseResponseStartLine(line: string): ResponseStartLine {
  const match = STATUS_LINE_REGEXP.exec(line);
  if (match === null) {
    throw new HTTPInputError(
      "Cannot read status line: expected HTTP/1.x, code and reason",
    );
  }
  const [, version, code, reason = ""] = match;
  return Object.freeze({ version: version!, code: Number(code), reason });
}
