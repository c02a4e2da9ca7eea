import { assert, assertEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { CancelledError, coroutine, shield, sleep, withSignal } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

Deno.test("withSignal() passes the result on when the signal is not aborted", async () => {
  const future = withSignal(new AbortController().signal, Promise.resolve(42));
  assertType<IsExact<typeof future, Future<number>>>(true);
  assertEquals(await future, 42);
});

Deno.test("withSignal() cancels its coroutine, waits for its finally and carries the reason", async () => {
  await withFakeLoop(async (tick) => {
    let cleaned = false;
    const controller = new AbortController();
    const work = coroutine(function* () {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(5);
        cleaned = true;
      }
    });
    const future = withSignal(controller.signal, work());
    controller.abort("enough");
    assert(!future.done());
    await tick(5);
    assert(cleaned);
    assertEquals(assertThrows(() => future.result(), CancelledError).reason, "enough");
  });
});

Deno.test("withSignal() with a signal that is aborted already cancels at once", () => {
  const work = new Future<void>();
  const future = withSignal(AbortSignal.abort("before"), work);
  assertThrows(() => future.result(), CancelledError, "before");
  assert(work.cancelled());
});

Deno.test("withSignal() of shielded work fails at once and lets the work go on", () => {
  const controller = new AbortController();
  const work = new Future<void>();
  const future = withSignal(controller.signal, shield(work));
  controller.abort();
  assert(future.cancelled());
  assert(!work.done());
});

Deno.test("withSignal() that is cancelled cancels what its coroutine created, nothing else", async () => {
  const foreign = new Future<void>();
  let mine: Future<void> | undefined;
  const { signal } = new AbortController();
  const futures = [
    coroutine(function* () {
      yield* withSignal(signal, foreign);
    })(),
    coroutine(function* () {
      mine = new Future<void>();
      yield* withSignal(signal, mine);
    })(),
  ];
  for (const future of futures) {
    future.cancel();
    await future.catch(() => {});
    assert(future.cancelled());
  }
  assert(!foreign.done());
  assert(mine!.cancelled());
});
