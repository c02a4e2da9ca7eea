// RESP2, the protocol of Redis. A value is a type byte, then:
//
//   +text CRLF    -error CRLF    :integer CRLF
//   $length CRLF, that many bytes, CRLF          (length -1: null)
//   *count CRLF, that many values                (count -1: null)
//
// The parser takes bytes cut anywhere and owns no stream. Bytes are looked at once: it
// remembers how far it has searched for the end of a line, and a bulk's length says how many
// must be there. An array that has begun waits on a stack for its values.

/** Is an error that Redis answered: as a value, since it may stand within an array. */
export class RedisError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RedisError";
  }
}

/** Says that the peer does not speak RESP; the connection is of no use any more. */
export class RespSyntaxError extends Error {
  constructor(why: string) {
    super(`Cannot parse the reply: ${why}`);
    this.name = "RespSyntaxError";
  }
}

/** Is what Redis answers: bulk strings are bytes, since Redis does not say what they hold. */
export type Reply = string | number | Uint8Array | null | RedisError | Reply[];

/** Limits of {@linkcode RespParser}. */
export interface RespLimits {
  /** The longest line of a simple string, error or number. */
  maxLine?: number;
  /** The most bytes of a bulk string. */
  maxBulk?: number;
  /** The most values of one array. */
  maxCount?: number;
  /** The deepest nesting of arrays. */
  maxDepth?: number;
}

interface OpenArray {
  readonly values: Reply[];
  readonly count: number;
}

const CR = 0x0d;
const LF = 0x0a;
const MIN_ROOM = 1024;
const INTEGER_REGEXP = /^[+-]?\d{1,19}$/;

/** Parses replies. */
export class RespParser {
  readonly #limits: Required<RespLimits>;
  readonly #open: OpenArray[] = [];
  #bytes = new Uint8Array(MIN_ROOM);
  #start = 0; // #bytes[#start..#end) was not parsed yet
  #end = 0;
  #searched = 0; // no line end before this
  #bulk = -1; // the length of the bulk string whose head was parsed, -1: none

  constructor(
    { maxLine = 65536, maxBulk = 512 << 20, maxCount = 1 << 20, maxDepth = 32 }: RespLimits = {},
  ) {
    this.#limits = { maxLine, maxBulk, maxCount, maxDepth };
  }

  /**
   * Takes the next bytes and returns the replies that are whole by now.
   *
   * @throws {RespSyntaxError} when they are none; nothing can be parsed after that.
   */
  push(bytes: Uint8Array): Reply[] {
    this.#append(bytes);
    const replies: Reply[] = [];
    for (;;) {
      const value = this.#bulk < 0 ? this.#line() : this.#bulkString();
      if (value === undefined) return replies;
      if (value !== HEAD) this.#complete(value, replies);
    }
  }

  // undefined: more bytes are needed. HEAD: the head of something longer.
  #line(): Reply | typeof HEAD | undefined {
    const cr = this.#bytes.subarray(0, this.#end).indexOf(CR, this.#searched);
    const length = (cr < 0 ? this.#end : cr) - this.#start;
    if (length > this.#limits.maxLine) throw new RespSyntaxError("a line is too long");
    this.#searched = cr < 0 ? this.#end : cr;
    if (cr < 0 || cr + 1 === this.#end) return undefined;
    if (this.#bytes[cr + 1] !== LF) throw new RespSyntaxError("CR without LF");
    const text = decoder.decode(this.#bytes.subarray(this.#start + 1, cr));
    const type = String.fromCharCode(this.#bytes[this.#start]!);
    this.#start = this.#searched = cr + 2;
    switch (type) {
      case "+":
        return text;
      case "-":
        return new RedisError(text);
      case ":":
        return parseInteger(text);
      case "$": {
        const length = parseLength(text, this.#limits.maxBulk);
        if (length < 0) return null;
        this.#bulk = length;
        return HEAD;
      }
      case "*":
        return this.#openArray(parseLength(text, this.#limits.maxCount));
      default:
        throw new RespSyntaxError(`there is no type ${JSON.stringify(type)}`);
    }
  }

  #openArray(count: number): Reply | typeof HEAD {
    if (count < 0) return null;
    if (count === 0) return [];
    if (this.#open.length === this.#limits.maxDepth) throw new RespSyntaxError("too deep");
    this.#open.push({ values: [], count });
    return HEAD;
  }

  #bulkString(): Uint8Array | undefined {
    const end = this.#start + this.#bulk;
    if (this.#end < end + 2) return undefined;
    if (this.#bytes[end] !== CR || this.#bytes[end + 1] !== LF) {
      throw new RespSyntaxError("a bulk string does not end where it should");
    }
    const value = this.#bytes.slice(this.#start, end);
    this.#bulk = -1;
    this.#start = this.#searched = end + 2;
    return value;
  }

  #complete(value: Reply, replies: Reply[]): void {
    for (;;) {
      const array = this.#open.at(-1);
      if (array === undefined) {
        replies.push(value);
        return;
      }
      array.values.push(value);
      if (array.values.length < array.count) return;
      this.#open.pop();
      value = array.values; // which may be the last value of the array around it
    }
  }

  // What is left moves to the front; the room doubles, so that it grows with what has come,
  // never with a length that was announced.
  #append(bytes: Uint8Array): void {
    const left = this.#end - this.#start;
    const needed = left + bytes.length;
    if (this.#end + bytes.length > this.#bytes.length) {
      const room = needed > this.#bytes.length / 2
        ? new Uint8Array(Math.max(MIN_ROOM, 2 * needed))
        : this.#bytes;
      room.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = room;
      this.#searched -= this.#start;
      this.#start = 0;
      this.#end = left;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }
}

/** Writes a command: an array of bulk strings. */
export function encodeCommand(args: readonly (string | number | Uint8Array)[]): Uint8Array {
  const parts: Uint8Array[] = [encoder.encode(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = arg instanceof Uint8Array ? arg : encoder.encode(String(arg));
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, CRLF);
  }
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function parseInteger(text: string): number {
  if (!INTEGER_REGEXP.test(text)) throw new RespSyntaxError(`${JSON.stringify(text)} is no number`);
  return Number(text);
}

function parseLength(text: string, limit: number): number {
  const length = parseInteger(text);
  if (length < -1 || length > limit) throw new RespSyntaxError(`the length ${length} is too large`);
  return length;
}

const HEAD: unique symbol = Symbol("the head of a longer value");
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const CRLF = encoder.encode("\r\n");
