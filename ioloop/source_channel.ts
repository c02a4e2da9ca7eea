import { Channel } from "./channel.ts";
import type { ChannelLoop, ChannelOwner } from "./channel.ts";
import type { Transport } from "./transport.ts";

const CHUNK_SIZE = 16 * 1024; // bytes that one read may bring

/** Is what `addHandler` takes: a connection (or any {@linkcode Transport}) or a listener. */
export type Source = Transport | Deno.Listener;

/** Is what a source hands over: bytes (null at the end) or a connection. */
export type Taken<S extends Source> = S extends Transport ? Uint8Array | null
  : S extends Deno.Listener<infer C> ? C
  : never;

/** Is the channel that `addHandler` returns: it hands over what arrived, and writes. */
export class SourceChannel<S extends Source = Source> {
  readonly #source: S;
  readonly #channel: Channel<number | null | Deno.Conn>;
  #chunk: Uint8Array | null = null; // what the read in flight, or the one that arrived, fills

  /** Is made by the loop. */
  constructor(loop: ChannelLoop, source: S, ready: (events: number) => void) {
    this.#source = source;
    const owner: ChannelOwner<number | null | Deno.Conn> = {
      begin: () => {
        if ("accept" in source) return source.accept();
        this.#chunk = new Uint8Array(CHUNK_SIZE);
        return source.read(this.#chunk);
      },
      ready,
      discard: (arrived) => {
        if (typeof arrived === "object") arrived?.close();
      },
    };
    this.#channel = new Channel(loop, owner);
  }

  /** The events that are wanted. */
  get interest(): number {
    return this.#channel.interest;
  }

  /**
   * Takes what arrived: bytes or, at the end of the stream, null; a connection from a
   * listener; undefined when there is nothing.
   *
   * @throws what the read or accept failed with.
   */
  take(): Taken<S> | undefined {
    const arrived = this.#channel.take();
    if (typeof arrived !== "number") return arrived as Taken<S> | undefined;
    const bytes = this.#chunk!.subarray(0, arrived);
    this.#chunk = null;
    return bytes as Taken<S>;
  }

  /**
   * Writes some of `data` and tells how many bytes it took. Until then WRITE does not hold.
   *
   * @throws {TypeError} on a listener.
   */
  async write(data: Uint8Array): Promise<number> {
    const source = this.#source;
    if (!("write" in source)) throw new TypeError("Cannot write to a listener");
    this.#channel.writing = true;
    try {
      return await source.write(data);
    } finally {
      this.#channel.writing = false;
    }
  }

  /** Changes the events that are wanted. */
  want(events: number): void {
    this.#channel.want(events);
  }

  /** Ends the registration; the source stays open. */
  close(): void {
    this.#channel.close();
  }
}
