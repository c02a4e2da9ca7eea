// What each thing costs that protects a server or its user: a server with it beside the same one
// without. Both run at the same time on one processor and are loaded in turns, a slice each, so
// that what disturbs, disturbs both.
import { constants, deflateRawSync } from "node:zlib";
import { DENO } from "../_deno_command.ts";
import { fixed, median } from "../_figures.ts";
import type { Pace } from "../_paced_load.ts";
import { warmUpOf } from "../_paced_load_cost.ts";
import { type PacedLoadOptions, PacedLoadProcess, plainGet } from "../_paced_load_runner.ts";
import type { Section } from "../_report.ts";
import { type Peer, ServerProcess } from "../_server_process.ts";
import type { Suite, SuiteOptions } from "../_suite.ts";

const CONNECTIONS = 64;
const BODY_SIZE = 1024;

/** Times that each of the two is loaded in a round. */
const SLICES = 4;

type Load = Omit<PacedLoadOptions, "connections">;

/** Something that protects, and how to tell what it costs. */
interface Feature {
  readonly name: string;
  readonly byDefault: "on" | "off";
  /** Variants of `servers/safety.ts`. */
  readonly without: string;
  readonly with: string;
  /** Gives what is sent to both, given a port of the server with it. */
  readonly load: (port: number) => Load | Promise<Load>;
}

const get = () => ({});
const post = () => ({ head: postHead([]), bodySize: BODY_SIZE });

const FEATURES: readonly Feature[] = [
  {
    name: "times for a head, for idling, for writing",
    byDefault: "on",
    without: "untimed",
    with: "defaults",
    load: get,
  },
  {
    name: "limits of head and body",
    byDefault: "on",
    without: "unlimited",
    with: "defaults",
    load: get,
  },
  {
    name: "the same, POST of 1 KiB",
    byDefault: "on",
    without: "unlimited",
    with: "defaults",
    load: post,
  },
  {
    name: "time for a body, POST of 1 KiB",
    byDefault: "off",
    without: "defaults",
    with: "bodyTimeout",
    load: post,
  },
  {
    name: "time for a handler",
    byDefault: "off",
    without: "defaults",
    with: "handlerTimeout",
    load: get,
  },
  { name: "entity tag", byDefault: "on", without: "untagged", with: "defaults", load: get },
  {
    name: "all that is on by default",
    byDefault: "on",
    without: "bare",
    with: "defaults",
    load: get,
  },
  {
    name: "coroutine is cancelled when its client leaves",
    byDefault: "on",
    without: "uncancelled",
    with: "waiting",
    load: get,
  },
  {
    name: "access log, lines thrown away",
    byDefault: "off",
    without: "defaults",
    with: "logged",
    load: get,
  },
  {
    name: "access log to a file that is rotated",
    byDefault: "off",
    without: "defaults",
    with: "loggedToFile",
    load: get,
  },
  { name: "tracer", byDefault: "off", without: "defaults", with: "traced", load: get },
  {
    name: "watch for slow callbacks",
    byDefault: "off",
    without: "defaults",
    with: "watched",
    load: get,
  },
  {
    name: "XSRF token of a POST is checked",
    byDefault: "off",
    without: "form",
    with: "xsrf",
    load: formPost,
  },
  {
    name: "cookie is signed",
    byDefault: "off",
    without: "plainCookie",
    with: "signedCookie",
    load: withCookie,
  },
  {
    name: "WebSocket echo: pings every 30 s",
    byDefault: "on",
    without: "unpinged",
    with: "echo",
    load: () => echo(false),
  },
  {
    name: "WebSocket echo: limits of messages",
    byDefault: "on",
    without: "unlimitedEcho",
    with: "echo",
    load: () => echo(false),
  },
  {
    name: "WebSocket echo, deflated: limits of messages",
    byDefault: "on",
    without: "unlimitedDeflatedEcho",
    with: "deflatedEcho",
    load: () => echo(true),
  },
];

/** What nothing turns off, so that there is nothing to compare it with. */
const ALWAYS = [
  "strict parsing of requests",
  "fields and cookies without line ends",
  "UTF-8 of WebSocket texts",
  "masks of WebSocket frames",
];

function postHead(fields: readonly string[]): string {
  const head = ["POST / HTTP/1.1", "Host: 127.0.0.1", `Content-Length: ${BODY_SIZE}`];
  return [...head, ...fields, "", ""].join("\r\n");
}

/** Asks the server for its answer, and for the cookie that it sets. */
async function ask(port: number): Promise<{ readonly text: string; readonly cookie: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  const [cookie] = response.headers.getSetCookie();
  const text = await response.text();
  if (cookie === undefined) throw new Error("Cannot measure: the server set no cookie");
  return { text, cookie: cookie.slice(0, cookie.indexOf(";")) };
}

async function formPost(port: number): Promise<Load> {
  const { text, cookie } = await ask(port);
  return { head: postHead([`Cookie: ${cookie}`, `X-Xsrftoken: ${text}`]), bodySize: BODY_SIZE };
}

async function withCookie(port: number): Promise<Load> {
  const { cookie } = await ask(port);
  return { head: plainGet("/", [`Cookie: ${cookie}`]) };
}

/** A message to a WebSocket, of 32 bytes, or of 1 KiB that are deflated. */
function echo(deflate: boolean): Load {
  const extension = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const hello = plainGet("/", [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...(deflate ? [`Sec-WebSocket-Extensions: ${extension}`] : []),
  ]);
  return { hello, head: deflate ? frame(0xc1, deflated("x".repeat(1024))) : frame(0x81, ECHO) };
}

const ECHO = new TextEncoder().encode("x".repeat(32));

function deflated(text: string): Uint8Array {
  const bytes = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, -4); // RFC 7692 7.2.1: less the tail of the flush
}

/** Gives a masked frame with a payload of at most 125 bytes, a character for each byte. */
function frame(first: number, payload: Uint8Array): string {
  const mask = [0x37, 0xfa, 0x21, 0x3d];
  const masked = payload.map((byte, at) => byte ^ mask[at % 4]!);
  return String.fromCharCode(first, 0x80 | payload.length, ...mask, ...masked);
}

/** A server with its load. */
class Side implements AsyncDisposable {
  #requests = 0;
  #before: number | null = null;

  private constructor(readonly server: ServerProcess, readonly load: PacedLoadProcess) {}

  static async start(server: ServerProcess, options: Load): Promise<Side> {
    const load = await PacedLoadProcess.connect(server.port, {
      connections: CONNECTIONS,
      ...options,
    });
    return new Side(server, load);
  }

  async warmUp(pace: Pace): Promise<void> {
    await this.load.run(pace);
    this.#before = await this.server.cpuTime();
  }

  async slice(seconds: number): Promise<void> {
    const { requests } = await this.load.run({ rate: null, seconds });
    this.#requests += requests;
  }

  /** Gives the processor time of a request since the warm-up, in microseconds. */
  async cost(): Promise<number | null> {
    const after = await this.server.cpuTime();
    return after === null || this.#before === null ? null : (after - this.#before) / this.#requests;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load[Symbol.asyncDispose]();
  }
}

/** What the two cost in one round, in microseconds for a request. */
interface Costs {
  readonly without: number | null;
  readonly with: number | null;
}

async function measure(
  feature: Feature,
  round: number,
  folder: string,
  options: SuiteOptions,
): Promise<Costs> {
  const peer: Peer = {
    name: feature.name,
    file: "safety.ts",
    command: [...DENO, `--allow-write=${folder}`],
  };
  await using withIt = await ServerProcess.start(peer, [feature.with, folder]);
  await using withoutIt = await ServerProcess.start(peer, [feature.without, folder]);
  const load = await feature.load(withIt.port);
  await using own = await Side.start(withIt, load);
  await using other = await Side.start(withoutIt, load);
  // Whether it matters who comes first is not known, so they take turns.
  const sides = round % 2 === 1 ? [own, other] : [other, own];
  for (const side of sides) await side.warmUp(warmUpOf(options));
  for (let slice = 0; slice < SLICES; slice++) {
    for (const side of sides) await side.slice(options.seconds / SLICES);
  }
  return { with: await own.cost(), without: await other.cost() };
}

function difference({ with: own, without }: Costs): number | null {
  return own === null || without === null ? null : own - without;
}

async function run(options: SuiteOptions): Promise<readonly Section[]> {
  if (!PacedLoadProcess.available() || options.peers?.includes("Waterspout") === false) return [];
  const folder = await Deno.makeTempDir();
  try {
    const costs = FEATURES.map((): Costs[] => []);
    for (let round = 1; round <= options.rounds; round++) {
      for (const [at, feature] of FEATURES.entries()) {
        costs[at]!.push(await measure(feature, round, folder, options));
      }
      await options.log(`round ${round} of ${options.rounds}`);
    }
    return [report(costs, options)];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function report(costs: readonly (readonly Costs[])[], options: SuiteOptions): Section {
  const middles = costs.map((rounds) => ({
    without: median(rounds.map(({ without }) => without)),
    with: median(rounds.map((its) => its.with)),
    difference: median(rounds.map(difference)),
    range: rounds.map(difference).filter((value) => value !== null).sort((a, b) => a - b),
  }));
  return {
    title: "What safety costs",
    text: `Processor time of the server for one request or message, in microseconds, with a feature
      and without it: medians of ${options.rounds} rounds, ${CONNECTIONS} connections. A difference
      whose least and most have different signs is within the noise. A GET is of \`Hello, world\`
      unless a row says otherwise.`,
    table: {
      columns: ["feature", "by default", "without", "with", "difference", "least to most"],
      rows: [
        ...FEATURES.map(({ name, byDefault }, at) => {
          const { without, with: own, difference, range } = middles[at]!;
          return [
            name,
            byDefault,
            fixed(without, 2),
            fixed(own, 2),
            fixed(difference, 2),
            range.length === 0 ? null : `${range[0]!.toFixed(2)} to ${range.at(-1)!.toFixed(2)}`,
          ];
        }),
        ...ALWAYS.map((name) => [name, "always", null, null, null, null]),
      ],
    },
    charts: [{
      file: "bench-safety.svg",
      title: "What safety costs",
      unit: "us/request",
      kind: "bars",
      series: [{
        name: "difference",
        points: FEATURES.flatMap(({ name }, at) => {
          const { difference } = middles[at]!;
          return difference === null ? [] : [[name, Math.max(0, difference)] as const];
        }),
      }],
    }],
  };
}

/** The cost of each thing that protects. */
export const suite: Suite = { name: "safety", run };
