import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { CancelledError, coroutine, moment, queues, race, sleep } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

Deno.test("race() gives the first result, of an array or a record, typed", async () => {
  await withFakeLoop(async (tick) => {
    const main = coroutine(function* () {
      const late = coroutine(function* () {
        yield* sleep(10);
        return "late";
      });
      const first = yield* race([late(), Future.resolved(1)]);
      assertType<IsExact<typeof first, string | number>>(true);
      const second = yield* race({ late: late(), soon: sleep(1) });
      assertType<IsExact<typeof second, string | void>>(true);
      return [first, second];
    })();
    await tick(1);
    assertEquals(await main, [1, undefined]);
  });
});

Deno.test("race() cancels the losers that its coroutine created, and waits for their finally", async () => {
  await withFakeLoop(async (tick, loop) => {
    const seen: [string, number][] = [];
    const loser = coroutine(function* () {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(5);
        seen.push(["loser", loop.time()]);
      }
    });
    const foreign = loser();
    const main = coroutine(function* () {
      yield* race([sleep(10), loser(), foreign]);
      seen.push(["main", loop.time()]);
    })();
    await tick(10);
    await tick(5);
    await main;
    assertEquals(seen, [["loser", 15], ["main", 15]]);
    assert(!foreign.done());
    foreign.cancel();
    await tick(5);
  });
});

Deno.test("race() fails as the first one does, and logs what losers fail with", async () => {
  await withFakeLoop(async (tick) => {
    const failing = coroutine(function* (ms: number, name: string) {
      try {
        yield* sleep(ms);
      } catch {
        // cancelled: the error below takes its place
      }
      throw new RangeError(name);
    });
    const { matched } = await expectLog(["waterspout", "application"], /./, async () => {
      const other = new Future<void>();
      const main = coroutine(function* () {
        yield* race([other, failing(10, "first"), failing(20, "cancelled")]);
      })();
      const rejects = assertRejects(() => Promise.resolve(main), RangeError, "first");
      await tick(10);
      await rejects;
      other.setException(new TypeError("much later"));
    });
    assertEquals(matched.map((line) => line.split("\n")[0]), [
      "Exception in a coroutine that was cancelled: RangeError: cancelled",
      "Exception in Future that lost a race: TypeError: much later",
    ]);
  });
});

Deno.test("race() that is cancelled cancels all that its coroutine created", async () => {
  await withFakeLoop(async (tick) => {
    const [one, other] = [new Future<void>(), new Future<void>()];
    let mine: Future<void> | undefined;
    const main = coroutine(function* () {
      mine = sleep(1000);
      yield* race([one, other, mine]);
    })();
    main.cancel("enough");
    await tick(0);
    assertThrows(() => main.result(), CancelledError, "enough");
    assert(mine!.cancelled());
    assert(!one.done() && !other.done());
  });
});

Deno.test("race() loses no item of two queues that serve in one moment, cancelled or not", async () => {
  for (const cancelled of [false, true]) {
    await withFakeLoop(async (tick) => {
      const [left, right] = [new queues.Queue<string>(), new queues.Queue<string>()];
      const main = coroutine(function* () {
        return yield* race([left.get(), right.get()]);
      })();
      left.putNowait("left");
      right.putNowait("right");
      if (cancelled) main.cancel();
      await tick(0);
      if (cancelled) assertEquals(left.getNowait(), "left");
      else assertEquals(main.result(), "left");
      assertEquals(right.getNowait(), "right");
    });
  }
});

Deno.test("race() refuses to wait for nothing", () => {
  assertThrows(() => race([]), TypeError, "no children");
});

Deno.test("race() of what is done already does not go through the loop", () => {
  const future = race([Future.resolved("ready"), new Future<string>()]);
  assertEquals(future.result(), "ready");
  assert(moment === null);
});

// The race had its outcome, waited for the losers, and dropped it.
Deno.test("race() that is cancelled after the first one failed logs that failure", async () => {
  await withFakeLoop(async (tick) => {
    const gate = new Future<void>();
    const loser = coroutine(function* () {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(5);
      }
    });
    const future = coroutine(function* () {
      yield race([gate, loser()]);
    })();
    await expectLog(["waterspout", "application"], /first one/, async () => {
      gate.setException(new Error("first one"));
      await tick(0);
      future.cancel();
      await tick(5);
    });
    assert(future.cancelled());
  });
});
