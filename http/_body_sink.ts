import { convertYielded } from "../gen/mod.ts";
import type { Future } from "../ioloop/mod.ts";
import { GzipDecompressor } from "./gzip_decompressor.ts";
import type { HTTPMessageDelegate } from "./delegates.ts";

/** Is told by a {@linkcode BodySink}, outside of its methods, how it goes on. */
export interface BodySinkOwner {
  /** It was not ready and is now. */
  sinkReady(): void;
  /** The delegate failed: it is to be told nothing more. */
  sinkFailed(error: unknown): void;
  /** Called for what comes out, before the delegate gets it; it throws to refuse it. */
  sinkOutput(length: number): void;
}

/**
 * Gives a message to its delegate piece by piece, and holds back while that is at work. Its
 * methods tell whether it is ready for more; if not, `sinkReady` follows.
 */
export class BodySink {
  readonly #delegate: HTTPMessageDelegate;
  readonly #owner: BodySinkOwner;
  readonly #chunkSize: number;
  #gzip: GzipDecompressor | null = null;
  #rest: Uint8Array | null = null; // what the delegate was not ready for
  #busy = false; // the delegate is at work
  #over = false; // it was told of the end

  /** `chunkSize` is the length of the largest piece. */
  constructor(delegate: HTTPMessageDelegate, owner: BodySinkOwner, chunkSize: number) {
    this.#delegate = delegate;
    this.#owner = owner;
    this.#chunkSize = chunkSize;
  }

  /** Decompresses what follows. */
  decompress(): void {
    this.#gzip = new GzipDecompressor();
  }

  /** Gives the head to the delegate. */
  head(...head: Parameters<HTTPMessageDelegate["headersReceived"]>): boolean {
    this.#wait(this.#delegate.headersReceived(...head));
    return !this.#busy;
  }

  /**
   * Gives bytes[start..end) of the body to the delegate.
   *
   * @throws {DecompressionError} when they are not what they should be.
   */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    const rest = this.#give(bytes.subarray(start, end));
    if (rest !== null) this.#rest = rest.slice(); // the bytes are valid in this call only
    return !this.#busy;
  }

  /**
   * Tells the delegate that the body is complete; it must be ready.
   *
   * @throws {DecompressionError} when it ends in the middle.
   */
  end(): void {
    try {
      this.#gzip?.flush();
    } catch (error) {
      this.close();
      throw error;
    }
    this.#over = true;
    this.#wait(this.#delegate.finish());
  }

  /** Tells the delegate, unless it was told of the end, that there will be none. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#rest = null;
    this.#delegate.onConnectionClose();
  }

  // Returns what is left when the delegate is at work; null when nothing is left to do.
  #give(bytes: Uint8Array): Uint8Array | null {
    let left = bytes;
    let more = left.length > 0;
    while (more && !this.#over) {
      if (this.#busy) return left;
      let piece: Uint8Array;
      if (this.#gzip === null) {
        piece = left.slice(0, this.#chunkSize);
        left = left.subarray(piece.length);
        more = left.length > 0;
      } else {
        piece = this.#gzip.decompress(left, this.#chunkSize);
        left = this.#gzip.unconsumedTail;
        more = piece.length === this.#chunkSize; // else the input is used up, or at its end
      }
      if (piece.length === 0) continue;
      this.#owner.sinkOutput(piece.length);
      this.#wait(this.#delegate.dataReceived(piece));
    }
    return null;
  }

  #wait(work: unknown): void {
    if (work === undefined || work === null) return;
    const future = convertYielded(work);
    if (future.done() && future._fulfilled) return;
    this.#busy = true;
    future._listen({ _settled: () => queueMicrotask(() => this.#goOn(future)) });
  }

  #goOn(future: Future<unknown>): void {
    this.#busy = false;
    try {
      future.result();
      if (this.#over) return;
      this.#rest = this.#rest === null ? null : this.#give(this.#rest);
    } catch (error) {
      this.#owner.sinkFailed(error);
      return;
    }
    if (!this.#busy && !this.#over) this.#owner.sinkReady();
  }
}
