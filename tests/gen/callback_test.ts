import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  Arguments,
  Callback,
  coroutine,
  type CoroutineGenerator,
  KeyReuseError,
  LeakedCallbackError,
  moment,
  type ResultCallback,
  UnknownKeyError,
  Wait,
  WaitAll,
} from "../../gen/mod.ts";

Deno.test("Wait() gives no argument as undefined, one as itself, several as Arguments", async () => {
  const main = coroutine(function* () {
    const results: unknown[] = [];
    for (const args of [[], [1], [1, "two"], [undefined]]) {
      const callback = yield* Callback("key");
      queueMicrotask(() => callback(...args));
      results.push(yield* Wait("key"));
    }
    return results;
  });
  const [none, one, several, single] = await main();
  assertEquals([none, one, single], [undefined, 1, undefined]);
  assertInstanceOf(several, Arguments);
  assertEquals(several.args, [1, "two"]);
  assertEquals(several.kwargs, {});
});

Deno.test("Callbacks that are pending together are waited for in any order", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown[]> {
    const callbacks: ResultCallback[] = [];
    for (const key of [0, 1, 2]) callbacks.push(yield* Callback(key));
    queueMicrotask(() => callbacks.forEach((callback, key) => callback(key)));
    const results: unknown[] = [yield Wait(1), yield Wait(0)];
    (yield* Callback(3))(3);
    return [...results, yield Wait(3), yield Wait(2)];
  });
  assertEquals(await main(), [1, 0, 3, 2]);
});

Deno.test("WaitAll() gives results in the order of its keys", async () => {
  const main = coroutine(function* () {
    const [a, b] = [yield* Callback("a"), yield* Callback("b")];
    queueMicrotask(() => b(2));
    setTimeout(() => a(1), 1);
    return yield* WaitAll<[number, number]>(["b", "a"]);
  });
  assertEquals(await main(), [2, 1]);
});

Deno.test("array keys are equal when their elements are", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown> {
    (yield* Callback(["a", [1, NaN]]))("array");
    (yield* Callback(["a", [2]]))("other");
    return [yield Wait(["a", [1, NaN]]), yield Wait(["a", [2]])];
  });
  assertEquals(await main(), ["array", "other"]);
  const reuse = coroutine(function* () {
    yield* Callback(["a"]);
    yield* Callback(["a"]);
  });
  await assertRejects(() => Promise.resolve(reuse()), KeyReuseError, '[ "a" ]');
});

Deno.test("a key may be used again once it was waited for", async () => {
  const main = coroutine(function* (): CoroutineGenerator<number> {
    let sum = 0;
    for (let i = 0; i < 3; i++) {
      (yield* Callback("key"))(i);
      sum += yield Wait("key");
    }
    return sum;
  });
  assertEquals(await main(), 3);
});

Deno.test("Wait() of a foreign key throws at the yield, and the coroutine may register and wait again", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown> {
    try {
      yield Wait("key");
      return "not reached";
    } catch (error) {
      assertInstanceOf(error, UnknownKeyError);
    }
    (yield* Callback("key"))(42);
    return yield Wait("key");
  });
  assertEquals(await main(), 42);
});

Deno.test("a coroutine that forgets a key fails, and its callback does nothing later", async () => {
  let orphan: (() => void) | undefined;
  const main = coroutine(function* () {
    orphan = yield* Callback("key");
  });
  const future = main();
  await assertRejects(() => Promise.resolve(future), LeakedCallbackError, '"key"');
  orphan!();
  orphan!();
});

Deno.test("only the first call of a callback counts", async () => {
  const main = coroutine(function* (): CoroutineGenerator<unknown> {
    const callback = yield* Callback("key");
    callback(1);
    callback(2);
    yield moment;
    const first = yield Wait("key");
    callback(3);
    return first;
  });
  assertEquals(await main(), 1);
});

Deno.test("keys belong to the coroutine that registered them", async () => {
  const child = coroutine(function* () {
    yield* Wait("key");
  });
  const main = coroutine(function* () {
    (yield* Callback("key"))();
    let failed = false;
    try {
      yield* child();
    } catch (error) {
      failed = error instanceof UnknownKeyError;
    }
    yield* Wait("key");
    return failed;
  });
  assert(await main());
});
