import { jsonEncode } from "../http/mod.ts";
import type { Writable } from "../web/mod.ts";
import { FIN, Opcode, RSV1 } from "./frame.ts";
import { frameHeaderSize, writeFrameHeader } from "./frame_encoder.ts";

/** Options of {@linkcode PreparedMessage} and of every `writeMessage`. */
export interface WriteMessageOptions {
  /** Whether it goes out as a binary frame; by default bytes do, text and records do not. */
  binary?: boolean;
}

/**
 * Is a message that goes to many: it is encoded once and, for connections that agreed on the
 * same, compressed once. `writeMessage` takes it in place of a message.
 *
 * @example One frame for all
 * ```ts
 * import { PreparedMessage } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const message = new PreparedMessage({ price: 7 });
 * assertEquals([message.binary, message.size], [false, 11]);
 * ```
 */
export class PreparedMessage {
  /** Whether it goes out as a binary frame. */
  readonly binary: boolean;
  /** The payload; it is never changed. @ignore */
  readonly _payload: Uint8Array;
  #plain: Uint8Array | null = null; // the frame, once somebody needed it
  #compressed: Map<number, Uint8Array | null> | null = null; // frames by what was agreed on

  /**
   * Takes the message; bytes are copied.
   *
   * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
   */
  constructor(
    message: Writable,
    { binary = message instanceof Uint8Array }: WriteMessageOptions = {},
  ) {
    const data = messageData(message, binary);
    this.binary = binary;
    this._payload = typeof data === "string" ? utf8Encoder.encode(data) : new Uint8Array(data);
  }

  /** The bytes of the payload, before compression. */
  get size(): number {
    return this._payload.length;
  }

  /** The frame of a server, not compressed. @ignore */
  get _plainFrame(): Uint8Array {
    return this.#plain ??= this.#frame(this._payload, FIN);
  }

  /**
   * The frame of a server, compressed by `deflate`, which does it as others with this `key` do;
   * null if that is no use.
   *
   * @ignore
   */
  _compressedFrame(
    key: number,
    deflate: (payload: Uint8Array) => Uint8Array | null,
  ): Uint8Array | null {
    const frames = this.#compressed ??= new Map();
    let frame = frames.get(key);
    if (frame === undefined) {
      const payload = deflate(this._payload);
      frame = payload === null ? null : this.#frame(payload, FIN | RSV1);
      frames.set(key, frame);
    }
    return frame;
  }

  #frame(payload: Uint8Array, flags: number): Uint8Array {
    const size = frameHeaderSize(payload.length, false);
    const frame = new Uint8Array(size + payload.length);
    const opcode = this.binary ? Opcode.BINARY : Opcode.TEXT;
    writeFrameHeader(frame, 0, opcode, payload.length, flags);
    frame.set(payload, size);
    return frame;
  }
}

/**
 * Makes of what a user sends what a frame holds.
 *
 * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
 * @ignore
 */
export function messageData(message: Writable, binary: boolean): string | Uint8Array {
  if (typeof message === "string") return message;
  if (!(message instanceof Uint8Array)) return jsonEncode(message);
  return binary ? message : utf8Decoder.decode(message);
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
