import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { coroutine, moment, shield } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";

Deno.test("shield() passes result, error and cancellation of the work on", async () => {
  assertEquals(await shield(Promise.resolve(42)), 42);
  const error = new RangeError("mine");
  await assertRejects(() => Promise.resolve(shield(Future.failed(error))), RangeError, "mine");
  const work = new Future<void>();
  const shielded = shield(work);
  work.cancel("by itself");
  assert(shielded.cancelled());
  assertStrictEquals(shielded.exception(), work.exception());
});

Deno.test("shield() cannot be cancelled", async () => {
  const work = new Future<number>();
  const shielded = shield(work);
  assert(!shielded.cancel());
  assert(!work.done());
  work.setResult(1);
  assertEquals(await shielded, 1);
});

Deno.test("shield() runs a generator", async () => {
  const main = coroutine(function* () {
    return yield* shield((function* () {
      yield moment;
      return 42;
    })());
  });
  assertEquals(await main(), 42);
});
