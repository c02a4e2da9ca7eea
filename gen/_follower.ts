import { CancelledError, Future } from "../ioloop/mod.ts";
import type { FutureListener } from "../ioloop/mod.ts";

/**
 * Ends as a Future does that it listens to. The result stays there until its own is read: what
 * a queue or a lock gave goes back if this is cancelled before.
 */
export class Follower extends Future<unknown> implements FutureListener {
  #source: Future<unknown> | null = null; // where its result lies

  /** What it failed as; null if it did not. @ignore */
  _failedAs: Future<unknown> | null = null;

  _settled(future: Future<unknown>): void {
    if (!future._fulfilled) {
      this._failedAs = future;
      this._settle(future.cancelled() ? 3 : 2, future._value);
    } else if (!this.done()) {
      this.#source = future; // before the listeners look
      this._settle(1, undefined);
    }
  }

  override result(): unknown {
    return this.#source === null ? super.result() : this.#origin().result();
  }

  override get _value(): unknown {
    return this.#source === null ? super._value : this.#origin()._value;
  }

  // Not by recursion: followers may follow each other in a long chain.
  #origin(): Future<unknown> {
    let origin = this as Future<unknown>;
    while (origin instanceof Follower && origin.#source !== null) origin = origin.#source;
    return origin;
  }

  /** Takes back a result that nobody has read, and tells whether it could. @ignore */
  protected _takeBack(reason: unknown): boolean {
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    if (this.#source === null || !this.#source.cancel(error)) return false;
    this.#source = null;
    this._revoke(error);
    return true;
  }
}
