// Throws damaged requests at the parsers and at a server. By itself it runs for as long as
// one likes; the tests run a part of it:
//
//   deno run -P=test tests/http/fuzz.ts [rounds] [seed]
//
// A round that fails says its seed; with that and one round it is run again. What is found
// once belongs into the corpus.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { ChunkedDecoder, HTTPInputError, RequestParser } from "../../http/mod.ts";
import { bytesOf } from "./_cuts.ts";
import { readRequests } from "./_reference.ts";
import { type Line, type Manner, MANNERS, withWire } from "./_wire.ts";

const LIMITS = { maxHeaderSize: 600, maxHeaderCount: 12, maxBodySize: 300 };
const BATCH = 50; // connections at one time to one server

// What a server may say to any bytes.
const STATUSES: ReadonlySet<number> = new Set([100, 200, 400, 413, 414, 417, 431]);

const GOOD = [
  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "GET /a/b?c=d&e HTTP/1.1\r\nHost: example.com:80\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n",
  "HEAD http://a:81/b HTTP/1.1\r\nHost: a:81\r\nConnection: keep-alive, x\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
  "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\nExpect: 100-continue\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
  '3\r\nabc\r\n2;a="b c"\r\nde\r\n0\r\nA: b\r\n\r\n',
  "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
];

// What is put in: what readers part at.
const WORDS = [
  ..."\r\n\t\0 :;,/#?*+-_0159afx\x7f\x80\xff".split(""),
  "\r\n",
  "\n\n",
  "\r\n\r\n",
  "\r\n ",
  "HTTP/1.1",
  "HTTP/1.0",
  "Host: x\r\n",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
  "Expect: 100-continue\r\n",
  "0\r\n\r\n",
  "ffffffffffffffff",
  "99999999999999999999",
  "GET /in HTTP/1.1\r\nHost: x\r\n\r\n",
  "a".repeat(700),
];

// Lines that are put between others, where they count most.
const LINES = [
  "Content-Length: 3",
  "Content-Length: 5",
  "Content-Length: 5, 3",
  "Content-Length: 5,5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked, chunked",
  "Connection: close",
  "Connection: keep-alive",
  "Host: x",
  "Host: x, y",
  "Expect: 100-continue",
  "A : b",
  " b",
  ": b",
  "A: b",
  "GET /in HTTP/1.1",
  "GET http://:80/in HTTP/1.1",
  "0",
  "3",
  "3 ;a",
  "",
];

/** Says at which seed something was found; the cause is what was found. */
export class FuzzError extends Error {
  constructor(seed: number, input: string, cause: unknown) {
    super(`Round with seed ${seed} failed: ${JSON.stringify(input)}`, { cause });
    this.name = "FuzzError";
  }
}

/** A damaged request and how it is cut; everything follows from `seed`. */
class Round {
  readonly seed: number;
  readonly input: string;
  /** Where the pieces end; the last one is the end of the input. */
  readonly ends: readonly number[];
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed * 2_654_435_769 >>> 0;
    let input = this.#oneOf(GOOD);
    if (this.#below(3) === 0) input += this.#oneOf(GOOD);
    for (let damages = this.#below(5); damages > 0; damages--) input = this.#damage(input);
    this.input = input;
    const ends = Array.from({ length: this.#below(5) }, () => this.#below(input.length + 1));
    this.ends = [...ends.sort((a, b) => a - b), input.length];
  }

  #damage(input: string): string {
    const at = this.#below(input.length + 1);
    const end = Math.min(input.length, at + 1 + this.#below(8));
    switch (this.#below(8)) {
      case 0: // put in
        return input.slice(0, at) + this.#oneOf(WORDS) + input.slice(at);
      case 1: // take out
        return input.slice(0, at) + input.slice(end);
      case 2: // replace
        return input.slice(0, at) + this.#oneOf(WORDS) + input.slice(at + 1);
      case 3: // double
        return input.slice(0, end) + input.slice(at);
      case 4: { // a line, between two
        const start = lineStart(input, at);
        return `${input.slice(0, start)}${this.#oneOf(LINES)}\r\n${input.slice(start)}`;
      }
      case 5: { // another line for one
        const start = lineStart(input, at);
        const stop = input.indexOf("\r\n", start);
        if (stop < 0) return input;
        return input.slice(0, start) + this.#oneOf(LINES) + input.slice(stop);
      }
      case 6: // another byte
        return input.slice(0, at) + String.fromCharCode(this.#below(256)) + input.slice(at + 1);
      default: { // a part of another one
        const other = this.#oneOf(GOOD);
        const from = this.#below(other.length);
        return input.slice(0, at) + other.slice(from, from + this.#below(40)) + input.slice(at);
      }
    }
  }

  #oneOf<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!;
  }

  // xorshift: the same numbers everywhere.
  #below(limit: number): number {
    let state = this.#state || 1;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % limit;
  }
}

// Where the line begins that `at` is in.
function lineStart(input: string, at: number): number {
  const end = input.lastIndexOf("\r\n", at);
  return end < 0 ? 0 : end + 2;
}

/** Reads heads and bodies of `rounds` inputs, whole and cut: what they give must be the same. */
export function fuzzParsers(rounds: number, seed: number): void {
  for (let index = 0; index < rounds; index++) {
    const round = new Round(seed + index);
    try {
      const { input, ends } = round;
      assertEquals(parsed(input, ends), parsed(input, [input.length]), `cut at ${ends}`);
    } catch (error) {
      throw new FuzzError(round.seed, round.input, error);
    }
  }
}

// What a connection would make of the input, in a few words.
function parsed(input: string, ends: readonly number[]): string[] {
  const bytes = bytesOf(input);
  const parser = new RequestParser(LIMITS);
  const chunks = new ChunkedDecoder({ maxTrailerSize: LIMITS.maxHeaderSize });
  const found: string[] = [];
  let at = 0;
  let missing = 0; // of a body with a length
  let body = "";
  let inChunks = false;
  try {
    for (const end of ends) {
      while (at < end) {
        const before = at;
        if (inChunks) {
          at = chunks.next(bytes, at, end);
          body += String.fromCharCode(...bytes.subarray(chunks.pieceStart, chunks.pieceEnd));
          assert(at > before, "nothing was read");
          if (!chunks.done) continue;
          found.push(body);
          inChunks = false;
        } else if (missing > 0) {
          const taken = Math.min(missing, end - at);
          at += taken;
          missing -= taken;
        } else {
          const stop = parser.parse(bytes, at, end);
          if (stop < 0) break;
          assert(stop > at && stop <= end, "it stopped elsewhere");
          at = stop;
          const { method, target, host, contentLength, chunked, keepAlive, fields } = parser.head;
          found.push([method, target, host, contentLength, chunked, keepAlive, fields].join(" "));
          missing = Math.max(0, contentLength);
          inChunks = chunked;
          body = "";
          chunks.reset();
        }
      }
    }
  } catch (error) {
    assertInstanceOf(error, HTTPInputError);
    assert(STATUSES.has(error.status));
    found.push(`refused with ${error.status}`);
  }
  return found;
}

/**
 * Sends `rounds` inputs to servers, each whole and cut: both connections must see the same
 * requests, those that a plain reader finds, and get the same answers. A good request is answered
 * behind each batch, and nothing is left of any connection.
 */
export async function fuzzServer(manner: Manner, rounds: number, seed: number): Promise<void> {
  for (let index = 0; index < rounds; index += BATCH) {
    const batch = Array.from(
      { length: Math.min(BATCH, rounds - index) },
      (_, place) => new Round(seed + index + place),
    );
    await withWire(manner, async ({ open, tick }) => {
      const pairs = batch.map((round) => ({ round, whole: open(), cut: open() }));
      for (const { round, whole } of pairs) whole.send(round.input);
      for (let piece = 0; pairs.some(({ round }) => piece < round.ends.length); piece++) {
        for (const { round: { input, ends }, cut } of pairs) {
          if (piece < ends.length) cut.send(input.slice(ends[piece - 1] ?? 0, ends[piece]));
        }
        await tick(0);
      }
      const good = open();
      good.send(GOOD[0]!);
      await tick(0);
      assertEquals(outcomeOf(good), { statuses: [200], seen: ["GET /"], ended: false });
      for (const { round, whole, cut } of pairs) {
        try {
          check(whole);
          compare(whole, round.input);
          assertEquals(outcomeOf(cut), outcomeOf(whole), `cut at ${round.ends}`);
        } catch (error) {
          throw new FuzzError(round.seed, round.input, error);
        }
      }
      for (const { cut, whole } of pairs) {
        cut.end(); // a client that is done ...
        whole.far.reset(); // ... and one that is gone
        whole.far.close();
      }
      await tick(0);
      for (const { round, cut } of pairs) {
        try {
          check(cut);
          assert(cut.ended && cut.near.closed(), "it stays open");
        } catch (error) {
          throw new FuzzError(round.seed, round.input, error);
        }
      }
    }, LIMITS);
  }
}

// Every request that is seen is answered, and at most one is refused: as the last, and then
// the connection ends.
function check(line: Line): void {
  const { statuses, seen, ended } = line;
  const answers = statuses.filter((status) => status !== 100);
  for (const status of answers) assert(STATUSES.has(status), `it was answered with ${status}`);
  assertEquals(answers.filter((status) => status === 200).length, seen.length);
  const refused = answers.findIndex((status) => status !== 200);
  if (refused < 0) return;
  assertEquals(refused, answers.length - 1, "something was answered behind it");
  assert(ended, "it goes on after it refused");
}

// A plain reader must find the same requests in it, no more and no less.
function compare({ seen, statuses, ended }: Line, input: string): void {
  const reading = readRequests(input, LIMITS);
  assertEquals(seen, reading.seen);
  const refused = statuses.some((status) => status > 200);
  if (reading.then !== "open") assertEquals([refused, ended], [reading.then === "refused", true]);
}

function outcomeOf({ statuses, seen, ended }: Line): unknown {
  return { statuses, seen: [...seen], ended };
}

if (import.meta.main) {
  const [rounds = 100_000, seed = Math.trunc(Math.random() * 2 ** 31)] = Deno.args.map(Number);
  const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  say(`${rounds} rounds from seed ${seed}`);
  fuzzParsers(rounds, seed);
  say("the parsers stood it");
  for (const manner of MANNERS) {
    await fuzzServer(manner, Math.ceil(rounds / MANNERS.length), seed);
    say(`the server stood it, in the manner called ${manner}`);
  }
}
