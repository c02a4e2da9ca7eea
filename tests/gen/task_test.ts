import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { Arguments, coroutine, Task, type TaskResult } from "../../gen/mod.ts";
import { ExceptionStackContext, Future, IOLoop, StackContext } from "../../ioloop/mod.ts";

function add(a: number, b: number, callback: (sum: number) => void): void {
  queueMicrotask(() => callback(a + b));
}

Deno.test("Task() passes a callback last and gives what it is called with", async () => {
  const main = coroutine(function* () {
    const sum = yield* Task(add, 1, 2);
    assertType<IsExact<typeof sum, number>>(true);
    return sum;
  });
  assertEquals(await main(), 3);
});

Deno.test("Task() gives undefined for no argument and Arguments for several", async () => {
  const none = await Task((callback: () => void) => callback());
  assertType<IsExact<typeof none, undefined>>(true);
  assertEquals(none, undefined);
  const several = await Task((callback: (a: number, b: string) => void) => callback(1, "two"));
  assertType<IsExact<typeof several, Arguments>>(true);
  assertInstanceOf(several, Arguments);
  assertEquals(several.args, [1, "two"]);
  assertType<IsExact<TaskResult<[string]>, string>>(true);
});

Deno.test("Task() calls a method of an object with this", async () => {
  class Adder {
    base = 40;

    add(n: number, callback: (sum: number) => void): void {
      callback(this.base + n);
    }

    addLater(n: number): Promise<number> {
      return Promise.resolve(this.base + n);
    }
  }
  const sum = await Task(new Adder(), "add", 2);
  assertType<IsExact<typeof sum, number>>(true);
  assertEquals(sum, 42);
  assertEquals(await Task(new Adder(), "addLater", 3), 43);
});

Deno.test("Task() takes the Future or promise that the function returns in place of a call", async () => {
  assertEquals(await Task(() => Future.resolved(1)), 1);
  const promised = await Task((n: number) => Promise.resolve(`${n}`), 2);
  assertType<IsExact<typeof promised, string>>(true);
  assertEquals(promised, "2");
});

Deno.test("Task() fails with what the function throws at once", async () => {
  const main = coroutine(function* () {
    yield* Task(() => {
      throw new RangeError("mine");
    });
  });
  await assertRejects(() => Promise.resolve(main()), RangeError, "mine");
});

Deno.test("Task() ignores all calls of the callback but the first", async () => {
  const result = await Task((callback: (n: number) => void) => {
    callback(1);
    callback(2);
  });
  assertEquals(result, 1);
});

Deno.test("Task() leaves an error that comes behind its result to the caller", () => {
  assertThrows(
    () =>
      Task((callback: (n: number) => void) => {
        callback(1);
        throw new RangeError("too late");
      }),
    RangeError,
    "too late",
  );
});

Deno.test("Task() fails with what a callback throws later that the function started", async () => {
  const loop = new IOLoop();
  const failing = (_callback: () => void) => {
    loop.addCallback(() => {
      loop.addCallback(() => {
        throw new RangeError("later");
      });
    });
  };
  const main = coroutine(function* () {
    try {
      yield* Task(failing);
    } catch (error) {
      return (error as Error).message;
    }
    return "not reached";
  });
  assertEquals(await loop.run(() => main()), "later");
  loop.close();
});

Deno.test("Task() keeps contexts that the function enters out of the caller", async () => {
  let entered = 0;
  const context = new StackContext(() => ({
    enter: () => void entered++,
    exit: () => void entered--,
  }));
  const loop = new IOLoop();
  await loop.run(function* () {
    for (let i = 0; i < 1000; i++) {
      const inside = yield* Task((callback: (n: number) => void) => {
        context.run(() => loop.addCallback(() => callback(entered)));
      });
      assertEquals(inside, 1);
      assertEquals(entered, 0);
    }
  });
  loop.close();
});

Deno.test("Task() in a loop does not grow a stack", async () => {
  const main = coroutine(function* () {
    let sum = 0;
    for (let i = 0; i < 10_000; i++) {
      sum += yield* Task((callback: (n: number) => void) => callback(1));
    }
    return sum;
  });
  assertEquals(await main(), 10_000);
});

// Each Task stayed a context of the next: adding a callback took longer and longer.
Deno.test("Task() leaves no context to what is started once it is done", async () => {
  const loop = new IOLoop();
  const failures: unknown[] = [];
  loop.handleCallbackException = (callback) => failures.push((callback as { name: string }).name);
  const step = (callback: () => void) => {
    callback();
    loop.addCallback(function late() {
      loop.stop();
      throw new Error("late");
    });
  };
  let asked = 0;
  const deactivate = ExceptionStackContext.prototype.deactivate;
  ExceptionStackContext.prototype.deactivate = function () {
    asked++;
    deactivate.call(this);
  };
  try {
    await Task(step);
  } finally {
    ExceptionStackContext.prototype.deactivate = deactivate;
  }
  await loop.start();
  assertEquals(failures, ["late"]);
  assertEquals(asked, 1);
});
