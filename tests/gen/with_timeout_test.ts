import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CancelledError,
  coroutine,
  queues,
  shield,
  sleep,
  TimeoutError,
  withTimeout,
  type WithTimeoutOptions,
} from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

/** Returns what is logged when the loser fails after the time was over. */
async function lateErrors(error: Error, options: WithTimeoutOptions): Promise<readonly string[]> {
  const { matched } = await expectLog(
    ["waterspout", "application"],
    /^Exception in Future after timeout/,
    () =>
      withFakeLoop(async (tick) => {
        const loser = new Future<void>();
        const timed = withTimeout(5, loser, { cancel: false, ...options });
        await tick(5);
        assertThrows(() => timed.result(), TimeoutError);
        loser.setException(error);
      }),
    { required: false },
  );
  return matched;
}

Deno.test("withTimeout() gives the result, and the error, that come in time", async () => {
  await withFakeLoop(async (tick) => {
    const [good, bad] = [new Future<number>(), new Future<number>()];
    const results = [withTimeout(10, good), withTimeout(10, bad)];
    await tick(9);
    good.setResult(42);
    bad.setException(new RangeError("mine"));
    await tick(10);
    assertEquals(results[0]!.result(), 42);
    assertThrows(() => results[1]!.result(), RangeError, "mine");
  });
});

Deno.test("withTimeout() takes what is done already, promises and generators", async () => {
  await withFakeLoop(async () => {
    assertEquals(withTimeout(10, Future.resolved(1)).result(), 1);
    assertEquals(withTimeout(0, Future.resolved(1)).result(), 1);
    assertEquals(await withTimeout(10, Promise.resolve(2)), 2);
    assertEquals(
      await withTimeout(
        10,
        (function* () {
          yield null;
          return 3;
        })(),
      ),
      3,
    );
  });
});

Deno.test("withTimeout() fails with TimeoutError when the time is over", async () => {
  await withFakeLoop(async (tick) => {
    const timed = withTimeout(10, new Future<void>());
    await tick(9);
    assert(!timed.done());
    await tick(1);
    assertThrows(() => timed.result(), TimeoutError, "after 10 ms");
  });
});

Deno.test("withTimeout() leaves no timer behind when it wins", async () => {
  await withFakeLoop(async (tick, loop) => {
    const removed: number[] = [];
    const removeTimeout = loop.removeTimeout.bind(loop);
    loop.removeTimeout = (timeout) => {
      removed.push(timeout.deadline);
      removeTimeout(timeout);
    };
    const future = new Future<void>();
    withTimeout(10, future);
    withTimeout(20, Future.resolved(1));
    future.setResult();
    assertEquals(removed, [20, 10]);
    await tick(0);
  });
});

Deno.test("withTimeout() cancels its coroutine and waits for its finally", async () => {
  await withFakeLoop(async (tick, loop) => {
    const seen: [string, number][] = [];
    const child = coroutine(function* () {
      try {
        yield* sleep(1000);
      } catch (error) {
        seen.push([(error as CancelledError).message, loop.time()]);
        throw error;
      } finally {
        yield* sleep(7);
      }
    });
    const timed = withTimeout(10, child());
    await tick(16);
    assertEquals(seen, [["Cancelled: Timed out after 10 ms", 10]]);
    assert(!timed.done());
    await tick(1);
    assertThrows(() => timed.result(), TimeoutError);
  });
});

Deno.test("withTimeout() with cancel: false fails at once and lets the coroutine go on", async () => {
  await withFakeLoop(async (tick) => {
    let ended = false;
    const child = coroutine(function* () {
      yield* sleep(20);
      ended = true;
    });
    const timed = withTimeout(10, child(), { cancel: false });
    await tick(10);
    assertThrows(() => timed.result(), TimeoutError);
    assert(!ended);
    await tick(10);
    assert(ended);
  });
});

Deno.test("withTimeout() logs an error of the loser once, unless its class is quiet", async () => {
  const error = new RangeError("late");
  const logged = await lateErrors(error, {});
  assertEquals(logged.length, 1);
  assert(logged[0]!.includes("RangeError: late"));
  assertEquals((await lateErrors(error, { quietExceptions: TypeError })).length, 1);
  assertEquals(await lateErrors(error, { quietExceptions: RangeError }), []);
  assertEquals(await lateErrors(error, { quietExceptions: [TypeError, Error] }), []);
  assertEquals(await lateErrors(new CancelledError(), {}), []);
});

Deno.test("withTimeout() inside withTimeout: the shorter one is over first", async () => {
  await withFakeLoop(async (tick) => {
    const outer = withTimeout(10, withTimeout(20, new Future<void>()));
    const inner = withTimeout(20, withTimeout(10, new Future<void>()));
    await tick(10);
    await assertRejects(() => Promise.resolve(outer), TimeoutError, "after 10 ms");
    await assertRejects(() => Promise.resolve(inner), TimeoutError, "after 10 ms");
  });
});

Deno.test("withTimeout() of shielded work fails in time and lets the work go on", async () => {
  await withFakeLoop(async (tick) => {
    const work = new Future<string>();
    const timed = withTimeout(5, shield(work));
    await tick(5);
    assertThrows(() => timed.result(), TimeoutError);
    work.setResult("done");
    assertEquals(work.result(), "done");
  });
});

// The item was copied when the wait ended, and lost with the coroutine that never read it.
Deno.test("withTimeout() and shield() give an item back when their coroutine is cancelled in that moment", async () => {
  for (
    const wrapped of [
      (queue: queues.Queue<string>) => withTimeout(1000, queue.get()),
      (queue: queues.Queue<string>) => shield(queue.get()),
      (queue: queues.Queue<string>) => withTimeout(1000, shield(queue.get())),
    ]
  ) {
    await withFakeLoop(async (tick) => {
      const queue = new queues.Queue<string>();
      const taker = coroutine(function* () {
        yield* wrapped(queue);
      })();
      queue.putNowait("item");
      taker.cancel();
      await tick(0);
      assert(taker.cancelled());
      assertEquals(queue.getNowait(), "item");
    });
  }
});
