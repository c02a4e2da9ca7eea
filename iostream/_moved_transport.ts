import type { Transport } from "../ioloop/mod.ts";

/**
 * Is the transport of a stream that gave it up. What the stream had read, and what a read that
 * it had in flight still brings, comes first.
 */
export class MovedTransport implements Transport {
  readonly #transport: Transport;
  #rest: Uint8Array; // bytes to be read before all others
  #arriving: Promise<Uint8Array | null> | null; // what comes behind them, null for the end

  constructor(
    transport: Transport,
    first: Uint8Array,
    arriving: Promise<Uint8Array | null> | null,
  ) {
    this.#transport = transport;
    this.#rest = first;
    this.#arriving = arriving;
    arriving?.catch(() => {}); // the next read tells
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#rest.length > 0) return Promise.resolve(this.#takeRest(buffer));
    if (this.#arriving !== null) return this.#takeArriving(this.#arriving, buffer);
    return this.#transport.read(buffer);
  }

  write(data: Uint8Array): Promise<number> {
    return this.#transport.write(data);
  }

  close(): void {
    this.#transport.close();
  }

  closeWrite(): Promise<void> {
    return this.#transport.closeWrite();
  }

  ref(): void {
    this.#transport.ref?.();
  }

  unref(): void {
    this.#transport.unref?.();
  }

  async #takeArriving(
    arriving: Promise<Uint8Array | null>,
    buffer: Uint8Array,
  ): Promise<number | null> {
    const arrived = await arriving;
    this.#arriving = null;
    if (arrived === null) return null;
    this.#rest = arrived;
    return this.#takeRest(buffer);
  }

  #takeRest(buffer: Uint8Array): number {
    const count = Math.min(buffer.length, this.#rest.length);
    buffer.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }
}
