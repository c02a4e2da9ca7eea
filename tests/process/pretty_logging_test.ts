import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { accessLog, appLog, genLog } from "../../ioloop/mod.ts";
import {
  defineLoggingOptions,
  enablePrettyLogging,
  OptionParser,
  type PrettyLoggingOptions,
} from "../../process/mod.ts";

/** A way to write lines into `lines`, with "here" for the line of this file that logged. */
function writerTo(lines: string[]): (line: string) => void {
  return (line) => void lines.push(line.replace(/ pretty_logging_test:\d+\]/, " here]"));
}

/** Runs `body` with what is printed, then forgets the configuration. */
function logging(
  options: PrettyLoggingOptions,
  body: (lines: string[]) => void,
): void {
  const lines: string[] = [];
  using _time = new FakeTime(new Date(2026, 10, 21, 8, 5, 9));
  try {
    enablePrettyLogging({ color: false, write: writerTo(lines), ...options });
    body(lines);
  } finally {
    resetSync();
  }
}

Deno.test("enablePrettyLogging() prints level, date, time and message, a line for each", () => {
  logging({ level: "debug" }, (lines) => {
    genLog.debug("one");
    accessLog.info("{line}", { line: "200 GET / (127.0.0.1) 0.41ms" });
    genLog.warn("three {count}", { count: 3 });
    appLog.error("four {what}", { what: { a: [1] } });
    assertEquals(lines, [
      "[D 261121 08:05:09 here] one\n",
      "[I 261121 08:05:09 here] 200 GET / (127.0.0.1) 0.41ms\n",
      "[W 261121 08:05:09 here] three 3\n",
      "[E 261121 08:05:09 here] four { a: [ 1 ] }\n",
    ]);
  });
});

Deno.test("enablePrettyLogging() indents further lines of a message", () => {
  logging({}, (lines) => {
    appLog.error("first\n{stack}", { stack: "Error: second\n    at third" });
    assertEquals(lines, [
      "[E 261121 08:05:09 here] first\n    Error: second\n        at third\n",
    ]);
  });
});

Deno.test("enablePrettyLogging() leaves out what is below its level", () => {
  logging({ level: "warning" }, (lines) => {
    genLog.info("left out");
    genLog.warn("shown");
    assertEquals(lines, ["[W 261121 08:05:09 here] shown\n"]);
    assertEquals([genLog.isEnabledFor("info"), genLog.isEnabledFor("warning")], [false, true]);
  });
});

Deno.test("enablePrettyLogging() colours the head of a line by its level", () => {
  logging({ color: "always" }, (lines) => {
    genLog.info("green");
    genLog.error("red");
    assertEquals(lines, [
      "\x1b[32m[I 261121 08:05:09 here]\x1b[0m green\n",
      "\x1b[31m[E 261121 08:05:09 here]\x1b[0m red\n",
    ]);
  });
});

Deno.test("enablePrettyLogging() keeps what else was configured", () => {
  const mine: string[] = [];
  const sink = (record: LogRecord) => void mine.push(record.category.join("."));
  configureSync({
    sinks: { mine: sink },
    loggers: [
      { category: ["logtape", "meta"], sinks: ["mine"], lowestLevel: "error" },
      { category: "mine", sinks: ["mine"] },
      { category: "waterspout", sinks: ["mine"] },
    ],
  });
  logging({}, (lines) => {
    getLogger("mine").debug("for me");
    accessLog.info("for both");
    genLog.info("for the screen");
    getLogger(["logtape", "meta"]).error("for me");
    assertEquals(mine, ["mine", "waterspout.access", "waterspout.general", "logtape.meta"]);
    assertEquals(lines.length, 2);
  });
});

Deno.test("enablePrettyLogging() called again replaces its former self", () => {
  logging({ level: "debug" }, (former) => {
    const lines: string[] = [];
    enablePrettyLogging({ color: false, write: writerTo(lines) });
    genLog.debug("left out");
    genLog.info("once");
    assertEquals([former, lines], [[], ["[I 261121 08:05:09 here] once\n"]]);
  });
});

Deno.test("enablePrettyLogging() shows the messages of another category, and of all", () => {
  logging({ logger: "mine" }, (lines) => {
    genLog.error("left out");
    getLogger(["mine", "part"]).info("shown");
    const all: string[] = [];
    enablePrettyLogging({ color: false, write: writerTo(all), logger: [] });
    genLog.error("for all");
    assertEquals(lines, ["[I 261121 08:05:09 here] shown\n"]);
    assertEquals(all, ["[E 261121 08:05:09 here] for all\n"]);
  });
});

Deno.test("enablePrettyLogging() takes the level from the options, unless it is given one", () => {
  const { values } = defineLoggingOptions(new OptionParser());
  values.logging = "error";
  logging({ options: { values } }, (lines) => {
    genLog.warn("left out");
    genLog.error("shown");
    enablePrettyLogging({ options: { values }, level: "info", write: writerTo(lines) });
    genLog.info("shown too");
    assertEquals(lines.length, 2);
  });
});
