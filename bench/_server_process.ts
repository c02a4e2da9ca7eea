import { pinned, SERVER_CPU } from "./_pinning.ts";
import { listens, START_MILLISECONDS, unusedPort } from "./_ports.ts";

/** A server to measure: a file under `servers/` and what runs it. */
export interface Peer {
  /** What the table calls it. */
  readonly name: string;
  /** The file, which takes a port and prints a line when it listens. */
  readonly file: string;
  /** The program and its arguments before the file. */
  readonly command: readonly string[];
  /**
   * Where the file lies.
   *
   * @default {the folder `servers` beside this file}
   */
  readonly folder?: string;
}

/** Kernels report processor time in hundredths of a second, whatever their tick. */
const TICK_MICROSECONDS = 10_000;

/** So many characters of what it says are kept. */
const MAX_SAID = 4096;

/** A peer that runs, on a port of its own, until it is disposed of. */
export class ServerProcess implements AsyncDisposable {
  /** The port that it listens on, at 127.0.0.1. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #collected: Promise<void>;
  #said = ""; // the end of what it said on standard error

  private constructor(port: number, child: Deno.ChildProcess) {
    this.port = port;
    this.#child = child;
    this.#collected = this.#collect();
  }

  /**
   * Starts `peer` and waits until it listens. The server gets the port, then `args`; with `pin`
   * it has one processor to itself, as far as it goes.
   */
  static async start(
    peer: Peer,
    args: readonly string[] = [],
    { pin = true }: { readonly pin?: boolean } = {},
  ): Promise<ServerProcess> {
    const port = unusedPort();
    const folder = peer.folder ?? new URL("servers", import.meta.url).pathname;
    const command = [...peer.command, `${folder}/${peer.file}`, String(port), ...args];
    const [program, ...rest] = pin ? await pinned(SERVER_CPU, command) : command;
    const child = new Deno.Command(program!, {
      args: rest,
      env: { NODE_ENV: "production" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const server = new ServerProcess(port, child);
    const reader = child.stdout.getReader();
    const tooLate = setTimeout(() => server.#kill(), START_MILLISECONDS);
    const { done } = await reader.read(); // may be what a library says: it must listen, too
    clearTimeout(tooLate);
    reader.releaseLock();
    if (done || !await listens(port)) {
      await server[Symbol.asyncDispose]();
      throw new Error(`Cannot start ${peer.name}: it ended or said nothing\n${server.#said}`);
    }
    return server;
  }

  /**
   * Gives the user and system time that the process and its children have used, in
   * microseconds, or `null` where there is no `/proc`.
   */
  async cpuTime(): Promise<number | null> {
    if (!HAS_PROC) return null;
    const pids = [this.#child.pid, ...await descendants(this.#child.pid)];
    const times = await Promise.all(pids.map(async (pid) => {
      const stat = await output("cat", `/proc/${pid}/stat`);
      // The name of the program comes second, in parentheses, and may hold spaces;
      // utime and stime are the 12th and 13th after it.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
    }));
    return times.reduce((sum, time) => sum + time, 0);
  }

  /** Gives the resident memory in bytes, or `null` where there is no `/proc`. */
  async residentMemory(): Promise<number | null> {
    if (!HAS_PROC) return null;
    const status = await output("cat", `/proc/${this.#child.pid}/status`);
    const kilobytes = status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  }

  /** Ends the process and its children. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
    await this.#child.stdout.cancel();
    await this.#child.status;
    await this.#collected;
  }

  async #kill(): Promise<void> {
    const children = HAS_PROC ? await descendants(this.#child.pid) : [];
    // The parent first: it would start its children anew.
    for (const pid of [this.#child.pid, ...children]) kill(pid);
  }

  /** Keeps what it says: that load was cut off, say. It matters only when it does not start. */
  async #collect(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#said = (this.#said + text).slice(-MAX_SAID);
    }
  }
}

const HAS_PROC = Deno.build.os === "linux";

/** Gives the processes that a process has started, and those that these have. */
async function descendants(pid: number): Promise<number[]> {
  const text = await output("sh", "-c", `cat /proc/${pid}/task/*/children`);
  const children = text.split(/\s+/).filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

/** Gives what a program prints; Deno itself asks all permissions for `/proc`. */
async function output(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
  }
}
