/**
 * Frames in: bytes become messages, pings, pongs and a close.
 *
 * @module
 */

// One call of next() takes at most one event out of the bytes it is shown.
//
//        +--- message in one frame, or control frame, whole ---+
//        v                                                     |
//   --> HEAD --------------------------------------------------+
//        |  ^
//        |  +--- last payload byte ---+
//        |                            |
//        +--- large or fragment --> BODY      HEAD --- close frame ---> CLOSED
//
//   HEAD, BODY --- #fail() ---> FAILED
//
// HEAD stands in front of a frame. Nothing of a frame is consumed there until
// all of it is in the buffer, so a frame that arrives in pieces costs no state;
// the owner of the buffer shows the same bytes again with more behind. A data
// frame longer than WAIT_FOR need not be whole: its bytes go into the assembly as
// they come, and the buffer need not grow with the frame. The frames of a
// fragmented message take the same way through BODY, long or short, and so does
// text that comes in pieces: its first bad byte ends the connection at once.
//
// A message under way is the assembly. It exists from the first frame of a
// fragmented message, or the first piece of a large one, to the end of that
// message; control frames pass between its frames and never touch it.
import { MessageAssembly } from "./_message_assembly.ts";
import { asciiText, tryUtf8Text } from "./_utf8.ts";
import { canReceiveCloseCode, CloseCode } from "./close_code.ts";
import { WebSocketError } from "./errors.ts";
import { FIN, MAX_CONTROL_PAYLOAD, Opcode, OPCODE_MASK, RSV1, RSV_MASK } from "./frame.ts";
import { maskInPlace, readMask, rotateMask } from "./mask.ts";

/** What {@linkcode FrameDecoder.next} found; the opcode, where there is one. */
export const FrameEvent = {
  /** Nothing yet: more bytes are needed. */
  NONE: 0,
  /** A whole text message. */
  TEXT: 1,
  /** A whole binary message. */
  BINARY: 2,
  /** The peer's close frame. */
  CLOSE: 8,
  /** A ping, to be answered by a pong with the same data. */
  PING: 9,
  /** A pong. */
  PONG: 10,
} as const;

/** One of the values of the constant of the same name. */
export type FrameEvent = typeof FrameEvent[keyof typeof FrameEvent];

/** Options of {@linkcode FrameDecoder}. */
export interface FrameDecoderOptions {
  /** Whether frames must come masked (from a client) or must not (from a server). */
  masked: boolean;
  /**
   * The most payload bytes of a message, summed over its frames. A compressed message may have
   * a few more, as some cannot be made shorter; whoever inflates it counts again.
   *
   * @default {10485760}
   */
  maxMessageSize?: number;
  /**
   * Whether the first frame of a message may have the first reserved bit set,
   * which means compression once that was negotiated.
   *
   * @default {false}
   */
  allowRsv1?: boolean;
}

// Tornado's limit, and the order of what ws (100 MiB) and Deno (64 MiB) allow.
const MAX_MESSAGE_SIZE = 10 * 1024 * 1024;

// A data frame up to this long waits in the caller's buffer until it is whole,
// which is cheaper than an assembly; a read buffer holds that much anyway. Text
// does not wait: it is judged as it comes.
const WAIT_FOR = 4096;

// What compression adds at most to a message that it cannot make shorter: zlib
// adds 4 % with the smallest memLevel, and some bytes in any case.
const MAX_EXPANSION = 16; // a 16th part
const MAX_ADDED = 64;

const State = { HEAD: 0, BODY: 1, CLOSED: 2, FAILED: 3 } as const;
type State = typeof State[keyof typeof State];

const MASK_BIT = 0x80;
const FINAL_TEXT = FIN | Opcode.TEXT;
const NO_DATA = new Uint8Array(0);

/**
 * Decodes what a WebSocket peer sends, strictly by RFC 6455. It owns no
 * socket: the owner shows it bytes, cut anywhere, and acts on the events.
 *
 * @example Taking messages out of a buffer
 * ```ts
 * import { FrameDecoder, FrameEvent } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = Uint8Array.of(0x81, 2, 0x48, 0x69, 0x89, 0, 0x81);
 * const decoder = new FrameDecoder({ masked: false });
 * const seen: FrameEvent[] = [];
 * let at = decoder.next(buffer, 0, buffer.length);
 * assertEquals(decoder.text, "Hi");
 * while (decoder.event !== FrameEvent.NONE) {
 *   seen.push(decoder.event);
 *   at = decoder.next(buffer, at, buffer.length);
 * }
 * assertEquals(seen, [FrameEvent.TEXT, FrameEvent.PING]);
 * assertEquals(at, 6); // the byte behind waits for the rest of its frame
 * ```
 */
export class FrameDecoder {
  /** What the last call of {@linkcode next} found. */
  event: FrameEvent = FrameEvent.NONE;
  /** The message, after TEXT that is not compressed. */
  text = "";
  /** The payload, after BINARY, PING, PONG or anything compressed; the receiver's own. */
  data: Uint8Array = NO_DATA;
  /** After TEXT and BINARY: whether `data` holds the message still compressed. */
  compressed = false;
  /** After CLOSE: the peer's code, or `null` if it gave none. */
  closeCode: number | null = null;
  /** After CLOSE: the peer's reason, empty if it gave none. */
  closeReason = "";

  readonly #maskBit: number; // what the top bit of the second byte must be
  readonly #refusedBits: number; // reserved bits that no frame may have
  readonly #maxMessageSize: number;
  readonly #maxCompressedSize: number;
  #state: State = State.HEAD;
  #assembly: MessageAssembly | null = null; // the message under way; never null in BODY
  #missing = 0; // payload bytes still due; > 0 exactly while in BODY
  #mask = 0; // for the next payload byte; BODY only
  #final = false; // is the frame the last of its message; BODY only
  #failure: WebSocketError | null = null; // not null exactly in FAILED

  /**
   * Makes a decoder that stands in front of the first frame.
   *
   * @param options Who the peer is, and what it may do.
   * @throws {RangeError} If `maxMessageSize` is negative or not a number.
   */
  constructor(options: FrameDecoderOptions) {
    const { maxMessageSize = MAX_MESSAGE_SIZE, allowRsv1 = false } = options;
    if (!(maxMessageSize >= 0)) {
      throw new RangeError(
        `Cannot make FrameDecoder: maxMessageSize must be 0 or more, not ${maxMessageSize}`,
      );
    }
    this.#maskBit = options.masked ? MASK_BIT : 0;
    this.#refusedBits = allowRsv1 ? RSV_MASK & ~RSV1 : RSV_MASK;
    this.#maxMessageSize = maxMessageSize;
    this.#maxCompressedSize = maxMessageSize + Math.ceil(maxMessageSize / MAX_EXPANSION) +
      MAX_ADDED;
  }

  /**
   * Takes the next event out of `bytes[start..end)` and sets `event` and what
   * belongs to it, which holds until the next call. Call it until it finds
   * NONE, even at the end of the bytes: that lets go of the last message.
   *
   * With NONE, more bytes are needed; those from the returned offset on must
   * be shown again in front of them. These are never more than 13 bytes of a
   * header, or a header and up to 4095 bytes of payload that is no plain text. Bytes that are consumed
   * may have been overwritten. After CLOSE, the rest is consumed as NONE.
   *
   * @param bytes The buffer.
   * @param start The offset of the first byte not consumed.
   * @param end The offset behind the last byte that has come.
   * @returns The offset of the first byte that is still not consumed.
   * @throws {WebSocketError} If the peer broke the protocol (1002), sent bad
   * UTF-8 (1007) or too long a message (1009), and then on every later call.
   */
  next(bytes: Uint8Array, start: number, end: number): number {
    this.event = FrameEvent.NONE;
    this.text = "";
    this.data = NO_DATA;
    let at = this.#step(bytes, start, end);
    // A frame that is not the last of its message gets us on without an event.
    while (this.event === FrameEvent.NONE && at !== start) {
      start = at;
      at = this.#step(bytes, start, end);
    }
    return at;
  }

  /** Takes one frame, or a piece of one; if it takes nothing, it returns `start`. */
  #step(bytes: Uint8Array, start: number, end: number): number {
    if (this.#state !== State.HEAD) return this.#goOn(bytes, start, end);
    if (end - start < 2) return start;

    const first = bytes[start]!;
    const second = bytes[start + 1]!;
    // The plain case, a message in one frame of text, breaks none of the rules.
    if (first !== FINAL_TEXT || this.#assembly !== null) this.#check(first);
    if ((second & MASK_BIT) !== this.#maskBit) this.#failMask();
    const opcode = first & OPCODE_MASK;
    let at = start + 2;
    let length = second & 0x7f;
    if (length > MAX_CONTROL_PAYLOAD) {
      if (opcode >= Opcode.CLOSE) {
        this.#fail("a control frame must not have over 125 bytes");
      }
      const size = length === 126 ? 2 : 8;
      if (size > end - at) return start;
      length = this.#longLength(bytes, at, size);
      at += size;
    }
    if (opcode < Opcode.CLOSE) this.#checkSize(length, (first & RSV1) !== 0);
    let mask = 0;
    if (this.#maskBit !== 0) {
      if (end - at < 4) return start;
      mask = readMask(bytes, at);
      at += 4;
    }

    const to = at + length;
    if (to > end && length <= WAIT_FOR && (at === end || !this.#isText(first))) return start;
    if (to > end || opcode === Opcode.CONTINUATION || (first & FIN) === 0) {
      this.#assembly ??= new MessageAssembly(opcode, (first & RSV1) !== 0);
      this.#state = State.BODY;
      this.#missing = length;
      this.#mask = mask;
      this.#final = (first & FIN) !== 0;
      return this.#takePiece(bytes, at, end);
    }
    if (first === FINAL_TEXT) {
      this.compressed = false;
      this.text = this.#text(bytes, at, to, mask);
      this.event = FrameEvent.TEXT;
    } else if (opcode === Opcode.CLOSE) {
      this.#close(bytes, at, to, mask);
    } else {
      this.compressed = (first & RSV1) !== 0;
      this.data = copyUnmasked(bytes, at, to, mask);
      this.event = opcode as FrameEvent;
    }
    return to;
  }

  /** What #step does where no frame begins. */
  #goOn(bytes: Uint8Array, start: number, end: number): number {
    if (this.#failure !== null) throw this.#failure;
    // RFC 6455 1.4: what comes behind a close frame is discarded.
    if (this.#state === State.CLOSED) return end;
    return this.#takePiece(bytes, start, end);
  }

  /** Checks the first byte of a frame against the RFC and the message under way. */
  #check(first: number): void {
    const opcode = first & OPCODE_MASK;
    const startsMessage = opcode === Opcode.TEXT || opcode === Opcode.BINARY;
    // RFC 7692 6: only the first frame of a message tells of compression.
    const refused = startsMessage ? this.#refusedBits : RSV_MASK;
    if ((first & refused) !== 0) {
      this.#fail("a reserved bit is set that was not negotiated");
    }
    if (startsMessage) {
      if (this.#assembly !== null) {
        this.#fail("a message began before the one under way had ended");
      }
    } else if (opcode === Opcode.CONTINUATION) {
      if (this.#assembly === null) {
        this.#fail("a continuation came with no message under way");
      }
    } else if (opcode < Opcode.CLOSE || opcode > Opcode.PONG) {
      this.#fail(`opcode ${opcode} is reserved`);
    } else if ((first & FIN) === 0) {
      this.#fail("a control frame must not be fragmented");
    }
  }

  /** Reads a length of `size` bytes, two or eight, which must need that many. */
  #longLength(bytes: Uint8Array, at: number, size: number): number {
    if (size === 8 && bytes[at]! > 0x7f) {
      this.#fail("a length must not have its top bit set");
    }
    let length = 0;
    for (const end = at + size; at < end; at++) {
      length = length * 256 + bytes[at]!;
    }
    if (length < (size === 8 ? 0x10000 : 126)) {
      this.#fail("a length must be in its shortest form");
    }
    return length;
  }

  /** Tells whether the frame holds text that can be read as it comes. */
  #isText(first: number): boolean {
    const opcode = first & OPCODE_MASK;
    return opcode === Opcode.CONTINUATION
      ? this.#assembly!.judged
      : opcode === Opcode.TEXT && (first & RSV1) === 0;
  }

  #checkSize(length: number, compressed: boolean): void {
    const size = length + (this.#assembly === null ? 0 : this.#assembly.size);
    if (size <= this.#maxMessageSize) return;
    const limit = compressed || (this.#assembly?.compressed ?? false)
      ? this.#maxCompressedSize
      : this.#maxMessageSize;
    if (size > limit) {
      this.#fail(
        `message too big: ${size} bytes, at most ${limit}`,
        CloseCode.MESSAGE_TOO_BIG,
      );
    }
  }

  /** Takes what there is of the payload that is due to the message under way. */
  #takePiece(bytes: Uint8Array, start: number, end: number): number {
    const assembly = this.#assembly!;
    const to = Math.min(end, start + this.#missing);
    const limit = this.#final ? assembly.size + this.#missing : this.#maxCompressedSize;
    if (!assembly.append(bytes, start, to, this.#mask, limit)) this.#failText();
    this.#missing -= to - start;
    this.#mask = rotateMask(this.#mask, to - start);
    if (this.#missing === 0) {
      this.#state = State.HEAD;
      if (this.#final) this.#deliver(assembly);
    }
    return to;
  }

  /** Ends the message under way. */
  #deliver(assembly: MessageAssembly): void {
    this.#assembly = null;
    this.compressed = assembly.compressed;
    if (assembly.opcode === Opcode.TEXT && !assembly.compressed) {
      this.text = assembly.text() ?? this.#failText();
    } else {
      this.data = assembly.bytes();
    }
    this.event = assembly.opcode as FrameEvent;
  }

  /** Takes a close frame: nothing, or a code, or a code and a reason. */
  #close(bytes: Uint8Array, start: number, end: number, mask: number): void {
    if (end - start === 1) this.#fail("a close code must have 2 bytes");
    if (end > start) {
      maskInPlace(bytes, start, end, mask);
      const code = bytes[start]! << 8 | bytes[start + 1]!;
      if (!canReceiveCloseCode(code)) {
        this.#fail(`close code ${code} is not allowed`);
      }
      this.closeReason = this.#text(bytes, start + 2, end, 0);
      this.closeCode = code;
    }
    this.#state = State.CLOSED;
    this.event = FrameEvent.CLOSE;
  }

  /** Unmasks and reads text that lies whole in the buffer. */
  #text(
    bytes: Uint8Array,
    start: number,
    end: number,
    mask: number,
  ): string {
    return maskInPlace(bytes, start, end, mask)
      ? asciiText(bytes, start, end)
      : tryUtf8Text(bytes, start, end) ?? this.#failText();
  }

  #failMask(): never {
    this.#fail(
      this.#maskBit === 0
        ? "a frame from a server must not be masked"
        : "a frame from a client must be masked",
    );
  }

  #failText(): never {
    this.#fail("text must be UTF-8", CloseCode.INVALID_PAYLOAD);
  }

  /** The one way to fail: for good, and with nothing held any more. */
  #fail(why: string, code: number = CloseCode.PROTOCOL_ERROR): never {
    this.#state = State.FAILED;
    this.#assembly = null;
    this.#failure = new WebSocketError(`Cannot decode frame: ${why}`, { code });
    throw this.#failure;
  }
}

function copyUnmasked(
  bytes: Uint8Array,
  start: number,
  end: number,
  mask: number,
): Uint8Array {
  // Not slice(), which on a Buffer would be a view.
  const copy = new Uint8Array(bytes.subarray(start, end));
  if (mask !== 0) maskInPlace(copy, 0, copy.length, mask);
  return copy;
}
