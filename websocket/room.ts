import type { Future } from "../ioloop/mod.ts";
import type { Writable } from "../web/mod.ts";
import { PreparedMessage, type WriteMessageOptions } from "./prepared_message.ts";

/** Can be in a {@linkcode Room}: a `WebSocketHandler`, a `WebSocketClientConnection`. */
export interface RoomMember {
  /** Whether nothing can be written any more. */
  readonly closing: boolean;
  /** Sends a message. */
  writeMessage(message: PreparedMessage): Future<void>;
  /** Has `listener` called once when the connection ends. */
  addCloseListener(listener: () => void): void;
  /** Takes back {@linkcode addCloseListener}. */
  removeCloseListener(listener: () => void): void;
}

/** Options of {@linkcode Room.broadcast}. */
export interface BroadcastOptions<M> extends WriteMessageOptions {
  /** A member that is left out: the one that the message came from. */
  except?: M | undefined;
}

/**
 * Holds the connections that get the same messages. Each message is encoded once and, for
 * connections that agreed on the same, compressed once. A member leaves by itself when its
 * connection ends.
 *
 * @example Everybody hears what one says
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application } from "@waterspout/waterspout/web";
 * import { Room, websocketConnect, WebSocketHandler } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const room = new Room();
 *
 * class Chat extends WebSocketHandler {
 *   override open(): void {
 *     room.join(this);
 *   }
 *   override onMessage(message: string | Uint8Array): void {
 *     room.broadcast(message, { except: this });
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Chat]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const ann = yield* websocketConnect(`ws://127.0.0.1:${port}/`);
 *   const bob = yield* websocketConnect(`ws://127.0.0.1:${port}/`);
 *   ann.writeMessage("hello");
 *   assertEquals(yield* bob.readMessage(), "hello");
 *   yield* server.shutdown();
 *   assertEquals([yield* ann.readMessage(), yield* bob.readMessage()], [null, null]);
 *   assertEquals(room.size, 0);
 * });
 * ```
 */
export class Room<M extends RoomMember = RoomMember> implements Iterable<M> {
  readonly #members = new Map<M, () => void>(); // with what is called when one ends
  readonly #onEmpty: (() => void) | null;

  /** Makes a room that nobody is in; `onEmpty` is called whenever the last member has left. */
  constructor(onEmpty: (() => void) | null = null) {
    this.#onEmpty = onEmpty;
  }

  /** How many members there are. */
  get size(): number {
    return this.#members.size;
  }

  /** Tells whether `member` is in it. */
  has(member: M): boolean {
    return this.#members.has(member);
  }

  /** Goes over the members. */
  [Symbol.iterator](): IterableIterator<M> {
    return this.#members.keys();
  }

  /** Takes `member` in; tells whether it was not in yet, and is not closing. */
  join(member: M): boolean {
    if (member.closing || this.#members.has(member)) return false;
    const leave = () => void this.leave(member);
    this.#members.set(member, leave);
    member.addCloseListener(leave);
    return true;
  }

  /** Lets `member` go; tells whether it was in. */
  leave(member: M): boolean {
    const leave = this.#members.get(member);
    if (leave === undefined) return false;
    this.#members.delete(member);
    member.removeCloseListener(leave);
    if (this.#members.size === 0) this.#onEmpty?.();
    return true;
  }

  /**
   * Sends a message to all members and tells to how many. A member that cannot take it (it is
   * closing, its buffer is full) is passed over; the others are none the worse.
   *
   * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
   */
  broadcast(
    message: Writable | PreparedMessage,
    { except, ...options }: BroadcastOptions<M> = {},
  ): number {
    if (this.#members.size === 0) return 0;
    const prepared = message instanceof PreparedMessage
      ? message
      : new PreparedMessage(message, options);
    let count = 0;
    // A member that joins meanwhile (a write may close, a close may call) gets the next one.
    for (const member of [...this.#members.keys()]) {
      if (member === except || member.closing) continue;
      if (isSent(member, prepared)) count++;
    }
    return count;
  }
}

function isSent(member: RoomMember, message: PreparedMessage): boolean {
  try {
    const sent = member.writeMessage(message);
    sent._observe(); // its failure is told by the close of that member
    return !sent.done() || sent._fulfilled;
  } catch {
    return false; // it closed in this moment; its own methods are told so
  }
}
