const IDLE_SIZE = 256; // of a connection that was never busy: an idle one stays cheap
const FIRST_SIZE = 1024; // of one that is
const SMALL_SIZE = 2048; // of an idle one whose messages fill less than that (a browser's head)
const SLAB_SIZE = 8192; // while many messages are there at once; else FIRST_SIZE
const LOOPED = 128; // copies up to this size are made byte by byte: 1 ns each, set() takes 100
const SLABBED = 512; // copies up to this size share a slab: 0.1 us each, an array of its own 0.5

/**
 * Holds the bytes that were read and not taken: one array, in which bytes[start..end) are
 * the data and what lies behind `end` is lent to the read in flight.
 *
 * A connection that drained its socket is lent a small array; when a read fills that, the
 * next one gets the size that was last of use, and while reads fill their space it doubles.
 * What is read ahead for nobody begins small too: the connection may idle from here on.
 *
 * A read in flight may also fill space elsewhere: in the array of a caller, or in an array
 * that was replaced meanwhile. What it brings is appended when it comes.
 */
export class ReadBuffer {
  /** The array; replaced only by {@linkcode lend}, {@linkcode putBack} and {@linkcode take}. */
  bytes: Uint8Array = EMPTY;
  /** Where the data begins. */
  start = 0;
  /** Where the data ends; moved by what fills and takes. */
  end = 0;
  readonly #chunkSize: number;
  #small = IDLE_SIZE; // what is lent when the socket was drained
  #useful = FIRST_SIZE; // the size that the last busy stretch ended with
  #full = false; // the last read filled all it was lent
  #lent: Uint8Array | null = null; // the space of the read in flight
  #away = false; // #lent is not the space behind `end`
  // Holds the copies of short messages. Bytes that were handed out are never written again.
  // One for each connection: whoever sees the whole of it sees nothing of another peer's.
  #slab: Uint8Array = EMPTY;
  #slabUsed = 0;
  #copied = 0; // bytes of the slab behind these that are a copy of bytes[#copiedFrom..]
  #copiedFrom = -1; // where the last short message ended; -1 once bytes moved
  #run = 0; // how many bytes to copy at once; doubles while short messages follow each other

  /** `chunkSize` is the most that one read is lent while the buffer is empty. */
  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize;
  }

  /** How many bytes there are. */
  get length(): number {
    return this.end - this.start;
  }

  /** The space that the read in flight fills, null when there is none. */
  get lent(): Uint8Array | null {
    return this.#lent;
  }

  /**
   * Lends the space for the next read, at most `limit` bytes; little of it if nobody waits for
   * what it brings (`ahead`). Nothing is lent at that moment: only here the data may move.
   */
  lend(limit: number, ahead = false): Uint8Array {
    const length = this.end - this.start;
    if (length === 0) this.#lendEmpty(ahead);
    else if (this.bytes.length - this.end < Math.min(FIRST_SIZE, limit)) {
      this.#makeRoom(length, ahead);
    }
    const size = Math.min(this.bytes.length - this.end, limit);
    this.#lent = size === this.bytes.length
      ? this.bytes // the usual case: no view of its own
      : this.bytes.subarray(this.end, this.end + size);
    return this.#lent;
  }

  /** Says that the read in flight fills `space`, which is a caller's. */
  lendElsewhere(space: Uint8Array): Uint8Array {
    this.#away = true;
    return this.#lent = space;
  }

  /** Takes in the bytes that the read brought into the lent space. */
  filled(count: number): void {
    const lent = this.#lent!;
    this.#lent = null;
    if (this.#away) {
      this.#away = false;
      this.#append(lent.subarray(0, count));
      return;
    }
    this.end += count;
    this.#full = count === lent.length;
    if (this.#full && lent.length === this.#small) {
      this.#small = Math.min(4 * this.#small, SMALL_SIZE);
    }
  }

  /** Says that what the read brought is with the caller whose space it filled. */
  filledElsewhere(): void {
    this.#lent = null;
    this.#away = false;
  }

  /** Begins small again: another protocol has messages of another size. */
  forgetSize(): void {
    this.#small = IDLE_SIZE;
  }

  /** Hands out the next `count` bytes in an array of their own. */
  take(count: number): Uint8Array {
    const { bytes, start } = this;
    this.start += count;
    if (count < bytes.length || count <= SMALL_SIZE) return bytes.slice(start, this.start);
    // The whole array, so nothing of it can be lent: it is given away instead of copied.
    this.#place(EMPTY, 0, 0);
    this.#useful = Math.max(this.#useful, 2 * count);
    return bytes;
  }

  /** Copies out the next `count` bytes; if they are few, into an array buffer with others. */
  takeShort(count: number): Uint8Array {
    if (count > SLABBED) return this.take(count);
    if (this.start !== this.#copiedFrom || this.#copied < count || this.#slab.length === 0) {
      this.#copy(count);
    }
    const from = this.#slabUsed;
    this.start += count;
    this.#slabUsed += count;
    this.#copied -= count;
    this.#copiedFrom = this.start;
    return new Uint8Array(this.#slab.buffer, from, count);
  }

  /** Moves bytes into `space`, as many as there are and fit, and tells how many. */
  moveInto(space: Uint8Array): number {
    const count = Math.min(space.length, this.length);
    if (count === 0) return 0;
    space.set(this.bytes.subarray(this.start, this.start + count));
    this.start += count;
    return count;
  }

  /** Puts bytes that were taken back in front. */
  putBack(front: Uint8Array): void {
    if (front.length === 0) return;
    if (this.start < front.length) {
      // The read in flight goes on in the former array: its bytes are appended later.
      const length = this.length;
      const larger = new Uint8Array(front.length + length + FIRST_SIZE);
      larger.set(this.bytes.subarray(this.start, this.end), front.length);
      this.#place(larger, front.length, front.length + length);
      if (this.#lent !== null) this.#away = true;
    }
    this.#place(this.bytes, this.start - front.length, this.end);
    this.bytes.set(front, this.start);
  }

  // Copies the next `count` bytes into the slab. Behind a short message there is likely another
  // one: then more is copied at once, the more of them follow each other.
  #copy(count: number): void {
    const { start, length } = this;
    // Also a slab that somebody transferred to a worker is replaced: its length is 0.
    if (this.#slab.length - this.#slabUsed < count) {
      this.#slab = new Uint8Array(Math.max(FIRST_SIZE, Math.min(length, SLAB_SIZE)));
      this.#slabUsed = 0;
    }
    const slab = this.#slab;
    const used = this.#slabUsed;
    this.#run = start === this.#copiedFrom ? 2 * Math.max(this.#run, count) : count;
    const copied = this.#copied = Math.min(this.#run, length, slab.length - used);
    if (copied > LOOPED) slab.set(this.bytes.subarray(start, start + copied), used);
    else for (let i = 0; i < copied; i++) slab[used + i] = this.bytes[start + i]!;
  }

  #append(data: Uint8Array): void {
    const length = this.length;
    if (this.bytes.length - this.end < data.length) {
      const larger = new Uint8Array(Math.max(FIRST_SIZE, 2 * (length + data.length)));
      larger.set(this.bytes.subarray(this.start, this.end));
      this.#place(larger, 0, length);
    }
    this.bytes.set(data, this.end);
    this.end += data.length;
  }

  #lendEmpty(ahead: boolean): void {
    if (this.#slab.length > FIRST_SIZE) this.#slab = EMPTY;
    let size = ahead ? IDLE_SIZE : this.#small;
    if (this.#full && !ahead) {
      size = this.bytes.length <= this.#small
        ? Math.max(this.#useful, 2 * this.bytes.length)
        : 2 * this.bytes.length;
      size = Math.max(FIRST_SIZE, Math.min(size, this.#chunkSize));
      this.#useful = size;
    }
    this.#place(this.bytes.length === size ? this.bytes : new Uint8Array(size), 0, 0);
  }

  // Part of a message is there, at the end of the array or near it.
  #makeRoom(length: number, ahead: boolean): void {
    const { bytes } = this;
    const grows = this.#full && !ahead && bytes.length < this.#chunkSize;
    if (length <= bytes.length >> 1 && bytes.length >= FIRST_SIZE && !grows) {
      bytes.copyWithin(0, this.start, this.end);
      this.#place(bytes, 0, length);
    } else {
      let size = Math.max(2 * bytes.length, FIRST_SIZE);
      if (this.#full && !ahead) size = Math.max(size, this.#useful);
      if (grows && length <= this.#chunkSize >> 1) {
        size = this.#useful = Math.min(size, this.#chunkSize);
      }
      const larger = new Uint8Array(size);
      larger.set(bytes.subarray(this.start, this.end));
      this.#place(larger, 0, length);
    }
  }

  #place(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#copiedFrom = -1;
  }
}

const EMPTY = new Uint8Array(0);
