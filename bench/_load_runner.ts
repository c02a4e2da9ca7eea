import { LOAD_CPU, pinned } from "./_pinning.ts";
import { availableProgram } from "./_programs.ts";

/** What to send: so many connections, each with so many requests at once. */
export interface Load {
  /** Connections that are open at the same time. */
  readonly connections: number;
  /** Requests that are sent before their answers are waited for. */
  readonly depth: number;
  /** How long it lasts. */
  readonly seconds: number;
}

/** What came of a load. */
export interface Answered {
  /** Requests that were answered. */
  readonly requests: number;
  /** Requests in a second of the time that it really took. */
  readonly rate: number;
}

/** Sends `load` to a port and counts the answers. */
export async function runLoad(port: number, load: Load): Promise<Answered> {
  const useWrk = await availableProgram("wrk");
  const [program, ...args] = await pinned(
    LOAD_CPU,
    useWrk ? wrkCommand(port, load) : ownCommand(port, load),
  );
  const { success, stdout } = await new Deno.Command(program!, {
    args,
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const [requests, rate] = (useWrk ? WRK_REGEXPS : OWN_REGEXPS)
    .map((regexp) => text.match(regexp)?.[1]);
  if (!success || !requests || !rate || text.includes("Socket errors")) {
    throw new Error(`Cannot measure: the load failed: ${text}`);
  }
  return { requests: Number(requests), rate: Number(rate) };
}

// Where each of the two load generators prints requests and rate.
const WRK_REGEXPS = [/^ *(\d+) requests in /m, /^Requests\/sec: *([\d.]+)$/m];
const OWN_REGEXPS = [/"requests":(\d+)/, /"rate":([\d.]+)/];

function wrkCommand(port: number, load: Load): string[] {
  const pipeline = new URL("pipeline.lua", import.meta.url).pathname;
  return [
    "wrk",
    "--threads=1",
    `--connections=${load.connections}`,
    `--duration=${load.seconds}s`,
    ...(load.depth > 1 ? [`--script=${pipeline}`] : []),
    `http://127.0.0.1:${port}/`,
    ...(load.depth > 1 ? ["--", String(load.depth)] : []),
  ];
}

function ownCommand(port: number, load: Load): string[] {
  return [
    Deno.execPath(),
    "run",
    "--allow-net=127.0.0.1",
    new URL("load.ts", import.meta.url).pathname,
    `--port=${port}`,
    `--connections=${load.connections}`,
    `--depth=${load.depth}`,
    `--seconds=${load.seconds}`,
  ];
}
