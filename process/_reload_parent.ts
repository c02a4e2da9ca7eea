// A process cannot become another program here: there is no exec. So the first time that a
// program starts anew, its process becomes the parent of one that runs the program, and stays
// that. When the child wants to start anew it just ends with a code that says so, and gets a
// successor: there are never more than two processes.
//
// The child is told by a variable of its environment, WATERSPOUT_RELOAD=<pid of the parent>.
import { constants } from "node:os";
import type { OwnCommand } from "./_own_command.ts";

const VARIABLE = "WATERSPOUT_RELOAD";

/** The code that a child ends with which wants to start anew; few programs use it. */
export const RELOAD_CODE = 113;

const WINDOWS = Deno.build.os === "windows";
const SIGNALS: readonly Deno.Signal[] = WINDOWS
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];

/** Those that a terminal sends to all its processes, the child among them. */
const TERMINAL_SIGNALS: ReadonlySet<Deno.Signal> = new Set(["SIGINT", "SIGQUIT", "SIGBREAK"]);

let parent: number | null | undefined; // undefined: nobody has asked

/** Tells whether this process is such a child. */
export function hasReloadParent(): boolean {
  if (parent === undefined) {
    const granted = Deno.permissions.querySync({ name: "env", variable: VARIABLE }).state;
    const text = granted === "granted" ? Deno.env.get(VARIABLE) : undefined;
    if (text !== undefined) Deno.env.delete(VARIABLE); // what the program starts is no child of it
    parent = text === undefined ? null : Number(text);
  }
  return parent !== null && parent === Deno.ppid;
}

/** Returns the permission that a process needs for all this and lacks, as a flag, or null. */
export function missingReloadPermission(): string | null {
  const needed: readonly [string, ...Deno.PermissionDescriptor[]][] = [
    ["--allow-read", { name: "read", path: "." }],
    [`--allow-env=${VARIABLE}`, { name: "env", variable: VARIABLE }],
    [
      "--allow-run=deno",
      { name: "run", command: "deno" },
      { name: "run", command: Deno.execPath() },
    ],
  ];
  const lacking = needed.find(([, ...any]) =>
    any.every((what) => Deno.permissions.querySync(what).state !== "granted")
  );
  return lacking?.[0] ?? null;
}

/** Is how the last child ended. */
export interface ReloadEnd {
  readonly code: number;
  /** Whether the parent got a signal to pass on that should have ended it. */
  readonly stopped: boolean;
}

/**
 * Runs a program until it ends otherwise than to start anew, and passes signals on to it.
 * `beforeStart` is called, and waited for, each time.
 */
export async function runReloading(
  { program, args }: OwnCommand,
  beforeStart: () => Promise<void> | void = () => {},
): Promise<ReloadEnd> {
  let child: Deno.ChildProcess | null = null;
  let stopped = false;
  const pass = (signal: Deno.Signal) => {
    if (!signal.startsWith("SIGUSR")) stopped = true;
    if (TERMINAL_SIGNALS.has(signal) && Deno.stdin.isTerminal()) return; // it has it already
    try {
      child?.kill(signal);
    } catch {
      // It has ended; its status is on the way.
    }
  };
  const listeners = SIGNALS.map((signal) => [signal, () => pass(signal)] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  try {
    for (;;) {
      await beforeStart();
      if (stopped) return { code: 128 + constants.signals.SIGTERM, stopped };
      child = new Deno.Command(program, {
        args: [...args],
        env: { [VARIABLE]: String(Deno.pid) },
        stdin: "inherit",
        stdout: "inherit",
        stderr: "inherit",
      }).spawn();
      const { code } = await child.status;
      if (code !== RELOAD_CODE || stopped) return { code, stopped };
    }
  } finally {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}
