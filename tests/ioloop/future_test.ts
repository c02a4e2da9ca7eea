import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  CancelledError,
  chainFuture,
  Future,
  futureAddDoneCallback,
  futureSetExceptionUnlessCancelled,
  futureSetResultUnlessCancelled,
  isFuture,
} from "../../ioloop/mod.ts";
import { coroutine, withSignal, withTimeout } from "../../gen/mod.ts";
import { expectLog } from "../../testing/mod.ts";

const APPLICATION = ["waterspout", "application"];

const nextMacrotask = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Returns the messages about failures that nobody retrieved while `body` ran. */
async function unretrieved(body: () => unknown): Promise<readonly string[]> {
  const { matched } = await expectLog(APPLICATION, /never retrieved/, async () => {
    await body();
    await nextMacrotask();
  }, { required: false });
  return matched;
}

Deno.test("Future is pending, then has a result", () => {
  const future = new Future<number>();
  assert(future.running());
  assert(!future.done());
  assertThrows(() => future.result(), Error, "not done");
  assertThrows(() => future.exception(), Error, "not done");
  future.setResult(42);
  assert(!future.running());
  assert(future.done());
  assert(!future.cancelled());
  assertEquals(future.result(), 42);
  assertEquals(future.exception(), null);
});

Deno.test("Future is pending, then has failed", () => {
  const future = new Future<number>();
  const error = new Error("mine");
  future.setException(error);
  assert(future.done());
  assert(!future.cancelled());
  assertThrows(() => future.result(), Error, "mine");
  assertStrictEquals(future.exception(), error);
});

Deno.test("setResult() and setException() on a done Future throw", () => {
  for (const make of [() => Future.resolved(1), () => Future.failed(new Error("mine"))]) {
    const future = make() as Future<number>;
    assertThrows(() => future.setResult(2), Error, "is done");
    assertThrows(() => future.setException(new Error("other")), Error, "is done");
    future.exception();
  }
});

Deno.test("await on a Future gives its result or throws its error", async () => {
  const future = new Future<number>();
  queueMicrotask(() => future.setResult(42));
  const result = await future;
  assertType<IsExact<typeof result, number>>(true);
  assertEquals(result, 42);
  assertEquals(await future, 42);
  await assertRejects(() => Promise.resolve(Future.failed(new RangeError("mine"))), RangeError);
  assertEquals(await Future.failed("reason").catch((reason) => reason), "reason");
});

Deno.test("addDoneCallback() calls in order of adding, never inside setResult()", async () => {
  const future = new Future<number>();
  const seen: unknown[] = [];
  future.addDoneCallback((done) => seen.push(["first", done === future]));
  future.addDoneCallback(() => seen.push("second"));
  future.setResult(42);
  assertEquals(seen, []);
  await null;
  assertEquals(seen, [["first", true], "second"]);
});

Deno.test("addDoneCallback() on a done Future does not call inside itself", async () => {
  const seen: number[] = [];
  Future.resolved(42).addDoneCallback((done) => seen.push(done.result()));
  assertEquals(seen, []);
  await null;
  assertEquals(seen, [42]);
});

Deno.test("addDoneCallback() logs what a callback throws, and the others run", async () => {
  const seen: string[] = [];
  const { matched, loggedStack } = await expectLog(
    APPLICATION,
    /^Exception in callback of a Future: Error: mine/,
    async () => {
      const future = new Future<void>();
      future.addDoneCallback(() => {
        throw new Error("mine");
      });
      future.addDoneCallback(() => seen.push("second"));
      future.setResult();
      await nextMacrotask();
    },
  );
  assertEquals(matched.length, 1);
  assert(loggedStack);
  assertEquals(seen, ["second"]);
});

Deno.test("cancel() fails the Future with the reason and tells the operation once", () => {
  const errors: CancelledError[] = [];
  const future = new Future<number>((error) => errors.push(error));
  const reason = new Error("client left");
  assert(future.cancel(reason));
  assert(future.done());
  assert(future.cancelled());
  const error = assertThrows(() => future.result(), CancelledError, "client left");
  assertStrictEquals(error.reason, reason);
  assertStrictEquals(error.cause, reason);
  assertEquals(errors, [error]);
  assert(!future.cancel());
  assertEquals(errors.length, 1);
});

Deno.test("cancel() of a done Future returns false and changes nothing", () => {
  let told = false;
  const future = new Future<number>(() => told = true);
  future.setResult(1);
  assert(!future.cancel());
  assertEquals(future.result(), 1);
  assert(!told);
});

Deno.test("cancel() keeps a CancelledError that is given as reason", () => {
  const future = new Future<number>();
  const reason = new CancelledError("why");
  future.cancel(reason);
  assertStrictEquals(future.exception(), reason);
});

Deno.test("a failed Future that nobody looks at is logged once as never retrieved", async () => {
  const logged = await unretrieved(() => void Future.failed(new Error("lost")));
  assertEquals(logged.length, 1);
  assert(logged[0]!.includes("Error: lost"));
});

Deno.test("a failed Future is not logged when it is looked at in the same turn", async () => {
  const looks: ((future: Future<void>) => unknown)[] = [
    (future) => future.exception(),
    (future) => assertThrows(() => future.result()),
    (future) => future.addDoneCallback(() => {}),
    (future) => assertRejects(() => Promise.resolve(future)),
    async (future) => {
      await null;
      await future.catch(() => {});
    },
  ];
  for (const look of looks) {
    const logged = await unretrieved(async () => {
      const future = new Future<void>();
      future.setException(new Error("seen"));
      await look(future);
    });
    assertEquals(logged, []);
  }
});

Deno.test("a cancelled Future that nobody looks at is not logged", async () => {
  assertEquals(await unretrieved(() => void new Future().cancel()), []);
});

Deno.test("Future.from() gives a Future as it is, follows thenables and wraps values", async () => {
  const future = new Future<number>();
  assertStrictEquals(Future.from(future), future);
  future.setResult(0);
  assertEquals(Future.from(42).result(), 42);
  assertEquals(await Future.from(Promise.resolve(43)), 43);
  const rejected = Future.from(Promise.reject(new RangeError("mine")));
  await assertRejects(() => Promise.resolve(rejected), RangeError, "mine");
  const thenable: PromiseLike<string> = {
    then: (resolve) => Promise.resolve("thenable").then(resolve),
  };
  const followed = Future.from(thenable);
  assertType<IsExact<typeof followed, Future<string>>>(true);
  assertEquals(await followed, "thenable");
});

Deno.test("Future.from() that was cancelled ignores how the promise ends", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const future = Future.from(promise);
  future.cancel();
  reject(new Error("late"));
  await nextMacrotask();
  assert(future.cancelled());
});

Deno.test("isFuture() knows Futures from promises and values", () => {
  assert(isFuture(new Future()));
  for (const value of [Promise.resolve(), null, undefined, 1, {}]) assert(!isFuture(value));
});

Deno.test("chainFuture() passes result, failure and cancellation on", () => {
  const [a1, b1] = [new Future<number>(), new Future<number>()];
  chainFuture(a1, b1);
  a1.setResult(42);
  assertEquals(b1.result(), 42);

  const [a2, b2] = [new Future<number>(), new Future<number>()];
  chainFuture(a2, b2);
  a2.setException(new Error("mine"));
  assertThrows(() => b2.result(), Error, "mine");

  const [a3, b3] = [new Future<number>(), new Future<number>()];
  chainFuture(a3, b3);
  a3.cancel();
  assert(b3.cancelled());
});

Deno.test("chainFuture() leaves a target alone that is done", () => {
  const [a, b] = [new Future<number>(), new Future<number>()];
  chainFuture(a, b);
  b.setResult(1);
  a.setResult(2);
  assertEquals(b.result(), 1);
  const cancelled = new Future<number>();
  cancelled.cancel();
  chainFuture(a, cancelled);
  assert(cancelled.cancelled());
});

Deno.test("futureSetResultUnlessCancelled() leaves a cancelled Future cancelled", () => {
  const [pending, cancelled] = [new Future<number>(), new Future<number>()];
  cancelled.cancel();
  futureSetResultUnlessCancelled(pending, 1);
  futureSetResultUnlessCancelled(cancelled, 1);
  assertEquals(pending.result(), 1);
  assert(cancelled.cancelled());
  assertThrows(() => futureSetResultUnlessCancelled(pending, 2), Error, "is done");
});

Deno.test("futureSetExceptionUnlessCancelled() logs the error after a cancellation", async () => {
  const [pending, cancelled] = [new Future<number>(), new Future<number>()];
  cancelled.cancel();
  const { matched, loggedStack } = await expectLog(
    APPLICATION,
    /^Exception after Future was cancelled: Error: late/,
    () => {
      futureSetExceptionUnlessCancelled(pending, new Error("mine"));
      futureSetExceptionUnlessCancelled(cancelled, new Error("late"));
    },
  );
  assertEquals(matched.length, 1);
  assert(loggedStack);
  assertThrows(() => pending.result(), Error, "mine");
  assert(cancelled.cancelled());
  const again = () => futureSetExceptionUnlessCancelled(pending, new Error("again"));
  assertThrows(again, Error, "is done");
});

Deno.test("futureAddDoneCallback() calls at once when the Future is done, else later", async () => {
  const seen: unknown[] = [];
  const [done, pending] = [Future.resolved(1), new Future<number>()];
  futureAddDoneCallback(done, (future) => seen.push(future.result()));
  assertEquals(seen, [1]);
  futureAddDoneCallback(pending, (future) => seen.push(future.result()));
  pending.setResult(2);
  assertEquals(seen, [1]);
  await null;
  assertEquals(seen, [1, 2]);
  const fail = () => {
    throw new RangeError("mine");
  };
  assertThrows(() => futureAddDoneCallback(done, fail), RangeError, "mine");
});

Deno.test("Future shows its state where it is printed", () => {
  const pending = new Future<number>();
  const failed = Future.failed("mine");
  const cancelled = new Future<number>();
  cancelled.cancel();
  assertEquals(Deno.inspect(pending), "Future { pending }");
  assertEquals(Deno.inspect(Future.resolved(42)), "Future { 42 }");
  assertEquals(Deno.inspect(failed), `Future { failed: "mine" }`);
  assertEquals(Deno.inspect(cancelled), "Future { cancelled }");
  failed.exception();
});

Deno.test("a listener that settles another Future may be one of many", async () => {
  const future = new Future<number>();
  const awaited = [Promise.resolve(future), Promise.resolve(future), Promise.resolve(future)];
  future.setResult(1);
  assertEquals(await Promise.all(awaited), [1, 1, 1]);
});

// It threw, and did not cancel.
Deno.test("cancel() takes a reason that cannot be made text", () => {
  const reason = Object.create(null);
  const future = new Future<void>();
  assert(future.cancel(reason));
  assertStrictEquals((future.exception() as CancelledError).reason, reason);
});

// Whoever had ever listened counted, though it was cancelled and gone.
Deno.test("a failure is logged when all that waited for it were cancelled", async () => {
  for (
    const wait of [
      (future: Future<void>) => future,
      (future: Future<void>) => [future],
      (future: Future<void>) => withTimeout(1000, future),
      (future: Future<void>) => withSignal(new AbortController().signal, future),
    ]
  ) {
    const future = new Future<void>();
    const main = coroutine(function* () {
      yield wait(future);
    })();
    main.cancel();
    await assertRejects(async () => await main, CancelledError);
    assertEquals((await unretrieved(() => future.setException(new Error("late")))).length, 1);
  }
});

// Nobody misses the result of what was cancelled.
Deno.test("a promise that fails with CancelledError is not logged as lost", async () => {
  const future = new Future<void>();
  const lost = await unretrieved(async () => {
    Future.from((async () => await future)());
    future.cancel();
    await nextMacrotask();
  });
  assertEquals(lost, []);
});
