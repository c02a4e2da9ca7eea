// One direction of a memory pair. Bytes go through two gates:
//
//   write --room in the store--> stored --not held back--> read
//
// An operation that cannot pass waits, at most one of each kind, and is tried again after
// everything that may open its gate. There are no timers: what happens depends on the order
// of the calls alone. An operation is forgotten before it is settled, so that its bytes,
// which are the caller's, are not touched any more.

interface Operation<T> {
  readonly bytes: Uint8Array;
  readonly settled: PromiseWithResolvers<T>;
}

/** Carries bytes from a writing to a reading end. */
export class MemoryPipe {
  /** The most bytes that one read brings. */
  maxRead = Infinity;
  /** The most bytes that one write takes. */
  maxWrite = Infinity;

  readonly #capacity: number;
  readonly #chunks: Uint8Array[] = []; // none is empty
  #stored = 0; // bytes in #chunks, at most #capacity
  #released = Infinity; // bytes that may be read; Infinity exactly while nothing is held
  #ended = false; // nothing will be written any more
  #abandoned = false; // nothing will be read any more
  #reset = false;
  #reader: Operation<number | null> | null = null;
  #writer: Operation<number> | null = null;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#reset) throw resetError("read");
    if (this.#reader !== null) throw new Deno.errors.Busy("Cannot read: another read is pending");
    if (bytes.length === 0) return Promise.resolve(0);
    const settled = Promise.withResolvers<number | null>();
    this.#reader = { bytes, settled };
    this.#move();
    return settled.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#reset) throw resetError("write");
    if (this.#ended || this.#abandoned) throw brokenPipe();
    if (this.#writer !== null) throw new Deno.errors.Busy("Cannot write: another write is pending");
    if (bytes.length === 0) return Promise.resolve(0);
    const settled = Promise.withResolvers<number>();
    this.#writer = { bytes, settled };
    this.#move();
    return settled.promise;
  }

  /** Ends the stream behind what was written; a write that waits goes first. */
  end(): void {
    this.#ended = true;
    this.#move();
  }

  /** Is called when the reading end closes. */
  closeReader(): void {
    this.#abandoned = true;
    this.#empty();
    this.#fail(interrupted("read"), brokenPipe());
  }

  /** Is called when the writing end closes. */
  closeWriter(): void {
    this.#failWriter(interrupted("write"));
    this.end();
  }

  /** Loses what is stored and fails whatever is pending or comes later. */
  reset(): void {
    this.#reset = true;
    this.#empty();
    this.#fail(resetError("read"), resetError("write"));
  }

  hold(): void {
    this.#released = 0;
  }

  release(count: number): void {
    this.#released += count;
    this.#move();
  }

  #move(): void {
    this.#admit();
    this.#deliver();
    this.#admit(); // what was read made room
  }

  #admit(): void {
    const writer = this.#writer;
    const room = this.#capacity - this.#stored;
    if (writer === null || room === 0) return;
    const count = Math.min(writer.bytes.length, room, this.maxWrite);
    this.#chunks.push(writer.bytes.slice(0, count));
    this.#stored += count;
    this.#writer = null;
    writer.settled.resolve(count);
  }

  #deliver(): void {
    const reader = this.#reader;
    if (reader === null) return;
    const count = Math.min(reader.bytes.length, this.#stored, this.#released, this.maxRead);
    const atEnd = this.#ended && this.#stored === 0 && this.#released === Infinity;
    if (count === 0 && !atEnd) return;
    for (let at = 0; at < count;) at += this.#take(reader.bytes.subarray(at, count));
    this.#stored -= count;
    this.#released -= count;
    this.#reader = null;
    reader.settled.resolve(atEnd ? null : count);
  }

  // Moves bytes of the first chunk and tells how many.
  #take(into: Uint8Array): number {
    const chunk = this.#chunks[0]!;
    const part = chunk.subarray(0, into.length);
    into.set(part);
    if (part.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(part.length);
    return part.length;
  }

  #empty(): void {
    this.#chunks.length = 0;
    this.#stored = 0;
  }

  #fail(readError: Error, writeError: Error): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.settled.reject(readError);
    this.#failWriter(writeError);
  }

  #failWriter(error: Error): void {
    const writer = this.#writer;
    this.#writer = null;
    writer?.settled.reject(error);
  }
}

function interrupted(action: string): Error {
  return new Deno.errors.Interrupted(`Cannot ${action}: the connection was closed meanwhile`);
}

function brokenPipe(): Error {
  return new Deno.errors.BrokenPipe("Cannot write: nobody will read it");
}

function resetError(action: string): Error {
  return new Deno.errors.ConnectionReset(`Cannot ${action}: the connection was reset`);
}
