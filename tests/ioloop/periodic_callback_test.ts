import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { stub } from "@std/testing/mock";
import { sleep } from "../../gen/mod.ts";
import { IOLoop, PeriodicCallback } from "../../ioloop/mod.ts";
import { expectLog, fakeLoop } from "../../testing/mod.ts";

/** Runs `body` beside a started loop whose time stands still. */
async function withFakeLoop(
  body: (loop: IOLoop, tick: (ms: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  await body(loop, tick);
  loop.stop();
  await done;
  loop.close();
}

Deno.test("PeriodicCallback calls once per period, the first time after one", async () => {
  await withFakeLoop(async (loop, tick) => {
    const times: number[] = [];
    const periodic = new PeriodicCallback(() => times.push(loop.time()), 10_000);
    assert(!periodic.isRunning());
    periodic.start();
    assert(periodic.isRunning());
    await tick(35_000);
    assertEquals(times, [10_000, 20_000, 30_000]);
    periodic.stop();
    assert(!periodic.isRunning());
  });
});

Deno.test("PeriodicCallback skips the periods that a long call covers", async () => {
  await withFakeLoop(async (loop, tick) => {
    const durations = [9, 9, 10, 11, 20, 20, 35, 35, 0, 0, 0];
    const times: number[] = [];
    const periodic = new PeriodicCallback(function* () {
      times.push(loop.time() / 1000);
      yield* sleep(durations.shift()! * 1000);
      if (durations.length === 0) periodic.stop();
    }, 10_000);
    periodic.start();
    await tick(300_000);
    assertEquals(times, [10, 20, 30, 50, 70, 100, 130, 170, 210, 220, 230]);
  });
});

Deno.test("PeriodicCallback varies each period by its jitter, centred on the nominal one", async () => {
  await withFakeLoop(async (loop, tick) => {
    const randoms = [0.5, 1, 0, 0.75, 0.5];
    using _random = stub(Math, "random", () => randoms.shift()!);
    const times: number[] = [];
    const periodic = new PeriodicCallback(
      () => {
        times.push(loop.time() / 1000);
        if (times.length === 4) periodic.stop();
      },
      10_000,
      { jitter: 0.5 },
    );
    periodic.start();
    await tick(60_000);
    assertEquals(times, [10, 22.5, 30, 41.25]);
  });
});

Deno.test("PeriodicCallback makes no two calls in one period when the clock jumps back", async () => {
  // Each call sets the clock back, by more than a period the second time.
  const jumps = [0, -1000, -15_000, 0];
  const times: number[] = [];
  let now = 0;
  const loop = new IOLoop({ timeFunc: () => now });
  const deadlines: number[] = [];
  const callAt = loop.callAt.bind(loop);
  using _callAt = stub(loop, "callAt", (when, callback, ...args) => {
    deadlines.push(when);
    return callAt(when, callback, ...args);
  });
  const periodic = new PeriodicCallback(
    () => {
      times.push(now);
      now += jumps.shift()!;
      if (jumps.length === 0) {
        periodic.stop();
        loop.stop();
      }
    },
    10_000,
    { ioLoop: loop },
  );
  periodic.start();
  // The clock is moved to each deadline and the loop woken by hand.
  const done = loop.start();
  while (loop.running) {
    now = deadlines.at(-1)!;
    loop.addCallback(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  loop.close();
  assertEquals(times, [10_000, 20_000, 30_000, 40_000]);
});

Deno.test("PeriodicCallback never lets a coroutine overlap itself", async () => {
  await withFakeLoop(async (_loop, tick) => {
    let active = 0;
    let calls = 0;
    const periodic = new PeriodicCallback(function* () {
      calls++;
      assertEquals(++active, 1);
      yield* sleep(25);
      active--;
    }, 10);
    periodic.start();
    await tick(99);
    periodic.stop();
    assertEquals(calls, 3);
    await tick(100);
    assertEquals(calls, 3);
    assertEquals(active, 0);
  });
});

Deno.test("PeriodicCallback logs an error and goes on, at once or later", async () => {
  await withFakeLoop(async (_loop, tick) => {
    let calls = 0;
    const periodic = new PeriodicCallback(() => {
      if (++calls === 1) throw new Error("at once");
      if (calls === 2) return Promise.reject(new Error("later"));
    }, 10);
    const { matched } = await expectLog(
      ["waterspout", "application"],
      /Exception in callback/,
      async () => {
        periodic.start();
        await tick(30);
      },
    );
    periodic.stop();
    assertEquals(calls, 3);
    assertEquals(matched.map((text) => /at once|later/.exec(text)?.[0]), ["at once", "later"]);
  });
});

Deno.test("stop() in the call ends the series", async () => {
  await withFakeLoop(async (_loop, tick) => {
    let calls = 0;
    const periodic = new PeriodicCallback(() => {
      calls++;
      periodic.stop();
    }, 10);
    periodic.start();
    await tick(50);
    assertEquals(calls, 1);
  });
});

Deno.test("start() after stop() counts the period anew, twice it does nothing", async () => {
  await withFakeLoop(async (loop, tick) => {
    const times: number[] = [];
    const periodic = new PeriodicCallback(() => times.push(loop.time()), 10);
    periodic.start();
    await tick(5);
    periodic.start();
    await tick(6);
    periodic.stop();
    periodic.stop();
    await tick(4);
    periodic.start();
    await tick(25);
    periodic.stop();
    assertEquals(times, [10, 25, 35]);
  });
});

Deno.test("start() in a run of a stopped series makes one series, not two", async () => {
  await withFakeLoop(async (_loop, tick) => {
    let calls = 0;
    const periodic = new PeriodicCallback(function* () {
      if (++calls === 1) {
        periodic.stop();
        periodic.start();
      }
      yield* sleep(5);
    }, 10);
    periodic.start();
    await tick(60);
    periodic.stop();
    assertEquals(calls, 6);
  });
});

Deno.test("PeriodicCallback looks its loop up in start(), unless it is given one", async () => {
  const other = new IOLoop({ makeCurrent: false });
  await withFakeLoop(async (_loop, tick) => {
    let calls = 0;
    const given = new PeriodicCallback(() => calls++, 10, { ioLoop: other });
    const found = new PeriodicCallback(() => calls++, 10);
    given.start();
    found.start();
    await tick(10);
    assertEquals(calls, 1);
    given.stop();
    found.stop();
  });
  other.close();
});

Deno.test("PeriodicCallback refuses a period that is not above 0 and shows its options", () => {
  for (const period of [0, -1, NaN]) {
    assertThrows(() => new PeriodicCallback(() => {}, period), RangeError, "above 0");
  }
  for (const jitter of [-0.1, 1.1, NaN]) {
    assertThrows(() => new PeriodicCallback(() => {}, 10, { jitter }), RangeError, "from 0 to 1");
  }
  const callback = () => {};
  const periodic = new PeriodicCallback(callback, 10, { jitter: 0.1 });
  assertStrictEquals(periodic.callback, callback);
  assertEquals([periodic.callbackTime, periodic.jitter], [10, 0.1]);
});

// The run of the first series was still at work when the second one began its own.
Deno.test("PeriodicCallback that is stopped and started in a run never lets runs overlap", async () => {
  await withFakeLoop(async (_loop, tick) => {
    let atWork = 0;
    let runs = 0;
    const periodic = new PeriodicCallback(function* () {
      assertEquals(++atWork, 1);
      runs++;
      yield* sleep(25);
      atWork--;
    }, 10);
    periodic.start();
    await tick(10);
    periodic.stop();
    periodic.start();
    for (let i = 0; i < 10; i++) await tick(10);
    periodic.stop();
    assert(runs >= 3);
    await tick(25);
  });
});
