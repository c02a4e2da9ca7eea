import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import {
  Callback,
  convertYielded,
  Coroutine,
  coroutine,
  type CoroutineGenerator,
  moment,
  sleep,
  Task,
  Wait,
} from "../../gen/mod.ts";
import { BadYieldError, dummyExecutor, Future, IOLoop, WorkerExecutor } from "../../ioloop/mod.ts";
import { expectLog, fakeLoop } from "../../testing/mod.ts";
import { collectGarbage } from "../testing/_garbage.ts";

Deno.test("a coroutine runs to its first pending yield before the call returns", async () => {
  const seen: string[] = [];
  const gate = new Future<string>();
  const main = coroutine(function* () {
    seen.push("begun");
    seen.push(yield* Future.resolved("ready"));
    seen.push(yield* gate);
  });
  const future = main();
  assertEquals(seen, ["begun", "ready"]);
  gate.setResult("pending");
  assertEquals(seen.length, 2); // never inside the call that settles what it waits for
  await future;
  assertEquals(seen, ["begun", "ready", "pending"]);
});

Deno.test("a coroutine without a pending yield is done when the call returns", () => {
  const main = coroutine(function* () {
    const a = yield* Future.resolved(1);
    const b: number = yield Future.resolved(2);
    return a + b;
  });
  const future = main();
  assert(future.done());
  assertEquals(future.result(), 3);
});

Deno.test("a coroutine gives its result, an early one, or undefined", async () => {
  const main = coroutine(function* (early: boolean): CoroutineGenerator<string | undefined> {
    if (early) return "early";
    yield moment;
    return "late";
  });
  const nothing = coroutine(function* () {
    yield moment;
  });
  assertEquals(await main(true), "early");
  assertEquals(await main(false), "late");
  assertEquals(await nothing(), undefined);
});

Deno.test("a coroutine fails with what is thrown before and after its first yield", async () => {
  const main = coroutine(function* (late: boolean): CoroutineGenerator {
    if (late) yield moment;
    throw new RangeError(late ? "late" : "early");
  });
  const early = main(false);
  assert(early.done());
  assertThrows(() => early.result(), RangeError, "early");
  await assertRejects(() => Promise.resolve(main(true)), RangeError, "late");
});

Deno.test("an error is thrown into the generator at the yield, which may swallow or replace it", async () => {
  const fails: (() => unknown)[] = [
    () => Future.failed(new RangeError("mine")),
    () => Promise.reject(new RangeError("mine")),
    function* () {
      yield moment;
      throw new RangeError("mine");
    },
  ];
  const main = coroutine(function* (): CoroutineGenerator<string[]> {
    const seen: string[] = [];
    for (const fail of fails) {
      try {
        yield fail();
        seen.push("no error");
      } catch (error) {
        seen.push((error as Error).message);
      }
      seen.push(yield Promise.resolve("goes on"));
    }
    try {
      yield* Future.failed(new RangeError("mine"));
    } catch (cause) {
      throw new TypeError(seen.join(), { cause });
    }
    return seen;
  });
  const error = await assertRejects(() => Promise.resolve(main()), TypeError);
  assertEquals(error.message, "mine,goes on,mine,goes on,mine,goes on");
  assertEquals((error.cause as Error).message, "mine");
});

Deno.test("yield of what cannot be waited for is BadYieldError, which can be caught", async () => {
  class Foreign {}
  const main = coroutine(function* (): CoroutineGenerator<number> {
    let caught = 0;
    for (const value of [42, "text", true, new Foreign(), () => {}, Symbol("s"), 1n, [1]]) {
      try {
        yield value;
      } catch (error) {
        if (error instanceof BadYieldError) caught++;
      }
    }
    yield moment;
    return caught;
  });
  assertEquals(await main(), 8);
});

Deno.test("an endless loop of bad yields gives way", async () => {
  let going = true;
  const main = coroutine(function* (): CoroutineGenerator {
    while (going) {
      try {
        yield 42;
      } catch {
        // The next round does it again.
      }
    }
  });
  const done = main();
  await new Promise((resolve) => setTimeout(resolve, 1));
  going = false;
  await done;
});

/** Runs two coroutines side by side, each of which writes its letter five times. */
async function interleave(a: () => unknown, b: () => unknown): Promise<string> {
  let text = "";
  const write = coroutine(function* (letter: string, what: () => unknown): CoroutineGenerator {
    for (let i = 0; i < 5; i++) {
      text += letter;
      yield what();
    }
  });
  await new IOLoop().run(() => Promise.all([write("a", a), write("b", b)]));
  return text;
}

Deno.test("a ready value resumes a coroutine at once, a moment lets the others run", async () => {
  const ready = () => Future.resolved(null);
  assertEquals(await interleave(ready, ready), "aaaaabbbbb");
  for (const none of [null, undefined, moment]) {
    assertEquals(await interleave(() => none, () => none), "ababababab");
    assertEquals(await interleave(() => none, ready), "abbbbbaaaa");
  }
});

Deno.test("yield, yield null and yield moment let one turn of the loop go by", async () => {
  const seen: string[] = [];
  const loop = new IOLoop();
  await loop.run(function* () {
    loop.addCallback(() => {
      seen.push("first turn");
      loop.addCallback(() => seen.push("second turn"));
    });
    yield;
    seen.push("after one");
    yield null;
    seen.push("after two");
  });
  assertEquals(seen, ["first turn", "after one", "second turn", "after two"]);
});

Deno.test("ready steps in a row are bounded, also those of yield* and of children", async () => {
  const child = coroutine(function* () {
    return yield* Future.resolved(1);
  });
  const loops = [
    coroutine(function* (): CoroutineGenerator {
      for (let i = 0; i < 3000; i++) yield Future.resolved(i);
    }),
    coroutine(function* (): CoroutineGenerator {
      for (let i = 0; i < 3000; i++) yield* Future.resolved(i);
    }),
    coroutine(function* (): CoroutineGenerator {
      for (let i = 0; i < 3000; i++) yield* child();
    }),
  ];
  for (const loop of loops) {
    const future = loop();
    assert(!future.done());
    await future;
  }
});

Deno.test("giving way keeps the result and the error of the step", async () => {
  const main = coroutine(function* (): CoroutineGenerator<number> {
    let sum = 0;
    for (let i = 0; i < 2500; i++) {
      try {
        sum += yield* i % 2 === 0 ? Future.resolved(1) : Future.failed<number>(new Error());
      } catch {
        sum += 100;
      }
    }
    return sum;
  });
  assertEquals(await main(), 1250 * 101);
});

Deno.test("a coroutine with 100 000 pending yields does not grow a stack", async () => {
  const main = coroutine(function* (): CoroutineGenerator<number> {
    let count = 0;
    for (; count < 100_000; count++) yield Promise.resolve();
    return count;
  });
  assertEquals(await main(), 100_000);
});

Deno.test("a coroutine nested 1000 deep by yield and by yield* gives its result", async () => {
  const deep = coroutine(function* (depth: number): CoroutineGenerator<number> {
    if (depth === 0) {
      yield moment;
      return 0;
    }
    return 1 + (depth % 2 === 0 ? yield* deep(depth - 1) : yield deep(depth - 1));
  });
  assertEquals(await deep(1000), 1000);
});

Deno.test("a coroutine waits for thenables and async functions", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown[]> {
    const thenable = { then: (resolve: (value: number) => void) => resolve(1) };
    return [yield thenable, yield (async () => await 2)()];
  });
  assertEquals(await main(), [1, 2]);
});

Deno.test("yield of a list or record waits for all, the same Future may stand twice", async () => {
  const future = new Future<string>();
  queueMicrotask(() => future.setResult("f"));
  const main = coroutine(function* (): CoroutineGenerator<unknown[]> {
    return [
      yield [],
      yield {},
      yield [future, future],
      yield { a: Promise.resolve(1), b: [future, null] },
    ];
  });
  assertEquals(await main(), [[], {}, ["f", "f"], { a: 1, b: ["f", undefined] }]);
});

Deno.test("yield of a list takes children of every kind", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown[]> {
    const callback = yield* Callback("key");
    queueMicrotask(() => callback("wait"));
    return yield [
      Promise.resolve("promise"),
      Future.resolved("future"),
      Wait("key"),
      Task((done: (value: string) => void) => queueMicrotask(() => done("task"))),
      (function* () {
        yield moment;
        return "generator";
      })(),
      moment,
    ];
  });
  assertEquals(await main(), ["promise", "future", "wait", "task", "generator", undefined]);
});

Deno.test("a coroutine looks at a failed Future that it yields: it is not logged as lost", async () => {
  const main = coroutine(function* (how: "yield" | "yield*") {
    try {
      const future = Future.failed(new Error("mine"));
      if (how === "yield") yield future;
      else yield* future;
    } catch {
      return "seen";
    }
  });
  const { matched } = await expectLog(
    ["waterspout", "application"],
    /never retrieved/,
    async () => {
      assertEquals([main("yield").result(), main("yield*").result()], ["seen", "seen"]);
      await new Promise((resolve) => setImmediate(resolve));
    },
    { required: false },
  );
  assertEquals(matched, []);
});

Deno.test("convertYielded() makes a Future of everything that can be yielded", async () => {
  const future = new Future<number>();
  assertStrictEquals(convertYielded(future), future);
  future.setResult(1);
  assertEquals(await convertYielded(Promise.resolve(2)), 2);
  assertEquals(await convertYielded([future, { two: Promise.resolve(2) }]), [1, { two: 2 }]);
  assertEquals(await convertYielded(null), undefined);
  assertEquals(await convertYielded(moment), undefined);
  const generator = (function* () {
    yield moment;
    return 3;
  })();
  assertEquals(await convertYielded(generator), 3);
  assertEquals(await convertYielded(Object.assign(Object.create(null), { x: future })), { x: 1 });
  assertThrows(() => convertYielded(42), BadYieldError);
});

Deno.test("convertYielded.register() teaches a class, and those that extend it", async () => {
  class Job {
    constructor(readonly value: number) {}
  }
  class SpecialJob extends Job {}
  convertYielded.register(Job, (job) => Promise.resolve(job.value));
  const main = coroutine(function* (): CoroutineGenerator<number[]> {
    return [yield new Job(1), ...(yield [new SpecialJob(2)])];
  });
  assertEquals(await main(), [1, 2]);
});

Deno.test("run() of a Coroutine that was made by hand starts it", async () => {
  let begun = false;
  const made = new Coroutine((function* () {
    begun = true;
    yield moment;
    return 42;
  })());
  assert(!begun);
  assertStrictEquals(made.run(), made);
  assert(begun);
  assertEquals(await made, 42);
});

Deno.test("coroutines see the AsyncLocalStorage of their caller across yields and awaits", async () => {
  const context = new AsyncLocalStorage<number>();
  const child = coroutine(function* () {
    yield* sleep(1);
    return context.getStore();
  });
  const main = coroutine(function* (n: number): CoroutineGenerator {
    const see = () => assertEquals(context.getStore(), n);
    see();
    yield moment;
    see();
    yield* sleep(4 - n);
    see();
    yield Promise.resolve();
    see();
    yield (async () => {
      await null;
      see();
    })();
    see();
    assertEquals(yield* child(), n);
    assertEquals(yield [child(), child()], [n, n]);
    yield context.run(-n, child);
    see();
  });
  await new IOLoop().run(() => Promise.all([1, 2, 3, 4].map((n) => context.run(n, main, n))));
  assertEquals(context.getStore(), undefined);
});

Deno.test("coroutines see their AsyncLocalStorage behind calls of an executor", async () => {
  const context = new AsyncLocalStorage<number>();
  const executor = new WorkerExecutor({ workers: 2 });
  const job = {
    module: new URL("../ioloop/_worker_jobs.ts", import.meta.url).href,
    name: "doubleLater",
  };
  const main = coroutine(function* (n: number): CoroutineGenerator {
    const doubled: number = yield IOLoop.current().runInExecutor(executor, job, n);
    assertEquals(doubled, 2 * n);
    assertEquals(context.getStore(), n);
    yield dummyExecutor.submit(() => assertEquals(context.getStore(), n));
    assertEquals(context.getStore(), n);
  });
  await new IOLoop().run(() => Promise.all([1, 2, 3, 4].map((n) => context.run(n, main, n))));
  executor.shutdown();
});

Deno.test("a value set in a coroutine lasts across its yields and can be reset", async () => {
  const context = new AsyncLocalStorage<string>();
  const main = coroutine(function* (name: string): CoroutineGenerator {
    yield moment;
    context.enterWith(name);
    yield* sleep(1);
    assertEquals(context.getStore(), name);
    context.enterWith("reset");
    yield moment;
    assertEquals(context.getStore(), "reset");
  });
  await new IOLoop().run(() => Promise.all([main("a"), main("b")]));
});

Deno.test("a coroutine that waits for ever on a Future nobody holds can be collected", async () => {
  const main = coroutine(function* () {
    yield* new Future<void>();
  });
  const waiting = Array.from({ length: 10 }, () => new WeakRef(main()));
  await collectGarbage();
  assertEquals(waiting.filter((coroutine) => coroutine.deref() !== undefined), []);
});

Deno.test("a coroutine that only the loop refers to is not lost", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  let ended = false;
  coroutine(function* () {
    yield* sleep(10);
    ended = true;
  })();
  await collectGarbage();
  await tick(10);
  assert(ended);
  loop.stop();
  await done;
});
