/**
 * Starts the program anew when one of its files changes, for those who work on it: what the
 * setting `autoreload` of an Application turns on.
 *
 * @module
 */

// Tornado replaces its process by a new one. There is no exec here, so the program goes on in a
// child; see _reload_parent.ts. The steps:
//
//   look -> a file changed -> nothing else changes for a moment -> all modules can be parsed
//     -> hooks -> child of a parent: end with RELOAD_CODE
//              -> else: close the loop and its sources, hold still, be the parent
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { coroutine, type CoroutineGenerator, sleep } from "../gen/mod.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, Future, genLog, IOLoop } from "../ioloop/mod.ts";
import { _setReloader, type ReloadedServer } from "../web/reloader.ts";
import { FileWatch } from "./_file_watch.ts";
import { type OwnCommand, ownCommand } from "./_own_command.ts";
import { programFiles } from "./_program_files.ts";
import { hasReloadParent, missingReloadPermission, RELOAD_CODE } from "./_reload_parent.ts";
import { ReloadWorker } from "./_reload_worker.ts";
import { ownTask } from "./_task.ts";

const CLOSE_MS = 20; // a socket that is closed stays open until its operations have been told
const PARENT_MS = 1000; // how long a child may outlive a parent that was killed

/** Options of {@linkcode start}. */
export interface AutoreloadOptions {
  /**
   * How often files are looked at, in ms.
   *
   * @default {500}
   */
  checkTime?: number;
  /** The loop that does it; by default the current one. */
  ioLoop?: IOLoop;
  /**
   * The flags of `deno run` that the program is started with again; by default those that it was
   * started with, which only Linux tells.
   */
  denoFlags?: readonly string[];
}

const loops = new WeakSet<IOLoop>(); // that look for changes
let started = false; // one of them
const files = new FileWatch();
const hooks: (() => unknown)[] = [];
const servers = new Set<ReloadedServer>();

/**
 * Begins to look whether a file of the program changes, and starts the program anew when one
 * does: with the same command line and permissions, in its working directory, which must be the
 * one it was started in. Files are the local modules that it imports, and those of
 * {@linkcode watch}. While a module cannot be parsed, the program goes on as it is and the log
 * says why.
 *
 * The first time, the process closes its loop with the listeners of that, and the connections of
 * servers that `Application.listen` made, and does nothing any more but wait for the one that
 * takes its place, pass signals on to it, and end as it ends. What else is open and must not be,
 * such as the port of `Deno.serve`, is for {@linkcode addReloadHook}.
 *
 * A second call with the same loop does nothing. In the processes of `forkProcesses`, in tests
 * and in compiled programs nothing is looked at.
 *
 * Needs permission to read the files, to run Deno (`--allow-run=deno`), and
 * `--allow-env=WATERSPOUT_RELOAD`; without it the log says what is missing.
 *
 * @example
 * ```ts
 * import { Application, autoreload, IOLoop } from "@waterspout/waterspout";
 *
 * if (import.meta.main) {
 *   new Application().listen(8888);
 *   autoreload.start();
 *   await IOLoop.current().start();
 * }
 * ```
 */
export function start(options: AutoreloadOptions = {}): void {
  const ioLoop = options.ioLoop ?? IOLoop.current();
  if (loops.has(ioLoop) || ownTask() !== null) return;
  const obstacle = whyNot();
  if (obstacle !== null) {
    genLog.debug("Not looking for changes: {obstacle}", { obstacle });
    return;
  }
  const missing = missingReloadPermission();
  if (missing !== null) {
    genLog.warn("Cannot reload when a file changes: that needs deno run {missing}", { missing });
    return;
  }
  if (started) genLog.warn("Looking for changes from more than one loop");
  started = true;
  loops.add(ioLoop);
  if (hasReloadParent()) endWithParent();
  ioLoop.addCallback(() => lookForChanges(ioLoop, options));
}

/** Adds a file that is looked at, or a directory with all in it but hidden files. */
export function watch(path: string | URL): void {
  files.add(resolve(typeof path === "string" ? path : fileURLToPath(path)));
}

/** Adds what is called just before the program starts anew; it is not waited for. */
export function addReloadHook(fn: () => unknown): void {
  hooks.push(fn);
}

/**
 * Waits for a change, then starts the program anew, as {@linkcode start} says: for the end of a
 * program that has no server, such as one that runs tests.
 *
 * @throws {Error} when this program cannot be started anew.
 */
export async function wait(options: Omit<AutoreloadOptions, "ioLoop"> = {}): Promise<never> {
  const obstacle = whyNot() ?? missingReloadPermission();
  if (obstacle !== null) throw new Error(`Cannot wait for a change: ${obstacle}`);
  const ioLoop = new IOLoop({ makeCurrent: false });
  start({ ...options, ioLoop });
  await ioLoop.start();
  throw new Error("Cannot wait for a change: the loop was stopped");
}

_setReloader({
  start(server, paths) {
    servers.add(server);
    paths.forEach(watch);
    start({ ioLoop: server.ioLoop });
  },
});

// Only in the program of deno run does Deno.test() do nothing, which its name says.
function whyNot(): string | null {
  if (Deno.build.standalone) return "this program is compiled";
  const isRun = Deno.test.name === "noopTest" && !/\/\$deno\$\w+\.\w+$/.test(Deno.mainModule);
  return isRun ? null : "this is no program of deno run";
}

const lookForChanges = coroutine(
  function* (
    ioLoop: IOLoop,
    { checkTime = 500, denoFlags }: AutoreloadOptions,
  ): CoroutineGenerator {
    let command: OwnCommand;
    let tolerated: ReadonlyMap<string, string>; // modules that were broken from the beginning
    try {
      command = yield* Future.from(ownCommand(denoFlags));
      tolerated = yield* Future.from(readModules(command));
    } catch (error) {
      genLog.error("Cannot reload when a file changes: {error}", { error: describeError(error) });
      return;
    }
    genLog.debug("Looking for changes of {count} files", { count: files.size });
    for (;;) {
      yield* sleep(checkTime);
      const path = files.look();
      if (path === null) continue;
      yield* Future.from(files.settle());
      const errors = yield* Future.from(readModules(command));
      const broken = [...errors].find(([module]) => !tolerated.has(module));
      if (broken !== undefined) {
        genLog.error("{path} changed, but cannot be used: {error}", { path, error: broken[1] });
        continue;
      }
      genLog.info("{path} changed, starting anew", { path });
      yield* Future.from(startAnew(ioLoop, command));
    }
  },
);

async function readModules(command: OwnCommand): Promise<ReadonlyMap<string, string>> {
  const { files: modules, errors } = await programFiles(command, Deno.args.length);
  for (const module of modules) files.add(module);
  return errors;
}

async function startAnew(ioLoop: IOLoop, command: OwnCommand): Promise<void> {
  const worker = hasReloadParent() ? null : await ReloadWorker.create();
  for (const fn of hooks) {
    try {
      fn();
    } catch (error) {
      appLog.error("Exception in callback {name}: {error}", {
        name: fn.name || "addReloadHook",
        error: describeError(error),
      });
    }
  }
  if (worker === null) Deno.exit(RELOAD_CODE);
  for (const server of servers) {
    server.stop();
    server.closeAllConnections();
  }
  abandon(ioLoop);
  await new Promise((resolve) => setTimeout(resolve, CLOSE_MS));
  worker.run(command);
}

// Closes a loop while it runs. Stopping it first would wake whoever waits for its end, and the
// program would go on behind that.
function abandon(ioLoop: IOLoop): void {
  Object.defineProperty(ioLoop, "running", { value: false });
  ioLoop.close({ allSources: true });
}

// A parent that is killed cannot pass that on.
function endWithParent(): void {
  const parent = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid === parent) return;
    clearInterval(timer);
    Deno.kill(Deno.pid, "SIGTERM");
  }, PARENT_MS);
  Deno.unrefTimer(timer);
}
