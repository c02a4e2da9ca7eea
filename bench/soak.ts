// A server under mixed load for long, with all that clients do to it: does its memory level off, is
// all closed that was opened? Prints what it sees, and ends with 1 when something is wrong.
import { parseArgs } from "node:util";
import { drawChart } from "./_chart.ts";
import { DENO } from "./_deno_command.ts";
import { LOAD_CPU, pinned } from "./_pinning.ts";
import { ServerProcess } from "./_server_process.ts";
import type { SoakCounts, SoakStatus } from "./_soak_status.ts";
import { faultsOf, megabytes, type SoakSample, trendOf } from "./_soak_verdict.ts";

const HELP = `Loads a server for long with all that clients do, and watches what it holds.

Usage: deno task soak [options]

  --minutes <number>     how long (30); may be a fraction
  --intensity <number>   how many clients: 1 is some 50 (2)
  --interval <seconds>   how often it looks (10)
  --write                write a chart to docs/images/bench-soak.svg
  --help                 print this
`;

const IMAGE = new URL("../docs/images/bench-soak.svg", import.meta.url);

/** How long connections get to end when the load has ended: longer than any time of the server. */
const SETTLE_MS = 30_000;
const LOOK_AGAIN_MS = 500;

/** The process of the clients. */
class LoadProcess implements AsyncDisposable {
  /** What it told last. */
  counts: SoakCounts = { requests: 0, expected: 0, unexpected: 0 };
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  #ended = false;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#read = this.#readCounts();
  }

  static async start(port: number, intensity: number): Promise<LoadProcess> {
    const [program, ...args] = await pinned(LOAD_CPU, [
      ...DENO,
      new URL("_soak_load.ts", import.meta.url).pathname,
      `--port=${port}`,
      `--intensity=${intensity}`,
    ]);
    const command = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" });
    return new LoadProcess(command.spawn());
  }

  /** Waits until all clients have left, and what they did is known. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#child.stdin.close();
    await this.#read;
    const { success } = await this.#child.status;
    if (!success) throw new Error("Cannot judge: the load failed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #readCounts(): Promise<void> {
    let text = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + part).split("\n");
      text = lines.pop()!; // not whole yet
      const last = lines.at(-1);
      if (last !== undefined) this.counts = JSON.parse(last) as SoakCounts;
    }
  }
}

async function statusOf(port: number): Promise<SoakStatus> {
  const headers = { connection: "close" }; // a file less to count
  const response = await fetch(`http://127.0.0.1:${port}/status`, { headers });
  return await response.json() as SoakStatus;
}

/** Counts the open files of a process by `ls`: Deno itself asks all permissions for it. */
async function openFiles(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ls", { args: [`/proc/${pid}/fd`] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").length;
}

/** What stays is read from a server at rest: the connection that asks is one. */
function leftOf({ connections, webSockets, coroutines }: SoakStatus): number {
  return connections - 1 + webSockets + coroutines;
}

async function print(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const COLUMNS = [
  "seconds",
  "requests",
  "expected errors",
  "unexpected",
  "logged",
  "resident MB",
  "live MB",
  "files",
  "connections",
  "WebSockets",
  "coroutines",
];

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell, at) => `${cell}`.padStart(COLUMNS[at]!.length)).join("  ");
}

/** How a soak is to be done. */
interface Orders {
  readonly minutes: number;
  readonly intensity: number;
  readonly interval: number; // seconds
}

/** Looks at the server while the load goes on. */
async function watch(
  server: ServerProcess,
  load: LoadProcess,
  { minutes, interval }: Orders,
): Promise<SoakSample[]> {
  const samples: SoakSample[] = [];
  const began = performance.now();
  for (let next = interval; next <= minutes * 60; next += interval) {
    await pause(began + next * 1000 - performance.now());
    const status = await statusOf(server.port);
    const { resident, live, connections, webSockets, coroutines, errors } = status;
    const at = (performance.now() - began) / 1000;
    samples.push({ at, resident, live });
    const { requests, expected, unexpected } = load.counts;
    const files = await openFiles(status.pid);
    const memory = [resident, live].map(megabytes);
    const held = [files, connections, webSockets, coroutines];
    await print(row([at.toFixed(0), requests, expected, unexpected, errors, ...memory, ...held]));
  }
  return samples;
}

/** Waits until all connections have ended, but not for ever. */
async function settle(port: number, filesBefore: number): Promise<[SoakStatus, number]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const status = await statusOf(port);
    const files = await openFiles(status.pid);
    const settled = leftOf(status) === 0 && files <= filesBefore;
    if (settled || performance.now() > deadline) return [status, files];
    await pause(LOOK_AGAIN_MS);
  }
}

function chartOf(samples: readonly SoakSample[]): string {
  const series = (name: string, figure: "resident" | "live") => ({
    name,
    points: samples.map((sample): [number, number] => [
      sample.at / 60,
      sample[figure] / 1024 / 1024,
    ]),
  });
  return drawChart({
    file: "bench-soak.svg",
    title: "Memory under mixed load, by minutes",
    unit: "MB",
    kind: "lines",
    series: [series("resident", "resident"), series("live objects", "live")],
  });
}

/** Soaks a server and gives what is wrong with it. */
async function soak(orders: Orders, write: boolean): Promise<string[]> {
  const command = [...DENO, "--v8-flags=--expose-gc"];
  await using server = await ServerProcess.start({
    name: "the server",
    file: "soak.ts",
    command,
  });
  const { pid } = await statusOf(server.port);
  const before = await openFiles(pid);
  await using load = await LoadProcess.start(server.port, orders.intensity);
  await print(row(COLUMNS));
  const samples = await watch(server, load, orders);
  await load.end();
  const [status, after] = await settle(server.port, before);
  for (const figure of ["resident", "live"] as const) {
    const { slope, rise, allowed } = trendOf(samples, figure);
    await print(
      `${figure} memory, second half: ${megabytes(slope)} MB in an hour by the line that fits ` +
        `best, which rises ${megabytes(rise)} MB (allowed: ${megabytes(allowed)})`,
    );
  }
  const { requests, expected, unexpected } = load.counts;
  await print(`${requests} requests, ${expected} expected errors, ${unexpected} unexpected`);
  await print(
    `open files: ${before} before, ${after} after; at the end live ${megabytes(status.live)} MB`,
  );
  if (write) {
    await Deno.mkdir(new URL(".", IMAGE), { recursive: true });
    await Deno.writeTextFile(IMAGE, chartOf(samples));
  }
  const { errors } = status;
  return faultsOf({ samples, unexpected, errors, files: { before, after }, left: leftOf(status) });
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && value < Infinity) return value;
  throw new RangeError(`Cannot soak with --${name}=${text}: expected a number above 0`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      minutes: { type: "string", default: "30" },
      intensity: { type: "string", default: "2" },
      interval: { type: "string", default: "10" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return await print(HELP);
  const orders: Orders = {
    minutes: positive("minutes", values.minutes),
    intensity: positive("intensity", values.intensity),
    interval: positive("interval", values.interval),
  };
  if (orders.minutes * 60 < 4 * orders.interval) {
    throw new RangeError("Cannot soak: the time must be four intervals at least");
  }
  const faults = await soak(orders, values.write);
  await print(faults.length === 0 ? "PASSED" : `FAILED: ${faults.join("; ")}`);
  if (faults.length > 0) Deno.exitCode = 1;
}

if (import.meta.main) await main();
