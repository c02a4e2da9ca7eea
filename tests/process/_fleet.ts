import { RawClient } from "../http/_raw_client.ts";
import type { Ended } from "./_server_process.ts";

/** A process that said that it listens. */
export interface Member {
  readonly id: number;
  readonly pid: number;
  readonly ports: readonly number[];
}

/** Options of {@linkcode Fleet}. */
export interface FleetOptions {
  /** The flags of `deno run`. */
  readonly flags?: readonly string[];
  /** The program; by default `_fleet_main.ts`. */
  readonly program?: string;
  /** Is called when it has ended. */
  readonly onEnd?: () => Promise<void>;
}

const LIMIT_MS = 30_000;
const ROOT = new URL("../../", import.meta.url);

export const FLAGS = [
  "--unstable-net",
  "--allow-net=127.0.0.1,localhost,[::1]",
  "--allow-read=.",
  "--allow-run=deno",
  `--allow-run=${Deno.execPath()}`,
  "--allow-env",
];

/** A program of several processes, all it prints, and how it ended. */
export class Fleet implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #stdout = "";
  #stderr = "";
  #over = false;
  #changed = Promise.withResolvers<void>();

  /** Settles when the parent has ended, and nobody has its output open. */
  readonly ended: Promise<Ended>;

  constructor(args: readonly string[], options: FleetOptions = {}) {
    const { flags = FLAGS, program = "tests/process/_fleet_main.ts", onEnd } = options;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...flags, program, ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.ended = this.#follow(onEnd);
  }

  /** Starts it and waits until all of `count` listen. */
  static async listening(
    how: string,
    count: number,
    { port = 0, maxRestarts = 100, ...options }: FleetOptions & {
      readonly port?: number;
      readonly maxRestarts?: number;
    } = {},
  ): Promise<Fleet> {
    const fleet = new Fleet([how, String(count), String(port), String(maxRestarts)], options);
    await fleet.until(() => fleet.members.length === count);
    return fleet;
  }

  /** The process id of the parent. */
  get pid(): number {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The lines of standard output, sorted: several processes write them. */
  get lines(): string[] {
    return this.#stdout.split("\n").filter((line) => line !== "").sort();
  }

  /** All that ever listened, in their order. */
  get members(): Member[] {
    return [...this.#stdout.matchAll(/^listening (\d+) (\d+) ([\d,]+)$/gm)].map(
      ([, id, pid, ports]) => ({
        id: Number(id),
        pid: Number(pid),
        ports: ports!.split(",").map(Number),
      }),
    );
  }

  /** Who listens under this number; of several the last. */
  member(id: number): Member {
    const found = this.members.findLast((member) => member.id === id);
    if (found === undefined) throw new Error(`no child ${id}: ${this.#stdout}${this.#stderr}`);
    return found;
  }

  /** Waits until `holds`, which may look at what was printed. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#over) throw new Error(`it never held, ${holds}: ${this.#stdout}${this.#stderr}`);
      await this.#changed.promise;
    }
  }

  /** Sends the parent a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends it, if it still runs, and all that it started. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#killAll();
    await this.ended;
  }

  // The children of a parent that was killed end by themselves, soon after; those that are
  // known go at once.
  #killAll(): void {
    for (const pid of [this.pid, ...this.members.map(({ pid }) => pid)]) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It had ended.
      }
    }
  }

  async #follow(onEnd?: () => Promise<void>): Promise<Ended> {
    const limit = setTimeout(() => this.#killAll(), LIMIT_MS); // a test fails, and never hangs
    const [{ code, signal }] = await Promise.all([
      this.#child.status,
      this.#collect(this.#child.stdout, (piece) => this.#stdout += piece),
      this.#collect(this.#child.stderr, (piece) => this.#stderr += piece),
    ]);
    clearTimeout(limit);
    this.#over = true;
    this.#changed.resolve();
    await onEnd?.();
    return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
  }

  async #collect(
    output: ReadableStream<Uint8Array<ArrayBuffer>>,
    add: (piece: string) => void,
  ): Promise<void> {
    for await (const piece of output.pipeThrough(new TextDecoderStream())) {
      add(piece);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}

/** Asks until each of `count` children has answered, and returns who answered. */
export async function askAll(port: number, count: number): Promise<Map<number, number>> {
  const answered = new Map<number, number>();
  for (let tries = 0; answered.size < count; tries++) {
    if (tries > 200) throw new Error(`only ${answered.size} of ${count} answered`);
    // The kernel deals by the port of the client: many clients, many children.
    const answers = await Promise.all(Array.from({ length: 8 }, async () => {
      using client = await RawClient.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      return (await client.answer()).text;
    }));
    for (const answer of answers) {
      const [id, pid] = answer.split(" ").map(Number);
      answered.set(id!, pid!);
    }
  }
  return answered;
}
