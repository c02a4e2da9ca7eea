/**
 * Runs a program, and runs it again when one of its files changes after it has ended, however it
 * ended: also when it could not be loaded.
 *
 *     deno run -A process/autoreload_cli.ts [--until-success] script.ts [argument...]
 *
 * The program gets the permissions and further flags of this one, and the arguments. With
 * `--until-success` all is over when it ends with 0. A program that looks for changes itself, see
 * `autoreload.start`, also starts anew while it runs.
 *
 * Only Linux tells the flags of a process; elsewhere they are given as `--deno-flags="-A ..."`.
 *
 * @module
 */
import { resolve } from "node:path";
import { FileWatch } from "./_file_watch.ts";
import { type OwnCommand, ownCommand } from "./_own_command.ts";
import { programFiles } from "./_program_files.ts";
import { missingReloadPermission, runReloading } from "./_reload_parent.ts";

const CHECK_MS = 500;
const USAGE =
  "Usage: autoreload_cli.ts [--until-success] [--deno-flags=FLAGS] script [argument...]\n";

interface Order {
  readonly untilSuccess: boolean;
  readonly denoFlags: readonly string[] | undefined;
  readonly script: string;
  readonly args: readonly string[];
}

/** Does what the arguments say, and returns the exit code. */
export async function main(args: readonly string[] = Deno.args): Promise<number> {
  const order = parseOrder(args);
  if (order === null) {
    print(USAGE);
    return 2;
  }
  const missing = missingReloadPermission();
  if (missing !== null) {
    print(`Cannot run ${order.script}: that needs deno run ${missing}\n`);
    return 2;
  }
  const command = await commandOf(order);
  let watch = new FileWatch();
  const beforeStart = async () => {
    watch = new FileWatch();
    watch.add(resolve(order.script));
    try {
      const { files } = await programFiles(command, order.args.length);
      for (const file of files) watch.add(file);
    } catch {
      // Such as when the script is not there: running it tells.
    }
  };
  for (;;) {
    const { code, stopped } = await runReloading(command, beforeStart);
    if (stopped || order.untilSuccess && code === 0) return code;
    print(`${order.script} ended with ${code}, waiting for a change\n`);
    while (watch.look() === null) await new Promise((done) => setTimeout(done, CHECK_MS));
    await watch.settle();
  }
}

function parseOrder(args: readonly string[]): Order | null {
  const at = args.findIndex((arg) => !arg.startsWith("--"));
  if (at < 0) return null;
  let denoFlags: string[] | undefined;
  let untilSuccess = false;
  for (const option of args.slice(0, at)) {
    const [, flags] = /^--deno-flags=(.*)$/s.exec(option) ?? [];
    if (flags !== undefined) denoFlags = flags.split(" ").filter((flag) => flag !== "");
    else if (option === "--until-success") untilSuccess = true;
    else return null;
  }
  return { untilSuccess, denoFlags, script: args[at]!, args: args.slice(at + 1) };
}

// This program's own command, with the script in its place.
async function commandOf({ denoFlags, script, args }: Order): Promise<OwnCommand> {
  const own = await ownCommand(denoFlags);
  const flags = own.args.slice(0, own.args.length - Deno.args.length - 1);
  return { program: own.program, args: [...flags, script, ...args] };
}

function print(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) Deno.exit(await main());
