// The types that users meet; most of this is checked by the compiler alone.
import { assertEquals } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  Callback,
  convertYielded,
  coroutine,
  type CoroutineGenerator,
  locks,
  moment,
  Multi,
  queues,
  race,
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

Deno.test("a wrong use does not compile", () => {
  const number = coroutine(function* (n: number) {
    yield moment;
    return n;
  });
  function* promised() {
    // @ts-expect-error a promise is not iterable: yield it, or make a Future of it
    yield* Promise.resolve(1);
  }
  function* misread() {
    // @ts-expect-error the result is a number
    const text: string = yield* number(1);
    return text;
  }
  function* nothing() {
    // @ts-expect-error 42 cannot be waited for
    yield* 42;
  }
  const wrong = () => {
    // @ts-expect-error the argument is a number
    number("1");
    // @ts-expect-error there is one argument
    number();
    // @ts-expect-error the result is no string
    const result: Future<string> = number(1);
    // @ts-expect-error ms are a number
    sleep("1");
    // @ts-expect-error the time comes first
    withTimeout(number(1), 10);
    // @ts-expect-error 42 cannot be waited for
    shield(42);
    // @ts-expect-error nor can text
    withTimeout(10, "text");
    // @ts-expect-error nor can 1
    Multi([number(1), 1]);
    // @ts-expect-error nor can true
    race({ a: number(1), b: true });
    // @ts-expect-error a result of another type
    new Future<number>().setResult("one");
    // @ts-expect-error what is waited for together is an array or a record
    Multi(number(1));
    // @ts-expect-error the function takes a number before its callback
    Task((n: number, done: (text: string) => void) => done(`${n}`), "1");
    // @ts-expect-error a Yieldable of another type
    const yieldable: Yieldable<number> = Promise.resolve("one");
    // @ts-expect-error the callback takes a number
    new IOLoop().addCallback((_n: number) => {}, "1");
    // @ts-expect-error the callback takes a number
    new IOLoop().callLater(5, (_n: number) => {}, "1");
    // @ts-expect-error a coroutine is made of a function, not of a generator
    coroutine(promised());
    // @ts-expect-error the queue holds numbers
    new queues.Queue<number>().put("one");
    return [result, yieldable];
  };
  assertEquals([promised, misread, nothing, wrong].length, 4); // the compiler is the test
});

Deno.test("a generator method with plain yields compiles in a class under strict", async () => {
  class Handler {
    *get(): CoroutineGenerator {
      const text: string = yield Promise.resolve("text");
      const [one, two]: [number, number] = yield [Future.resolved(1), Promise.resolve(2)];
      assertEquals([text, one, two], ["text", 1, 2]);
    }
  }
  await new IOLoop().run(() => new Handler().get());
});

Deno.test("yield* gives the types of locks, queues, races and lists", async () => {
  await new IOLoop().run(function* () {
    const permit = yield* new locks.Semaphore().acquire();
    assertType<IsExact<typeof permit, Disposable>>(true);
    const notified = yield* new locks.Condition().wait({ timeout: 1 });
    assertType<IsExact<typeof notified, boolean>>(true);
    const queue = new queues.Queue<string>();
    queue.putNowait("item");
    const item = yield* queue.get();
    assertType<IsExact<typeof item, string>>(true);
    const first = yield* race({ a: Future.resolved(1), b: Future.resolved("b") });
    assertType<IsExact<typeof first, string | number>>(true);
    const nested = yield* Multi([{ a: Future.resolved(1) }, [Promise.resolve("b")]]);
    assertType<IsExact<typeof nested, [{ a: number }, [string]]>>(true);
  });
});
