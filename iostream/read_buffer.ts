const FIRST_SIZE = 1024; // of a connection that was never busy: an idle one stays cheap
const SMALL_SIZE = 2048; // of an idle one that once filled the first size (a browser's head)

/**
 * Holds the bytes that were read and not taken: one array, in which bytes[start..end) are
 * the data and what lies behind `end` is lent to the read in flight.
 *
 * A connection that drained its socket is lent a small array; when a read fills that, the
 * next one gets the size that was last of use, and while reads fill their space it doubles.
 */
export class ReadBuffer {
  /** The array; replaced only by {@linkcode lend}. */
  bytes: Uint8Array = EMPTY;
  /** Where the data begins. */
  start = 0;
  /** Where the data ends; moved only by {@linkcode filled}. */
  end = 0;
  readonly #chunkSize: number;
  #small = FIRST_SIZE;
  #useful = FIRST_SIZE; // the size that the last busy stretch ended with
  #full = false; // the last read filled all it was lent
  #lent = 0; // bytes lent to the read in flight

  /** `chunkSize` is the most that one read is lent while the buffer is empty. */
  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize;
  }

  /** How many bytes there are. */
  get length(): number {
    return this.end - this.start;
  }

  /**
   * Lends the space for the next read, at most `limit` bytes. Nothing is lent at that
   * moment: only here the data may move.
   */
  lend(limit: number): Uint8Array {
    const length = this.end - this.start;
    if (length === 0) this.#lendEmpty();
    else if (this.bytes.length - this.end < Math.min(FIRST_SIZE, limit)) {
      this.#makeRoom(length);
    }
    const size = Math.min(this.bytes.length - this.end, limit);
    this.#lent = size;
    if (size === this.bytes.length) return this.bytes; // the usual case: no view of its own
    return this.bytes.subarray(this.end, this.end + size);
  }

  /** Takes in the bytes that the read brought into the lent space. */
  filled(count: number): void {
    this.end += count;
    this.#full = count === this.#lent;
    if (this.#full && this.#small === FIRST_SIZE) this.#small = SMALL_SIZE;
  }

  /** Copies out the next `count` bytes. */
  take(count: number): Uint8Array {
    const taken = this.bytes.slice(this.start, this.start + count);
    this.start += count;
    return taken;
  }

  #lendEmpty(): void {
    let size = this.#small;
    if (this.#full) {
      size = this.bytes.length <= this.#small
        ? Math.max(this.#useful, 2 * this.bytes.length)
        : 2 * this.bytes.length;
      size = Math.max(FIRST_SIZE, Math.min(size, this.#chunkSize));
      this.#useful = size;
    }
    if (this.bytes.length !== size) this.bytes = new Uint8Array(size);
    this.start = this.end = 0;
  }

  #makeRoom(length: number): void {
    if (length <= this.bytes.length >> 1) {
      this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes.subarray(this.start, this.end));
      this.bytes = larger;
    }
    this.start = 0;
    this.end = length;
  }
}

const EMPTY = new Uint8Array(0);
