// How long a request takes at a rate that the server can keep, from when it was due. Both servers
// get the same rate, and rounds alternate between them.
import { fixed, median } from "../_figures.ts";
import type { Quantiles } from "../_paced_load.ts";
import { measurePaced, type PacedSample } from "../_paced_load_cost.ts";
import { pacedPeers } from "../_paced_load_peers.ts";
import { PacedLoadProcess } from "../_paced_load_runner.ts";
import type { Chart, Section } from "../_report.ts";
import type { Peer } from "../_server_process.ts";
import type { Suite, SuiteOptions } from "../_suite.ts";

const CONNECTIONS = 64;

/** The peer whose peak the rate is a share of. */
const BASELINE = "Deno.serve";

/** The share of the peak that the table is about. */
const SHARE = 0.7;

/** The shares of the lower peak that the chart is about. */
const SHARES = [0.1, 0.3, 0.5, SHARE, 0.9];

/** What one peer did at one rate, in each round. */
interface Run {
  readonly peer: Peer;
  readonly rate: number;
  readonly samples: PacedSample[];
}

function measure(peer: Peer, rate: number | null, options: SuiteOptions): Promise<PacedSample> {
  return measurePaced(peer, { connections: CONNECTIONS }, rate, options);
}

/** Finds the requests in a second that each peer answers when all connections always wait. */
async function findPeaks(peers: readonly Peer[], options: SuiteOptions): Promise<number[]> {
  const rates = peers.map((): number[] => []);
  for (let round = 1; round <= options.rounds; round++) {
    for (const [at, peer] of peers.entries()) {
      const { rate } = await measure(peer, null, options);
      rates[at]!.push(rate);
      await options.log(`peak of ${peer.name}, round ${round}: ${rate.toFixed(0)}/s`);
    }
  }
  return rates.map((its) => median(its)!);
}

async function run(options: SuiteOptions): Promise<readonly Section[]> {
  if (!PacedLoadProcess.available()) return [skipped("the load needs Linux")];
  const peers = pacedPeers(options.peers);
  if (peers.length === 0) return [skipped("none of its peers was asked for")];
  const peaks = await findPeaks(peers, options);
  const lower = Math.min(...peaks);
  const baseline = peaks[peers.findIndex(({ name }) => name === BASELINE)] ?? lower;
  const shares = options.quick ? [SHARE] : SHARES;
  const rates = new Set(
    [SHARE * baseline, ...shares.map((share) => share * lower)].map(Math.round),
  );
  const runs = [...rates].flatMap((rate) =>
    peers.map((peer): Run => ({ peer, rate, samples: [] }))
  );
  for (let round = 1; round <= options.rounds; round++) {
    for (const { peer, rate, samples } of round % 2 === 1 ? runs : runs.toReversed()) {
      samples.push(await measure(peer, rate, options));
    }
    await options.log(`round ${round} of ${options.rounds}`);
  }
  return [report(peers, peaks, runs, options)];
}

const QUANTILES: readonly (keyof Quantiles)[] = ["p50", "p90", "p99", "max"];

function report(
  peers: readonly Peer[],
  peaks: readonly number[],
  runs: readonly Run[],
  options: SuiteOptions,
): Section {
  const rows = runs.toSorted((a, b) => a.rate - b.rate).map(({ peer, rate, samples }) => {
    const middle = (pick: (sample: PacedSample) => number | null) => median(samples.map(pick));
    return {
      name: peer.name,
      rate,
      p99: middle(({ latency }) => latency.p99)!,
      cells: [
        `${rate}/s`,
        peer.name,
        ...QUANTILES.map((name) => fixed(middle(({ latency }) => latency[name]), 2)),
        fixed(middle(({ lateness }) => lateness.p99), 2),
        fixed(middle((sample) => sample.rate / rate), 2),
        fixed(middle(({ cpu }) => cpu), 2),
      ],
    };
  });
  const atPeak = peers.map(({ name }, at) => `${name} ${peaks[at]!.toFixed(0)}`).join(", ");
  return {
    title: "Latency at a fixed rate",
    text: `A request counts from when it was due, so that a pause of the server is charged to all
      that were due in it; ${CONNECTIONS} connections take turns. The rates are ${100 * SHARE} % of
      what Deno.serve answers when all connections always wait, and shares of the lower of all peaks
      (requests in a second: ${atPeak}). Times are ms, medians of ${options.rounds} rounds of
      ${options.seconds} s each. The load's own lateness is between when a request was due and when
      it was sent; what is not well above it is the load's, not the server's. A share of the rate
      that is below 1 is a rate that the server did not keep.`,
    table: {
      columns: [
        "rate",
        "server",
        ...QUANTILES,
        "load's lateness, p99",
        "rate kept",
        "us/request",
      ],
      rows: rows.map(({ cells }) => cells),
    },
    charts: [chart(peers, rows)],
  };
}

function chart(
  peers: readonly Peer[],
  rows: readonly { readonly name: string; readonly rate: number; readonly p99: number }[],
): Chart {
  return {
    file: "bench-latency.svg",
    title: "Latency of 99 in 100 requests, by requests in a second",
    unit: "ms",
    kind: "lines",
    series: peers.map((peer) => ({
      name: peer.name,
      points: rows.filter(({ name }) => name === peer.name)
        .map(({ rate, p99 }): [number, number] => [rate, p99]),
    })),
  };
}

function skipped(why: string): Section {
  return {
    title: "Latency at a fixed rate",
    text: `Not measured: ${why}.`,
    table: { columns: ["rate", "server"], rows: [] },
    charts: [],
  };
}

/** Latency at a rate that is kept. */
export const suite: Suite = { name: "latency", run };
