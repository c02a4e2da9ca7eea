// Rounds that alternate between the peers, so that what disturbs, disturbs all; and the tables that
// come of them.
import { fixed, median, ratio, spread } from "./_figures.ts";
import type { Chart, Section, Table } from "./_report.ts";
import type { ServerProcess } from "./_server_process.ts";
import type { SuiteOptions } from "./_suite.ts";

/** One column of the tables. */
export interface Subject {
  readonly name: string;
  /** Names of the works that it cannot do. */
  readonly lacks: readonly string[];
}

/** One row of the tables. */
export interface Work {
  readonly name: string;
  /** What the table calls it. */
  readonly title: string;
}

/** What one measurement gave; `null` where the system does not tell. */
export interface Sample {
  /** What it cost the server: microseconds of processor time, or bytes, for one unit of the work. */
  readonly cost: number | null;
  /** Units of the work in a second, where that was asked for. */
  readonly rate: number | null;
}

/** How long the compiler gets to see the code before anything is measured, but for quick runs. */
export const WARM_UP_SECONDS = 1;

/** Gives the processor time of the server for each unit of the work, of which `work` tells. */
export async function timed(
  server: ServerProcess,
  work: () => Promise<{ readonly count: number; readonly rate: number }>,
): Promise<Sample> {
  const before = await server.cpuTime();
  const { count, rate } = await work();
  const after = await server.cpuTime();
  // A quick run may be over before the first answer.
  const known = before !== null && after !== null && count > 0;
  return { rate, cost: known ? (after - before) / count : null };
}

/** All that was measured: a cell for each work and peer. */
export class Samples {
  readonly #peers: readonly string[];
  readonly #works: readonly Work[];
  readonly #cells: ReadonlyMap<string, readonly Sample[]>;

  private constructor(
    peers: readonly string[],
    works: readonly Work[],
    cells: ReadonlyMap<string, readonly Sample[]>,
  ) {
    this.#peers = peers;
    this.#works = works;
    this.#cells = cells;
  }

  /**
   * Measures each work of each peer that can do it, once in every round. What fails is said, and
   * left out from there on; a quick run ends with it, for that is to prove that all works.
   */
  static async take<P extends Subject, W extends Work>(
    peers: readonly P[],
    works: readonly W[],
    { rounds, quick, log }: SuiteOptions,
    measure: (peer: P, work: W) => Promise<Sample>,
  ): Promise<Samples> {
    const cells = new Map<string, Sample[]>();
    const failed = new Set<string>();
    for (let round = 1; round <= rounds; round++) {
      for (const work of works) {
        await log(`round ${round} of ${rounds}: ${work.title}`);
        for (const peer of peers.filter(({ lacks }) => !lacks.includes(work.name))) {
          const key = keyOf(work.name, peer.name);
          if (failed.has(key)) continue;
          try {
            cells.set(key, [...cells.get(key) ?? [], await measure(peer, work)]);
          } catch (error) {
            if (quick) throw error;
            await log(`left out: ${key}: ${error instanceof Error ? error.message : error}`);
            failed.add(key);
            cells.delete(key);
          }
        }
      }
    }
    return new Samples(peers.map(({ name }) => name), works, cells);
  }

  /** Gives the medians of what the works cost, a row for each. */
  costs(digits: number): Table {
    return this.#table((work, peer) => fixed(median(this.#costsOf(work, peer)), digits));
  }

  /** Gives a section on how the costs compare with those of one peer, if that was measured. */
  ratioSections(baseline: string): Section[] {
    if (!this.#peers.includes(baseline)) return [];
    const table = this.#table((work, peer) => {
      const [cost, base] = [peer, baseline].map((name) => median(this.#costsOf(work, name)));
      return fixed(ratio(cost!, base!), 2);
    });
    return [{
      title: `Processor time beside ${baseline}`,
      text: `How many times that of ${baseline}.`,
      table,
      charts: [],
    }];
  }

  /** Gives the medians of the rates. */
  rates(): Table {
    return this.#table((work, peer) => fixed(median(this.#of(work, peer, "rate")), 0));
  }

  /** Draws what the works of these names cost: a chart for each, least first. */
  charts(
    { suite, heading }: Headline,
    names: readonly string[],
    unit: string,
  ): Chart[] {
    return this.#works.filter(({ name }) => names.includes(name)).map(({ name, title }) => ({
      file: `bench-${suite}-${name}.svg`,
      title: `${heading}: ${title}`,
      unit,
      kind: "bars",
      series: [{ name: unit, points: this.#points(name) }],
    }));
  }

  /** Says how far the rounds lie apart: for half of all cells not more than the first number. */
  spreads(): string {
    const all = [...this.#cells.values()]
      .map((samples) => spread(samples.map(({ cost }) => cost)));
    const percent = (value: number | null) => `${Math.round((value ?? 0) * 100)} %`;
    return `From the least to the most of the rounds it was ${percent(median(all))} of a figure ` +
      `(median of all figures), at most ${percent(Math.max(0, ...all))}.`;
  }

  #table(cell: (work: string, peer: string) => string | null): Table {
    return {
      columns: ["", ...this.#peers],
      rows: this.#works.map(({ name, title }) => [
        title,
        ...this.#peers.map((peer) => cell(name, peer)),
      ]),
    };
  }

  #points(work: string): [string, number][] {
    return this.#peers
      .map((peer) => [peer, median(this.#costsOf(work, peer))] as const)
      .filter((point): point is [string, number] => point[1] !== null)
      .sort(([, a], [, b]) => a - b);
  }

  #costsOf(work: string, peer: string): (number | null)[] {
    return this.#of(work, peer, "cost");
  }

  #of(work: string, peer: string, field: keyof Sample): (number | null)[] {
    return (this.#cells.get(keyOf(work, peer)) ?? []).map((sample) => sample[field]);
  }
}

/** Of what charts are. */
export interface Headline {
  /** The name of the suite. */
  readonly suite: string;
  /** What their titles begin with. */
  readonly heading: string;
}

/** What is told of servers that were compared. */
export interface Comparison extends Headline {
  /** What one unit of the works is, as "request". */
  readonly unit: string;
  /** The peer that the ratios refer to. */
  readonly baseline: string;
  /** The names of the works that are drawn. */
  readonly drawn: readonly string[];
  /** Processor time. */
  readonly samples: Samples;
  /** Memory of idle connections, in KB. */
  readonly idle: Samples;
  /** What is an idle connection. */
  readonly idleText: string;
}

/** Gives the sections that tell of servers that were compared. */
export function comparisonSections(comparison: Comparison): Section[] {
  const { unit, baseline, drawn, samples, idle, idleText } = comparison;
  return [
    {
      title: "Processor time",
      text: `Microseconds of processor time of the server for one ${unit}. ${samples.spreads()}`,
      table: samples.costs(2),
      charts: samples.charts(comparison, drawn, `us of processor time per ${unit}`),
    },
    ...samples.ratioSections(baseline),
    {
      title: `${unit[0]!.toUpperCase()}${unit.slice(1)}s per second`,
      text: "",
      table: samples.rates(),
      charts: [],
    },
    {
      title: "Idle connections",
      text: `KB of resident memory of ${idleText}.`,
      table: idle.costs(1),
      charts: idle.charts(comparison, ["idle"], "KB of resident memory"),
    },
  ];
}

function keyOf(work: string, peer: string): string {
  return `${work} of ${peer}`;
}
