import { assert, assertEquals, assertRejects } from "@std/assert";
import { coroutine, forEach, moment, queues, sleep } from "../../gen/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

/** Gives 1, 2, 3 and notes what it is told. */
function numbers(log: string[], fails = false): AsyncIterable<number> {
  let last = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      next(): Promise<IteratorResult<number>> {
        if (fails && last === 1) return Promise.reject(new RangeError("source"));
        if (last === 3) return Promise.resolve({ done: true, value: undefined });
        return Promise.resolve({ done: false, value: ++last });
      },
      return(): Promise<IteratorResult<number>> {
        log.push("return");
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}

Deno.test("forEach() gives every item to a plain, an async and a generator function", async () => {
  const bodies = (seen: number[]) => [
    (n: number) => {
      seen.push(n);
    },
    async (n: number) => {
      await Promise.resolve();
      seen.push(n);
    },
    function* (n: number) {
      yield moment;
      seen.push(n);
    },
  ];
  for (const which of [0, 1, 2]) {
    const seen: number[] = [];
    const log: string[] = [];
    await coroutine(function* () {
      yield* forEach(numbers(log), bodies(seen)[which]!);
    })();
    assertEquals(seen, [1, 2, 3]);
    assertEquals(log, [], "a source that ended is not told to end");
  }
});

Deno.test("forEach() ends the source when the body throws", async () => {
  const log: string[] = [];
  const main = coroutine(function* () {
    yield* forEach(numbers(log), (n) => {
      if (n === 2) throw new RangeError("body");
    });
  });
  await assertRejects(() => Promise.resolve(main()), RangeError, "body");
  assertEquals(log, ["return"]);
});

Deno.test("forEach() passes a failure of the source on", async () => {
  const log: string[] = [];
  const main = coroutine(function* () {
    yield* forEach(numbers(log, true), () => {});
  });
  await assertRejects(() => Promise.resolve(main()), RangeError, "source");
  assertEquals(log, []);
});

Deno.test("forEach() that is cancelled ends body and source, also one that never gives more", async () => {
  await withFakeLoop(async (tick) => {
    const log: string[] = [];
    const inBody = coroutine(function* () {
      yield* forEach(numbers(log), function* () {
        try {
          yield* sleep(1000);
        } finally {
          log.push("body");
        }
      });
    })();
    await tick(0);
    inBody.cancel();
    await tick(0);
    assert(inBody.cancelled());
    assertEquals(log, ["body", "return"]);

    async function* never(): AsyncGenerator<number> {
      await new Promise<void>(() => {});
      yield 1;
    }
    const inSource = coroutine(function* () {
      yield* forEach(never(), () => {});
    })();
    await tick(0);
    inSource.cancel();
    await tick(0);
    assert(inSource.cancelled());
  });
});

Deno.test("forEach() takes a queue", async () => {
  await withFakeLoop(async (tick) => {
    const queue = new queues.Queue<string>();
    const seen: string[] = [];
    const reader = coroutine(function* () {
      yield* forEach(queue, (item) => {
        seen.push(item);
      });
    })();
    queue.putNowait("a");
    await tick(0);
    queue.putNowait("b");
    await tick(0);
    assertEquals(seen, ["a", "b"]);
    reader.cancel();
    await tick(0);
    assert(reader.cancelled());
  });
});

// The error of the source took the place of the one that mattered.
Deno.test("forEach() throws what the body threw though the source fails at its end", async () => {
  for (const fail of [() => Promise.reject(new Error("the end")), throwTheEnd]) {
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: fail,
      }),
    };
    await withFakeLoop(async () => {
      await expectLog(["waterspout", "application"], /the end/, () =>
        assertRejects(
          async () =>
            await coroutine(function* () {
              yield* forEach(source, () => {
                throw new RangeError("body");
              });
            })(),
          RangeError,
          "body",
        ));
    });
  }
});

function throwTheEnd(): never {
  throw new Error("the end");
}

// It was a TypeError.
Deno.test("forEach() takes what can be iterated at once, as for await does", async () => {
  await withFakeLoop(async () => {
    const seen: unknown[] = [];
    await coroutine(function* () {
      yield* forEach([1, Promise.resolve(2)], (n) => void seen.push(n));
    })();
    assertEquals(seen, [1, 2]);
  });
});
