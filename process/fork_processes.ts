import { getConfig } from "@logtape/logtape";
import { Future, genLog } from "../ioloop/mod.ts";
import { _setProcessStarter, type ProcessStarter } from "../iostream/process_starter.ts";
import { ownCommand } from "./_own_command.ts";
import { Supervisor } from "./_supervisor.ts";
import { checkTaskAccess, ownTask, type Task } from "./_task.ts";
import { cpuCount } from "./cpu_count.ts";
import { enablePrettyLogging } from "./pretty_logging.ts";

const WATCH_MS = 1000; // how long a child may outlive a parent that was killed

/** Options of {@linkcode forkProcesses}. */
export interface ForkOptions {
  /**
   * How often children that failed are started again, all of them together.
   *
   * @default {100}
   */
  maxRestarts?: number;
  /**
   * The flags of `deno run` that the children get, such as fewer permissions; by default those
   * of this process, which only Linux tells. They must allow `--allow-env=WATERSPOUT_TASK`.
   */
  denoFlags?: readonly string[];
}

let started = false; // the children, or this one among them

/**
 * Goes on as `count` processes (null, or not above 0: one for each processor), and keeps them
 * running: settles in each child with its number from 0 on, and never in the parent.
 *
 * The children run the program from its beginning, with the arguments, the flags and the
 * environment of the parent, nothing on standard input, in its working directory, which must be
 * the one it was started in. What stands before this call is done by parent and children, what
 * stands behind it by the children. They share a port if they listen on it behind this call with
 * `reusePort`; a listener of the parent would keep its part of the connections waiting.
 *
 * A child that fails, by exit code or signal, is started again under its number: after 100 ms,
 * then twice as long each time, up to 10 s, and from the start again once it ran for 10 s. One
 * that ends with 0 is not. When all have ended, the parent ends with 0.
 *
 * SIGTERM, SIGINT, SIGHUP and SIGQUIT to the parent are passed on, and end the parent once all
 * children have ended, with the exit code of the first that did not end well; a second one kills
 * them. SIGUSR1 and SIGUSR2 are just passed on. Children whose parent was killed get SIGTERM.
 *
 * Needs permission to run Deno (`--allow-run=deno`) and `--allow-env=WATERSPOUT_TASK`. Where
 * logging was not configured, the parent shows warnings on standard error.
 *
 * @throws {Error} in the parent, when all were stopped because one failed after `maxRestarts`
 *   restarts; when called twice; when this is not a program of `deno run`; without permission
 *   for the environment; in a child whose parent has ended.
 * @throws {Deno.errors.NotCapable} without permission to run Deno; the message names the flag.
 * @throws {RangeError} when `count` is not a whole number, or `maxRestarts` not one from 0.
 *
 * @example Four servers on one port
 * ```ts
 * import { Application, forkProcesses, runServer } from "@waterspout/waterspout";
 *
 * if (import.meta.main) {
 *   await forkProcesses(4);
 *   await runServer(new Application(), { port: 8888, reusePort: true });
 * }
 * ```
 */
export async function forkProcesses(
  count: number | null,
  options: ForkOptions = {},
): Promise<number> {
  const wanted = checkCount(count, options);
  checkNotStarted();
  const task = ownTask();
  if (task !== null) {
    join(task);
    return task.id;
  }
  return await endAs(lead(wanted, null, options));
}

/**
 * Tells which one of several processes this is, from 0 on; null in the parent, and in a process
 * that is alone or may not read `WATERSPOUT_TASK` of its environment.
 *
 * @example
 * ```ts
 * import { taskId } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(taskId(), null);
 * ```
 */
export function taskId(): number | null {
  return ownTask()?.id ?? null;
}

// Is what TCPServer.start() calls, which stands below.
const starter: ProcessStarter = {
  ports: () => ownTask()?.ports ?? null,

  check(count, options) {
    checkCount(count, options);
    checkNotStarted();
    const task = ownTask();
    if (task !== null) {
      if (task.ports === null) throw alreadyStarted();
      return;
    }
    checkTaskAccess();
    if (Deno.build.os !== "linux") {
      throw new Error("Cannot start processes: they share a port, which only Linux can do");
    }
    if (!("listenDatagram" in Deno)) {
      throw new TypeError(
        "Cannot start processes: they share a port, which needs deno run --unstable-net",
      );
    }
  },

  start(count, ports, options) {
    const task = ownTask();
    if (task !== null) {
      join(task);
      return Future.resolved(undefined);
    }
    endAs(lead(checkCount(count, options), ports, options)).catch((error: Error) => {
      genLog.error("{error}", { error: error.message });
      Deno.exit(1);
    });
    return new Future<void>(); // this process is the parent, and ends as that
  },
};
_setProcessStarter(starter);

function checkCount(count: number | null, { maxRestarts = 100 }: ForkOptions): number {
  if (count !== null && !Number.isInteger(count)) {
    throw new RangeError(`Cannot start ${count} processes: expected a whole number`);
  }
  if (!(maxRestarts === Infinity || Number.isInteger(maxRestarts) && maxRestarts >= 0)) {
    throw new RangeError(
      `Cannot start processes: maxRestarts must be a whole number from 0, got ${maxRestarts}`,
    );
  }
  return count === null || count <= 0 ? cpuCount() : count;
}

function checkNotStarted(): void {
  if (started) throw alreadyStarted();
}

function alreadyStarted(): Error {
  return new Error("Cannot start processes: they were started already");
}

// Makes this process one of the children.
function join({ id, parent }: Task): void {
  if (Deno.ppid !== parent) {
    throw new Error(`Cannot go on as child ${id}: its parent, process ${parent}, has ended`);
  }
  started = true;
  const watch = setInterval(() => {
    if (Deno.ppid === parent) return;
    clearInterval(watch);
    Deno.kill(Deno.pid, "SIGTERM");
  }, WATCH_MS);
  Deno.unrefTimer(watch);
}

// Makes this process the parent, until all children have ended.
async function lead(
  count: number,
  ports: readonly number[] | null,
  { maxRestarts = 100, denoFlags }: ForkOptions,
): Promise<number> {
  checkTaskAccess();
  started = true;
  try {
    const command = await ownCommand(denoFlags);
    if (getConfig() === null) enablePrettyLogging({ level: "warning" }); // failures must be seen
    return await new Supervisor({ command, count, maxRestarts, ports }).run();
  } finally {
    started = false;
  }
}

async function endAs(code: Promise<number>): Promise<never> {
  Deno.exit(await code);
}
