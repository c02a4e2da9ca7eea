import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Arguments,
  Callback,
  coroutine,
  type CoroutineGenerator,
  KeyReuseError,
  moment,
  Multi,
  type Runner,
  sleep,
  UnknownKeyError,
  Wait,
  YieldPoint,
  type YieldPointRunner,
} from "../../gen/mod.ts";
import { Future, IOLoop, StackContext } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

class TakeRunner extends YieldPoint<Runner> {
  #runner: YieldPointRunner | null = null;

  start(runner: YieldPointRunner): void {
    this.#runner = runner;
  }

  isReady(): boolean {
    return true;
  }

  getResult(): Runner {
    return this.#runner as Runner;
  }
}

function withRunner(body: (runner: Runner) => void): Future<void> {
  return coroutine(function* () {
    body(yield* new TakeRunner());
  })();
}

Deno.test("Runner keeps a key from registerCallback() to popResult()", async () => {
  await withRunner((runner) => {
    runner.registerCallback("key");
    assert(!runner.isReady("key"));
    assertThrows(() => runner.registerCallback("key"), KeyReuseError);
    runner.setResult("key", 42);
    runner.setResult("key", 43);
    assert(runner.isReady("key"));
    assertEquals(runner.popResult("key"), 42);
    for (const use of [() => runner.isReady("key"), () => runner.popResult("key")]) {
      assertThrows(use, UnknownKeyError);
    }
  });
});

Deno.test("resultCallback() sets what it is called with", async () => {
  await withRunner((runner) => {
    for (const [args, expected] of [[[], undefined], [[1], 1]] as const) {
      runner.registerCallback("key");
      runner.resultCallback("key")(...args);
      assertEquals(runner.popResult("key"), expected);
    }
    runner.registerCallback("key");
    runner.resultCallback("key")(1, 2);
    assertEquals((runner.popResult("key") as Arguments).args, [1, 2]);
  });
});

Deno.test("setResult() does nothing for a foreign key, or once the coroutine has ended", async () => {
  let runner: Runner | undefined;
  await withRunner((mine) => {
    runner = mine;
    mine.setResult("foreign", 1);
  });
  runner!.registerCallback("key");
  runner!.setResult("key", 1);
  assert(!runner!.isReady("key"));
});

Deno.test("run() looks again at a yield point that gets ready by itself", async () => {
  let ready = false;
  let runner: Runner | undefined;
  class Flag extends YieldPoint<string> {
    start(mine: YieldPointRunner): void {
      runner = mine as Runner;
    }
    isReady(): boolean {
      return ready;
    }
    getResult(): string {
      return "ready";
    }
  }
  const future = coroutine(function* () {
    return yield* new Flag();
  })();
  runner!.run();
  assert(!future.done());
  ready = true;
  runner!.run();
  assertEquals(await future, "ready");
});

Deno.test("handleYield() lets a coroutine wait for something else and tells whether it is there", async () => {
  let runner: Runner | undefined;
  const waits = coroutine(function* (): CoroutineGenerator<unknown> {
    runner = yield* new TakeRunner();
    return yield new Future();
  });
  const first = waits();
  assert(runner!.handleYield(Future.resolved(1)));
  assertEquals(await first, 1);
  const second = waits();
  const later = new Future<number>();
  assert(!runner!.handleYield(later));
  later.setResult(2);
  assertEquals(await second, 2);
  assert(runner!.handleYield(Future.resolved(3)), "and nothing happens to one that ended");
  assertEquals(await second, 2);
});

Deno.test("handleException() throws at the yield at which the coroutine waits", async () => {
  let runner: Runner | undefined;
  const future = coroutine(function* (): CoroutineGenerator<unknown> {
    runner = yield* new TakeRunner();
    const mine = runner;
    assert(!mine.handleException(new Error("it runs")));
    try {
      yield new Future();
    } catch (error) {
      return (error as Error).message;
    }
    return "not reached";
  })();
  assert(runner!.handleException(new Error("thrown in")));
  assertEquals(await future, "thrown in");
  assert(!runner!.handleException(new Error("it has ended")));
});

Deno.test("an error in a callback that a coroutine with yield points started comes out of its yield", async () => {
  await withFakeLoop(async (tick, loop) => {
    const seen: unknown[] = [];
    const future = coroutine(function* (): CoroutineGenerator {
      const callback = yield* Callback("never");
      loop.callLater(10, () => {
        throw new Error("aside");
      });
      try {
        yield* Wait("never");
      } catch (error) {
        seen.push((error as Error).message, loop.time());
      }
      callback();
      yield* Wait("never");
    })();
    await tick(10);
    await future;
    assertEquals(seen, ["aside", 10]);
  });
});

Deno.test("an error in a callback that a coroutine without yield points started is logged", async () => {
  await withFakeLoop(async (tick, loop) => {
    const { matched } = await expectLog(["waterspout", "application"], /aside/, async () => {
      const future = coroutine(function* () {
        loop.callLater(10, () => {
          throw new Error("aside");
        });
        yield* sleep(20);
      })();
      await tick(10);
      assert(!future.done());
      await tick(10);
      await future;
    });
    assertEquals(matched.length, 1);
  });
});

Deno.test("an error in a callback that is older than the end of its coroutine is logged", async () => {
  await withFakeLoop(async (tick, loop) => {
    const { matched } = await expectLog(["waterspout", "application"], /aside/, async () => {
      await coroutine(function* () {
        (yield* Callback("key"))();
        yield* Wait("key");
        loop.callLater(10, () => {
          throw new Error("aside");
        });
      })();
      await tick(10);
    });
    assertEquals(matched.length, 1);
  });
});

Deno.test("the errors of callbacks come out of the coroutine that started them, not of its caller", async () => {
  await withFakeLoop(async (tick, loop) => {
    const inner = coroutine(function* (): CoroutineGenerator<string> {
      yield* new TakeRunner();
      loop.callLater(10, () => {
        throw new Error("inner's");
      });
      try {
        yield new Future();
      } catch (error) {
        return (error as Error).message;
      }
      return "not reached";
    });
    const outer = coroutine(function* () {
      yield* new TakeRunner();
      const child = inner();
      loop.callLater(5, () => {
        throw new Error("outer's");
      });
      let caught = "";
      try {
        yield* new Future<void>();
      } catch (error) {
        caught = (error as Error).message;
      }
      return [caught, yield* child];
    })();
    loop.addCallback(() => assert(IOLoop.current() === loop));
    await tick(5);
    await tick(5);
    assertEquals(await outer, ["outer's", "inner's"]);
  });
});

Deno.test("yielding Callback and Wait in a loop does not grow the contexts", async () => {
  await new IOLoop().run(function* () {
    for (let i = 0; i < 10_000; i++) {
      const callback = yield* Callback("key");
      if (i % 2 === 0) callback(i);
      else queueMicrotask(() => callback(i));
      assertEquals(yield* Wait<number>("key"), i);
    }
    yield moment;
  });
});

// The runner restored the contexts of where it was made, not those of the coroutine's caller.
Deno.test("a runner that is made inside of a context does not leave its caller in it", async () => {
  await withFakeLoop(async (tick, loop) => {
    let entered = 0;
    const context = new StackContext(() => ({ enter: () => void entered++ }));
    coroutine(function* () {
      context.run(() => Multi([Callback("a")]));
      yield moment;
      yield Wait("a");
    })().cancel();
    loop.addCallback(() => {});
    await tick(0);
    assertEquals(entered, 1);
  });
});
