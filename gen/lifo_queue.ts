import { Queue } from "./queue.ts";
import type { QueueStore } from "./queue_store.ts";

class Stack<T> implements QueueStore<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T {
    return this.#items.pop()!;
  }

  putBack(item: T): void {
    this.#items.push(item);
  }
}

/** Is a {@linkcode Queue} whose newest item leaves first. */
export class LifoQueue<T> extends Queue<T> {
  /**
   * Makes an empty queue that is full with `maxsize` items; 0 means never.
   *
   * @throws {TypeError} when `maxsize` is not a number.
   * @throws {RangeError} when it is below 0.
   */
  constructor(maxsize: number = 0) {
    super(maxsize, new Stack());
  }
}
