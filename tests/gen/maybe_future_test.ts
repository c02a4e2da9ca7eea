import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { maybeFuture } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";

Deno.test("maybeFuture() gives a Future as it is, follows a promise and wraps a value", async () => {
  const future = Future.resolved(1);
  assertStrictEquals(maybeFuture(future), future);
  const promised = maybeFuture(Promise.resolve("text"));
  assertType<IsExact<typeof promised, Future<string>>>(true);
  assertEquals(await promised, "text");
  await assertRejects(() => Promise.resolve(maybeFuture(Promise.reject(new RangeError()))));
  for (const value of [42, null, undefined, [Promise.resolve(1)], { then: 1 }]) {
    assertStrictEquals(maybeFuture<unknown>(value).result(), value);
  }
});
