// Our WebSocket server beside its peers, each in a process of its own that is pinned to one
// processor while the load is on the other. What counts is the processor time of a message;
// rounds alternate between the peers, so that what disturbs, disturbs all.
//
//   deno run -P=bench bench/websocket_bench.ts --rounds 5 --seconds 3 --only "Waterspout,Deno"
import { parseArgs } from "node:util";
import { LOAD_CPU, pinned } from "./_pinning.ts";
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
const BASELINE = "Deno";

const PEERS: readonly Peer[] = [
  { name: BASELINE, file: "websocket_deno.ts", command: deno },
  { name: "Waterspout", file: "websocket_waterspout.ts", command: deno },
  { name: "ws, on Deno", file: "websocket_ws.mjs", command: deno },
];

const CONNECTIONS = 64;
const DEPTH = 16;
const RECEIVERS = 5000;
const BROADCASTS = 20;
const IDLE_CONNECTIONS = 3000;

/** Opened before memory is looked at. */
const WARM_CONNECTIONS = 500;

/** How long the compiler gets to see the code before anything is measured. */
const WARM_UP_SECONDS = 1;

/** How long a server gets to put away what an idle connection does not need. */
const SETTLE_MILLISECONDS = 1500;

/** All that was measured of one peer: microseconds, and bytes. */
class Results {
  /** One message at a time on each connection. */
  readonly single: (number | null)[] = [];
  /** Messages that are sent in batches. */
  readonly batches: (number | null)[] = [];
  /** A message that goes to many, for each of these. */
  readonly broadcast: (number | null)[] = [];
  /** Resident memory that an idle connection costs. */
  readonly idle: (number | null)[] = [];
}

function loadCommand(port: number, options: Readonly<Record<string, number | string>>): string[] {
  const file = new URL("websocket_load.ts", import.meta.url).pathname;
  const flags = Object.entries({ port, ...options }).map(([name, value]) => `--${name}=${value}`);
  return [Deno.execPath(), "run", "--allow-net=127.0.0.1", "--allow-env", file, ...flags];
}

/** Clients that wait for orders. */
class Clients implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#orders = child.stdin.getWriter();
  }

  static async connect(port: number, connections: number): Promise<Clients> {
    const options = { work: "broadcast", connections, rounds: BROADCASTS };
    const [program, ...args] = await pinned(LOAD_CPU, loadCommand(port, options));
    const clients = new Clients(
      new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" }).spawn(),
    );
    await clients.#answer();
    return clients;
  }

  /** Has them broadcast, and returns how many messages came in all. */
  async broadcast(): Promise<number> {
    await this.#orders.write(Uint8Array.of(10));
    return (await this.#answer() as { messages: number }).messages;
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.read();
    if (done) throw new Error("Cannot measure: the clients ended");
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close();
    while (!(await this.#lines.read()).done);
    await this.#child.status;
  }
}

async function runEcho(port: number, depth: number, seconds: number): Promise<number> {
  const options = { work: "echo", connections: CONNECTIONS, depth, seconds };
  const [program, ...args] = await pinned(LOAD_CPU, loadCommand(port, options));
  const command = new Deno.Command(program!, { args, stderr: "inherit" });
  const { success, stdout } = await command.output();
  if (!success) throw new Error("Cannot measure: the load failed");
  return (JSON.parse(new TextDecoder().decode(stdout)) as { messages: number }).messages;
}

/** Gives the processor time of the server for each of the messages that `work` returns. */
async function timePerMessage(
  server: ServerProcess,
  work: () => Promise<number>,
): Promise<number | null> {
  const before = await server.cpuTime();
  const messages = await work();
  const after = await server.cpuTime();
  return before === null || after === null ? null : (after - before) / messages;
}

async function measureEcho(peer: Peer, depth: number, seconds: number): Promise<number | null> {
  await using server = await ServerProcess.start(peer);
  await runEcho(server.port, depth, WARM_UP_SECONDS);
  return await timePerMessage(server, () => runEcho(server.port, depth, seconds));
}

async function measureBroadcast(peer: Peer): Promise<number | null> {
  await using server = await ServerProcess.start(peer);
  await using clients = await Clients.connect(server.port, RECEIVERS);
  await clients.broadcast();
  return await timePerMessage(server, () => clients.broadcast());
}

async function measureIdle(peer: Peer): Promise<number | null> {
  await using server = await ServerProcess.start(peer);
  await runEcho(server.port, DEPTH, WARM_UP_SECONDS); // its heap has the size that work needs
  const settled = async () => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS));
    return await server.residentMemory();
  };
  await using _warm = await Clients.connect(server.port, WARM_CONNECTIONS);
  const before = await settled();
  await using _idle = await Clients.connect(server.port, IDLE_CONNECTIONS);
  const after = await settled();
  return before === null || after === null ? null : (after - before) / IDLE_CONNECTIONS;
}

/** Gives the value in the middle; `null` when there is none. */
function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  return known[known.length >> 1] ?? null;
}

function cell(value: number | null, digits: number): string {
  return value === null ? "-" : value.toFixed(digits);
}

/** Gives the Markdown table: medians, and ratios to the baseline. */
function table(results: ReadonlyMap<string, Results>): string {
  const baseline = results.get(BASELINE);
  const withRatio = (values: (number | null)[], reference: (number | null)[] = []) => {
    const [value, base] = [median(values), median(reference)];
    return [cell(value, 2), cell(value === null || base === null ? null : value / base, 2)];
  };
  const lines = [...results].map(([name, { single, batches, broadcast, idle }]) => {
    const bytes = median(idle);
    return [
      name,
      ...withRatio(single, baseline?.single),
      ...withRatio(batches, baseline?.batches),
      ...withRatio(broadcast, baseline?.broadcast),
      cell(bytes === null ? null : bytes / 1024, 1),
    ];
  });
  const header = [
    "server",
    "us/message",
    "ratio",
    `us/message, ${DEPTH} at once`,
    "ratio",
    `us/message to ${RECEIVERS}`,
    "ratio",
    "KB/idle connection",
  ];
  return [header, header.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(text));
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
  const wanted = values.only?.split(",");
  const peers = PEERS.filter(({ name }) => wanted?.includes(name) ?? true);
  const seconds = Number(values.seconds);
  const rounds = Number(values.rounds);
  const results = new Map(peers.map(({ name }) => [name, new Results()]));
  for (let round = 1; round <= rounds; round++) {
    await print(`round ${round} of ${rounds}\n`);
    for (const peer of peers) {
      const { single, batches, broadcast, idle } = results.get(peer.name)!;
      single.push(await measureEcho(peer, 1, seconds));
      batches.push(await measureEcho(peer, DEPTH, seconds));
      broadcast.push(await measureBroadcast(peer));
      idle.push(await measureIdle(peer));
    }
  }
  await print(`\n${table(results)}`);
}

if (import.meta.main) await main();
