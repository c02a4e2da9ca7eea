// Locks and queues serve those who wait in the order in which they came. A waiter is a
// Future with a place in a line, and leaves the line in O(1), however it ends:
//
//   WAITING --_serve--> SERVED --result is read--> TAKEN
//      |                   |
//      |                   '--cancel--> cancelled: what it got goes to the next
//      |--cancel--> cancelled
//      '--time is over--> _expire
//
// Served is not yet taken: the coroutine that waits is resumed in a microtask of its own
// and may be cancelled before. Then it cancels this Future, which it owns, and nobody else
// would ever release the permit or see the item that lies in it. So `cancel` of a result
// that nobody has read takes it back. Whoever copies it, as `await` does, has read it.
import { CancelledError, Future, IOLoop, TimeoutError } from "../ioloop/mod.ts";
import type { Timeout } from "../ioloop/mod.ts";
import type { Link, LinkedList } from "./_linked_list.ts";

/** Options of everything in `locks` and `queues` that waits. */
export interface WaitOptions {
  /**
   * How long to wait at most, in ms; without it there is no limit. Unlike `withTimeout`, which
   * takes the result as soon as it is there, it loses nothing to a cancellation.
   */
  timeout?: number;
}

/** Is the Future of one who waits to be served. */
export class Waiter<T> extends Future<T> {
  readonly #action: string;
  #link: Link<Waiter<T>> | null = null; // its place, which knows whether it is left
  #loop: IOLoop | null = null; // there exactly while #timeout is
  #timeout: Timeout | null = null;
  #giveBack: ((result: T) => void) | null = null; // there from _serve until it is read

  /** Makes one that stands in no line yet; `action` says what timed out. */
  constructor(action: string) {
    super();
    this.#action = action;
  }

  /** What it waits for. @ignore */
  override get _what(): string {
    return this.#action;
  }

  /** Puts it at the end of `line`, for `timeout` ms at most. Returns itself. */
  _wait(line: LinkedList<Waiter<T>>, timeout: number | undefined): this {
    if (timeout !== undefined) {
      this.#loop = IOLoop.current();
      this.#timeout = this.#loop._callLater(timeout, () => {
        this.#leave();
        this._expire(timeout);
      });
    }
    this.#link = line.push(this);
    return this;
  }

  /**
   * Gives it its result. If it is cancelled before somebody reads that, `giveBack` gets it.
   * Returns itself.
   */
  _serve(result: T, giveBack: ((result: T) => void) | null = null): this {
    this.#leave();
    this.#giveBack = giveBack;
    this._settle(1, result);
    return this;
  }

  /** Ends the wait when its time is over: it fails, unless this is overridden. */
  protected _expire(timeout: number): void {
    const message = `Cannot ${this.#action}: it took longer than ${timeout} ms`;
    this._settle(2, new TimeoutError(message));
  }

  override cancel(reason?: unknown): boolean {
    if (!this.done()) {
      this.#leave();
      return super.cancel(reason);
    }
    const giveBack = this.#giveBack;
    if (giveBack === null) return false;
    const result = this.result();
    this._revoke(reason instanceof CancelledError ? reason : new CancelledError(reason));
    giveBack(result);
    return true;
  }

  override result(): T {
    this.#giveBack = null;
    return super.result();
  }

  override get _value(): unknown {
    this.#giveBack = null;
    return super._value;
  }

  #leave(): void {
    const link = this.#link;
    if (link !== null) link._list?.delete(link);
    if (this.#timeout === null) return;
    this.#loop!.removeTimeout(this.#timeout);
    this.#loop = this.#timeout = null;
  }
}
