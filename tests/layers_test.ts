// Imports point one way, also those of types only: a lower layer must be readable,
// and replaceable, without the ones above it.
import { assert, assertEquals } from "@std/assert";

/** From the lowest up: a folder imports what stands before it. */
const LAYERS = ["ioloop", "gen", "iostream", "http", "web", "websocket"];

/** Folders that may import every layer, and which only the face imports. */
const TOPS = ["process", "testing"];

const ROOT = new URL("../", import.meta.url);

/** Which files of the project a file imports, both as paths from the root. */
type Imports = ReadonlyMap<string, readonly string[]>;

/** What `deno info --json` tells of a module, as far as it is needed here. */
interface ModuleInfo {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier?: string };
    readonly type?: { readonly specifier?: string };
  }[];
}

async function readImports(): Promise<Imports> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "mod.ts"],
    cwd: ROOT,
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: ModuleInfo[];
  };
  const imports = new Map<string, string[]>();
  for (const { specifier, error, dependencies = [] } of modules) {
    assertEquals(error, undefined);
    if (!isOwn(specifier)) continue;
    const targets = dependencies
      .flatMap(({ code, type }) => [code?.specifier, type?.specifier])
      .filter((target) => target !== undefined)
      .filter(isOwn);
    imports.set(pathOf(specifier), [...new Set(targets)].map(pathOf));
  }
  return imports;
}

/** The packages under std/ stand in for others, so they are not ours. */
function isOwn(specifier: string): boolean {
  return specifier.startsWith(ROOT.href) &&
    !specifier.startsWith(`${ROOT.href}std/`);
}

function pathOf(specifier: string): string {
  return specifier.slice(ROOT.href.length);
}

/** The folder at the root that `path` is in; empty for a file at the root. */
function layerOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

function mayImport(from: string, to: string): boolean {
  if (from === "" || from === to) return true;
  if (TOPS.includes(from)) return LAYERS.includes(to);
  return LAYERS.includes(to) && LAYERS.indexOf(to) < LAYERS.indexOf(from);
}

/** Gives the imports that do not point down. */
function upwardImports(imports: Imports): string[] {
  return edges(imports)
    .filter(([from, to]) => !mayImport(layerOf(from), layerOf(to)))
    .map(([from, to]) => `${from} imports ${to}`);
}

/** Gives the imports of a private file from outside the folder it is in. */
function foreignPrivateImports(imports: Imports): string[] {
  return edges(imports)
    .filter(([from, to]) =>
      to.slice(folderOf(to).length).startsWith("_") &&
      !from.startsWith(folderOf(to))
    )
    .map(([from, to]) => `${from} imports ${to}`);
}

function edges(imports: Imports): [string, string][] {
  return [...imports].flatMap(([from, targets]) =>
    targets.map((to): [string, string] => [from, to])
  );
}

/** Gives one cycle, from a file back to itself, or nothing. */
function findCycle(imports: Imports): string[] {
  const done = new Set<string>(); // files from which no cycle can be reached
  function walk(file: string, trail: string[]): string[] {
    const at = trail.indexOf(file);
    if (at >= 0) return [...trail.slice(at), file];
    if (done.has(file)) return [];
    for (const target of imports.get(file) ?? []) {
      const cycle = walk(target, [...trail, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  }
  for (const file of imports.keys()) {
    const cycle = walk(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

Deno.test("mod.ts reaches every face, and imports point down, without a cycle", async (t) => {
  const imports = await readImports();
  await t.step("mod.ts imports the face of every folder", () => {
    const faces = [...LAYERS, ...TOPS].map((folder) => `${folder}/mod.ts`);
    assertEquals(imports.get("mod.ts")?.toSorted(), faces.toSorted());
  });
  await t.step("no import points up", () => {
    assertEquals(upwardImports(imports), []);
  });
  await t.step("no file is imported by what it imports", () => {
    assertEquals(findCycle(imports), []);
  });
  await t.step("no _file.ts is imported from outside its folder", () => {
    assertEquals(foreignPrivateImports(imports), []);
  });
});

Deno.test("the layer checks find an import that points up, a cycle, a private file", () => {
  const imports = new Map([
    ["mod.ts", ["web/mod.ts", "process/mod.ts"]],
    ["process/mod.ts", ["web/mod.ts"]],
    ["web/mod.ts", ["process/mod.ts", "web/_a.ts", "web/template/_b.ts"]],
    ["web/_a.ts", ["gen/mod.ts", "web/mod.ts"]],
    ["web/template/_b.ts", ["web/_a.ts"]],
    ["gen/mod.ts", ["iostream/mod.ts"]],
  ]);
  assertEquals(upwardImports(imports), [
    "web/mod.ts imports process/mod.ts",
    "gen/mod.ts imports iostream/mod.ts",
  ]);
  assertEquals(foreignPrivateImports(imports), [
    "web/mod.ts imports web/template/_b.ts",
  ]);
  assertEquals(findCycle(imports), [
    "web/mod.ts",
    "process/mod.ts",
    "web/mod.ts",
  ]);
});

Deno.test("deno.json exports the face of every folder and lints the documentation of each", async () => {
  const config = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  ) as {
    exports: Record<string, string>;
    tasks: Record<string, { command: string }>;
  };
  const folders = [...LAYERS, ...TOPS];
  assertEquals(config.exports, {
    ".": "./mod.ts",
    ...Object.fromEntries(
      folders.map((folder) => [`./${folder}`, `./${folder}/mod.ts`]),
    ),
    "./autoreload": "./process/autoreload_cli.ts", // a program
    "./telemetry": "./web/telemetry.ts", // apart from its folder: it loads OpenTelemetry
  });
  const linted = config.tasks["doc-lint"]?.command.split(" ") ?? [];
  for (const file of Object.values(config.exports)) {
    assert(linted.includes(file.slice("./".length)), `${file} is not linted`);
    assert((await Deno.stat(new URL(file, ROOT))).isFile);
  }
});
