// The types that users meet; most of this is checked by the compiler alone.
import { assertEquals } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  Callback,
  convertYielded,
  coroutine,
  type CoroutineGenerator,
  moment,
  Multi,
  type ResultCallback,
  shield,
  sleep,
  Task,
  Wait,
  WaitAll,
  withTimeout,
  type Yieldable,
  type Yielded,
} from "../../gen/mod.ts";
import { Future, IOLoop } from "../../ioloop/mod.ts";

Deno.test("yield* gives the type of what is waited for", async () => {
  const child = coroutine(function* (n: number) {
    yield moment;
    return `${n}`;
  });
  function* generator(): CoroutineGenerator<boolean> {
    yield moment;
    return true;
  }
  const main = coroutine(function* () {
    const fromFuture = yield* Future.resolved(1);
    assertType<IsExact<typeof fromFuture, number>>(true);

    const fromCoroutine = yield* child(1);
    assertType<IsExact<typeof fromCoroutine, string>>(true);

    const fromGenerator = yield* generator();
    assertType<IsExact<typeof fromGenerator, boolean>>(true);

    const fromSleep = yield* sleep(0);
    assertType<IsExact<typeof fromSleep, void>>(true);

    const fromTask = yield* Task((a: number, done: (b: Date) => void) => done(new Date(a)), 1);
    assertType<IsExact<typeof fromTask, Date>>(true);

    const callback = yield* Callback("a");
    assertType<IsExact<typeof callback, ResultCallback>>(true);
    callback("result");
    const fromWait = yield* Wait<string>("a");
    assertType<IsExact<typeof fromWait, string>>(true);

    const fromUntyped = yield* WaitAll([]);
    assertType<IsExact<typeof fromUntyped, unknown[]>>(true);

    const fromShield = yield* shield(Promise.resolve(1));
    assertType<IsExact<typeof fromShield, number>>(true);

    const fromTimeout = yield* withTimeout(10, child(1));
    assertType<IsExact<typeof fromTimeout, string>>(true);

    const converted = yield* convertYielded(generator());
    assertType<IsExact<typeof converted, boolean>>(true);

    const tuple = yield* Multi([child(1), Promise.resolve(2), generator(), null]);
    assertType<IsExact<typeof tuple, [string, number, boolean, undefined]>>(true);

    return fromFuture;
  });
  const future = new IOLoop().run(function* () {
    const record = yield* Multi({ a: child(1), b: [Future.resolved(2)] });
    assertType<IsExact<typeof record, { a: string; b: [number] }>>(true);

    const many = yield* Multi([1, 2].map((n) => child(n)));
    assertType<IsExact<typeof many, string[]>>(true);
    return record;
  });
  assertType<IsExact<typeof future, Promise<{ a: string; b: [number] }>>>(true);
  assertEquals(await future, { a: "1", b: [2] });
  assertType<IsExact<ReturnType<typeof main>, Future<number>>>(true);
});

Deno.test("Yielded and Yieldable are two sides of one thing", () => {
  assertType<IsExact<Yielded<Future<number>>, number>>(true);
  assertType<IsExact<Yielded<Promise<number>>, number>>(true);
  assertType<IsExact<Yielded<CoroutineGenerator<number>>, number>>(true);
  assertType<IsExact<Yielded<null>, undefined>>(true);
  assertType<IsExact<Yielded<readonly [Promise<1>, Future<2>]>, [1, 2]>>(true);
  assertType<IsExact<Yielded<{ a: Promise<1> }>, { a: 1 }>>(true);
  const ways: Yieldable<number>[] = [Promise.resolve(1), Future.resolved(1), Wait<number>("a")];
  assertEquals(ways.length, 3);
});
