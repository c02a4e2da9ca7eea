import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { coroutine, WaitIterator } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";

Deno.test("WaitIterator of nothing is done at once", async () => {
  for (const empty of [[], {}]) {
    const iterator = new WaitIterator(empty);
    assert(iterator.done());
    assertStrictEquals(iterator.currentIndex, null);
    assertStrictEquals(iterator.currentFuture, null);
    assertThrows(() => iterator.next(), Error, "there is none");
    for await (const _ of iterator) throw new Error("not reached");
  }
});

Deno.test("WaitIterator gives those that are done already in their order", async () => {
  const futures = [1, 2, 3].map((n) => Future.resolved(n));
  const iterator = new WaitIterator(futures);
  const seen: unknown[] = [];
  while (!iterator.done()) {
    const result = await iterator.next();
    assertStrictEquals(iterator.currentFuture, futures[iterator.currentIndex!]!);
    seen.push([iterator.currentIndex, result]);
  }
  assertEquals(seen, [[0, 1], [1, 2], [2, 3]]);
});

Deno.test("WaitIterator gives results in order of completion with index and Future", async () => {
  const futures = [new Future<string>(), new Future<string>(), new Future<string>()] as const;
  const iterator = new WaitIterator(futures);
  assertEquals([iterator.currentIndex, iterator.currentFuture], [null, null]);
  assertType<IsExact<typeof iterator.currentIndex, number | null>>(true);
  const seen: unknown[] = [];
  for (const i of [2, 0, 1] as const) {
    assert(!iterator.done());
    const next = iterator.next();
    assertType<IsExact<typeof next, Future<string>>>(true);
    assert(next.running());
    futures[i].setResult(`result ${i}`);
    seen.push(await next);
    assertEquals(iterator.currentIndex, i);
    assertStrictEquals(iterator.currentFuture, futures[i]);
  }
  assertEquals(seen, ["result 2", "result 0", "result 1"]);
  assert(iterator.done());
  assertEquals([iterator.currentIndex, iterator.currentFuture], [null, null]);
});

Deno.test("WaitIterator of a record has its keys as index", async () => {
  const record = { a: new Future<number>(), b: Future.resolved("b") };
  const iterator = new WaitIterator(record);
  const main = coroutine(function* () {
    const seen: unknown[] = [];
    while (!iterator.done()) {
      const result = yield* iterator.next();
      assertType<IsExact<typeof result, number | string>>(true);
      const index = iterator.currentIndex!;
      assertType<IsExact<typeof index, string>>(true);
      seen.push([index, result]);
    }
    return seen;
  })();
  record.a.setResult(1);
  assertEquals(await main, [["b", "b"], ["a", 1]]);
});

Deno.test("WaitIterator throws an error at its turn and goes on behind it", async () => {
  const futures = [new Future<number>(), new Future<number>(), new Future<number>()] as const;
  const iterator = new WaitIterator(futures);
  futures[1].setResult(1);
  futures[0].setException(new RangeError("mine"));
  assertEquals(await iterator.next(), 1);
  await assertRejects(() => Promise.resolve(iterator.next()), RangeError, "mine");
  assertEquals(iterator.currentIndex, 0);
  const last = iterator.next();
  futures[2].cancel();
  assert(last.cancelled());
  assert(iterator.done());
});

Deno.test("WaitIterator in for await goes on after an error in a further loop", async () => {
  const iterator = new WaitIterator([
    Future.resolved(1),
    Future.failed<number>(new RangeError("mine")),
    Future.resolved(3),
  ]);
  const seen: unknown[] = [];
  while (!iterator.done()) {
    try {
      for await (const result of iterator) {
        assertType<IsExact<typeof result, number>>(true);
        seen.push([iterator.currentIndex, result]);
      }
    } catch (error) {
      seen.push([iterator.currentIndex, (error as Error).message]);
    }
  }
  assertEquals(seen, [[0, 1], [1, "mine"], [2, 3]]);
});

Deno.test("WaitIterator keeps the index of two that are done before the first next()", async () => {
  const futures = [new Future<number>(), new Future<number>(), new Future<number>()] as const;
  const iterator = new WaitIterator(futures);
  futures[2].setResult(2);
  futures[1].setResult(1);
  const first = iterator.next();
  futures[0].setResult(0);
  assertEquals([await first, iterator.currentIndex], [2, 2]);
  assertEquals([await iterator.next(), iterator.currentIndex], [1, 1]);
  assertEquals([await iterator.next(), iterator.currentIndex], [0, 0]);
});

Deno.test("WaitIterator.next() that is cancelled leaves the result to the next call", async () => {
  const future = new Future<number>();
  const iterator = new WaitIterator([future]);
  const first = iterator.next();
  assertThrows(() => iterator.next(), Error, "not done");
  first.cancel();
  future.setResult(42);
  assert(!iterator.done());
  assertEquals(await iterator.next(), 42);
});
