import { assert, assertEquals, assertThrows } from "@std/assert";
import { queues } from "../../gen/mod.ts";

Deno.test("LifoQueue hands over the newest item first, waiting ones included", async () => {
  const queue = new queues.LifoQueue<number>(2);
  queue.putNowait(1);
  queue.putNowait(0);
  assert(queue.full());
  const puts = [queue.put(3), queue.put(2)];
  const items = [queue.getNowait(), await queue.get(), queue.getNowait(), await queue.get()];
  assertEquals(items, [3, 2, 0, 1]);
  assert(puts.every((put) => put.done()));
  assert(queue.empty());
});

Deno.test("LifoQueue takes an item back from a get that is cancelled", () => {
  const queue = new queues.LifoQueue<number>();
  for (const item of [1, 2]) queue.putNowait(item);
  assert(queue.get().cancel());
  assertEquals([queue.getNowait(), queue.getNowait()], [2, 1]);
});

Deno.test("LifoQueue refuses a maxsize below 0", () => {
  assertThrows(() => new queues.LifoQueue(-1), RangeError);
});
