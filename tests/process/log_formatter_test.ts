import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { LogFormatter, type LogFormatterOptions } from "../../process/mod.ts";

const TIME = new Date(2013, 3, 28, 18, 35, 1, 250).getTime();

function record(message: readonly unknown[], more: Partial<LogRecord> = {}): LogRecord {
  return {
    category: ["waterspout", "general"],
    level: "info",
    timestamp: TIME,
    message,
    rawMessage: "raw",
    properties: {},
    ...more,
  };
}

function format(message: readonly unknown[], options: LogFormatterOptions = {}): string {
  return new LogFormatter({ color: false, ...options }).format(record(message));
}

Deno.test("LogFormatter.format() begins with level, date and time", () => {
  const formatter = new LogFormatter({ color: false });
  const levels = ["trace", "debug", "info", "warning", "error", "fatal"] as const;
  assertEquals(
    levels.map((level) => formatter.format(record(["text"], { level }))),
    ["T", "D", "I", "W", "E", "F"].map((letter) => `[${letter} 130428 18:35:01] text`),
  );
});

Deno.test("LogFormatter.format() keeps up with the time", () => {
  const formatter = new LogFormatter({ color: false });
  const lines = [0, 749, 750, 60_000, 0].map((ms) =>
    formatter.format(record(["x"], { timestamp: TIME + ms })).slice(10, 18)
  );
  assertEquals(lines, ["18:35:01", "18:35:01", "18:35:02", "18:36:01", "18:35:01"]);
});

Deno.test("LogFormatter.format() shows text, unicode and bytes", () => {
  const head = "[I 130428 18:35:01] ";
  assertEquals(format(["é 世界"]), `${head}é 世界`);
  assertEquals(format(["got ", new TextEncoder().encode("é"), "!"]), `${head}got é!`);
  assertEquals(format(["got ", Uint8Array.of(0x61, 0xe9, 0x0a)]), `${head}got "a\\xe9\\x0a"`);
  assertEquals(format(["n is ", 3, ", o is ", { a: [1] }]), `${head}n is 3, o is { a: [ 1 ] }`);
  assertEquals(format([""]), head);
});

Deno.test("LogFormatter.format() indents continuation lines by four", () => {
  assertEquals(format(["one\ntwo\n  three\n"]), "[I 130428 18:35:01] one\n    two\n      three");
});

Deno.test("LogFormatter.format() shows an error with its stack, in the message or beside it", () => {
  const error = new RangeError("too far");
  const inMessage = format(["failed: ", error]);
  assertMatch(inMessage, /^\[I .*\] failed: RangeError: too far\n {8}at /);
  const formatter = new LogFormatter({ color: false });
  const beside = formatter.format(record(["failed"], { properties: { error } }));
  assertMatch(beside, /^\[I .*\] failed\n {4}RangeError: too far\n {8}at /);
  const once = formatter.format(record(["failed: ", error], { properties: { error } }));
  assertEquals(once, inMessage);
});

Deno.test("LogFormatter.format() does not fail where a value cannot be shown", () => {
  const bad = {
    [Symbol.for("Deno.customInspect")]() {
      throw new TypeError("not to be looked at");
    },
  };
  assertMatch(
    format(["value ", bad]),
    /Cannot show the message "raw": TypeError: not to be looked/,
  );
});

Deno.test("LogFormatter.format() colours what stands between color and endColor", () => {
  const options: LogFormatterOptions = { color: "always" };
  assertEquals(format(["text"], options), "\x1b[32m[I 130428 18:35:01]\x1b[0m text");
  assertEquals(
    format(["text"], { ...options, format: "{color}{message}{endColor}", colors: { info: 36 } }),
    "\x1b[36mtext\x1b[0m",
  );
  assertEquals(format(["text"], { ...options, colors: {} }), "[I 130428 18:35:01] text");
});

Deno.test("LogFormatter.format() colours nothing where standard error is no terminal", async () => {
  const program = `
    import { LogFormatter } from ${
    JSON.stringify(new URL("../../process/mod.ts", import.meta.url))
  };
    const line = new LogFormatter().format({ category: [], level: "info", timestamp: 0,
      message: ["text"], rawMessage: "text", properties: {} });
    console.log(line.includes("\\x1b"));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    env: { NO_COLOR: "" },
    stderr: "piped",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "false\n");
});

Deno.test("LogFormatter.format() follows the format and the date format", () => {
  assertEquals(
    format(["{level}"], { format: "{levelName}|{category}|{unknown}|{message}" }),
    "info|waterspout.general|{unknown}|{level}",
  );
  assertEquals(
    format([""], { format: "{time}", dateFormat: "%a %d %b %Y %j %H:%M:%S.%f 100%%" }),
    "Sun 28 Apr 2013 118 18:35:01.250000 100%",
  );
  assertMatch(format([""], { format: "{time}", dateFormat: "%z" }), /^[+-]\d{4}$/);
  assertThrows(
    () => new LogFormatter({ dateFormat: "%Y %Q" }),
    TypeError,
    "Cannot format times: %Q is not known",
  );
});

Deno.test("LogFormatter.format() finds the place that logged, whatever the level", () => {
  const lines: string[] = [];
  const formatter = new LogFormatter({ color: false });
  configureSync({
    sinks: { lines: (record) => void lines.push(formatter.format(record)) },
    loggers: [
      { category: ["logtape", "meta"], sinks: [] },
      { category: "mine", sinks: ["lines"] },
    ],
  });
  try {
    const logger = getLogger(["mine", "part"]);
    for (const each of [logger, logger.with({ a: "here" })]) {
      for (
        const level of ["trace", "debug", "info", "warn", "warning", "error", "fatal"] as const
      ) each[level]("{a}", { a: "here" });
    }
  } finally {
    resetSync();
  }
  assertEquals(lines.length, 14);
  const places = lines.map((line) => /^\[[TDIWEF] [\d ]{6} [\d:]{8} (.*)\] here$/.exec(line)?.[1]);
  assertMatch(places[0]!, /^log_formatter_test:\d+$/);
  assertEquals(new Set(places).size, 1);
});

Deno.test("LogFormatter.format() takes the place that the record has, and shows none where there is none", () => {
  const formatter = new LogFormatter({ format: "[{level} {place}] {message}", color: false });
  const nowhere = record(["x"]);
  assertEquals(formatter.format(nowhere), "[I] x");
  for (const file of ["file:///app/src/main.ts", "/app/main.js", "http://[::1]/a/main.ts?t=1"]) {
    const line = formatter.format({ ...nowhere, sourceLocation: { file, line: 12 } });
    assertEquals(line, "[I main:12] x");
  }
});
