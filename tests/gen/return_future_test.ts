import { assert, assertEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { returnFuture, ReturnValueIgnoredError } from "../../gen/mod.ts";
import { ExceptionStackContext, type Future, IOLoop } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

const atOnce = returnFuture((a: number, b: number, callback: (sum: number) => void): void => {
  callback(a + b);
});
const later = returnFuture((a: number, b: number, callback: (sum: number) => void): void => {
  queueMicrotask(() => callback(a + b));
});

Deno.test("returnFuture() gives what the callback is called with, at once or later", async () => {
  const future = atOnce(1, 2);
  assertType<IsExact<typeof future, Future<number>>>(true);
  assertEquals(future.result(), 3);
  const pending = later(1, 2);
  assert(pending.running());
  assertEquals(await pending, 3);
  assertEquals(await later(1, 2, null), 3);
  assertEquals(await later(1, 2, undefined), 3);
});

Deno.test("returnFuture() calls a callback that is given, in a turn of the loop", async () => {
  await withFakeLoop(async (tick) => {
    for (const add of [atOnce, later]) {
      const sums: number[] = [];
      const future = add(1, 2, (sum) => sums.push(sum));
      assertEquals(sums, []);
      await tick(0);
      assertEquals(sums, [3]);
      assertEquals(future.result(), 3);
    }
  });
});

Deno.test("returnFuture() gives undefined when the callback is called without a value", async () => {
  await withFakeLoop(async (tick) => {
    const ping = returnFuture((callback: () => void): void => callback());
    const seen: unknown[] = [];
    const future = ping((...args: unknown[]) => seen.push(args));
    assertType<IsExact<typeof future, Future<undefined>>>(true);
    assertEquals(future.result(), undefined);
    await tick(0);
    assertEquals(seen, [[undefined]]);
  });
});

Deno.test("returnFuture() passes this on and ignores a second call of the callback", () => {
  const counter = {
    count: 1,
    add: returnFuture(function (this: { count: number }, n: number, done: (n: number) => void) {
      done(this.count + n);
      done(0);
    }),
  };
  assertEquals(counter.add(2).result(), 3);
});

Deno.test("returnFuture() lets an error before the first return reach the caller", async () => {
  await withFakeLoop(async (tick) => {
    const fail = returnFuture((_callback: () => void): void => {
      throw new RangeError("mine");
    });
    let called = false;
    assertThrows(() => fail(() => called = true), RangeError, "mine");
    await tick(0);
    assert(!called);
  });
});

Deno.test("returnFuture() refuses a function that returns a value or has no callback", () => {
  const returns = returnFuture((_callback: () => void) => 42);
  assertThrows(() => returns(), ReturnValueIgnoredError, "42");
  assertThrows(() => returnFuture(() => {}), TypeError, "no callback");
});

Deno.test("returnFuture() sends an error of the user's callback to handleCallbackException", async () => {
  await withFakeLoop(async (tick, loop) => {
    const errors: unknown[] = [];
    loop.handleCallbackException = (_callback, error) => errors.push((error as Error).message);
    const future = atOnce(1, 2, () => {
      throw new RangeError("mine");
    });
    await tick(0);
    assertEquals(errors, ["mine"]);
    assertEquals(future.result(), 3);
  });
});

Deno.test("returnFuture() sends an error of the user's callback to the contexts of the caller", async () => {
  await withFakeLoop(async (tick) => {
    const errors: string[] = [];
    new ExceptionStackContext((error) => {
      errors.push((error as Error).message);
      return true;
    }).run(() =>
      later(1, 2, () => {
        throw new RangeError("mine");
      })
    );
    await tick(0);
    assertEquals(errors, ["mine"]);
  });
});

Deno.test("returnFuture() fails with what a callback throws later that the function started", async () => {
  await withFakeLoop(async (tick) => {
    const failing = returnFuture((_callback: () => void): void => {
      IOLoop.current().callLater(1, () => {
        throw new RangeError("later");
      });
    });
    const future = failing();
    await tick(1);
    assertThrows(() => future.result(), RangeError, "later");
  });
});

Deno.test("returnFuture() takes null for no callback", async () => {
  assertEquals(await atOnce(1, 2, null), 3);
  assertEquals(await later(1, 2, null), 3);
});

Deno.test("returnFuture() does not call the callback of a Future that was cancelled", async () => {
  await withFakeLoop(async (tick) => {
    let called = false;
    const { matched } = await expectLog(["waterspout", "application"], /./, async () => {
      later(1, 2, () => called = true).cancel();
      await tick(0);
    }, { required: false });
    assert(!called);
    assertEquals(matched, []);
  });
});
