// A child runs the same program, with the same flags: permissions, unstable features, V8's. The
// runtime does not tell them: permissions can be asked for one by one, but not which addresses
// or paths are on their lists, and flags not at all. Linux does, by the command line of the
// process; but Deno lets nobody read that who has not all permissions. Whoever may start
// children may also start `deno eval`, which has them: it reads the line for us, in 50 ms. So
// that needs no permission beyond the one that the children need.

/** Is a program and what it is given. */
export interface OwnCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** Flags for whoever develops the program: one process watches, or is debugged. */
const PARENT_ONLY_REGEXP =
  /^(-r|--(reload|watch(-hmr|-exclude)?|(unstable-)?hmr|no-clear-screen|inspect(-brk|-wait|-publish-uid)?))(=|$)/;

/** Subcommands whose program is not one that can be run again by itself. */
const OTHER_COMMANDS: ReadonlySet<string> = new Set(["test", "bench", "serve", "jupyter", "repl"]);

/**
 * Returns what starts this program again: with `denoFlags` as the flags of `deno run`, else
 * with those that it was started with.
 *
 * @throws {Error} when it cannot be started again, or its flags cannot be found out.
 */
export async function ownCommand(denoFlags: readonly string[] | undefined): Promise<OwnCommand> {
  if (Deno.build.standalone || /\/\$deno\$\w+\.\w+$/.test(Deno.mainModule)) {
    throw new Error(
      "Cannot start processes: they run the program of deno run, and this is none",
    );
  }
  const program = ownProgram();
  if (denoFlags !== undefined) {
    return { program, args: ["run", ...denoFlags, Deno.mainModule, ...Deno.args] };
  }
  if (Deno.build.os !== "linux") {
    throw new Error(
      "Cannot start processes: only Linux tells the flags of this one; give them as denoFlags",
    );
  }
  const line = await readCommandLine(program);
  const rest = line.splice(line.length - Deno.args.length);
  const script = line.pop();
  if (script === undefined || rest.some((arg, at) => arg !== Deno.args[at])) {
    throw new Error(
      "Cannot start processes: the command line of this one is not understood; give denoFlags",
    );
  }
  const command = line.find((word) => !word.startsWith("-"));
  if (command !== undefined && OTHER_COMMANDS.has(command)) {
    throw new Error(
      `Cannot start processes: they run the program of deno run, and this is deno ${command}`,
    );
  }
  const flags = line.filter((word) => !PARENT_ONLY_REGEXP.test(word));
  return { program, args: [...flags, script, ...rest] };
}

// Permission to run `deno` by its name does not cover the path that a link there leads to.
function ownProgram(): string {
  const byName = Deno.permissions.querySync({ name: "run", command: "deno" });
  const path = Deno.execPath();
  const byPath = Deno.permissions.querySync({ name: "run", command: path });
  return byPath.state !== "granted" && byName.state === "granted" ? "deno" : path;
}

// The words after the name of the program.
async function readCommandLine(program: string): Promise<string[]> {
  const file = `/proc/${Deno.pid}/cmdline`;
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [
      "eval",
      "--no-config",
      "--no-lock",
      "--ext=js",
      `Deno.stdout.writeSync(Deno.readFileSync("${file}"))`,
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`Cannot start processes: ${file} was not read: ${decoder.decode(stderr)}`);
  }
  return decoder.decode(stdout).split("\0").slice(1, -1); // a NUL ends each word
}
