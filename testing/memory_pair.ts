import type { Transport } from "../ioloop/mod.ts";
import { MemoryPipe } from "./_memory_pipe.ts";

const CAPACITY = 64 * 1024; // what a socket of Linux buffers, about

/** Options of {@linkcode memoryPair}. */
export interface MemoryPairOptions {
  /**
   * How many bytes each direction stores: a write waits while nothing is read and the store
   * is full.
   *
   * @default {65536}
   */
  capacity?: number;
}

/**
 * Is one end of a connection in memory. It behaves as a `Deno.Conn` does: reading into an
 * empty buffer gives 0 and at the end of the stream null; `close()` rejects what is pending
 * with `Interrupted`; a use after `close()`, a second `close()` included, is `BadResource`;
 * a write that nobody will read is `BrokenPipe`. A second read or write beside a pending one
 * is `Busy`.
 */
export interface MemoryConn extends Transport, Disposable {
  /**
   * The most bytes that one read brings: short reads.
   *
   * @default {Infinity}
   */
  maxRead: number;
  /**
   * The most bytes that one write takes: short writes.
   *
   * @default {Infinity}
   */
  maxWrite: number;
  /** Tells whether this end was closed. */
  closed(): boolean;
  /** Keeps back what the peer sent and this end has not read, and the end of the stream. */
  hold(): void;
  /**
   * Lets through the next `count` bytes of what {@linkcode hold} keeps back; without `count`
   * everything, and nothing is held any more.
   */
  release(count?: number): void;
  /**
   * Breaks the connection: what is on its way is lost, and whatever is pending or comes later
   * on either end fails with `ConnectionReset`. Both ends are still to be closed.
   */
  reset(): void;
}

/**
 * Makes the two ends of a connection in memory: for tests of code that takes a
 * {@linkcode Transport}, with exact timing and with faults. What was written can be read as
 * soon as the microtasks have run; no timer and no socket takes part.
 *
 * @throws {RangeError} when `capacity` is below 1.
 *
 * @example A message that comes byte by byte
 * ```ts
 * import { memoryPair } from "@waterspout/waterspout/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const [client, server] = memoryPair();
 * server.maxRead = 1;
 * await client.write(Uint8Array.of(7, 8));
 * client.close();
 *
 * const buffer = new Uint8Array(10);
 * assertEquals(await server.read(buffer), 1);
 * assertEquals(await server.read(buffer), 1);
 * assertEquals(await server.read(buffer), null);
 * server.close();
 * ```
 */
export function memoryPair(
  { capacity = CAPACITY }: MemoryPairOptions = {},
): [MemoryConn, MemoryConn] {
  if (!(capacity >= 1)) {
    throw new RangeError(
      `Cannot make a memory pair: its capacity must be 1 or more, got ${capacity}`,
    );
  }
  const there = new MemoryPipe(capacity);
  const back = new MemoryPipe(capacity);
  return [new End(back, there), new End(there, back)];
}

class End implements MemoryConn {
  readonly #incoming: MemoryPipe;
  readonly #outgoing: MemoryPipe;
  #closed = false;

  constructor(incoming: MemoryPipe, outgoing: MemoryPipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  get maxRead(): number {
    return this.#incoming.maxRead;
  }

  set maxRead(value: number) {
    this.#incoming.maxRead = value;
  }

  get maxWrite(): number {
    return this.#outgoing.maxWrite;
  }

  set maxWrite(value: number) {
    this.#outgoing.maxWrite = value;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    this.#mustBeOpen("read");
    return await this.#incoming.read(buffer);
  }

  async write(data: Uint8Array): Promise<number> {
    this.#mustBeOpen("write");
    return await this.#outgoing.write(data);
  }

  // deno-lint-ignore require-await -- its failure is a rejection, as that of read and write
  async closeWrite(): Promise<void> {
    this.#mustBeOpen("close the writing side");
    this.#outgoing.end();
  }

  close(): void {
    this.#mustBeOpen("close");
    this.#closed = true;
    this.#incoming.closeReader();
    this.#outgoing.closeWriter();
  }

  closed(): boolean {
    return this.#closed;
  }

  hold(): void {
    this.#incoming.hold();
  }

  release(count = Infinity): void {
    this.#incoming.release(count);
  }

  reset(): void {
    this.#incoming.reset();
    this.#outgoing.reset();
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }

  #mustBeOpen(action: string): void {
    if (this.#closed) {
      throw new Deno.errors.BadResource(`Cannot ${action}: the connection is closed`);
    }
  }
}
