import { Future } from "../ioloop/mod.ts";
import { LinkedList } from "./_linked_list.ts";
import { Waiter } from "./_waiter.ts";
import type { WaitOptions } from "./_waiter.ts";

/**
 * Lets coroutines wait until something has happened. It stays set until it is cleared.
 *
 * @example Wait until it is set
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { locks } from "@waterspout/waterspout/gen";
 *
 * await new IOLoop().run(function* () {
 *   const ready = new locks.Event();
 *   IOLoop.current().addCallback(() => ready.set());
 *   yield* ready.wait({ timeout: 1000 });
 *   yield* ready.wait(); // at once: it is still set
 * });
 * ```
 */
export class Event {
  readonly #waiters = new LinkedList<Waiter<void>>(); // empty while it is set
  #set = false;

  /** Tells whether it is set. */
  isSet(): boolean {
    return this.#set;
  }

  /** Sets it and wakes all that wait; they are woken even if it is cleared at once. */
  set(): void {
    this.#set = true;
    for (let n = this.#waiters.size; n > 0; n--) this.#waiters.shift()!._serve();
  }

  /** Clears it: from now on `wait` waits for the next `set`. */
  clear(): void {
    this.#set = false;
  }

  /** Is done when it is set. Fails with `TimeoutError` when that takes longer than `timeout` ms. */
  wait({ timeout }: WaitOptions = {}): Future<void> {
    if (this.#set) return Future.resolved(undefined);
    return new Waiter<void>("wait for the event")._wait(this.#waiters, timeout);
  }

  /** Shows whether it is set. */
  toString(): string {
    return `Event [${this.#set ? "set" : "clear"}]`;
  }

  /** Shows the same where it is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}
