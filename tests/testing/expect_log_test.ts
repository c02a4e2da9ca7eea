import { configure, getConfig, getLogger, type LogRecord, reset } from "@logtape/logtape";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { appLog, Future, genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";

/** Runs `body` while LogTape is configured, and returns what it logged. */
async function recordLog(body: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  const sink = (record: LogRecord) => void seen.push(record.message.join(""));
  await configure({
    sinks: { sink },
    loggers: [
      { category: ["logtape", "meta"], sinks: [] },
      { category: "waterspout", sinks: ["sink"], lowestLevel: "info" },
    ],
  });
  const config = getConfig();
  try {
    await body();
    assertEquals(getConfig(), config);
  } finally {
    await reset();
  }
  return seen;
}

Deno.test("expectLog() matches and hides, other messages are logged", async () => {
  const seen = await recordLog(async () => {
    const { matched } = await expectLog(appLog, /^lost \w+$/, () => {
      appLog.error("lost {what}", { what: "it" });
      appLog.error("found {what}", { what: "it" });
      genLog.error("lost it elsewhere");
    });
    assertEquals(matched, ["lost it"]);
    appLog.error("lost it afterwards");
  });
  assertEquals(seen, ["found it", "lost it elsewhere", "lost it afterwards"]);
});

Deno.test("expectLog() works when LogTape is not configured", async () => {
  assertEquals(getConfig(), null);
  const { matched } = await expectLog(appLog, "twice", () => {
    assert(appLog.isEnabledFor("debug"));
    appLog.debug("twice {n}", { n: 1 });
    appLog.warn("twice {n}", { n: 2 });
  });
  assertEquals(matched, ["twice 1", "twice 2"]);
  assertEquals(getConfig(), null);
  assert(!appLog.isEnabledFor("error"));
});

Deno.test("expectLog() takes a category in place of a logger", async () => {
  const { matched } = await expectLog(["waterspout", "general"], /./, () => genLog.info("hello"));
  assertEquals(matched, ["hello"]);
  const single = await expectLog("mine", /./, () => getLogger("mine").trace("trace"));
  assertEquals(single.matched, ["trace"]);
});

Deno.test("expectLog() fails when nothing matched, unless that is allowed", async () => {
  await assertRejects(() => expectLog(appLog, /never/, () => {}), Error, "nothing matched /never/");
  const { matched, loggedStack } = await expectLog(appLog, /never/, () => {}, { required: false });
  assertEquals(matched, []);
  assert(!loggedStack);
});

Deno.test("expectLog() with a level matches messages of that level only", async () => {
  await expectLog(appLog, /x/, () => appLog.warn("x"), { level: "warning" });
  const seen = await recordLog(async () => {
    await assertRejects(
      () => expectLog(appLog, /x/, () => appLog.warn("x"), { level: "error" }),
      Error,
      "nothing matched",
    );
  });
  assertEquals(seen, ["x"]);
});

Deno.test("expectLog() waits for promises and Futures that the body returns", async () => {
  await expectLog(appLog, /late/, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    appLog.error("late");
  });
  const future = new Future<void>();
  setTimeout(() => {
    appLog.error("later");
    future.setResult();
  });
  await expectLog(appLog, /later/, () => future);
});

Deno.test("expectLog() throws what the body throws and restores the logger", async () => {
  const error = new RangeError("mine");
  const seen = await recordLog(async () => {
    await assertRejects(
      () =>
        expectLog(appLog, /x/, () => {
          throw error;
        }),
      RangeError,
      "mine",
    );
    appLog.error("x");
  });
  assertEquals(seen, ["x"]);
  assertEquals(Object.hasOwn(appLog, "error"), false);
});

Deno.test("expectLog() tells whether a stack was logged", async () => {
  const plain = await expectLog(appLog, /failed/, () => appLog.error("failed"));
  assert(!plain.loggedStack);
  const stack = await expectLog(appLog, /failed/, () => {
    appLog.error("failed: {error}", { error: new Error("why") });
  });
  assert(stack.loggedStack);
});

Deno.test("expectLog() can be nested", async () => {
  const outer = await expectLog(appLog, /a|b/, async () => {
    const inner = await expectLog(appLog, /a/, () => {
      appLog.error("a");
      appLog.error("b");
    });
    assertEquals(inner.matched, ["a"]);
    appLog.error("a again");
  });
  assertEquals(outer.matched, ["b", "a again"]);
});

Deno.test("expectLog() is not misled by a global regex", async () => {
  const { matched } = await expectLog(appLog, /x/g, () => {
    appLog.error("x");
    appLog.error("x");
  });
  assertEquals(matched.length, 2);
});

Deno.test("expectLog() lets messages through that are no strings", async () => {
  const seen = await recordLog(async () => {
    const logger = getLogger(["waterspout", "application"]);
    await expectLog(logger, /x/, () => logger.info`x ${1}`, { required: false });
  });
  assertEquals(seen, ["x 1"]);
});
