import type { Pace, Paced } from "./_paced_load.ts";
import { type PacedLoadOptions, PacedLoadProcess } from "./_paced_load_runner.ts";
import { type Peer, ServerProcess } from "./_server_process.ts";
import type { SuiteOptions } from "./_suite.ts";

/** How long the compiler gets to see the code before anything is measured. */
const WARM_UP_SECONDS = 1;

/** What came of a stretch of load, and what it cost. */
export interface PacedSample extends Paced {
  /** Processor time of the server in microseconds for a request; `null` where none is told. */
  readonly cpu: number | null;
}

/** Says how long a server is loaded before it is measured. */
export function warmUpOf({ quick, seconds }: SuiteOptions): Pace {
  return { rate: null, seconds: quick ? seconds : WARM_UP_SECONDS };
}

/** Measures a server of its own at a rate, or without one; its connections are open before. */
export async function measurePaced(
  peer: Peer,
  load: PacedLoadOptions,
  rate: number | null,
  options: SuiteOptions,
): Promise<PacedSample> {
  await using server = await ServerProcess.start(peer);
  await using clients = await PacedLoadProcess.connect(server.port, load);
  await clients.run(warmUpOf(options));
  const before = await server.cpuTime();
  const paced = await clients.run({ rate, seconds: options.seconds });
  const after = await server.cpuTime();
  const cpu = before === null || after === null ? null : (after - before) / paced.requests;
  return { ...paced, cpu };
}
