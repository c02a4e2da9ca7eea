// A stream owns a transport. Reading and writing are independent.
//
// Reading. At most one read is in flight, into the tail of the read buffer. Bytes go to
// whoever reads: a pending read (`readUntil` and its like, one at a time) or a consumer (a
// protocol that parses in place, see StreamConsumer). While nobody reads, the stream still
// reads ahead, up to `readChunkSize`: only so it learns that its peer has left.
//
//   OPEN --end of input--> ENDED --nothing left to do--> CLOSED       OPEN --close()--> CLOSED
//
// ENDED: the peer will send no more, but may still read. What is buffered can be read and
// what is queued is written; then the stream closes by itself. A consumer is asked instead.
//
// Writing. Pieces queue and are flushed once, behind the turn: see WriteQueue. `close()`
// lets what was queued before it leave, for LINGER_MS at most.
import { Channel, Future, genLog, IOLoop } from "../ioloop/mod.ts";
import type { ChannelOwner, Flushable, Timeout, Transport } from "../ioloop/mod.ts";
import { StreamBufferFullError, StreamClosedError, UnsatisfiableReadError } from "./errors.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { type ByteSearch, DelimiterSearch } from "./search.ts";
import { WriteQueue } from "./write_queue.ts";

const READ = IOLoop.READ;
const LINGER_MS = 5000;

/** Bytes or text; text goes out as UTF-8. */
export type Data = string | Uint8Array;

/** Options of {@linkcode IOStream}. */
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

/** Options of {@linkcode IOStream.readUntil}. */
export interface ReadUntilOptions {
  /** The most bytes to look at, the delimiter included; beyond it the stream is closed. */
  maxBytes?: number;
}

/** Options of {@linkcode IOStream.readBytes}. */
export interface ReadBytesOptions {
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

const State = { OPEN: 0, ENDED: 1, CLOSED: 2 } as const;
type State = typeof State[keyof typeof State];

type Read =
  | {
    readonly kind: "bytes";
    readonly count: number;
    readonly partial: boolean;
  }
  | {
    readonly kind: "search";
    readonly search: ByteSearch;
    readonly maxBytes: number;
  }
  | { readonly kind: "close" };

interface PendingRead {
  readonly read: Read;
  readonly future: Future<Uint8Array>;
}

interface PendingWrite {
  readonly position: number; // of #flushed at which it is done
  readonly future: Future<void>;
}

/**
 * Reads and writes a connection without blocking, with limits and back-pressure.
 *
 * It takes any {@linkcode Transport}, a `Deno.Conn` for one, and owns it: closing the stream
 * closes the transport. One read can be pending at a time; reads and writes are independent.
 *
 * @example A line over a real socket
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const [one, other] = yield* IOStream.pair();
 *   one.write("hello\n");
 *   const line = yield* other.readUntil("\n");
 *   assertEquals(new TextDecoder().decode(line), "hello\n");
 *   one.close();
 *   other.close();
 * });
 * ```
 */
export class IOStream implements ChannelOwner<number | null>, Flushable {
  /** See {@linkcode IOStreamOptions.maxBufferSize}. */
  readonly maxBufferSize: number;
  /** See {@linkcode IOStreamOptions.readChunkSize}. */
  readonly readChunkSize: number;
  /** See {@linkcode IOStreamOptions.maxWriteBufferSize}; Infinity when there is none. */
  readonly maxWriteBufferSize: number;
  /** The loop it belongs to. */
  readonly ioLoop: IOLoop;
  /** Why it closed; null while it is open and after a clean end. */
  error: unknown = null;

  #state: State = State.OPEN;
  #transport: Transport | null;
  readonly #channel: Channel<number | null>;
  readonly #buffer: ReadBuffer;
  #pending: PendingRead | null = null; // at most one of #pending and #consumer
  #consumer: StreamConsumer | null = null;
  #consumerPaused = false;
  #feeding = false; // bytes of the buffer are in use by the consumer: they must not move
  readonly #queue = new WriteQueue();
  #flushQueued = false;
  #writing: Uint8Array | null = null; // what the write in flight was given
  #queued = 0; // bytes that were ever written to the stream
  #flushed = 0; // bytes of these that are in the kernel
  #writes: PendingWrite[] = []; // by position
  #seenFlushed = 0; // #flushed when _stalledFor() last saw it move
  #seenAt = 0; // and when that was
  #closeCallback: (() => unknown) | null = null;
  #linger: Timeout | null = null;

  /** Takes over `transport`. */
  constructor(
    transport: Transport,
    {
      maxBufferSize = 104857600,
      readChunkSize = 65536,
      maxWriteBufferSize = Infinity,
      ioLoop = IOLoop.current(),
    }: IOStreamOptions = {},
  ) {
    this.maxBufferSize = maxBufferSize;
    this.readChunkSize = Math.max(
      1,
      Math.min(readChunkSize, maxBufferSize >> 1),
    );
    this.maxWriteBufferSize = maxWriteBufferSize;
    this.ioLoop = ioLoop;
    this.#transport = transport;
    this.#buffer = new ReadBuffer(this.readChunkSize);
    this.#channel = new Channel(ioLoop, this);
    this.#channel.want(READ);
  }

  /** Connects two streams over a loopback socket; for tests and examples. */
  static pair(options: IOStreamOptions = {}): Future<[IOStream, IOStream]> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname, port } = listener.addr as Deno.NetAddr;
    const both = Promise.all([
      Deno.connect({ hostname, port }),
      listener.accept(),
    ])
      .finally(() => listener.close());
    return Future.from(
      both.then((
        [one, other],
      ) => [new IOStream(one, options), new IOStream(other, options)]),
    );
  }

  /**
   * Connects to a TCP address. The Future fails with the platform's error, such as
   * `Deno.errors.ConnectionRefused`; cancelling it gives the attempt up.
   */
  static connect(
    address: Deno.ConnectOptions,
    options: IOStreamOptions = {},
  ): Future<IOStream> {
    const loop = options.ioLoop ?? IOLoop.current();
    const future = new Future<IOStream>();
    Deno.connect(address).then((conn) => {
      if (future.done()) conn.close();
      else future._settle(1, new IOStream(conn, { ...options, ioLoop: loop }));
    }, (error) => future._settle(2, error));
    return future;
  }

  /** The transport; null once the stream is closed. */
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
   * @throws {Error} when a read is pending.
   * @throws {TypeError} when the delimiter is empty.
   */
  readUntil(
    delimiter: Data,
    { maxBytes = Infinity }: ReadUntilOptions = {},
  ): Future<Uint8Array> {
    const bytes = typeof delimiter === "string" ? encoder.encode(delimiter) : delimiter.slice();
    if (bytes.length === 0) {
      throw new TypeError("Cannot read until an empty delimiter");
    }
    return this.#read({
      kind: "search",
      search: new DelimiterSearch(bytes),
      maxBytes,
    });
  }

  /**
   * Reads `count` bytes or, with `partial`, as many of them as there are, at least one.
   *
   * @throws {Error} when a read is pending.
   * @throws {RangeError} when `count` is not a whole number of at least 0.
   */
  readBytes(
    count: number,
    { partial = false }: ReadBytesOptions = {},
  ): Future<Uint8Array> {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(
        `Cannot read ${count} bytes: expected a whole number from 0`,
      );
    }
    return this.#read({ kind: "bytes", count, partial });
  }

  /**
   * Reads all that comes until the stream ends; on a closed stream, what is left in its buffer.
   *
   * @throws {Error} when a read is pending.
   */
  readUntilClose(): Future<Uint8Array> {
    if (this.#state === State.CLOSED && this.#pending === null) {
      return Future.resolved(this.#buffer.take(this.#buffer.length));
    }
    return this.#read({ kind: "close" });
  }

  /**
   * Queues `data`; what is written in one turn leaves together. The Future is done when the
   * bytes are in the kernel. Arrays of more than 4 KiB are not copied: leave them unchanged
   * until then.
   *
   * @throws {StreamClosedError} when the stream is closed.
   * @throws {StreamBufferFullError} when `maxWriteBufferSize` would be passed; nothing of
   *   `data` is written then.
   */
  write(data: Data | ArrayBufferView): Future<void> {
    const bytes = typeof data === "string"
      ? encoder.encode(data)
      : data instanceof Uint8Array
      ? data
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#checkWritable(bytes.length);
    if (bytes.length > 0) this._writeBytes(bytes);
    return this._whenWritten();
  }

  /**
   * Calls `fn` once when the stream closes, for whatever reason, after data that had arrived
   * was given to the pending read. On a closed stream it is called in the next turn; null
   * removes it.
   */
  setCloseCallback(fn: (() => unknown) | null): void {
    this.#closeCallback = fn;
    if (this.#state === State.CLOSED) this.#scheduleCloseCallback();
  }

  /**
   * Closes the stream. A pending read that the buffer can answer is answered first; other
   * reads and writes fail with {@linkcode StreamClosedError}. Without an `error`, what was
   * written before still leaves. A second call does nothing.
   */
  close(error: unknown = null): void {
    if (this.#state === State.CLOSED) return;
    if (this.#pending !== null && !this.#feeding) this.#tryRead(true);
    if (this.closed()) return; // the read was beyond its limit
    this.error = error;
    this.#state = State.CLOSED;
    this.#channel.close();
    if (error === null && this.writing()) this.#lingerThenFree();
    else this.#free();
    const pending = this.#pending;
    this.#pending = null;
    pending?.future._settle(2, new StreamClosedError(error));
    const consumer = this.#consumer;
    this.#consumer = null;
    consumer?._closed();
    this.#scheduleCloseCallback();
  }

  /** Ends the sending direction once what is queued has left; the peer reads the end. */
  async closeWrite(): Promise<void> {
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
    const state = ["open", "ended", "closed"][this.#state];
    return `IOStream { ${state}, ${this.#buffer.length} bytes to read, ` +
      `${this.#queued - this.#flushed} to write }`;
  }

  /** Gives the stream to a protocol that parses in place, or takes it back (null). @ignore */
  _consume(consumer: StreamConsumer | null): void {
    if (this.#pending !== null) {
      throw new Error("Cannot consume: a read is pending");
    }
    this.#consumer = consumer;
    this.#consumerPaused = false;
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
    else this.#writes.push({ position: this.#queued, future });
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
    this.#queued += this.#queue.addText(text);
    this.#flushSoon();
  }

  /** Queues latin-1 text without a Future; the stream must be open. @ignore */
  _writeLatin1(text: string): void {
    this.#queued += this.#queue.addLatin1(text);
    this.#flushSoon();
  }

  /** Queues bytes without a Future; the stream must be open. @ignore */
  _writeBytes(bytes: Uint8Array): void {
    this.#queued += bytes.length;
    this.#queue.addBytes(bytes);
    this.#flushSoon();
  }

  /** Starts the next read; called by the channel. @ignore */
  begin(): Promise<number | null> {
    const limit = this.#readLimit() - this.#buffer.length;
    return this.#transport!.read(
      this.#buffer.lend(Math.min(limit, this.readChunkSize)),
    );
  }

  /** Takes what the read brought; called in the loop's turn. @ignore */
  ready(): void {
    let count: number | null | undefined;
    try {
      count = this.#channel.take();
    } catch (error) {
      this.close(error);
      return;
    }
    if (count === undefined) return;
    if (count !== null) {
      this.#buffer.filled(count);
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

  #read(read: Read): Future<Uint8Array> {
    if (this.#pending !== null) {
      throw new Error("Cannot read: another read is pending");
    }
    if (this.#consumer !== null) {
      throw new Error("Cannot read: a protocol owns the stream");
    }
    const future = new Future<Uint8Array>(() => {
      if (this.#pending?.future === future) this.#pending = null;
      this.#updateInterest();
    });
    this.#pending = { read, future };
    // The consumer that let go of the stream has not said yet where it stopped.
    if (this.#feeding && this.#state !== State.CLOSED) return future;
    this.#tryRead(this.#state !== State.OPEN);
    if (this.#pending === null) return future;
    if (this.#state === State.CLOSED) {
      this.#pending = null;
      throw new StreamClosedError(this.error);
    }
    if (this.#state === State.ENDED) this.close();
    else this.#updateInterest();
    return future;
  }

  // Hands over what has come, then says what is wanted from here on.
  #deliver(): void {
    if (this.#feeding) return;
    if (this.#consumer !== null) this.#feed();
    if (this.#consumer === null && this.#pending !== null) this.#tryRead(false);
    this.#updateInterest();
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

  // Answers the pending read if the buffer can. `final`: nothing more will come.
  #tryRead(final: boolean): void {
    const { read, future } = this.#pending!;
    const buffer = this.#buffer;
    let count = -1;
    if (read.kind === "bytes") {
      if (buffer.length >= read.count) count = read.count;
      else if (read.partial && buffer.length > 0) count = buffer.length;
    } else if (read.kind === "search") {
      count = read.search.find(buffer.bytes, buffer.start, buffer.end);
      if (
        count > read.maxBytes || (count < 0 && buffer.length >= read.maxBytes)
      ) {
        this.#unsatisfiable(
          new UnsatisfiableReadError(read.search.what, read.maxBytes),
        );
        return;
      }
    } else if (final) count = buffer.length;
    if (count < 0) return;
    this.#pending = null;
    future._settle(1, buffer.take(count));
    if (this.#state !== State.ENDED) return;
    if (read.kind === "close") this.close();
    else this.#afterEnd();
  }

  #unsatisfiable(error: UnsatisfiableReadError): void {
    genLog.info("Unsatisfiable read: {error}", { error: error.message });
    const { future } = this.#pending!;
    this.#pending = null;
    this.close(error);
    future._settle(2, new StreamClosedError(error));
  }

  // The peer sends no more. A consumer decides itself; otherwise the stream closes once
  // what came was taken, and what was written has left.
  #afterEnd(): void {
    if (this.#consumer !== null) this.#consumer._end();
    else if (this.#pending !== null) {
      this.#tryRead(true);
      if (this.#pending !== null) this.close();
    } else if (this.#buffer.length === 0) this.ioLoop.callLater(0, () => this.#closeUnused());
  }

  // Not at once: whoever took the last bytes is about to answer them. A timer, because its
  // turn comes behind all microtasks.
  #closeUnused(): void {
    const used = this.#pending !== null || this.#consumer !== null || this.#buffer.length > 0;
    if (this.#state === State.ENDED && !used) this.close();
  }

  #readLimit(): number {
    const wanted = this.#consumer !== null ? !this.#consumerPaused : this.#pending !== null;
    return wanted ? this.maxBufferSize : this.readChunkSize;
  }

  #updateInterest(): void {
    if (this.#state !== State.OPEN || this.#feeding) return;
    const limit = this.#readLimit();
    if (this.#buffer.length < limit) this.#channel.want(READ);
    else if (limit < this.maxBufferSize) this.#channel.want(IOLoop.NONE);
    else {this.close(
        new StreamBufferFullError("read", this.#buffer.length + 1, limit),
      );}
  }

  #checkWritable(size: number): void {
    if (this.#state === State.CLOSED) throw new StreamClosedError(this.error);
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

  #writeNext(): void {
    if (this.#transport === null) return;
    this.#writing = this.#queue.next();
    if (this.#writing !== null) this.#startWrite(this.#writing);
    else if (this.#state === State.CLOSED) this.#free();
  }

  #startWrite(piece: Uint8Array): void {
    this.#transport!.write(piece).then(this.#wrote, this.#writeFailed);
  }

  readonly #wrote = (count: number): void => {
    const piece = this.#writing;
    if (piece === null) return; // it was freed meanwhile
    this.#flushed += count;
    if (this.#writes.length > 0) this.#settleWrites();
    if (count < piece.length) {
      this.#writing = piece.subarray(count);
      this.#startWrite(this.#writing);
    } else {
      this.#queue.written();
      this.#writeNext();
    }
  };

  readonly #writeFailed = (error: unknown): void => {
    if (this.#writing === null) return;
    if (this.#state === State.CLOSED) this.#free();
    else this.close(error);
  };

  #settleWrites(): void {
    let count = 0;
    while (
      count < this.#writes.length &&
      this.#writes[count]!.position <= this.#flushed
    ) {
      this.#writes[count]!.future._settle(1, undefined);
      count++;
    }
    this.#writes.splice(0, count);
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
    this.#queue.clear();
    try {
      this.#transport?.close();
    } catch {
      // The transport was closed by somebody else; closed is what it shall be.
    }
    this.#transport = null;
    const writes = this.#writes;
    this.#writes = [];
    for (const { future } of writes) {
      future._settle(2, new StreamClosedError(this.error));
    }
  }

  #scheduleCloseCallback(): void {
    const fn = this.#closeCallback;
    this.#closeCallback = null;
    if (fn !== null) this.ioLoop.addCallback(fn);
  }
}

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
