/**
 * Masking of payloads, RFC 6455 5.3.
 *
 * @module
 */

// Byte i of a payload is XORed with byte i % 4 of the mask. Here a mask is one
// 32-bit integer, its first byte lowest, so four bytes are done by one XOR with
// a word of an Int32Array (every platform of Deno is little-endian). To start
// at another place of the mask is to rotate the integer. No mask at all is the
// integer 0, which leaves the payload as it is.

// An Int32Array costs about 20 ns to make and 0.4 ns a word to run; four bytes
// in straight line cost 1.6 ns. They meet at 64 bytes. A DataView costs 50 ns
// to make, and its 64-bit words (bigint) are slower than bytes.
const WORDS_FROM = 64;

/**
 * Reads the four bytes of a mask as the integer that {@linkcode maskInPlace}
 * takes.
 *
 * @param bytes Where the mask lies.
 * @param at The offset of its first byte.
 * @returns The mask as a 32-bit integer; 0 masks nothing.
 */
export function readMask(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 |
    bytes[at + 3]! << 24;
}

/**
 * Turns a mask so that it fits the payload that lies `count` bytes further on.
 *
 * @param mask The mask for the first byte.
 * @param count How many payload bytes to go on; any number from 0.
 * @returns The mask for the byte after these.
 */
export function rotateMask(mask: number, count: number): number {
  const bits = count % 4 * 8;
  return mask >>> bits | mask << (32 - bits);
}

/**
 * Masks or unmasks `bytes[start..end)` where it lies.
 *
 * It also looks at what it writes, since whoever unmasks text wants to know
 * next whether that is ASCII, and a second pass would cost as much again.
 *
 * @param bytes The payload, and whatever is around it.
 * @param start The offset of the first byte to mask.
 * @param end The offset behind the last.
 * @param mask The mask for the byte at `start`, from {@linkcode readMask}.
 * @returns Whether every byte of the result is below 0x80.
 */
export function maskInPlace(
  bytes: Uint8Array,
  start: number,
  end: number,
  mask: number,
): boolean {
  let at = start;
  let seen = 0; // all bytes of the result, ORed
  if (end - start >= WORDS_FROM) {
    while ((bytes.byteOffset + at & 3) !== 0) {
      seen |= bytes[at++]! ^= mask & 0xff;
      mask = rotateMask(mask, 1);
    }
    const words = new Int32Array(
      bytes.buffer,
      bytes.byteOffset + at,
      end - at >>> 2,
    );
    for (let i = 0; i < words.length; i++) seen |= words[i]! ^= mask;
    at += words.length * 4;
  } else {
    const mask0 = mask & 0xff;
    const mask1 = mask >>> 8 & 0xff;
    const mask2 = mask >>> 16 & 0xff;
    const mask3 = mask >>> 24;
    for (; at <= end - 4; at += 4) {
      seen |= (bytes[at]! ^= mask0) | (bytes[at + 1]! ^= mask1) |
        (bytes[at + 2]! ^= mask2) | (bytes[at + 3]! ^= mask3);
    }
  }
  for (; at < end; at++, mask >>>= 8) seen |= bytes[at]! ^= mask & 0xff;
  return (seen & 0x80808080) === 0;
}

/**
 * Masks or unmasks a payload; the one undoes the other.
 *
 * @example There and back
 * ```ts
 * import { websocketMask } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const mask = Uint8Array.of(1, 2, 3, 4);
 * const masked = websocketMask(mask, Uint8Array.of(0, 0, 0, 0, 7));
 * assertEquals(masked, Uint8Array.of(1, 2, 3, 4, 6));
 * assertEquals(websocketMask(mask, masked), Uint8Array.of(0, 0, 0, 0, 7));
 * ```
 *
 * @param mask Exactly four bytes.
 * @param data The payload; it is not changed.
 * @returns The masked payload, as long as `data`.
 * @throws {RangeError} If the mask is not four bytes long.
 */
export function websocketMask(
  mask: Uint8Array,
  data: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (mask.length !== 4) {
    throw new RangeError(
      `Cannot mask: the mask must have 4 bytes, not ${mask.length}`,
    );
  }
  const result = new Uint8Array(data);
  maskInPlace(result, 0, result.length, readMask(mask, 0));
  return result;
}
