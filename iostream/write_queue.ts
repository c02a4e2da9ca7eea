// What waits to be written: small pieces are copied behind each other into chunks that come
// from a pool and go back when they are in the kernel, large ones are kept as they are. The
// head of the queue is what one write of the transport is given.

const CHUNK_SIZE = 8192; // the answers of a pipelining client fit into one
const SHORT = 64; // characters up to which text is tried as ASCII, one by one
const LARGE = 4096; // larger pieces are not copied
const MAX_POOLED = 256; // chunks, so 2 MiB; and as many queues

const encoder = new TextEncoder();
const pool: Uint8Array[] = [];
const restingQueues: WriteQueue[] = [];

/** Is told how the writes of its queue went. */
export interface Writer {
  /** So many bytes of what was handed out are in the kernel. @ignore */
  _wrote(count: number): void;
  /** The write failed. @ignore */
  _writeFailed(error: unknown): void;
}

/** Is what a queue writes to. */
interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

interface Piece {
  readonly data: Uint8Array;
  readonly chunk: Uint8Array | null; // the pooled chunk that holds `data`, if one does
}

/**
 * Queues pieces and hands them out as few large ones. A stream has a queue only while something
 * waits or is being written: one that rests goes to the next stream that writes.
 */
export class WriteQueue {
  // What lies before the open chunk: first #leaving from its end, then #pieces from its start.
  // Turned over when the former is empty; shift() costs 100 us once there are many thousands.
  #pieces: Piece[] = [];
  #leaving: Piece[] = [];
  #chunk: Uint8Array | null = null; // the open chunk: filled up to #used
  #used = 0;
  #writing: Uint8Array | null = null; // the pooled chunk that was handed out last
  #size = 0;
  #shared: Uint8Array | null = null; // what addShared() was given, as long as it is all there is
  #writer: Writer | null = null; // null: it rests, or the stream was freed in the midst of a write

  /** Gives a queue that is empty. */
  static of(writer: Writer): WriteQueue {
    const queue = restingQueues.pop() ?? new WriteQueue();
    queue.#writer = writer;
    return queue;
  }

  /** Takes the queue back, empty and with no write in flight. */
  rest(): void {
    this.#writer = null;
    if (restingQueues.length < MAX_POOLED) restingQueues.push(this);
  }

  /** Adds bytes. Up to 4 KiB are copied; more must not change until they are written. */
  addBytes(data: Uint8Array): void {
    this.#size += data.length;
    if (data.length > LARGE) {
      this.#seal();
      this.#pieces.push({ data, chunk: null });
    } else {
      const chunk = this.#room(data.length);
      chunk.set(data, this.#used);
      this.#used += data.length;
    }
  }

  /**
   * Adds bytes that never change, such as those that many streams send. If nothing waits before
   * them they are not copied, which for a short piece would take a whole chunk.
   */
  addShared(data: Uint8Array): void {
    if (this.#size > 0) return this.addBytes(data);
    this.#size = data.length;
    this.#shared = data;
  }

  /** Adds text as UTF-8 and tells how many bytes that are. */
  addText(text: string): number {
    if (text.length <= SHORT && putAscii(this.#room(text.length), this.#used, text)) {
      this.#used += text.length;
      this.#size += text.length;
      return text.length;
    }
    if (3 * text.length > CHUNK_SIZE) {
      const data = encoder.encode(text);
      this.addBytes(data);
      return data.length;
    }
    const chunk = this.#room(3 * text.length);
    const space = this.#used === 0 ? chunk : chunk.subarray(this.#used);
    const { written } = encoder.encodeInto(text, space);
    this.#used += written;
    this.#size += written;
    return written;
  }

  /**
   * Adds two bytes and a short ASCII text behind them. Of any other text it adds nothing and
   * returns false.
   */
  addShortAscii(first: number, second: number, text: string): boolean {
    if (text.length > SHORT) return false;
    const chunk = this.#room(2 + text.length);
    const used = this.#used;
    if (!putAscii(chunk, used + 2, text)) return false;
    chunk[used] = first;
    chunk[used + 1] = second;
    this.#used += 2 + text.length;
    this.#size += 2 + text.length;
    return true;
  }

  /** Adds text as latin-1, one byte a character, as header fields go out. */
  addLatin1(text: string): number {
    if (3 * text.length > CHUNK_SIZE) {
      this.addBytes(latin1Bytes(text));
      return text.length;
    }
    const chunk = this.#room(3 * text.length);
    const space = this.#used === 0 ? chunk : chunk.subarray(this.#used);
    const { written } = encoder.encodeInto(text, space);
    // As UTF-8 it is longer exactly if there is a character above 0x7f: hardly ever.
    if (written !== text.length) space.set(latin1Bytes(text));
    this.#used += text.length;
    this.#size += text.length;
    return text.length;
  }

  /** Hands out the next piece, null when there is none. It is not touched before {@linkcode written}. */
  next(): Uint8Array | null {
    const shared = this.#shared;
    if (shared !== null) {
      this.#shared = null;
      this.#size = 0;
      return shared;
    }
    if (this.#leaving.length === 0) {
      if (this.#pieces.length === 0) return this.#nextChunk();
      const empty = this.#leaving;
      this.#leaving = this.#pieces.reverse();
      this.#pieces = empty;
    }
    const { data, chunk } = this.#leaving.pop()!;
    this.#size -= data.length;
    this.#writing = chunk;
    return data;
  }

  // The usual case: all that is queued lies in the open chunk. The lists stay empty.
  #nextChunk(): Uint8Array | null {
    if (this.#used === 0) return null;
    const chunk = this.#chunk!;
    const data = chunk.subarray(0, this.#used);
    this.#writing = chunk;
    this.#chunk = null;
    this.#used = this.#size = 0;
    return data;
  }

  /** Writes a piece, and has the writer told how it went. */
  write(piece: Uint8Array, sink: Sink): void {
    sink.write(piece).then(this.#wrote, this.#failed);
  }

  readonly #wrote = (count: number): void => this.#writer?._wrote(count);
  readonly #failed = (error: unknown): void => this.#writer?._writeFailed(error);

  /** Says that the piece handed out last is in the kernel, whole. */
  written(): void {
    recycle(this.#writing);
    this.#writing = null;
  }

  /**
   * Drops what is queued, for good: its writer is told nothing more. What was handed out may
   * still be in use by the transport, so the queue does not go to another stream.
   */
  drop(): void {
    this.#writer = null;
    for (const { chunk } of this.#leaving) recycle(chunk);
    for (const { chunk } of this.#pieces) recycle(chunk);
    recycle(this.#chunk);
  }

  #room(size: number): Uint8Array {
    if (this.#shared !== null) this.#seal();
    if (this.#chunk !== null && this.#used + size > CHUNK_SIZE) this.#seal();
    return this.#chunk ??= pool.pop() ?? new Uint8Array(CHUNK_SIZE);
  }

  #seal(): void {
    if (this.#shared !== null) { // then nothing is in the chunk
      this.#pieces.push({ data: this.#shared, chunk: null });
      this.#shared = null;
    }
    const chunk = this.#chunk;
    if (chunk === null || this.#used === 0) return;
    this.#pieces.push({ data: chunk.subarray(0, this.#used), chunk });
    this.#chunk = null;
    this.#used = 0;
  }
}

// A loop over a few characters is cheaper than a call of the encoder: 1 ns each against 100.
function putAscii(target: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return false;
    target[at + i] = code;
  }
  return true;
}

function recycle(chunk: Uint8Array | null): void {
  if (chunk !== null && pool.length < MAX_POOLED) pool.push(chunk);
}

/**
 * Encodes text as latin-1. A character beyond it becomes a question mark: its low byte could
 * be a line end.
 */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bytes[i] = code > 0xff ? 0x3f : code;
  }
  return bytes;
}
