// @ts-types="./_pako.d.ts"
import { inflate, inflateInit2, inflateReset } from "pako/lib/zlib/inflate.js";
// @ts-types="./_pako.d.ts"
import ZStream from "pako/lib/zlib/zstream.js";
import { ByteCollector } from "./_byte_collector.ts";

const GZIP_WINDOW_BITS = 15 + 16; // the largest window, in a gzip envelope
const CHUNK_SIZE = 16 * 1024;
const MEMBER_MAGIC = [0x1f, 0x8b] as const; // RFC 1952 2.3.1

const Z_NO_FLUSH = 0;
const Z_OK = 0;
const Z_STREAM_END = 1;
const Z_BUF_ERROR = -5; // it can do no more with what it has: no failure

/** Says that what should be decompressed is not gzip, is damaged, or ends too early. */
export class DecompressionError extends Error {
  /** Takes what is wrong. */
  constructor(what: string) {
    super(`Cannot decompress: ${what}`);
    this.name = "DecompressionError";
  }
}

/**
 * Decompresses gzip as it arrives, at once and no more of it at a time than asked for: a small
 * body that would grow without end can be stopped at a limit (RFC 1952).
 *
 * Several members behind each other are one stream; bytes that are no member are ignored at the
 * end. After an error or {@linkcode flush} it is of no use any more.
 *
 * @example Stop at a limit
 * ```ts
 * import { GzipDecompressor } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 * import { gzipSync } from "node:zlib";
 *
 * const decompressor = new GzipDecompressor();
 * const first = decompressor.decompress(gzipSync("a".repeat(1000)), 10);
 * assertEquals(first.length, 10);
 * const rest = decompressor.decompress(decompressor.unconsumedTail);
 * assertEquals(rest.length, 990);
 * decompressor.flush();
 * ```
 */
export class GzipDecompressor {
  readonly #stream = new ZStream();
  readonly #chunk = new Uint8Array(CHUNK_SIZE);
  #state: "empty" | "open" | "ended" | "dead" = "empty";
  #tail: Uint8Array = EMPTY;

  /** Makes one that has seen nothing yet. */
  constructor() {
    inflateInit2(this.#stream, GZIP_WINDOW_BITS);
  }

  /** What the last call of {@linkcode decompress} left of its input, because of its limit. */
  get unconsumedTail(): Uint8Array {
    return this.#tail;
  }

  /**
   * Returns what comes of the next bytes, `maxLength` bytes at most; 0 is no limit. What is left
   * of the input then is to be given to the next call, see {@linkcode unconsumedTail}.
   *
   * @throws {DecompressionError} when the input is not gzip, or damaged.
   * @throws {RangeError} when `maxLength` is not a whole number from 0.
   */
  decompress(value: Uint8Array, maxLength = 0): Uint8Array {
    if (!Number.isInteger(maxLength) || maxLength < 0) {
      throw new RangeError(
        `Cannot decompress to ${maxLength} bytes: expected a whole number from 0`,
      );
    }
    if (this.#state === "dead") throw new DecompressionError("an earlier call ended it");
    if (this.#state === "empty" && value.length === 0) return EMPTY;
    const stream = this.#stream;
    stream.input = value;
    stream.next_in = 0;
    stream.avail_in = value.length;
    const output = this.#inflate(maxLength === 0 ? Infinity : maxLength);
    this.#tail = value.subarray(stream.next_in);
    return output;
  }

  /**
   * Returns what comes of all input so far and was not given out, and ends the work.
   *
   * @throws {DecompressionError} when the input ended in the middle.
   */
  flush(): Uint8Array {
    if (this.#state === "dead") throw new DecompressionError("an earlier call ended it");
    const rest = this.#state === "empty" ? EMPTY : this.#inflate(Infinity);
    if (this.#state === "open") this.#fail("the input ends too early");
    this.#state = "dead";
    return rest;
  }

  #inflate(limit: number): Uint8Array {
    const output = new ByteCollector(limit);
    while (output.length < limit && (this.#state !== "ended" || this.#beginMember())) {
      const size = Math.min(CHUNK_SIZE, limit - output.length);
      const count = this.#next(size);
      output.add(this.#chunk, 0, count);
      if (this.#state === "open" && count < size) break; // it needs more input
    }
    return output.result();
  }

  // Fills the chunk with up to `size` bytes and returns how many there are.
  #next(size: number): number {
    const stream = this.#stream;
    stream.output = this.#chunk;
    stream.next_out = 0;
    stream.avail_out = size;
    const code = inflate(stream, Z_NO_FLUSH);
    if (code === Z_STREAM_END) this.#state = "ended";
    else if (code === Z_OK || code === Z_BUF_ERROR) this.#state = "open";
    else this.#fail(stream.msg || "a dictionary is needed");
    return stream.next_out;
  }

  #beginMember(): boolean {
    const { input, next_in: at, avail_in: left } = this.#stream;
    if (left < 2 || MEMBER_MAGIC.some((byte, i) => input[at + i] !== byte)) return false;
    inflateReset(this.#stream);
    return true;
  }

  #fail(what: string): never {
    this.#state = "dead";
    throw new DecompressionError(what);
  }
}

const EMPTY = new Uint8Array(0);
