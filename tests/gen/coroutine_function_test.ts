import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  Callback,
  coroutine,
  type CoroutineGenerator,
  engine,
  isCoroutineFunction,
  KeyReuseError,
  LeakedCallbackError,
  moment,
  Return,
  ReturnValueIgnoredError,
  UnknownKeyError,
  Wait,
} from "../../gen/mod.ts";
import { ExceptionStackContext, Future, IOLoop } from "../../ioloop/mod.ts";

/** Runs an engine function and returns what reached the loop, once it came to rest. */
async function runEngine(fn: () => unknown): Promise<unknown[]> {
  class CollectingLoop extends IOLoop {
    readonly failures: unknown[] = [];

    override handleCallbackException(_callback: unknown, error: unknown): void {
      this.failures.push(error);
    }
  }
  const loop = new CollectingLoop();
  loop.addCallback(engine(fn));
  let turns = 100; // more than anything here takes
  const count = () => --turns > 0 ? loop.addCallback(count) : loop.stop();
  loop.addCallback(count);
  await loop.start();
  loop.close();
  return loop.failures;
}

Deno.test("coroutine() keeps name, this and arguments, and the original", async () => {
  class Account {
    balance = 40;

    deposit = coroutine(function* deposit(this: Account, a: number, b: number) {
      yield moment;
      return this.balance + a + b;
    });
  }
  const account = new Account();
  assertEquals(account.deposit.name, "deposit");
  const future = account.deposit(1, 1);
  assertType<IsExact<typeof future, Future<number>>>(true);
  assertEquals(await future, 42);
  function* original(): CoroutineGenerator {}
  assertStrictEquals(coroutine(original).wrapped, original);
});

Deno.test("coroutine() of a plain function gives its value, promise or error in a Future", async () => {
  const value = coroutine((n: number) => n + 1);
  const made = value(1);
  assertType<IsExact<typeof made, Future<number>>>(true);
  assertEquals(made.result(), 2);
  const promised = coroutine(() => Promise.resolve("text"))();
  assertType<IsExact<typeof promised, Future<string>>>(true);
  assertEquals(await promised, "text");
  const failed = coroutine((): number => {
    throw new RangeError("mine");
  })();
  assertThrows(() => failed.result(), RangeError, "mine");
  const returned = coroutine((): number => {
    throw new Return(42);
  })();
  assertEquals(returned.result(), 42);
});

Deno.test("isCoroutineFunction() knows what coroutine() and engine() made", () => {
  function* original(): CoroutineGenerator {}
  const wrapped = coroutine(original);
  assert(isCoroutineFunction(wrapped));
  assert(isCoroutineFunction(engine(original)));
  for (const other of [original, wrapped(), new Future(), null, undefined, 1]) {
    assert(!isCoroutineFunction(other));
  }
});

Deno.test("engine() runs a function with and without a yield, and gives nothing back", async () => {
  const seen: string[] = [];
  const plain = engine((what: string) => {
    seen.push(what);
  });
  assertEquals(plain("plain"), undefined);
  const failures = await runEngine(function* () {
    yield moment;
    seen.push("generator");
  });
  assertEquals(failures, []);
  assertEquals(seen, ["plain", "generator"]);
});

Deno.test("engine() works with a callback that is called in the same step, or by the loop", async () => {
  const results: unknown[] = [];
  const failures = await runEngine(function* (): CoroutineGenerator {
    for (let round = 0; round < 2; round++) {
      (yield Callback("same step"))(1);
      results.push(yield Wait("same step"));
      IOLoop.current().addCallback(yield Callback("by the loop"), 2);
      results.push(yield Wait("by the loop"));
    }
  });
  assertEquals(failures, []);
  assertEquals(results, [1, 2, 1, 2]);
});

Deno.test("engine() lets keys be used again by its next run", async () => {
  const failures: unknown[] = [];
  const fn = function* (): CoroutineGenerator {
    IOLoop.current().addCallback(yield Callback("key"));
    yield Wait("key");
  };
  failures.push(...await runEngine(fn), ...await runEngine(fn));
  assertEquals(failures, []);
});

Deno.test("engine() reports keys that are reused, unknown or left over", async () => {
  const [reused] = await runEngine(function* () {
    yield Callback("a");
    yield Callback("a");
  });
  assert(reused instanceof KeyReuseError);
  assertEquals(reused.key, "a");
  const [unknown] = await runEngine(function* () {
    yield Wait(["a", 1]);
  });
  assert(unknown instanceof UnknownKeyError);
  assertEquals(unknown.key, ["a", 1]);
  const [leaked] = await runEngine(function* () {
    yield Callback("a");
    yield Callback(["b"]);
  });
  assert(leaked instanceof LeakedCallbackError);
  assertEquals(leaked.keys, ["a", ["b"]]);
});

Deno.test("engine() does not report left-over keys of a function that failed", async () => {
  const [error, ...others] = await runEngine(function* () {
    yield Callback("a");
    yield moment;
    throw new RangeError("mine");
  });
  assert(error instanceof RangeError);
  assertEquals(others, []);
});

Deno.test("engine() refuses a result, before and after a yield", async () => {
  assertThrows(() => engine(() => 42)(), ReturnValueIgnoredError, "42");
  const bodies = [
    () => 42,
    () => {
      throw new Return(42);
    },
    function* (): CoroutineGenerator<number> {
      yield Future.resolved(1);
      return 42;
    },
    function* (): CoroutineGenerator<number> {
      yield moment;
      return 42;
    },
    function* (): CoroutineGenerator<number> {
      yield moment;
      throw new Return(42);
    },
  ];
  for (const body of bodies) {
    const failures = await runEngine(body);
    assert(failures[0] instanceof ReturnValueIgnoredError);
    assertEquals(failures.length, 1);
  }
});

Deno.test("engine() takes an empty Return, before and after a yield", async () => {
  const failures = [
    ...await runEngine(() => {
      throw new Return();
    }),
    ...await runEngine(function* () {
      yield moment;
      throw new Return();
    }),
  ];
  assertEquals(failures, []);
});

Deno.test("engine() throws errors before the first pending yield at the caller, later ones into the loop", async () => {
  const early = engine(function* (): CoroutineGenerator {
    yield Future.resolved(1);
    throw new RangeError("early");
  });
  assertThrows(() => early(), RangeError, "early");
  const failures = await runEngine(function* () {
    yield moment;
    throw new RangeError("late");
  });
  assertEquals(failures.map((error) => (error as Error).message), ["late"]);
});

Deno.test("engine() throws later errors into the contexts of its caller", async () => {
  const caught: string[] = [];
  const failures = await runEngine(() => {
    new ExceptionStackContext((error) => {
      caught.push((error as Error).message);
      return true;
    }).run(
      engine(function* () {
        yield moment;
        throw new RangeError("late");
      }),
    );
  });
  assertEquals(caught, ["late"]);
  assertEquals(failures, []);
});

Deno.test("engine() lets an error behind stop() reach the caller of run()", async () => {
  const loop = new IOLoop();
  const failing = engine(function* (): CoroutineGenerator {
    yield Future.resolved(1);
    loop.stop();
    throw new RangeError("behind stop()");
  });
  await assertRejects(() => loop.run(failing), RangeError, "behind stop()");
  loop.close();
});

Deno.test("a coroutine that fails when nobody waits for it yet can be waited for later", async () => {
  const main = coroutine(function* (): CoroutineGenerator {
    yield Future.resolved(1);
    throw new RangeError("mine");
  });
  const future = main();
  await assertRejects(() => Promise.resolve(future), RangeError, "mine");
});
