import { Semaphore } from "./semaphore.ts";

/**
 * Lets one coroutine at a time through, in the order in which they came. It does not know
 * who holds it: a coroutine that acquires it twice waits for itself.
 *
 * @example One after the other
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { coroutine, locks, Multi, sleep } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new locks.Lock();
 * const seen: string[] = [];
 * const visit = coroutine(function* (name: string) {
 *   using _permit = yield* lock.acquire();
 *   seen.push(`${name} enters`);
 *   yield* sleep(1);
 *   seen.push(`${name} leaves`);
 * });
 * await new IOLoop().run(() => Multi([visit("A"), visit("B")]));
 * assertEquals(seen, ["A enters", "A leaves", "B enters", "B leaves"]);
 * ```
 */
export class Lock extends Semaphore {
  /** Makes an unlocked one. */
  constructor() {
    super(1);
  }

  /**
   * Unlocks it, or hands it to the one who has waited longest.
   *
   * @throws {Error} when it is not locked.
   */
  override release(): void {
    if (this._value > 0) throw new Error("Cannot release the lock: it is not locked");
    super.release();
  }
}
