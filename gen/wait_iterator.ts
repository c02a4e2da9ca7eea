import { chainFuture, Future } from "../ioloop/mod.ts";
import type { FutureListener } from "../ioloop/mod.ts";
import { LinkedList } from "./_linked_list.ts";

/** Is what a {@linkcode WaitIterator} goes through. */
export type WaitIteratorInput =
  | readonly Future<unknown>[]
  | Readonly<Record<string, Future<unknown>>>;

/** Is the type of the Futures in `C`. */
export type WaitIteratorFuture<C extends WaitIteratorInput> = C extends readonly (infer F)[] ? F
  : C[keyof C];

/** Is the type of the results of the Futures in `C`. */
export type WaitIteratorResult<C extends WaitIteratorInput> = WaitIteratorFuture<C> extends
  Future<infer T> ? T : never;

/** Is the type of the places in `C`: numbers in an array, keys in a record. */
export type WaitIteratorIndex<C extends WaitIteratorInput> = C extends readonly unknown[] ? number
  : string;

interface Child {
  readonly index: number | string;
  readonly future: Future<unknown>;
}

/**
 * Goes through Futures in the order in which they are done.
 *
 * An error is thrown by the `next` whose turn it is; the others can be waited for all the
 * same. What is left is not cancelled.
 *
 * @example The fastest first
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { coroutine, sleep, WaitIterator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const answer = coroutine(function* (ms: number) {
 *   yield* sleep(ms);
 *   return ms;
 * });
 * await new IOLoop().run(function* () {
 *   const seen: unknown[] = [];
 *   const answers = new WaitIterator({ slow: answer(20), fast: answer(1) });
 *   while (!answers.done()) {
 *     const ms = yield* answers.next();
 *     seen.push([answers.currentIndex, ms]);
 *   }
 *   assertEquals(seen, [["fast", 1], ["slow", 20]]);
 * });
 * ```
 */
export class WaitIterator<const C extends WaitIteratorInput> {
  readonly #finished = new LinkedList<Child>(); // done, and not yet handed over
  #unfinished: number;
  #waiting: Future<unknown> | null = null; // what next() returned, until a child settles it
  #current: Child | null = null;

  /** Takes the Futures; those that are done come first, in their order. */
  constructor(futures: C) {
    const list = Array.isArray(futures);
    const entries = Object.entries(futures) as [string, Future<unknown>][];
    this.#unfinished = entries.length;
    for (const [key, future] of entries) {
      const child = { index: list ? Number(key) : key, future };
      const listener: FutureListener = { _settled: () => this.#childDone(child) };
      future._listen(listener);
    }
  }

  /** Tells whether all were handed over, and forgets the current one if so. */
  done(): boolean {
    if (this.#unfinished > 0 || this.#finished.size > 0) return false;
    this.#current = null;
    return true;
  }

  /**
   * Waits for the next one to be done and gives its result or error. Cancelling it leaves
   * that to the next call.
   *
   * @throws {Error} when all were handed over, or the Future of the last call is not done.
   */
  next(): Future<WaitIteratorResult<C>> {
    if (this.#waiting?.running()) {
      throw new Error("Cannot wait for the next: the last one is not done");
    }
    if (this.done()) throw new Error("Cannot wait for the next: there is none");
    const future = new Future<unknown>();
    const child = this.#finished.shift();
    if (child === undefined) this.#waiting = future;
    else this.#handOver(child, future);
    return future as Future<unknown> as Future<WaitIteratorResult<C>>;
  }

  /**
   * The place, or key, of the Future whose result the last `next` gave; null before that and
   * when {@linkcode done} said that there are no more.
   */
  get currentIndex(): WaitIteratorIndex<C> | null {
    return this.#current === null ? null : this.#current.index as WaitIteratorIndex<C>;
  }

  /** The Future whose result the last `next` gave; null where `currentIndex` is. */
  get currentFuture(): WaitIteratorFuture<C> | null {
    return this.#current === null ? null : this.#current.future as WaitIteratorFuture<C>;
  }

  /** Makes `for await` work; after an error a further loop goes on behind it. */
  [Symbol.asyncIterator](): AsyncIterator<WaitIteratorResult<C>, undefined> {
    return {
      next: async () =>
        this.done() ? { done: true, value: undefined } : { done: false, value: await this.next() },
    };
  }

  #childDone(child: Child): void {
    this.#unfinished--;
    if (this.#waiting?.running()) this.#handOver(child, this.#waiting);
    else this.#finished.push(child);
  }

  #handOver(child: Child, to: Future<unknown>): void {
    const { future } = child;
    this.#current = child;
    this.#waiting = null;
    chainFuture(future, to);
  }
}
