// One end of a WebSocket on a stream: frames in, messages out, and the closing handshake
// (RFC 6455 7):
//
//   OPEN --close() or a failure--> CLOSING --peer's close frame--> stream closes
//     +------peer's close frame, answered-----------------------------^
//
// In CLOSING what else comes is read and dropped, for CLOSE_MS at most; closing a socket
// with unread bytes would reset it, and the peer would lose our close frame. The server ends
// the TCP connection first; a client that has both close frames waits for that, in CLOSING.
//
// Messages are delivered one at a time: while the receiver is at work on one, the stream is
// paused, and so, in the end, is the peer. So is a peer that pings or asks and does not read
// the answers: they would pile up.
//
// Pings. Every `pingInterval` one is sent, and its pong must come within `pingTimeout`. While
// the stream is paused no pong can be read, and none is missed.
import type { Upgraded } from "../http/mod.ts";
import { Future, genLog, type Timeout } from "../ioloop/mod.ts";
import type { IOStream, StreamConsumer } from "../iostream/mod.ts";
import { MessageDeflater, MessageInflater } from "./_deflate.ts";
import { PingClock, type Waiter } from "./_ping_clock.ts";
import { RandomMasks } from "./_random_masks.ts";
import { tryUtf8Text } from "./_utf8.ts";
import { CloseCode } from "./close_code.ts";
import {
  type CompressionOptions,
  compressionSettings,
  type DeflateAgreement,
} from "./deflate_extension.ts";
import { WebSocketClosedError, WebSocketError, WriteBufferFullError } from "./errors.ts";
import { FIN, MAX_CONTROL_PAYLOAD, Opcode, RSV1 } from "./frame.ts";
import { FrameDecoder, FrameEvent } from "./frame_decoder.ts";
import { encodeClose, frameHeaderSize, writeFrameHeader } from "./frame_encoder.ts";
import { maskInPlace, readMask } from "./mask.ts";
import type { PreparedMessage } from "./prepared_message.ts";

const CLOSE_MS = 5000; // for the peer's answer to our close frame
const MAX_UNWRITTEN_PONGS = 65536; // bytes unwritten, from which a ping has to wait
export const MAX_WRITE_BUFFER = 1048576; // bytes unwritten, beyond which whatever comes has to wait
export const PING_INTERVAL = 30_000; // ms
export const MAX_MESSAGE_SIZE = 10 * 1024 * 1024;
const SCRATCH_SIZE = 4096; // text that surely fits is encoded here, behind room for a header
const MAX_HEADER = 14;

/**
 * Says what becomes of a message when more than `maxWriteBufferSize` bytes wait for the peer:
 * `"wait"`: it waits behind them, and nothing is read from the peer meanwhile; `"drop"`: it is
 * not sent; `"close"`: it is not sent, and the connection is closed with 1008.
 */
export type WriteBufferPolicy = "wait" | "drop" | "close";

/** Limits and times of a WebSocket, for either end. */
export interface WebSocketParams {
  /**
   * The ms between two pings; 0 for none.
   *
   * @default {30000}
   */
  pingInterval?: number;
  /**
   * The ms in which a pong must come, at most `pingInterval`, which it is by default; 0: it
   * need not.
   */
  pingTimeout?: number;
  /**
   * The most bytes of a message that comes, before and after it is inflated; a larger one
   * closes the connection with 1009.
   *
   * @default {10485760}
   */
  maxMessageSize?: number;
  /**
   * How many bytes may wait for the peer before {@linkcode writeBufferPolicy} takes effect.
   *
   * @default {1048576}
   */
  maxWriteBufferSize?: number;
  /**
   * What becomes of a message when too many bytes wait.
   *
   * @default {"wait"}
   */
  writeBufferPolicy?: WriteBufferPolicy;
  /** How messages are compressed; null, the default: they are not. */
  compressionOptions?: CompressionOptions | null;
}

/** Options of {@linkcode WebSocketConnection}. */
export interface WebSocketConnectionOptions extends WebSocketParams {
  /**
   * Whether it is the client's end, which masks what it sends.
   *
   * @default {false}
   */
  client?: boolean;
  /** What the handshake agreed on; null, the default: no compression. */
  deflate?: DeflateAgreement | null;
}

/** Receives what a {@linkcode WebSocketConnection} reads. Its methods must not throw. */
export interface WebSocketReceiver {
  /** Takes a message; the next one comes when the Future it returns, if any, is done. */
  receive(message: string | Uint8Array): Future<unknown> | null;
  /** Takes the data of a ping, which was answered already. */
  receivePing(data: Uint8Array): void;
  /** Takes the data of a pong. */
  receivePong(data: Uint8Array): void;
  /** Is told, once, that the connection ended. */
  receiveEnd(): void;
}

const State = { OPEN: 0, CLOSING: 1, CLOSED: 2 } as const;
type State = typeof State[keyof typeof State];

/** Is one end of a WebSocket, once the handshake is done. */
export class WebSocketConnection implements StreamConsumer, Upgraded {
  /** The code of the peer's close frame; null until one came, or if it held none. */
  closeCode: number | null = null;
  /** The reason of the peer's close frame; null until one came. */
  closeReason: string | null = null;
  /** See {@linkcode Upgraded.onEnd}. */
  onEnd: ((ended: Upgraded) => void) | null = null;

  readonly #receiver: WebSocketReceiver;
  readonly #decoder: FrameDecoder;
  readonly #client: boolean;
  readonly #maxMessageSize: number;
  readonly #maxWriteBufferSize: number;
  readonly #policy: WriteBufferPolicy;
  readonly #maxUnread: number; // bytes unwritten, beyond which nothing is read
  readonly #deflater: MessageDeflater | null = null; // both are there, or neither
  readonly #inflater: MessageInflater | null = null;
  #pings: Pings | null = null; // from startPinging() to the end, if there are any
  #stream: IOStream | null = null; // there from start()
  #state: State = State.OPEN;
  #busy = false; // the receiver is at work on a message, or too much waits to be written
  #ended = false; // a client's peer sends no more, and what came before is still to be taken
  #timeout: Timeout | null = null; // for the peer's close frame, or its end

  /**
   * Makes a connection that reads nothing before {@linkcode start}.
   *
   * @throws {RangeError} when a number of `options` is out of its range.
   */
  constructor(receiver: WebSocketReceiver, options: WebSocketConnectionOptions = {}) {
    const { client = false, maxMessageSize = MAX_MESSAGE_SIZE, deflate = null } = options;
    const { maxWriteBufferSize = MAX_WRITE_BUFFER, writeBufferPolicy = "wait" } = options;
    if (!(maxWriteBufferSize >= 0)) {
      throw new RangeError(
        `Cannot connect: maxWriteBufferSize must be 0 or more, not ${maxWriteBufferSize}`,
      );
    }
    this.#receiver = receiver;
    this.#client = client;
    this.#maxMessageSize = maxMessageSize;
    this.#maxWriteBufferSize = maxWriteBufferSize;
    this.#policy = writeBufferPolicy;
    this.#maxUnread = writeBufferPolicy === "wait" ? maxWriteBufferSize : Infinity;
    this.#decoder = new FrameDecoder({
      masked: !client,
      maxMessageSize,
      allowRsv1: deflate !== null,
    });
    if (deflate !== null) {
      const settings = compressionSettings(options.compressionOptions ?? {});
      this.#deflater = new MessageDeflater(settings, deflate.outgoing);
      this.#inflater = new MessageInflater(deflate.incoming);
    }
  }

  /** Gives it the stream, so that it can write; it reads from {@linkcode startReading} on. */
  start(stream: IOStream): void {
    this.#stream = stream;
    this.#busy = true;
    stream._consume(this);
    stream._pause();
  }

  /** Starts to deliver messages. */
  startReading(): void {
    this.#goOn();
  }

  /**
   * Starts to ping, if there is an interval; does nothing when it has started already.
   *
   * @throws {RangeError} when a number is below 0.
   */
  startPinging(params: WebSocketParams): void {
    const { interval, timeout } = pingTimes(params);
    if (interval === 0 || this.#pings !== null || this.closing || this.#stream === null) return;
    this.#pings = new Pings(this, PingClock.of(this.#stream.ioLoop), interval, timeout);
  }

  /** Whether the closing handshake began, or the connection ended. */
  get closing(): boolean {
    return this.#state !== State.OPEN;
  }

  /** Whether messages are compressed. */
  get compressed(): boolean {
    return this.#deflater !== null;
  }

  /** How many bytes wait to be taken by the kernel. */
  get bufferedAmount(): number {
    return this.#stream?._unwritten ?? 0;
  }

  /** Sets TCP_NODELAY, once what is being written is in the kernel. */
  setNoDelay(value: boolean): void {
    const stream = this.#stream;
    if (stream === null || stream.closed()) return;
    if (!stream.writing()) return stream.setNoDelay(value);
    // The platform refuses it while a write is pending.
    stream._whenWritten()._listen({ _settled: () => this.setNoDelay(value) });
  }

  /**
   * Sends a message. The Future is done when the kernel has it, and fails with
   * {@linkcode WebSocketClosedError} if the connection ends before; with
   * {@linkcode WriteBufferFullError} if too many bytes wait and the policy is not to wait.
   *
   * @throws {WebSocketClosedError} when the closing handshake began.
   */
  send(message: string | Uint8Array, binary: boolean): Future<void> {
    const stream = this.#writable();
    if (stream._unwritten > this.#maxWriteBufferSize && this.#policy !== "wait") {
      return this.#refuse(stream._unwritten);
    }
    const opcode = binary ? Opcode.BINARY : Opcode.TEXT;
    if (this.#deflater !== null) this.#sendCompressed(stream, this.#deflater, opcode, message);
    else if (typeof message === "string") this.#sendText(stream, FIN | opcode, message);
    else this.#sendFrame(stream, FIN | opcode, message);
    return stream._whenWritten(new Sending());
  }

  /** Sends a message that goes to others as well; else as {@linkcode send}. */
  sendPrepared(message: PreparedMessage): Future<void> {
    if (this.#client) return this.send(message._payload, message.binary); // each frame has a mask
    const stream = this.#writable();
    if (stream._unwritten > this.#maxWriteBufferSize && this.#policy !== "wait") {
      return this.#refuse(stream._unwritten);
    }
    const deflater = this.#deflater;
    const compressed = deflater !== null && deflater.takes(message.size)
      ? message._compressedFrame(deflater.key, (payload) => deflater.deflateAlone(payload))
      : null;
    if (compressed !== null) deflater!.sentAlone(message._payload);
    stream._writeShared(compressed ?? message._plainFrame);
    return stream._whenWritten(new Sending());
  }

  /**
   * Sends a ping.
   *
   * @throws {RangeError} when the data is over 125 bytes.
   * @throws {WebSocketClosedError} when the closing handshake began.
   */
  ping(data: Uint8Array): void {
    if (data.length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(
        `Cannot ping: at most ${MAX_CONTROL_PAYLOAD} bytes of data, got ${data.length}`,
      );
    }
    this.#sendFrame(this.#writable(), FIN | Opcode.PING, data);
  }

  /**
   * Begins the closing handshake; does nothing when it began already.
   *
   * @throws {RangeError} when the code may not be sent, or the reason is over 123 bytes.
   */
  sendClose(code?: number, reason?: string): void {
    const payload = encodeClose(code, reason);
    if (this.#state !== State.OPEN) return;
    this.#beginClose(payload);
  }

  /** See {@linkcode Upgraded.shutdown}. */
  shutdown(): void {
    this.sendClose(CloseCode.GOING_AWAY);
  }

  /** See {@linkcode Upgraded.close}. What was not written yet is lost. */
  close(): void {
    // The error keeps the stream from lingering on a peer that may never read.
    this.#stream?.close(new WebSocketClosedError("the connection was dropped"));
  }

  /** See {@linkcode Upgraded.checkTimes}. */
  checkTimes(now: number, writeTimeout: number): void {
    if (this.#stream === null || this.#stream._stalledFor(now) < writeTimeout) return;
    genLog.info("Closing a WebSocket: its peer does not take what is written");
    this.close();
  }

  /** Whether pongs would be read; asked by the pings. @ignore */
  get _reading(): boolean {
    return !this.#busy;
  }

  /** Decodes what came; called by the stream. @ignore */
  _data(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#state === State.OPEN) {
      const stream = this.#stream!;
      if (!this.#busy && stream._unwritten > this.#maxUnread) {
        this.#waitFor(stream._whenWritten());
      }
      if (this.#busy) {
        stream._pause();
        return at;
      }
      try {
        at = this.#decoder.next(bytes, at, end);
      } catch (error) {
        this.#fail(error as WebSocketError);
        return end;
      }
      if (this.#decoder.event === FrameEvent.NONE) return at;
      this.#handleEvent();
    }
    return this.#dropUntilClose(bytes, at, end);
  }

  /** Notes that the peer sends no more; called by the stream. @ignore */
  _end(): void {
    // A server lets go what it is at work on. A client's messages wait for whoever reads them.
    if (this.#client && this.#busy && this.#state === State.OPEN) this.#ended = true;
    else this.#stream!.close();
  }

  /** Lets go; called by the stream. @ignore */
  _closed(): void {
    this.#state = State.CLOSED;
    if (this.#timeout !== null) this.#stream!.ioLoop.removeTimeout(this.#timeout);
    this.#timeout = null;
    this.#stopPinging();
    const onEnd = this.onEnd;
    this.onEnd = null;
    onEnd?.(this);
    this.#receiver.receiveEnd();
  }

  #writable(): IOStream {
    if (this.#state !== State.OPEN || this.#stream === null) {
      throw new WebSocketClosedError("Cannot write: the WebSocket is closed");
    }
    return this.#stream;
  }

  // What cannot be sent now, and must not wait.
  #refuse(unwritten: number): Future<void> {
    const future = Future.failed<void>(
      new WriteBufferFullError(unwritten, this.#maxWriteBufferSize),
    );
    future._observe(); // as of a write: who does not look at it shall not be told by the log
    if (this.#policy === "close") {
      this.sendClose(CloseCode.POLICY_VIOLATION, "messages are not read fast enough");
    }
    return future;
  }

  #handleEvent(): void {
    const decoder = this.#decoder;
    switch (decoder.event) {
      case FrameEvent.TEXT:
        return decoder.compressed ? this.#deliverInflated(true) : this.#deliver(decoder.text);
      case FrameEvent.BINARY:
        return decoder.compressed ? this.#deliverInflated(false) : this.#deliver(decoder.data);
      case FrameEvent.PING:
        return this.#pong(decoder.data);
      case FrameEvent.PONG:
        this.#pings?.pong();
        return this.#receiver.receivePong(decoder.data);
      default:
        return this.#peerClosed();
    }
  }

  #deliverInflated(text: boolean): void {
    let message: string | Uint8Array;
    try {
      message = this.#inflater!.inflate(this.#decoder.data, this.#maxMessageSize);
      if (text) message = textOf(message);
    } catch (error) {
      return this.#fail(error as WebSocketError);
    }
    this.#deliver(message);
  }

  #deliver(message: string | Uint8Array): void {
    const work = this.#receiver.receive(message);
    if (work !== null) this.#waitFor(work);
  }

  #pong(data: Uint8Array): void {
    const stream = this.#stream!;
    this.#sendFrame(stream, FIN | Opcode.PONG, data);
    if (stream._unwritten > MAX_UNWRITTEN_PONGS) this.#waitFor(stream._whenWritten());
    this.#receiver.receivePing(data);
  }

  // Reads on when `work` is done.
  #waitFor(work: Future<unknown>): void {
    this.#busy = true;
    work._listen({ _settled: () => this.#goOn() });
  }

  #goOn(): void {
    const stream = this.#stream;
    this.#busy = false;
    stream?._resume();
    if (this.#ended && !this.#busy) stream!.close();
  }

  #peerClosed(): void {
    const { closeCode, closeReason } = this.#decoder;
    this.closeCode = closeCode;
    this.closeReason = closeReason;
    const stream = this.#stream!;
    if (this.#state === State.OPEN) {
      this.#state = State.CLOSING;
      this.#stopPinging();
      this.#sendFrame(stream, FIN | Opcode.CLOSE, encodeClose(closeCode));
    }
    // RFC 6455 7.1.1: the server ends the TCP connection first.
    if (this.#client && !stream._ended) this.#limitClose(stream);
    else stream.close();
  }

  // After our close frame only the peer's is of interest; after a failure not even that.
  #dropUntilClose(bytes: Uint8Array, start: number, end: number): number {
    try {
      let at = start;
      while (this.#state === State.CLOSING) {
        at = this.#decoder.next(bytes, at, end);
        if (this.#decoder.event === FrameEvent.NONE) return at;
        if (this.#decoder.event === FrameEvent.CLOSE) this.#peerClosed();
      }
    } catch {
      // What the peer breaks now changes nothing: the connection is ending.
    }
    return end;
  }

  #fail(error: WebSocketError): void {
    const reason = error.code === CloseCode.MESSAGE_TOO_BIG ? "message too big" : "";
    this.#beginClose(encodeClose(error.code, reason));
    this.#stream!.closeWrite().catch(() => this.close());
  }

  #beginClose(payload: Uint8Array): void {
    const stream = this.#stream!;
    this.#state = State.CLOSING;
    this.#stopPinging();
    this.#sendFrame(stream, FIN | Opcode.CLOSE, payload);
    this.#limitClose(stream);
    stream._resume(); // a receiver at work must not keep the peer's close frame away
    if (this.#ended) stream.close();
  }

  #limitClose(stream: IOStream): void {
    this.#timeout ??= stream.ioLoop._callLater(CLOSE_MS, () => this.close());
  }

  #stopPinging(): void {
    this.#pings?.stop();
    this.#pings = null;
  }

  #sendCompressed(
    stream: IOStream,
    deflater: MessageDeflater,
    opcode: number,
    message: string | Uint8Array,
  ): void {
    const payload = bytesOf(message);
    const compressed = deflater.takes(payload.length) ? deflater.deflate(payload) : null;
    if (compressed === null) this.#sendFrame(stream, FIN | opcode, payload);
    else this.#sendFrame(stream, FIN | RSV1 | opcode, compressed);
  }

  #sendText(stream: IOStream, first: number, text: string): void {
    if (!this.#client && stream._writeShortAscii(first, text.length, text)) return;
    if (3 * text.length <= SCRATCH_SIZE - MAX_HEADER) {
      this.#sendScratch(stream, first, encoder.encodeInto(text, scratchPayload).written);
    } else this.#sendFrame(stream, first, encoder.encode(text));
  }

  #sendFrame(stream: IOStream, first: number, payload: Uint8Array): void {
    const { length } = payload;
    if (length <= SCRATCH_SIZE - MAX_HEADER) {
      scratch.set(payload, MAX_HEADER);
      return this.#sendScratch(stream, first, length);
    }
    const mask = this.#client ? masks.next() : undefined;
    const begin = writeHeaderBefore(first, length, mask);
    stream._writeBytes(scratch.subarray(begin, MAX_HEADER));
    stream._writeBytes(mask === undefined ? payload : maskedCopy(payload, mask));
  }

  // Sends the first `length` bytes of the scratch payload.
  #sendScratch(stream: IOStream, first: number, length: number): void {
    let begin: number;
    if (this.#client) {
      const mask = masks.next();
      begin = writeHeaderBefore(first, length, mask);
      maskInPlace(scratch, MAX_HEADER, MAX_HEADER + length, readMask(mask, 0));
    } else begin = writeHeaderBefore(first, length, undefined);
    stream._writeBytes(scratch.subarray(begin, MAX_HEADER + length));
  }
}

const cut = new Set<string>(); // what the log was told of timeouts that were too long

/**
 * The times of the pings, as they are used.
 *
 * @throws {RangeError} when one is below 0.
 */
function pingTimes(
  { pingInterval: interval = PING_INTERVAL, pingTimeout: timeout = interval }: WebSocketParams,
): { interval: number; timeout: number } {
  if (!(interval >= 0 && timeout >= 0)) {
    throw new RangeError(
      `Cannot ping every ${interval} ms and wait ${timeout} ms: expected numbers from 0`,
    );
  }
  if (timeout <= interval || interval === 0) return { interval, timeout };
  const key = `${interval} ${timeout}`;
  if (!cut.has(key)) {
    cut.add(key);
    genLog.warn("The ping timeout of {timeout} ms is cut to the interval, {interval} ms", {
      timeout,
      interval,
    });
  }
  return { interval, timeout: interval };
}

// The pings of one connection:
//
//   resting --ping--> awaiting --pong--> answered --at the end of the timeout--> resting
//                        +----no pong by then----> the connection closes
class Pings implements Waiter {
  due = 0;
  lane: Set<Waiter> | null = null;
  readonly #connection: WebSocketConnection;
  readonly #clock: PingClock;
  readonly #interval: number;
  readonly #timeout: number; // 0: pongs are not awaited
  #state: "resting" | "awaiting" | "answered" = "resting";

  constructor(
    connection: WebSocketConnection,
    clock: PingClock,
    interval: number,
    timeout: number,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#interval = interval;
    this.#timeout = timeout;
    clock.wait(this, interval);
  }

  stop(): void {
    this.#clock.leave(this);
  }

  pong(): void {
    if (this.#state === "awaiting") this.#state = "answered";
  }

  ring(): void {
    const timeout = this.#timeout;
    if (this.#state === "awaiting") {
      if (this.#connection._reading) {
        this.#connection.sendClose(CloseCode.NORMAL, "ping timed out");
      } else this.#clock.wait(this, timeout); // the pong may be there already
      return;
    }
    if (this.#state === "answered") {
      this.#state = "resting";
      if (timeout < this.#interval) return this.#clock.wait(this, this.#interval - timeout);
    }
    this.#clock.wait(this, timeout > 0 ? timeout : this.#interval);
    if (timeout > 0) this.#state = "awaiting";
    this.#connection.ping(EMPTY);
  }
}

// A write of a message: a stream that closed under it is a WebSocket that closed.
class Sending extends Future<void> {
  override _settle(state: 1 | 2 | 3, value: unknown): boolean {
    if (state !== 2) return super._settle(state, value);
    const message = "Cannot write: the WebSocket closed before the end";
    return super._settle(state, new WebSocketClosedError(message, { cause: value }));
  }
}

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const masks = new RandomMasks();

// Where a frame is put together before the stream copies it: the payload at MAX_HEADER, its
// header right before. It is used within one call only.
const scratch = new Uint8Array(SCRATCH_SIZE);
const scratchPayload = scratch.subarray(MAX_HEADER);

// Writes the header so that it ends at MAX_HEADER and returns where it begins.
function writeHeaderBefore(first: number, length: number, mask: Uint8Array | undefined): number {
  const begin = MAX_HEADER - frameHeaderSize(length, mask !== undefined);
  writeFrameHeader(scratch, begin, 0, length, first, mask);
  return begin;
}

function bytesOf(message: string | Uint8Array): Uint8Array {
  return typeof message === "string" ? encoder.encode(message) : message;
}

function maskedCopy(payload: Uint8Array, mask: Uint8Array): Uint8Array {
  const copy = new Uint8Array(payload);
  maskInPlace(copy, 0, copy.length, readMask(mask, 0));
  return copy;
}

function textOf(bytes: Uint8Array): string {
  const text = tryUtf8Text(bytes, 0, bytes.length);
  if (text !== null) return text;
  throw new WebSocketError("Cannot inflate: text must be UTF-8", {
    code: CloseCode.INVALID_PAYLOAD,
  });
}
