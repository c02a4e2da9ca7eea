import type { HTTPHeaders } from "./headers.ts";
import { reasonPhrase, responses } from "./status.ts";

// Beyond latin-1 a character has no byte, and cut to its low byte it could become a CR or LF.
// Over a one-byte string, which a head nearly always is, the search is over at once.
const NOT_LATIN1_REGEXP = /[^\0-\xff]/;

const CONTROL_REGEXP = /[^\t\x20-\x7e\x80-\uffff]/;

// Status lines with the registered phrase, by code; codes have three digits, so it is bounded.
const statusLines: string[] = [];

/**
 * Gives the first line of a response, with its CRLF.
 *
 * @param code Status code of three digits.
 * @param reason Instead of the registered phrase; it may be empty.
 * @throws {RangeError} if `code` is not an integer from 100 to 999.
 * @throws {TypeError} if `reason` has a control character other than tab.
 */
export function statusLine(code: number, reason?: string): string {
  if (reason === undefined || reason === responses[code]) {
    return statusLines[code] ??= makeStatusLine(code, reasonPhrase(code));
  }
  return makeStatusLine(code, reason);
}

/**
 * Gives the head of a response: status line, field lines and the empty line, one character for each byte to send.
 *
 * @example Format a head
 * ```ts
 * import { formatResponseHead, HTTPHeaders } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   formatResponseHead(200, "OK", new HTTPHeaders({ "Content-Length": "0" })),
 *   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
 * );
 * ```
 *
 * @throws {RangeError} if `code` is not an integer from 100 to 999.
 * @throws {TypeError} if `reason` has a control character, or anything is beyond latin-1.
 */
export function formatResponseHead(
  code: number,
  reason: string,
  headers: HTTPHeaders,
): string {
  const head = statusLine(code, reason) + headers.toBlock() + "\r\n";
  if (NOT_LATIN1_REGEXP.test(head)) {
    throw new TypeError(
      "Cannot format response head: a character is beyond latin-1",
    );
  }
  return head;
}

function makeStatusLine(code: number, reason: string): string {
  if (!Number.isInteger(code) || code < 100 || code > 999) {
    throw new RangeError(
      `Cannot format status line: code must be an integer from 100 to 999, got ${code}`,
    );
  }
  if (CONTROL_REGEXP.test(reason)) {
    throw new TypeError(
      "Cannot format status line: a control character is in the reason",
    );
  }
  return `HTTP/1.1 ${code} ${reason}\r\n`;
}
