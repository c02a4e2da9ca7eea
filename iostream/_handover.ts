import { CancelledError, Future } from "../ioloop/mod.ts";

/** Has to be closed by whoever got it. */
export interface Closable {
  close(): void;
}

/**
 * Is the Future of something that must be closed. Whoever cancels it before the result was
 * read closes that: the coroutine that waits for it is resumed in a microtask of its own, and
 * may be cancelled between.
 */
export class Handover<T extends Closable> extends Future<T> {
  #untaken = false; // it has a result, and nobody has read it

  /** Settles it with `result`, or closes that if it is done already. */
  deliver(result: T): void {
    if (this.done()) result.close();
    else {
      this.#untaken = true;
      this._settle(1, result);
    }
  }

  override cancel(reason?: unknown): boolean {
    if (!this.#untaken) return super.cancel(reason);
    const result = this.result();
    this._revoke(reason instanceof CancelledError ? reason : new CancelledError(reason));
    result.close();
    return true;
  }

  override result(): T {
    this.#untaken = false;
    return super.result();
  }

  override get _value(): unknown {
    this.#untaken = false;
    return super._value;
  }
}
