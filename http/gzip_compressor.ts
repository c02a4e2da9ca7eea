// @ts-types="./_pako_deflate.d.ts"
import { Deflate } from "pako/lib/deflate.js";
import { ByteCollector } from "./_byte_collector.ts";

const Z_SYNC_FLUSH = 2;
const Z_FINISH = 4;

/**
 * Compresses to gzip piece by piece, at once: what was given can be decompressed from what came
 * out so far (RFC 1952).
 *
 * @example Two pieces
 * ```ts
 * import { GzipCompressor, GzipDecompressor } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * const compressor = new GzipCompressor();
 * const decompressor = new GzipDecompressor();
 * assertEquals(decompressor.decompress(compressor.compress(bytes("one "))), bytes("one "));
 * assertEquals(decompressor.decompress(compressor.finish(bytes("two"))), bytes("two"));
 * decompressor.flush();
 * ```
 */
export class GzipCompressor {
  readonly #deflate: Deflate;
  #out = new ByteCollector(Infinity);

  /** Makes one; `level` is from 1, fast, to 9, small. */
  constructor(level = 6) {
    this.#deflate = new Deflate({ gzip: true, level });
    this.#deflate.onData = (piece) => this.#out.add(piece, 0, piece.length);
  }

  /** Compresses a piece. */
  compress(bytes: Uint8Array): Uint8Array {
    return this.#push(bytes, Z_SYNC_FLUSH);
  }

  /** Compresses the last piece, which may be empty. */
  finish(bytes: Uint8Array): Uint8Array {
    return this.#push(bytes, Z_FINISH);
  }

  #push(bytes: Uint8Array, flush: number): Uint8Array {
    this.#deflate.push(bytes, flush);
    const out = this.#out.result();
    this.#out = new ByteCollector(Infinity);
    return out;
  }
}
