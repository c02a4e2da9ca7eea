import { CR, LF } from "./_bytes.ts";
import { latin1 } from "./_latin1.ts";
import { HTTPInputError } from "./errors.ts";
import { HTTPHeaders } from "./headers.ts";
import { parseResponseStartLine, type ResponseStartLine } from "./start_line.ts";

// A head ends with an empty line. LF by LF is looked for, by the engine's own search, and what
// follows each: an LF, or CR and LF. The head is then one string, of which everything is made.
//
// Servers repeat themselves: within a second most heads are the same to the byte. The last one
// is kept, and a head equal to it costs one comparison.
//
// Where this is milder than for requests: a bare LF ends a line (RFC 9112 2.2), and a folded
// field is joined (5.2). Anything that two readers may frame in two ways is refused.

const DEFAULT_MAX_HEADER_SIZE = 65_536;
const MAX_KEPT_SIZE = 4_096; // bytes of a head that is kept

// Fields as they should be: then nothing has to be looked at before somebody asks.
const PLAIN_FIELDS_REGEXP = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;
const FRAMING_REGEXP =
  /^(?:content-length|content-encoding|transfer-encoding|connection|keep-alive):/im;
const BARE_CR_REGEXP = /\r(?!\n)/;
const LENGTHS_REGEXP = /^[0-9]+(?:[\t ]*,[\t ]*[0-9]+)*$/;

/** How the end of a body is found (RFC 9112 6.3). */
export type BodyFraming =
  /** There is none. */
  | "none"
  /** By {@linkcode AnswerHead.contentLength}. */
  | "length"
  /** By its last chunk. */
  | "chunked"
  /** By the end of the connection. */
  | "close";

/** Is the head of an answer. */
export class AnswerHead implements ResponseStartLine {
  /** `HTTP/1.0` or `HTTP/1.1`, as sent. */
  readonly version: string;
  /** Status code of three digits. */
  readonly code: number;
  /** Reason phrase; it may be empty. */
  readonly reason: string;
  /** What Content-Length says; -1 when there is none. */
  readonly contentLength: number;
  /** Whether the body is chunked. */
  readonly chunked: boolean;
  /** Whether the server keeps the connection open behind the answer. */
  readonly keepAlive: boolean;
  /** The ms that the server keeps an idle connection, where it says so; else Infinity. */
  readonly keepAliveTimeout: number;
  /** The value of Content-Encoding in lower case; empty when there is none. */
  readonly contentEncoding: string;
  readonly #fields: string; // lines with CRLF, checked

  /** Takes the text of a head, without the empty line at its end. */
  constructor(text: string) {
    const lineEnd = text.indexOf("\n");
    const line = text.slice(0, text[lineEnd - 1] === "\r" ? lineEnd - 1 : lineEnd);
    ({ version: this.version, code: this.code, reason: this.reason } = parseResponseStartLine(
      line,
    ));
    const fields = text.slice(lineEnd + 1);
    this.#fields = PLAIN_FIELDS_REGEXP.test(fields) ? fields : straightened(fields);
    let contentLength = -1;
    let chunked = false;
    let keepAlive = this.version !== "HTTP/1.0";
    let keepAliveTimeout = Infinity;
    let contentEncoding = "";
    if (FRAMING_REGEXP.test(this.#fields)) {
      const { headers } = this;
      contentLength = lengthOf(headers);
      chunked = isChunked(headers);
      if (chunked && contentLength !== -1) {
        fail("Content-Length came with Transfer-Encoding");
      }
      contentEncoding = headers.get("Content-Encoding", "").toLowerCase();
      const options = headers.get("Connection");
      if (options !== null) keepAlive = keepsAlive(options, keepAlive);
      // RFC 9112 6.1: a server of 1.0 does not know what it says.
      if (chunked && this.version === "HTTP/1.0") keepAlive = false;
      const hint = /(?:^|[\s,])timeout=(\d+)/i.exec(headers.get("Keep-Alive", ""));
      if (hint !== null) keepAliveTimeout = Number(hint[1]) * 1000;
    }
    this.contentLength = contentLength;
    this.chunked = chunked;
    this.keepAlive = keepAlive;
    this.keepAliveTimeout = keepAliveTimeout;
    this.contentEncoding = contentEncoding;
  }

  /** The fields; each call gives a copy of its own. */
  get headers(): HTTPHeaders {
    return HTTPHeaders.fromBlock(this.#fields);
  }

  /**
   * Tells how the body of the answer to a request of `method` ends.
   *
   * @throws {HTTPInputError} when there is a body where none may be.
   */
  framing(method: string): BodyFraming {
    const { code, contentLength, chunked } = this;
    if (code < 200 || code === 204) {
      if (chunked || contentLength > 0) fail(`an answer with status ${code} has a body`);
      return "none";
    }
    if (method === "HEAD" || code === 304 || method === "CONNECT" && code < 300) return "none";
    if (chunked) return "chunked";
    if (contentLength === -1) return "close";
    return contentLength === 0 ? "none" : "length";
  }
}

/** Limits of a {@linkcode ResponseParser}. */
export interface ResponseParserOptions {
  /**
   * Bytes in a head at most, with the empty line that ends it.
   *
   * @default {65536}
   */
  maxHeaderSize?: number;
}

/**
 * Reads the heads of answers, interim ones too, as a client. It owns no stream.
 *
 * @example Read a head
 * ```ts
 * import { ResponseParser } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new ResponseParser();
 * const bytes = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
 * assertEquals(parser.parse(bytes, 0, 20), -1);
 * assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length - 2);
 * assertEquals(parser.head.contentLength, 2);
 * assertEquals(parser.head.framing("HEAD"), "none");
 * ```
 */
export class ResponseParser {
  readonly #maxHeaderSize: number;
  #head: AnswerHead | null = null; // the last one
  #text = ""; // of it, without the empty line, if it is kept
  #looked = 0; // bytes of the head in progress in which it does not end
  #size = 0; // of the last head

  /** Makes a parser that stands before a head. */
  constructor({ maxHeaderSize = DEFAULT_MAX_HEADER_SIZE }: ResponseParserOptions = {}) {
    this.#maxHeaderSize = maxHeaderSize;
  }

  /**
   * The last complete head.
   *
   * @throws {Error} before the first one.
   */
  get head(): AnswerHead {
    if (this.#head === null) throw new Error("Cannot give the head: none is complete");
    return this.#head;
  }

  /** How many bytes the last complete head had. */
  get size(): number {
    return this.#size;
  }

  /**
   * Goes on reading the head that begins at `bytes[start]`. While it is incomplete, call again
   * with the same bytes and more behind them; what was searched is not searched again.
   *
   * @param skipped Bytes to count besides, of heads before this one.
   * @returns the offset just after the head, or -1 when more bytes are needed.
   * @throws {HTTPInputError} when it is no head, or too large.
   */
  parse(bytes: Uint8Array, start: number, end: number, skipped = 0): number {
    const looked = this.#looked;
    this.#looked = 0; // what follows an error is another head
    const stop = headEnd(bytes, start + looked, end);
    const size = (stop === -1 ? end : stop) - start;
    if (size + skipped > this.#maxHeaderSize) fail(`it exceeds ${this.#maxHeaderSize} bytes`);
    if (stop === -1) {
      if (looked < STARTS_WITH.length) checkStart(bytes, start, end);
      // An LF may be the last but one of what came.
      this.#looked = Math.max(0, size - 2);
      return -1;
    }
    this.#size = size;
    const last = bytes[stop - 2] === CR ? stop - 2 : stop - 1; // where the empty line begins
    const text = latin1(bytes, start, last);
    if (text !== this.#text || this.#head === null) {
      this.#text = "";
      checkStart(bytes, start, stop);
      this.#head = new AnswerHead(text);
      if (text.length <= MAX_KEPT_SIZE) this.#text = text;
    }
    return stop;
  }

  /** Forgets a head that has begun. */
  reset(): void {
    this.#looked = 0;
  }
}

// Offset behind the first empty line; -1 when there is none.
function headEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start;;) {
    at = bytes.indexOf(LF, at) + 1;
    if (at === 0 || at >= end) return -1;
    if (bytes[at] === LF) return at + 1;
    if (bytes[at] === CR && at + 1 < end && bytes[at + 1] === LF) return at + 2;
  }
}

const STARTS_WITH = "HTTP/1.";

// What speaks first is often no HTTP at all, and then an empty line may never come.
function checkStart(bytes: Uint8Array, start: number, end: number): void {
  const length = Math.min(end - start, STARTS_WITH.length);
  if (STARTS_WITH.startsWith(latin1(bytes, start, start + length))) return;
  const came = latin1(bytes, start, Math.min(end, start + 20));
  fail(`expected a status line, got ${JSON.stringify(came)}`);
}

// Fields with bare LFs or folded lines, as they should be.
function straightened(fields: string): string {
  if (BARE_CR_REGEXP.test(fields)) fail("a CR came without LF");
  return HTTPHeaders.parse(fields).toBlock();
}

// RFC 9110 8.6: a list of equal numbers is one.
function lengthOf(headers: HTTPHeaders): number {
  const list = headers.get("Content-Length");
  if (list === null) return -1;
  const lengths = LENGTHS_REGEXP.test(list) ? new Set(list.split(",").map(Number)) : null;
  const [length] = lengths ?? [];
  if (lengths?.size !== 1 || !Number.isSafeInteger(length)) {
    fail(`Content-Length is ${JSON.stringify(list.slice(0, 40))}, not one decimal number`);
  }
  return length!;
}

function isChunked(headers: HTTPHeaders): boolean {
  const coding = headers.get("Transfer-Encoding");
  if (coding === null) return false;
  if (coding.toLowerCase() === "chunked") return true;
  fail(`Transfer-Encoding is ${JSON.stringify(coding.slice(0, 40))}, not chunked`);
}

function keepsAlive(connection: string, otherwise: boolean): boolean {
  const options = connection.toLowerCase().split(",").map((option) => option.trim());
  if (options.includes("close")) return false;
  return otherwise || options.includes("keep-alive");
}

function fail(why: string): never {
  throw new HTTPInputError(`Cannot read answer head: ${why}`);
}
