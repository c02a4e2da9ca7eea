import { _throwAtYield } from "../ioloop/future.ts";
import type { CancelledError } from "../ioloop/mod.ts";

/**
 * Is what a {@linkcode YieldPoint} needs of the coroutine that yielded it; `Runner` is it.
 */
export interface YieldPointRunner {
  /** Registers a key; throws `KeyReuseError` when it is pending already. */
  registerCallback(key: unknown): void;
  /** Tells whether the result is there; throws `UnknownKeyError` for a foreign key. */
  isReady(key: unknown): boolean;
  /** Sets the result for a key and lets the coroutine go on if it waits for it. */
  setResult(key: unknown, result: unknown): void;
  /** Returns the result and forgets the key; throws `UnknownKeyError` for a foreign key. */
  popResult(key: unknown): unknown;
  /** Returns a function whose call sets the result for a registered key. */
  resultCallback(key: unknown): (...args: unknown[]) => void;
}

/**
 * Is the base of things that a coroutine can yield in Tornado's older style. The runner
 * calls `start` once, `isReady` any number of times, and `getResult` once, after true.
 *
 * @example A yield point that is ready at once
 * ```ts
 * import { coroutine, YieldPoint } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Now extends YieldPoint<string> {
 *   start(): void {}
 *   isReady(): boolean {
 *     return true;
 *   }
 *   getResult(): string {
 *     return "now";
 *   }
 * }
 *
 * const main = coroutine(function* () {
 *   return yield* new Now();
 * });
 * assertEquals(await main(), "now");
 * ```
 */
export abstract class YieldPoint<T> {
  /** Begins the work; `runner` is the coroutine that yielded this. */
  abstract start(runner: YieldPointRunner): void;
  /** Tells whether the result is there. */
  abstract isReady(): boolean;
  /** Returns the result, or throws what the work failed with. */
  abstract getResult(): T;

  /** Ends the work: the coroutine that waits was cancelled. @ignore */
  _cancel(_error: CancelledError): void {}

  /** Makes `yield* point` the typed form of `yield point`. */
  [Symbol.iterator](): Iterator<YieldPoint<T>, T, unknown> {
    return new YieldPointIterator<T>(this);
  }
}

// Not a generator: so a `yield*` is one place on the stack, as with a Future.
class YieldPointIterator<T> implements Iterator<YieldPoint<T>, T, unknown> {
  readonly #point: YieldPoint<T>;
  #offered = false;

  constructor(point: YieldPoint<T>) {
    this.#point = point;
  }

  next(sent?: unknown): IteratorResult<YieldPoint<T>, T> {
    if (this.#offered) return { done: true, value: sent as T };
    this.#offered = true;
    return { done: false, value: this.#point };
  }

  throw(error: unknown): IteratorResult<YieldPoint<T>, T> {
    _throwAtYield(error, this.throw);
  }

  return(value: T): IteratorResult<YieldPoint<T>, T> {
    return { done: true, value };
  }
}
