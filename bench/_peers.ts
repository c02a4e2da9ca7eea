import { DENO } from "./_deno_command.ts";
import { nodeServers } from "./_node_packages.ts";
import { programOutput } from "./_programs.ts";
import type { Peer } from "./_server_process.ts";
import type { SuiteOptions } from "./_suite.ts";

/** A server that may be measured, if what runs it is there. */
export interface Candidate {
  readonly name: string;
  /** Its file in the folder `servers`. */
  readonly file: string;
  readonly runtime: Runtime;
  /** Names of the works that it cannot do. */
  readonly lacks?: readonly string[];
}

/** Those that have packages of Node lie in a folder with these. */
export type Runtime = "deno" | "node" | "node with packages" | "tornado";

/** A candidate that can be measured. */
export interface MeasuredPeer extends Peer {
  readonly lacks: readonly string[];
}

/** Gives those candidates that are wanted and can run here; says which cannot. */
export async function measuredPeers(
  candidates: readonly Candidate[],
  { peers, log }: SuiteOptions,
): Promise<MeasuredPeer[]> {
  const found: MeasuredPeer[] = [];
  for (const { name, file, runtime, lacks = [] } of candidates) {
    if (peers !== null && !peers.includes(name)) continue;
    try {
      const { lacks: more = [], ...peer } = await RUNTIMES[runtime]();
      found.push({ name, file, lacks: [...lacks, ...more], ...peer });
    } catch (error) {
      await log(`${name} is left out: ${error instanceof Error ? error.message : error}`);
    }
  }
  return found;
}

type Running = Pick<Peer, "command" | "folder"> & Partial<Pick<MeasuredPeer, "lacks">>;

const RUNTIMES: Readonly<Record<Runtime, () => Promise<Running>>> = {
  deno: () => Promise.resolve({ command: DENO }),
  node: runByNode,
  "node with packages": async () => ({ ...await runByNode(), folder: await nodeServers() }),
  tornado: async () => ({ command: [await pythonWithTornado()] }),
};

/** Gives what runs programs of Node: Deno, where that is missing, which has no cluster. */
async function runByNode(): Promise<Running> {
  return await nodeVersion() === null ? { command: DENO, lacks: ["group"] } : { command: ["node"] };
}

/** Gives the version of Node; `null` where there is none, or what is called so is Deno. */
async function nodeVersion(): Promise<string | null> {
  const text = await programOutput("node", "--version");
  return text?.match(/^v([\d.]+)$/)?.[1] ?? null;
}

/** Gives the name of a Python that has Tornado. */
async function pythonWithTornado(): Promise<string> {
  for (const program of ["python3", "/usr/bin/python3"]) {
    if (await programOutput(program, "-c", "import tornado") !== null) return program;
  }
  throw new Error("there is no Python with Tornado");
}

/** Says what ran: the versions of the runtimes, as far as they are there. */
export async function versions(): Promise<string> {
  const tornado = "import platform, tornado; " +
    "print('Tornado', tornado.version, 'on Python', platform.python_version())";
  const python = await pythonWithTornado().catch(() => null);
  const node = await nodeVersion();
  return [
    `Deno ${Deno.version.deno}`,
    node === null ? "no Node: its peers run on Deno" : `Node ${node}`,
    python === null ? "no Tornado" : await programOutput(python, "-c", tornado),
  ].join(", ");
}
