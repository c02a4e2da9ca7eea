import { assertEquals } from "@std/assert";
import { Timeout, TimeoutHeap } from "../../ioloop/timeout_heap.ts";
import { seeded } from "../_seeded.ts";

Deno.test("TimeoutHeap.takeDue() gives what a sorted list would, whatever was removed", () => {
  const random = seeded(1);
  for (let round = 0; round < 50; round++) {
    const heap = new TimeoutHeap();
    const added: Timeout[] = [];
    for (let i = 0; i < 200; i++) {
      const timeout = new Timeout(random(50), () => {}, []);
      heap.push(timeout);
      added.push(timeout);
    }
    const removed = new Set(added.filter(() => random(3) === 0));
    for (const timeout of removed) heap.delete(timeout);
    const left = added.filter((timeout) => !removed.has(timeout));
    assertEquals(heap.size, left.length);

    const expected = left.toSorted((a, b) => a.deadline - b.deadline); // stable: order of adding
    const taken: Timeout[] = [];
    for (let now = -1; now < 50; now += 5) heap.takeDue(now, taken);
    heap.takeDue(50, taken);
    assertEquals(taken.map((each) => added.indexOf(each)), expected.map((x) => added.indexOf(x)));
    assertEquals(heap.size, 0);
  }
});

Deno.test("TimeoutHeap.takeDue() leaves what is due later", () => {
  const heap = new TimeoutHeap();
  const [early, late] = [new Timeout(1, () => {}, []), new Timeout(2, () => {}, [])];
  heap.push(late);
  heap.push(early);
  const taken: Timeout[] = [];
  heap.takeDue(1, taken);
  assertEquals(taken, [early]);
  assertEquals(heap.peek(), late);
});

Deno.test("TimeoutHeap.delete() leaves timeouts of another heap alone", () => {
  const [one, other] = [new TimeoutHeap(), new TimeoutHeap()];
  const [a, b] = [new Timeout(1, () => {}, []), new Timeout(1, () => {}, [])];
  one.push(a);
  other.push(b);
  one.delete(b);
  assertEquals([one.size, other.size], [1, 1]);
  other.delete(b);
  other.delete(b);
  assertEquals([one.size, other.size], [1, 0]);
});

Deno.test("TimeoutHeap.clear() drops all", () => {
  const heap = new TimeoutHeap();
  const timeout = new Timeout(1, () => {}, []);
  heap.push(timeout);
  heap.clear();
  assertEquals(heap.size, 0);
  assertEquals(heap.peek(), undefined);
  heap.delete(timeout);
  heap.push(timeout);
  assertEquals(heap.size, 1);
});
