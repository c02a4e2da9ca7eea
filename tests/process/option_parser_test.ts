import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { OptionParser, OptionsError, type OptionSpec } from "../../process/mod.ts";

/** A parser that notes what it prints and how it would end the process. */
function quietParser() {
  const seen: (string | number)[] = [];
  const parser = new OptionParser({
    write: (text) => seen.push(text),
    exit: (code) => seen.push(code),
  });
  return { parser, seen };
}

/** Writes a file and gives its path to `body`. */
async function withFile(
  name: string,
  text: string,
  body: (path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/${name}`;
    await Deno.writeTextFile(path, text);
    await body(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function help(parser: OptionParser<object>): string {
  let text = "";
  parser.printHelp((piece) => text += piece);
  return text;
}

Deno.test("parseCommandLine() takes --name=value and --flag, and returns the rest", () => {
  const parser = new OptionParser().define("port", { default: 80 }).define("debug", {
    default: false,
  });
  assertEquals(parser.values.port, 80);
  assertEquals(parser.parseCommandLine(["--port=443", "--debug"]), []);
  assertEquals([parser.values.port, parser.values.debug], [443, true]);
  assertEquals(parser.parseCommandLine(["--debug=false", "run", "--port=1"]), ["run", "--port=1"]);
  assertEquals(parser.parseCommandLine(["-port=2", "--", "--port=3"]), ["--port=3"]);
  assertEquals([parser.values.port, parser.values.debug], [2, false]);
  assertEquals(parser.parseCommandLine(["-", "--port=4"]), ["-", "--port=4"]);
});

Deno.test("parseCommandLine() keeps what stands behind the first = as it is", () => {
  const parser = new OptionParser().define("query").define("empty");
  parser.parseCommandLine(["--query=a=b\n--c", "--empty="]);
  assertEquals([parser.values.query, parser.values.empty], ["a=b\n--c", ""]);
});

Deno.test("parseCommandLine() leaves a subcommand its own options", () => {
  const parser = new OptionParser().define("verbose", { default: false });
  const rest = parser.parseCommandLine(["--verbose", "serve", "--port=80", "file"]);
  assertEquals(rest[0], "serve");
  const serve = new OptionParser().define("port", { default: 8888 });
  assertEquals(serve.parseCommandLine(rest.slice(1)), ["file"]);
  assertEquals(serve.values.port, 80);
});

Deno.test("parseCommandLine() refuses an unknown option and prints the help", () => {
  const { parser, seen } = quietParser();
  assertThrows(
    () => parser.parseCommandLine(["--prot=80"]),
    OptionsError,
    "Cannot parse --prot=80: there is no option --prot",
  );
  assertEquals(seen.join(""), help(parser));
});

Deno.test("parseCommandLine() refuses an option without the value it needs", () => {
  const parser = new OptionParser().define("port", { default: 80 });
  assertThrows(
    () => parser.parseCommandLine(["--port"]),
    OptionsError,
    "Cannot parse --port: the option needs a value, --port=...",
  );
});

Deno.test("parseCommandLine() prints the help and ends with 0 for --help", () => {
  const { parser, seen } = quietParser();
  parser.parseCommandLine(["--help"]);
  assertEquals(seen.at(-1), 0);
  assertEquals(seen.slice(0, -1).join(""), help(parser));
  seen.length = 0;
  parser.parseCommandLine(["--help=false"]);
  assertEquals(seen, []);
});

Deno.test("define() makes one name of its spellings everywhere", async () => {
  for (const name of ["my-port", "my_port", "myPort"]) {
    const parser: OptionParser<object> = new OptionParser();
    parser.define(name, { default: 1 });
    for (const arg of ["my-port", "my_port", "myPort"]) {
      parser.parseCommandLine([`--${arg}=2`]);
      assertEquals([parser.get(arg), parser.has(arg)], [2, true]);
      parser.set(arg, 3);
      assertEquals(parser.asDict(), { help: null, myPort: 3 });
      await withFile("config.json", JSON.stringify({ [arg]: 4 }), async (path) => {
        await parser.parseConfigFile(path);
      });
      assertEquals(parser.get("myPort"), 4);
    }
  }
});

Deno.test("define() refuses a name that is defined, in each pair of spellings", () => {
  const spellings = ["foo-bar", "foo_bar", "fooBar"];
  for (const first of spellings) {
    for (const second of spellings) {
      const parser: OptionParser<object> = new OptionParser();
      parser.define(first);
      assertThrows(() => parser.define(second), OptionsError, `Cannot define option ${second}`);
    }
  }
  const parser: OptionParser<object> = new OptionParser();
  assertThrows(() => parser.define("help"), OptionsError, "it was defined already");
  parser.define("twice");
  const here = import.meta.filename!;
  assertThrows(() => parser.define("twice"), OptionsError, `defined already in ${here}`);
});

Deno.test("define() refuses a default that is not of the type", () => {
  const parser: OptionParser<object> = new OptionParser();
  assertThrows(() => parser.define("a", { default: "1", type: Number }), OptionsError);
  assertThrows(() => parser.define("a", { default: 1, multiple: true }), OptionsError);
  assertEquals(parser.has("a"), false);
});

class Version {
  readonly parts: readonly number[];

  constructor(text: string) {
    this.parts = text.split(".").map(Number);
    if (this.parts.some(Number.isNaN)) throw new TypeError(`no version: ${text}`);
  }
}

const NOON = new Date(2026, 10, 21, 12, 5);

/** What text means to a type, and a value that is of another one. */
const TYPES: Readonly<Record<string, [OptionSpec, string, unknown, unknown]>> = {
  text: [{ type: String }, "80", "80", 80],
  number: [{ type: Number }, "-1.5e3", -1500, "1"],
  int: [{ type: "int" }, "42", 42, 1.5],
  flag: [{ type: Boolean }, "t", true, "true"],
  date: [{ type: Date }, "2026-11-21 12:05", NOON, 0],
  duration: [{ type: "duration" }, "1h30m", 5_400_000, "1h"],
  klass: [{ type: Version }, "1.2", new Version("1.2"), "1.2"],
  call: [{ type: (text: string) => text.length }, "abc", 3, undefined],
  texts: [{ type: String, multiple: true }, "a,b", ["a", "b"], "a"],
  ints: [{ type: "int", multiple: true }, "1,3,5:7,9:8", [1, 3, 5, 6, 7], [1, "2"]],
  dates: [{ type: Date, multiple: true }, "2026-11-21T12:05", [NOON], NOON],
};

function typedParser(): OptionParser<object> {
  const parser: OptionParser<object> = new OptionParser();
  for (const [name, [spec]] of Object.entries(TYPES)) parser.define(name, spec);
  return parser;
}

const EXPECTED = Object.fromEntries(Object.entries(TYPES).map(([name, row]) => [name, row[2]]));

Deno.test("OptionParser has no value, or an empty list, until one is given", () => {
  const parser = typedParser();
  for (const name of Object.keys(TYPES)) {
    assertEquals(parser.get(name), TYPES[name]![0].multiple ? [] : null);
  }
});

Deno.test("parseCommandLine() reads text as each type", () => {
  const parser = typedParser();
  parser.parseCommandLine(Object.entries(TYPES).map(([name, row]) => `--${name}=${row[1]}`));
  assertEquals(parser.asDict(), { help: null, ...EXPECTED });
});

Deno.test("parseConfigFile() reads text as each type", async () => {
  const parser = typedParser();
  const text = Object.fromEntries(Object.entries(TYPES).map(([name, row]) => [name, row[1]]));
  await withFile("textual.json", JSON.stringify(text), (path) => parser.parseConfigFile(path));
  assertEquals(parser.asDict(), { help: null, ...EXPECTED });
});

Deno.test("parseConfigFile() takes typed values from the exports of a module", async () => {
  const parser: OptionParser<object> = new OptionParser();
  for (const [name, [spec]] of Object.entries(TYPES)) {
    if (name !== "klass" && name !== "call") parser.define(name, spec);
  }
  const module = `
    export const text = "80", number = -1500, int = 42, flag = true, duration = 5_400_000;
    export const date = new Date(2026, 10, 21, 12, 5), dates = [date], texts = ["a", "b"];
    export const ints = [1, 3, 5, 6, 7];`;
  await withFile("typed.ts", module, (path) => parser.parseConfigFile(path));
  const { klass: _, call: __, ...expected } = EXPECTED;
  assertEquals(parser.asDict(), { help: null, ...expected });
});

Deno.test("set() checks the type, and takes null", () => {
  const parser = typedParser();
  for (const [name, [, , value, wrong]] of Object.entries(TYPES)) {
    parser.set(name, value);
    assertEquals(parser.get(name), value);
    if (name === "call") continue; // what a function makes, nobody knows
    assertThrows(() => parser.set(name, wrong), OptionsError, `Cannot set option --${name}`);
    assertEquals(parser.get(name), value);
  }
  parser.set("int", null);
  assertEquals(parser.get("int"), null);
  assertThrows(() => parser.set("nobody", 1), OptionsError, "Cannot find option nobody");
  assertThrows(() => parser.get("nobody"), OptionsError, "Cannot find option nobody");
  assertEquals(parser.has("nobody"), false);
});

Deno.test("parseCommandLine() refuses text that stands for no value", () => {
  const parser = typedParser();
  const wrong: [string, string][] = [
    ["number", "abc"],
    ["number", ""],
    ["int", "1.5"],
    ["int", "9007199254740993"],
    ["ints", "1,x"],
    ["ints", "1:"],
    ["date", "2026-02-30"],
    ["date", "2026-11-21 25:00"],
    ["date", "yesterday"],
    ["duration", "1x"],
    ["duration", ""],
    ["duration", "h"],
    ["duration", `${"1".repeat(100)}!`],
    ["klass", "1.x"],
  ];
  for (const [name, text] of wrong) {
    assertThrows(
      () => parser.parseCommandLine([`--${name}=${text}`]),
      OptionsError,
      `Cannot parse --${name}=${text}: expected `,
    );
    assertEquals(parser.get(name), TYPES[name]![0].multiple ? [] : null);
  }
});

Deno.test("parseCommandLine() tells what the type of an option threw", () => {
  const error = assertThrows(
    () => typedParser().parseCommandLine(["--klass=1.x"]),
    OptionsError,
    "Cannot parse --klass=1.x: expected a Version: no version: 1.x",
  );
  assertEquals((error.cause as Error).constructor, TypeError);
});

Deno.test("an option of type Boolean is false for false, f and 0 in any case", () => {
  const parser = new OptionParser().define("flag", { default: true });
  for (const text of ["false", "FALSE", "f", "F", "0"]) {
    parser.parseCommandLine(["--flag", `--flag=${text}`]);
    assertEquals(parser.values.flag, false);
  }
  for (const text of ["true", "t", "1", "yes", ""]) {
    parser.parseCommandLine(["--flag=0", `--flag=${text}`]);
    assertEquals(parser.values.flag, true);
  }
});

Deno.test("an option of type Date reads ten formats", () => {
  const parser = new OptionParser().define("at", { type: Date });
  const minute = new Date(2013, 3, 28, 5, 16);
  const second = new Date(2013, 3, 28, 5, 16, 20);
  const day = new Date(2013, 3, 28);
  const formats: [string, Date][] = [
    ["Sun Apr 28 05:16:20 2013", second],
    ["2013-04-28 05:16:20", second],
    ["2013-04-28 05:16", minute],
    ["2013-04-28T05:16", minute],
    ["20130428 05:16:20", second],
    ["20130428 05:16", minute],
    ["2013-04-28", day],
    ["20130428", day],
    ["05:16:20", new Date(1900, 0, 1, 5, 16, 20)],
    ["05:16", new Date(1900, 0, 1, 5, 16)],
  ];
  for (const [text, expected] of formats) {
    parser.parseCommandLine([`--at=${text}`]);
    assertEquals(parser.values.at, expected, text);
  }
});

Deno.test("an option of type duration adds up numbers with units", () => {
  const parser = new OptionParser().define("time", { type: "duration" });
  const durations: [string, number][] = [
    ["45", 45_000],
    ["45s", 45_000],
    ["1h30m", 5_400_000],
    [" 1 hours 30 min ", 5_400_000],
    ["1.5H", 5_400_000],
    ["250ms", 250],
    ["500us", 0.5],
    ["1w2d", 777_600_000],
    ["1e2 sec", 100_000],
    ["1h -10m", 3_000_000],
  ];
  for (const [text, ms] of durations) {
    parser.parseCommandLine([`--time=${text}`]);
    assertEquals(parser.values.time, ms, text);
  }
});

Deno.test("OptionParser.values has the types of what was defined", () => {
  const parser = new OptionParser()
    .define("port", { default: 8888 })
    .define("my-name")
    .define("hosts", { multiple: true })
    .define("ids", { type: "int", multiple: true })
    .define("since", { type: Date })
    .define("site", { type: URL, default: new URL("http://a/") })
    .define("length", { type: (text: string) => BigInt(text) });
  const { values } = parser;
  assertType<IsExact<typeof values.port, number>>(true);
  assertType<IsExact<typeof values.myName, string | null>>(true);
  assertType<IsExact<typeof values.hosts, readonly string[]>>(true);
  assertType<IsExact<typeof values.ids, readonly number[]>>(true);
  assertType<IsExact<typeof values.since, Date | null>>(true);
  assertType<IsExact<typeof values.site, URL>>(true);
  assertType<IsExact<typeof values.length, bigint | null>>(true);
  parser.parseCommandLine(["--site=http://b/", "--length=12"]);
  assertEquals([values.site, values.length], [new URL("http://b/"), 12n]);
  values.port = 80;
  assertEquals(parser.get("port"), 80);
  assertThrows(() => (values as { port: unknown }).port = "80", OptionsError);
});

Deno.test("OptionParser can be iterated, and gives its values as items and as a record", () => {
  const parser = new OptionParser().define("a-b", { default: 1 }).define("c", { default: "x" });
  assertEquals([...parser], ["help", "aB", "c"]);
  assertEquals(parser.items(), [["help", null], ["aB", 1], ["c", "x"]]);
  assertEquals({ ...parser.values }, { help: null, aB: 1, c: "x" });
});

Deno.test("groups() are those that were given, and the files that define the others", () => {
  const parser = new OptionParser().define("a", { default: 1 }).define("b", {
    default: 2,
    group: "application",
  });
  const here = import.meta.filename!;
  assertEquals(parser.groups(), new Set(["", here, "application"]));
  assertEquals(parser.groupDict("application"), { b: 2 });
  assertEquals(parser.groupDict(here), { a: 1 });
  assertEquals(parser.groupDict("none"), {});
});

Deno.test("callback is called with each value that is given", () => {
  const seen: unknown[] = [];
  const parser = new OptionParser()
    .define("port", { default: 80, callback: (port: number) => seen.push(port) })
    .define("ids", { type: "int", multiple: true, callback: (ids: number[]) => seen.push(ids) });
  assertEquals(seen, []);
  parser.parseCommandLine(["--port=1", "--ids=1:2"]);
  parser.set("port", 2);
  parser.values.port = 3;
  assertThrows(() => parser.set("port", "4"), OptionsError);
  assertEquals(seen, [1, [1, 2], 2, 3]);
});

Deno.test("parse callbacks are called by every final parse, and no other", async () => {
  const parser = new OptionParser().define("port", { default: 80 });
  const seen: string[] = [];
  parser.addParseCallback(() => seen.push(`first ${parser.values.port}`));
  parser.addParseCallback(() => seen.push("second"));
  parser.parseCommandLine(["--port=1"], { final: false });
  assertEquals(seen, []);
  await withFile("a.json", `{ "port": 2 }`, async (path) => {
    await parser.parseConfigFile(path, { final: false });
    assertEquals(seen, []);
    parser.parseCommandLine([]);
    assertEquals(seen, ["first 2", "second"]);
    await parser.parseConfigFile(path);
  });
  parser.runParseCallbacks();
  assertEquals(seen, Array(3).fill(["first 2", "second"]).flat());
});

Deno.test("mock() sets an option for a while, also one in another", async () => {
  const seen: unknown[] = [];
  const parser = new OptionParser().define("port", {
    default: 80,
    callback: (port: number) => seen.push(port),
  });
  const { values } = parser;
  const result = parser.mock("port", 1, () => {
    assertEquals(values.port, 1);
    parser.mock("port", 2, () => assertEquals(values.port, 2));
    assertEquals(values.port, 1);
    return "done";
  });
  assertEquals([result, values.port, seen], ["done", 80, [1, 2, 1, 80]]);
  assertThrows(
    () =>
      parser.mock("port", 3, () => {
        throw new RangeError("from the body");
      }),
    RangeError,
    "from the body",
  );
  assertEquals(values.port, 80);
  const { promise, resolve } = Promise.withResolvers<void>();
  const mocked = parser.mock("port", 4, () => promise);
  assertEquals(values.port, 4);
  resolve();
  await mocked;
  assertEquals(values.port, 80);
  assertThrows(() => parser.mock("port", "5", () => {}), OptionsError);
});

Deno.test("parseConfigFile() takes JSON with comments, unicode, and ignores unknown names", async () => {
  const parser = new OptionParser().define("name").define("port", { default: 80 });
  const text = `{
    // the name, as people write it
    "name": "tschüß // 世界", /* and */ "other": [1, 2],
    "port": 81,
  }`;
  await withFile("config.jsonc", text, (path) => parser.parseConfigFile(path));
  assertEquals([parser.values.name, parser.values.port], ["tschüß // 世界", 81]);
  assertEquals(parser.has("other"), false);
});

Deno.test("parseConfigFile() of a module lets it know its own path", async () => {
  const parser = new OptionParser().define("config");
  const module = `export const config = import.meta.filename;`;
  await withFile("own path.ts", module, async (path) => {
    await parser.parseConfigFile(path);
    assertEquals(parser.values.config, path);
    await parser.parseConfigFile(new URL(`file://${path.replaceAll(" ", "%20")}`));
  });
});

Deno.test("parseConfigFile() names file and place of what is broken", async () => {
  const parser = new OptionParser().define("port", { default: 80 });
  const broken: [string, string, string][] = [
    ["broken.json", `{\n  "port": 1,\n  oops\n}`, "line 3 column 3"],
    ["broken.jsonc", `{\n  // one\n  "port": ,\n}`, "ValueExpected at line 3 column 11"],
    ["broken.ts", "export const port = ;", "broken.ts:1:"],
    ["throws.ts", `throw new Error("out of order");`, "out of order"],
    ["list.json", "[]", "expected an object"],
  ];
  for (const [name, text, place] of broken) {
    await withFile(name, text, async (path) => {
      const error = await assertRejects(() => parser.parseConfigFile(path), OptionsError);
      assertEquals(error.message.includes(`Cannot read config file ${path}`), true, error.message);
      assertEquals(error.message.includes(place), true, error.message);
    });
  }
  await withFile("wrong.json", `{ "port": true }`, async (path) => {
    await assertRejects(
      () => parser.parseConfigFile(path),
      OptionsError,
      `Cannot use config file ${path}: Cannot set option --port: expected a number, got true`,
    );
  });
  await assertRejects(() => parser.parseConfigFile("/tmp/no such file.ts"), Deno.errors.NotFound);
});

Deno.test("printHelp() sorts options by group and name, and wraps at 79", () => {
  const parser = new OptionParser()
    .define("zebra", { default: 1, group: "animals" })
    .define("my-ape", {
      default: "koko",
      help: "an ape, which may be any of those that live in the house for apes and monkeys",
      metavar: "NAME",
      group: "animals",
    })
    .define("a-name-that-is-longer-than-its-column", { help: "below", group: "animals" })
    .define("apples", { type: "int", multiple: true, help: "some", group: "fruit" })
    .define("pears", { default: ["a", "b"], multiple: true, group: "fruit" });
  const text = help(parser);
  const [, body] = text.split(" [OPTIONS]\n");
  assertEquals(
    body,
    `
Options:

  --help                           show this help and exit

animals options:

  --a-name-that-is-longer-than-its-column
                                   below
  --my-ape=NAME                    an ape, which may be any of those that live
                                   in the house for apes and monkeys (default
                                   koko)
  --zebra                          (default 1)

fruit options:

  --apples                         some
  --pears                          (default a,b)

`,
  );
  assertEquals(text.startsWith("Usage: "), true);
});
