import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  Callback,
  CancelledError,
  coroutine,
  type CoroutineGenerator,
  locks,
  moment,
  Multi,
  multi,
  multiFuture,
  MultiYieldPoint,
  queues,
  sleep,
  Wait,
  withTimeout,
} from "../../gen/mod.ts";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import { expectLog, fakeLoop } from "../../testing/mod.ts";

const nextMacrotask = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Returns what was logged about further errors while `body` ran. */
async function furtherErrors(body: () => unknown): Promise<readonly string[]> {
  const { matched } = await expectLog(
    ["waterspout", "application"],
    /^Multiple exceptions in yield list/,
    body,
    { required: false },
  );
  return matched;
}

Deno.test("multi() gives an array for an array and a record for a record, in their order", async () => {
  const [slow, fast] = [new Future<string>(), new Future<string>()];
  const list = multi([slow, fast]);
  const record = multi({ slow, fast });
  fast.setResult("fast");
  assert(!list.done());
  slow.setResult("slow");
  assertEquals(await list, ["slow", "fast"]);
  assertEquals(await record, { slow: "slow", fast: "fast" });
  assertEquals(Object.keys(await record), ["slow", "fast"]);
});

Deno.test("multi() of nothing is done at once", () => {
  assertEquals(multi([]).result(), []);
  assertEquals(multi({}).result(), {});
});

Deno.test("multi() gives the value of a Future that stands twice, twice", async () => {
  const future = new Future<number>();
  const both = multi([future, future]);
  future.setResult(1);
  assertEquals(await both, [1, 1]);
});

Deno.test("Multi, multiFuture and MultiYieldPoint are the same as multi", () => {
  assertStrictEquals(Multi, multi);
  assertStrictEquals(multiFuture, multi);
  assertStrictEquals(MultiYieldPoint, multi);
});

Deno.test("Multi() takes yield points of the coroutine that runs", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown> {
    const [a, b] = [yield* Callback("a"), yield* Callback("b")];
    queueMicrotask(() => (b(2), a(1)));
    return yield* Multi({ a: Wait("a"), b: [Wait("b"), moment] });
  });
  assertEquals(await main(), { a: 1, b: [2, undefined] });
});

Deno.test("multi() of 2000 children takes linear time", async () => {
  const time = async (count: number): Promise<number> => {
    const children = Array.from({ length: count }, () => new Future<number>());
    const all = multi(children);
    const began = performance.now();
    children.forEach((child, i) => child.setResult(i));
    assertEquals((await all).length, count);
    return performance.now() - began;
  };
  await time(2000); // warms up
  const small = await time(2000);
  const large = await time(20_000);
  assert(large < 100 * Math.max(small, 0.1), `2000: ${small} ms, 20 000: ${large} ms`);
});

Deno.test("multi() throws when one child fails and one is good", async () => {
  const failed = multi([Future.resolved(1), Future.failed(new RangeError("mine"))]);
  await assertRejects(() => Promise.resolve(failed), RangeError, "mine");
});

Deno.test("multi() throws the first in order of errors in one turn, and logs the other", async () => {
  const logged = await furtherErrors(async () => {
    const [a, b] = [new Future<void>(), new Future<void>()];
    const both = multi([a, b]);
    b.setException(new RangeError("second in order"));
    a.setException(new RangeError("first in order"));
    await assertRejects(() => Promise.resolve(both), RangeError, "first in order");
  });
  assertEquals(logged.length, 1);
  assert(logged[0]!.includes("second in order"));
});

Deno.test("multi() throws the first in time of errors in several turns", async () => {
  const logged = await furtherErrors(async () => {
    const [a, b] = [new Future<void>(), new Future<void>()];
    const both = multi({ a, b });
    b.setException(new RangeError("first in time"));
    await nextMacrotask();
    assert(!both.done()); // it waits for what it does not own
    a.setException(new RangeError("second in time"));
    await assertRejects(() => Promise.resolve(both), RangeError, "first in time");
  });
  assertEquals(logged.length, 1);
});

Deno.test("multi() does not log errors of quiet classes", async () => {
  for (const quietExceptions of [RangeError, [TypeError, RangeError]]) {
    const logged = await furtherErrors(async () => {
      const children = [Future.failed(new Error("mine")), Future.failed(new RangeError("quiet"))];
      await multi(children, { quietExceptions }).catch(() => {});
    });
    assertEquals(logged, []);
  }
});

Deno.test("multi() cancels the owned siblings of a child that fails, and waits for them", async () => {
  const { loop, tick } = fakeLoop();
  const seen: [string, number][] = [];
  const sibling = coroutine(function* () {
    try {
      yield* sleep(1000);
    } catch (error) {
      seen.push([error instanceof CancelledError ? "cancelled" : "other", loop.time()]);
      throw error;
    } finally {
      yield* sleep(5);
    }
  });
  const failing = coroutine(function* () {
    yield* sleep(10);
    throw new RangeError("mine");
  });
  const result = loop.run(function* () {
    try {
      yield* Multi([sibling(), failing()]);
    } catch (error) {
      seen.push([(error as Error).message, loop.time()]);
    }
  });
  await tick(20);
  await result;
  assertEquals(seen, [["cancelled", 10], ["mine", 15]]);
  loop.close();
});

Deno.test("multi() leaves children alone that it does not own, and waits for them", async () => {
  const shared = new Future<string>();
  const failing = coroutine(function* () {
    yield moment;
    throw new RangeError("mine");
  });
  const main = coroutine(function* () {
    yield* Multi([shared, failing()]);
  });
  const future = main();
  await nextMacrotask();
  await nextMacrotask();
  assert(!shared.done());
  assert(!future.done());
  shared.setResult("ends by itself");
  await assertRejects(() => Promise.resolve(future), RangeError, "mine");
});

Deno.test("yield of a list in a list cancels all the way down", async () => {
  const seen: string[] = [];
  const child = coroutine(function* (name: string) {
    try {
      yield* new Future<void>();
    } finally {
      seen.push(name);
    }
  });
  const failing = coroutine(function* () {
    yield moment;
    throw new RangeError("mine");
  });
  const main = coroutine(function* (): CoroutineGenerator {
    yield [child("a"), { b: [child("b")] }, failing()];
  });
  await assertRejects(() => new IOLoop().run(main), RangeError, "mine");
  assertEquals(seen, ["a", "b"]);
});

Deno.test("cancel() of multi() logs the error of a child that had failed before", async () => {
  const logged = await furtherErrors(async () => {
    const shared = new Future<void>();
    const failed = Future.failed(new RangeError("mine"));
    const both = multi([shared, failed]);
    assert(both.cancel("stop"));
    await both.catch(() => {});
    assert(both.cancelled());
    assert(!both.cancel());
    shared.setResult();
  });
  assertEquals(logged.length, 1);
});

// They lay in the list, which did not give them back.
Deno.test("Multi() gives items and permits back when its coroutine is cancelled in that moment", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const queue = new queues.Queue<number>();
  const lock = new locks.Lock();
  await lock.acquire();
  for (const wrap of [(x: Future<unknown>) => x, (x: Future<unknown>) => withTimeout(1000, x)]) {
    const future = coroutine(function* () {
      yield wrap(Multi({ two: Multi([queue.get(), queue.get()]), permit: lock.acquire() }));
    })();
    queue.putNowait(1);
    queue.putNowait(2);
    lock.release();
    future.cancel();
    await tick(0);
    assert(future.cancelled());
    assertEquals([queue.getNowait(), queue.getNowait()].sort(), [1, 2]);
    assertEquals(String(lock), "Lock [unlocked,value:1]");
    lock.acquire();
  }
  loop.stop();
  await done;
});
