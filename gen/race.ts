import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError } from "../ioloop/mod.ts";
import type { Future } from "../ioloop/mod.ts";
import { convertYielded } from "./coroutine.ts";
import { Follower } from "./_follower.ts";
import type { MaybeYieldables, Yielded } from "./types.ts";

class Race extends Follower {
  readonly #children: readonly Future<unknown>[];
  #first: Future<unknown> | null = null; // the winner
  #reason: CancelledError | null = null; // why the others are cancelled, or all of them

  constructor(children: readonly Future<unknown>[]) {
    super();
    this.#children = children;
    for (const child of children) child._listen({ _settled: () => this.#childDone(child) });
    if (this.#first !== null) this.#end(LOST); // one was done already
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return this._takeBack(reason);
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    const first = this.#first;
    this.#first = null;
    if (first !== null && !first.cancel(error)) logIfFailed(first); // nobody will see it now
    this.#end(error);
    return true;
  }

  // Not inside of the settling call: what is cancelled may have hooks.
  #childDone(child: Future<unknown>): void {
    if (this.#first === null && this.#reason === null) {
      this.#first = child;
      queueMicrotask(() => this.#end(LOST));
    } else {
      logIfFailed(child);
      if (this.#reason !== null) this.#settleIfOver();
    }
  }

  #end(reason: CancelledError): void {
    if (this.#reason !== null && reason === LOST) return;
    this.#reason = reason;
    for (const child of this.#children) {
      if (child !== this.#first && this.#owns(child)) child.cancel(reason);
    }
    this.#settleIfOver();
  }

  #settleIfOver(): void {
    const over = this.#children.every((child) => child.done() || !this.#owns(child));
    if (!over || this.done()) return;
    if (this.#first === null) this._settle(3, this.#reason);
    else this._settled(this.#first);
  }

  #owns(child: Future<unknown>): boolean {
    return child._owner !== null && child._owner === this._owner;
  }
}

const LOST = new CancelledError("another one was first");

function logIfFailed(child: Future<unknown>): void {
  if (child._fulfilled || child.cancelled()) return;
  appLog.error("Exception in Future that lost a race: {error}", {
    error: describeError(child._value),
  });
}

/**
 * Waits for the first of several yieldables, an array or a record, to end, and ends as it
 * does: with its result or its failure. The others are cancelled if the same coroutine
 * created them, and it waits until they have ended; what they fail with is logged.
 *
 * @throws {TypeError} when there are no children: it would never end.
 *
 * @example The faster one
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { coroutine, race, sleep } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const answer = coroutine(function* (name: string, ms: number) {
 *   yield* sleep(ms);
 *   return name;
 * });
 * await new IOLoop().run(function* () {
 *   assertEquals(yield* race([answer("slow", 1000), answer("fast", 1)]), "fast");
 * });
 * ```
 */
export function race<const C extends MaybeYieldables>(
  children: C,
): Future<Yielded<C[keyof C & (C extends readonly unknown[] ? number : string)]>> {
  const futures = Object.values(children).map(convertYielded);
  if (futures.length === 0) throw new TypeError("Cannot race: there are no children");
  return new Race(futures) as Future<unknown> as ReturnType<typeof race<C>>;
}
