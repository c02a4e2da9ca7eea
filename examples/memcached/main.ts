/**
 * A cache that speaks the text protocol of memcached: `get`, `set`, `add`, `replace`,
 * `delete`, `incr`, `decr`, `flush_all`, `version` and `quit`.
 *
 * It teaches a protocol of lines and blocks: a line says how many bytes follow, `readUntil`
 * takes the one and `readBytes` the other. A block that is too large is passed over in small
 * pieces and answered with an error, so that a client can make the server hold no more than
 * the limits say, and the conversation stays in step.
 *
 * Run it with `deno run -P=serve examples/memcached/main.ts`, then `nc -C 127.0.0.1 11211`.
 *
 * @module
 */
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { type IOStream, TCPServer, type TCPServerOptions } from "@waterspout/waterspout/iostream";
import { readPlace, serveTcp } from "../serve_tcp.ts";
import { Store } from "./store.ts";

const MAX_LINE = 2048;
const MAX_KEY = 250;
const PIECE = 16 * 1024; // in which a block that nobody wants is passed over
const MONTH = 30 * 24 * 3600; // a time to live up to here is relative, beyond it is a date
const MAX_COUNTER = 2n ** 64n;

const KEY_REGEXP = /^[!-~]+$/;
const NUMBER_REGEXP = /^\d{1,20}$/;

/** Options of {@linkcode MemcachedServer}. */
export interface MemcachedServerOptions extends TCPServerOptions {
  /** The most bytes of all keys and values, and of what it takes to keep them. */
  maxBytes?: number;
  /** The most bytes of a value. */
  maxValueSize?: number;
}

/** Is a line that was refused; the message goes to the client. */
class RefusedError extends Error {}

interface StoreCommand {
  readonly name: string;
  readonly key: string;
  readonly flags: number;
  readonly expires: number;
  readonly size: number;
}

/** Keeps values for its clients. */
export class MemcachedServer extends TCPServer {
  readonly #store: Store;
  readonly #maxValueSize: number;
  readonly #now: () => number;

  constructor(
    { maxBytes = 64 << 20, maxValueSize = 1 << 20, ...options }: MemcachedServerOptions = {},
    now: () => number = Date.now,
  ) {
    super(options);
    this.#store = new Store(maxBytes, now);
    this.#maxValueSize = maxValueSize;
    this.#now = now;
  }

  override *handleStream(stream: IOStream): CoroutineGenerator {
    const decoder = new TextDecoder("latin1");
    for (;;) {
      const bytes = yield* stream.readUntil("\r\n", { maxBytes: MAX_LINE });
      const words = decoder.decode(bytes.subarray(0, -2)).split(" ").filter((word) => word !== "");
      if (words[0] === "quit") break;
      const quiet = words[0] !== "get" && words.at(-1) === "noreply";
      if (quiet) words.pop();
      let answer: string;
      try {
        answer = isStoring(words[0])
          ? yield* this.#takeBlock(stream, words)
          : words[0] === "get"
          ? yield* this.#get(stream, words.slice(1))
          : this.#answer(words);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        answer = `${error.message}\r\n`;
      }
      if (!quiet) yield* stream.write(answer); // who does not read, waits
    }
    stream.close();
  }

  *#takeBlock(stream: IOStream, words: readonly string[]): CoroutineGenerator<string> {
    const command = this.#parseStoring(words);
    if (command.size > this.#maxValueSize) {
      for (let left = command.size + 2; left > 0;) {
        left -= (yield* stream.readBytes(Math.min(left, PIECE), { partial: true })).length;
      }
      this.#store.delete(command.key); // the old value is not what the client wants either
      throw new RefusedError("SERVER_ERROR object too large for cache");
    }
    const block = yield* stream.readBytes(command.size + 2);
    if (block.at(-2) !== 0x0d || block.at(-1) !== 0x0a) {
      throw new RefusedError("CLIENT_ERROR bad data chunk");
    }
    const { name, key, flags, expires } = command;
    if (name !== "set" && (this.#store.get(key) !== undefined) !== (name === "replace")) {
      return "NOT_STORED\r\n";
    }
    const stored = this.#store.set(key, { flags, expires, value: block.slice(0, -2) });
    return stored ? "STORED\r\n" : "SERVER_ERROR out of memory storing object\r\n";
  }

  #parseStoring(words: readonly string[]): StoreCommand {
    const [name, key, flags, lifetime, size] = words;
    if (words.length !== 5) throw new RefusedError("ERROR");
    return {
      name: name!,
      key: checkKey(key),
      flags: parseNumber(flags),
      expires: this.#deadline(lifetime!),
      size: parseNumber(size),
    };
  }

  #answer(words: readonly string[]): string {
    const [name, key, amount] = words;
    switch (name) {
      case "delete":
        if (words.length !== 2) break;
        return this.#store.delete(checkKey(key)) ? "DELETED\r\n" : "NOT_FOUND\r\n";
      case "incr":
      case "decr":
        if (words.length !== 3) break;
        return this.#count(checkKey(key), name === "incr", amount!);
      case "flush_all":
        this.#store.clear();
        return "OK\r\n";
      case "version":
        return "VERSION 1.0.0\r\n";
    }
    throw new RefusedError("ERROR");
  }

  // One value at a time: who asks for the same large one a thousand times in a line, and does
  // not read the answer, makes the server hold no copy of it.
  *#get(stream: IOStream, keys: readonly string[]): CoroutineGenerator<string> {
    if (keys.length === 0) throw new RefusedError("ERROR");
    keys.forEach(checkKey);
    for (const key of keys) {
      const item = this.#store.get(key);
      if (item === undefined) continue;
      stream.write(`VALUE ${key} ${item.flags} ${item.value.length}\r\n`);
      stream.write(item.value);
      yield* stream.write("\r\n");
    }
    return "END\r\n";
  }

  // A counter has 64 bits: incr wraps around, decr stops at 0.
  #count(key: string, up: boolean, amount: string): string {
    if (!NUMBER_REGEXP.test(amount)) {
      throw new RefusedError("CLIENT_ERROR invalid numeric delta argument");
    }
    const item = this.#store.get(key);
    if (item === undefined) return "NOT_FOUND\r\n";
    const text = new TextDecoder("latin1").decode(item.value);
    if (!NUMBER_REGEXP.test(text)) {
      throw new RefusedError("CLIENT_ERROR cannot increment or decrement non-numeric value");
    }
    const delta = BigInt(amount);
    const old = BigInt(text);
    const value = up ? (old + delta) % MAX_COUNTER : old > delta ? old - delta : 0n;
    this.#store.set(key, { ...item, value: ascii(String(value)) });
    return `${value}\r\n`;
  }

  #deadline(lifetime: string): number {
    if (lifetime.startsWith("-")) return 0;
    const seconds = parseNumber(lifetime);
    if (seconds === 0) return Infinity;
    return seconds <= MONTH ? this.#now() + 1000 * seconds : 1000 * seconds;
  }
}

function isStoring(name: string | undefined): boolean {
  return name === "set" || name === "add" || name === "replace";
}

function checkKey(key: string | undefined): string {
  if (key !== undefined && key.length <= MAX_KEY && KEY_REGEXP.test(key)) return key;
  throw new RefusedError("CLIENT_ERROR bad command line format");
}

function parseNumber(text: string | undefined): number {
  if (text !== undefined && NUMBER_REGEXP.test(text)) return Number(text);
  throw new RefusedError("CLIENT_ERROR bad command line format");
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

if (import.meta.main) {
  await serveTcp(new MemcachedServer({ maxConnections: 1000 }), readPlace(11211));
}
