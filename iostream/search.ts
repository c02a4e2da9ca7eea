// Two ways to look for the end of a message. A delimiter is looked for byte by byte. A regular
// expression has no way to tell that a match has begun, so it is asked again when more came:
//
// - If its longest match is known (`\r?\n\r?\n`), from where a match could still begin:
//   linear in the bytes, times that length where they come one by one.
// - If not (`.*\n`, look-behind, back-references), from the start. Past RESCAN_FROM bytes it is
//   asked again only when a sixteenth more came or a pause, long against the search, is over:
//   few searches while bytes stream in, a small part of the processor while they drip.

const RESCAN_FROM = 4096; // bytes; below, a search costs some microseconds
const PAUSE_BYTES_PER_MS = 16384; // a search takes in some 500 times as much
const DECODE_SIZE = 8192; // characters made by one call
const MAX_KEPT = 16; // delimiters; a protocol has few

const encoder = new TextEncoder();
const kept = new Map<string, Uint8Array>();

/** Encodes a delimiter. Streams that look for the same one share its bytes, some 300 for each. */
export function delimiterBytes(delimiter: string): Uint8Array {
  let bytes = kept.get(delimiter);
  if (bytes === undefined) {
    bytes = encoder.encode(delimiter);
    if (kept.size < MAX_KEPT) kept.set(delimiter, bytes);
  }
  return bytes;
}

/**
 * Looks for the end of a message in bytes that come in pieces. It remembers how far it
 * looked, so that all its calls together are about linear in the bytes.
 */
export interface ByteSearch {
  /** What is looked for, in words. */
  readonly what: string;
  /** In how many ms {@linkcode find}, which put the search off, wants to be called; 0: it did not. */
  readonly pause: number;
  /**
   * Looks in bytes[start..end), of which an earlier call may have seen a part. Returns how
   * many bytes from `start` the message has, -1 when its end is not there. `now`: do not put
   * it off, the pause is over or nothing more will come.
   */
  find(bytes: Uint8Array, start: number, end: number, now: boolean): number;
}

/** Looks for a delimiter; the message includes it. */
export class DelimiterSearch implements ByteSearch {
  readonly pause = 0;
  readonly #delimiter: Uint8Array;
  #seen = 0; // bytes from the start at which no delimiter begins

  /** Takes the delimiter, at least one byte. */
  constructor(delimiter: Uint8Array) {
    this.#delimiter = delimiter;
  }

  /** See {@linkcode ByteSearch.what}. */
  get what(): string {
    return JSON.stringify(String.fromCharCode(...this.#delimiter.subarray(0, 40)));
  }

  /** Makes it ready for another message. */
  restart(): void {
    this.#seen = 0;
  }

  /** See {@linkcode ByteSearch.find}. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const delimiter = this.#delimiter;
    const size = delimiter.length;
    const first = delimiter[0]!;
    const last = end - size;
    for (let at = start + this.#seen; at <= last; at++) {
      if (bytes[at] !== first) continue; // indexOf is no faster, and looks behind `end` too
      let matched = 1;
      while (matched < size && bytes[at + matched] === delimiter[matched]) matched++;
      if (matched === size) return at + size - start;
    }
    this.#seen = Math.max(0, end - start - size + 1);
    return -1;
  }
}

/** Looks for a match of a regular expression in the bytes as latin-1; the message ends with it. */
export class RegexSearch implements ByteSearch {
  /** See {@linkcode ByteSearch.what}. */
  readonly what: string;
  readonly #regex: RegExp;
  readonly #longest: number; // bytes of a match; Infinity when that is not known
  #text = ""; // what was seen, if #longest is Infinity
  #seen = -1; // bytes in which no match is
  #cost = 0; // ms to wait before a search over as much; 0: none
  #pause = 0; // #cost, if the last search was put off

  /** Takes the expression; its place and its flags `g` and `y` do not matter. */
  constructor(regex: RegExp) {
    this.what = String(regex);
    this.#regex = new RegExp(regex.source, `${regex.flags.replace(/[gy]/g, "")}g`);
    this.#longest = longestMatch(this.#regex);
  }

  /** See {@linkcode ByteSearch.pause}. */
  get pause(): number {
    return this.#pause;
  }

  /** See {@linkcode ByteSearch.find}. */
  find(bytes: Uint8Array, start: number, end: number, now: boolean): number {
    const length = end - start;
    if (length === this.#seen) return -1;
    return this.#longest < Infinity
      ? this.#findNear(bytes, start, length)
      : this.#findAnywhere(bytes, start, length, now);
  }

  #findNear(bytes: Uint8Array, start: number, length: number): number {
    const from = Math.max(0, this.#seen - this.#longest);
    const before = Math.max(0, from - 1); // one byte more, for ^ and \b
    this.#seen = length;
    const found = this.#match(latin1Text(bytes, start + before, start + length), from - before);
    return found < 0 ? -1 : before + found;
  }

  #findAnywhere(bytes: Uint8Array, start: number, length: number, now: boolean): number {
    const seen = Math.max(0, this.#seen);
    this.#pause = now || length >= seen + seen / 16 ? 0 : this.#cost;
    if (this.#pause > 0) return -1;
    this.#text += latin1Text(bytes, start + seen, start + length);
    this.#seen = length;
    this.#cost = length < RESCAN_FROM ? 0 : length / PAUSE_BYTES_PER_MS;
    return this.#match(this.#text, 0);
  }

  #match(text: string, from: number): number {
    this.#regex.lastIndex = from;
    return this.#regex.test(text) ? this.#regex.lastIndex : -1;
  }
}

const QUANTIFIER_REGEXP = /(?:[*+?]|\{(\d+)(,(\d*))?\})\??/y;
const GROUP_REGEXP = /\((?:\?(?:[=!:]|<(?![=!])[^>]*>|[ims-]*:))?/y;
const CLASS_REGEXP = /\[(?:\\[^]|[^\]\\])*\]/y;
const ESCAPE_REGEXP = /\\(?:x[\da-f]{2}|u[\da-f]{4}|[dswtnvfr0]|[^\w])/iy;
const UNICODE_ESCAPE_REGEXP = /\\(?:u|p)\{[^}]*\}/iy;

/**
 * Tells how many characters a match can have at most, those that it looks ahead at included;
 * Infinity if there is no limit, or if a match may depend on what lies before it.
 */
function longestMatch({ source, flags }: RegExp): number {
  if (flags.includes("v")) return Infinity; // its classes nest
  let at = 0;

  // Steps over what `regex` matches here.
  const step = (regex: RegExp): RegExpExecArray | null => {
    regex.lastIndex = at;
    const match = regex.exec(source);
    if (match !== null) at = regex.lastIndex;
    return match;
  };

  const alternatives = (): number => {
    let longest = sequence();
    while (source[at] === "|") {
      at++;
      longest = Math.max(longest, sequence());
    }
    return longest;
  };

  const sequence = (): number => {
    let sum = 0;
    while (at < source.length && source[at] !== "|" && source[at] !== ")") {
      const one = atom();
      const times = quantifier();
      if (one > 0) sum += one * times;
    }
    return sum;
  };

  const atom = (): number => {
    if (source[at] === "(") {
      if (source.startsWith("(?<=", at) || source.startsWith("(?<!", at)) return unknown();
      step(GROUP_REGEXP);
      const longest = alternatives();
      at++;
      return longest;
    }
    if (source[at] === "\\") return escape();
    if (step(CLASS_REGEXP) !== null) return 1;
    return source[at++] === "^" || source[at - 1] === "$" ? 0 : 1;
  };

  const escape = (): number => {
    const kind = source[at + 1];
    if (kind === "b" || kind === "B") {
      at += 2;
      return 0;
    }
    if (step(ESCAPE_REGEXP) !== null) return 1;
    if (flags.includes("u") && step(UNICODE_ESCAPE_REGEXP) !== null) return 1;
    return unknown(); // a back-reference, or of the old kinds
  };

  const quantifier = (): number => {
    const match = step(QUANTIFIER_REGEXP);
    if (match === null) return 1;
    if (match[1] === undefined) return match[0].startsWith("?") ? 1 : Infinity;
    if (match[2] === undefined) return Number(match[1]);
    return match[3] === "" ? Infinity : Number(match[3]);
  };

  const unknown = (): number => {
    at = source.length;
    return Infinity;
  };

  return alternatives();
}

function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += DECODE_SIZE) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + DECODE_SIZE, end)));
  }
  return text;
}
