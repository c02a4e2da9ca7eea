import { availableProgram } from "./_programs.ts";

/** What the peers on Node need, each in one version, so that runs can be compared. */
const PACKAGES = {
  "@fastify/static": "10.1.11",
  "express": "5.3.0",
  "fastify": "5.12.8",
  "ws": "8.23.0",
};

let installed: Promise<string> | null = null;

/**
 * Gives a folder outside of this repository with the servers that Node runs and the packages that
 * they need, which are installed when they are not there yet.
 *
 * @throws {Error} when they cannot be installed.
 */
export function nodeServers(): Promise<string> {
  return installed ??= install();
}

async function install(): Promise<string> {
  const caches = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  const folder = `${caches}/waterspout-bench`;
  const wanted = JSON.stringify({ private: true, dependencies: PACKAGES });
  await Deno.mkdir(folder, { recursive: true });
  if (await textOf(`${folder}/installed.json`) !== wanted) {
    await Deno.writeTextFile(`${folder}/package.json`, wanted);
    const [program, ...args] = await availableProgram("npm")
      ? ["npm", "install", "--no-audit", "--no-fund"]
      : [Deno.execPath(), "install"];
    const command = new Deno.Command(program!, { args, cwd: folder });
    const { success, stderr } = await command.output();
    if (!success) {
      throw new Error(`Cannot install packages: ${new TextDecoder().decode(stderr)}`);
    }
    await Deno.writeTextFile(`${folder}/installed.json`, wanted);
  }
  const servers = new URL("servers/", import.meta.url);
  for await (const { name } of Deno.readDir(servers)) {
    if (name.endsWith(".mjs")) await Deno.copyFile(new URL(name, servers), `${folder}/${name}`);
  }
  return folder;
}

/** Gives the text of a file; `null` where there is none. */
async function textOf(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
