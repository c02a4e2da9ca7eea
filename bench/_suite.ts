// What a suite is: a module under `suites/` that measures one thing beside its peers.
import type { Section } from "./_report.ts";

/** How a suite is to run. */
export interface SuiteOptions {
  /** Rounds, which alternate between the peers. */
  readonly rounds: number;
  /** How long one measurement lasts; may be a fraction. */
  readonly seconds: number;
  /** Whether the run only proves that all works: sizes may be small, and figures mean nothing. */
  readonly quick: boolean;
  /** The names of the peers that are measured; `null` for all. */
  readonly peers: readonly string[] | null;
  /** Tells how far it has come. */
  readonly log: (line: string) => Promise<void>;
}

/** A module under `suites/` exports one, as `suite`. */
export interface Suite {
  readonly name: string;
  readonly run: (options: SuiteOptions) => Promise<readonly Section[]>;
}
