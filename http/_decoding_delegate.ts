import type { Transform } from "node:stream";
import { createBrotliDecompress, createInflate, createInflateRaw } from "node:zlib";
import { convertYielded, type MaybeYieldable } from "../gen/mod.ts";
import type { HTTPMessageDelegate } from "./delegates.ts";
import { HTTPInputError } from "./errors.ts";
import { DecompressionError } from "./gzip_decompressor.ts";

/** The codings besides gzip that are taken off. */
export type RareCoding = "deflate" | "br";

type Decoder = Transform & { readonly bytesWritten: number };

const PROBE = new Uint8Array(1);

/**
 * Takes a coding other than gzip off a message, on its way to another delegate. The decoders
 * are those of `node:zlib`, which work piece by piece and stop while nobody takes what they
 * have: however much would come out, little of it is in memory.
 */
export class DecodingDelegate implements HTTPMessageDelegate {
  readonly #delegate: HTTPMessageDelegate;
  readonly #coding: RareCoding;
  readonly #limit: { readonly maxBodySize: number };
  #decoder: Decoder | null = null; // there once a byte came
  #pump: Promise<void> | null = null; // hands on what comes out, up to its end
  #given = 0; // bytes that came

  /** No more than `limit.maxBodySize` bytes may come out. */
  constructor(
    delegate: HTTPMessageDelegate,
    coding: RareCoding,
    limit: { readonly maxBodySize: number },
  ) {
    this.#delegate = delegate;
    this.#coding = coding;
    this.#limit = limit;
  }

  headersReceived(...head: Parameters<HTTPMessageDelegate["headersReceived"]>): unknown {
    return this.#delegate.headersReceived(...head);
  }

  /** Is done when the decoder has taken the piece. */
  async dataReceived(chunk: Uint8Array): Promise<void> {
    const decoder = this.#decoder ??= this.#open(chunk[0]!);
    this.#given += chunk.length;
    await this.#put(decoder, chunk);
  }

  async finish(): Promise<void> {
    const decoder = this.#decoder;
    // The decoder of br does not say that its input was cut short. But one that has come to the
    // end takes no further byte.
    if (decoder?.bytesWritten === this.#given && this.#coding === "br") {
      await this.#put(decoder, PROBE);
      this.#checkProbe(decoder);
    }
    decoder?.end();
    await this.#pump;
    await this.#delegate.finish();
  }

  onConnectionClose(): void {
    this.#decoder?.destroy();
    this.#delegate.onConnectionClose();
  }

  // Is done when the decoder has taken `chunk`.
  async #put(decoder: Decoder, chunk: Uint8Array): Promise<void> {
    const taken = new Promise<void>((resolve) => decoder.write(chunk, () => resolve()));
    await Promise.race([taken, this.#pump]); // that fails if the decoder does
  }

  #checkProbe(decoder: Decoder): void {
    if (decoder.bytesWritten <= this.#given) return;
    decoder.destroy();
    throw new DecompressionError("the input ends too early");
  }

  // RFC 9110 8.4.1.2: "deflate" is zlib; some servers leave its envelope out.
  #open(first: number): Decoder {
    const decoder = this.#coding === "br"
      ? createBrotliDecompress()
      : (first & 0x0f) === 8
      ? createInflate()
      : createInflateRaw();
    this.#pump = this.#handOn(decoder);
    this.#pump.catch(() => {}); // whoever waits for it next is told
    return decoder;
  }

  async #handOn(decoder: Decoder): Promise<void> {
    let received = 0;
    try {
      for await (const piece of decoder as AsyncIterable<Uint8Array>) {
        this.#checkProbe(decoder); // what comes of a probe is nobody's
        received += piece.length;
        const { maxBodySize } = this.#limit;
        if (received > maxBodySize) throw answerTooLarge(maxBodySize);
        const work = this.#delegate.dataReceived(new Uint8Array(piece));
        if (work !== undefined && work !== null) await convertYielded(work as MaybeYieldable);
      }
    } catch (error) {
      // What the decoder says has a code; the rest is from here or from the delegate.
      if (!(error instanceof Error) || !("errno" in error)) throw error;
      throw new DecompressionError(error.message);
    }
  }
}

/** Says that the body of an answer, or what comes out of it, is too large. */
export function answerTooLarge(limit: number): HTTPInputError {
  return new HTTPInputError(`Cannot read answer: its body is larger than ${limit} bytes`);
}
