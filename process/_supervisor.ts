// The parent of several processes. The life of a task:
//
//   RUNNING --it ended, code not 0--> WAITING --back-off is over--> RUNNING
//   RUNNING --it ended, code 0, or while all stop--> OVER
//   WAITING --all stop--> OVER
//
// All stop at the first signal, which is passed on, and when too many restarts were needed. A
// signal may reach a child twice, from us and from whoever signals all processes of a terminal
// or a service; so in children a second one means no more than the first (see onShutdown), and
// that a second signal ends at once is our doing: it kills them.
import { constants } from "node:os";
import { genLog } from "../ioloop/mod.ts";
import type { OwnCommand } from "./_own_command.ts";
import { taskEnvironment } from "./_task.ts";

const BACKOFF_MS = 100; // before the first restart; doubled for each that follows
const MAX_BACKOFF_MS = 10_000;
const STEADY_MS = 10_000; // who ran for so long starts over with the back-off

const WINDOWS = Deno.build.os === "windows";
const STOP_SIGNALS: readonly Deno.Signal[] = WINDOWS
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const OTHER_SIGNALS: readonly Deno.Signal[] = WINDOWS ? [] : ["SIGUSR1", "SIGUSR2"];

/** Says what is started, and how often. */
export interface Plan {
  readonly command: OwnCommand;
  readonly count: number;
  readonly maxRestarts: number;
  /** See {@linkcode Task.ports}. */
  readonly ports: readonly number[] | null;
}

/** Starts children, starts those again that fail, and passes signals on. */
export class Supervisor {
  readonly #plan: Plan;
  readonly #children = new Map<number, Deno.ChildProcess>(); // by task id: those that run
  readonly #stop = Promise.withResolvers<void>(); // settles when all stop
  #stopping = false;
  #restarts = 0;
  #failure: Error | null = null;
  #killedBy: Deno.Signal | null = null;

  /** Starts nothing yet. */
  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /**
   * Returns, when all have ended, what this process should end with: 0 when they ended well,
   * else the code of the first one that did not; 128 and the number of the second signal.
   *
   * @throws {Error} after too many restarts.
   */
  async run(): Promise<number> {
    const listeners = [
      ...STOP_SIGNALS.map((signal) => [signal, () => this.#stopBy(signal)] as const),
      ...OTHER_SIGNALS.map((signal) => [signal, () => this.#send(signal)] as const),
    ];
    for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
    const leave = () => this.#send("SIGTERM"); // such as by Deno.exit(), or with --watch
    addEventListener("unload", leave);
    try {
      const { count } = this.#plan;
      genLog.info("Starting {count} processes", { count });
      const codes = await Promise.all(Array.from({ length: count }, (_, id) => this.#keep(id)));
      if (this.#failure !== null) throw this.#failure;
      if (this.#killedBy !== null) return 128 + constants.signals[this.#killedBy as "SIGTERM"];
      return codes.find((code) => code !== 0) ?? 0;
    } finally {
      removeEventListener("unload", leave);
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    }
  }

  // The life of one task; returns the code it ended with.
  async #keep(id: number): Promise<number> {
    let inARow = 0; // restarts that did not lead to a steady run
    while (!this.#stopping) {
      const began = performance.now();
      const { pid, status } = this.#start(id);
      const { code, signal } = await status;
      this.#children.delete(id);
      if (code === 0 || this.#stopping) {
        genLog.info("Child {id} (pid {pid}) ended with code {code}", { id, pid, code });
        return code;
      }
      const { maxRestarts } = this.#plan;
      const how = signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
      if (this.#restarts === maxRestarts) {
        this.#fail(new Error(`Cannot go on after ${maxRestarts} restarts: child ${id} ${how}`));
        return code;
      }
      this.#restarts++;
      inARow = performance.now() - began < STEADY_MS ? inARow + 1 : 0;
      const delay = inARow === 0 ? 0 : Math.min(BACKOFF_MS * 2 ** (inARow - 1), MAX_BACKOFF_MS);
      genLog.warn("Child {id} (pid {pid}) {how}, restarting in {delay} ms", {
        id,
        pid,
        how,
        delay,
      });
      await this.#pause(delay);
    }
    return 0; // the failure was told, and it would have been started again
  }

  #start(id: number): Deno.ChildProcess {
    const { command: { program, args }, ports } = this.#plan;
    const child = new Deno.Command(program, {
      args: [...args],
      env: taskEnvironment({ id, parent: Deno.pid, ports }),
      stdin: "null", // they would take each other's input away
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    this.#children.set(id, child);
    return child;
  }

  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([over, this.#stop.promise]);
    clearTimeout(timer);
  }

  #stopBy(signal: Deno.Signal): void {
    if (this.#stopping) {
      this.#killedBy = signal;
      this.#send("SIGKILL");
    } else this.#stopAll(signal);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    if (!this.#stopping) this.#stopAll("SIGTERM");
  }

  #stopAll(signal: Deno.Signal): void {
    this.#stopping = true;
    this.#stop.resolve();
    this.#send(signal);
  }

  #send(signal: Deno.Signal): void {
    for (const child of this.#children.values()) {
      try {
        child.kill(signal);
      } catch {
        // It has ended; its status is on the way.
      }
    }
  }
}
