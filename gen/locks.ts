/**
 * What coroutines of one loop agree on whose turn it is with. Those who wait are served in
 * the order in which they came, never inside the call that wakes them.
 *
 * @module
 */
export { Condition } from "./condition.ts";
export { Event } from "./event.ts";
export { Semaphore } from "./semaphore.ts";
export { BoundedSemaphore } from "./bounded_semaphore.ts";
export { Lock } from "./lock.ts";
export type { WaitOptions } from "./_waiter.ts";
