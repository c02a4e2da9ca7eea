// Our server beside its peers, each in a process of its own that is pinned to one
// processor while the load is on the other. What counts is the processor time of a
// request, which other work on the machine disturbs less than requests per second;
// rounds alternate between the peers, so that what disturbs, disturbs all.
//
//   deno task bench --rounds 5 --seconds 3 --only "Waterspout,Deno.serve"
import { parseArgs } from "node:util";
import { type Load, runLoad } from "./_load_runner.ts";
import { availableProgram } from "./_programs.ts";
import { ResponseCounter } from "./_response_counter.ts";
import { type Peer, ServerProcess } from "./_server_process.ts";

const deno = [
  Deno.execPath(),
  "run",
  "--no-prompt",
  "--allow-net=127.0.0.1",
  "--allow-env",
  "--allow-read",
];

/** The peer that the ratios refer to. */
const BASELINE = "Deno.serve";

async function allPeers(): Promise<Peer[]> {
  const node = await availableProgram("node") ? ["node"] : deno;
  return [
    { name: BASELINE, file: "deno_serve.ts", command: deno },
    { name: "Waterspout", file: "waterspout.ts", command: deno },
    { name: "raw Deno.Conn", file: "raw_conn.ts", command: deno },
    { name: "node:http", file: "node_http.mjs", command: node },
  ];
}

const CONNECTIONS = 64;
const PIPELINE_DEPTH = 16;
const IDLE_CONNECTIONS = 3000;

/** Opened before memory is looked at: the heap has its working size by then. */
const WARM_CONNECTIONS = 500;

/** Connections that are opened at the same time, below any listen backlog. */
const CONNECT_BATCH = 100;

/** How long the compiler gets to see the code before anything is measured. */
const WARM_UP_SECONDS = 1;

/** How long a server gets to put away what an idle connection does not need. */
const SETTLE_MILLISECONDS = 1500;

/** What one measurement gave; `null` where the system does not tell. */
interface Sample {
  /** Answers in a second. */
  readonly rate: number;
  /** Processor time of the server, in microseconds for one request. */
  readonly cpu: number | null;
}

/** All that was measured of one peer. */
class Results {
  /** One request at a time on each connection. */
  readonly single: Sample[] = [];
  /** Requests that are sent in batches. */
  readonly pipelined: Sample[] = [];
  /** Bytes of resident memory that an idle connection costs. */
  readonly idle: (number | null)[] = [];
}

async function measureLoad(peer: Peer, load: Load): Promise<Sample> {
  await using server = await ServerProcess.start(peer);
  await runLoad(server.port, { ...load, seconds: WARM_UP_SECONDS });
  const before = await server.cpuTime();
  const { requests, rate } = await runLoad(server.port, load);
  const after = await server.cpuTime();
  return {
    rate,
    cpu: before === null || after === null ? null : (after - before) / requests,
  };
}

async function measureIdle(peer: Peer): Promise<number | null> {
  await using server = await ServerProcess.start(peer);
  const conns: Deno.Conn[] = [];
  const residentMemoryWith = async (count: number) => {
    while (conns.length < count) conns.push(...await openIdle(server.port, CONNECT_BATCH));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS));
    return await server.residentMemory();
  };
  const before = await residentMemoryWith(WARM_CONNECTIONS);
  const after = await residentMemoryWith(WARM_CONNECTIONS + IDLE_CONNECTIONS);
  for (const conn of conns) conn.close();
  return before === null || after === null ? null : (after - before) / IDLE_CONNECTIONS;
}

/** Opens connections, with one request answered on each. */
function openIdle(port: number, count: number): Promise<Deno.Conn[]> {
  const request = new TextEncoder().encode(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
  );
  async function open(): Promise<Deno.Conn> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(request);
    const counter = new ResponseCounter();
    const buffer = new Uint8Array(1024);
    while (counter.count === 0) {
      const read = await conn.read(buffer);
      if (read === null) throw new Error("Cannot go on: the server closed");
      counter.push(buffer.subarray(0, read));
    }
    return conn;
  }
  return Promise.all(Array.from({ length: count }, open));
}

/** Gives the value in the middle; `null` when there is none. */
function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
    .sort((a, b) => a - b);
  const middle = known.length >> 1;
  const upper = known[middle];
  if (upper === undefined) return null;
  return known.length % 2 === 1 ? upper : (upper + known[middle - 1]!) / 2;
}

function cell(value: number | null, digits: number): string {
  return value === null ? "-" : value.toFixed(digits);
}

/** Gives the Markdown table: medians, and ratios to the baseline. */
function table(results: ReadonlyMap<string, Results>): string {
  const baseline = results.get(BASELINE);
  function columns(samples: Sample[], reference: Sample[] = []): string[] {
    const cpu = median(samples.map((sample) => sample.cpu));
    const rate = median(samples.map((sample) => sample.rate));
    const base = median(reference.map((sample) => sample.cpu));
    const ratio = cpu === null || base === null ? null : cpu / base;
    return [cell(cpu, 2), cell(ratio, 2), cell(rate, 0)];
  }
  const lines = [...results].map(([name, { single, pipelined, idle }]) => {
    const bytes = median(idle);
    return [
      name,
      ...columns(single, baseline?.single),
      ...columns(pipelined, baseline?.pipelined),
      cell(bytes === null ? null : bytes / 1024, 1),
    ];
  });
  const titles = ["us/request", "ratio", "requests/s"];
  const header = [
    "server",
    ...titles,
    ...titles.map((title) => `${title}, ${PIPELINE_DEPTH} at once`),
    "KB/idle connection",
  ];
  return [header, header.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(text));
}

/** Gives the peers whose names stand in `only`, separated by commas, or all. */
async function selectedPeers(only?: string): Promise<Peer[]> {
  const peers = await allPeers();
  return only === undefined ? peers : only.split(",").map((wanted) => {
    const peer = peers.find(({ name }) => name === wanted);
    if (peer) return peer;
    const names = peers.map(({ name }) => name).join();
    throw new RangeError(`Cannot measure "${wanted}": peers are ${names}`);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "2" },
      only: { type: "string" },
    },
  });
  const seconds = Number(values.seconds);
  const rounds = Number(values.rounds);
  const peers = await selectedPeers(values.only);
  const results = new Map(peers.map(({ name }) => [name, new Results()]));
  if (Deno.build.os !== "linux") {
    await print("Processor time and memory are read from /proc: not here.\n\n");
  }
  for (let round = 1; round <= rounds; round++) {
    await print(`round ${round} of ${rounds}\n`);
    for (const peer of peers) {
      const { single, pipelined, idle } = results.get(peer.name)!;
      const load = { connections: CONNECTIONS, depth: 1, seconds };
      single.push(await measureLoad(peer, load));
      pipelined.push(
        await measureLoad(peer, { ...load, depth: PIPELINE_DEPTH }),
      );
      idle.push(await measureIdle(peer));
    }
  }
  await print(`\n${table(results)}`);
}

if (import.meta.main) await main();
