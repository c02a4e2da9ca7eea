import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { Schedule } from "../../examples/scheduled_tasks/schedule.ts";
import { Tasks } from "../../examples/scheduled_tasks/tasks.ts";
import { sleep } from "../../gen/mod.ts";
import { appLog } from "../../ioloop/mod.ts";
import { expectLog, fakeLoop } from "../../testing/mod.ts";

const PROGRAM = "examples/scheduled_tasks/main.ts";

const at = (text: string) => Date.parse(`${text}Z`);

/** The first `count` times behind `from`. */
function times(schedule: string, from: string, count = 1): (string | null)[] {
  const seen: (string | null)[] = [];
  let time: number | null = at(from);
  while (seen.length < count && time !== null) {
    time = new Schedule(schedule).next(time);
    seen.push(time === null ? null : new Date(time).toISOString().slice(0, 16));
  }
  return seen;
}

Deno.test("Schedule.next() finds the next minute that fits all five fields", () => {
  assertEquals(times("* * * * *", "2026-01-01T00:00:00"), ["2026-01-01T00:01"]);
  assertEquals(times("* * * * *", "2026-12-31T23:59:59.999"), ["2027-01-01T00:00"]);
  assertEquals(times("*/20,5 * * * *", "2026-01-01T00:00", 5), [
    "2026-01-01T00:05",
    "2026-01-01T00:20",
    "2026-01-01T00:40",
    "2026-01-01T01:00",
    "2026-01-01T01:05",
  ]);
  assertEquals(times("30 9-17/4 * * 1-5", "2026-01-02T13:30", 3), [ // a Friday
    "2026-01-02T17:30",
    "2026-01-05T09:30",
    "2026-01-05T13:30",
  ]);
  assertEquals(times("45/10 0 1 1 *", "2026-01-01T00:45", 2), [
    "2026-01-01T00:55",
    "2027-01-01T00:45",
  ]);
  assertEquals(times("0 0 29 2 *", "2026-01-01T00:00", 2), [
    "2028-02-29T00:00",
    "2032-02-29T00:00",
  ]);
  assertEquals(times("0 0 31 4 *", "2026-01-01T00:00"), [null]);
});

Deno.test("Schedule() refuses what is no schedule", () => {
  for (const text of ["", "* * * *", "* * * * * *", "a * * * *", "1- * * * *", "*/0 * * * *"]) {
    assertThrows(() => new Schedule(text), TypeError, "Cannot read schedule");
  }
  for (const text of ["60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7"]) {
    assertThrows(() => new Schedule(text), RangeError, "expected a");
  }
  assertThrows(() => new Schedule("5-4 * * * *"), RangeError, "minute from 0 to 59");
});

Deno.test("Tasks does things periodically, once, and by the clock, until it is stopped", async () => {
  const start = at("2026-01-01T08:58:30");
  const { loop, tick } = fakeLoop({ start });
  const seen: string[] = [];
  const note = (what: string) => void seen.push(`${what} ${(loop.time() - start) / 1000}`);
  const running = loop.run(function* () {
    const tasks = new Tasks(loop, () => loop.time());
    tasks.every(60_000, () => note("every"));
    tasks.after(10_000, () => note("after"));
    tasks.after(300_000, () => note("too late"));
    tasks.cron(new Schedule("0 9 * * *"), () => note("cron"));
    yield* sleep(150_000);
    yield* tasks.stop();
  });
  await tick(1_000_000);
  await running;
  assertEquals(seen, ["after 10", "every 60", "cron 90", "every 120"]);
  loop.close();
});

Deno.test("Tasks never lets a periodic run overtake the last one", async () => {
  const { loop, tick } = fakeLoop();
  const began: number[] = [];
  const running = loop.run(function* () {
    const tasks = new Tasks(loop);
    tasks.every(10, function* () {
      began.push(loop.time());
      yield* sleep(25);
    });
    yield* sleep(75);
    yield* tasks.stop();
  });
  await tick(200);
  await running;
  assertEquals(began, [10, 40, 70]);
  loop.close();
});

Deno.test("Tasks goes on after a failure, and by the clock for days", async () => {
  const { loop, tick } = fakeLoop({ start: at("2026-01-01T00:00") });
  let runs = 0;
  const fail = () => {
    runs++;
    throw new Error("on purpose");
  };
  const { matched } = await expectLog(appLog, /on purpose/, async () => {
    const running = loop.run(function* () {
      const tasks = new Tasks(loop, () => loop.time());
      tasks.cron(new Schedule("0 12 * * 0"), fail); // on Sundays, of which there are two
      tasks.after(1, fail);
      yield* sleep(14 * 24 * 3600 * 1000);
      yield* tasks.stop();
    });
    await tick(15 * 24 * 3600 * 1000);
    await running;
  });
  assertEquals([runs, matched.length], [3, 3]);
  loop.close();
});

Deno.test("Tasks.stop() cancels what is at work and waits until it tidied up", async () => {
  const { loop, tick } = fakeLoop();
  const seen: string[] = [];
  const running = loop.run(function* () {
    const tasks = new Tasks(loop);
    tasks.after(1, function* () {
      try {
        yield* sleep(1_000_000);
        seen.push("went on");
      } finally {
        yield* sleep(50);
        seen.push(`tidied up at ${loop.time()}`);
      }
    });
    yield* sleep(10);
    yield* tasks.stop();
    seen.push(`stopped at ${loop.time()}`);
  });
  await tick(100);
  await running;
  assertEquals(seen, ["tidied up at 60", "stopped at 60"]);
  loop.close();
});

Deno.test("the example of tasks takes samples, reports, and stops when it is told", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-env", PROGRAM, "--sample", "20", "--first", "150"],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const errors = new Response(child.stderr).text();
    let text = "";
    let told = false;
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (!told && text.includes("first report")) child.kill(signal);
      told ||= text.includes("first report");
    }
    const { code } = await child.status;
    assertEquals([code, await errors], [0, ""]);
    const lines = text.trimEnd().split("\n").filter((line) => !/^\d{4}-/.test(line));
    assertEquals(lines[0], "Taking samples (Ctrl-C ends it)");
    assertMatch(lines[1]!, /^The first report: [1-9]\d* samples, \d+ MB to \d+ MB$/);
    assertMatch(lines[2]!, /^Stopped: \d+ samples/);
    assertEquals(lines.length, 3);
  }
});

Deno.test("the example of tasks refuses a schedule that is none", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-env", PROGRAM, "--report", "at noon"],
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
  }).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "expected 5 fields");
});
