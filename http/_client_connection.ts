// The client's end of a connection, one exchange after the other:
//
//   IDLE --begin()--> HEAD --head--> LENGTH, CHUNKS or TO_END --last byte--> IDLE
//   HEAD --interim answer--> HEAD              HEAD --head without body--> IDLE
//   any --detach()--> DETACHED                 any --the stream closed--> CLOSED
//
// It parses in place (see StreamConsumer). The body goes to the delegate by a BodySink; while
// that is at work, `#held`, nothing is taken from the stream.
//
// All that goes wrong closes the stream, and what is to be said of it is said when the stream
// tells so, in _closed(): by then the state is settled.
//
// A connection that waits between two exchanges closes when anything happens to it: bytes
// that nobody asked for are no answer to the next request (RFC 9112 9.2).
import { describeError } from "../ioloop/errors.ts";
import { appLog } from "../ioloop/mod.ts";
import { StreamClosedError } from "../iostream/mod.ts";
import type { Data, IOStream, StreamConsumer } from "../iostream/mod.ts";
import { BodySink, type BodySinkOwner } from "./_body_sink.ts";
import { answerTooLarge, DecodingDelegate } from "./_decoding_delegate.ts";
import type { RequestFraming } from "./_request_head.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import type { HTTPMessageDelegate } from "./delegates.ts";
import { HTTPInputError, HTTPOutputError } from "./errors.ts";
import { type AnswerHead, ResponseParser } from "./response_parser.ts";
import { utf8 } from "./unicode.ts";

const State = {
  IDLE: 0,
  HEAD: 1,
  LENGTH: 2,
  CHUNKS: 3,
  TO_END: 4,
  DETACHED: 5,
  CLOSED: 6,
} as const;
type State = typeof State[keyof typeof State];

/** Says what a connection lets pass. */
export interface ClientConnectionLimits {
  /** Bytes of a head, interim ones before it included. */
  readonly maxHeaderSize: number;
  /** Bytes of the largest piece that a delegate is given. */
  readonly chunkSize: number;
}

/** Is what one exchange is about. */
export interface Exchange {
  /** The method of the request: it says whether its answer has a body. */
  readonly method: string;
  /** Is given the answer; what its methods return is waited for. */
  readonly delegate: HTTPMessageDelegate;
  /** Whether codings are taken off the body. */
  readonly decompress: boolean;
  /** Bytes of a body, decompressed; may be changed while `headersReceived` is at work. */
  maxBodySize: number;
  /** Is told that the server wants the body (status 100). */
  continued(): void;
  /**
   * Is told, behind the `onConnectionClose` of the delegate, why there is no whole answer, and
   * how far it came.
   */
  failed(error: unknown, where: string): void;
}

/** Is one connection of a client; see the top of this file. */
export class ClientConnection implements StreamConsumer, BodySinkOwner {
  /** The stream, which is the connection's. */
  readonly stream: IOStream;
  /** Is called when it closes between two exchanges. */
  onIdleClose: (() => void) | null = null;
  /** The ms that the server keeps the connection when it idles, where it says so. */
  keepAliveTimeout: number = Infinity;

  readonly #limits: ClientConnectionLimits;
  readonly #parser: ResponseParser;
  #state: State = State.IDLE;
  #refs = true; // it keeps the process running
  #error: unknown = null; // why it closes, if the reason is here

  // The exchange.
  #exchange: Exchange | null = null; // there in HEAD to TO_END
  #last: Exchange | null = null; // whose answer is whole; the delegate may be at work on its end
  #sink: BodySink | null = null; // there once its head is
  #head: AnswerHead | null = null; // as long
  #held = false; // the delegate is at work
  #begun = false; // the delegate was ready behind the head
  #headSize = 0; // of interim heads
  #came = false; // a byte of the answer
  #received = 0; // bytes of the body that the delegate was given
  #missing = 0; // in LENGTH
  #chunks: ChunkedDecoder | null = null;
  #keepAlive = true; // both sides want another exchange

  // The request.
  #sent = true; // whole
  #announced = -1; // bytes that Content-Length still promises; -1: no promise
  #chunked = false;

  /** Takes over the stream. */
  constructor(stream: IOStream, limits: ClientConnectionLimits) {
    this.stream = stream;
    this.#limits = limits;
    this.#parser = new ResponseParser(limits);
    stream._consume(this);
  }

  /** Whether another exchange may begin. */
  get reusable(): boolean {
    return this.#state === State.IDLE && this.#keepAlive && this.#sent && !this.stream._ended;
  }

  /** Whether a part of an answer to the exchange in progress, or the last one, has come. */
  get answerBegan(): boolean {
    return this.#came;
  }

  /**
   * Begins an exchange: an answer is read from here on. {@linkcode writeHead} follows.
   *
   * @throws {StreamClosedError} when the stream is closed.
   * @throws {Error} when an exchange is in progress.
   */
  begin(exchange: Exchange): void {
    if (this.#state === State.CLOSED) throw new StreamClosedError(this.#error);
    if (this.#state !== State.IDLE) throw new Error("Cannot begin an exchange: one is in progress");
    this.#state = State.HEAD;
    this.#exchange = exchange;
    this.#last = null;
    this.#headSize = 0;
    this.#came = this.#begun = false;
    this.#sent = false;
    this.ref(true);
  }

  /** Writes the head of the request; `closes` says that it asks for the end of the connection. */
  writeHead(head: string, { length, chunked }: RequestFraming, closes = false): void {
    this.stream._writeLatin1(head);
    this.#announced = length;
    this.#chunked = chunked;
    if (closes) this.#keepAlive = false;
  }

  /**
   * Writes a piece of the body.
   *
   * @throws {HTTPOutputError} when it is more than was announced; the connection closes.
   * @throws {StreamClosedError} when the connection is closed.
   */
  write(chunk: Data): void {
    const { stream } = this;
    if (stream.closed()) throw new StreamClosedError(this.#error ?? stream.error);
    const bytes = utf8(chunk);
    if (this.#announced >= 0 && (this.#announced -= bytes.length) < 0) {
      this.#refuseOutput("it is longer than its Content-Length");
    }
    if (bytes.length === 0) return;
    if (this.#chunked) stream._writeLatin1(`${bytes.length.toString(16)}\r\n`);
    stream._writeBytes(bytes);
    if (this.#chunked) stream._writeLatin1("\r\n");
  }

  /**
   * Ends the request.
   *
   * @throws {HTTPOutputError} when it is less than was announced; the connection closes.
   */
  finishRequest(): void {
    if (this.#announced > 0) {
      this.#refuseOutput(`${this.#announced} bytes of its Content-Length are missing`);
    }
    if (this.#chunked && !this.stream.closed()) this.stream._writeLatin1("0\r\n\r\n");
    this.#sent = true;
  }

  /** Says whether the open connection keeps the process running. */
  ref(keeps: boolean): void {
    if (keeps === this.#refs) return;
    this.#refs = keeps;
    if (keeps) this.stream.conn?.ref?.();
    else this.stream.conn?.unref?.();
  }

  /** Hands over the stream, with what came and was not read. */
  detach(): IOStream {
    this.#state = State.DETACHED;
    this.#exchange = this.#sink = this.#head = null;
    this.stream._consume(null);
    return this.stream;
  }

  /** Closes it; an exchange in progress fails with `error`. */
  close(error: unknown = null): void {
    this.#fail(error);
  }

  /** Reads on or lets be read; called by the stream. @ignore */
  _data(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    this.#came = true;
    try {
      while (at < end && !this.#held && this.#state < State.DETACHED) {
        if (this.#state === State.HEAD) {
          const stop = this.#parser.parse(bytes, at, end, this.#headSize);
          if (stop === -1) return at;
          at = stop;
          this.#headCame(this.#parser.head, at < end);
        } else if (this.#state === State.IDLE) {
          throw new HTTPInputError("Cannot read answer: it came without a request");
        } else at = this.#readBody(bytes, at, end);
      }
    } catch (error) {
      this.#fail(error);
      return end;
    }
    if (this.#held) this.stream._pause();
    return this.#state === State.CLOSED ? end : at;
  }

  /** Notes that the server sends no more; called by the stream. @ignore */
  _end(): void {
    if (this.#held) return; // there may be something left to read
    if (this.#state === State.TO_END) {
      try {
        this.#complete(false);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (!this.#held) this.stream.close();
    } else this.#fail(null);
  }

  /** Lets go; called by the stream. @ignore */
  _closed(): void {
    const state = this.#state;
    this.#state = State.CLOSED;
    const exchange = this.#exchange;
    const sink = this.#sink;
    const where = this.#where(state);
    this.#exchange = this.#sink = this.#head = null;
    if (exchange === null) {
      if (state === State.IDLE) this.onIdleClose?.();
      return;
    }
    try {
      if (sink === null) exchange.delegate.onConnectionClose();
      else sink.close();
    } catch (error) {
      appLog.error("Uncaught exception of a delegate: {error}", { error: describeError(error) });
    }
    exchange.failed(this.#error ?? new StreamClosedError(this.stream.error), where);
  }

  /** Goes on: the delegate is ready. @ignore */
  sinkReady(): void {
    this.#held = false;
    try {
      if (this.#head !== null && !this.#begun) this.#bodyBegins(this.#head, false);
      else if (this.#state === State.LENGTH && this.#missing === 0) this.#complete(false);
      else if (this.#state === State.CHUNKS && this.#chunks!.done) this.#complete(false);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.stream._resume();
    if (this.stream._ended && !this.stream.closed() && !this.#held) this._end();
  }

  /** Ends it: the delegate failed, or what it was to be given. @ignore */
  sinkFailed(error: unknown): void {
    this.#last?.failed(error, "at the end of the body");
    this.#fail(error);
  }

  /** Counts what the delegate is given. @ignore */
  sinkOutput(length: number): void {
    this.#received += length;
    const { maxBodySize } = this.#exchange!;
    if (this.#received > maxBodySize) throw answerTooLarge(maxBodySize);
  }

  // `more`: something came behind it.
  #headCame(head: AnswerHead, more: boolean): void {
    const exchange = this.#exchange!;
    const framing = head.framing(exchange.method);
    if (head.code < 200 && head.code !== 101) {
      // RFC 9110 15.2: any number of interim answers; our limit for heads is one for them all.
      this.#headSize += this.#parser.size;
      if (head.code === 100) exchange.continued();
      return;
    }
    this.#head = head;
    this.#received = 0;
    this.keepAliveTimeout = head.keepAliveTimeout;
    if (!head.keepAlive || framing === "close" || head.code === 101) this.#keepAlive = false;
    this.#state = framing === "chunked"
      ? State.CHUNKS
      : framing === "close"
      ? State.TO_END
      : State.LENGTH;
    this.#missing = framing === "length" ? head.contentLength : 0;
    if (framing === "chunked") {
      this.#chunks ??= new ChunkedDecoder({ maxTrailerSize: this.#limits.maxHeaderSize });
      this.#chunks.reset();
    }
    const { headers } = head;
    const { delegate } = exchange;
    const { chunkSize } = this.#limits;
    const coding = framing !== "none" && exchange.decompress ? codingOf(head) : null;
    if (coding !== null) {
      headers.set("X-Consumed-Content-Encoding", head.contentEncoding);
      headers.delete("Content-Encoding");
    }
    const sink = this.#sink = coding === null || coding === "gzip"
      ? new BodySink(delegate, this, chunkSize)
      : new BodySink(new DecodingDelegate(delegate, coding, exchange), this, chunkSize);
    if (coding === "gzip") sink.decompress();
    if (sink.head(head, headers)) this.#bodyBegins(head, more);
    else this.#held = true;
  }

  #bodyBegins(head: AnswerHead, more: boolean): void {
    this.#begun = true;
    if (this.#state >= State.DETACHED) return;
    const { maxBodySize } = this.#exchange!;
    if (this.#missing > 0 && head.contentLength > maxBodySize) throw answerTooLarge(maxBodySize);
    if (this.#state === State.LENGTH && this.#missing === 0) this.#complete(more);
  }

  #readBody(bytes: Uint8Array, start: number, end: number): number {
    const sink = this.#sink!;
    let at = end;
    let from = start;
    let to = end;
    let done = false;
    if (this.#state === State.LENGTH) {
      at = to = Math.min(end, start + this.#missing);
      this.#missing -= at - start;
      done = this.#missing === 0;
    } else if (this.#state === State.CHUNKS) {
      const chunks = this.#chunks!;
      at = chunks.next(bytes, start, end);
      from = chunks.pieceStart;
      to = chunks.pieceEnd;
      done = chunks.done;
    }
    const ready = sink.push(bytes, from, to);
    if (this.#state === State.CLOSED) return end; // the delegate closed it
    if (!ready) this.#held = true;
    else if (done) this.#complete(at < end);
    return at;
  }

  // The answer is whole; the state is settled before the delegate is told.
  #complete(more: boolean): void {
    const exchange = this.#exchange!;
    const sink = this.#sink!;
    if (more) this.#keepAlive = false;
    this.#state = State.IDLE;
    this.#exchange = this.#sink = this.#head = null;
    this.#last = exchange;
    try {
      sink.end();
    } catch (error) {
      exchange.failed(error, "at the end of the body");
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (this.#state === State.CLOSED) return;
    this.#error = error;
    this.stream.close(error);
  }

  #refuseOutput(why: string): never {
    const error = new HTTPOutputError(`Cannot write the body: ${why}`);
    this.#fail(error);
    throw error;
  }

  #where(state: State): string {
    switch (state) {
      case State.HEAD:
        return this.#came ? "in the head of the answer" : "before the answer";
      case State.LENGTH:
        return `${this.#missing} bytes before the end of the answer`;
      default:
        return "in the body of the answer";
    }
  }
}

function codingOf({ contentEncoding }: AnswerHead): "gzip" | "deflate" | "br" | null {
  switch (contentEncoding) {
    case "gzip":
    case "x-gzip":
      return "gzip";
    case "deflate":
    case "br":
      return contentEncoding;
    default:
      return null;
  }
}
