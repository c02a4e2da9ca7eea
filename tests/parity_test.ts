// docs/parity.md claims what works; this keeps the claims and the tests together.
import { assertEquals } from "@std/assert";

interface Row {
  readonly number: string;
  readonly state: string;
  /** Names of tests, none in a row that is missing. */
  readonly tests: readonly string[];
}

const ROOT = new URL("../", import.meta.url);

/** Grows with a row that is added; none is ever taken out. */
const ROW_COUNT = 792;

/** A row of the table; the cell of the number tells it from other lines. */
const ROW_REGEXP = /^\| [A-Z]+b?\d+ \|/;

/** A bar that ends a cell, not one that is escaped. */
const CELL_END_REGEXP = /(?<!\\)\|/;

/** The name of a test or of a step, quoted in any of the three ways. */
const NAME_REGEXP =
  /(?:Deno\.test(?:\.\w+)?|\.step)\s*\(\s*(?:\{\s*name:\s*)?(["'`])((?:\\.|(?!\1)[^\\])*)\1/gs;

/** The name of a test that a function makes which a file calls at its top level. */
const MADE_NAME_REGEXP = /^\w+\(\s*"((?:\\.|[^"\\])*)"/gm;

/** A template of any kind, with a hole in it. */
const TEMPLATE_REGEXP = /`([^`]*\$\{[^`]*)`/g;

/** What stands in a hole of a template and is longer than this is written down somewhere. */
const MAX_UNKNOWN = 16;

const NUMBER_REGEXP = /^([A-Z]+b?)(\d+)$/;

/** Parses the table; throws on a row that does not have its five cells. */
function parseRows(page: string): Row[] {
  return page.split("\n").filter((line) => ROW_REGEXP.test(line)).map(
    (line) => {
      const cells = line.split(CELL_END_REGEXP).slice(1, -1)
        .map((cell) => cell.trim());
      const [number, , , state, tests] = cells;
      if (cells.length !== 5 || number === undefined || state === undefined) {
        throw new SyntaxError(
          `Cannot parse row, it has not five cells: ${line}`,
        );
      }
      const names = (tests ?? "").replaceAll("\\|", "|").split("<br>");
      return {
        number,
        state,
        tests: names.map((name) => name.trim()).filter((name) => name !== ""),
      };
    },
  );
}

/** Gives what is wrong with `rows`, one sentence for each fault. */
function faultsOf(rows: Row[], isTest: (name: string) => boolean): string[] {
  const faults: string[] = [];
  const counts = new Map<string, number>();
  for (const { number, state, tests } of rows) {
    const [, prefix = "", digits = ""] = NUMBER_REGEXP.exec(number) ?? [];
    const due = (counts.get(prefix) ?? 0) + 1;
    counts.set(prefix, due);
    if (Number(digits) !== due) {
      faults.push(`${number} stands where ${prefix} number ${due} should`);
    }
    if (state === "works") {
      if (tests.length === 0) faults.push(`${number} works but names no test`);
    } else if (state === "missing" || state === "left out") {
      if (tests.length > 0) {
        faults.push(`${number} is ${state} but names a test`);
      }
    } else {
      faults.push(`${number} has the unknown state "${state}"`);
    }
    for (const name of tests) {
      if (!isTest(name)) faults.push(`${number} names no test: "${name}"`);
    }
  }
  return faults;
}

/** Gives a predicate that knows the names of the tests in `sources`. */
function testNames(sources: readonly string[]): (name: string) => boolean {
  const plain = new Set<string>();
  const patterns: RegExp[] = [];
  for (const source of sources) {
    for (const [, quote, text = ""] of source.matchAll(NAME_REGEXP)) {
      if (quote === "`" && text.includes("${")) {
        patterns.push(patternOf(text));
      } else {
        plain.add(text.replace(/\\(["'`\\])/g, "$1"));
      }
    }
    for (const [, text = ""] of source.matchAll(MADE_NAME_REGEXP)) plain.add(text);
  }
  const nested = sources.flatMap((source) =>
    [...source.matchAll(TEMPLATE_REGEXP)].map(([, text = ""]) => patternOf(text))
  );
  const isMadeBy = (patterns: readonly RegExp[], name: string): boolean =>
    patterns.some((pattern) => pattern.exec(name)?.slice(1).every(isKnown) ?? false);
  const isKnown = (part: string): boolean =>
    part.length <= MAX_UNKNOWN || sources.some((source) => source.includes(part)) ||
    isMadeBy(nested, part);
  return (name) => plain.has(name) || isMadeBy(patterns, name);
}

/** A name with parts put in at run time, which are captured. */
function patternOf(template: string): RegExp {
  const parts = template.split(/\$\{[^}]*\}/).map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join("(.+)")}$`);
}

async function readTests(folder: URL): Promise<string[]> {
  const sources: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory) {
      sources.push(...await readTests(new URL(`${entry.name}/`, folder)));
    } else if (entry.name.endsWith(".ts")) {
      sources.push(await Deno.readTextFile(new URL(entry.name, folder)));
    }
  }
  return sources;
}

Deno.test("docs/parity.md names tests that exist, known states and each number once", async () => {
  const page = await Deno.readTextFile(new URL("docs/parity.md", ROOT));
  const sources = await readTests(new URL("tests/", ROOT));
  assertEquals(faultsOf(parseRows(page), testNames(sources)), []);
});

Deno.test("docs/parity.md has all its rows", async () => {
  const page = await Deno.readTextFile(new URL("docs/parity.md", ROOT));
  assertEquals(parseRows(page).length, ROW_COUNT);
});

Deno.test("the parity check finds each kind of fault", () => {
  const table = [
    "| A01 | a | b | works | one |",
    "| A02 | a | b | works | two tcp |",
    "| A03 | a | `b \\| c` | works | |",
    "| A04 | a | b | missing | one |",
    "| A05 | a | b | partly | |",
    "| A05 | a | b | missing | |",
    "| Ab01 | | b | works | none<br>one |",
    "| Ab02 | | b | works | two things that nobody wrote down<br>made |",
  ].join("\n");
  const isTest = testNames([
    'Deno.test("one", () => {});',
    "Deno.test(`two ${kind}`, () => {});",
    'inLoop(\n  "made", () => {});',
  ]);
  assertEquals(faultsOf(parseRows(table), isTest), [
    "A03 works but names no test",
    "A04 is missing but names a test",
    'A05 has the unknown state "partly"',
    "A05 stands where A number 6 should",
    'Ab01 names no test: "none"',
    'Ab02 names no test: "two things that nobody wrote down"',
  ]);
});
