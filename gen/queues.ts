/**
 * Queues between the coroutines of one loop. Those who wait are served in the order in which
 * they came, never inside the call that wakes them.
 *
 * @module
 */
export { Queue, QueueEmpty, QueueFull } from "./queue.ts";
export { LifoQueue } from "./lifo_queue.ts";
export { PriorityQueue, type PriorityQueueOptions } from "./priority_queue.ts";
export { FifoStore, type QueueStore } from "./queue_store.ts";
export type { WaitOptions } from "./_waiter.ts";
