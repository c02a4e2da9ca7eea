import { _callerPlace } from "./error_stack.ts";
import type { AnyFunction } from "./stack_context.ts";

/** Is what is known of a callback that held the loop for too long. */
export interface SlowCallback {
  /** For how long, in ms. */
  readonly ms: number;
  /** The callback; of a coroutine's step, the generator function. */
  readonly callback: AnyFunction;
  /** Where it was added, as in a stack; null when nobody looked at that time. */
  readonly source: string | null;
}

/** Measures callbacks and tells of those that took `threshold` ms or longer. */
export class SlowCallbackWatch {
  /** What is told. */
  readonly action: (slow: SlowCallback) => unknown;
  readonly #threshold: number;
  readonly #places = new WeakMap<AnyFunction, string>(); // the last one of each callback

  /** Takes the threshold and what is told. */
  constructor(threshold: number, action: (slow: SlowCallback) => unknown) {
    if (!(threshold >= 0)) {
      throw new RangeError(`Cannot set a threshold of ${threshold} ms: expected a number from 0`);
    }
    this.#threshold = threshold;
    this.action = action;
  }

  /** Notes who adds `callback`. */
  noteAdded(callback: AnyFunction): void {
    const place = _callerPlace();
    if (place !== null) this.#places.set(callback, place);
  }

  /** Looks at a callback that began at `began`, as `performance.now()` counts, and has returned. */
  look(callback: AnyFunction, began: number): void {
    const ms = performance.now() - began;
    if (ms < this.#threshold) return;
    this.action({ ms, callback, source: this.#places.get(callback) ?? null });
  }
}
