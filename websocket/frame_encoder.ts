/**
 * Frames out: headers, whole frames, and the payload of a close frame.
 *
 * @module
 */
import { canSendCloseCode, CloseCode } from "./close_code.ts";
import { FIN, MAX_CONTROL_PAYLOAD, Opcode, OPCODE_MASK, RSV1 } from "./frame.ts";
import { maskInPlace, readMask } from "./mask.ts";

const encoder = new TextEncoder();

/** Options of {@linkcode encodeFrame}. */
export interface FrameOptions {
  /** Four unpredictable bytes to mask with; a client must, a server must not. */
  mask?: Uint8Array;
  /**
   * Whether this is the last frame of its message.
   *
   * @default {true}
   */
  fin?: boolean;
  /**
   * Whether the message is compressed; only its first frame says so.
   *
   * @default {false}
   */
  rsv1?: boolean;
}

/**
 * Tells how many bytes a frame has in front of its payload.
 *
 * @param length The length of the payload.
 * @param masked Whether the frame carries a mask.
 * @returns 2 to 14.
 */
export function frameHeaderSize(length: number, masked: boolean): number {
  const size = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  return masked ? size + 4 : size;
}

/**
 * Writes the header of a frame into a buffer that has room for it. This is the
 * form for those who lay out several frames in one buffer; it checks nothing.
 *
 * @param target The buffer.
 * @param at Where the header begins.
 * @param opcode One of `Opcode`.
 * @param length The length of the payload that will follow.
 * @param flags `FIN` and `RSV1`, ORed; `FIN` if left out.
 * @param mask Four bytes, which the caller then applies to the payload.
 * @returns The offset behind the header, where the payload begins.
 */
export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  opcode: number,
  length: number,
  flags: number = FIN,
  mask?: Uint8Array,
): number {
  const maskBit = mask === undefined ? 0 : 0x80;
  target[at++] = flags | opcode;
  if (length < 126) {
    target[at++] = maskBit | length;
  } else if (length < 0x10000) {
    target[at++] = maskBit | 126;
    target[at++] = length >>> 8;
    target[at++] = length;
  } else {
    target[at++] = maskBit | 127;
    at = writeUint32(target, at, Math.floor(length / 0x100000000));
    at = writeUint32(target, at, length);
  }
  if (mask !== undefined) {
    target[at++] = mask[0]!;
    target[at++] = mask[1]!;
    target[at++] = mask[2]!;
    target[at++] = mask[3]!;
  }
  return at;
}

function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at++] = value >>> 24;
  target[at++] = value >>> 16;
  target[at++] = value >>> 8;
  target[at++] = value;
  return at;
}

/**
 * Makes a whole frame.
 *
 * @example A text message from a server
 * ```ts
 * import { encodeFrame, Opcode } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const payload = new TextEncoder().encode("Hi");
 * assertEquals(
 *   encodeFrame(Opcode.TEXT, payload),
 *   Uint8Array.of(0x81, 2, 0x48, 0x69),
 * );
 * ```
 *
 * @param opcode One of `Opcode`.
 * @param payload What the frame carries; it is copied, never masked in place.
 * @param options Mask and flags.
 * @returns The frame in memory of its own.
 * @throws {RangeError} If the opcode does not fit into four bits, the mask is
 * not four bytes long, or a control frame is over 125 bytes.
 * @throws {TypeError} If a control frame is to be fragmented or compressed.
 */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array,
  options: FrameOptions = {},
): Uint8Array<ArrayBuffer> {
  const { mask, fin = true, rsv1 = false } = options;
  if ((opcode & OPCODE_MASK) !== opcode) {
    throw new RangeError(`Cannot encode frame: no opcode ${opcode}`);
  }
  if (mask !== undefined && mask.length !== 4) {
    throw new RangeError(
      `Cannot encode frame: the mask must have 4 bytes, not ${mask.length}`,
    );
  }
  if (opcode >= Opcode.CLOSE) checkControl(payload.length, fin, rsv1);

  const size = frameHeaderSize(payload.length, mask !== undefined);
  const frame = new Uint8Array(size + payload.length);
  const flags = (fin ? FIN : 0) | (rsv1 ? RSV1 : 0);
  writeFrameHeader(frame, 0, opcode, payload.length, flags, mask);
  frame.set(payload, size);
  if (mask !== undefined) {
    maskInPlace(frame, size, frame.length, readMask(mask, 0));
  }
  return frame;
}

function checkControl(length: number, fin: boolean, rsv1: boolean): void {
  if (length > MAX_CONTROL_PAYLOAD) {
    throw new RangeError(
      `Cannot encode frame: a control frame holds at most ${MAX_CONTROL_PAYLOAD} bytes, not ${length}`,
    );
  }
  if (!fin || rsv1) {
    throw new TypeError(
      "Cannot encode frame: a control frame is never fragmented or compressed",
    );
  }
}

/**
 * Makes the payload of a close frame.
 *
 * @param code Why the connection ends; without one the payload is empty,
 * except that a reason alone goes with 1000.
 * @param reason The same in words, at most 123 bytes of UTF-8.
 * @returns The payload.
 * @throws {RangeError} If the code must not be sent, or the reason is too long.
 */
export function encodeClose(
  code?: number | null,
  reason?: string | null,
): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(reason ?? "");
  code ??= text.length > 0 ? CloseCode.NORMAL : null;
  if (code === null) return new Uint8Array(0);
  if (!canSendCloseCode(code)) {
    throw new RangeError(`Cannot encode close: code ${code} must not be sent`);
  }
  if (text.length > MAX_CONTROL_PAYLOAD - 2) {
    throw new RangeError(
      `Cannot encode close: the reason holds at most ${
        MAX_CONTROL_PAYLOAD - 2
      } bytes, not ${text.length}`,
    );
  }
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}
