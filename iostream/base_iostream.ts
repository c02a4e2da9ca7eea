// A stream owns a transport. Reading and writing are independent.
//
// Reading. At most one read is in flight, into the tail of the read buffer. Bytes go to
// whoever reads: a pending read (`readUntil` and its like, one at a time) or a consumer (a
// protocol that parses in place, see StreamConsumer). While nobody reads, the stream still
// reads ahead, up to `readChunkSize`: only so it learns that its peer has left.
//
//   NEW --transport--> OPEN --end of input--> ENDED --nothing left to do--> CLOSED
//   NEW, OPEN or ENDED --close()--> CLOSED
//
// NEW: it is not connected yet; reads wait and writes queue. ENDED: the peer will send no
// more, but may still read. What is buffered can be read and what is queued is written; then
// the stream closes by itself. A consumer is asked instead.
//
// A read that the buffer can answer is answered inside the call. Otherwise it is pending until
// what came answers it, it is abandoned (cancelled, timed out), or the stream closes.
//
// Writing. Pieces queue and are flushed once, behind the turn: see WriteQueue. `close()`
// lets what was queued before it leave, for LINGER_MS at most.
import { convertYielded } from "../gen/mod.ts";
import { _isWork } from "../ioloop/converter.ts";
import { describeError } from "../ioloop/errors.ts";
import { Channel, Future, genLog, IOLoop, TimeoutError, wrap } from "../ioloop/mod.ts";
import type { ChannelOwner, Flushable, Timeout, Transport } from "../ioloop/mod.ts";
import { MovedTransport } from "./_moved_transport.ts";
import { StreamBufferFullError, StreamClosedError, UnsatisfiableReadError } from "./errors.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { type ByteSearch, delimiterBytes, DelimiterSearch, RegexSearch } from "./search.ts";
import { WriteQueue } from "./write_queue.ts";

const READ = IOLoop.READ;
const LINGER_MS = 5000;
const PATIENCE = 4; // microtasks; an `await` of a read takes three to come back
const DRAIN_MARK = 65536; // bytes; what a socket of Linux buffers, about
const DIRECT_SIZE = 4096; // bytes; into less space of a caller it is cheaper to copy

/** Bytes or text; text goes out as UTF-8. */
export type Data = string | Uint8Array;

/**
 * Is called with the result of an operation, in a later turn. If it throws, or the work that
 * it returns fails, that is logged and closes the stream with the error.
 */
export type StreamCallback<T> = (result: T) => unknown;

/** Options of {@linkcode BaseIOStream}. */
export interface IOStreamOptions {
  /**
   * The most bytes that wait to be read before the stream closes with
   * {@linkcode StreamBufferFullError}.
   *
   * @default {104857600}
   */
  maxBufferSize?: number;
  /**
   * The most bytes that one read of the transport asks for, and that are read ahead while
   * nobody reads.
   *
   * @default {65536}
   */
  readChunkSize?: number;
  /** The most bytes that may wait to be written; without it there is no limit. */
  maxWriteBufferSize?: number;
  /** The loop; by default the current one. */
  ioLoop?: IOLoop;
}

/** Options of every read. */
export interface ReadOptions {
  /**
   * How long the read may take, in ms. Then it fails with {@linkcode TimeoutError}; what has
   * come stays for the next read. Without it there is no limit.
   */
  timeout?: number;
}

/** Options of {@linkcode BaseIOStream.readUntil} and {@linkcode BaseIOStream.readUntilRegex}. */
export interface ReadUntilOptions extends ReadOptions {
  /** The most bytes to look at, the delimiter included; beyond it the stream is closed. */
  maxBytes?: number;
}

/** Options of {@linkcode BaseIOStream.readInto}. */
export interface ReadIntoOptions extends ReadOptions {
  /**
   * Whether it is enough that one byte has come.
   *
   * @default {false}
   */
  partial?: boolean;
}

/** Options of {@linkcode BaseIOStream.readUntilClose}. */
export interface ReadUntilCloseOptions extends ReadOptions {
  /**
   * Is given what comes, piece by piece, each in a turn of its own; the result of the read is
   * empty then. If it returns work (a promise, a generator), nothing more is given, and little
   * more is read, until that is done. If it fails, the stream is closed with its error.
   */
  streamingCallback?: (chunk: Uint8Array) => unknown;
}

/** Options of {@linkcode BaseIOStream.readBytes}. */
export interface ReadBytesOptions extends ReadUntilCloseOptions {
  /**
   * Whether it is enough that one byte has come.
   *
   * @default {false}
   */
  partial?: boolean;
}

/**
 * Parses a protocol in place, without a copy and without a Future per message. It must not
 * throw. Used by the HTTP and WebSocket connections.
 */
export interface StreamConsumer {
  /**
   * Takes what it can of bytes[start..end) and returns where it stopped. The bytes may be
   * scribbled on; they are valid only during the call.
   */
  _data(bytes: Uint8Array, start: number, end: number): number;
  /** Is told that the peer will send no more; the stream stays open for writing. */
  _end(): void;
  /** Is told that the stream closed: by failure, or by its owner. */
  _closed(): void;
}

/** Is what a stream gave up: see {@linkcode BaseIOStream._detach}. */
export interface DetachedTransport {
  /** The transport; first it brings what the stream had read or is still reading. */
  readonly transport: Transport;
  /** The limits of the stream, and its loop. */
  readonly options: Required<IOStreamOptions>;
  /** The close callback of the stream, which was not called. */
  readonly closeCallback: (() => unknown) | null;
}

// In this order: what is beyond OPEN gets nothing more from its peer.
const State = { NEW: 0, OPEN: 1, ENDED: 2, CLOSED: 3 } as const;
type State = typeof State[keyof typeof State];

interface BytesRead {
  readonly kind: "bytes";
  readonly count: number;
  readonly partial: boolean;
}

interface SearchRead {
  readonly kind: "search";
  readonly search: ByteSearch;
  readonly maxBytes: number;
}

interface IntoRead {
  readonly kind: "into";
  readonly space: Uint8Array;
  readonly partial: boolean;
  filled: number; // bytes of `space` that are there
}

interface StreamingRead {
  readonly kind: "streaming";
  readonly callback: (chunk: Uint8Array) => unknown;
  readonly untilClose: boolean; // then `missing` is Infinity
  missing: number; // bytes that are still to be given
  step: (() => unknown) | null; // gives the next chunk, in the contexts of who reads; from #wait()
  busy: boolean; // a step is due, or what the callback returned is not done
}

type Read = BytesRead | SearchRead | IntoRead | StreamingRead | { readonly kind: "close" };

interface PendingRead {
  readonly read: Read;
  readonly future: Future<unknown>;
  timeout: Timeout | null;
  retry: Timeout | null; // of a search that was put off
}

// What #find() says of a read that the buffer cannot answer.
const NOT_YET = -1;
const TOO_FAR = -2; // it never will, within the limit

interface PendingWrite {
  readonly position: number; // of #flushed at which it is done
  readonly future: Future<void>;
}

interface Drain {
  readonly mark: number; // of bytes that may still wait when it is done
  readonly future: Future<void>;
}

/**
 * Reads and writes a {@linkcode Transport} without blocking, with limits and back-pressure:
 * all of a stream but how it is connected. Subclasses are {@linkcode IOStream} for sockets and
 * {@linkcode PipeIOStream} for pipes.
 *
 * The stream owns the transport: closing it closes the transport. One read can be pending at a
 * time; reads and writes are independent.
 *
 * Reads return a Future and, as writes do, take a callback in last place: it is called with
 * the result, and if the operation fails, `handleCallbackException` of the loop with the error.
 * A read that is cancelled, or has timed out, is abandoned: what has come stays for the next.
 *
 * @example Take what comes, as it comes
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(async () => {
 *   const [one, other] = await IOStream.pair();
 *   one.write("hello");
 *   one.close();
 *   let size = 0;
 *   for await (const chunk of other) size += chunk.length;
 *   assertEquals(size, 5);
 * });
 * ```
 */
export abstract class BaseIOStream
  implements ChannelOwner<number | null>, Flushable, AsyncIterable<Uint8Array>, Disposable {
  /** See {@linkcode IOStreamOptions.maxBufferSize}. */
  readonly maxBufferSize: number;
  /** See {@linkcode IOStreamOptions.readChunkSize}; at most half of `maxBufferSize`. */
  readonly readChunkSize: number;
  /** See {@linkcode IOStreamOptions.maxWriteBufferSize}; Infinity when there is none. */
  readonly maxWriteBufferSize: number;
  /** The loop it belongs to. */
  readonly ioLoop: IOLoop;
  /** Why it closed; null while it is open and after a clean end. */
  error: unknown = null;

  #state: State = State.NEW;
  #transport: Transport | null = null;
  readonly #oneWay: "read" | "write" | null; // the only direction there is
  readonly #channel: Channel<number | null>;
  readonly #buffer: ReadBuffer;
  #inFlight: Promise<number | null> | null = null; // the last read of the transport
  #direct: IntoRead | null = null; // whose space that read fills
  #sated = false; // enough was read ahead, and less than half of that was taken since
  #patience = 0; // microtasks until the stream reads ahead for nobody; 0: it does not wait
  #pending: PendingRead | null = null; // at most one of #pending and #consumer
  #consumer: StreamConsumer | null = null;
  #consumerPaused = false;
  #feeding = false; // bytes of the buffer are in use by the consumer: they must not move
  #search: DelimiterSearch | null = null; // of the last readUntil(); one read at a time uses it
  #searched: Data = ""; // what it looks for
  #queue: WriteQueue | null = null; // while something waits or is being written
  #flushQueued = false;
  #writing: Uint8Array | null = null; // what the write in flight was given
  #queued = 0; // bytes that were ever written to the stream
  #flushed = 0; // bytes of these that are in the kernel
  #writes: PendingWrite[] | null = null; // by position; there while a Future waits
  #settledWrites = 0; // how many of these are settled, the first ones
  #drains: Drain[] | null = null; // there once drain() had to wait
  #seenFlushed = -1; // #flushed when _stalledFor() last saw it move; at first it never looked
  #seenAt = 0; // and when that was
  #closeCallback: (() => unknown) | null = null;
  #linger: Timeout | null = null;

  /**
   * Takes over `transport`; with null it is given one later, by {@linkcode _attach}. `oneWay`
   * is there when it only reads or only writes.
   */
  constructor(
    transport: Transport | null,
    {
      maxBufferSize = 104857600,
      readChunkSize = 65536,
      maxWriteBufferSize = Infinity,
      ioLoop = IOLoop.current(),
    }: IOStreamOptions = {},
    oneWay: "read" | "write" | null = null,
  ) {
    this.maxBufferSize = maxBufferSize;
    this.readChunkSize = Math.max(
      1,
      Math.min(readChunkSize, Math.floor(maxBufferSize / 2)),
    );
    this.maxWriteBufferSize = maxWriteBufferSize;
    this.ioLoop = ioLoop;
    this.#oneWay = oneWay;
    this.#buffer = new ReadBuffer(this.readChunkSize);
    this.#channel = new Channel(ioLoop, this);
    if (transport !== null) this._attach(transport);
  }

  /** The transport; null before the stream is connected and once it is closed. */
  get conn(): Transport | null {
    return this.#state === State.CLOSED ? null : this.#transport;
  }

  /** Tells whether a read is pending. */
  reading(): boolean {
    return this.#pending !== null;
  }

  /** Tells whether something waits to be written. */
  writing(): boolean {
    return this.#flushed < this.#queued;
  }

  /** Tells whether it is closed; what had arrived before may still be read. */
  closed(): boolean {
    return this.#state === State.CLOSED;
  }

  /**
   * Reads up to and including `delimiter`. Beyond `maxBytes` the stream is closed: the read
   * fails with {@linkcode StreamClosedError} whose cause is {@linkcode UnsatisfiableReadError}.
   *
   * Short results of one stream share an `ArrayBuffer` with each other, and with what comes
   * behind them: take a copy (`slice()`) before you use the `buffer` of one, transfer it, or
   * send it to a worker, which sends the whole of it.
   *
   * @throws {Error} when a read is pending.
   * @throws {StreamClosedError} when the stream is closed and its buffer does not have it.
   * @throws {TypeError} when the delimiter is empty.
   */
  readUntil(
    delimiter: Data,
    options: ReadUntilOptions | StreamCallback<Uint8Array> = NO_OPTIONS,
    callback?: StreamCallback<Uint8Array>,
  ): Future<Uint8Array> {
    if (typeof options === "function") return this.readUntil(delimiter, NO_OPTIONS, options);
    const { maxBytes = Infinity, timeout } = options;
    const search = this.#searchFor(delimiter);
    return this.#read<Uint8Array>({ kind: "search", search, maxBytes }, timeout, callback);
  }

  /**
   * Reads up to the end of the first match of `regex`, which sees each byte as the latin-1
   * character. It is asked whenever something came, so an expression that ends in `+` or `*`
   * matches what is there by then. Beyond `maxBytes` the stream is closed, as by
   * {@linkcode readUntil}.
   *
   * Where the length of a match is limited (`/\r?\n\r?\n/`) the cost is linear in the bytes.
   * Where it is not (`/.+\n/`), or with look-behind or back-references, each search begins at
   * the start; beyond 4 KiB they are made rarely enough to cost about 1 % of the time, which
   * delays an answer by up to 1 ms for each 16 KiB. Give `maxBytes` to bound that. Nothing
   * interrupts a search, no `timeout` either: an expression that goes back over its input again
   * and again (`/(a+)+b/`) lets a peer hold up the whole process with some thirty bytes.
   *
   * @throws {Error} when a read is pending.
   * @throws {StreamClosedError} when the stream is closed and its buffer does not have it.
   * @throws {SyntaxError} when `regex` is a string that is none.
   */
  readUntilRegex(
    regex: RegExp | string,
    options: ReadUntilOptions | StreamCallback<Uint8Array> = NO_OPTIONS,
    callback?: StreamCallback<Uint8Array>,
  ): Future<Uint8Array> {
    if (typeof options === "function") return this.readUntilRegex(regex, NO_OPTIONS, options);
    const { maxBytes = Infinity, timeout } = options;
    const search = new RegexSearch(typeof regex === "string" ? new RegExp(regex) : regex);
    return this.#read<Uint8Array>({ kind: "search", search, maxBytes }, timeout, callback);
  }

  /**
   * Reads `count` bytes or, with `partial`, as many of them as there are, at least one.
   *
   * @throws {Error} when a read is pending.
   * @throws {StreamClosedError} when the stream is closed and its buffer does not have them.
   * @throws {RangeError} when `count` is not a whole number of at least 0.
   */
  readBytes(
    count: number,
    options: ReadBytesOptions | StreamCallback<Uint8Array> = NO_OPTIONS,
    callback?: StreamCallback<Uint8Array>,
  ): Future<Uint8Array> {
    if (typeof options === "function") return this.readBytes(count, NO_OPTIONS, options);
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(
        `Cannot read ${count} bytes: expected a whole number from 0`,
      );
    }
    const { partial = false, streamingCallback, timeout } = options;
    return this.#read<Uint8Array>(
      streamingCallback === undefined || partial || count === 0
        ? { kind: "bytes", count, partial }
        : streamingRead(streamingCallback, count, false),
      timeout,
      callback,
    );
  }

  /**
   * Fills `buffer` from the stream or, with `partial`, as much of it as there is, at least one
   * byte, and tells how many bytes that were. Further bytes stay in the stream.
   *
   * Large parts are read straight into `buffer`, without a copy. Leave it alone until the read is done; if
   * the read was cancelled or timed out, until the next bytes were read.
   *
   * @throws {Error} when a read is pending.
   * @throws {StreamClosedError} when the stream is closed and does not have as much.
   */
  readInto(
    buffer: Uint8Array,
    options: ReadIntoOptions | StreamCallback<number> = NO_OPTIONS,
    callback?: StreamCallback<number>,
  ): Future<number> {
    if (typeof options === "function") return this.readInto(buffer, NO_OPTIONS, options);
    const { partial = false, timeout } = options;
    return this.#read<number>(
      { kind: "into", space: buffer, partial, filled: 0 },
      timeout,
      callback,
    );
  }

  /**
   * Reads all that comes until the stream ends; on a closed stream, what is left in its buffer.
   *
   * @throws {Error} when a read is pending.
   */
  readUntilClose(
    options: ReadUntilCloseOptions | StreamCallback<Uint8Array> = NO_OPTIONS,
    callback?: StreamCallback<Uint8Array>,
  ): Future<Uint8Array> {
    if (typeof options === "function") return this.readUntilClose(NO_OPTIONS, options);
    const { streamingCallback, timeout } = options;
    return this.#read<Uint8Array>(
      streamingCallback === undefined
        ? { kind: "close" }
        : streamingRead(streamingCallback, Infinity, true),
      timeout,
      callback,
    );
  }

  /**
   * Reads chunk by chunk until the stream ends. While a chunk is at work, only a little is
   * read ahead. Leaving the loop early leaves the stream open.
   *
   * @throws {StreamClosedError} when the stream closed with an error.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      let chunk: Uint8Array;
      try {
        chunk = await this.readBytes(this.readChunkSize, { partial: true });
      } catch (error) {
        if (error instanceof StreamClosedError && error.realError === null) return;
        throw error;
      }
      yield chunk;
    }
  }

  /**
   * Queues `data`; what is written in one turn leaves together. The Future is done when the
   * bytes are in the kernel. Arrays of more than 4 KiB are not copied: leave them unchanged
   * until then.
   *
   * Who writes more than the peer takes waits for this Future, or for {@linkcode drain}.
   *
   * @throws {StreamClosedError} when the stream is closed.
   * @throws {StreamBufferFullError} when `maxWriteBufferSize` would be passed; nothing of
   *   `data` is written then.
   * @throws {TypeError} when `data` is neither text nor a view of bytes.
   */
  write(data: Data | ArrayBufferView, callback?: StreamCallback<void>): Future<void> {
    const bytes = typeof data === "string"
      ? encoder.encode(data)
      : data instanceof Uint8Array
      ? data
      : viewedBytes(data);
    this.#checkWritable(bytes.length);
    if (bytes.length > 0) this._writeBytes(bytes);
    const future = this._whenWritten();
    if (callback !== undefined) this._callBack(future, callback);
    return future;
  }

  /**
   * Waits until at most `mark` of the written bytes still wait to leave; by default 64 KiB or,
   * if that is less, half of `maxWriteBufferSize`. One writer, or many, who wait for this after
   * each write keep the queue short without waiting for every byte.
   *
   * @example Send much, and hold little of it
   * ```ts
   * import { IOLoop } from "@waterspout/waterspout/ioloop";
   * import { IOStream } from "@waterspout/waterspout/iostream";
   * import { assertEquals } from "@std/assert";
   *
   * await new IOLoop().run(function* () {
   *   const [one, other] = yield* IOStream.pair({ maxWriteBufferSize: 10_000 });
   *   const all = other.readUntilClose();
   *   for (let i = 0; i < 1000; i++) {
   *     one.write(new Uint8Array(1000));
   *     yield* one.drain();
   *   }
   *   one.close();
   *   assertEquals((yield* all).length, 1_000_000);
   * });
   * ```
   *
   * @throws {StreamClosedError} when the stream is closed.
   * @throws {RangeError} when `mark` is below 0.
   */
  drain(mark: number = Math.min(DRAIN_MARK, this.maxWriteBufferSize / 2)): Future<void> {
    if (!(mark >= 0)) throw new RangeError(`Cannot drain to ${mark} bytes: expected 0 or more`);
    if (this.#state === State.CLOSED) throw new StreamClosedError(this.error);
    if (this._unwritten <= mark) return Future.resolved(undefined);
    const future: Future<void> = new Future(() => {
      this.#drains = this.#drains?.filter((drain) => drain.future !== future) ?? null;
    });
    future._observe(); // as of a write: the close tells
    (this.#drains ??= []).push({ mark, future });
    return future;
  }

  /**
   * Calls `fn` once when the stream closes, for whatever reason, after data that had arrived
   * was given to the pending read. On a closed stream it is called in the next turn; null
   * removes it.
   */
  setCloseCallback(fn: (() => unknown) | null = null): void {
    this.#closeCallback = wrap(fn);
    if (this.#state === State.CLOSED) this.#scheduleCloseCallback();
  }

  /**
   * Closes the stream. A pending read that the buffer can answer is answered first; other
   * reads and writes fail with {@linkcode StreamClosedError}. Without an `error`, what was
   * written before still leaves, if the peer takes it within five seconds: for much data, wait
   * until it is written. A second call does nothing.
   */
  close(error: unknown = null): void {
    if (this.#state === State.CLOSED) return;
    if (this.#pending !== null && !this.#feeding) this.#tryPending(true);
    if (this.closed()) return; // the read was beyond its limit
    this.error = error;
    this.#state = State.CLOSED;
    if (this.ioLoop._tracer !== null) this.ioLoop._tracer._closed(this, error);
    this.#channel.close();
    if (error === null && this.writing() && this.#transport !== null) this.#lingerThenFree();
    else this.#free();
    const pending = this.#pending;
    const goesOn = pending !== null && this.#streamOut(pending);
    if (pending !== null && !goesOn) this.#failPending(pending);
    const consumer = this.#consumer;
    this.#consumer = null;
    consumer?._closed();
    if (!goesOn) this.#scheduleCloseCallback();
  }

  /** Closes the stream where a `using` declaration of it ends. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Ends the sending direction once what is queued has left; the peer reads the end.
   *
   * @throws {Error} when the stream is not connected.
   */
  async closeWrite(): Promise<void> {
    if (this.#state === State.NEW) {
      throw new Error("Cannot end the sending direction: the stream is not connected");
    }
    if (this.writing()) await this.write(EMPTY);
    await this.#transport?.closeWrite();
  }

  /** Sets TCP_NODELAY; ignored where the transport has no such thing. */
  setNoDelay(value: boolean): void {
    const transport = this.#transport;
    if (transport !== null && "setNoDelay" in transport) {
      (transport as Deno.TcpConn).setNoDelay(value);
    }
  }

  /** Shows the state where the stream is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    const state = ["not connected", "open", "ended", "closed"][this.#state];
    return `${this.constructor.name} { ${state}, ${this.#buffer.length} bytes to read, ` +
      `${this._unwritten} to write }`;
  }

  /**
   * Tells whether an error of the transport is of the kind that peers cause by going away. Any
   * other is logged when it closes the stream.
   */
  protected _isExpected(error: unknown): boolean {
    return error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.ConnectionAborted ||
      error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.TimedOut;
  }

  /**
   * Gives a transport to a stream that was made without one: it begins to read, and to write
   * what is queued. On a closed stream it closes the transport. For subclasses.
   *
   * @ignore
   */
  _attach(transport: Transport): void {
    if (this.#state === State.CLOSED) {
      closeQuietly(transport);
      return;
    }
    this.#transport = transport;
    this.#state = State.OPEN;
    if (this.ioLoop._tracer !== null) this.ioLoop._tracer._opened(this);
    if (this.writing()) this.#flushSoon();
    this.#updateInterest();
  }

  /**
   * Makes an idle stream give up its transport; it is closed then, without a word to its close
   * callback. Bytes that came while nobody read are an error, unless `mayMove` agrees: then
   * the transport brings them first. For TLS on a connection that is in use.
   *
   * @throws {Error} when the stream is not open or not idle.
   * @ignore
   */
  _detach(mayMove: (bytes: Uint8Array) => boolean = () => false): DetachedTransport {
    if (this.#state === State.OPEN) this.ready(); // what came and was not looked at
    const buffer = this.#buffer;
    const bytes = buffer.bytes.slice(buffer.start, buffer.end);
    const obstacle = this.#state !== State.OPEN
      ? "it is not open"
      : this.#pending !== null
      ? "a read is pending"
      : this.writing()
      ? "a write is pending"
      : this.#consumer !== null
      ? "a protocol owns it"
      : bytes.length > 0 && !mayMove(bytes)
      ? `${bytes.length} bytes came that nobody read`
      : null;
    if (obstacle !== null) throw new Error(`Cannot take the transport of the stream: ${obstacle}`);

    const { maxBufferSize, readChunkSize, maxWriteBufferSize, ioLoop } = this;
    const lent = buffer.lent;
    const arriving = this.#channel.inFlight && lent !== null
      ? this.#inFlight!.then((count) => count === null ? null : lent.slice(0, count))
      : null;
    const detached = {
      transport: bytes.length === 0 && arriving === null
        ? this.#transport!
        : new MovedTransport(this.#transport!, bytes, arriving),
      options: { maxBufferSize, readChunkSize, maxWriteBufferSize, ioLoop },
      closeCallback: this.#closeCallback,
    };
    buffer.start = buffer.end;
    this.#closeCallback = null;
    this.#transport = null;
    this.#state = State.CLOSED;
    this.#channel.close();
    return detached;
  }

  /**
   * Calls `callback` with the result of `future`, in a later turn.
   *
   * @ignore
   */
  _callBack<T>(future: Future<T>, callback: StreamCallback<T>): void {
    const run = wrap(nameAs(callback, () => {
      if (future._fulfilled) return this.#call(callback, future._value as T);
      throw future._value; // for the contexts of the caller, or the loop
    }));
    future._listen({ _settled: () => this.ioLoop.addCallback(run) });
  }

  /** Gives the stream to a protocol that parses in place, or takes it back (null). @ignore */
  _consume(consumer: StreamConsumer | null): void {
    if (this.#pending !== null) {
      throw new Error("Cannot consume: a read is pending");
    }
    this.#consumer = consumer;
    this.#consumerPaused = false;
    this.#buffer.forgetSize();
    this.#deliver();
    if (this.#state === State.ENDED && !this.#feeding) this.#afterEnd();
  }

  /** Gives no more bytes to the consumer until {@linkcode _resume}. @ignore */
  _pause(): void {
    this.#consumerPaused = true;
  }

  /** Gives the consumer the bytes that came meanwhile, and what follows. @ignore */
  _resume(): void {
    if (!this.#consumerPaused) return;
    this.#consumerPaused = false;
    this.#deliver();
  }

  /** How many bytes came that nobody has taken. @ignore */
  get _unread(): number {
    return this.#buffer.length;
  }

  /** Whether the peer has said that it sends no more. @ignore */
  get _ended(): boolean {
    return this.#state !== State.OPEN;
  }

  /**
   * Returns `future`, which is done when all that was written so far is in the kernel.
   *
   * @ignore
   */
  _whenWritten(future: Future<void> = new Future()): Future<void> {
    future._observe(); // who does not look at a write learns of a failure by the close
    if (this.#flushed === this.#queued) future._settle(1, undefined);
    else (this.#writes ??= []).push({ position: this.#queued, future });
    return future;
  }

  /** How long, up to `now`, the peer has taken nothing of what waits for it, in ms. @ignore */
  _stalledFor(now: number): number {
    if (this.#flushed === this.#queued || this.#flushed !== this.#seenFlushed) {
      this.#seenFlushed = this.#flushed;
      this.#seenAt = now;
    }
    return now - this.#seenAt;
  }

  /** How many bytes wait to be written or are being written. @ignore */
  get _unwritten(): number {
    return this.#queued - this.#flushed;
  }

  /** Queues text without a Future; the stream must be open. @ignore */
  _writeText(text: string): void {
    this.#queued += this.#outgoing().addText(text);
    this.#flushSoon();
  }

  /**
   * Queues two bytes and a short ASCII text behind them, without a Future; the stream must be
   * open. Of any other text it queues nothing and returns false. @ignore
   */
  _writeShortAscii(first: number, second: number, text: string): boolean {
    if (!this.#outgoing().addShortAscii(first, second, text)) return false;
    this.#queued += 2 + text.length;
    this.#flushSoon();
    return true;
  }

  /** Queues latin-1 text without a Future; the stream must be open. @ignore */
  _writeLatin1(text: string): void {
    this.#queued += this.#outgoing().addLatin1(text);
    this.#flushSoon();
  }

  /** Queues bytes without a Future; the stream must be open. @ignore */
  _writeBytes(bytes: Uint8Array): void {
    this.#queued += bytes.length;
    this.#outgoing().addBytes(bytes);
    this.#flushSoon();
  }

  /** Queues bytes that never change, without a Future; the stream must be open. @ignore */
  _writeShared(bytes: Uint8Array): void {
    this.#queued += bytes.length;
    this.#outgoing().addShared(bytes);
    this.#flushSoon();
  }

  /** Starts the next read; called by the channel. @ignore */
  begin(): Promise<number | null> {
    const buffer = this.#buffer;
    const read = this.#pending?.read;
    const space = read?.kind === "into" && buffer.length === 0 ? this.#directSpace(read) : null;
    const most = this.#wanted ? this.maxBufferSize : this.readChunkSize;
    const limit = Math.min(most - buffer.length, this.readChunkSize);
    const ahead = read === undefined && this.#consumer === null;
    return this.#inFlight = this.#transport!.read(space ?? buffer.lend(limit, ahead));
  }

  /** Takes what the read brought; called in the loop's turn. @ignore */
  ready(): void {
    let count: number | null | undefined;
    try {
      count = this.#channel.take();
    } catch (error) {
      this.#failed("read", error);
      return;
    }
    if (count === undefined) return;
    if (this.ioLoop._tracer !== null) this.ioLoop._tracer._read(this, count);
    if (count !== null) {
      if (this.#direct === null) this.#buffer.filled(count);
      else this.#filledDirect(this.#direct, count);
      this.#deliver();
    } else {
      this.#state = State.ENDED;
      this.#channel.want(IOLoop.NONE);
      this.#afterEnd();
    }
  }

  /** Starts writing what is queued; called behind the loop's turn. @ignore */
  _flush(): void {
    this.#flushQueued = false;
    if (this.#writing === null) this.#writeNext();
  }

  #searchFor(delimiter: Data): DelimiterSearch {
    const search = this.#search;
    if (search !== null && typeof delimiter === "string" && delimiter === this.#searched) {
      search.restart();
      return search;
    }
    const bytes = typeof delimiter === "string" ? delimiterBytes(delimiter) : delimiter.slice();
    if (bytes.length === 0) throw new TypeError("Cannot read until an empty delimiter");
    if (this.#pending !== null) return new DelimiterSearch(bytes); // to be refused
    this.#searched = delimiter;
    return this.#search = new DelimiterSearch(bytes);
  }

  #read<T>(
    read: Read,
    timeout: number | undefined,
    callback: StreamCallback<T> | undefined,
  ): Future<T> {
    if (this.#pending !== null) throw new Error("Cannot read: another read is pending");
    if (this.#consumer !== null) throw new Error("Cannot read: a protocol owns the stream");
    const future = this.#answer<T>(read) ?? this.#wait<T>(read, timeout);
    if (callback !== undefined) this._callBack(future, callback);
    return future;
  }

  // Answers a new read from the buffer; null when that cannot be.
  #answer<T>(read: Read): Future<T> | null {
    // The consumer that let go of the stream has not said yet where it stopped.
    if (this.#feeding && this.#state !== State.CLOSED) return null;
    const count = this.#find(read, this.#state >= State.ENDED);
    if (count === NOT_YET) return null;
    if (count === TOO_FAR) return Future.failed(this.#unsatisfiable(read as SearchRead));
    const result = this.#take(read, count);
    if (this.#state === State.ENDED) this.#afterAnswer(read);
    else if (this.#patience > 0) this.#patience = PATIENCE; // whoever reads is at it
    else if (this.#channel.interest === IOLoop.NONE) this.#updateInterest();
    return Future.resolved(result as T);
  }

  #wait<T>(read: Read, timeout: number | undefined): Future<T> {
    if (this.#oneWay === "write") throw new Error("Cannot read: the stream only writes");
    const pending: PendingRead = {
      read,
      future: new Future<unknown>(() => this.#abandon(pending)),
      timeout: null,
      retry: null,
    };
    if (this.ioLoop._tracer !== null) {
      this.ioLoop._tracer._note(pending.future, `read ${describe(read)}`);
    }
    if (read.kind === "streaming") {
      read.step = wrap(nameAs(read.callback, () => this.#stream(pending, read)));
    }
    if (this.#state === State.CLOSED && !this.#streamOut(pending)) {
      this.#giveBack(read);
      throw new StreamClosedError(this.error);
    }
    this.#pending = pending;
    if (timeout !== undefined && timeout < Infinity) this.#limitTime(pending, timeout);
    if (!this.#feeding) {
      this.#goOn(pending);
      if (this.#state === State.ENDED && read.kind !== "streaming") this.close();
      else this.#updateInterest();
    }
    return pending.future as Future<T>;
  }

  #limitTime(pending: PendingRead, timeout: number): void {
    pending.timeout = this.ioLoop.callLater(timeout, () => {
      this.#abandon(pending);
      const { length } = this.#buffer;
      pending.future._settle(
        2,
        new TimeoutError(
          `Timed out after ${timeout} ms: cannot read ${describe(pending.read)}, ` +
            `${length} bytes came`,
        ),
      );
    });
  }

  // What a pending read needs besides bytes.
  #goOn(pending: PendingRead): void {
    const { read } = pending;
    if (read.kind === "streaming") this.#streamSoon(read);
    else if (read.kind === "search" && read.search.pause > 0 && pending.retry === null) {
      pending.retry = this.ioLoop.callLater(read.search.pause, () => {
        pending.retry = null;
        this.#tryPending(false, true);
        this.#updateInterest();
      });
    }
  }

  // Hands over what has come, then says what is wanted from here on.
  #deliver(): void {
    if (this.#feeding) return;
    if (this.#consumer !== null) this.#feed();
    if (this.#consumer === null && this.#pending !== null) {
      this.#tryPending(false);
      if (this.#pending === null) {
        this.#awaitReader();
        return;
      }
    }
    this.#updateInterest();
  }

  // A read was answered, and who got it is likely to read again, in a moment: the next read of
  // the transport waits for that, so that it knows whom it is for, and where to.
  #awaitReader(): void {
    if (this.#patience === 0) {
      const readOn = () => {
        const awaited = this.#pending === null && this.#consumer === null;
        this.#patience = awaited ? this.#patience - 1 : 0;
        if (this.#patience > 0) queueMicrotask(readOn);
        else this.#updateInterest();
      };
      queueMicrotask(readOn);
    }
    this.#patience = PATIENCE;
    this.#channel.want(IOLoop.NONE);
  }

  // A consumer may give the stream to another one while it is being fed (an upgrade): the
  // bytes it did not take go to that one.
  #feed(): void {
    const buffer = this.#buffer;
    this.#feeding = true;
    try {
      for (;;) {
        const consumer = this.#consumer;
        if (consumer === null || this.#consumerPaused || buffer.length === 0) {
          break;
        }
        buffer.start = consumer._data(buffer.bytes, buffer.start, buffer.end);
        if (consumer === this.#consumer) break;
      }
    } finally {
      this.#feeding = false;
    }
    if (this.#state === State.ENDED && this.#consumer === null) {
      this.#afterEnd();
    }
  }

  // Answers the pending read if the buffer can. `final`: nothing more will come. `now`: a
  // search that was put off is due.
  #tryPending(final: boolean, now = final): void {
    const pending = this.#pending!;
    const { read, future } = pending;
    const count = this.#find(read, final, now);
    if (count === NOT_YET) {
      this.#goOn(pending);
      return;
    }
    this.#forget(pending);
    if (count === TOO_FAR) {
      future._settle(2, this.#unsatisfiable(read as SearchRead));
      return;
    }
    future._settle(1, this.#take(read, count));
    if (this.#state === State.ENDED) this.#afterAnswer(read);
  }

  // How many bytes of the buffer answer a read.
  #find(read: Read, final: boolean, now = final): number {
    const buffer = this.#buffer;
    switch (read.kind) {
      case "bytes":
        if (buffer.length >= read.count) return read.count;
        return read.partial && buffer.length > 0 ? buffer.length : NOT_YET;
      case "search": {
        const { search, maxBytes } = read;
        const full = buffer.length >= maxBytes;
        const count = search.find(buffer.bytes, buffer.start, buffer.end, now || full);
        return count > maxBytes || (count < 0 && full) ? TOO_FAR : count;
      }
      case "into":
        read.filled += buffer.moveInto(read.space.subarray(read.filled));
        return read.filled === read.space.length || (read.partial && read.filled > 0)
          ? read.filled
          : NOT_YET;
      case "close":
        return final ? buffer.length : NOT_YET;
      case "streaming":
        return NOT_YET;
    }
  }

  #take(read: Read, count: number): Uint8Array | number {
    if (read.kind === "into") return count; // they are in its space
    return read.kind === "search" ? this.#buffer.takeShort(count) : this.#buffer.take(count);
  }

  // A read took something, and nothing more will come.
  #afterAnswer(read: Read): void {
    if (read.kind === "close") this.close();
    else this.#afterEnd();
  }

  #unsatisfiable({ search, maxBytes }: SearchRead): StreamClosedError {
    const error = new UnsatisfiableReadError(search.what, this.#buffer.length, maxBytes);
    genLog.info("Unsatisfiable read: {error}", { error: error.message });
    this.close(error);
    return new StreamClosedError(error);
  }

  // Its Future is cancelled, or its time is over.
  #abandon(pending: PendingRead): void {
    if (this.#pending !== pending) return;
    this.#forget(pending);
    this.#giveBack(pending.read);
    if (this.#state === State.ENDED) this.#afterEnd();
    else if (this.#state === State.CLOSED) this.#scheduleCloseCallback();
    else this.#updateInterest();
  }

  #failPending(pending: PendingRead): void {
    this.#forget(pending);
    this.#giveBack(pending.read);
    pending.future._settle(2, new StreamClosedError(this.error));
  }

  #forget({ timeout, retry }: PendingRead): void {
    this.#pending = null;
    if (timeout !== null) this.ioLoop.removeTimeout(timeout);
    if (retry !== null) this.ioLoop.removeTimeout(retry);
  }

  #giveBack(read: Read): void {
    if (read.kind === "into") this.#buffer.putBack(read.space.subarray(0, read.filled));
  }

  #directSpace(read: IntoRead): Uint8Array | null {
    const missing = read.space.length - read.filled;
    if (missing < DIRECT_SIZE) return null;
    this.#direct = read;
    return this.#buffer.lendElsewhere(
      read.space.subarray(read.filled, read.filled + Math.min(missing, this.readChunkSize)),
    );
  }

  #filledDirect(read: IntoRead, count: number): void {
    this.#direct = null;
    if (this.#pending?.read !== read) this.#buffer.filled(count); // it was abandoned
    else {
      this.#buffer.filledElsewhere();
      read.filled += count;
    }
  }

  #streamSoon(read: StreamingRead): void {
    if (read.busy || (this.#buffer.length === 0 && this.#state < State.ENDED)) return;
    read.busy = true;
    this.ioLoop.addCallback(read.step!);
  }

  // On a closed stream, too, a streaming read is given what had come; the close callback waits
  // for that. Tells whether there is anything to wait for.
  #streamOut(pending: PendingRead): boolean {
    const { read } = pending;
    if (read.kind !== "streaming") return false;
    if (this.#buffer.length === 0 && !read.untilClose) return false;
    this.#streamSoon(read);
    return true;
  }

  #stream(pending: PendingRead, read: StreamingRead): unknown {
    if (this.#pending !== pending) return; // it was abandoned
    const chunk = this.#buffer.take(Math.min(read.missing, this.#buffer.length));
    read.missing -= chunk.length;
    if (chunk.length === 0) return this.#streamed(pending, read);
    try {
      const work = read.callback(chunk);
      if (!_isWork(work)) return this.#streamed(pending, read);
      const future = convertYielded(work);
      future._listen({
        _settled: () => {
          if (future._fulfilled) this.#streamed(pending, read);
          else this.#streamFailed(pending, future._value);
        },
      });
      return future; // the loop logs its failure
    } catch (error) {
      this.#streamFailed(pending, error);
      throw error; // for the loop to log
    }
  }

  #streamed(pending: PendingRead, read: StreamingRead): void {
    read.busy = false;
    if (this.#pending !== pending) return;
    const ended = this.#state >= State.ENDED && this.#buffer.length === 0;
    if (read.missing > 0 && !ended) {
      this.#streamSoon(read);
      this.#updateInterest();
    } else if (read.missing > 0 && !read.untilClose) {
      if (this.#state === State.CLOSED) {
        this.#failPending(pending);
        this.#scheduleCloseCallback();
      } else this.close();
    } else {
      this.#forget(pending);
      pending.future._settle(1, EMPTY);
      if (this.#state === State.CLOSED) this.#scheduleCloseCallback();
      else if (read.untilClose) this.close();
      else if (this.#state === State.ENDED) this.#afterEnd();
      else this.#updateInterest();
    }
  }

  #streamFailed(pending: PendingRead, error: unknown): void {
    if (this.#pending !== pending) {
      this.close(error);
      return;
    }
    this.#forget(pending);
    this.close(error);
    this.#scheduleCloseCallback(); // if it was closed before
    pending.future._settle(2, new StreamClosedError(error));
  }

  // The peer sends no more. A consumer decides itself; otherwise the stream closes once
  // what came was taken, and what was written has left.
  #afterEnd(): void {
    if (this.#consumer !== null) this.#consumer._end();
    else if (this.#pending !== null) {
      this.#tryPending(true);
      if (this.#pending !== null && this.#pending.read.kind !== "streaming") this.close();
    } else this.#closeSoonUnlessUsed();
  }

  // Not at once: whoever took the last bytes is about to answer them, and whoever waited for a
  // write, to write on. A timer lets the turn go by, and the microtasks of a connection in
  // memory may have that turn follow at once.
  #closeSoonUnlessUsed(): void {
    if (!this.#isUsed()) this.ioLoop.callLater(0, () => this.#closeUnlessUsed(PATIENCE));
  }

  #closeUnlessUsed(patience: number): void {
    if (this.#state !== State.ENDED || this.#isUsed()) return;
    if (patience > 0) queueMicrotask(() => this.#closeUnlessUsed(patience - 1));
    else this.close();
  }

  // At the end of the input: whether there is something left to do. A peer that has gone, and
  // not just said its last word, fails the write.
  #isUsed(): boolean {
    return this.#pending !== null || this.#consumer !== null || this.#buffer.length > 0 ||
      this.writing();
  }

  // Whether somebody waits for what the next read brings.
  get #wanted(): boolean {
    return this.#consumer !== null
      ? !this.#consumerPaused
      : this.#pending !== null && this.#pending.read.kind !== "streaming";
  }

  #updateInterest(): void {
    if (this.#state !== State.OPEN || this.#feeding || this.#oneWay === "write") return;
    const { length } = this.#buffer;
    if (!this.#wanted) this.#channel.want(this.#readsAhead(length) ? READ : IOLoop.NONE);
    else if (length < this.maxBufferSize) this.#channel.want(READ);
    else this.close(new StreamBufferFullError("read", length + 1, this.maxBufferSize));
  }

  // Whether more is read for nobody: until the buffer is full, and then when half of it was
  // taken. So large parts are read ahead of a slow reader, not as little as it takes at a time.
  #readsAhead(length: number): boolean {
    const most = this.readChunkSize;
    if (length <= most / 2) this.#sated = false;
    else if (length >= most - most / 16) this.#sated = true;
    return !this.#sated;
  }

  #checkWritable(size: number): void {
    if (this.#state === State.CLOSED) throw new StreamClosedError(this.error);
    if (this.#oneWay === "read") throw new Error("Cannot write: the stream only reads");
    const total = this.#queued - this.#flushed + size;
    if (total > this.maxWriteBufferSize) {
      throw new StreamBufferFullError("write", total, this.maxWriteBufferSize);
    }
  }

  #flushSoon(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    this.ioLoop._flushSoon(this);
  }

  #outgoing(): WriteQueue {
    return this.#queue ??= WriteQueue.of(this);
  }

  #writeNext(): void {
    if (this.#transport === null) return;
    const queue = this.#queue;
    this.#writing = queue === null ? null : queue.next();
    if (this.#writing !== null) return queue!.write(this.#writing, this.#transport);
    this.#queue = null;
    queue?.rest();
    if (this.#state === State.CLOSED) this.#free();
    else if (this.#state === State.ENDED) this.#closeSoonUnlessUsed();
  }

  /** Is told by the queue that bytes are in the kernel. @ignore */
  _wrote(count: number): void {
    const piece = this.#writing!;
    const queue = this.#queue!;
    if (this.ioLoop._tracer !== null) this.ioLoop._tracer._wrote(this, count);
    this.#flushed += count;
    if (this.#writes !== null) this.#settleWrites(this.#writes);
    if (this.#drains !== null) this.#settleDrains(this.#drains);
    if (this.#queue !== queue) return; // who was told has freed the stream
    if (count < piece.length) {
      this.#writing = piece.subarray(count);
      queue.write(this.#writing, this.#transport!);
    } else {
      queue.written();
      this.#writeNext();
    }
  }

  /** Is told by the queue that a write failed. @ignore */
  _writeFailed(error: unknown): void {
    if (this.#state === State.CLOSED) this.#free();
    else this.#failed("write", error);
  }

  // Those that are settled go once they are half of all, not one by one: with many thousands
  // behind it, each would cost 100 us.
  #settleWrites(writes: PendingWrite[]): void {
    let count = this.#settledWrites;
    while (count < writes.length && writes[count]!.position <= this.#flushed) {
      writes[count]!.future._settle(1, undefined);
      count++;
    }
    if (count === writes.length) {
      this.#writes = null;
      count = 0;
    } else if (count > writes.length / 2) {
      writes.splice(0, count);
      count = 0;
    }
    this.#settledWrites = count;
  }

  // Who is told may wait again, or cancel another: the list is right before anybody is.
  #settleDrains(drains: readonly Drain[]): void {
    const unwritten = this._unwritten;
    const due = drains.filter(({ mark }) => unwritten <= mark);
    if (due.length === 0) return;
    const rest = drains.filter(({ mark }) => unwritten > mark);
    this.#drains = rest.length > 0 ? rest : null;
    for (const { future } of due) future._settle(1, undefined);
  }

  #failed(action: "read" | "write", error: unknown): void {
    if (!this._isExpected(error)) {
      genLog.warn("Error on {action}: {error}", { action, error: describeError(error) });
    }
    this.close(error);
  }

  // What was queued before close() is still written; a peer that does not take it in time
  // loses it.
  #lingerThenFree(): void {
    this.#linger = this.ioLoop.callLater(LINGER_MS, () => {
      this.#linger = null;
      this.#free();
    });
  }

  #free(): void {
    if (this.#linger !== null) this.ioLoop.removeTimeout(this.#linger);
    this.#linger = null;
    this.#writing = null;
    this.#queue?.drop();
    this.#queue = null;
    if (this.#transport !== null) closeQuietly(this.#transport);
    this.#transport = null;
    const waiting = [...this.#writes ?? [], ...this.#drains ?? []];
    this.#writes = null;
    this.#settledWrites = 0;
    this.#drains = null;
    for (const { future } of waiting) {
      future._settle(2, new StreamClosedError(this.error));
    }
  }

  #call<T>(callback: StreamCallback<T>, result: T): unknown {
    try {
      const work = callback(result);
      if (!_isWork(work)) return undefined;
      const future = convertYielded(work);
      future._listen({
        _settled: () => {
          if (!future._fulfilled) this.close(future._value);
        },
      });
      return future; // the loop logs its failure
    } catch (error) {
      this.close(error);
      throw error; // for the loop to log
    }
  }

  #scheduleCloseCallback(): void {
    const fn = this.#closeCallback;
    this.#closeCallback = null;
    if (fn !== null) this.ioLoop.addCallback(fn);
  }
}

function streamingRead(
  callback: (chunk: Uint8Array) => unknown,
  missing: number,
  untilClose: boolean,
): StreamingRead {
  return { kind: "streaming", callback, untilClose, missing, step: null, busy: false };
}

/** Says what a read waits for, in words. */
function describe(read: Read): string {
  switch (read.kind) {
    case "bytes":
      return read.partial ? "a byte" : `${read.count} bytes`;
    case "search":
      return `until ${read.search.what}`;
    case "into":
      return `${read.space.length} bytes`;
    case "close":
      return "until the end";
    case "streaming":
      return read.untilClose ? "until the end" : `${read.missing} bytes more`;
  }
}

// A bare ArrayBuffer has no `buffer`: it would go out as no bytes at all.
function viewedBytes(data: ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  const what = Object.prototype.toString.call(data).slice(8, -1);
  throw new TypeError(`Cannot write: expected text or a view of bytes, got ${what}`);
}

/** Gives `fn` the name of `callback`, by which the loop logs it. */
function nameAs(callback: (...args: never[]) => unknown, fn: () => unknown): () => unknown {
  return Object.defineProperty(fn, "name", { value: callback.name });
}

function closeQuietly(transport: Transport): void {
  try {
    transport.close();
  } catch {
    // The transport was closed by somebody else; closed is what it shall be.
  }
}

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const NO_OPTIONS: ReadBytesOptions & ReadUntilOptions = {};
