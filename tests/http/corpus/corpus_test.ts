import { assert, assertEquals } from "@std/assert";
import { genLog } from "../../../ioloop/mod.ts";
import { expectLog } from "../../../testing/mod.ts";
import { readRequests } from "../_reference.ts";
import { type Line, type Manner, MANNERS, withWire } from "../_wire.ts";
import { get, LIMITS, type Outcome, type RawCase } from "./_case.ts";
import { CHUNKS } from "./_chunks.ts";
import { CONFORMANCE } from "./_conformance.ts";
import { METHODS, PERSISTENCE, PIPELINING } from "./_connection.ts";
import { FIELDS } from "./_fields.ts";
import { FRAMING } from "./_framing.ts";
import { REQUEST_LINE } from "./_request_line.ts";
import { SMUGGLING } from "./_smuggling.ts";

const FAMILIES: Readonly<Record<string, readonly RawCase[]>> = {
  "request line": REQUEST_LINE,
  "header fields": FIELDS,
  "framing": FRAMING,
  "chunks": CHUNKS,
  "persistence": PERSISTENCE,
  "pipelining": PIPELINING,
  "methods": METHODS,
  "smuggling": SMUGGLING,
  "conformance": CONFORMANCE,
};

const REFUSED_REGEXP = /^Malformed HTTP message from 10\./;

// Inputs are cut in two at that many places: everywhere, but for the longest. The other manners
// differ behind the parser; there a few more than byte by byte will do.
const MAX_CUTS: Readonly<Record<Manner, number>> = { whole: 120, later: 4, streamed: 8, held: 8 };

function outcomeOf({ seen, statuses, ended }: Line): Pick<Outcome, "seen" | "statuses"> & {
  readonly closes: boolean;
} {
  return { seen: [...seen], statuses, closes: ended };
}

// What must have become of a connection; `more` are the statuses of what was sent behind.
function expected({ seen, statuses, then }: Outcome, ...more: number[]): unknown {
  const behind = more.filter((status) => status === 200).map(() => "GET /behind");
  return {
    seen: [...seen, ...behind],
    statuses: [...statuses, ...more],
    closes: then === "closes" || more.at(-1) === 400,
  };
}

// The connections of one case: its input comes whole, byte by byte, cut in two at places, and
// with another request right behind it.
class Trial {
  readonly #title: string;
  readonly #input: string;
  readonly #outcome: Outcome;
  readonly #whole: Line;
  readonly #slow: Line;
  readonly #cut: { readonly line: Line; readonly at: number }[] = [];
  readonly #behind: Line;

  constructor([title, , input, outcome]: RawCase, open: () => Line, maxCuts: number) {
    this.#title = title;
    this.#input = input;
    this.#outcome = outcome;
    this.#whole = open();
    this.#slow = open();
    this.#slow.near.maxRead = 1;
    this.#behind = open();
    const every = Math.ceil(input.length / maxCuts);
    for (let at = 1; at < input.length; at += every) this.#cut.push({ line: open(), at });
  }

  /** How many of its connections are refused before they are asked for more. */
  get refusals(): number {
    return (this.#outcome.statuses.at(-1) ?? 0) >= 400 ? this.#all.length + 1 : 0;
  }

  get #all(): Line[] {
    return [this.#whole, this.#slow, ...this.#cut.map(({ line }) => line)];
  }

  start(): void {
    this.#whole.send(this.#input);
    this.#slow.send(this.#input);
    this.#behind.send(this.#input + get("/behind"));
    for (const { line, at } of this.#cut) line.send(this.#input.slice(0, at));
  }

  goOn(): void {
    for (const { line, at } of this.#cut) line.send(this.#input.slice(at));
  }

  check(): void {
    const outcome = this.#outcome;
    this.#expect(this.#whole, "whole");
    this.#expect(this.#slow, "byte by byte");
    for (const { line, at } of this.#cut) this.#expect(line, `cut at ${at}`);
    if (outcome.then === "waits") return; // what is behind it belongs to it
    this.#expect(this.#behind, "with more behind it", ...outcome.then === "goes on" ? [200] : []);
  }

  // One that waits is told that there is no more; others are asked for more.
  askForMore(): void {
    for (const line of this.#all) {
      if (this.#outcome.then === "waits") line.end();
      else line.send(get("/behind"));
    }
  }

  checkMore(): void {
    const last = { "goes on": [200], "waits": [400], "closes": [] }[this.#outcome.then];
    for (const line of this.#all) this.#expect(line, "asked for more", ...last);
  }

  #expect(line: Line, how: string, ...more: number[]): void {
    assertEquals(outcomeOf(line), expected(this.#outcome, ...more), `${this.#title}, ${how}`);
  }
}

async function run(manner: Manner, cases: readonly RawCase[]): Promise<void> {
  await withWire(manner, async ({ open, tick }) => {
    const trials = cases.map((its) => new Trial(its, open, MAX_CUTS[manner]));
    const { matched, loggedStack } = await expectLog(genLog, REFUSED_REGEXP, async () => {
      for (const trial of trials) trial.start();
      await tick(0);
      for (const trial of trials) trial.goOn();
      await tick(0);
    }, { required: false, level: "info" });
    for (const trial of trials) trial.check();
    const waiting = cases.filter(([, , , { then }]) => then === "waits");
    if (waiting.length === 0) { // else what is behind them may be refused, or not
      assertEquals(matched.length, trials.reduce((sum, { refusals }) => sum + refusals, 0));
    }
    assert(!loggedStack);
    await expectLog(genLog, REFUSED_REGEXP, async () => {
      for (const trial of trials) trial.askForMore();
      await tick(0);
    }, { required: waiting.length > 0 });
    for (const trial of trials) trial.checkMore();
  }, LIMITS);
}

// The plain reader that judges where cases are made by chance must agree with those that are
// written down.
function compare(input: string, { seen, then, statuses }: Outcome): void {
  const reading = readRequests(input, LIMITS);
  assertEquals(reading.seen, seen, "the plain reader");
  const refused = (statuses.at(-1) ?? 0) > 200;
  if (reading.then === "refused") assert(refused, "the plain reader refuses");
  if (reading.then === "closes") assert(!refused && then === "closes", "the plain reader closes");
}

for (const [family, cases] of Object.entries(FAMILIES)) {
  for (const its of cases) {
    const [title, rfc, input, outcome] = its;
    Deno.test(`HTTPServer, ${family}, RFC ${rfc}: ${title}`, async () => {
      await run("whole", [its]);
      compare(input, outcome);
    });
  }

  for (const manner of MANNERS.slice(1)) {
    Deno.test(`HTTPServer, ${family}, all at one time, requests taken ${manner}`, () =>
      run(manner, cases));
  }
}

Deno.test("HTTPServer is tried with hundreds of cases, each under a name of its own", () => {
  const titles = Object.entries(FAMILIES).flatMap(([family, cases]) =>
    cases.map(([title]) => `${family}: ${title}`)
  );
  assert(titles.length >= 500, `there are ${titles.length}`);
  assertEquals(titles.length, new Set(titles).size);
  assertEquals(CONFORMANCE.length, 33);
});
