import { assert, assertEquals } from "@std/assert";
import { coroutine, type CoroutineGenerator, race, shield, withTimeout } from "../../gen/mod.ts";
import { chainFuture, Future, IOLoop } from "../../ioloop/mod.ts";

const DEPTH = 100_000;

Deno.test("coroutines call each other 100,000 deep by yield* and by yield", async () => {
  const down = coroutine(function* (n: number): CoroutineGenerator<number> {
    return n === 0 ? 0 : 1 + (yield* down(n - 1));
  });
  assertEquals(await down(DEPTH), DEPTH);
  const plain = coroutine(function* (n: number): CoroutineGenerator<number> {
    return n === 0 ? 0 : 1 + ((yield plain(n - 1)) as number);
  });
  assertEquals(await plain(DEPTH), DEPTH);
  const generators = function* (n: number): CoroutineGenerator<number> {
    return n === 0 ? 0 : 1 + ((yield generators(n - 1)) as number);
  };
  assertEquals(await coroutine(generators)(DEPTH), DEPTH);
});

Deno.test("coroutines that wait 100,000 deep fail, and are cancelled, from the innermost out", async () => {
  const innermost = new Future<void>();
  const down = coroutine(function* (n: number): CoroutineGenerator {
    if (n === 0) yield* innermost;
    else yield* down(n - 1);
  });
  const failing = down(DEPTH);
  await Promise.resolve();
  innermost.setException(new RangeError("at the bottom"));
  assertEquals(await failing.catch((error) => (error as Error).message), "at the bottom");

  const begun = new Future<void>();
  let ended = 0;
  const waiting = coroutine(function* (n: number): CoroutineGenerator {
    try {
      if (n > 0) yield* waiting(n - 1);
      begun.setResult();
      yield new Future();
    } finally {
      assertEquals(ended++, n);
    }
  });
  const outermost = waiting(DEPTH);
  await begun;
  outermost.cancel();
  await outermost.catch(() => {});
  assert(outermost.cancelled());
  assertEquals(ended, DEPTH + 1);
});

Deno.test("a chain of 100,000 Futures settles", async () => {
  const first = new Future<string>();
  let last: Future<string> = first;
  for (let i = 0; i < DEPTH; i++) {
    const next = new Future<string>();
    chainFuture(last, next);
    last = next;
  }
  let shielded: Future<unknown> = first;
  for (let i = 0; i < DEPTH; i++) shielded = shield(shielded);
  first.setResult("end");
  assertEquals(await last, "end");
  assertEquals(await shielded, "end");
  const loop = new IOLoop();
  assertEquals(await loop.run(() => withTimeout(1000, shield(Future.resolved("done")))), "done");
  loop.close();
});

// A list or a race between each two of them made it a recursion, which threw RangeError.
Deno.test("cancel() reaches coroutines 20,000 deep through lists and races", async () => {
  for (const wrap of [(x: Future<void>) => [x], (x: Future<void>) => race([x])]) {
    let [begun, ended] = [0, 0];
    const down = coroutine(function* (n: number): CoroutineGenerator {
      begun++;
      try {
        yield n === 0 ? new Future() : wrap(down(n - 1));
      } finally {
        ended++;
      }
    });
    const future = down(20_000);
    while (begun < 20_001) await new Promise((resolve) => setImmediate(resolve));
    future.cancel();
    await future.catch(() => {});
    assertEquals(ended, 20_001);
  }
});
