const FIRST_SIZE = 1024;

/**
 * Puts pieces of bytes together. Its memory follows what has come: it doubles, up to the
 * length that was announced.
 */
export class ByteCollector {
  #bytes: Uint8Array = EMPTY;
  #length = 0;
  readonly #announced: number;

  /** `announced` is how many bytes there will be, Infinity if that is not known. */
  constructor(announced: number) {
    this.#announced = announced;
  }

  /** How many bytes have come. */
  get length(): number {
    return this.#length;
  }

  /** Copies bytes[start..end) behind what is there. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#length + end - start;
    if (needed === this.#announced && this.#length === 0) { // the usual case: all at once
      this.#bytes = bytes.slice(start, end);
      this.#length = needed;
      return;
    }
    if (needed > this.#bytes.length) {
      const doubled = Math.max(needed, FIRST_SIZE, 2 * this.#bytes.length);
      const larger = new Uint8Array(Math.max(needed, Math.min(doubled, this.#announced)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#length);
    this.#length = needed;
  }

  /** Returns all that came. */
  result(): Uint8Array {
    const bytes = this.#bytes;
    return bytes.length === this.#length ? bytes : bytes.subarray(0, this.#length);
  }
}

const EMPTY = new Uint8Array(0);
