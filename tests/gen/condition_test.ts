import { assert, assertEquals } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { CancelledError, coroutine, locks } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

/** Makes `n` that wait and note their number when they are notified. */
function makeWaiters(condition: locks.Condition, n: number): { woken: number[] } {
  const woken: number[] = [];
  for (let i = 0; i < n; i++) {
    condition.wait().addDoneCallback((future) => {
      if (future.result()) woken.push(i);
    });
  }
  return { woken };
}

Deno.test("Condition.notify() wakes one in the order of waiting", async () => {
  const condition = new locks.Condition();
  const { woken } = makeWaiters(condition, 3);
  for (const expected of [[0], [0, 1], [0, 1, 2]]) {
    condition.notify();
    await null;
    assertEquals(woken, expected);
  }
});

Deno.test("Condition.notify(n) wakes n, notifyAll() all, and neither inside the call", async () => {
  const condition = new locks.Condition();
  const { woken } = makeWaiters(condition, 6);
  condition.notify(2);
  assertEquals(woken, []);
  await null;
  assertEquals(woken, [0, 1]);
  condition.notify(0);
  await null;
  assertEquals(woken, [0, 1]);
  condition.notifyAll();
  assertEquals(woken, [0, 1]);
  await null;
  assertEquals(woken, [0, 1, 2, 3, 4, 5]);
});

Deno.test("Condition.notify() without waiters is lost", async () => {
  await withFakeLoop(async (tick) => {
    const condition = new locks.Condition();
    condition.notify();
    condition.notifyAll();
    const waiting = condition.wait();
    assertType<IsExact<typeof waiting, Future<boolean>>>(true);
    await tick(0);
    assert(waiting.running());
    condition.notify(5);
    assertEquals(waiting.result(), true);
  });
});

Deno.test("Condition.notify() from the done callback of a waiter wakes the next", async () => {
  const condition = new locks.Condition();
  const woken: number[] = [];
  for (let i = 0; i < 3; i++) {
    condition.wait().addDoneCallback(() => {
      woken.push(i);
      condition.notify();
    });
  }
  condition.notify();
  await null;
  await null;
  await null;
  assertEquals(woken, [0, 1, 2]);
});

Deno.test("Condition.wait() gives false when its time is over, though notify comes later", async () => {
  await withFakeLoop(async (tick) => {
    const condition = new locks.Condition();
    const waiting = condition.wait({ timeout: 10 });
    await tick(9);
    assert(waiting.running());
    await tick(1);
    condition.notify();
    assertEquals(waiting.result(), false);
  });
});

Deno.test("Condition.wait() gives true when it is notified in time, and removes its timer", async () => {
  await withFakeLoop(async (tick, loop) => {
    const removed: number[] = [];
    const removeTimeout = loop.removeTimeout.bind(loop);
    loop.removeTimeout = (timeout) => {
      removed.push(timeout.deadline);
      removeTimeout(timeout);
    };
    const condition = new locks.Condition();
    const waiting = condition.wait({ timeout: 10 });
    await tick(9);
    condition.notify();
    assertEquals(removed, [10]);
    await tick(1);
    assertEquals(waiting.result(), true);
  });
});

Deno.test("Condition.notify(n) skips those that timed out, they use up nothing", async () => {
  await withFakeLoop(async (tick) => {
    const condition = new locks.Condition();
    const options = [{}, { timeout: 10 }, { timeout: 10 }, {}, {}];
    const waiting = options.map((option) => condition.wait(option));
    await tick(10);
    condition.notify(2);
    const state = waiting.map((future) => future.done() ? future.result() : "waits");
    assertEquals(state, [true, false, false, true, "waits"]);
    condition.notify();
    assert(waiting[4]!.result());
  });
});

Deno.test("Condition forgets those that timed out or were cancelled", async () => {
  await withFakeLoop(async (tick) => {
    const condition = new locks.Condition();
    for (let i = 0; i < 101; i++) condition.wait({ timeout: i % 3 });
    const cancelled = condition.wait();
    const last = condition.wait();
    assertEquals(`${condition}`, "Condition [waiters:103]");
    await tick(3);
    cancelled.cancel();
    assertEquals(`${condition}`, "Condition [waiters:1]");
    condition.notify();
    assert(last.result());
    assertEquals(Deno.inspect(condition), "Condition [waiters:0]");
  });
});

Deno.test("Condition.wait() that is cancelled does not use up a notification", () => {
  const condition = new locks.Condition();
  const [first, second, third] = [condition.wait(), condition.wait(), condition.wait()];
  assert(first.cancel());
  condition.notify();
  assert(first.cancelled());
  assert(second.cancel()); // notified, but nobody has read it
  assert(second.cancelled());
  assertEquals(third.result(), true);
});

Deno.test("Condition.notify() that came to a coroutine cancelled in that moment goes to the next", async () => {
  await withFakeLoop(async (tick) => {
    const condition = new locks.Condition();
    const woken: string[] = [];
    const wait = coroutine(function* (name: string) {
      yield* condition.wait();
      woken.push(name);
    });
    const [first, second] = [wait("first"), wait("second")];
    condition.notify();
    first.cancel();
    await tick(0);
    assert(first.exception() instanceof CancelledError);
    assertEquals(woken, ["second"]);
    assert(second.done());
  });
});

Deno.test("Condition.notifyAll() of a coroutine cancelled in that moment wakes no late comer", async () => {
  await withFakeLoop(async (tick) => {
    const condition = new locks.Condition();
    const first = coroutine(function* () {
      yield* condition.wait();
    })();
    condition.notifyAll();
    const late = condition.wait();
    first.cancel();
    await tick(0);
    assert(first.cancelled());
    assert(late.running());
  });
});
