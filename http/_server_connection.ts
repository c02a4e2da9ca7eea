// Serves the requests of one connection, one after the other:
//
//   HEAD --head complete--> BODY --body complete--> ANSWER --answer finished--> HEAD
//     |                      |                        |
//     +------- refused ------+                        +--upgrade--> DETACHED
//              v                                      +--last answer--> closed
//            DRAIN --peer closed, or DRAIN_MS--> closed
//
// It parses in place (see StreamConsumer). While an answer is due, what else comes waits in
// the stream's buffer; an answer that is finished inside the call is followed by the next
// request in the same pass, so pipelined answers leave in one write.
//
// Whoever takes requests as they arrive is told of the head before the body, and of the body
// piece by piece (see BodySink); its answer may begin in BODY. Others get requests whole.
//
// DRAIN: closing a socket with unread bytes makes the kernel reset the connection, and the
// peer may lose the answer (RFC 9112 9.6). So a refused connection ends its sending side and
// reads on for a while, into nothing.
//
// A peer that ends its sending side while an answer is due has left, or it waits: from here
// both look the same. A client that is gone answers to bytes with a reset, so it is sent
// interim answers (RFC 9110 15.2: any number may precede an answer, and a client that does
// not expect them skips them), at growing intervals. Once the answer began its own bytes do
// that; if none are written for a whole interval, the client counts as gone.
import { convertYielded } from "../gen/mod.ts";
import { _isWork } from "../ioloop/converter.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, genLog } from "../ioloop/mod.ts";
import { SSLIOStream, StreamClosedError } from "../iostream/mod.ts";
import type { AnswerHeads } from "./answer_heads.ts";
import { BodySink, type BodySinkOwner } from "./_body_sink.ts";
import { ByteCollector } from "./_byte_collector.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import { HTTPInputError, HTTPOutputError } from "./errors.ts";
import { DecompressionError, GzipDecompressor } from "./gzip_decompressor.ts";
import { RequestParser } from "./request_parser.ts";
import { HTTPServerRequest } from "./request.ts";
import { formatResponseHead, statusLine } from "./response_head.ts";
import { reasonPhrase } from "./status.ts";
import type { Future, Timeout } from "../ioloop/mod.ts";
import type { Data, IOStream, StreamConsumer } from "../iostream/mod.ts";
import type { AnswerStartLine, HTTPConnection, PeerCertificate, Upgraded } from "./connection.ts";
import type { HTTPMessageDelegate, HTTPServerPeer } from "./delegates.ts";
import type { HTTPHeaders } from "./headers.ts";
import type { RequestHead } from "./request_head.ts";

const DRAIN_MS = 1000;
const MAX_UNWRITTEN = 262144; // bytes of answers, beyond which a pipelined request has to wait
const FIRST_PROBE_MS = 8; // an answer that is nearly ready goes out without a probe
const SECOND_PROBE_MS = 4; // the reset of a near client is there by then; doubles from here
const LAST_PROBE_MS = 5000;
const QUIET_MS = 250; // what a handler may take between two parts of its answer, at least: a disk, a busy loop

/** Is what the connections of one server have in common. */
export interface ServerConnectionHost {
  /**
   * Whether {@linkcode begin} is asked about each request; otherwise they are handled whole.
   */
  readonly delegates: boolean;
  /**
   * Returns who is told of a request as it arrives, before its body; null: it is handled when
   * its body is there.
   */
  begin(connection: ServerConnection, request: HTTPServerRequest): HTTPMessageDelegate | null;
  /** Handles a request whose body is there; may return a promise, generator or Future. */
  handle(request: HTTPServerRequest): unknown;
  /** Forgets a connection that closed or, with `upgraded`, changed its protocol. */
  forget(connection: ServerConnection, upgraded?: Upgraded): void;
  /** The time, as exact as {@linkcode precision} says. */
  readonly now: number;
  /** How far `now` may be behind, in ms. */
  readonly precision: number;
  /** The field line `Date: ...`, as exact. */
  readonly dateField: string;
  /** Whether connections end with the answer in progress. */
  readonly closing: boolean;
  /** Writes the heads of whole answers. */
  readonly heads: AnswerHeads;
  /** Reads heads; between two calls it stands at the start of one. */
  parser: RequestParser;
  /** The limits. */
  readonly limits: ConnectionLimits;
}

/** Holds the limits of a connection; times are in ms, sizes in bytes. */
export interface ConnectionLimits {
  /** Whether every answer closes its connection. */
  readonly noKeepAlive: boolean;
  /** Bytes of the largest piece that a delegate is given. */
  readonly chunkSize: number;
  /** Whether bodies in gzip are decompressed. */
  readonly decompress: boolean;
  /** Bytes of the start line and all fields. */
  readonly maxHeaderSize: number;
  /** Number of fields. */
  readonly maxHeaderCount: number;
  /** Bytes of a chunk's size and its extension. */
  readonly maxChunkLineSize: number;
  /** Bytes of a body. */
  readonly maxBodySize: number;
  /** Time between requests, and before the first. */
  readonly idleConnectionTimeout: number;
  /** Time for a head, from its first byte. */
  readonly headerTimeout: number;
  /** Time for a body, from the end of its head. */
  readonly bodyTimeout: number;
  /** Time in which a write must get on. */
  readonly writeTimeout: number;
}

// A request that goes to a delegate as it arrives.
interface Streamed {
  readonly sink: BodySink;
  readonly head: RequestHead;
  maxBodySize: number;
  received: number; // bytes of the body that the delegate was given
  held: boolean; // the delegate is at work: nothing more is read
  step: "head" | "body" | "end"; // what the delegate was given last, or what is due to it
}

const State = { HEAD: 0, BODY: 1, ANSWER: 2, DRAIN: 3, DETACHED: 4, CLOSED: 5 } as const;
type State = typeof State[keyof typeof State];

/** Serves one connection; see the top of this file. */
export class ServerConnection
  implements StreamConsumer, HTTPConnection, HTTPServerPeer, BodySinkOwner {
  /** See {@linkcode HTTPConnection.remoteIp}. */
  readonly remoteIp: string;
  /** See {@linkcode HTTPConnection.protocol}. */
  readonly protocol: "http" | "https";
  /** See {@linkcode HTTPConnection.onClose}. */
  onClose: (() => void) | null = null;

  readonly #stream: IOStream;
  readonly #host: ServerConnectionHost;
  #parser: RequestParser | null = null; // there while a head is incomplete
  #state: State = State.HEAD;
  #parsing = false; // inside _data
  #waiting = false; // for the client to take its answers, before another request is read
  #headTimed = false; // the deadline is that of a head in progress
  #deadline: number; // for what the state waits for; Infinity in ANSWER
  #began = 0; // loop.time() of the bytes that are parsed
  #request: HTTPServerRequest | null = null; // in BODY and ANSWER

  // The request's body, in BODY.
  #body: ByteCollector | null = null;
  #missing = 0; // of a body with Content-Length
  #chunks: ChunkedDecoder | null = null;

  #streamed: Streamed | null = null; // the request goes to a delegate as it arrives

  // The answer; it may be written while a body is still streamed.
  #due = false; // it was not finished yet
  #keepAlive = false;
  #headWritten = false;
  #bodiless = false; // what is written of a body is dropped
  #chunked = false;
  #announced = -1; // bytes that Content-Length still promises; -1: no promise

  #probe: Timeout | null = null;
  #probes = 0; // how many interim answers this one had
  #wroteLately = false; // a part of the answer was written since the last probe

  /** Starts to serve `stream`. */
  constructor(
    stream: IOStream,
    host: ServerConnectionHost,
    remoteIp: string,
    protocol: "http" | "https",
  ) {
    this.#stream = stream;
    this.#host = host;
    this.remoteIp = remoteIp;
    this.protocol = protocol;
    this.#deadline = this.#after(host.limits.idleConnectionTimeout);
    stream._consume(this);
  }

  /** See {@linkcode HTTPConnection.localAddress}. */
  get localAddress(): string {
    const { conn } = this.#stream;
    const address = conn !== null && "localAddr" in conn ? conn.localAddr as Deno.Addr : null;
    if (address === null || !("hostname" in address)) return "localhost";
    const { hostname, port } = address;
    return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  }

  /** See {@linkcode HTTPConnection.peerCertificate}. */
  get peerCertificate(): PeerCertificate | null {
    return this.#stream instanceof SSLIOStream ? this.#stream.peerCertificate : null;
  }

  /** See {@linkcode HTTPConnection.dateField}. */
  get dateField(): string {
    return this.#host.dateField;
  }

  /** See {@linkcode HTTPConnection.time}. */
  time(): number {
    return this.#stream.ioLoop.time();
  }

  /** The request that is read or answered, if there is one. */
  get request(): HTTPServerRequest | null {
    return this.#request;
  }

  /** Whether it waits for the first byte of a request. */
  get idle(): boolean {
    return this.#state === State.HEAD && !this.#headBegan();
  }

  /** Whether it serves no further request. */
  get over(): boolean {
    return this.#state >= State.DRAIN;
  }

  /**
   * Closes it at once; a client that waits for an answer gets none. With an `error`, answers
   * that it has not taken yet are lost too.
   */
  close(error: unknown = null): void {
    this.#stream.close(error);
  }

  /** Ends it as soon as what was answered has left, if it waits for a request. */
  shutdown(): void {
    if (!this.idle) return;
    if (this.#stream._unwritten === 0) this.#stream.close();
    else this.#close();
  }

  /** See {@linkcode HTTPConnection.abort}. */
  abort(error: unknown = null): void {
    this.onClose = null;
    this.#stream.close(error);
  }

  /** See {@linkcode HTTPConnection.detach}. */
  detach(upgraded?: Upgraded): IOStream {
    this.#state = State.DETACHED;
    this.#due = false;
    this.#streamed = null;
    this.#stopProbing();
    this.onClose = null;
    this.#host.forget(this, upgraded);
    this.#stream._consume(null);
    return this.#stream;
  }

  /** See {@linkcode HTTPConnection.setBodyTimeout}. */
  setBodyTimeout(ms: number): void {
    if (this.#state === State.BODY) this.#deadline = this.#after(ms);
  }

  /** See {@linkcode HTTPConnection.setMaxBodySize}. */
  setMaxBodySize(bytes: number): void {
    if (this.#streamed !== null) this.#streamed.maxBodySize = bytes;
  }

  /** See {@linkcode HTTPConnection.writeHeaders}. */
  writeHeaders(
    { code, reason = reasonPhrase(code) }: AnswerStartLine,
    headers: HTTPHeaders,
    chunk: Data | null = null,
    callback?: () => unknown,
  ): Future<void> {
    this.#checkAnswer();
    if (this.#headWritten) throw new Error("Cannot write the head of the answer: it was written");
    if (headers.has("Transfer-Encoding")) {
      throw new HTTPOutputError(
        "Cannot write the head of the answer: its Transfer-Encoding is the connection's to choose",
      );
    }
    const length = headers.get("Content-Length");
    if (length !== null && !/^\d+$/.test(length)) {
      throw new TypeError(
        `Cannot write the head of the answer: its Content-Length is ${JSON.stringify(length)}`,
      );
    }
    const head = formatResponseHead(code, reason, headers);
    this.#headWritten = true;
    const request = this.#request!;
    const tracer = this.#stream.ioLoop._tracer;
    if (tracer !== null) tracer._answering(request, code);
    this.#bodiless = hasNoBody(request.method, code);
    if (headers.get("Connection", "").toLowerCase() === "close") this.#keepAlive = false;
    let framing = "";
    if (length !== null) this.#announced = this.#bodiless ? -1 : Number(length);
    else if (!this.#bodiless) {
      if (request.version === "HTTP/1.1") {
        this.#chunked = true;
        framing = "Transfer-Encoding: chunked\r\n";
      } else this.#keepAlive = false;
    }
    if (!headers.has("Connection")) framing += this.#connectionField();
    this.#stream._writeLatin1(`${head.slice(0, -2)}${framing}\r\n`);
    if (chunk !== null) return this.write(chunk, callback);
    return this.#toKernel(callback);
  }

  /** See {@linkcode HTTPConnection.write}. */
  write(chunk: Data, callback?: () => unknown): Future<void> {
    this.#checkAnswer();
    if (!this.#headWritten) throw new Error("Cannot write a body: the head was not written");
    const data = typeof chunk !== "string" || isShortAscii(chunk) ? chunk : encoder.encode(chunk);
    const { length } = data; // in bytes in either form
    if (this.#announced >= 0 && (this.#announced -= length) < 0) {
      const error = new HTTPOutputError(
        "Cannot write the body: it is longer than its Content-Length",
      );
      this.abort(error);
      throw error;
    }
    this.#wroteLately = true;
    if (!this.#bodiless && length > 0) {
      const head = this.#chunked ? `${length.toString(16)}\r\n` : "";
      const tail = this.#chunked ? "\r\n" : "";
      if (typeof data === "string") this.#stream._writeLatin1(head + data + tail);
      else {
        if (head !== "") this.#stream._writeLatin1(head);
        this.#stream._writeBytes(data);
        if (tail !== "") this.#stream._writeLatin1(tail);
      }
    }
    return this.#toKernel(callback);
  }

  /** See {@linkcode HTTPConnection.written}. */
  written(): Future<void> {
    return this.#stream._whenWritten();
  }

  /** See {@linkcode HTTPConnection.finish}. */
  finish(): void {
    this.#checkAnswer();
    if (!this.#headWritten) throw new Error("Cannot finish the answer: it has no head");
    if (this.#announced > 0) {
      const error = new HTTPOutputError(
        `Cannot finish the answer: ${this.#announced} bytes of its Content-Length are missing`,
      );
      this.abort(error);
      throw error;
    }
    if (this.#chunked) this.#stream._writeLatin1("0\r\n\r\n");
    this.#answered();
  }

  #toKernel(callback: (() => unknown) | undefined): Future<void> {
    const future = this.written();
    if (callback !== undefined) this.#stream._callBack(future, callback);
    return future;
  }

  /** See {@linkcode HTTPConnection}. @ignore */
  _respond(code: number, line: string, fields: string, body: Data, length: number): void {
    this.#checkAnswer();
    if (this.#headWritten) throw new Error("Cannot answer: the head was written already");
    if (this.#state === State.BODY) this.#keepAlive = false; // it is answered too early
    const { method } = this.#request!;
    const tracer = this.#stream.ioLoop._tracer;
    if (tracer !== null) tracer._answering(this.#request!, code);
    const bodiless = hasNoBody(method, code);
    const announced = hasNoBody("GET", code) ? -1 : length; // RFC 9110 8.6: to HEAD too
    this.#host.heads.write(this.#stream, line, fields, this.#connectionField(), announced);
    if (!bodiless) {
      if (typeof body === "string") this.#stream._writeText(body);
      else this.#stream._writeBytes(body);
    }
    this.#answered();
  }

  /** Parses what came; called by the stream. @ignore */
  _data(bytes: Uint8Array, start: number, end: number): number {
    if (this.#began === 0) this.#began = this.#stream.ioLoop._turnTime;
    this.#parsing = true;
    let at = start;
    try {
      while (at < end) {
        if (this.#state === State.HEAD) {
          if (this.#stream._unwritten > MAX_UNWRITTEN && !this.#headBegan()) {
            this.#waitForClient();
            break;
          }
          const stop = this.#parseHead(bytes, at, end);
          if (stop < 0) {
            this.#headIncomplete();
            break;
          }
          at = stop;
        } else if (this.#state === State.BODY) {
          if (this.#streamed !== null && this.#streamed.held) break;
          at = this.#readBody(bytes, at, end);
        } else if (this.#state === State.DRAIN) at = end;
        else break;
      }
    } catch (error) {
      this.#host.parser.reset(); // it may have been the one that threw
      this.#inputFailed(error);
      at = end;
    } finally {
      this.#parsing = false;
      this.#began = 0;
    }
    if (this.#state === State.ANSWER || this.#streamed?.held) this.#stream._pause();
    return at;
  }

  /**
   * Notes that the client sends no more than was parsed; called by the stream, and again
   * behind each answer that was due then.
   *
   * @ignore
   */
  _end(): void {
    if (this.#waiting) return;
    // A delegate at work, which may take long, is told at once if its body cannot be whole any more.
    if (this.#streamed?.held && this.#stream._unread >= this.#missing) return;
    if (this.#state === State.ANSWER) {
      if (this.#probe === null) this.#probeLater();
    } else if (this.#state === State.BODY || this.#state === State.HEAD && this.#headBegan()) {
      this.#refuse(new HTTPInputError("Cannot read request: it ends in the middle"));
    } else this.#close();
  }

  /** Lets go; called by the stream. @ignore */
  _closed(): void {
    const { onClose } = this;
    const wasDue = this.#due;
    this.#request?._clientLeft();
    this.#state = State.CLOSED;
    this.#due = false;
    this.#stopProbing();
    this.#host.forget(this);
    this.onClose = null;
    this.#request = null;
    this.#endSink();
    if (wasDue) onClose?.();
  }

  /** Closes it if it is over one of its times. @ignore */
  _checkTimes(now: number): void {
    const unwritten = this.#stream._unwritten;
    if (this.#stream._stalledFor(now) >= this.#host.limits.writeTimeout) {
      genLog.info("Closing the connection of {ip}: it does not take what is written", {
        ip: this.remoteIp,
      });
      this.#stream.close(new StreamClosedError("write timed out"));
      return;
    }
    if (now < this.#deadline) return;
    if (unwritten > 0 && (this.#state === State.DRAIN || this.idle)) {
      // It is still taking its answer, however slowly: only writeTimeout may cut that.
      const { idleConnectionTimeout } = this.#host.limits;
      this.#deadline = this.#after(this.idle ? idleConnectionTimeout : DRAIN_MS);
    } else if (this.#state === State.HEAD && this.#headBegan()) {
      this.#refuse(
        new HTTPInputError("Cannot read request: its head took too long", {
          status: 408,
        }),
      );
    } else if (this.#state === State.BODY) {
      genLog.info("Timeout reading body from {ip}", { ip: this.remoteIp });
      this.#stream.close();
    } else this.#stream.close(); // it was idle, or drained for long enough
  }

  #after(delay: number): number {
    return this.#host.now + this.#host.precision + delay;
  }

  // Nearly all heads come whole: the parser that all connections share reads them. When one
  // does not, the connection keeps that parser until it does, and the others get a new one.
  // So an idle connection has none.
  #parseHead(bytes: Uint8Array, start: number, end: number): number {
    const host = this.#host;
    const parser = this.#parser ?? host.parser;
    const stop = parser.parse(bytes, start, end);
    if (stop >= 0) {
      this.#parser = null;
      this.#headComplete(parser.head);
    } else if (this.#parser === null) {
      this.#parser = parser;
      host.parser = new RequestParser(host.limits);
    }
    return stop;
  }

  #headBegan(): boolean {
    return this.#parser !== null && this.#parser.started;
  }

  #headIncomplete(): void {
    // Leading empty lines are nothing yet: the idle time goes on. Once a head began, the
    // time for it runs from its first byte.
    if (!this.#headBegan() || this.#headTimed) return;
    this.#headTimed = true;
    this.#deadline = this.#after(this.#host.limits.headerTimeout);
  }

  #headComplete(head: RequestHead): void {
    const limits = this.#host.limits;
    this.#headTimed = false;
    this.#keepAlive = head.keepAlive && !limits.noKeepAlive;
    const request = this.#request = new HTTPServerRequest(head, this, this.#began);
    const tracer = this.#stream.ioLoop._tracer;
    if (tracer !== null) tracer._parsed(this.#stream, request);
    if (this.#host.delegates && this.#begin(request, head)) return;
    if (head.contentLength <= 0 && !head.chunked) {
      this.#dispatch();
      return;
    }
    if (head.contentLength > limits.maxBodySize) throw bodyTooLarge(limits.maxBodySize);
    this.#expectBody(head);
    this.#body = new ByteCollector(head.chunked ? Infinity : head.contentLength);
    if (head.expectContinue) this.#stream._writeLatin1(CONTINUE);
  }

  #expectBody(head: RequestHead): void {
    const limits = this.#host.limits;
    this.#state = State.BODY;
    this.#deadline = this.#after(limits.bodyTimeout);
    this.#missing = head.contentLength;
    if (head.chunked) {
      this.#chunks ??= new ChunkedDecoder({
        maxChunkLineSize: limits.maxChunkLineSize,
        maxTrailerSize: limits.maxHeaderSize,
      });
      this.#chunks.reset();
    }
  }

  // Whether a delegate takes the request, or failed to.
  #begin(request: HTTPServerRequest, head: RequestHead): boolean {
    try {
      const delegate = this.#host.begin(this, request);
      if (delegate === null) return false;
      this.#startStreaming(delegate, head);
    } catch (error) {
      if (!this.#due) { // nobody took it: its body is nobody's
        this.#state = State.BODY;
        this.#beginAnswer();
      }
      this.#inputFailed(error);
    }
    return true;
  }

  #startStreaming(delegate: HTTPMessageDelegate, head: RequestHead): void {
    const { chunkSize, maxBodySize } = this.#host.limits;
    const request = this.#request!;
    const sink = new BodySink(delegate, this, chunkSize);
    this.#streamed = { sink, head, maxBodySize, received: 0, held: false, step: "head" };
    this.#expectBody(head);
    this.#beginAnswer();
    if (this.#mustDecompress(request)) sink.decompress();
    const startLine = { method: request.method, path: request.uri, version: request.version };
    if (sink.head(startLine, request.headers)) this.#streamOn();
    else this.#hold();
  }

  #hold(): void {
    if (this.#streamed !== null) this.#streamed.held = true;
  }

  /** Goes on: the delegate is ready. @ignore */
  sinkReady(): void {
    if (this.#streamed === null) return;
    this.#streamed.held = false;
    this.#parsing = true; // an answer that is finished here is followed below
    try {
      this.#streamOn();
    } catch (error) {
      this.#inputFailed(error);
    }
    this.#parsing = false;
    if (this.#state === State.BODY || this.#state === State.HEAD) this.#readOn();
    else if (this.#state === State.DRAIN) this.#stream._resume();
  }

  /** Ends it: the delegate failed, or what it was to be given. @ignore */
  sinkFailed(error: unknown): void {
    if (this.#streamed !== null || this.#due) this.#inputFailed(error);
  }

  /** Refuses a body that is too large. @ignore */
  sinkOutput(length: number): void {
    const streamed = this.#streamed!;
    streamed.received += length;
    if (streamed.received > streamed.maxBodySize) throw bodyTooLarge(streamed.maxBodySize);
  }

  // The delegate is ready for what follows the step that it was given last.
  #streamOn(): void {
    const streamed = this.#streamed;
    if (streamed === null || this.#state !== State.BODY) return; // it answered, or closed
    if (streamed.step === "head") {
      const { contentLength, chunked, expectContinue } = streamed.head;
      if (contentLength > streamed.maxBodySize) throw bodyTooLarge(streamed.maxBodySize);
      streamed.step = chunked || contentLength > 0 ? "body" : "end";
      if (expectContinue && streamed.step === "body" && !this.#headWritten) {
        this.#stream._writeLatin1(CONTINUE);
      }
    }
    if (streamed.step === "end") {
      this.#state = State.ANSWER;
      this.#deadline = Infinity;
      this.#streamed = null;
      streamed.sink.end();
    }
  }

  #readBody(bytes: Uint8Array, start: number, end: number): number {
    let at: number;
    let from = start;
    let to: number;
    let done: boolean;
    if (this.#missing >= 0) {
      at = to = Math.min(end, start + this.#missing);
      this.#missing -= at - start;
      done = this.#missing === 0;
    } else {
      const chunks = this.#chunks!;
      at = chunks.next(bytes, start, end);
      from = chunks.pieceStart;
      to = chunks.pieceEnd;
      done = chunks.done;
    }
    if (this.#streamed !== null) this.#streamBody(this.#streamed, bytes, from, to, done);
    else this.#collectBody(this.#body!, bytes, from, to, done);
    return at;
  }

  #collectBody(
    body: ByteCollector,
    bytes: Uint8Array,
    from: number,
    to: number,
    done: boolean,
  ): void {
    const { maxBodySize } = this.#host.limits;
    if (body.length + to - from > maxBodySize) throw bodyTooLarge(maxBodySize);
    body.add(bytes, from, to);
    if (!done) return;
    this.#body = null;
    const request = this.#request!;
    request.body = this.#mustDecompress(request)
      ? decompressed(body.result(), maxBodySize)
      : body.result();
    this.#dispatch();
  }

  #streamBody(
    streamed: Streamed,
    bytes: Uint8Array,
    from: number,
    to: number,
    done: boolean,
  ): void {
    const ready = streamed.sink.push(bytes, from, to);
    if (done) streamed.step = "end";
    if (!ready) this.#hold();
    else if (done) this.#streamOn();
  }

  // A body in gzip is given out without it; its header field says so.
  #mustDecompress(request: HTTPServerRequest): boolean {
    if (!this.#host.limits.decompress) return false;
    const { headers } = request;
    const coding = headers.get("Content-Encoding", "");
    if (coding.toLowerCase() !== "gzip") return false;
    headers.set("X-Consumed-Content-Encoding", coding);
    headers.delete("Content-Encoding");
    return true;
  }

  #dispatch(): void {
    this.#state = State.ANSWER;
    this.#deadline = Infinity;
    this.#beginAnswer();
    const request = this.#request!;
    try {
      const work = this.#host.handle(request);
      if (work !== undefined && _isWork(work)) this.#follow(convertYielded(work), request);
    } catch (error) {
      this.#appFailed(error, request);
    }
  }

  #beginAnswer(): void {
    this.#due = true;
    this.#headWritten = this.#bodiless = this.#chunked = false;
    this.#announced = -1;
  }

  #follow(work: Future<unknown>, request: HTTPServerRequest): void {
    work._listen({
      _settled: () => {
        if (!work._fulfilled) this.#appFailed(work._value, request);
      },
    });
  }

  #appFailed(error: unknown, request: HTTPServerRequest): void {
    if (error instanceof StreamClosedError && this.#state === State.CLOSED) return;
    const status = error instanceof HTTPInputError ? error.status : 500;
    if (status !== 500) this.#logMalformed(error as HTTPInputError);
    else {
      appLog.error("Uncaught exception of the application: {error}", {
        error: describeError(error),
      });
    }
    if (!this.#due || this.#request !== request) return;
    if (this.#headWritten) this.abort(error);
    else this._respond(status, statusLine(status), "", "", 0);
  }

  // Ends the answer in progress; the state is settled before the stream goes on.
  #answered(): void {
    const tracer = this.#stream.ioLoop._tracer;
    if (tracer !== null) tracer._answered(this.#request!);
    this.#request = null;
    this.#due = false;
    this.onClose = null;
    this.#stopProbing();
    if (this.#state === State.BODY) { // it was answered before it was there
      this.#keepAlive = false;
      this.#endSink();
    }
    if (!this.#keepAlive || this.#host.closing) {
      this.#close();
      return;
    }
    this.#state = State.HEAD;
    this.#deadline = this.#after(this.#host.limits.idleConnectionTimeout);
    if (!this.#parsing) this.#readOn(); // else _data goes on by itself
  }

  #readOn(): void {
    this.#began = this.time();
    this.#stream._resume();
    if (this.#stream._ended && !this.#stream.closed()) this._end();
  }

  // A client that sends requests and does not read would have the answers pile up.
  #waitForClient(): void {
    const stream = this.#stream;
    this.#waiting = true;
    stream._pause();
    const goOn = () => {
      this.#waiting = false;
      if (!stream.closed()) this.#readOn();
    };
    stream._whenWritten()._listen({ _settled: () => stream.ioLoop.addCallback(goOn) });
  }

  #inputFailed(error: unknown): void {
    if (error instanceof HTTPInputError) this.#refuse(error);
    else if (error instanceof DecompressionError) {
      this.#refuse(new HTTPInputError(error.message, { cause: error }));
    } else if (this.#due) {
      const request = this.#request!;
      this.#endSink();
      this.#appFailed(error, request);
    } else throw error;
  }

  #endSink(): void {
    const streamed = this.#streamed;
    this.#streamed = null;
    try {
      streamed?.sink.close();
    } catch (error) {
      appLog.error("Uncaught exception of the application: {error}", {
        error: describeError(error),
      });
    }
  }

  #logMalformed(error: HTTPInputError): void {
    genLog.info("Malformed HTTP message from {ip}: {error}", {
      ip: this.remoteIp,
      error: error.message,
    });
  }

  #refuse(error: HTTPInputError): void {
    this.#logMalformed(error);
    const { onClose } = this;
    const wasDue = this.#due;
    this.#request?._clientLeft();
    this.#due = false;
    this.onClose = null;
    this.#request = null;
    this.#endSink();
    if (wasDue) onClose?.();
    if (this.#stream.closed()) return;
    if (wasDue && this.#headWritten) { // in the middle of an answer no other can begin
      this.#stream.close(error);
      return;
    }
    const line = statusLine(error.status);
    this.#stream._writeLatin1(`${line}Connection: close\r\nContent-Length: 0\r\n\r\n`);
    this.#close();
  }

  // A peer that sent its end can be closed once it was sent all. Another one may have bytes on
  // their way.
  #close(): void {
    const stream = this.#stream;
    this.#state = State.DRAIN;
    this.#deadline = this.#after(DRAIN_MS);
    if (stream._ended) {
      stream._whenWritten()._listen({ _settled: () => stream.close() });
      return;
    }
    stream.closeWrite().catch(() => stream.close());
    if (!this.#parsing) stream._resume();
  }

  #connectionField(): string {
    const closes = !this.#keepAlive || this.#host.closing;
    if (this.#request!.version === "HTTP/1.1") return closes ? "Connection: close\r\n" : "";
    return closes ? "" : "Connection: Keep-Alive\r\n";
  }

  #checkAnswer(): void {
    if (this.#state === State.CLOSED) throw new StreamClosedError(this.#stream.error);
    if (!this.#due) throw new Error("Cannot answer: no answer is due");
  }

  #probeLater(): void {
    let delay = this.#probes === 0
      ? FIRST_PROBE_MS
      : Math.min(SECOND_PROBE_MS * 2 ** (this.#probes - 1), LAST_PROBE_MS);
    if (this.#headWritten && this.#probes > 0) delay = Math.max(delay, QUIET_MS);
    this.#probe = this.#stream.ioLoop.callLater(delay, () => {
      this.#probe = null;
      this.#probes++;
      if (!this.#headWritten) {
        if (this.#request!.version === "HTTP/1.0") return; // knows no interim answers
        this.#stream._writeLatin1(CONTINUE);
      } else if (this.#stream._unwritten === 0 && !this.#wroteLately) {
        // In the middle of an answer nothing can be sent that is not part of it.
        this.#stream.close();
        return;
      }
      this.#wroteLately = false;
      this.#probeLater();
    });
  }

  #stopProbing(): void {
    if (this.#probe !== null) this.#stream.ioLoop.removeTimeout(this.#probe);
    this.#probe = null;
  }
}

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const encoder = new TextEncoder();

const MAX_SHORT = 2048; // characters: what a stream copies in one piece, framing included
const ASCII_REGEXP = /^[\0-\x7f]*$/;

// Text that has as many bytes as characters goes to the stream as it is, with its framing.
function isShortAscii(text: string): boolean {
  return text.length <= MAX_SHORT && ASCII_REGEXP.test(text);
}

// RFC 9110 6.4.1
function hasNoBody(method: string, code: number): boolean {
  return code < 200 || code === 204 || code === 304 || method === "HEAD";
}

function bodyTooLarge(limit: number): HTTPInputError {
  return new HTTPInputError(`Cannot read request: its body is larger than ${limit} bytes`, {
    status: 413,
  });
}

function decompressed(body: Uint8Array, limit: number): Uint8Array {
  const decompressor = new GzipDecompressor();
  const plain = decompressor.decompress(body, limit + 1);
  if (plain.length > limit) throw bodyTooLarge(limit);
  decompressor.flush();
  return plain;
}
