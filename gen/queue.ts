// Getters wait only while the store is empty, putters only while it is full. An item that
// is put while a getter waits goes to it directly and never into the store; when an item
// leaves, the first putter comes in. A getter that is cancelled before it took its item
// puts that back as the next one: the store may then hold more than `maxsize` for a while.
import { Future } from "../ioloop/mod.ts";
import { Event } from "./event.ts";
import { LinkedList } from "./_linked_list.ts";
import { FifoStore } from "./queue_store.ts";
import type { QueueStore } from "./queue_store.ts";
import { Waiter } from "./_waiter.ts";
import type { WaitOptions } from "./_waiter.ts";

/** Says that `getNowait` found no item. */
export class QueueEmpty extends Error {
  /** Makes the error. */
  constructor() {
    super("Cannot get an item: the queue is empty");
    this.name = "QueueEmpty";
  }
}

/** Says that `putNowait` found no room. */
export class QueueFull extends Error {
  /** Makes the error. */
  constructor() {
    super("Cannot put an item: the queue is full");
    this.name = "QueueFull";
  }
}

class Putter<T> extends Waiter<void> {
  readonly item: T;

  constructor(item: T) {
    super("put an item");
    this.item = item;
  }
}

/**
 * Hands items from coroutines that make them to coroutines that work on them. The one who
 * puts waits while it is full, the one who gets while it is empty.
 *
 * @example Producer and consumer
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { coroutine, queues } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new queues.Queue<number>(2);
 * const seen: number[] = [];
 * const consume = coroutine(function* () {
 *   while (true) {
 *     seen.push(yield* queue.get());
 *     queue.taskDone();
 *   }
 * });
 * await new IOLoop().run(function* () {
 *   const consumer = consume();
 *   for (let i = 0; i < 5; i++) yield* queue.put(i);
 *   yield* queue.join();
 *   consumer.cancel();
 * });
 * assertEquals(seen, [0, 1, 2, 3, 4]);
 * ```
 */
export class Queue<T> {
  readonly #maxsize: number;
  readonly #store: QueueStore<T>;
  readonly #getters = new LinkedList<Waiter<T>>();
  readonly #putters = new LinkedList<Putter<T>>();
  readonly #finished = new Event(); // set exactly while #unfinished is 0
  #unfinished = 0; // items that were put and not marked as done

  /**
   * Makes an empty queue that is full with `maxsize` items; 0 means never. The store decides
   * in which order they leave.
   *
   * @throws {TypeError} when `maxsize` is not a number.
   * @throws {RangeError} when it is below 0.
   */
  constructor(maxsize: number = 0, store: QueueStore<T> = new FifoStore()) {
    if (typeof maxsize !== "number") {
      throw new TypeError(`Cannot make a queue: maxsize must be a number, got ${maxsize}`);
    }
    if (!(maxsize >= 0)) {
      throw new RangeError(`Cannot make a queue: maxsize must not be below 0, got ${maxsize}`);
    }
    this.#maxsize = maxsize;
    this.#store = store;
    this.#finished.set();
  }

  /** With how many items it is full; 0 means never. */
  get maxsize(): number {
    return this.#maxsize;
  }

  /** Returns how many items are in it. */
  qsize(): number {
    return this.#store.size;
  }

  /** Tells whether no item is in it. */
  empty(): boolean {
    return this.#store.size === 0;
  }

  /** Tells whether there is no room for another item. */
  full(): boolean {
    return !this.#hasRoom(this.#store.size);
  }

  /**
   * Puts an item, at once or when there is room.
   *
   * Fails with `TimeoutError` when there is none for `timeout` ms. An item whose put fails or
   * is cancelled never gets into the queue.
   */
  put(item: T, { timeout }: WaitOptions = {}): Future<void> {
    if (this.full()) return new Putter(item)._wait(this.#putters, timeout);
    this.#add(item);
    return Future.resolved(undefined);
  }

  /**
   * Puts an item.
   *
   * @throws {QueueFull} when there is no room.
   */
  putNowait(item: T): void {
    if (this.full()) throw new QueueFull();
    this.#add(item);
  }

  /**
   * Gets the next item, at once or when there is one.
   *
   * Fails with `TimeoutError` when there is none for `timeout` ms. A get that fails or is
   * cancelled leaves the item to the next one, even if it was handed over already and nobody
   * has read the result.
   */
  get({ timeout }: WaitOptions = {}): Future<T> {
    const getter = new Waiter<T>("get an item");
    if (this.empty()) return getter._wait(this.#getters, timeout);
    return getter._serve(this.getNowait(), this.#putBack);
  }

  /**
   * Gets the next item.
   *
   * @throws {QueueEmpty} when there is none.
   */
  getNowait(): T {
    if (this.empty()) throw new QueueEmpty();
    // Who waits to put comes in first, so that a store like LIFO sees the newest item.
    if (this.#putters.size > 0 && this.#hasRoom(this.#store.size - 1)) {
      const putter = this.#putters.shift()!;
      this.#add(putter.item);
      putter._serve();
    }
    return this.#store.pop();
  }

  /**
   * Marks an item that was got as done.
   *
   * @throws {RangeError} when all items that were put are marked.
   */
  taskDone(): void {
    if (this.#unfinished === 0) {
      throw new RangeError("Cannot mark an item as done: all that were put are");
    }
    if (--this.#unfinished === 0) this.#finished.set();
  }

  /**
   * Is done when every item that was put is marked as done; at once when there is none.
   * Fails with `TimeoutError` when that takes longer than `timeout` ms.
   */
  join(options: WaitOptions = {}): Future<void> {
    return this.#finished.wait(options);
  }

  /** Makes `for await (const item of queue)` get one item after the other; it never ends. */
  [Symbol.asyncIterator](): AsyncIterator<T, never> {
    return { next: async () => ({ done: false, value: await this.get() }) };
  }

  /** Shows how many items are in it, how many wait, and how many items are not done. */
  toString(): string {
    const parts = [
      `maxsize:${this.#maxsize}`,
      `size:${this.#store.size}`,
      `getters:${this.#getters.size}`,
      `putters:${this.#putters.size}`,
      `unfinished:${this.#unfinished}`,
    ];
    return `${this.constructor.name} [${parts.join()}]`;
  }

  /** Shows the same where it is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  #hasRoom(size: number): boolean {
    return this.#maxsize === 0 || size < this.#maxsize;
  }

  #add(item: T): void {
    if (this.#unfinished++ === 0) this.#finished.clear();
    const getter = this.#getters.shift();
    if (getter === undefined) this.#store.push(item);
    else getter._serve(item, this.#putBack);
  }

  // Unlike #add it counts nothing: the item was put before.
  readonly #putBack = (item: T): void => {
    const getter = this.#getters.shift();
    if (getter === undefined) this.#store.putBack(item);
    else getter._serve(item, this.#putBack);
  };
}
