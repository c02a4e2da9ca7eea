// What holds for all that has permits is tested with Semaphore, BoundedSemaphore and Lock.
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  BadYieldError,
  CancelledError,
  coroutine,
  type CoroutineGenerator,
  locks,
  moment,
  sleep,
  TimeoutError,
} from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

const { BoundedSemaphore, Lock, Semaphore } = locks;

/** How each of them is made with one permit. */
const KINDS = {
  Semaphore: () => new Semaphore(),
  BoundedSemaphore: () => new BoundedSemaphore(),
  Lock: () => new Lock(),
};

Deno.test("Semaphore counts its permits", () => {
  const semaphore = new Semaphore(2);
  assert(semaphore.acquire().done());
  assert(semaphore.acquire().done());
  const third = semaphore.acquire();
  assertType<IsExact<typeof third, Future<Disposable>>>(true);
  assert(third.running());
  semaphore.release();
  assert(third.done());
  assert(new Semaphore(0).acquire().running());
});

Deno.test("Semaphore.release() may exceed the initial value", () => {
  const semaphore = new Semaphore();
  semaphore.release();
  semaphore.release();
  for (let i = 0; i < 3; i++) assert(semaphore.acquire().done());
  assert(semaphore.acquire().running());
});

Deno.test("Semaphore and BoundedSemaphore refuse a value below 0 and fractions", () => {
  for (const type of [Semaphore, BoundedSemaphore]) {
    for (const value of [-1, 0.5, NaN, Infinity]) {
      assertThrows(() => new type(value), RangeError, `got ${value}`);
    }
    new type(0);
  }
});

Deno.test("BoundedSemaphore.release() throws when all permits are there", () => {
  const semaphore = new BoundedSemaphore(2);
  assertThrows(() => semaphore.release(), RangeError, "all 2 permits");
  semaphore.acquire();
  semaphore.release();
  assertThrows(() => semaphore.release(), RangeError);
  semaphore.acquire();
  semaphore.acquire();
  assert(semaphore.acquire().running());
});

Deno.test("Lock.release() throws on an unlocked lock, also the second time", () => {
  const lock = new Lock();
  assertThrows(() => lock.release(), Error, "not locked");
  lock.acquire();
  lock.release();
  assertThrows(() => lock.release(), Error, "not locked");
  assertThrows(() => lock.release(), Error, "not locked");
  assert(lock.acquire().done());
});

Deno.test("Lock is not re-entrant", () => {
  const lock = new Lock();
  assert(lock.acquire().done());
  assert(lock.acquire().running());
});

Deno.test("Semaphore shows its permits and who waits", () => {
  const semaphore = new Semaphore(1);
  assertEquals(`${semaphore}`, "Semaphore [unlocked,value:1]");
  semaphore.acquire();
  assertEquals(`${semaphore}`, "Semaphore [locked]");
  semaphore.acquire();
  semaphore.acquire();
  assertEquals(Deno.inspect(semaphore), "Semaphore [locked,waiters:2]");
  assertEquals(`${new BoundedSemaphore(3)}`, "BoundedSemaphore [unlocked,value:3]");
  assertEquals(`${new Lock()}`, "Lock [unlocked,value:1]");
});

Deno.test("yield of a Semaphore is BadYieldError, which the generator can catch", async () => {
  const main = coroutine(function* (): CoroutineGenerator<string> {
    try {
      yield new Semaphore();
    } catch (error) {
      assert(error instanceof BadYieldError);
    }
    yield moment;
    return "goes on";
  });
  assertEquals(await main(), "goes on");
});

Deno.test("Semaphore serves and drops 100000 waiters", () => {
  const semaphore = new Semaphore(0);
  const waiting = Array.from({ length: 100_000 }, () => semaphore.acquire());
  for (let i = 0; i < waiting.length; i += 2) waiting[i]!.cancel();
  for (let i = 0; i < waiting.length; i += 2) semaphore.release();
  assertEquals(`${semaphore}`, "Semaphore [locked]");
  assert(waiting.every((future, i) => i % 2 === 0 ? future.cancelled() : future.done()));
});

for (const [kind, make] of Object.entries(KINDS)) {
  Deno.test(`${kind}.acquire() serves five waiters in order, never inside release()`, async () => {
    const semaphore = make();
    const entered: number[] = [];
    const enter = coroutine(function* (i: number) {
      yield* semaphore.acquire();
      entered.push(i);
      yield moment;
      const before = entered.length;
      semaphore.release();
      assertEquals(entered.length, before);
    });
    const all = [0, 1, 2, 3, 4].map((i) => enter(i));
    for (const one of all) await one;
    assertEquals(entered, [0, 1, 2, 3, 4]);
    assert(semaphore.acquire().done());
  });

  Deno.test(`${kind}.acquire() that timed out takes nothing`, async () => {
    await withFakeLoop(async (tick) => {
      const semaphore = make();
      semaphore.acquire();
      const late = semaphore.acquire({ timeout: 10 });
      const next = semaphore.acquire({ timeout: 20 });
      await tick(10);
      assertThrows(() => late.result(), TimeoutError, "longer than 10 ms");
      assert(next.running());
      semaphore.release();
      await tick(10);
      assert(next.done());
      semaphore.release();
      assert(semaphore.acquire({ timeout: 0 }).done());
      await tick(1);
    });
  });

  Deno.test(`${kind}.acquire() with using releases at the end of the block, also on an error`, async () => {
    const semaphore = make();
    const main = coroutine(function* () {
      {
        using _permit = yield* semaphore.acquire();
        assertEquals(semaphore.acquire().cancel(), true);
      }
      using _permit = yield* semaphore.acquire();
      throw new RangeError("mine");
    });
    await assertRejects(() => Promise.resolve(main()), RangeError, "mine");
    assert(semaphore.acquire().done());
  });

  Deno.test(`${kind}.acquire() with using, contended, serialises`, async () => {
    const semaphore = make();
    const seen: string[] = [];
    const enter = coroutine(function* (i: number) {
      using _permit = yield* semaphore.acquire();
      seen.push(`acquired ${i}`);
      yield moment;
      seen.push(`release ${i}`);
    });
    for (const one of [enter(0), enter(1)]) await one;
    assertEquals(seen, ["acquired 0", "release 0", "acquired 1", "release 1"]);
  });

  Deno.test(`${kind}.acquire() gives a permit that can be disposed of twice`, () => {
    const semaphore = make();
    const permit = semaphore.acquire().result();
    permit[Symbol.dispose]();
    permit[Symbol.dispose]();
    assert(semaphore.acquire().done());
    assert(semaphore.acquire().running());
  });

  Deno.test(`${kind}.acquire() that is cancelled while it waits lets the next one by`, () => {
    const semaphore = make();
    semaphore.acquire();
    const [first, second] = [semaphore.acquire(), semaphore.acquire()];
    assert(first.cancel());
    semaphore.release();
    assert(first.cancelled());
    assert(second.done());
  });

  Deno.test(`${kind}.acquire() that is cancelled before its result was read passes the permit on`, () => {
    const semaphore = make();
    const reason = new Error("client left");
    const first = semaphore.acquire();
    const second = semaphore.acquire();
    assert(first.cancel(reason));
    const error = assertThrows(() => first.result(), CancelledError, "client left");
    assertStrictEquals(error.reason, reason);
    assert(!first.cancel());
    second.result();
    assert(!second.cancel()); // it was read: who has it must release it
    assert(semaphore.acquire().running());
  });

  for (const way of ["yield", "yield*"]) {
    Deno.test(`${kind}.acquire() of a coroutine with ${way} that is cancelled when served loses no permit`, async () => {
      await withFakeLoop(async (tick) => {
        const semaphore = make();
        const entered: string[] = [];
        const enter = coroutine(function* (name: string): CoroutineGenerator {
          if (way === "yield") yield semaphore.acquire();
          else yield* semaphore.acquire();
          entered.push(name);
        });
        assert(enter("holder").done());
        const [first, second] = [enter("first"), enter("second")];
        semaphore.release();
        first.cancel();
        await tick(0);
        assert(first.cancelled());
        assert(second.done());
        assertEquals(entered, ["holder", "second"]);
        semaphore.release();
        assert(semaphore.acquire().done());
      });
    });
  }

  Deno.test(`${kind}.run() releases after a result, an error and a cancellation`, async () => {
    await withFakeLoop(async (tick) => {
      const semaphore = make();
      const result = semaphore.run(function* () {
        yield* sleep(1);
        return 42;
      });
      assertType<IsExact<typeof result, Future<number>>>(true);
      const promised = semaphore.run(() => Promise.resolve("text"));
      assertType<IsExact<typeof promised, Future<string>>>(true);
      const thrown = semaphore.run((): Future<void> => {
        throw new RangeError("mine");
      });
      const failed = semaphore.run(() => Future.failed(new RangeError("other")));
      const cancelled = semaphore.run(() => new Future<void>());
      const waiting = semaphore.run(() => new Future<void>());
      const last = semaphore.run(() => Future.resolved("last"));
      await tick(1);
      assertEquals(result.result(), 42);
      assertEquals(promised.result(), "text");
      assertThrows(() => thrown.result(), RangeError, "mine");
      assertThrows(() => failed.result(), RangeError, "other");
      waiting.cancel();
      cancelled.cancel();
      await tick(0);
      assert(cancelled.cancelled());
      assert(waiting.cancelled());
      assertEquals(last.result(), "last");
      assert(semaphore.acquire().done());
    });
  });
}
