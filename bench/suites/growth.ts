// What a step costs by how much there is of something: connections, header fields, bytes of a
// body, timeouts, routes, coroutines. A cost that does not grow is a line that lies flat.
import { openFileLimit, OTHER_FILES } from "../_open_files.ts";
import { fixed, median } from "../_figures.ts";
import type { Growth, GrowthParts, RouteKind } from "../_growth_parts.ts";
import { NUMBER_PLACE } from "../_paced_load.ts";
import { measurePaced } from "../_paced_load_cost.ts";
import { floorPeers, pacedPeers } from "../_paced_load_peers.ts";
import { PacedLoadProcess, type PacedRequest, plainGet } from "../_paced_load_runner.ts";
import { pinned, SERVER_CPU } from "../_pinning.ts";
import type { Chart, Section } from "../_report.ts";
import type { Peer } from "../_server_process.ts";
import type { Suite, SuiteOptions } from "../_suite.ts";

const CONNECTIONS = [1, 64, 1000, 10_000];
const QUICK_CONNECTIONS = [1, 64];

const FIELDS = [5, 20, 80];
const BODIES = [1024, 64 * 1024, 1024 * 1024];

/** Connections of loads in which their number is not what counts. */
const SOME_CONNECTIONS = 64;
const UPLOADS_AT_ONCE = 8;

/** One thing that grows, for loads of HTTP. */
interface Axis {
  readonly title: string;
  readonly file: string;
  readonly text: string;
  /** What the column of sizes is called. */
  readonly column: string;
  readonly unit: string;
  readonly sizes: readonly number[];
  readonly connections: (size: number) => number;
  /** Whether the floor can do it, which takes no bodies. */
  readonly floor: boolean;
  readonly request: (size: number) => PacedRequest;
  /** Makes the figure of microseconds for a request. */
  readonly figure: (microseconds: number, size: number) => number;
}

function axes(sizesOfConnections: readonly number[], left: readonly number[]): readonly Axis[] {
  const microseconds = (value: number) => value;
  const ours = " What raw Deno.Conn costs is the runtime's: it answers without parsing.";
  const skipped = left.length === 0
    ? ""
    : ` Left out for the limit of open files (\`ulimit -n\`): ${left.join(", ")}.`;
  return [
    {
      title: "Connections",
      file: "bench-growth-connections.svg",
      text:
        `All connections always have a request in progress, and were open before.${ours}${skipped}`,
      column: "connections",
      unit: "us/request",
      sizes: sizesOfConnections,
      connections: (size) => size,
      floor: true,
      request: () => ({ head: plainGet() }),
      figure: microseconds,
    },
    {
      title: "Header fields",
      file: "bench-growth-fields.svg",
      text: `Fields of 40 bytes in each request, of which no handler reads one. The target has a
        number that is another one in each request: no two heads are alike.`,
      column: "fields",
      unit: "us/request",
      sizes: FIELDS,
      connections: () => SOME_CONNECTIONS,
      floor: true,
      request: (size) => ({ head: plainGet(`/?n=${NUMBER_PLACE}`, fields(size)) }),
      figure: microseconds,
    },
    {
      title: "Bytes of an upload",
      file: "bench-growth-upload.svg",
      text: `A body with a length, taken whole; ${UPLOADS_AT_ONCE} uploads at a time. The figure is
        bytes of body for each microsecond of processor time: more is better.`,
      column: "bytes",
      unit: "bytes/us",
      sizes: BODIES,
      connections: () => UPLOADS_AT_ONCE,
      floor: false,
      request: (size) => ({
        head: `POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${size}\r\n\r\n`,
        bodySize: size,
      }),
      figure: (value, size) => size / value,
    },
  ];
}

/** Gives fields of 40 bytes, line ends included; the Host is one of them. */
function fields(count: number): string[] {
  return Array.from({ length: count - 1 }, (_, at) => {
    const name = `X-Field-${at}: `;
    return name + "v".repeat(38 - name.length);
  });
}

async function measureAxis(
  axis: Axis,
  peers: readonly Peer[],
  options: SuiteOptions,
): Promise<Section> {
  const values = new Map(peers.map(({ name }) => [name, axis.sizes.map((): number[] => [])]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const [at, size] of axis.sizes.entries()) {
      for (const peer of peers) {
        const connections = axis.connections(size);
        const load = { connections, ...axis.request(size) };
        const { cpu } = await measurePaced(peer, load, null, options);
        if (cpu !== null && cpu > 0) values.get(peer.name)![at]!.push(axis.figure(cpu, size));
      }
    }
    await options.log(`${axis.title}: round ${round} of ${options.rounds}`);
  }
  const series = peers.map(({ name }) => ({
    name,
    growth: medians(axis.sizes, values.get(name)!),
  }));
  return section(axis, series);
}

/** Gives the median of the values of each size; sizes without a value are left out. */
function medians(sizes: readonly number[], values: readonly (readonly number[])[]): Growth {
  return sizes.map((size, at) => [size, values[at]!] as const)
    .filter(([, its]) => its.length > 0)
    .map(([size, its]) => [size, median(its)!]);
}

/** A series of figures over sizes. */
interface Series {
  readonly name: string;
  readonly growth: Growth;
}

function section(
  axis: Pick<Axis, "title" | "file" | "text" | "column" | "unit" | "sizes">,
  series: readonly Series[],
): Section {
  const { title, text, column, unit, sizes } = axis;
  const chart: Chart = {
    file: axis.file,
    title,
    unit,
    kind: "lines",
    series: series.map(({ name, growth }) => ({ name, points: growth })),
  };
  const rows = sizes.map((size) => [
    size.toLocaleString("en"),
    ...series.map(({ growth }) => {
      const value = growth.find(([its]) => its === size)?.[1] ?? null;
      return fixed(value, 2);
    }),
  ]);
  const columns = [column, ...series.map(({ name }) => `${name}, ${unit}`)];
  return { title, text, table: { columns, rows }, charts: [chart] };
}

/** Runs the parts in a process of their own, once for each round. */
async function measureParts(options: SuiteOptions): Promise<readonly Section[]> {
  const rounds: GrowthParts[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const [program, ...args] = await pinned(SERVER_CPU, [
      Deno.execPath(),
      ...["run", "--no-prompt", "--allow-env"],
      new URL("../_growth_parts.ts", import.meta.url).pathname,
      ...(options.quick ? ["--quick"] : []),
    ]);
    const { success, stdout } = await new Deno.Command(program!, { args, stderr: "inherit" })
      .output();
    if (!success) throw new Error("Cannot measure: the parts failed");
    rounds.push(JSON.parse(new TextDecoder().decode(stdout)) as GrowthParts);
    await options.log(`parts: round ${round} of ${options.rounds}`);
  }
  const over = (pick: (parts: GrowthParts) => Growth): Growth =>
    pick(rounds[0]!).map(([size], at) => [size, median(rounds.map((its) => pick(its)[at]![1]))!]);
  const part = (
    title: string,
    name: string,
    column: string,
    unit: string,
    text: string,
    series: readonly Series[],
  ) => {
    const sizes = series[0]!.growth.map(([size]) => size);
    const file = `bench-growth-${name}.svg`;
    return section({ title, file, text, column, unit, sizes }, series);
  };
  return [
    part(
      "Timeouts that wait",
      "timeouts",
      "timeouts",
      "us",
      "A timeout is added and fires, while so many others wait.",
      [{ name: "add and fire", growth: over((parts) => parts.timeouts) }],
    ),
    part(
      "Routes",
      "routes",
      "routes",
      "us/request",
      `Finding the handler of a request, by the kind of its route; requests are spread over all
        routes. Routes that are literal text are found by map, others are tried in order.`,
      (Object.keys(rounds[0]!.routes) as RouteKind[]).map((name) => ({
        name,
        growth: over((parts) => parts.routes[name]),
      })),
    ),
    part(
      "Routes, the first request",
      "tables",
      "routes",
      "us/route",
      `What an application does once: its routes are made, a third of them of each kind in turns,
        and the first request is found a handler; for each route.`,
      [{ name: "a third of each kind", growth: over((parts) => parts.tables) }],
    ),
    part(
      "Depth of coroutines",
      "coroutines",
      "coroutines",
      "us",
      `Each waits for the next with \`yield*\`. A call is for each of them, with its return; a step
        is one of the innermost, which waits for a Future and goes on.`,
      [
        { name: "call", growth: over((parts) => parts.calls) },
        { name: "step", growth: over((parts) => parts.steps) },
      ],
    ),
  ];
}

async function run(options: SuiteOptions): Promise<readonly Section[]> {
  const sections: Section[] = [];
  const peers = pacedPeers(options.peers);
  if (PacedLoadProcess.available() && peers.length > 0) {
    const limit = await openFileLimit();
    const wanted = options.quick ? QUICK_CONNECTIONS : CONNECTIONS;
    const possible = wanted.filter((count) => count + OTHER_FILES <= limit);
    const left = wanted.filter((count) => !possible.includes(count));
    for (const axis of axes(possible, left)) {
      const able = axis.floor ? [...peers, ...floorPeers(options.peers)] : peers;
      sections.push(await measureAxis(axis, able, options));
    }
  }
  sections.push(...await measureParts(options));
  return sections;
}

/** How costs grow. */
export const suite: Suite = { name: "growth", run };
