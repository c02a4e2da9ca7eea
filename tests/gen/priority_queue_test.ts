import { assert, assertEquals, assertThrows } from "@std/assert";
import { queues } from "../../gen/mod.ts";

function drain<T>(queue: queues.Queue<T>): T[] {
  const items: T[] = [];
  while (!queue.empty()) items.push(queue.getNowait());
  return items;
}

Deno.test("PriorityQueue hands over the smallest item first, waiting ones included", async () => {
  const queue = new queues.PriorityQueue<[number, string]>(2);
  queue.putNowait([1, "a"]);
  queue.putNowait([0, "b"]);
  assert(queue.full());
  queue.put([3, "c"]);
  queue.put([2, "d"]);
  const items = [queue.getNowait(), await queue.get(), queue.getNowait(), await queue.get()];
  assertEquals(items, [[0, "b"], [1, "a"], [2, "d"], [3, "c"]]);
  assert(queue.empty());
});

Deno.test("PriorityQueue sorts any number of items", () => {
  for (let size = 0; size < 40; size++) {
    const queue = new queues.PriorityQueue<number>();
    const items = Array.from({ length: size }, (_, i) => (i * 17) % 41);
    for (const item of items) queue.putNowait(item);
    assertEquals(drain(queue), items.toSorted((a, b) => a - b));
  }
});

Deno.test("PriorityQueue compares arrays element by element, a shorter one comes first", () => {
  const queue = new queues.PriorityQueue<unknown[]>();
  const sorted = [[], [0], [0, "a"], [0, "b"], [0, "b", [1]], [0, "b", [2]], [10], [11]];
  for (const item of sorted.toReversed()) queue.putNowait(item);
  assertEquals(drain(queue), sorted);
});

Deno.test("PriorityQueue hands over equal items in the order in which they came", () => {
  const queue = new queues.PriorityQueue<{ rank: number; name: string }>(0, {
    compare: (a, b) => b.rank - a.rank,
  });
  for (const name of "abcdefgh") queue.putNowait({ rank: name < "e" ? 1 : 2, name });
  assertEquals(drain(queue).map(({ name }) => name).join(""), "efghabcd");
});

Deno.test("PriorityQueue takes an item back from a get that is cancelled, before its equals", () => {
  const queue = new queues.PriorityQueue<[number, string]>(0, { compare: ([a], [b]) => a - b });
  const waiting = queue.get();
  queue.putNowait([1, "first"]);
  queue.putNowait([1, "second"]);
  queue.putNowait([0, "small"]);
  assert(waiting.cancel());
  assertEquals(drain(queue).map(([, name]) => name), ["small", "first", "second"]);
});

Deno.test("PriorityQueue keeps its items when compare throws", () => {
  let broken = false;
  const queue = new queues.PriorityQueue<number>(0, {
    compare(a, b) {
      if (broken) throw new Error("mine");
      return a - b;
    },
  });
  for (const item of [3, 2, 1]) queue.putNowait(item);
  broken = true;
  assertThrows(() => queue.putNowait(0), Error, "mine");
  broken = false;
  assertEquals(drain(queue).toSorted(), [0, 1, 2, 3]);
});

Deno.test("PriorityQueue refuses a maxsize below 0", () => {
  assertThrows(() => new queues.PriorityQueue(-1), RangeError);
});
