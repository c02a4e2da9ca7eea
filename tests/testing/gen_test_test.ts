import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { coroutine, type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { appLog, Future, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { AsyncTestCase, expectLog, genTest, getAsyncTestTimeout } from "../../testing/mod.ts";

const VARIABLE = "ASYNC_TEST_TIMEOUT";

async function withEnvironment(value: string, body: () => unknown): Promise<void> {
  const former = Deno.env.get(VARIABLE);
  Deno.env.set(VARIABLE, value);
  try {
    await body();
  } finally {
    if (former === undefined) Deno.env.delete(VARIABLE);
    else Deno.env.set(VARIABLE, former);
  }
}

Deno.test(
  "genTest() makes a test that Deno.test runs",
  genTest(function* (context: Deno.TestContext) {
    assert(IOLoop.current().running);
    yield* sleep(1);
    assertEquals(context.name, "genTest() makes a test that Deno.test runs");
  }),
);

Deno.test("genTest() runs generators, async and plain functions", async () => {
  const seen: string[] = [];
  const loops = new Set<IOLoop>();
  const note = (what: string) => {
    seen.push(what);
    loops.add(IOLoop.current());
  };
  await genTest(function* () {
    yield* sleep(1);
    yield Promise.resolve();
    note("generator");
  })();
  await genTest(async () => {
    await sleep(1);
    note("async");
  })();
  await genTest(() => note("plain"))();
  assertEquals(seen, ["generator", "async", "plain"]);
  assertEquals([loops.size, [...loops].some((loop) => loop.running)], [3, false]);
});

Deno.test("genTest() fails with what the test throws", async () => {
  const error = new RangeError("from the test");
  const tests = [
    genTest(function* () {
      yield* sleep(1);
      throw error;
    }),
    genTest(async () => {
      await sleep(1);
      throw error;
    }),
    genTest(() => {
      throw error;
    }),
  ];
  for (const test of tests) assertEquals(await assertRejects(() => test(), RangeError), error);
});

Deno.test("genTest() passes on arguments and this", async () => {
  const test = genTest(function* (this: { name: string }, a: number, b: string) {
    yield* sleep(1);
    assertEquals([this.name, a, b], ["me", 1, "two"]);
  });
  await test.call({ name: "me" }, 1, "two");
});

Deno.test("genTest() refuses what a test returns", async () => {
  const inner = () =>
    (function* () {
      yield* sleep(1);
    })();
  const tests = [
    genTest(() => 1),
    genTest(async () => await Promise.resolve("text")),
    genTest(function* () {
      yield* sleep(1);
      return inner(); // its author forgot a yield*
    }),
  ];
  for (const test of tests) {
    await assertRejects(() => test(), Error, "Cannot use what the test returned");
  }
});

Deno.test("genTest() of a generator that takes too long names the yield", async () => {
  const cleaned: string[] = [];
  function* inner(): CoroutineGenerator {
    try {
      yield* new Future<void>(); // the place
    } finally {
      cleaned.push("inner");
    }
  }
  const test = genTest(function* () {
    yield* inner();
  }, { timeout: 10 });
  const error = await assertRejects(
    () => test(),
    TimeoutError,
    "Cannot end the test: it took longer than 10 ms, and waits for Future { pending }",
  );
  assertMatch(error.stack!, /at inner .*gen_test_test\.ts:\d+/);
  assertEquals(cleaned, ["inner"]);
});

Deno.test("genTest() that takes too long at a plain yield says what that waits for", async () => {
  const test = genTest(function* () {
    yield [new Promise(() => {}), sleep(60_000)];
  }, { timeout: 10 });
  await assertRejects(() => test(), TimeoutError, "waits for [ Promise { <pending> }, Future {");
});

Deno.test("genTest() that takes too long fails though the test catches that", async () => {
  const seen: string[] = [];
  const test = genTest(function* () {
    try {
      yield* sleep(60_000);
    } catch {
      seen.push("caught");
    }
    yield* sleep(1);
    seen.push("went on");
  }, { timeout: 10 });
  await assertRejects(() => test(), TimeoutError, "longer than 10 ms");
  assertEquals(seen, ["caught", "went on"]);
});

Deno.test("genTest() of an async function has a time too", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const test = genTest(async () => await promise, { timeout: 10 });
  await assertRejects(() => test(), TimeoutError, "Cannot end the test: it took longer than 10 ms");
  resolve();
});

Deno.test("genTest() has a time that real clocks tell, also where time stands still", async () => {
  using _time = new FakeTime();
  const test = genTest(function* () {
    yield* sleep(1);
  }, { timeout: 10 });
  await assertRejects(() => test(), TimeoutError);
});

Deno.test("genTest() takes the larger of its own time and that of the environment", async () => {
  const timeOf = async (timeout?: number) => {
    const test = genTest(function* () {
      yield* new Future<void>();
    }, timeout === undefined ? {} : { timeout });
    const { message } = await assertRejects(() => test(), TimeoutError);
    return Number(/(\d+) ms/.exec(message)![1]);
  };
  await withEnvironment("30", async () => {
    assertEquals([await timeOf(), await timeOf(10), await timeOf(50)], [30, 30, 50]);
  });
  await withEnvironment("", async () => assertEquals(await timeOf(10), 10));
});

Deno.test("getAsyncTestTimeout() is 5000, or what the environment says", async () => {
  await withEnvironment("", () => assertEquals(getAsyncTestTimeout(), 5000));
  await withEnvironment("never", () => assertEquals(getAsyncTestTimeout(), 5000));
  await withEnvironment("-1", () => assertEquals(getAsyncTestTimeout(), 5000));
  await withEnvironment("20000", () => assertEquals(getAsyncTestTimeout(), 20_000));
  await withEnvironment("0", () => assertEquals(getAsyncTestTimeout(), 0));
});

Deno.test("genTest() fails at once with an error in a callback of the loop", async () => {
  const test = genTest(function* () {
    IOLoop.current().addCallback(() => {
      throw new RangeError("from the callback");
    });
    yield* new Future<void>();
  });
  await assertRejects(() => test(), RangeError, "from the callback");
});

Deno.test("genTest() logs the errors behind the first", async () => {
  const test = genTest(function* () {
    const fail = (text: string) => {
      throw new RangeError(text);
    };
    IOLoop.current().addCallback(fail, "first");
    IOLoop.current().addCallback(fail, "second");
    yield* new Future<void>();
  });
  const { matched } = await expectLog(appLog, /Exception in test after the first/, async () => {
    await assertRejects(() => test(), RangeError, "first");
  });
  assertEquals(matched.length, 1);
  assertMatch(matched[0]!, /RangeError: second/);
});

const left = coroutine(function* (seen: string[]): CoroutineGenerator {
  seen.push("began");
  try {
    yield* new Future<void>();
    seen.push("went on");
  } finally {
    yield* sleep(1);
    seen.push("cleaned");
  }
});

Deno.test("genTest() cancels coroutines that are left, and closes what is registered", async () => {
  const seen: string[] = [];
  let listener: Deno.Listener | undefined;
  await genTest(function* () {
    const loop = IOLoop.current();
    left(seen);
    listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    loop.addHandler(listener, () => {}, IOLoop.READ);
    loop.callLater(60_000, () => {});
    yield* sleep(1);
  })();
  assertEquals(seen, ["began", "cleaned"]);
  await assertRejects(() => listener!.accept(), Deno.errors.BadResource);
});

class Decorated extends AsyncTestCase {
  seen: string[] = [];

  @genTest
  *testPlain(): CoroutineGenerator {
    yield* sleep(1);
    this.seen.push(`plain ${this.ioLoop === IOLoop.current()}`);
  }

  @genTest({ timeout: 10 })
  *testLimited(): CoroutineGenerator {
    yield* new Future<void>();
  }

  @genTest({ timeout: 20_000 })
  async testLong(): Promise<void> {
    await sleep(100);
    this.seen.push("long");
  }
}

Deno.test("genTest() decorates methods, on the loop of their test, with their own time", async () => {
  const plain = new Decorated();
  await plain.run("testPlain");
  assertEquals(plain.seen, ["plain true"]);
  await assertRejects(() => new Decorated().run("testLimited"), TimeoutError, "10 ms");
  await withEnvironment("50", async () => {
    const long = new Decorated();
    await long.run("testLong");
    assertEquals(long.seen, ["long"]);
  });
});
