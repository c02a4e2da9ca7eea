// A message that comes in several frames, or in a frame too large to wait for
// in the reader's buffer. What arrives is copied here, unmasked here and, if it
// is text, judged here, so that bad text ends the connection at its first
// impossible byte and not after the whole message was paid for.
//
// Memory follows the bytes that arrived: room doubles, which makes many small
// fragments linear, and a length that was announced only ever lowers it.
import { asciiText, checkUtf8, UTF8_INVALID, UTF8_START, utf8Text } from "./_utf8.ts";
import { Opcode } from "./frame.ts";
import { maskInPlace } from "./mask.ts";

/** Gathers one message. */
export class MessageAssembly {
  /** `Opcode.TEXT` or `Opcode.BINARY`, from the message's first frame. */
  readonly opcode: number;
  /** Whether that frame said that the message is compressed. */
  readonly compressed: boolean;

  /** Whether this is text that can be read as it comes. */
  readonly judged: boolean;

  #bytes = new Uint8Array(0); // [0, #size) arrived, the rest is room
  #size = 0;
  #ascii = true; // all that arrived is below 0x80; kept only when judged
  #utf8 = UTF8_START; // state behind the last byte; kept only when judged

  constructor(opcode: number, compressed: boolean) {
    this.opcode = opcode;
    this.compressed = compressed;
    this.judged = opcode === Opcode.TEXT && !compressed;
  }

  /** How many bytes have come. */
  get size(): number {
    return this.#size;
  }

  /**
   * Takes in `bytes[start..end)`, masked with `mask`. The message will not be
   * longer than `limit` when it is whole.
   *
   * @returns Whether this may still become a valid message.
   */
  append(
    bytes: Uint8Array,
    start: number,
    end: number,
    mask: number,
    limit: number,
  ): boolean {
    const from = this.#size;
    const size = from + end - start;
    if (size > this.#bytes.length) this.#grow(size, limit);
    this.#bytes.set(bytes.subarray(start, end), from);
    this.#size = size;
    const ascii = maskInPlace(this.#bytes, from, size, mask);
    if (!this.judged || (ascii && this.#utf8 === UTF8_START)) return true;
    this.#ascii = false;
    this.#utf8 = checkUtf8(this.#bytes, from, size, this.#utf8);
    return this.#utf8 !== UTF8_INVALID;
  }

  #grow(size: number, limit: number): void {
    const room = Math.min(Math.max(size, this.#bytes.length * 2), limit);
    const grown = new Uint8Array(room);
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }

  /** The message as text, or `null` if it ends inside a character. */
  text(): string | null {
    if (this.#utf8 !== UTF8_START) return null;
    return this.#ascii
      ? asciiText(this.#bytes, 0, this.#size)
      : utf8Text(this.#bytes, 0, this.#size);
  }

  /** The message as bytes, in memory that holds nothing else. */
  bytes(): Uint8Array {
    return this.#size === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#size);
  }
}
