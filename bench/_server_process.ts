import { pinned, SERVER_CPU } from "./_pinning.ts";

/** A server to measure: a file under `servers/` and what runs it. */
export interface Peer {
  /** What the table calls it. */
  readonly name: string;
  /** The file, which takes a port and prints a line when it listens. */
  readonly file: string;
  /** The program and its arguments before the file. */
  readonly command: readonly string[];
}

/** Kernels report processor time in hundredths of a second, whatever their tick. */
const TICK_MICROSECONDS = 10_000;

/** A peer that runs, on a port of its own, until it is disposed of. */
export class ServerProcess implements AsyncDisposable {
  /** The port that it listens on, at 127.0.0.1. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(port: number, child: Deno.ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Starts `peer` and waits until it listens. */
  static async start(peer: Peer): Promise<ServerProcess> {
    const port = unusedPort();
    const file = new URL(`servers/${peer.file}`, import.meta.url);
    const [program, ...args] = await pinned(SERVER_CPU, [
      ...peer.command,
      file.pathname,
      String(port),
    ]);
    const child = new Deno.Command(program!, {
      args,
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    reader.releaseLock();
    if (done) {
      await child.status;
      throw new Error(`Cannot start ${peer.name}: it ended without a line`);
    }
    return new ServerProcess(port, child);
  }

  /**
   * Gives the user and system time that the process has used, in microseconds, or
   * `null` where there is no `/proc`.
   */
  async cpuTime(): Promise<number | null> {
    const stat = await this.#read("stat");
    if (stat === null) return null;
    // The name of the program comes second, in parentheses, and may hold spaces;
    // utime and stime are the 12th and 13th after it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
  }

  /** Gives the resident memory in bytes, or `null` where there is no `/proc`. */
  async residentMemory(): Promise<number | null> {
    const status = await this.#read("status");
    const kilobytes = status?.match(/^VmRSS:\s+(\d+) kB$/m)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.stdout.cancel();
    await this.#child.status;
  }

  /** Reads a file of the process by `cat`: Deno itself asks all permissions for it. */
  async #read(name: string): Promise<string | null> {
    if (Deno.build.os !== "linux") return null;
    const { stdout } = await new Deno.Command("cat", {
      args: [`/proc/${this.#child.pid}/${name}`],
      stderr: "inherit",
    }).output();
    return new TextDecoder().decode(stdout);
  }
}

function unusedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
