// WebSocket servers, each in a process of its own that is pinned to one processor while the load is
// on the other. What counts is the processor time of a message.
import { idleMemory } from "../_idle_memory.ts";
import { type Candidate, type MeasuredPeer, measuredPeers } from "../_peers.ts";
import type { Section } from "../_report.ts";
import {
  comparisonSections,
  type Sample,
  Samples,
  timed,
  WARM_UP_SECONDS,
  type Work,
} from "../_rounds.ts";
import { ServerProcess } from "../_server_process.ts";
import type { Suite, SuiteOptions } from "../_suite.ts";
import { openWebSocket } from "../_websocket_client.ts";
import { SocketClients, type SocketOrder } from "../_websocket_runner.ts";

/** The peer that the ratios refer to. */
const BASELINE = "Deno.upgradeWebSocket";

const CONNECTIONS = 64;
const DEPTH = 16;
const RECEIVERS = 5000;
const QUICK_RECEIVERS = 100;
const BROADCASTS = 20;

const SHORT_TEXT = "x".repeat(32);

/** Some 1 KiB of JSON, as an application sends it. */
const LONG_TEXT = JSON.stringify(
  Array.from({ length: 20 }, (_, id) => ({ id, user: `user ${id * 7}`, text: "How are you?" })),
);

/** What clients and a server do with each other. */
interface SocketWork extends Work {
  readonly deflate: boolean;
  readonly order: (options: SuiteOptions) => SocketOrder;
}

function echoWork(name: string, title: string, depth: number, deflate = false): SocketWork {
  const text = deflate ? LONG_TEXT : SHORT_TEXT;
  return {
    name,
    title,
    deflate,
    order: ({ seconds }) => ({
      work: "echo",
      connections: CONNECTIONS,
      text,
      depth,
      seconds,
      deflate,
    }),
  };
}

const WORKS: readonly SocketWork[] = [
  echoWork("echo", "echo of 32 bytes", 1),
  echoWork("batches", `echo of 32 bytes, ${DEPTH} at once`, DEPTH),
  echoWork("deflate", "echo of 1 KiB of JSON, deflated", 1, true),
  {
    name: "broadcast",
    title: `broadcast of 100 bytes to ${RECEIVERS}`,
    deflate: false,
    order: ({ quick }) => ({
      work: "broadcast",
      connections: quick ? QUICK_RECEIVERS : RECEIVERS,
      times: BROADCASTS,
      deflate: false,
    }),
  },
];

const IDLE: Work = { name: "idle", title: "idle WebSockets" };

const CANDIDATES: readonly Candidate[] = [
  { name: "Waterspout", file: "websocket_waterspout.ts", runtime: "deno" },
  { name: BASELINE, file: "websocket_deno.ts", runtime: "deno", lacks: ["deflate"] },
  { name: "ws on Node", file: "websocket_ws.mjs", runtime: "node with packages" },
  { name: "ws on Deno", file: "websocket_ws.mjs", runtime: "deno" },
  { name: "Tornado", file: "websocket_tornado.py", runtime: "tornado" },
];

async function measureWork(
  peer: MeasuredPeer,
  { deflate, order: orderOf }: SocketWork,
  options: SuiteOptions,
): Promise<Sample> {
  await using server = await ServerProcess.start(peer, deflate ? ["deflate"] : []);
  const order = orderOf(options);
  if (order.work === "echo") {
    if (!options.quick) {
      await SocketClients.echo(server.port, { ...order, seconds: WARM_UP_SECONDS });
    }
    return await timed(server, () => SocketClients.echo(server.port, order));
  }
  await using clients = await SocketClients.connect(server.port, order);
  await clients.broadcast();
  return await timed(server, () => clients.broadcast());
}

async function measureIdle(peer: MeasuredPeer, quick: boolean): Promise<Sample> {
  await using server = await ServerProcess.start(peer);
  const bytes = await idleMemory(server, (port) => openWebSocket(port), quick);
  return { cost: bytes === null ? null : bytes / 1024, rate: null };
}

async function run(options: SuiteOptions): Promise<Section[]> {
  const peers = await measuredPeers(CANDIDATES, options);
  if (peers.length === 0) return [];
  const samples = await Samples.take(
    peers,
    WORKS,
    options,
    (peer, work) => measureWork(peer, work, options),
  );
  const idle = await Samples.take(
    peers,
    [IDLE],
    options,
    (peer) => measureIdle(peer, options.quick),
  );
  return comparisonSections({
    suite: "websocket",
    heading: "WebSocket server",
    unit: "message",
    baseline: BASELINE,
    drawn: WORKS.map(({ name }) => name),
    samples,
    idle,
    idleText: "a connection on which nothing was sent yet",
  });
}

/** WebSocket servers. */
export const suite: Suite = { name: "websocket", run };
