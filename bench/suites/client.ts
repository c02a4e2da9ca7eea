// HTTP clients: 10,000 requests for a small answer of nginx, through 64 pooled connections. Each
// round is a process of its own, pinned to one processor while the server has the other. What counts
// is the processor time of the client for a request.
import { DENO } from "../_deno_command.ts";
import { Nginx } from "../_nginx.ts";
import { LOAD_CPU, pinned } from "../_pinning.ts";
import { availableProgram } from "../_programs.ts";
import type { Section } from "../_report.ts";
import { type Sample, Samples, type Subject, type Work } from "../_rounds.ts";
import { ServerProcess } from "../_server_process.ts";
import type { Suite, SuiteOptions } from "../_suite.ts";

/** The client that the ratios refer to. */
const BASELINE = "Deno fetch";

const CLIENTS: readonly Subject[] = ["Waterspout", BASELINE, "undici"]
  .map((name) => ({ name, lacks: [] }));

const GET: Work = { name: "get", title: "plain GET" };
const REQUESTS = 10_000;
const QUICK_REQUESTS = 200;

/** A server that is as quick as can be, whatever the client. */
async function startServer(): Promise<AsyncDisposable & { readonly port: number }> {
  if (await availableProgram("nginx")) return await Nginx.start();
  return await ServerProcess.start({ name: BASELINE, file: "raw_conn.ts", command: DENO });
}

/** Runs one round in a process of its own. */
async function measure({ name }: Subject, port: number, requests: number): Promise<Sample> {
  const file = new URL("../client_load.ts", import.meta.url).pathname;
  const [program, ...args] = await pinned(LOAD_CPU, [
    ...DENO,
    file,
    name,
    `http://127.0.0.1:${port}/`,
    String(requests),
  ]);
  const { success, stdout, stderr } = await new Deno.Command(program!, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot measure ${name}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout)) as Sample;
}

async function run(options: SuiteOptions): Promise<Section[]> {
  const { peers, quick } = options;
  const clients = CLIENTS.filter(({ name }) => peers?.includes(name) ?? true);
  if (clients.length === 0) return [];
  const requests = quick ? QUICK_REQUESTS : REQUESTS;
  await using server = await startServer();
  const samples = await Samples.take(
    clients,
    [GET],
    options,
    (client) => measure(client, server.port, requests),
  );
  return [
    {
      title: "Processor time",
      text:
        `Microseconds of processor time of the client for one of ${requests} requests, over 64 ` +
        `connections that are kept. ${samples.spreads()}`,
      table: samples.costs(1),
      charts: samples.charts(
        { suite: "client", heading: "HTTP client" },
        ["get"],
        "us of processor time per request",
      ),
    },
    ...samples.ratioSections(BASELINE),
    { title: "Requests per second", text: "", table: samples.rates(), charts: [] },
  ];
}

/** HTTP clients. */
export const suite: Suite = { name: "client", run };
