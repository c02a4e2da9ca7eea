import { assert, assertEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { coroutine, locks, TimeoutError } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

Deno.test("Event.wait() before set() waits, after it is done at once", () => {
  const event = new locks.Event();
  assert(!event.isSet());
  const waiting = event.wait();
  assertType<IsExact<typeof waiting, Future<void>>>(true);
  assert(waiting.running());
  event.set();
  assert(event.isSet());
  assert(waiting.done());
  assert(event.wait().done());
  assertEquals(event.wait().result(), undefined);
});

Deno.test("Event.clear() makes wait() wait again, set() twice is fine", () => {
  const event = new locks.Event();
  event.set();
  event.set();
  event.clear();
  event.clear();
  assert(!event.isSet());
  const waiting = event.wait();
  assert(waiting.running());
  event.set();
  assert(waiting.done());
});

Deno.test("Event.set() wakes those who waited before and after a clear()", async () => {
  const event = new locks.Event();
  const woken: string[] = [];
  const wait = coroutine(function* (name: string) {
    yield* event.wait();
    woken.push(name);
  });
  const before = wait("before");
  event.clear();
  const after = wait("after");
  event.set();
  event.clear(); // they were woken all the same
  assertEquals(woken, []); // not inside set()
  await before;
  await after;
  assertEquals(woken, ["before", "after"]);
});

Deno.test("Event.wait() fails with TimeoutError when its time is over", async () => {
  await withFakeLoop(async (tick) => {
    const event = new locks.Event();
    const [late, early] = [event.wait({ timeout: 10 }), event.wait({ timeout: 20 })];
    await tick(10);
    assertThrows(() => late.result(), TimeoutError, "longer than 10 ms");
    event.set();
    await tick(10);
    early.result();
  });
});

Deno.test("Event.wait() that is cancelled leaves the others waiting", () => {
  const event = new locks.Event();
  const [first, second] = [event.wait(), event.wait()];
  assert(first.cancel());
  event.set();
  assert(first.cancelled());
  assert(second.done());
  assert(!second.cancel());
});

Deno.test("Event shows whether it is set", () => {
  const event = new locks.Event();
  assertEquals(`${event}`, "Event [clear]");
  event.set();
  assertEquals(Deno.inspect(event), "Event [set]");
});
