import { CancelledError, type Future } from "../ioloop/mod.ts";
import { convertYielded } from "./coroutine.ts";
import { Follower } from "./_follower.ts";
import type { MaybeYieldable, Yielded } from "./types.ts";

class Signalled extends Follower {
  readonly #inner: Future<unknown>;
  readonly #signal: AbortSignal;
  readonly #abort = () => {
    const error = new CancelledError(this.#signal.reason);
    if (!this.#inner.cancel(error)) this._settle(3, error); // a shield runs on
  };

  constructor(signal: AbortSignal, inner: Future<unknown>) {
    super();
    this.#signal = signal;
    this.#inner = inner;
    signal.addEventListener("abort", this.#abort);
    inner._listen(this);
    if (signal.aborted && !this.done()) this.#abort();
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return this._takeBack(reason);
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    if (this.#inner._owner !== this._owner || !this.#inner.cancel(error)) {
      this.#signal.removeEventListener("abort", this.#abort);
      this.#inner._unlisten(this); // its failure is its owner's
      this._settle(3, error);
    }
    return true;
  }

  override _settled(inner: Future<unknown>): void {
    this.#signal.removeEventListener("abort", this.#abort);
    super._settled(inner);
  }
}

/**
 * Waits for `yieldable` until `signal` is aborted: then it is cancelled, and when it has ended
 * (its `finally` blocks ran) the Future fails with `CancelledError`, whose `reason` is the
 * signal's.
 *
 * @example Stop from outside
 * ```ts
 * import { coroutine, withSignal } from "@waterspout/waterspout/gen";
 * import { Future } from "@waterspout/waterspout/ioloop";
 * import { assert } from "@std/assert";
 *
 * const work = coroutine(function* () {
 *   yield new Future(); // for ever
 * });
 * const controller = new AbortController();
 * const future = withSignal(controller.signal, work());
 * controller.abort("enough");
 * await future.catch(() => {});
 * assert(future.cancelled());
 * ```
 */
export function withSignal<Y extends MaybeYieldable>(
  signal: AbortSignal,
  yieldable: Y,
): Future<Yielded<Y>> {
  return new Signalled(signal, convertYielded(yieldable)) as Future<unknown> as Future<Yielded<Y>>;
}
