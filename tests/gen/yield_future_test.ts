import { assert, assertEquals, assertRejects } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  CancelledError,
  coroutine,
  type CoroutineGenerator,
  Multi,
  queues,
  YieldFuture,
  YieldPoint,
} from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";

Deno.test("YieldFuture() is a YieldPoint that gives the result of a Future or promise", async () => {
  const pending = new Future<number>();
  assert(YieldFuture(pending) instanceof YieldPoint);
  const main = coroutine(function* (): CoroutineGenerator<unknown[]> {
    const done = yield* YieldFuture(Future.resolved("done"));
    assertType<IsExact<typeof done, string>>(true);
    const later: number = yield YieldFuture(pending);
    const promised = yield* YieldFuture(Promise.resolve(true));
    const both = yield* Multi([YieldFuture(Future.resolved(1)), YieldFuture(Promise.resolve(2))]);
    return [done, later, promised, both];
  })();
  assert(main.running());
  pending.setResult(42);
  assertEquals(await main, ["done", 42, true, [1, 2]]);
});

Deno.test("YieldFuture() throws what the Future failed with", async () => {
  const pending = new Future<void>();
  const main = coroutine(function* () {
    const seen: string[] = [];
    for (const future of [Future.failed(new Error("at once")), pending]) {
      try {
        yield* YieldFuture(future);
      } catch (error) {
        seen.push((error as Error).message);
      }
    }
    return seen;
  })();
  pending.setException(new Error("later"));
  assertEquals(await main, ["at once", "later"]);
});

Deno.test("YieldFuture() in a coroutine that is cancelled leaves the Future alone", async () => {
  const pending = new Future<void>();
  const main = coroutine(function* () {
    yield* YieldFuture(pending);
  })();
  main.cancel();
  await main.catch(() => {});
  assert(main.cancelled());
  assert(pending.running());
});

// The timer stayed, and a getter of a queue took the next item for nobody.
Deno.test("YieldFuture() of a coroutine's own Future is cancelled with the coroutine", async () => {
  const [foreign, queue] = [new Future<void>(), new queues.Queue<number>()];
  for (const wait of [() => queue.get(), () => foreign]) {
    const future = coroutine(function* () {
      yield YieldFuture<unknown>(wait());
    })();
    future.cancel();
    await assertRejects(async () => await future, CancelledError);
  }
  queue.putNowait(1);
  assertEquals(queue.qsize(), 1);
  assert(!foreign.done());
});
