import type { Future } from "../ioloop/mod.ts";
import { LinkedList } from "./_linked_list.ts";
import { Waiter } from "./_waiter.ts";
import type { WaitOptions } from "./_waiter.ts";
import { convertYielded } from "./coroutine.ts";
import { coroutine } from "./coroutine_function.ts";
import type { CoroutineGenerator, Yielded } from "./types.ts";

/**
 * Holds a number of permits: `acquire` takes one and waits while there is none, `release`
 * gives one back. Those who wait get one in the order in which they came.
 *
 * @example Two at a time
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { coroutine, locks, Multi, sleep } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const semaphore = new locks.Semaphore(2);
 * let [working, most] = [0, 0];
 * const worker = coroutine(function* () {
 *   using _permit = yield* semaphore.acquire();
 *   most = Math.max(most, ++working);
 *   yield* sleep(1);
 *   working--;
 * });
 * await new IOLoop().run(() => Multi([worker(), worker(), worker()]));
 * assertEquals(most, 2);
 * ```
 */
export class Semaphore {
  readonly #waiters = new LinkedList<Waiter<Disposable>>();
  #value: number; // permits that are left; 0 while somebody waits

  /**
   * Makes one with `value` permits.
   *
   * @throws {RangeError} when `value` is not an integer or below 0.
   */
  constructor(value: number = 1) {
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(
        `Cannot make a semaphore: its value must be an integer from 0, got ${value}`,
      );
    }
    this.#value = value;
  }

  /**
   * Takes a permit, at once or when it is this one's turn. The result gives it back when it
   * is disposed, the first time; use either that or {@linkcode release}.
   *
   * Fails with `TimeoutError` when it takes longer than `timeout` ms. Cancelling the Future
   * before somebody has read its result gives the permit to the next.
   */
  acquire({ timeout }: WaitOptions = {}): Future<Disposable> {
    const waiter = new Waiter<Disposable>("acquire");
    if (this.#value === 0) return waiter._wait(this.#waiters, timeout);
    this.#value--;
    return waiter._serve(new Permit(this), dispose);
  }

  /** Gives a permit back: to the one who has waited longest, if somebody waits. */
  release(): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#value++;
    else waiter._serve(new Permit(this), dispose);
  }

  /**
   * Takes a permit, runs `fn` and what it returns (a generator, a Future, a promise), and
   * gives the permit back however that ends: with a result, an error or a cancellation.
   */
  run<Y>(fn: () => Y): Future<Yielded<Y>> {
    return runWithPermit(this, fn) as Future<unknown> as Future<Yielded<Y>>;
  }

  /** Shows how many permits are left or, if none is, how many wait. */
  toString(): string {
    const waiters = this.#waiters.size;
    const state = this.#value === 0 ? "locked" : `unlocked,value:${this.#value}`;
    return `${this.constructor.name} [${state}${waiters > 0 ? `,waiters:${waiters}` : ""}]`;
  }

  /** Shows the same where it is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** How many permits are left; for the classes that limit it. @ignore */
  protected get _value(): number {
    return this.#value;
  }
}

class Permit implements Disposable {
  #semaphore: Semaphore | null; // null once it was given back

  constructor(semaphore: Semaphore) {
    this.#semaphore = semaphore;
  }

  [Symbol.dispose](): void {
    const semaphore = this.#semaphore;
    this.#semaphore = null;
    semaphore?.release();
  }
}

function dispose(permit: Disposable): void {
  permit[Symbol.dispose]();
}

const runWithPermit = coroutine(
  function* (semaphore: Semaphore, fn: () => unknown): CoroutineGenerator<unknown> {
    using _permit = yield* semaphore.acquire();
    return yield* convertYielded(fn());
  },
);
