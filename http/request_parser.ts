import {
  ConnectionOption,
  isWord,
  readConnection,
  readContentLength,
  trimBlanks,
  wordBytes,
} from "./_field_values.ts";
import { COLON, CR, FIELD_VALUE, HTAB, LF, SLASH, SP, TARGET, TOKEN } from "./_bytes.ts";
import { latin1 } from "./_latin1.ts";
import { isAuthority, readUncommonTarget } from "./_request_target.ts";
import { HTTPInputError } from "./errors.ts";
import { RequestHead } from "./request_head.ts";

// One pass over the bytes of a head, resumable at any byte (RFC 9112 2 to 6).
//
//   START --other--> METHOD --SP--> TARGET --SP--> VERSION --digit--> LINE_END
//   START --CR--> EMPTY_LF --LF--> START
//   LINE_END --CR--> LINE_LF --LF--> FIELD
//   FIELD --other--> NAME --:--> BLANKS --other--> VALUE --CR--> LINE_LF
//   FIELD --CR--> HEAD_LF --LF--> START, a head is complete
//   any state --#fail()--> DEAD
//
// The scan makes no string. It keeps offsets from the start of the message, since the
// owner of the bytes may move them between two calls, and looks at the few fields that
// frame the message when their line ends. A complete head is decoded by one call;
// what the head then offers are slices of that string.
const State = {
  START: 0,
  EMPTY_LF: 1,
  METHOD: 2,
  TARGET: 3,
  VERSION: 4,
  LINE_END: 5,
  LINE_LF: 6,
  FIELD: 7,
  NAME: 8,
  BLANKS: 9,
  VALUE: 10,
  HEAD_LF: 11,
  DEAD: 12,
} as const;
type State = typeof State[keyof typeof State];

/** Bits of `#seen`: which of the fields that matter here have come. */
const Seen = { HOST: 1, TRANSFER_ENCODING: 2, EXPECT: 4, UPGRADE: 8, CONDITION: 16 } as const;

const HTTP_1 = wordBytes("HTTP/1.");
const HOST = wordBytes("host");
const EXPECT = wordBytes("expect");
const UPGRADE = wordBytes("upgrade");
const CONNECTION = wordBytes("connection");
const IF_NONE_MATCH = wordBytes("if-none-match");
const CONTENT_LENGTH = wordBytes("content-length");
const TRANSFER_ENCODING = wordBytes("transfer-encoding");
const CHUNKED = wordBytes("chunked");
const CONTINUE = wordBytes("100-continue");

// RFC 9112 2.2 wants at least one empty line before the request line to be skipped;
// four is more than any client is known to send.
const MAX_LEADING_BYTES = 8;
const LOOK_AT = 128; // bytes of a head that are compared one by one, which is cheap, and not decoded

const DEFAULT_MAX_HEADER_SIZE = 65_536;
const DEFAULT_MAX_HEADER_COUNT = 1_000; // nginx and Node.js: bounded by the size alone; Apache: 100

// Heads above this size are not kept for comparison, nor the Host in them, a slice
// that keeps the whole: it would be memory that a peer can claim by staying idle.
const MAX_KEPT_SIZE = 4_096;

// The usual methods by first letter and length, which tell them apart, so that a
// head shares one string for each and `method === "GET"` compares pointers.
const METHODS: (string | undefined)[] = [];
for (
  const method of [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "CONNECT",
  ]
) {
  METHODS[methodKey(method, method.length)] = method;
}

function methodKey(text: string, length: number): number {
  return (text.charCodeAt(0) & 0x1f) << 3 | length & 7;
}

function methodOf(text: string, length: number): string {
  const method = METHODS[methodKey(text, length)];
  return method !== undefined && method.length === length &&
      text.startsWith(method)
    ? method
    : text.slice(0, length);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Limits of a {@linkcode RequestParser}. */
export interface RequestParserOptions {
  /**
   * Bytes in a head at most, with the empty line that ends it and any before it.
   *
   * @default {65536}
   */
  maxHeaderSize?: number;
  /**
   * Field lines in a head at most.
   *
   * @default {1000}
   */
  maxHeaderCount?: number;
}

/**
 * Reads the heads of the requests on one connection, strictly by RFC 9112.
 *
 * @example Read a head
 * ```ts
 * import { RequestParser } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new RequestParser();
 * const bytes = new TextEncoder().encode("GET /a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\n");
 * assertEquals(parser.parse(bytes, 0, 20), -1);
 * assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
 * assertEquals(parser.head.path, "/a");
 * assertEquals(parser.head.host, "example.com");
 * ```
 */
export class RequestParser {
  /** The last complete head. */
  head: RequestHead = new RequestHead();

  readonly #maxHeaderSize: number;
  readonly #maxHeaderCount: number;

  // Offsets count from the first byte of the message.
  #state: State = State.START;
  #at = 0; // next byte to look at
  #mark = 0; // where the token, target, version or name in progress began
  #lineStart = 0; // where the request line began
  #methodEnd = 0;
  #targetEnd = 0;
  #fieldsStart = 0; // just after the request line; 0 while still inside it
  #nameEnd = 0;
  #valueStart = 0;

  #minorVersion: 0 | 1 = 1;
  #fieldCount = 0;
  #seen = 0;
  #connection = 0; // ConnectionOption bits
  #contentLength = -1;
  #hostStart = 0; // with #hostEnd: value of the Host field, valid once Seen.HOST is set
  #hostEnd = 0;

  // The Host that passed last: on one connection the next one is hardly ever another.
  #knownHost = "";
  // The last head as it came: a client that repeats it (all but browsers do) costs
  // one comparison of strings instead of a parse.
  #text = "";

  /** Makes a parser for one connection. */
  constructor(options: RequestParserOptions = {}) {
    this.#maxHeaderSize = options.maxHeaderSize ?? DEFAULT_MAX_HEADER_SIZE;
    this.#maxHeaderCount = options.maxHeaderCount ?? DEFAULT_MAX_HEADER_COUNT;
  }

  /** Whether part of a head has come since the last complete one; empty lines before it do not count. */
  get started(): boolean {
    return this.#state > State.EMPTY_LF;
  }

  /**
   * Goes on reading the head that begins at `bytes[start]`.
   *
   * While it is incomplete, call again with the same bytes and more behind them, in any
   * array and at any offset; what was read is not read again. After a complete head the
   * next call begins another one.
   *
   * @returns the offset just after the head, which is then in {@linkcode head}, or -1
   * when more bytes are needed.
   * @throws {HTTPInputError} with status 400, 414, 417 or 431; every later call throws too,
   * until {@linkcode reset}.
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    const limit = start + this.#maxHeaderSize;
    const stop = end < limit ? end : limit;
    let state = this.#state;
    let at = start + this.#at;
    let mark = start + this.#mark;
    let nameEnd = start + this.#nameEnd;
    let valueStart = start + this.#valueStart;
    if (
      state === State.START && at === start &&
      this.#isRepeated(bytes, start, stop)
    ) {
      return start + this.#text.length;
    }

    scan: while (at < stop) {
      switch (state) {
        case State.START:
          if (bytes[at] === CR) {
            if (at - start === MAX_LEADING_BYTES) {
              this.#fail("too many empty lines came before it");
            }
            at++;
            state = State.EMPTY_LF;
            break;
          }
          this.#lineStart = at - start;
          mark = at;
          state = State.METHOD;
          // falls through
        case State.METHOD:
          while (at < stop && TOKEN[bytes[at]!] === 1) at++;
          if (at === stop) break scan;
          if (bytes[at] !== SP || at === mark) {
            this.#fail("the method must be a token and one blank");
          }
          this.#methodEnd = at - start;
          mark = ++at;
          state = State.TARGET;
          // falls through
        case State.TARGET:
          while (at < stop && TARGET[bytes[at]!] === 1) at++;
          if (at === stop) break scan;
          if (bytes[at] !== SP || at === mark) {
            this.#fail("the target must be visible ASCII and one blank");
          }
          this.#targetEnd = at - start;
          mark = ++at;
          state = State.VERSION;
          // falls through
        case State.VERSION: {
          while (at < stop && bytes[at] === HTTP_1[at - mark]) at++;
          if (at === stop) break scan;
          const digit = bytes[at]! - 0x30;
          if (at - mark !== HTTP_1.length || digit < 0 || digit > 9) {
            this.#fail("the version must be HTTP/1.0 or HTTP/1.1");
          }
          this.#minorVersion = digit === 0 ? 0 : 1;
          at++;
          state = State.LINE_END;
          break;
        }
        case State.LINE_END:
          if (bytes[at] !== CR) {
            this.#fail("the version must end the request line");
          }
          at++;
          this.#fieldsStart = at + 1 - start;
          state = State.LINE_LF;
          break;
        case State.LINE_LF:
          if (bytes[at] !== LF) this.#fail("a CR came without LF");
          if (++at === stop) {
            state = State.FIELD;
            break scan;
          }
          // falls through
        case State.FIELD:
          if (bytes[at] === CR) {
            at++;
            state = State.HEAD_LF;
            break;
          }
          mark = at;
          state = State.NAME;
          // falls through
        case State.NAME:
          while (at < stop && TOKEN[bytes[at]!] === 1) at++;
          if (at === stop) break scan;
          if (bytes[at] !== COLON || at === mark) {
            this.#fail("a field name must be a token and a colon");
          }
          nameEnd = at++;
          state = State.BLANKS;
          // falls through
        case State.BLANKS:
          while (at < stop && (bytes[at] === SP || bytes[at] === HTAB)) at++;
          if (at === stop) break scan;
          valueStart = at;
          state = State.VALUE;
          // falls through
        case State.VALUE:
          while (at < stop && FIELD_VALUE[bytes[at]!] === 1) at++;
          if (at === stop) break scan;
          if (bytes[at] !== CR) {
            this.#fail("a control character is in a field value");
          }
          this.#field(bytes, start, mark, nameEnd, valueStart, at);
          at++;
          state = State.LINE_LF;
          break;
        case State.HEAD_LF:
          if (bytes[at] !== LF) this.#fail("a CR came without LF");
          at++;
          this.#complete(latin1(bytes, start, at));
          return at;
        case State.EMPTY_LF:
          if (bytes[at] !== LF) this.#fail("a CR came without LF");
          at++;
          state = State.START;
          break;
        case State.DEAD:
          this.#fail("an earlier head was refused");
      }
    }

    if (at === limit) {
      if (this.#fieldsStart === 0) {
        this.#fail(
          `the request line exceeds ${this.#maxHeaderSize} bytes`,
          414,
        );
      }
      this.#fail(`it exceeds ${this.#maxHeaderSize} bytes`, 431);
    }
    this.#state = state;
    this.#at = at - start;
    this.#mark = mark - start;
    this.#nameEnd = nameEnd - start;
    this.#valueStart = valueStart - start;
    return -1;
  }

  /**
   * Forgets all that came, a head that has begun, an error and the last head: the next byte begins a message.
   *
   * On a connection that goes idle it frees the memory that the last head takes.
   */
  reset(): void {
    this.head = new RequestHead();
    this.#knownHost = "";
    this.#text = "";
    this.#begin();
  }

  #begin(): void {
    this.#state = State.START;
    this.#at = 0;
    this.#fieldsStart = 0;
    this.#fieldCount = 0;
    this.#seen = 0;
    this.#connection = 0;
    this.#contentLength = -1;
  }

  /** Tells whether the bytes begin with the last head once more. */
  #isRepeated(bytes: Uint8Array, start: number, stop: number): boolean {
    const end = start + this.#text.length;
    // A head of another length has other bytes where this one ends in an empty line.
    return end <= stop && end !== start && bytes[end - 1] === LF &&
      bytes[end - 3] === LF &&
      beginsAs(this.#text, bytes, start, Math.min(end - start, LOOK_AT)) &&
      (end - start <= LOOK_AT || latin1(bytes, start, end) === this.#text);
  }

  /** Takes note of a field if it frames the message; offsets are into `bytes`. */
  #field(
    bytes: Uint8Array,
    start: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    lineEnd: number,
  ): void {
    if (++this.#fieldCount > this.#maxHeaderCount) {
      this.#fail(`it has more than ${this.#maxHeaderCount} fields`, 431);
    }
    switch (nameEnd - nameStart) {
      case HOST.length:
        if (!isWord(bytes, nameStart, nameEnd, HOST)) return;
        this.#once(Seen.HOST, "Host");
        this.#hostStart = valueStart - start;
        this.#hostEnd = trimBlanks(bytes, valueStart, lineEnd) - start;
        return;
      case EXPECT.length:
        if (!isWord(bytes, nameStart, nameEnd, EXPECT)) return;
        this.#seen |= Seen.EXPECT;
        if (
          !isWord(
            bytes,
            valueStart,
            trimBlanks(bytes, valueStart, lineEnd),
            CONTINUE,
          )
        ) {
          this.#fail("the expectation is not 100-continue", 417);
        }
        return;
      case UPGRADE.length:
        if (isWord(bytes, nameStart, nameEnd, UPGRADE)) {
          this.#seen |= Seen.UPGRADE;
        }
        return;
      case IF_NONE_MATCH.length:
        if (isWord(bytes, nameStart, nameEnd, IF_NONE_MATCH)) this.#seen |= Seen.CONDITION;
        return;
      case CONNECTION.length:
        if (isWord(bytes, nameStart, nameEnd, CONNECTION)) {
          this.#connection |= readConnection(bytes, valueStart, lineEnd);
        }
        return;
      case CONTENT_LENGTH.length: {
        if (!isWord(bytes, nameStart, nameEnd, CONTENT_LENGTH)) return;
        const length = readContentLength(bytes, valueStart, lineEnd);
        if (
          length === -1 ||
          this.#contentLength !== -1 && length !== this.#contentLength
        ) {
          this.#fail("Content-Length is not one decimal number");
        }
        this.#contentLength = length;
        return;
      }
      case TRANSFER_ENCODING.length:
        if (!isWord(bytes, nameStart, nameEnd, TRANSFER_ENCODING)) return;
        this.#once(Seen.TRANSFER_ENCODING, "Transfer-Encoding");
        if (
          !isWord(
            bytes,
            valueStart,
            trimBlanks(bytes, valueStart, lineEnd),
            CHUNKED,
          )
        ) {
          this.#fail("Transfer-Encoding is not chunked");
        }
        return;
    }
  }

  #once(field: number, name: string): void {
    if ((this.#seen & field) !== 0) this.#fail(`${name} came twice`);
    this.#seen |= field;
  }

  /** Checks what concerns the head as a whole and makes {@linkcode head}; `text` is all of the message so far. */
  #complete(text: string): void {
    const seen = this.#seen;
    const chunked = (seen & Seen.TRANSFER_ENCODING) !== 0;
    // RFC 9112 6.3: with both, two readers may see two different messages.
    if (chunked && this.#contentLength !== -1) {
      this.#fail("Content-Length came with Transfer-Encoding");
    }
    const hasHost = (seen & Seen.HOST) !== 0;
    const modern = this.#minorVersion === 1;
    if (modern && !hasHost) this.#fail("Host is missing");
    let host = hasHost ? this.#host(text) : null;

    const line = this.#lineStart === 0 ? text : text.slice(this.#lineStart);
    const method = methodOf(line, this.#methodEnd - this.#lineStart);
    const target = text.slice(this.#methodEnd + 1, this.#targetEnd);
    let path = target;
    let query = "";
    if (target.charCodeAt(0) === SLASH && method !== "CONNECT") {
      const mark = target.indexOf("?");
      if (mark !== -1) {
        path = target.slice(0, mark);
        query = target.slice(mark + 1);
      }
    } else {
      const parts = readUncommonTarget(method, target);
      if (parts === null) {
        this.#fail("the target has no form that goes with the method");
      }
      path = parts.path;
      query = parts.query;
      host = parts.authority ?? host;
    }

    const head: Writable<RequestHead> = new RequestHead();
    head.method = method;
    head.target = target;
    head.path = path;
    head.query = query;
    head.minorVersion = this.#minorVersion;
    head.host = host;
    head.contentLength = this.#contentLength;
    head.chunked = chunked;
    head.keepAlive = (this.#connection & ConnectionOption.CLOSE) === 0 &&
      (modern || (this.#connection & ConnectionOption.KEEP_ALIVE) !== 0);
    // RFC 9110 7.8 and 10.1.1: both are to be ignored in HTTP/1.0.
    head.expectContinue = modern && (seen & Seen.EXPECT) !== 0;
    head.upgrade = modern && (seen & Seen.UPGRADE) !== 0 &&
      (this.#connection & ConnectionOption.UPGRADE) !== 0;
    head.conditional = (seen & Seen.CONDITION) !== 0;
    head.fields = text.slice(this.#fieldsStart, -2);
    this.head = head;
    this.#text = text.length > MAX_KEPT_SIZE ? "" : text;
    this.#begin();
  }

  /** Gives the value of the Host field, which lies in `text`. */
  #host(text: string): string {
    const known = this.#knownHost;
    if (
      this.#hostEnd - this.#hostStart === known.length && text.startsWith(known, this.#hostStart)
    ) return known;
    const host = text.slice(this.#hostStart, this.#hostEnd);
    if (!isAuthority(host)) this.#fail("Host is not a host name or address with an optional port");
    if (text.length <= MAX_KEPT_SIZE) this.#knownHost = host;
    return host;
  }

  #fail(why: string, status = 400): never {
    this.#state = State.DEAD;
    this.#at = 0;
    throw new HTTPInputError(`Cannot read request head: ${why}`, { status });
  }
}

// Whether the first `count` bytes are those of the text.
function beginsAs(text: string, bytes: Uint8Array, start: number, count: number): boolean {
  for (let at = 0; at < count; at++) {
    if (bytes[start + at] !== text.charCodeAt(at)) return false;
  }
  return true;
}
