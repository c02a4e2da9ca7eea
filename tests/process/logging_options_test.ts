import { configureSync, getConfig, resetSync } from "@logtape/logtape";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { genLog } from "../../ioloop/mod.ts";
import { defineLoggingOptions, OptionParser } from "../../process/mod.ts";

/** Runs `body` with a directory of its own; then the configuration is forgotten. */
function withDirectory(body: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    body(directory);
  } finally {
    resetSync();
    Deno.removeSync(directory, { recursive: true });
  }
}

function parse(...args: string[]): void {
  defineLoggingOptions(new OptionParser()).parseCommandLine(args);
}

/** The names of the files in a directory, sorted, and what they hold, without times and places. */
function filesIn(directory: string): Record<string, string> {
  return Object.fromEntries(
    [...Deno.readDirSync(directory)].map(({ name }) => name).sort().map((name) => {
      const text = Deno.readTextFileSync(`${directory}/${name}`);
      return [name, text.replaceAll(/ \d{6} [\d:]{8} \w+:\d+\]/g, "]").replaceAll("\n", ";")];
    }),
  );
}

/** Runs a program in a process of its own and gives what it writes to standard error. */
async function stderrOf(before: string, { args = [], flags = [], env = {} }: {
  readonly args?: readonly string[];
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
} = {}): Promise<string> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/main.ts`;
  const root = new URL("../../", import.meta.url);
  await Deno.writeTextFile(
    path,
    `import { options, parseCommandLine } from "${root}process/mod.ts";
     import { genLog } from "${root}ioloop/mod.ts";
     ${before};
     genLog.info("hello");`,
  );
  try {
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", `--config=${root.pathname}deno.json`, ...flags, path, ...args],
      env,
    }).output();
    return new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("parseCommandLine() of the options turns logging on at info, and import alone does not", async () => {
  assertMatch(await stderrOf("parseCommandLine()"), /^\[I \d{6} [\d:]{8} \S+:\d+\] hello\n$/);
  assertEquals(await stderrOf(""), "");
});

Deno.test("--logging=none leaves logging alone, in any case", () => {
  withDirectory(() => {
    for (const name of ["none", "None", "NONE"]) parse(`--logging=${name}`);
    assertEquals(getConfig(), null);
  });
});

Deno.test("logging set to none or null by code leaves logging alone", () => {
  withDirectory(() => {
    for (const value of ["none", null]) {
      const parser = defineLoggingOptions(new OptionParser());
      parser.values.logging = value;
      parser.parseCommandLine([]);
      assertEquals(getConfig(), null);
    }
  });
});

Deno.test("--logging overrides what code set", () => {
  withDirectory(() => {
    const parser = defineLoggingOptions(new OptionParser());
    parser.values.logging = null;
    parser.parseCommandLine(["--logging=INFO"]);
    assertEquals([genLog.isEnabledFor("debug"), genLog.isEnabledFor("info")], [false, true]);
  });
});

Deno.test("--logging of a level that there is not is a TypeError", () => {
  withDirectory(() => {
    assertThrows(() => parse("--logging=loud"), TypeError, "got loud");
    assertEquals(getConfig(), null);
  });
});

Deno.test("--log-file-prefix writes to a file and no more to standard error", () => {
  withDirectory((directory) => {
    parse(`--log-file-prefix=${directory}/log`);
    genLog.info("one\ntwo");
    assertEquals(Object.keys(getConfig()!.sinks), ["waterspout:waterspout:file"]);
    assertEquals(filesIn(directory), { log: "[I] one;    two;" });
    parse(`--log-file-prefix=${directory}/log`, "--log-to-stderr", "--logging=error");
    assertEquals(Object.keys(getConfig()!.sinks).length, 2);
    genLog.info("left out");
    assertEquals(filesIn(directory), { log: "[I] one;    two;" });
  });
});

Deno.test("--log-file-prefix gets the number of one of several processes", async () => {
  const directory = await Deno.makeTempDir();
  const stderr = await stderrOf("parseCommandLine()", {
    args: [`--log-file-prefix=${directory}/log`],
    flags: [
      "--allow-env=WATERSPOUT_TASK",
      `--allow-read=${directory}`,
      `--allow-write=${directory}`,
    ],
    env: { WATERSPOUT_TASK: `3 ${Deno.pid}` },
  });
  assertEquals([stderr, filesIn(directory)], ["", { "log.3": "[I] hello;" }]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("--log-to-stderr is by default what nothing else does", () => {
  withDirectory(() => {
    const sinks = { mine: () => {} };
    const meta = { category: ["logtape", "meta"], sinks: [] };
    configureSync({ sinks, loggers: [meta, { category: [], sinks: ["mine"] }] });
    parse();
    assertEquals(Object.keys(getConfig()!.sinks), ["mine"]);
    parse("--log-to-stderr");
    assertEquals(Object.keys(getConfig()!.sinks), ["mine", "waterspout:waterspout:stderr"]);
    parse("--log-to-stderr=false");
    assertEquals(Object.keys(getConfig()!.sinks), ["mine"]);
    resetSync();
    configureSync({ sinks, loggers: [meta, { category: "other", sinks: ["mine"] }] });
    parse();
    assertEquals(Object.keys(getConfig()!.sinks), ["mine", "waterspout:waterspout:stderr"]);
  });
});

Deno.test("a log file that would get too large begins anew, and former ones are kept", () => {
  withDirectory((directory) => {
    parse(
      `--log-file-prefix=${directory}/log`,
      "--log-file-max-size=100",
      "--log-file-num-backups=2",
    );
    for (const name of ["a", "b", "c", "d", "e", "f", "g"]) genLog.info(name);
    assertEquals(filesIn(directory), {
      "log": "[I] g;",
      "log.1": "[I] e;[I] f;",
      "log.2": "[I] c;[I] d;",
    });
  });
});

Deno.test("a log file goes on where a former run of the program left it", () => {
  withDirectory((directory) => {
    for (const name of ["a", "b", "c"]) {
      parse(`--log-file-prefix=${directory}/log`, "--log-file-max-size=100");
      genLog.info(name);
    }
    assertEquals(filesIn(directory), { "log": "[I] c;", "log.1": "[I] a;[I] b;" });
  });
});

Deno.test("a log file just grows when no former ones are kept, or its size has no limit", () => {
  for (const option of ["--log-file-num-backups=0", "--log-file-max-size=0"]) {
    withDirectory((directory) => {
      parse(`--log-file-prefix=${directory}/log`, "--log-file-max-size=30", option);
      genLog.info("a");
      genLog.info("b");
      assertEquals(filesIn(directory), { log: "[I] a;[I] b;" });
    });
  }
});

Deno.test("a log file begins anew at midnight, and old ones go", () => {
  withDirectory((directory) => {
    using time = new FakeTime(new Date(2026, 10, 21, 23, 59, 59));
    parse(
      `--log-file-prefix=${directory}/log`,
      "--log-rotate-mode=time",
      "--log-file-num-backups=2",
    );
    Deno.writeTextFileSync(`${directory}/log.notes`, "mine");
    genLog.info("first day");
    time.tick(1000);
    genLog.info("second day");
    time.tick(86_399_000);
    genLog.info("second day, last second");
    time.tick(1000);
    genLog.info("third day");
    assertEquals(filesIn(directory), {
      "log": "[I] third day;",
      "log.2026-11-21": "[I] first day;",
      "log.2026-11-22": "[I] second day;[I] second day, last second;",
      "log.notes": "mine",
    });
    time.tick(86_400_000);
    genLog.info("fourth day");
    assertEquals(Object.keys(filesIn(directory)), [
      "log",
      "log.2026-11-22",
      "log.2026-11-23",
      "log.notes",
    ]);
  });
});

Deno.test("--log-rotate-when and --log-rotate-interval say when a log file begins anew", () => {
  // Saturday 21 November 2026, 22:30: after so many ms, under that name.
  const HOUR = 3_600_000;
  const cases: [string, string, number, string][] = [
    ["S", "1", 1000, "log.2026-11-21_22-30-00"],
    ["s", "90", 90_000, "log.2026-11-21_22-30-00"],
    ["M", "1", 60_000, "log.2026-11-21_22-30"],
    ["H", "2", 2 * HOUR, "log.2026-11-21_22"],
    ["D", "1", 24 * HOUR, "log.2026-11-21"],
    ["midnight", "1", 1.5 * HOUR, "log.2026-11-21"],
    ["W5", "1", 1.5 * HOUR, "log.2026-11-15"],
    ["W0", "1", 49.5 * HOUR, "log.2026-11-17"],
    ["W6", "2", (25.5 + 168) * HOUR, "log.2026-11-16"],
  ];
  for (const [when, interval, ms, name] of cases) {
    withDirectory((directory) => {
      using time = new FakeTime(new Date(2026, 10, 21, 22, 30));
      parse(
        `--log-file-prefix=${directory}/log`,
        "--log-rotate-mode=time",
        `--log-rotate-when=${when}`,
        `--log-rotate-interval=${interval}`,
      );
      time.tick(ms - 1);
      genLog.info("before");
      time.tick(1);
      genLog.info("after");
      assertEquals(filesIn(directory), { log: "[I] after;", [name]: "[I] before;" });
    });
  }
});

Deno.test("a log file that is old when the program starts begins anew", () => {
  withDirectory((directory) => {
    const path = `${directory}/log`;
    Deno.writeTextFileSync(path, "old;");
    Deno.utimeSync(path, new Date(2026, 10, 20, 12), new Date(2026, 10, 20, 12));
    using _time = new FakeTime(new Date(2026, 10, 21, 12));
    parse(`--log-file-prefix=${path}`, "--log-rotate-mode=time");
    genLog.info("new");
    assertEquals(filesIn(directory), { "log": "[I] new;", "log.2026-11-20": "old;" });
  });
});

Deno.test("--log-rotate-mode and --log-rotate-when must be ones that there are", () => {
  withDirectory((directory) => {
    const file = `--log-file-prefix=${directory}/log`;
    assertThrows(
      () => parse(file, "--log-rotate-mode=moon"),
      TypeError,
      "Cannot rotate logs: expected size or time as mode, got moon",
    );
    for (const when of ["W7", "W", "X", "S1", ""]) {
      assertThrows(
        () => parse(file, "--log-rotate-mode=time", `--log-rotate-when=${when}`),
        TypeError,
        "Cannot rotate logs: expected S, M, H, D, midnight or W0 to W6",
      );
    }
    assertThrows(
      () => parse(file, "--log-rotate-mode=time", "--log-rotate-interval=0"),
      RangeError,
    );
    assertEquals([getConfig(), filesIn(directory)], [null, {}]);
  });
});
