import type { Future } from "../ioloop/mod.ts";
import { LinkedList } from "./_linked_list.ts";
import { Waiter } from "./_waiter.ts";
import type { WaitOptions } from "./_waiter.ts";

class Notice extends Waiter<boolean> {
  protected override _expire(): void {
    this._serve(false);
  }
}

/**
 * Lets coroutines wait until another one notifies them.
 *
 * A notification that nobody waits for is lost. One that came to a coroutine which was
 * cancelled before it went on is passed to the next.
 *
 * @example Wait and notify
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { locks } from "@waterspout/waterspout/gen";
 * import { assert } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const condition = new locks.Condition();
 *   const waiting = condition.wait({ timeout: 1000 });
 *   condition.notify();
 *   assert(yield* waiting);
 * });
 * ```
 */
export class Condition {
  readonly #waiters = new LinkedList<Waiter<boolean>>();

  /**
   * Is done with true when it is notified, with false when that did not happen within
   * `timeout` ms.
   */
  wait({ timeout }: WaitOptions = {}): Future<boolean> {
    return new Notice("wait for the condition")._wait(this.#waiters, timeout);
  }

  /** Notifies the `n` that have waited longest, or all if there are fewer. */
  notify(n: number = 1): void {
    for (; n > 0; n--) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) return;
      waiter._serve(true, this.#passOn);
    }
  }

  /** Notifies all that wait now. */
  notifyAll(): void {
    // Nothing to pass on: whoever joins the line later came too late for this one.
    for (let n = this.#waiters.size; n > 0; n--) this.#waiters.shift()!._serve(true);
  }

  /** Shows how many wait. */
  toString(): string {
    return `Condition [waiters:${this.#waiters.size}]`;
  }

  /** Shows the same where it is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  readonly #passOn = (): void => this.notify();
}
