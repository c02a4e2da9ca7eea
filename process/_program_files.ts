// Which files a program is made of, `deno info` tells in some 15 ms: all local modules that it
// imports, also by import() of a literal, and where one cannot be parsed.
import { fileURLToPath } from "node:url";
import type { OwnCommand } from "./_own_command.ts";

/** Is what a program is made of. */
export interface ProgramFiles {
  /** The local modules. */
  readonly files: readonly string[];
  /** What is wrong with modules, by their addresses: they are broken, or not there. */
  readonly errors: ReadonlyMap<string, string>;
}

interface Module {
  readonly specifier: string;
  readonly error?: string;
}

// Flags that change what an import means, and which have their value in the next word or their own.
const PAIR_REGEXP = /^(-c|--config|--import-map|--lock|--cert)$/;
const FLAG_REGEXP = new RegExp(
  "^(-c.+|-I.*|--(config=.*|no-config|import-map=.*|no-remote|no-npm|node-modules-dir(=.*)?|" +
    "vendor(=.*)?|lock(=.*)?|no-lock|cert=.*|allow-import(=.*)?|unstable-.*))$",
);

/**
 * Returns what the program is made of that `command` runs with `argumentCount` arguments.
 *
 * @throws {Error} when that cannot be found out.
 */
export async function programFiles(
  { program, args }: OwnCommand,
  argumentCount: number,
): Promise<ProgramFiles> {
  const at = args.length - argumentCount - 1;
  const script = args[at]!;
  const flags = args.slice(0, at).filter(changesImports);
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: ["info", "--json", ...flags, script],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot find the modules of ${script}: ${decoder.decode(stderr)}`);
  const { modules } = JSON.parse(decoder.decode(stdout)) as { modules: readonly Module[] };
  const local = modules.filter(({ specifier }) => specifier.startsWith("file:"));
  return {
    files: local.map(({ specifier }) => fileURLToPath(specifier)),
    errors: new Map(
      local.flatMap(({ specifier, error }) => error === undefined ? [] : [[specifier, error]]),
    ),
  };
}

function changesImports(flag: string, at: number, flags: readonly string[]): boolean {
  return FLAG_REGEXP.test(flag) || PAIR_REGEXP.test(flag) || PAIR_REGEXP.test(flags[at - 1] ?? "");
}
