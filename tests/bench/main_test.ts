// The command as a whole. Figures of runs as short as these mean nothing: what counts is that they
// are there.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { replaceBetween } from "../../bench/_report.ts";

const ROOT = new URL("../../", import.meta.url);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function bench(...args: string[]): Promise<Ended> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-P=bench", "bench/main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Gives the rows of the tables by their first cell; of several tables, the first has it. */
function rowsOf(markdown: string): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  for (const line of markdown.split("\n").filter((line) => line.startsWith("|"))) {
    const [name, ...cells] = line.split("|").slice(1, -1).map((cell) => cell.trim());
    if (!rows.has(name!)) rows.set(name!, cells);
  }
  return rows;
}

Deno.test("bench measures two HTTP servers in everything that is asked of them", async () => {
  const only = ["--quick", "--only", "http", "--peers", "Waterspout,Deno.serve"];
  const { code, stdout, stderr } = await bench(...only, "--seconds", "0.05");
  assertEquals(code, 0, stderr);
  const rows = rowsOf(stdout);
  assertEquals(rows.get(""), ["Waterspout", "Deno.serve"]);
  for (
    const work of [
      "plain GET",
      "plain GET, 16 at once",
      "JSON",
      "POST of 1 KiB of JSON",
      "50 routes, 20 headers",
      "page of 50 rows",
      "file of 1 KiB",
      "file of 1 MiB",
      "stream of 10 chunks",
      "plain GET over TLS",
      "plain GET, two processes",
      "idle connections",
    ]
  ) {
    assertEquals(rows.get(work)?.length, 2, `${work} has two figures in\n${stdout}`);
  }
  assertStringIncludes(stdout, "![HTTP server: plain GET, ");
});

Deno.test("bench says what it can do", async () => {
  const { code, stdout } = await bench("--help");
  assertEquals(code, 0);
  for (
    const option of ["--rounds", "--seconds", "--only", "--peers", "--quick", "--write", "--help"]
  ) {
    assertStringIncludes(stdout, `  ${option} `);
  }
  assertMatch(stdout, /^Suites: .*\bhttp\b.*\bwebsocket\b.*\.$/m);
});

const MISTAKES: readonly [what: string, args: readonly string[], error: string][] = [
  ["a suite", ["--only", "nosuch"], 'Cannot run "nosuch": suites are client, '],
  ["peers", ["--quick", "--only", "http", "--peers", "nosuch"], "Cannot measure nosuch: no suite"],
  ["no rounds", ["--rounds", "0"], "Cannot measure 0 rounds: expected a number above 0"],
  ["half a round", ["--rounds", "1.5"], "Cannot measure 1.5 rounds: expected"],
  ["no time", ["--seconds", "x"], "Cannot measure x seconds: expected a number above 0"],
  [
    "what means nothing",
    ["--quick", "--write"],
    "Cannot write: figures of a quick run mean nothing",
  ],
];
for (const [what, args, error] of MISTAKES) {
  Deno.test(`bench refuses ${what} (${args.join(" ")})`, async () => {
    const { code, stderr } = await bench(...args);
    assertEquals(code, 1);
    assertStringIncludes(stderr, error);
  });
}

Deno.test("the page of the benchmarks has a place for what each suite finds", async () => {
  const page = await Deno.readTextFile(new URL("docs/benchmarks.md", ROOT));
  const suites = (await Array.fromAsync(Deno.readDir(new URL("bench/suites/", ROOT))))
    .map(({ name }) => name.replace(/\.ts$/, ""));
  assert(suites.length > 2);
  for (const suite of suites) replaceBetween(page, `bench: ${suite}`, "");
});
