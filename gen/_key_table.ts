import { KeyReuseError, UnknownKeyError } from "./errors.ts";

interface Entry {
  readonly key: unknown;
  ready: boolean;
  result: unknown;
}

/**
 * Holds the keys of one coroutine between `Callback` and `Wait`. Array keys are equal when
 * their elements are.
 */
export class KeyTable {
  readonly #entries = new Map<unknown, Entry>();

  /** The keys that nobody took. */
  get pending(): unknown[] {
    return [...this.#entries.keys()];
  }

  /** Adds a key. */
  register(key: unknown): void {
    if (this.#find(key) !== undefined) throw new KeyReuseError(key);
    this.#entries.set(key, { key, ready: false, result: undefined });
  }

  /** Sets the result of a key; false when there is no such key, or it has one already. */
  set(key: unknown, result: unknown): boolean {
    const entry = this.#find(key);
    if (entry === undefined || entry.ready) return false;
    entry.ready = true;
    entry.result = result;
    return true;
  }

  /** Returns the entry of a key. */
  get(key: unknown): Entry {
    const entry = this.#find(key);
    if (entry === undefined) throw new UnknownKeyError(key);
    return entry;
  }

  /** Returns the entry of a key and forgets the key. */
  take(key: unknown): Entry {
    const entry = this.get(key);
    this.#entries.delete(entry.key);
    return entry;
  }

  #find(key: unknown): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined || !Array.isArray(key)) return entry;
    for (const known of this.#entries.values()) {
      if (Array.isArray(known.key) && sameElements(known.key, key)) {
        return known;
      }
    }
    return undefined;
  }
}

function sameElements(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length &&
    a.every((element, i) =>
      Object.is(element, b[i]) ||
      (Array.isArray(element) && Array.isArray(b[i]) &&
        sameElements(element, b[i]))
    );
}
