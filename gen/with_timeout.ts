import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError, IOLoop, TimeoutError } from "../ioloop/mod.ts";
import type { Future, Timeout } from "../ioloop/mod.ts";
import { convertYielded } from "./coroutine.ts";
import { Follower } from "./_follower.ts";
import type { ErrorClass } from "./_gather.ts";
import type { MaybeYieldable, Yielded } from "./types.ts";

/** Options of {@linkcode withTimeout}. */
export interface WithTimeoutOptions {
  /** Classes of errors that are not logged when they come after the timeout. */
  quietExceptions?: ErrorClass | readonly ErrorClass[];
  /**
   * Whether the loser is cancelled.
   *
   * @default {true}
   */
  cancel?: boolean;
}

/**
 * Waits for `yieldable`, but no longer than `ms` milliseconds: then it is cancelled, and when
 * it has ended (its `finally` blocks ran) the Future fails with {@linkcode TimeoutError}. With
 * `cancel: false`, or if it is shielded, it runs on and the Future fails at once.
 *
 * @example Give up
 * ```ts
 * import { IOLoop, TimeoutError } from "@waterspout/waterspout/ioloop";
 * import { sleep, withTimeout } from "@waterspout/waterspout/gen";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => new IOLoop().run(() => withTimeout(5, sleep(1000))), TimeoutError);
 * ```
 */
export function withTimeout<Y extends MaybeYieldable>(
  ms: number,
  yieldable: Y,
  { quietExceptions = [], cancel = true }: WithTimeoutOptions = {},
): Future<Yielded<Y>> {
  const quiet = Array.isArray(quietExceptions) ? quietExceptions : [quietExceptions as ErrorClass];
  return new Timed(ms, convertYielded(yieldable), quiet, cancel) as Future<
    unknown
  > as Future<
    Yielded<Y>
  >;
}

class Timed extends Follower {
  readonly #inner: Future<unknown>;
  readonly #quiet: readonly ErrorClass[];
  readonly #loop = IOLoop.current();
  readonly #timeout: Timeout;
  #expired: TimeoutError | null = null;

  constructor(
    ms: number,
    inner: Future<unknown>,
    quiet: readonly ErrorClass[],
    cancel: boolean,
  ) {
    super();
    this.#inner = inner;
    this.#quiet = quiet;
    this.#timeout = this.#loop._callLater(ms, () => {
      this.#expired = new TimeoutError(`Timed out after ${ms} ms`);
      // What cannot be cancelled (a shield) or shall not be is not waited for.
      if (!cancel || !inner.cancel(this.#expired)) this._settle(2, this.#expired);
    });
    inner._listen(this);
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return this.#expired === null && this._takeBack(reason);
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    if (this.#inner._owner === this._owner) this.#inner.cancel(error);
    else {
      this.#loop.removeTimeout(this.#timeout);
      this.#inner._unlisten(this); // its failure is its owner's
      this._settle(3, error);
    }
    return true;
  }

  override _settled(inner: Future<unknown>): void {
    this.#loop.removeTimeout(this.#timeout);
    if (this.#expired !== null) {
      this.#logLate(inner);
      this._settle(2, this.#expired);
    } else super._settled(inner);
  }

  #logLate(inner: Future<unknown>): void {
    const error = inner._value;
    if (inner._fulfilled || error instanceof CancelledError) return;
    if (this.#quiet.some((type) => error instanceof type)) return;
    appLog.error("Exception in Future after timeout: {error}", {
      error: describeError(error),
    });
  }
}
