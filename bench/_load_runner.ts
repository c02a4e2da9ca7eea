import { LOAD_CPU, pinned } from "./_pinning.ts";
import { availableProgram } from "./_programs.ts";

/** What to send: so many connections, each with so many requests at once. */
export interface Load {
  /** Connections that are open at the same time. */
  readonly connections: number;
  /** Requests that are sent before their answers are waited for. */
  readonly depth: number;
  /** How long it lasts; may be a fraction. */
  readonly seconds: number;
  /**
   * What is asked for.
   *
   * @default {a GET of "/"}
   */
  readonly request?: LoadRequest;
  /** The file of the certificates that are trusted, where TLS is spoken. */
  readonly ca?: string;
}

/** The request of a load. */
export interface LoadRequest {
  readonly method: string;
  /** Paths, which are taken in turn. */
  readonly paths: readonly string[];
  /** Header fields besides Host and Content-Length. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body; empty where there is none. */
  readonly body: string;
}

/** What came of a load. */
export interface Answered {
  /** Requests that were answered. */
  readonly requests: number;
  /** Requests in a second of the time that it really took. */
  readonly rate: number;
}

/** How much longer than it should a load may take. */
export const PATIENCE_MILLISECONDS = 30_000;

const PLAIN_REQUEST: LoadRequest = { method: "GET", paths: ["/"], headers: {}, body: "" };

/** Sends `load` to a port and counts the answers. */
export async function runLoad(port: number, load: Load): Promise<Answered> {
  const useWrk = await availableProgram("wrk");
  const [program, ...args] = await pinned(
    LOAD_CPU,
    useWrk ? wrkCommand(port, load) : ownCommand(port, load),
  );
  const child = new Deno.Command(program!, { args, stdout: "piped", stderr: "inherit" }).spawn();
  const fraction = useWrk && !Number.isInteger(load.seconds);
  // Told to stop, wrk prints what it has; by itself it takes no fractions of a second.
  const stop = fraction ? setTimeout(() => child.kill("SIGINT"), load.seconds * 1000) : 0;
  // A server that does not answer must not stop all others from being measured.
  const tooLate = setTimeout(() => child.kill(), load.seconds * 1000 + PATIENCE_MILLISECONDS);
  const { success, signal, stdout } = await child.output();
  clearTimeout(stop);
  clearTimeout(tooLate);
  // It was told before it could listen to that, on a machine that does other things.
  if (signal === "SIGINT") {
    return await runLoad(port, { ...load, seconds: Math.ceil(load.seconds) });
  }
  const text = new TextDecoder().decode(stdout);
  const [requests, rate] = (useWrk ? WRK_REGEXPS : OWN_REGEXPS)
    .map((regexp) => text.match(regexp)?.[1]);
  if (!success || !requests || !rate || FAILURE_REGEXP.test(text)) {
    throw new Error(`Cannot measure: the load failed: ${text}`);
  }
  if (load.seconds >= 1 && requests === "0") {
    throw new Error("Cannot measure: nothing was answered");
  }
  return { requests: Number(requests), rate: Number(rate) };
}

// Where each of the two load generators prints requests and rate.
const WRK_REGEXPS = [/^ *(\d+) requests in /m, /^Requests\/sec: *([\d.]+)$/m];
const OWN_REGEXPS = [/"requests":(\d+)/, /"rate":([\d.]+)/];

// What wrk counts, but does not fail for.
const FAILURE_REGEXP = /Socket errors|Non-2xx/;

function wrkCommand(port: number, load: Load): string[] {
  const { connections, depth, seconds, request, ca } = load;
  const script = request !== undefined || depth > 1;
  const { method, paths, headers, body } = request ?? PLAIN_REQUEST;
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [
    "wrk",
    "--threads=1",
    `--connections=${connections}`,
    `--duration=${Math.ceil(seconds)}s`,
    ...(script ? [`--script=${new URL("pipeline.lua", import.meta.url).pathname}`] : []),
    `${ca === undefined ? "http" : "https"}://127.0.0.1:${port}/`,
    ...(script ? ["--", String(depth), method, body, ...paths, ...fields] : []),
  ];
}

function ownCommand(port: number, load: Load): string[] {
  const { request = PLAIN_REQUEST, ...rest } = load;
  return [
    Deno.execPath(),
    "run",
    "--allow-net=127.0.0.1",
    "--allow-read",
    new URL("load.ts", import.meta.url).pathname,
    JSON.stringify({ ...rest, port, request }),
  ];
}
