// Measures our server beside its peers: all the suites, or some. Help says how.
import { parseArgs } from "node:util";
import { drawChart } from "./_chart.ts";
import { versions } from "./_peers.ts";
import { availableProgram, programOutput } from "./_programs.ts";
import { markdownReport, replaceBetween, type Section } from "./_report.ts";
import type { Suite, SuiteOptions } from "./_suite.ts";

const HELP = `Measures the server beside its peers, in rounds that alternate between them.

Usage: deno task bench [options]

  --rounds <number>    rounds, of which the medians are taken (5)
  --seconds <number>   how long each measurement lasts (2); may be a fraction
  --only <suites>      the suites to run, separated by commas (all)
  --peers <names>      the peers to measure, separated by commas (all)
  --quick              prove that all works: one round, small sizes, figures without meaning
  --write              write tables to docs/benchmarks.md, and charts to docs/images
  --help               print this

Suites: `;

const PAGE = new URL("../docs/benchmarks.md", import.meta.url);
const IMAGES = "images";

const DEFAULT_ROUNDS = 5;
const DEFAULT_SECONDS = 2;
const QUICK_SECONDS = 0.1;

/** What the command line asks for. */
interface Orders extends Omit<SuiteOptions, "log"> {
  readonly suites: readonly Suite[];
  readonly write: boolean;
}

async function print(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

/** Gives the suites in the folder of that name. */
async function allSuites(): Promise<Suite[]> {
  const folder = new URL("suites/", import.meta.url);
  const suites: Suite[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const { suite }: { suite: Suite } = await import(new URL(name, folder).href);
    suites.push(suite);
  }
  return suites.sort((a, b) => a.name < b.name ? -1 : 1);
}

function namesOf(suites: readonly Suite[]): string {
  return suites.map(({ name }) => name).join(", ");
}

/**
 * Reads the command line; `null` when it asks for help.
 *
 * @throws {RangeError} when it asks for what there is not.
 */
function ordersOf(args: readonly string[], all: readonly Suite[]): Orders | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string" },
      peers: { type: "string" },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { quick, write, help } = values;
  if (help) return null;
  if (quick && write) throw new RangeError("Cannot write: figures of a quick run mean nothing");
  return {
    quick,
    write,
    rounds: positive("rounds", values.rounds ?? `${quick ? 1 : DEFAULT_ROUNDS}`),
    seconds: positive("seconds", values.seconds ?? `${quick ? QUICK_SECONDS : DEFAULT_SECONDS}`),
    peers: values.peers?.split(",") ?? null,
    suites: values.only === undefined ? all : values.only.split(",").map((wanted) => {
      const suite = all.find(({ name }) => name === wanted);
      if (suite !== undefined) return suite;
      throw new RangeError(`Cannot run "${wanted}": suites are ${namesOf(all)}`);
    }),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && (name !== "rounds" || Number.isInteger(value))) return value;
  throw new RangeError(`Cannot measure ${text} ${name}: expected a number above 0`);
}

/** Says when, how and where it was measured. */
async function conditions({ rounds, seconds }: Orders): Promise<string> {
  const processor = await processorName();
  const { hardwareConcurrency } = navigator;
  return [
    `${
      new Date().toISOString().slice(0, 10)
    }: rounds: ${rounds}, of which the medians are given, of ${seconds} s each`,
    `${hardwareConcurrency} processors (${processor}), ${Deno.build.os}`,
    await availableProgram("wrk") ? "HTTP load by wrk" : "HTTP load by our own generator",
    await availableProgram("taskset") && hardwareConcurrency > 1
      ? "server and load pinned to one processor each"
      : "nothing pinned",
    await versions(),
  ].join("; ") + ".";
}

/** Gives the name of the processor by `cat`: Deno itself asks all permissions for `/proc`. */
async function processorName(): Promise<string> {
  const text = await programOutput("cat", "/proc/cpuinfo") ?? "";
  return /^model name\s*: (.+)$/m.exec(text)?.[1] ?? Deno.build.arch;
}

/** Writes the sections of a suite between its comments in the page, and its charts. */
async function write(name: string, text: string, sections: readonly Section[]): Promise<void> {
  const page = await Deno.readTextFile(PAGE);
  await Deno.writeTextFile(PAGE, replaceBetween(page, markerOf(name), text));
  await Deno.mkdir(new URL(`${IMAGES}/`, PAGE), { recursive: true });
  for (const chart of sections.flatMap(({ charts }) => charts)) {
    await Deno.writeTextFile(new URL(`${IMAGES}/${chart.file}`, PAGE), drawChart(chart));
  }
}

function markerOf(name: string): string {
  return `bench: ${name}`;
}

async function main(args: readonly string[]): Promise<void> {
  const all = await allSuites();
  const orders = ordersOf(args, all);
  if (orders === null) return await print(`${HELP}${namesOf(all)}.\n`);
  if (orders.write) { // a page that cannot take what comes is to be known before, not after
    const page = await Deno.readTextFile(PAGE);
    for (const { name } of orders.suites) replaceBetween(page, markerOf(name), "");
  }
  const began = performance.now();
  const log = async (line: string) => {
    const seconds = Math.round((performance.now() - began) / 1000);
    await print(`${String(seconds).padStart(5)} s  ${line}\n`);
  };
  const circumstances = await conditions(orders);
  await print(`${circumstances}\n`);
  let measured = false;
  for (const { name, run } of orders.suites) {
    const sections = await run({ ...orders, log: (line) => log(`${name}: ${line}`) });
    if (sections.length === 0) {
      await log(`${name}: none of the peers`);
      continue;
    }
    measured = true;
    const text = markdownReport(circumstances, sections, IMAGES);
    await print(`\n${text}\n`);
    if (orders.write) await write(name, text, sections);
  }
  if (!measured) throw new RangeError(`Cannot measure ${orders.peers}: no suite has such a peer`);
}

if (import.meta.main) await main(Deno.args);
