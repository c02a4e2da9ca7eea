/** Is a place in a {@linkcode LinkedList}; the list alone changes it. */
export interface Link<T> {
  /** What stands there. */
  readonly value: T;
  /** The list that it is in; null once it was removed. */
  _list: LinkedList<T> | null;
  /** The place before it; null for the first. */
  _before: Link<T> | null;
  /** The place behind it; null for the last. */
  _behind: Link<T> | null;
}

/** Is a line that can be joined at both ends and left from anywhere, each in O(1). */
export class LinkedList<T> {
  #first: Link<T> | null = null;
  #last: Link<T> | null = null; // null exactly when #first is
  #size = 0;

  /** How many stand in line. */
  get size(): number {
    return this.#size;
  }

  /** Adds `value` behind all others. */
  push(value: T): Link<T> {
    const link: Link<T> = { value, _list: this, _before: this.#last, _behind: null };
    if (this.#last === null) this.#first = link;
    else this.#last._behind = link;
    this.#last = link;
    this.#size++;
    return link;
  }

  /** Adds `value` before all others. */
  unshift(value: T): Link<T> {
    const link: Link<T> = { value, _list: this, _before: null, _behind: this.#first };
    if (this.#first === null) this.#last = link;
    else this.#first._before = link;
    this.#first = link;
    this.#size++;
    return link;
  }

  /** Removes the first and returns its value; undefined when nothing is there. */
  shift(): T | undefined {
    const link = this.#first;
    if (link === null) return undefined;
    this.delete(link);
    return link.value;
  }

  /** Removes a link, unless it is out of this list already. */
  delete(link: Link<T>): void {
    if (link._list !== this) return;
    const { _before: before, _behind: behind } = link;
    if (before === null) this.#first = behind;
    else before._behind = behind;
    if (behind === null) this.#last = before;
    else behind._before = before;
    this.#size--;
    // A link that lives on, as its waiter may, must not keep its neighbours alive.
    link._list = link._before = link._behind = null;
  }
}
