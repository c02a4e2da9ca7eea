// HTTP servers, each in a process of its own that is pinned to one processor while the load is on
// the other. What counts is the processor time of a request, which other work on the machine
// disturbs less than requests per second.
import { idleMemory } from "../_idle_memory.ts";
import { PATIENCE_MILLISECONDS, runLoad } from "../_load_runner.ts";
import { type Candidate, type MeasuredPeer, measuredPeers } from "../_peers.ts";
import type { Section } from "../_report.ts";
import { ResponseCounter } from "../_response_counter.ts";
import {
  comparisonSections,
  type Sample,
  Samples,
  timed,
  WARM_UP_SECONDS,
  type Work,
} from "../_rounds.ts";
import { type Scenario, SCENARIOS } from "../_scenarios.ts";
import { ServerFiles } from "../_server_files.ts";
import { ServerProcess } from "../_server_process.ts";
import type { Suite, SuiteOptions } from "../_suite.ts";

/** The peer that the ratios refer to. */
const BASELINE = "Deno.serve";

const IDLE: Work = { name: "idle", title: "idle connections" };

const ONLY_PLAIN = SCENARIOS.map(({ name }) => name)
  .filter((name) => name !== "plain" && name !== "pipelined");

const CANDIDATES: readonly Candidate[] = [
  { name: "Waterspout", file: "waterspout.ts", runtime: "deno" },
  { name: BASELINE, file: "deno_serve.ts", runtime: "deno" },
  { name: "Hono", file: "hono.ts", runtime: "deno" },
  { name: "node:http", file: "node_http.mjs", runtime: "node" },
  { name: "Fastify", file: "fastify.mjs", runtime: "node with packages" },
  { name: "Express", file: "express.mjs", runtime: "node with packages" },
  { name: "Tornado", file: "tornado_server.py", runtime: "tornado" },
  { name: "raw Deno.Conn", file: "raw_conn.ts", runtime: "deno", lacks: ONLY_PLAIN },
];

/** The works that are drawn, besides idle connections. */
const DRAWN = ["plain", "pipelined", "routed", "page"];

/**
 * Asks once, with the last of the paths.
 *
 * @throws {Error} when the answer is not the right one: nobody is to win by answering an error.
 */
async function check(
  peer: MeasuredPeer,
  { port }: ServerProcess,
  { mode, load, answer, title }: Scenario,
  { ca }: ServerFiles,
): Promise<void> {
  const { method, paths, headers, body } = load.request;
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(ca)] });
  const scheme = mode === "tls" ? "https" : "http";
  const response = await fetch(`${scheme}://127.0.0.1:${port}${paths.at(-1)}`, {
    client,
    signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
    method,
    headers,
    ...(body === "" ? {} : { body }),
  });
  const text = (await response.text()).replaceAll(": ", ":"); // Python puts blanks in JSON
  if (response.status !== 200 || text.replaceAll(", ", ",") !== answer.replaceAll(", ", ",")) {
    throw new Error(
      `Cannot measure "${title}" of ${peer.name}: expected 200 and ${answer.slice(0, 80)}, ` +
        `got ${response.status} and ${text.slice(0, 200)}`,
    );
  }
}

async function measureScenario(
  peer: MeasuredPeer,
  scenario: Scenario,
  files: ServerFiles,
  { seconds, quick }: SuiteOptions,
): Promise<Sample> {
  const { mode } = scenario;
  await using server = await ServerProcess.start(peer, [mode, files.folder], {
    pin: mode !== "group",
  });
  await check(peer, server, scenario, files);
  const load = { ...scenario.load, seconds, ...(mode === "tls" ? { ca: files.ca } : {}) };
  if (!quick) await runLoad(server.port, { ...load, seconds: WARM_UP_SECONDS });
  return await timed(server, async () => {
    const { requests, rate } = await runLoad(server.port, load);
    return { count: requests, rate };
  });
}

/** Opens a connection on which one request was answered. */
async function openIdle(port: number): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(
    new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`),
  );
  const counter = new ResponseCounter();
  const buffer = new Uint8Array(1024);
  while (counter.count === 0) {
    const read = await conn.read(buffer);
    if (read === null) throw new Error("Cannot go on: the server closed");
    counter.push(buffer.subarray(0, read));
  }
  return conn;
}

async function measureIdle(
  peer: MeasuredPeer,
  { folder }: ServerFiles,
  quick: boolean,
): Promise<Sample> {
  await using server = await ServerProcess.start(peer, ["plain", folder]);
  const bytes = await idleMemory(server, openIdle, quick);
  return { cost: bytes === null ? null : bytes / 1024, rate: null };
}

async function run(options: SuiteOptions): Promise<Section[]> {
  const peers = await measuredPeers(CANDIDATES, options);
  if (peers.length === 0) return [];
  await using files = await ServerFiles.create();
  const samples = await Samples.take(
    peers,
    SCENARIOS,
    options,
    (peer, scenario) => measureScenario(peer, scenario, files, options),
  );
  const idle = await Samples.take(
    peers,
    [IDLE],
    options,
    (peer) => measureIdle(peer, files, options.quick),
  );
  return comparisonSections({
    suite: "http",
    heading: "HTTP server",
    unit: "request",
    baseline: BASELINE,
    drawn: DRAWN,
    samples,
    idle,
    idleText: "a connection that had one request",
  });
}

/** HTTP servers. */
export const suite: Suite = { name: "http", run };
