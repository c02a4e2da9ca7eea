import { LinkedList } from "./_linked_list.ts";

/** Holds the items of a queue and decides in which order they leave. */
export interface QueueStore<T> {
  /** How many items are there. */
  readonly size: number;
  /** Takes an item in. */
  push(item: T): void;
  /** Takes the next item out; called only when there is one. */
  pop(): T;
  /** Takes back the item that left last, to be the next one again. */
  putBack(item: T): void;
}

/** Is the store of a queue whose items leave in the order in which they came. */
export class FifoStore<T> implements QueueStore<T> {
  readonly #items = new LinkedList<T>();

  /** How many items are there. */
  get size(): number {
    return this.#items.size;
  }

  /** Takes an item in, behind all others. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the oldest item out. */
  pop(): T {
    return this.#items.shift()!;
  }

  /** Takes an item back, before all others. */
  putBack(item: T): void {
    this.#items.unshift(item);
  }
}
