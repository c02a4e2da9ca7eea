// One end of a WebSocket on a stream: frames in, messages out, and the closing handshake
// (RFC 6455 7):
//
//   OPEN --close() or a failure--> CLOSING --peer's close frame--> stream closes
//     +------peer's close frame, answered-----------------------------^
//
// In CLOSING what else comes is read and dropped, for CLOSE_MS at most; closing a socket
// with unread bytes would reset it, and the peer would lose our close frame.
//
// Messages are delivered one at a time: while the receiver is at work on one, the stream is
// paused, and so, in the end, is the peer. So is a peer that pings or asks and does not read
// the answers: they would pile up.
import type { Upgraded } from "../http/mod.ts";
import { Future, genLog, type Timeout } from "../ioloop/mod.ts";
import type { IOStream, StreamConsumer } from "../iostream/mod.ts";
import { CloseCode } from "./close_code.ts";
import { WebSocketClosedError, type WebSocketError } from "./errors.ts";
import { FIN, MAX_CONTROL_PAYLOAD, Opcode } from "./frame.ts";
import { FrameDecoder, FrameEvent } from "./frame_decoder.ts";
import { encodeClose, writeFrameHeader } from "./frame_encoder.ts";

const CLOSE_MS = 5000; // for the peer's answer to our close frame
const MAX_UNWRITTEN_PONGS = 65536; // bytes unwritten, from which a ping has to wait
const MAX_UNWRITTEN = 1048576; // bytes unwritten, beyond which whatever comes has to wait
const SCRATCH_SIZE = 4096; // text that surely fits is encoded here, behind room for a header
const MAX_HEADER = 10; // of a frame without mask

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

/** Is the server's end of a WebSocket; `WebSocketHandler` is its receiver. */
export class WebSocketConnection implements StreamConsumer, Upgraded {
  /** The code of the peer's close frame; null until one came, or if it held none. */
  closeCode: number | null = null;
  /** The reason of the peer's close frame; null until one came. */
  closeReason: string | null = null;
  /** See {@linkcode Upgraded.onEnd}. */
  onEnd: (() => void) | null = null;

  readonly #receiver: WebSocketReceiver;
  readonly #decoder: FrameDecoder;
  #stream: IOStream | null = null; // there from start()
  #state: State = State.OPEN;
  #busy = false; // the receiver is at work on a message, or too much waits to be written
  #timeout: Timeout | null = null; // for the peer's close frame

  /** Makes a connection that reads nothing before {@linkcode start}. */
  constructor(receiver: WebSocketReceiver, maxMessageSize: number) {
    this.#receiver = receiver;
    this.#decoder = new FrameDecoder({ masked: true, maxMessageSize });
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
    this.#busy = false;
    this.#stream?._resume();
  }

  /** Whether the closing handshake began, or the connection ended. */
  get closing(): boolean {
    return this.#state !== State.OPEN;
  }

  /** How many bytes wait to be taken by the kernel. */
  get bufferedAmount(): number {
    return this.#stream?._unwritten ?? 0;
  }

  /**
   * Sends a message. The Future is done when the kernel has it, and fails with
   * {@linkcode WebSocketClosedError} if the connection ends before.
   *
   * @throws {WebSocketClosedError} when the closing handshake began.
   */
  send(message: string | Uint8Array, binary: boolean): Future<void> {
    const stream = this.#writable();
    const opcode = binary ? Opcode.BINARY : Opcode.TEXT;
    if (typeof message === "string" && 3 * message.length <= SCRATCH_SIZE - MAX_HEADER) {
      const { written } = encoder.encodeInto(message, scratchPayload);
      const begin = writeHeaderBefore(opcode, written);
      stream._writeBytes(scratch.subarray(begin, MAX_HEADER + written));
    } else {
      const payload = typeof message === "string" ? encoder.encode(message) : message;
      this.#sendFrame(stream, opcode, payload);
    }
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
    this.#sendFrame(this.#writable(), Opcode.PING, data);
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

  /** Decodes what came; called by the stream. @ignore */
  _data(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#state === State.OPEN) {
      const stream = this.#stream!;
      if (!this.#busy && stream._unwritten > MAX_UNWRITTEN) this.#waitFor(stream._whenWritten());
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
    this.#stream!.close();
  }

  /** Lets go; called by the stream. @ignore */
  _closed(): void {
    this.#state = State.CLOSED;
    if (this.#timeout !== null) this.#stream!.ioLoop.removeTimeout(this.#timeout);
    this.#timeout = null;
    const onEnd = this.onEnd;
    this.onEnd = null;
    onEnd?.();
    this.#receiver.receiveEnd();
  }

  #writable(): IOStream {
    if (this.#state !== State.OPEN || this.#stream === null) {
      throw new WebSocketClosedError("Cannot write: the WebSocket is closed");
    }
    return this.#stream;
  }

  #handleEvent(): void {
    const decoder = this.#decoder;
    switch (decoder.event) {
      case FrameEvent.TEXT:
        return this.#deliver(decoder.text);
      case FrameEvent.BINARY:
        return this.#deliver(decoder.data);
      case FrameEvent.PING:
        return this.#pong(decoder.data);
      case FrameEvent.PONG:
        return this.#receiver.receivePong(decoder.data);
      default:
        return this.#peerClosed();
    }
  }

  #deliver(message: string | Uint8Array): void {
    const work = this.#receiver.receive(message);
    if (work !== null) this.#waitFor(work);
  }

  #pong(data: Uint8Array): void {
    const stream = this.#stream!;
    this.#sendFrame(stream, Opcode.PONG, data);
    if (stream._unwritten > MAX_UNWRITTEN_PONGS) this.#waitFor(stream._whenWritten());
    this.#receiver.receivePing(data);
  }

  // Reads on when `work` is done.
  #waitFor(work: Future<unknown>): void {
    this.#busy = true;
    work._listen({
      _settled: () => {
        this.#busy = false;
        this.#stream!._resume();
      },
    });
  }

  #peerClosed(): void {
    const { closeCode, closeReason } = this.#decoder;
    this.closeCode = closeCode;
    this.closeReason = closeReason;
    if (this.#state === State.OPEN) {
      this.#state = State.CLOSING;
      this.#sendFrame(this.#stream!, Opcode.CLOSE, encodeClose(closeCode));
    }
    this.#stream!.close(); // the server ends the TCP connection first (RFC 6455 7.1.1)
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
    this.#sendFrame(stream, Opcode.CLOSE, payload);
    this.#timeout = stream.ioLoop.callLater(CLOSE_MS, () => this.close());
    stream._resume(); // a receiver at work must not keep the peer's close frame away
  }

  #sendFrame(stream: IOStream, opcode: number, payload: Uint8Array): void {
    const begin = writeHeaderBefore(opcode, payload.length);
    if (payload.length <= SCRATCH_SIZE - MAX_HEADER) {
      scratch.set(payload, MAX_HEADER);
      stream._writeBytes(scratch.subarray(begin, MAX_HEADER + payload.length));
    } else {
      stream._writeBytes(scratch.subarray(begin, MAX_HEADER));
      stream._writeBytes(payload);
    }
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

const encoder = new TextEncoder();

// Where a frame is put together before the stream copies it: the payload at MAX_HEADER, its
// header right before. It is used within one call only.
const scratch = new Uint8Array(SCRATCH_SIZE);
const scratchPayload = scratch.subarray(MAX_HEADER);

// Writes the header so that it ends at MAX_HEADER and returns where it begins.
function writeHeaderBefore(opcode: number, length: number): number {
  const begin = MAX_HEADER - (length < 126 ? 2 : length < 0x10000 ? 4 : 10);
  writeFrameHeader(scratch, begin, opcode, length, FIN);
  return begin;
}
