/**
 * Looks for the end of a message in bytes that come in pieces. It remembers how far it
 * looked, so that all its calls together are linear in the bytes.
 */
export interface ByteSearch {
  /** What is looked for, in words. */
  readonly what: string;
  /**
   * Looks in bytes[start..end), of which an earlier call may have seen a part. Returns how
   * many bytes from `start` the message has, -1 when its end is not there.
   */
  find(bytes: Uint8Array, start: number, end: number): number;
}

/** Looks for a delimiter; the message includes it. */
export class DelimiterSearch implements ByteSearch {
  readonly what: string;
  readonly #delimiter: Uint8Array;
  #seen = 0; // bytes from the start at which no delimiter begins

  /** Takes the delimiter, at least one byte. */
  constructor(delimiter: Uint8Array) {
    this.#delimiter = delimiter;
    this.what = JSON.stringify(
      String.fromCharCode(...delimiter.subarray(0, 40)),
    );
  }

  /** See {@linkcode ByteSearch.find}. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const delimiter = this.#delimiter;
    const size = delimiter.length;
    const first = delimiter[0]!;
    const last = end - size;
    let at = start + this.#seen;
    // indexOf looks at bytes behind `end` too; what it finds there counts as nothing.
    while ((at = bytes.indexOf(first, at)) >= 0 && at <= last) {
      let matched = 1;
      while (matched < size && bytes[at + matched] === delimiter[matched]) {
        matched++;
      }
      if (matched === size) return at + size - start;
      at++;
    }
    this.#seen = Math.max(0, end - start - size + 1);
    return -1;
  }
}
