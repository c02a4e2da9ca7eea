const OUTSIDE = -1;
const DUE = -2;

/**
 * Stands for a scheduled call: what `addTimeout`, `callAt` and `callLater` return and
 * `removeTimeout` takes. Its fields belong to the loop.
 */
export class Timeout {
  /** When it is due, in ms on the scale of `loop.time()`. */
  readonly deadline: number;
  /** @ignore */
  // deno-lint-ignore no-explicit-any -- the arguments were checked against it when it was added
  readonly _callback: (...args: any[]) => unknown;
  /** @ignore */
  readonly _args: readonly unknown[];
  /** Breaks ties: equal deadlines run in order of adding. @ignore */
  _order: number = 0;
  /** Place in the heap; OUTSIDE of it; or DUE: taken out to be run in this turn. @ignore */
  _place: number = OUTSIDE;

  /** Is made by the loop. */
  constructor(
    deadline: number,
    // deno-lint-ignore no-explicit-any -- see _callback
    callback: (...args: any[]) => unknown,
    args: readonly unknown[],
  ) {
    this.deadline = deadline;
    this._callback = callback;
    this._args = args;
  }

  /** Tells whether it is still to be run, once; another one of its turn may have removed it. @ignore */
  _claim(): boolean {
    const due = this._place === DUE;
    this._place = OUTSIDE;
    return due;
  }
}

/**
 * Keeps timeouts by deadline: a binary heap whose entries know their place, so that
 * adding and removing cost O(log n) and a removed timeout leaves nothing behind.
 */
export class TimeoutHeap {
  readonly #heap: Timeout[] = []; // heap[i]._place === i; a parent is never after its children
  #order = 0;

  /** How many timeouts are scheduled. */
  get size(): number {
    return this.#heap.length;
  }

  /** Returns the earliest timeout and leaves it where it is. */
  peek(): Timeout | undefined {
    return this.#heap[0];
  }

  /** Adds a timeout that is in no heap. */
  push(timeout: Timeout): void {
    timeout._order = this.#order++;
    this.#up(timeout, this.#heap.length);
  }

  /** Removes a timeout; does nothing when it is not in the heap. */
  delete(timeout: Timeout): void {
    const place = timeout._place;
    if (place >= 0 && this.#heap[place] !== timeout) return; // it is another loop's
    timeout._place = OUTSIDE;
    if (place < 0) return;
    const last = this.#heap.pop()!;
    if (last === timeout) return;
    if (place > 0 && before(last, this.#heap[(place - 1) >> 1]!)) {
      this.#up(last, place);
    } else this.#down(last, place);
  }

  /** Moves the timeouts that are due at `now` to the end of `into`, earliest first. */
  takeDue(now: number, into: Timeout[]): void {
    let first;
    while ((first = this.#heap[0]) !== undefined && first.deadline <= now) {
      this.delete(first);
      first._place = DUE;
      into.push(first);
    }
  }

  /** Drops all timeouts. */
  clear(): void {
    for (const timeout of this.#heap) timeout._place = OUTSIDE;
    this.#heap.length = 0;
  }

  #up(timeout: Timeout, place: number): void {
    const heap = this.#heap;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above]!;
      if (!before(timeout, parent)) break;
      heap[place] = parent;
      parent._place = place;
      place = above;
    }
    heap[place] = timeout;
    timeout._place = place;
  }

  #down(timeout: Timeout, place: number): void {
    const heap = this.#heap;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) {
        below++;
      }
      const child = heap[below]!;
      if (!before(child, timeout)) break;
      heap[place] = child;
      child._place = place;
      place = below;
    }
    heap[place] = timeout;
    timeout._place = place;
  }
}

function before(a: Timeout, b: Timeout): boolean {
  return a.deadline < b.deadline ||
    (a.deadline === b.deadline && a._order < b._order);
}
