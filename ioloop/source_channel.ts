// A read or accept that is in flight can't be called back. When a source is removed from the
// loop and added again, its new channel takes over the operation of the old one: what that
// brings would be lost, and the runtime refuses a second accept beside it.
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

interface Operation {
  readonly outcome: Promise<number | null | Deno.Conn>;
  readonly chunk: Uint8Array | null; // what a read fills
  channel: unknown; // who takes what it brings
}

const operations = new WeakMap<Source, Operation>(); // that are in flight, or not taken yet

/** Is the channel that `addHandler` returns: it hands over what arrived, and writes. */
export class SourceChannel<S extends Source = Source> {
  readonly #source: S;
  readonly #channel: Channel<number | null | Deno.Conn>;

  /** Is made by the loop. */
  constructor(loop: ChannelLoop, source: S, ready: (events: number) => void) {
    this.#source = source;
    const owner: ChannelOwner<number | null | Deno.Conn> = {
      begin: () => {
        const operation = operations.get(source) ?? beginOperation(source);
        operations.set(source, operation);
        operation.channel = this;
        return operation.outcome;
      },
      ready,
      discard: (arrived) => {
        if (typeof arrived === "number" || arrived === null) return; // it waits for a new channel
        if (operations.get(source)?.channel !== this) return; // it is a new one's
        operations.delete(source);
        arrived.close();
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
    const chunk = operations.get(this.#source)?.chunk;
    let arrived;
    try {
      arrived = this.#channel.take();
    } catch (error) {
      operations.delete(this.#source);
      throw error;
    }
    if (arrived !== undefined) operations.delete(this.#source);
    return (typeof arrived === "number" ? chunk!.subarray(0, arrived) : arrived) as
      | Taken<S>
      | undefined;
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

function beginOperation(source: Source): Operation {
  if ("accept" in source) return { outcome: source.accept(), chunk: null, channel: null };
  const chunk = new Uint8Array(CHUNK_SIZE);
  return { outcome: source.read(chunk), chunk, channel: null };
}
