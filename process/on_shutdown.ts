import { convertYielded } from "../gen/mod.ts";
import { _isWork } from "../ioloop/converter.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog } from "../ioloop/mod.ts";
import { ownTask } from "./_task.ts";

/** Is called with the signal that tells the process to stop; see {@linkcode onShutdown}. */
export type ShutdownFunction = (signal: Deno.Signal) => unknown;

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

interface Entry {
  readonly fn: ShutdownFunction;
}

let entries: Entry[] = [];
let listening = false;
const listeners = SIGNALS.map((signal) => [signal, () => stopBy(signal)] as const);

/**
 * Calls `fn` once when the process gets SIGTERM or SIGINT, which then do not end it by
 * themselves. It may return work, such as a promise or a generator. Returns what takes `fn`
 * back; with the last one the signals are as they were.
 *
 * Of several functions the newest comes first, and each when the work of the one before is done:
 * what was opened first is closed last. What one throws is logged. The process ends by itself
 * when nothing is left to do.
 *
 * A second signal ends the process at once. In a child of `forkProcesses` it does nothing: there
 * it may be the first one, come on two ways, and the parent knows.
 *
 * @example
 * ```ts
 * import { onShutdown } from "@waterspout/waterspout/process";
 *
 * const takeBack = onShutdown(async (signal) => {
 *   await Deno.stdout.write(new TextEncoder().encode(`closing: ${signal}\n`));
 * });
 * takeBack();
 * ```
 */
export function onShutdown(fn: ShutdownFunction): () => void {
  const entry = { fn };
  entries.push(entry);
  listen();
  return () => {
    const at = entries.indexOf(entry);
    if (at < 0) return;
    entries.splice(at, 1);
    if (entries.length === 0) unlisten();
  };
}

function stopBy(signal: Deno.Signal): void {
  const due = entries.toReversed();
  entries = [];
  // From here on the signals do what they do by themselves: the second one ends the process.
  if (ownTask() === null) unlisten();
  callAll(due, signal);
}

async function callAll(due: readonly Entry[], signal: Deno.Signal): Promise<void> {
  for (const { fn } of due) {
    try {
      const work = fn(signal);
      if (_isWork(work)) await convertYielded(work);
    } catch (error) {
      appLog.error("Exception in callback {name}: {error}", {
        name: fn.name || "onShutdown",
        error: describeError(error),
      });
    }
  }
}

function listen(): void {
  if (listening) return;
  listening = true;
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
}

function unlisten(): void {
  listening = false;
  for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
}
