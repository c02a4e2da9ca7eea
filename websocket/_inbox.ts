// What a client has received: readers come for it one at a time, or a callback is given it.
//
// A message that nobody waits for is held, and the connection reads no further until it was
// taken: one message is held, not more. (A second one can come on top of it only if a reader
// was cancelled between getting its message and looking at it: the message is put back.)
//
// The connection holds the inbox, and the inbox does not hold the client's
// WebSocketClientConnection: one that was forgotten can be noticed.
import { convertYielded } from "../gen/mod.ts";
import { _isWork } from "../ioloop/converter.ts";
import { CancelledError, Future, type IOLoop, wrap } from "../ioloop/mod.ts";
import type { WebSocketReceiver } from "./connection.ts";
import { WriteBufferFullError } from "./errors.ts";

/** Is what is read: a message, or null at the end. */
export type Message = string | Uint8Array | null;

/** Is given messages, and null at the end. */
export type MessageCallback = (message: Message) => unknown;

/** Who the inbox belongs to. */
export interface InboxOwner {
  onPing(data: Uint8Array): void;
  onPong(data: Uint8Array): void;
  /** Is told that the connection ended. */
  _ended(): void;
}

/** Receives for a client. */
export class Inbox implements WebSocketReceiver {
  readonly #loop: IOLoop;
  readonly #callback: MessageCallback | null;
  readonly #unwrapped: MessageCallback | null; // which the loop names when it fails
  #owner: WeakRef<InboxOwner> | null = null;
  #fail: () => void = () => {};
  #held: (string | Uint8Array)[] = [];
  #taken: Future<void> | null = null; // what the connection waits for, while a message is held
  #reader: MessageRead | null = null;
  #ended = false;

  constructor(loop: IOLoop, callback: MessageCallback | null) {
    this.#loop = loop;
    this.#callback = wrap(callback);
    this.#unwrapped = callback;
  }

  /** Sets whom pings and the end are told, and what is done when the callback fails. */
  belongTo(owner: InboxOwner, fail: () => void): void {
    this.#owner = new WeakRef(owner);
    this.#fail = fail;
  }

  /**
   * Returns the next message.
   *
   * @throws {Error} when somebody reads already, or there is a callback.
   */
  read(): Future<Message> {
    if (this.#callback !== null) {
      throw new Error("Cannot read a message: onMessageCallback is given them");
    }
    if (this.#reader !== null) throw new Error("Cannot read a message: another read is pending");
    const read = new MessageRead(this);
    const message = this.#held.shift();
    if (message !== undefined) {
      read.deliver(message);
      this.#readOn();
    } else if (this.#ended) read.deliver(null);
    else this.#reader = read;
    return read;
  }

  /** Takes back a message that its reader was given and never saw; null is no message. */
  putBack(message: Message): void {
    if (message !== null) this.#held.unshift(message);
  }

  /** Forgets a reader. */
  abandon(reader: MessageRead): void {
    if (this.#reader === reader) this.#reader = null;
  }

  receive(message: string | Uint8Array): Future<unknown> | null {
    if (this.#callback !== null) return this.#call(this.#callback, message);
    const reader = this.#reader;
    if (reader === null) {
      this.#held.push(message);
      return this.#taken = new Future<void>();
    }
    this.#reader = null;
    reader.deliver(message);
    return null;
  }

  receivePing(data: Uint8Array): void {
    this.#tell((owner) => owner.onPing(data));
  }

  receivePong(data: Uint8Array): void {
    this.#tell((owner) => owner.onPong(data));
  }

  receiveEnd(): void {
    this.#ended = true;
    const reader = this.#reader;
    this.#reader = null;
    reader?.deliver(null);
    if (this.#callback !== null) this.#call(this.#callback, null);
    this.#tell((owner) => owner._ended());
  }

  #readOn(): void {
    if (this.#held.length > 0) return;
    const taken = this.#taken;
    this.#taken = null;
    taken?._settle(1, undefined);
  }

  #tell(fn: (owner: InboxOwner) => void): void {
    const owner = this.#owner?.deref();
    if (owner === undefined) return;
    try {
      fn(owner);
    } catch (error) {
      this.#loop._report(fn, error);
    }
  }

  // Returns what the callback is still at work on.
  #call(callback: MessageCallback, message: Message): Future<unknown> | null {
    try {
      const work = callback(message);
      if (!_isWork(work)) return null;
      const future = convertYielded(work);
      const watched = new Future<void>();
      future._listen({
        _settled: () => {
          // A message that was not sent, by the policy of the connection, is no failure.
          const dropped = future._value instanceof WriteBufferFullError;
          if (!future._fulfilled && !dropped) this.#failed(future._value);
          watched._settle(1, undefined);
        },
      });
      return watched.done() ? null : watched;
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  #failed(error: unknown): void {
    this.#loop._report(this.#unwrapped, error);
    this.#fail();
  }
}

/** Is the Future of a message. Who cancels it before it was looked at loses nothing. */
export class MessageRead extends Future<Message> {
  readonly #inbox: Inbox;
  #untaken = false; // it has a message, and nobody has looked at it

  constructor(inbox: Inbox) {
    super(() => inbox.abandon(this));
    this.#inbox = inbox;
  }

  deliver(message: Message): void {
    this.#untaken = true;
    this._settle(1, message);
  }

  override cancel(reason?: unknown): boolean {
    if (!this.#untaken) return super.cancel(reason);
    const message = this.result();
    this._revoke(reason instanceof CancelledError ? reason : new CancelledError(reason));
    this.#inbox.putBack(message);
    return true;
  }

  override result(): Message {
    this.#untaken = false;
    return super.result();
  }

  override get _value(): unknown {
    this.#untaken = false;
    return super._value;
  }
}
