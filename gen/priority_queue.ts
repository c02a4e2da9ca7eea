import { Queue } from "./queue.ts";
import type { QueueStore } from "./queue_store.ts";

/** Options of {@linkcode PriorityQueue}. */
export interface PriorityQueueOptions<T> {
  /**
   * Tells by a number below 0 that `a` leaves before `b`, as the function that sorts an
   * array does. Without it `<` decides, in arrays element by element.
   */
  compare?: (a: T, b: T) => number;
}

interface Entry<T> {
  readonly item: T;
  readonly order: number; // breaks ties: the lower one leaves first
}

// A binary heap: no entry leaves before the one at its parent's place, (place - 1) >> 1.
class Heap<T> implements QueueStore<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #heap: Entry<T>[] = [];
  #lowest = 0; // orders in use lie from #lowest up to, not including, #next
  #next = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#heap.length;
  }

  push(item: T): void {
    this.#up({ item, order: this.#next++ });
  }

  pop(): T {
    const heap = this.#heap;
    const { item } = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) this.#down(last);
    return item;
  }

  putBack(item: T): void {
    this.#up({ item, order: --this.#lowest });
  }

  #before(a: Entry<T>, b: Entry<T>): boolean {
    const difference = this.#compare(a.item, b.item);
    return difference < 0 || (difference === 0 && a.order < b.order);
  }

  // Both move by swapping: should `compare` throw, no entry is lost or there twice.
  #up(entry: Entry<T>): void {
    const heap = this.#heap;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above]!;
      if (!this.#before(entry, parent)) return;
      heap[place] = parent;
      heap[above] = entry;
      place = above;
    }
  }

  #down(entry: Entry<T>): void {
    const heap = this.#heap;
    let place = 0;
    heap[place] = entry;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) return;
      if (below + 1 < heap.length && this.#before(heap[below + 1]!, heap[below]!)) below++;
      const child = heap[below]!;
      if (!this.#before(child, entry)) return;
      heap[place] = child;
      heap[below] = entry;
      place = below;
    }
  }
}

/**
 * Is a {@linkcode Queue} whose smallest item leaves first; of equal ones the oldest.
 *
 * @example Items with a priority
 * ```ts
 * import { queues } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new queues.PriorityQueue<[number, string]>();
 * queue.putNowait([1, "medium"]);
 * queue.putNowait([0, "high"]);
 * queue.putNowait([10, "low"]);
 * assertEquals(queue.getNowait(), [0, "high"]);
 * ```
 */
export class PriorityQueue<T> extends Queue<T> {
  /**
   * Makes an empty queue that is full with `maxsize` items; 0 means never.
   *
   * @throws {TypeError} when `maxsize` is not a number.
   * @throws {RangeError} when it is below 0.
   */
  constructor(maxsize: number = 0, { compare = ascending }: PriorityQueueOptions<T> = {}) {
    super(maxsize, new Heap(compare));
  }
}

// An array that is the beginning of a longer one comes before it.
function ascending(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      const difference = ascending(a[i], b[i]);
      if (difference !== 0) return difference;
    }
    return a.length - b.length;
  }
  return less(a, b) ? -1 : less(b, a) ? 1 : 0;
}

function less(a: unknown, b: unknown): boolean {
  // deno-lint-ignore no-explicit-any -- numbers, strings, dates, bigints: whatever `<` orders
  return (a as any) < (b as any);
}
