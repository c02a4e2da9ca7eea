// Rooms by name, on one server or many.
//
// A message is given to the members here at once, and to the backplane for those elsewhere. The
// backplane brings it back here as well; it carries the id of who published it, by which it is
// known and dropped.
//
// A topic is subscribed to on the backplane as long as somebody is in its room. Subscribing
// and unsubscribing take time, and members come and go meanwhile: each topic has one line of
// work, which goes on until what is subscribed is what is wanted.
import { appLog } from "../ioloop/mod.ts";
import type { Writable } from "../web/mod.ts";
import type { Backplane } from "./backplane.ts";
import { PreparedMessage } from "./prepared_message.ts";
import { type BroadcastOptions, Room, type RoomMember } from "./room.ts";

const ID_SIZE = 16;
const TEXT = 0;
const BINARY = 1;

/** Options of {@linkcode Topics}. */
export interface TopicsOptions {
  /** What carries messages to other servers; null, the default: they stay here. */
  backplane?: Backplane | null;
}

/**
 * Holds a {@linkcode Room} for each topic that somebody is subscribed to, and reaches the
 * members on other servers through a {@linkcode Backplane}.
 *
 * Members here get the messages of one publisher in their order, and so do those on another
 * server; how those of two publishers follow each other may differ. When the backplane fails,
 * that is logged, and the members here are served as before.
 *
 * @example One server
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application } from "@waterspout/waterspout/web";
 * import { Topics, websocketConnect, WebSocketHandler } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const topics = new Topics();
 *
 * class Ticker extends WebSocketHandler {
 *   override open(symbol: string): void {
 *     topics.subscribe(symbol, this);
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/([a-z]+)", Ticker]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const connection = yield* websocketConnect(`ws://127.0.0.1:${port}/rain`);
 *   topics.publish("snow", "not for us");
 *   topics.publish("rain", { mm: 7 });
 *   assertEquals(yield* connection.readMessage(), '{"mm":7}');
 *   yield* server.shutdown();
 *   assertEquals([yield* connection.readMessage(), topics.size("rain")], [null, 0]);
 * });
 * ```
 */
export class Topics<M extends RoomMember = RoomMember> {
  readonly #backplane: Backplane | null;
  readonly #id: Uint8Array = crypto.getRandomValues(new Uint8Array(ID_SIZE));
  readonly #rooms = new Map<string, Room<M>>(); // none is empty
  readonly #subscribed = new Map<string, Promise<void>>(); // topics whose work is in progress
  readonly #listening = new Set<string>(); // topics that the backplane brings

  /** Makes one without topics. */
  constructor({ backplane = null }: TopicsOptions = {}) {
    this.#backplane = backplane;
  }

  /** How many members of `topic` there are on this server. */
  size(topic: string): number {
    return this.#rooms.get(topic)?.size ?? 0;
  }

  /** The topics that somebody on this server is subscribed to. */
  topics(): string[] {
    return [...this.#rooms.keys()];
  }

  /** Subscribes `member` to `topic`, until it leaves or its connection ends. */
  subscribe(topic: string, member: M): boolean {
    let room = this.#rooms.get(topic);
    if (room === undefined) {
      if (member.closing) return false;
      room = new Room<M>(() => {
        this.#rooms.delete(topic);
        this.#settle(topic);
      });
      this.#rooms.set(topic, room);
      this.#settle(topic);
    }
    return room.join(member);
  }

  /** Ends a subscription; tells whether there was one. */
  unsubscribe(topic: string, member: M): boolean {
    return this.#rooms.get(topic)?.leave(member) ?? false;
  }

  /**
   * Sends a message to the members of `topic`, here and elsewhere, and tells how many there
   * are here.
   *
   * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
   */
  publish(
    topic: string,
    message: Writable | PreparedMessage,
    { except, ...options }: BroadcastOptions<M> = {},
  ): number {
    const prepared = message instanceof PreparedMessage
      ? message
      : new PreparedMessage(message, options);
    if (this.#backplane !== null) this.#pass(this.#backplane, topic, prepared);
    return this.#rooms.get(topic)?.broadcast(prepared, { except }) ?? 0;
  }

  /**
   * Waits until the backplane knows of all that was subscribed and unsubscribed so far: what
   * is published elsewhere from then on comes here.
   */
  async ready(): Promise<void> {
    await Promise.all(this.#subscribed.values());
  }

  #pass(backplane: Backplane, topic: string, { binary, _payload }: PreparedMessage): void {
    const data = new Uint8Array(1 + ID_SIZE + _payload.length);
    data[0] = binary ? BINARY : TEXT;
    data.set(this.#id, 1);
    data.set(_payload, 1 + ID_SIZE);
    tryOn("publish", topic, () => backplane.publish(topic, data));
  }

  #receive(topic: string, data: Uint8Array): void {
    const room = this.#rooms.get(topic);
    if (room === undefined || data.length < 1 + ID_SIZE) return;
    if (this.#id.every((byte, i) => data[1 + i] === byte)) return; // our own, and delivered
    try {
      room.broadcast(data.subarray(1 + ID_SIZE), { binary: data[0] === BINARY });
    } catch (error) {
      appLog.warn("Cannot deliver a message of the topic {topic}: {error}", { topic, error });
    }
  }

  // Brings the backplane to where the rooms are.
  #settle(topic: string): void {
    const backplane = this.#backplane;
    if (backplane === null || this.#subscribed.has(topic)) return;
    const work = async () => {
      while (this.#rooms.has(topic) !== this.#listening.has(topic)) {
        if (this.#listening.delete(topic)) {
          await tryOn("unsubscribe", topic, () => backplane.unsubscribe(topic));
        } else {
          this.#listening.add(topic);
          const listener = (data: Uint8Array) => this.#receive(topic, data);
          await tryOn("subscribe", topic, () => backplane.subscribe(topic, listener));
        }
      }
      this.#subscribed.delete(topic);
    };
    this.#subscribed.set(topic, Promise.resolve().then(work));
  }
}

async function tryOn(
  what: string,
  topic: string,
  work: () => PromiseLike<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    appLog.error("Cannot {what} on the backplane, topic {topic}: {error}", { what, topic, error });
  }
}
