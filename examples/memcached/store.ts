/**
 * What the server remembers: values by key, with a time to live, within a limit of bytes. It
 * knows no socket and no clock but the one it is given.
 *
 * @module
 */

/**
 * The bytes that an item takes besides its key and value, about: without them, a million empty
 * values would count as nothing.
 */
export const ITEM_SIZE = 500;

/** Is what is remembered under a key. */
export interface Item {
  readonly flags: number;
  readonly value: Uint8Array;
  /** When it is forgotten, in ms; Infinity: never. */
  readonly expires: number;
}

/** Remembers items, each with its {@linkcode ITEM_SIZE}; when there is no room, those that were not used for longest go. */
export class Store {
  readonly #items = new Map<string, Item>(); // the least recently used one first
  readonly #maxBytes: number;
  readonly #now: () => number;
  #bytes = 0;

  constructor(maxBytes: number, now: () => number) {
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /** How many items there are, forgotten ones that nobody asked for included. */
  get size(): number {
    return this.#items.size;
  }

  /** Returns an item, and counts as a use. */
  get(key: string): Item | undefined {
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    this.#items.delete(key);
    if (item.expires <= this.#now()) {
      this.#bytes -= sizeOf(key, item);
      return undefined;
    }
    this.#items.set(key, item);
    return item;
  }

  /** Remembers an item; false when it is too large. */
  set(key: string, item: Item): boolean {
    this.delete(key);
    const size = sizeOf(key, item);
    if (size > this.#maxBytes) return false;
    for (const oldest of this.#items.keys()) {
      if (this.#bytes + size <= this.#maxBytes) break;
      this.delete(oldest);
    }
    this.#items.set(key, item);
    this.#bytes += size;
    return true;
  }

  /** Forgets an item; false when there is none. */
  delete(key: string): boolean {
    const item = this.#items.get(key);
    if (item === undefined) return false;
    this.#items.delete(key);
    this.#bytes -= sizeOf(key, item);
    return item.expires > this.#now();
  }

  /** Forgets everything. */
  clear(): void {
    this.#items.clear();
    this.#bytes = 0;
  }
}

function sizeOf(key: string, { value }: Item): number {
  return ITEM_SIZE + key.length + value.length;
}
