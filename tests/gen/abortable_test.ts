import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { abortable, CancelledError, coroutine } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";

Deno.test("abortable() gives the result or the failure of a promise, or a plain value", async () => {
  const future = abortable(() => Promise.resolve(42));
  assertType<IsExact<typeof future, Future<number>>>(true);
  assertEquals(await future, 42);
  assertEquals(await abortable(() => "plain"), "plain");
  await assertRejects(
    () => Promise.resolve(abortable(() => Promise.reject(new RangeError("mine")))),
    RangeError,
    "mine",
  );
});

Deno.test("abortable() aborts its signal when the coroutine that waits is cancelled", async () => {
  let signal: AbortSignal | undefined;
  let rejected = false;
  const future = coroutine(function* () {
    yield* abortable((mine) => {
      signal = mine;
      return new Promise<void>((_resolve, reject) =>
        mine.addEventListener("abort", () => {
          rejected = true;
          reject(mine.reason);
        })
      );
    });
  })();
  assert(!signal!.aborted);
  future.cancel("left");
  await future.catch(() => {});
  assertThrows(() => future.result(), CancelledError, "left");
  assert(rejected);
  assert(signal!.reason instanceof CancelledError);
});

Deno.test("abortable() ends a real fetch, whose connection is closed", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const accepted = listener.accept();
  const future = coroutine(function* () {
    yield* abortable((signal) => fetch(`http://127.0.0.1:${port}/`, { signal }));
  })();
  const conn = await accepted;
  const buffer = new Uint8Array(4096);
  assert((await conn.read(buffer))! > 0, "the request came");
  future.cancel();
  await future.catch(() => {});
  assertEquals(await conn.read(buffer), null);
  conn.close();
  listener.close();
});

// It failed, as with any other error, and was logged as lost.
Deno.test("abortable() is cancelled when what it waits for is", () => {
  const inner = new Future<void>();
  const future = abortable(() => inner);
  inner.cancel();
  assert(future.cancelled());
});
