import { AssertionError } from "node:assert";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { appLog, Future, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { AsyncTestCase, expectLog } from "../../testing/mod.ts";

/** Runs `body` as a test method. */
function runTest(body: (this: AsyncTestCase) => unknown): Promise<void> {
  class Case extends AsyncTestCase {
    testBody(): unknown {
      return body.call(this);
    }
  }
  return new Case().run("testBody");
}

class Registered extends AsyncTestCase {
  *testGenerator(): CoroutineGenerator {
    yield* sleep(1);
    assert(this.ioLoop === IOLoop.current());
  }

  async testAsync(): Promise<void> {
    await sleep(1);
    assert(this.ioLoop.running);
  }

  testPlain(): void {
    assert(this.ioLoop.running);
  }

  notATest(): void {
    throw new Error("it was run");
  }
}
Registered.register();

Deno.test("AsyncTestCase.register() makes a test of each test method, also inherited ones", async () => {
  class More extends Registered {
    override testPlain(): void {}
    testMore(): void {}
  }
  const former = Object.getOwnPropertyDescriptor(Deno, "test")!;
  const made: Deno.TestDefinition[] = [];
  const value = (definition: Deno.TestDefinition) => void made.push(definition);
  Object.defineProperty(Deno, "test", { ...former, value });
  try {
    More.register({ ignore: true });
  } finally {
    Object.defineProperty(Deno, "test", former);
  }
  assertEquals(made.map(({ name }) => name), [
    "More.testGenerator",
    "More.testAsync",
    "More.testPlain",
    "More.testMore",
  ]);
  assert(made.every(({ ignore }) => ignore));
  await made[0]!.fn(undefined as unknown as Deno.TestContext);
});

Deno.test("AsyncTestCase.run() refuses a method that is not there", async () => {
  await assertRejects(() => new Registered().run("testNone"), TypeError, "Cannot run testNone");
});

Deno.test("AsyncTestCase has a new loop for each test, and forgets it", async () => {
  const loops = new Set<IOLoop>();
  const former = IOLoop.current(false);
  for (let n = 0; n < 2; n++) {
    await runTest(function () {
      loops.add(this.ioLoop);
      assert(IOLoop.current() === this.ioLoop);
    });
  }
  assertEquals(loops.size, 2);
  assertEquals(IOLoop.current(false), former);
});

Deno.test("AsyncTestCase runs on the loop of getNewIoloop()", async () => {
  const loop = new IOLoop({ makeCurrent: false });
  class Case extends AsyncTestCase {
    override getNewIoloop(): IOLoop {
      return loop;
    }
    testLoop(): void {
      assert(this.ioLoop === loop && loop.running);
    }
  }
  await new Case().run("testLoop");
  assertEquals(loop.running, false);
});

Deno.test("AsyncTestCase calls setUp() and tearDown() of base and subclass in their order", async () => {
  const seen: string[] = [];
  class Base extends AsyncTestCase {
    override async setUp(): Promise<void> {
      super.setUp();
      await sleep(1);
      seen.push("base up");
    }
    override *tearDown(): CoroutineGenerator {
      yield* sleep(1);
      seen.push("base down");
      super.tearDown();
    }
  }
  class Sub extends Base {
    override async setUp(): Promise<void> {
      await super.setUp();
      seen.push("sub up");
    }
    override *tearDown(): CoroutineGenerator {
      seen.push("sub down");
      yield* super.tearDown();
    }
    *testOrder(): CoroutineGenerator {
      yield* sleep(1);
      seen.push("test");
    }
    testFails(): void {
      throw new RangeError("from the test");
    }
  }
  await new Sub().run("testOrder");
  assertEquals(seen, ["base up", "sub up", "test", "sub down", "base down"]);
  seen.length = 0;
  await assertRejects(() => new Sub().run("testFails"), RangeError);
  assertEquals(seen, ["base up", "sub up", "sub down", "base down"]);
});

Deno.test("AsyncTestCase fails with what setUp() throws, and calls neither test nor tearDown()", async () => {
  const seen: string[] = [];
  class Case extends AsyncTestCase {
    override setUp(): void {
      throw new RangeError("from setUp");
    }
    override tearDown(): void {
      seen.push("tearDown");
    }
    testNever(): void {
      seen.push("test");
    }
  }
  await assertRejects(() => new Case().run("testNever"), RangeError, "from setUp");
  assertEquals(seen, []);
});

Deno.test("AsyncTestCase fails with what tearDown() throws; behind another error it is logged", async () => {
  class Case extends AsyncTestCase {
    override tearDown(): void {
      throw new RangeError("from tearDown");
    }
    testGood(): void {}
    testBad(): void {
      throw new RangeError("from the test");
    }
  }
  await assertRejects(() => new Case().run("testGood"), RangeError, "from tearDown");
  const { matched } = await expectLog(appLog, /Exception in test after the first/, async () => {
    await assertRejects(() => new Case().run("testBad"), RangeError, "from the test");
  });
  assertMatch(matched[0]!, /RangeError: from tearDown/);
});

Deno.test("wait() returns what stop() was given", async () => {
  await runTest(async function () {
    this.ioLoop.callLater(1, this.stop, "later");
    assertEquals(await this.wait(), "later");
    this.stop(); // stop() may come first
    assertEquals(await this.wait(), undefined);
    this.ioLoop.addCallback(() => this.stop(3));
    const typed: number = await this.wait<number>();
    assertEquals(typed, 3);
  });
});

Deno.test("wait() goes on while its condition is not met", async () => {
  await runTest(async function () {
    let count = 0;
    const tick = () => {
      this.stop(++count);
      if (count < 3) this.ioLoop.addCallback(tick);
    };
    this.stop(0);
    this.ioLoop.addCallback(tick);
    assertEquals(await this.wait({ condition: () => count >= 3 }), 3);
    this.stop(4);
    assertEquals(await this.wait({ condition: () => true }), 4);
  });
});

Deno.test("wait() is an AssertionError when stop() does not come in time", async () => {
  await runTest(async function () {
    this.ioLoop.callLater(1000, this.stop);
    await assertRejects(
      () => this.wait({ timeout: 10 }),
      "Cannot end wait(): stop() was not called within 10 ms",
    );
    this.ioLoop.callLater(1, this.stop, "in time"); // another wait may follow
    assertEquals(await this.wait(), "in time");
  });
});

Deno.test("wait() takes its time from the environment", async () => {
  Deno.env.set("ASYNC_TEST_TIMEOUT", "20");
  try {
    await runTest(async function () {
      await assertRejects(() => this.wait({ timeout: 1 }), AssertionError, "within 1 ms");
    });
    class Case extends AsyncTestCase {
      async testWait(): Promise<void> {
        await this.wait();
      }
    }
    const error = await assertRejects(() => new Case().run("testWait"));
    assert(error instanceof AssertionError || error instanceof TimeoutError);
    assertMatch(error.message, /20 ms/);
  } finally {
    Deno.env.delete("ASYNC_TEST_TIMEOUT");
  }
});

Deno.test("wait() by two at a time is refused", async () => {
  await runTest(async function () {
    const first = this.wait();
    await assertRejects(() => this.wait(), Error, "somebody does already");
    this.stop("first");
    assertEquals(await first, "first");
  });
});

Deno.test("an error in a callback of the loop fails the test, also one that waits", async () => {
  const seen: string[] = [];
  const failing = runTest(async function () {
    this.ioLoop.addCallback(() => {
      throw new RangeError("from the callback");
    });
    try {
      await this.wait();
    } finally {
      seen.push("unwound");
    }
  });
  await assertRejects(() => failing, RangeError, "from the callback");
  assertEquals(seen, ["unwound"]);
  await assertRejects(
    () =>
      runTest(function* () {
        const loop = this.ioLoop;
        loop.addCallback(async () => {
          await sleep(1);
          throw new RangeError("later, from a promise");
        });
        yield* sleep(60_000);
      }),
    RangeError,
    "later, from a promise",
  );
});

Deno.test("of two errors the first fails the test, the second is logged", async () => {
  const fail = (text: string) => {
    throw new RangeError(text);
  };
  const { matched } = await expectLog(appLog, /Exception in test after the first/, async () => {
    await assertRejects(
      () =>
        runTest(async function () {
          this.ioLoop.addCallback(fail, "first");
          this.ioLoop.addCallback(fail, "second");
          await this.wait();
        }),
      RangeError,
      "first",
    );
  });
  assertEquals(matched.length, 1);
  assertMatch(matched[0]!, /RangeError: second/);
});

Deno.test("a test that returns something is an error", async () => {
  await assertRejects(() => runTest(() => 42), Error, "Cannot use what the test returned");
  await assertRejects(
    () => runTest(() => Promise.resolve({})),
    Error,
    "Cannot use what the test returned",
  );
});

Deno.test("a test method has the time of the environment", async () => {
  Deno.env.set("ASYNC_TEST_TIMEOUT", "20");
  try {
    await assertRejects(
      () =>
        runTest(function* () {
          yield* new Future<void>();
        }),
      TimeoutError,
      "longer than 20 ms",
    );
  } finally {
    Deno.env.delete("ASYNC_TEST_TIMEOUT");
  }
});

Deno.test("a test whose loop is stopped fails at once, and is torn down", async () => {
  const seen: string[] = [];
  class Case extends AsyncTestCase {
    override *tearDown(): CoroutineGenerator {
      yield* sleep(1);
      seen.push("tearDown");
    }
    *testStop(): CoroutineGenerator {
      this.ioLoop.stop();
      yield* sleep(1);
    }
  }
  await assertRejects(
    () => new Case().run("testStop"),
    Error,
    "Cannot go on with the test: its loop was stopped",
  );
  assertEquals(seen, ["tearDown"]);
});
