import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  CancelledError,
  coroutine,
  type CoroutineGenerator,
  moment,
  queues,
  sleep,
  TimeoutError,
} from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

const { Queue, QueueEmpty, QueueFull } = queues;

Deno.test("Queue hands items over in their order", () => {
  const queue = new Queue<string>();
  for (const item of ["a", "b", "c"]) queue.putNowait(item);
  const first = queue.get();
  assertType<IsExact<typeof first, Future<string>>>(true);
  assertEquals([first.result(), queue.getNowait(), queue.get().result()], ["a", "b", "c"]);
});

Deno.test("Queue knows its size, and whether it is empty or full", () => {
  const queue = new Queue<number>(2);
  assertEquals([queue.maxsize, queue.qsize(), queue.empty(), queue.full()], [2, 0, true, false]);
  queue.putNowait(1);
  assertEquals([queue.qsize(), queue.empty(), queue.full()], [1, false, false]);
  queue.putNowait(2);
  assertEquals([queue.qsize(), queue.empty(), queue.full()], [2, false, true]);
  queue.getNowait();
  assertEquals([queue.qsize(), queue.full()], [1, false]);
});

Deno.test("Queue of maxsize 0 is never full, of 1.3 it holds two", () => {
  const unbounded = new Queue<number>();
  for (let i = 0; i < 1000; i++) unbounded.putNowait(i);
  assert(!unbounded.full());
  const fraction = new Queue<number>(1.3);
  fraction.putNowait(0);
  assert(!fraction.full());
  fraction.putNowait(1);
  assert(fraction.full());
  const third = fraction.put(2);
  assertEquals(fraction.getNowait(), 0);
  assert(third.done());
  assertEquals(fraction.qsize(), 2);
});

Deno.test("Queue refuses a maxsize below 0 and what is no number", () => {
  assertThrows(() => new Queue(-1), RangeError, "got -1");
  assertThrows(() => new Queue(NaN), RangeError, "got NaN");
  assertThrows(() => new Queue(null as never), TypeError, "got null");
});

Deno.test("Queue.putNowait() on a full queue and getNowait() on an empty one throw", () => {
  const queue = new Queue<number>(1);
  assertThrows(() => queue.getNowait(), QueueEmpty, "empty");
  queue.putNowait(1);
  assertThrows(() => queue.putNowait(2), QueueFull, "full");
  assertEquals(queue.getNowait(), 1);
  assertEquals(new QueueFull().name, "QueueFull");
  assertEquals(new QueueEmpty().name, "QueueEmpty");
});

Deno.test("Queue.put() on a full queue waits for a get, in order", () => {
  const queue = new Queue<number>(1);
  const puts = [0, 1, 2].map((item) => queue.put(item));
  assertType<IsExact<typeof puts, Future<void>[]>>(true);
  const done = () => puts.map((put) => put.done());
  assertEquals(done(), [true, false, false]);
  assertEquals(queue.getNowait(), 0);
  assertEquals(done(), [true, true, false]);
  assertEquals(queue.get().result(), 1);
  assertEquals(done(), [true, true, true]);
  assertEquals(queue.getNowait(), 2);
});

Deno.test("Queue.get() on an empty queue waits for a put or putNowait, in order", async () => {
  const queue = new Queue<number>();
  const seen: string[] = [];
  const get = coroutine(function* (name: string) {
    seen.push(`${name} ${yield* queue.get()}`);
  });
  const getters = [get("a"), get("b"), get("c")];
  queue.putNowait(0);
  await queue.put(1);
  queue.putNowait(2);
  assertEquals(queue.qsize(), 0);
  for (const getter of getters) await getter;
  assertEquals(seen, ["a 0", "b 1", "c 2"]);
});

Deno.test("Queue wakes nobody inside put() and get()", async () => {
  const queue = new Queue<number>(1);
  const seen: string[] = [];
  const get = coroutine(function* () {
    yield* queue.get();
    seen.push("got");
  })();
  queue.putNowait(0);
  assertEquals(seen, []);
  await get;
  queue.putNowait(1);
  const put = coroutine(function* () {
    yield* queue.put(2);
    seen.push("put");
  })();
  queue.getNowait();
  assertEquals(seen, ["got"]);
  await put;
  assertEquals(seen, ["got", "put"]);
});

Deno.test("Queue.get() that times out loses no item", async () => {
  await withFakeLoop(async (tick) => {
    const queue = new Queue<number>();
    const [late, atOnce] = [queue.get({ timeout: 10 }), queue.get({ timeout: 0 })];
    const patient = queue.get({ timeout: 20 });
    await tick(10);
    assertThrows(() => late.result(), TimeoutError, "longer than 10 ms");
    assertThrows(() => atOnce.result(), TimeoutError);
    queue.putNowait(1);
    queue.putNowait(2);
    await tick(10);
    assertEquals(patient.result(), 1);
    assertEquals(queue.get({ timeout: 0 }).result(), 2);
  });
});

Deno.test("Queue.put() that times out does not put its item", async () => {
  await withFakeLoop(async (tick) => {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const late = queue.put(1, { timeout: 10 });
    const patient = queue.put(2, { timeout: 20 });
    await tick(10);
    assertThrows(() => late.result(), TimeoutError, "longer than 10 ms");
    assertEquals(queue.getNowait(), 0);
    assert(patient.done());
    await tick(10);
    assertEquals(queue.getNowait(), 2);
    assert(queue.empty());
    queue.taskDone();
    queue.taskDone();
    assert(queue.join().done()); // the late one does not count
  });
});

Deno.test("Queue drops waiters that are cancelled and loses no item", () => {
  const queue = new Queue<number>(1);
  const [get, nextGet] = [queue.get(), queue.get()];
  assert(get.cancel());
  queue.putNowait(0);
  assertEquals(nextGet.result(), 0);
  queue.putNowait(1);
  const [put, nextPut] = [queue.put(2), queue.put(3)];
  assert(put.cancel());
  assertEquals(queue.getNowait(), 1);
  assert(nextPut.done());
  assert(!nextPut.cancel());
  assertEquals(queue.getNowait(), 3);
  assert(queue.empty());
});

Deno.test("Queue.get() that is cancelled before its result was read gives the item to the next", () => {
  const queue = new Queue<number>(2);
  const [first, second] = [queue.get(), queue.get()];
  queue.putNowait(1);
  assert(first.cancel("left"));
  assertThrows(() => first.result(), CancelledError, "left");
  assertEquals(second.result(), 1);
  assert(!second.cancel());

  const third = queue.get();
  for (const item of [2, 3, 4]) queue.putNowait(item);
  const waiting = queue.put(5);
  assert(third.cancel());
  assertEquals(queue.qsize(), 3); // one more than fits, until it is got again
  const items = [queue.getNowait()];
  assert(waiting.running());
  items.push(queue.getNowait(), queue.getNowait(), queue.getNowait());
  assertEquals(items, [2, 3, 4, 5]);

  queue.putNowait(6);
  const ready = queue.get();
  assert(ready.cancel());
  assertEquals(queue.getNowait(), 6);
});

for (const way of ["yield", "yield*"]) {
  Deno.test(`Queue.get() of a coroutine with ${way} that is cancelled when served loses no item`, async () => {
    await withFakeLoop(async (tick) => {
      const queue = new Queue<number>();
      const seen: string[] = [];
      const get = coroutine(function* (name: string): CoroutineGenerator {
        const item: number = way === "yield" ? yield queue.get() : yield* queue.get();
        seen.push(`${name} ${item}`);
      });
      const [first, second] = [get("first"), get("second")];
      queue.putNowait(1);
      first.cancel();
      await tick(0);
      assert(first.cancelled());
      assert(second.done());
      assertEquals(seen, ["second 1"]);

      const third = get("third");
      queue.putNowait(2);
      queue.putNowait(3);
      third.cancel();
      await tick(0);
      assertEquals([queue.getNowait(), queue.getNowait()], [2, 3]);

      const waiting = get("waiting");
      waiting.cancel();
      queue.putNowait(4);
      await tick(0);
      assert(waiting.cancelled());
      assertEquals(queue.getNowait(), 4);
    });
  });
}

Deno.test("Queue.join() on an empty queue is done at once, twice", () => {
  const queue = new Queue<number>();
  assert(queue.join().done());
  assert(queue.join().done());
});

Deno.test("Queue.join() waits for the last taskDone(), and again after a further put", () => {
  const queue = new Queue<number>();
  queue.putNowait(1);
  queue.putNowait(2);
  const joined = queue.join();
  queue.getNowait();
  queue.getNowait();
  queue.taskDone();
  assert(joined.running());
  queue.taskDone();
  assert(joined.done());
  assert(queue.join().done());
  queue.putNowait(3);
  assert(queue.join().running());
});

Deno.test("Queue.taskDone() once too often throws", () => {
  const queue = new Queue<number>();
  assertThrows(() => queue.taskDone(), RangeError);
  queue.putNowait(1);
  queue.taskDone();
  assertThrows(() => queue.taskDone(), RangeError, "all that were put");
});

Deno.test("Queue.join() fails with TimeoutError when its time is over", async () => {
  await withFakeLoop(async (tick) => {
    const queue = new Queue<number>();
    queue.putNowait(1);
    const [late, patient] = [queue.join({ timeout: 10 }), queue.join({ timeout: 20 })];
    await tick(10);
    assertThrows(() => late.result(), TimeoutError);
    queue.taskDone();
    await tick(10);
    patient.result();
  });
});

Deno.test("Queue brings ten items from a producer to a consumer", async () => {
  for (const maxsize of [0, 1, 3]) {
    const queue = new Queue<number>(maxsize);
    const history: number[] = [];
    const consume = coroutine(function* () {
      while (true) {
        history.push(yield* queue.get());
        queue.taskDone();
      }
    });
    const produce = coroutine(function* () {
      for (let i = 0; i < 10; i++) yield* queue.put(i);
    });
    const consumer = consume();
    await produce();
    await queue.join();
    consumer.cancel();
    await assertRejects(() => Promise.resolve(consumer), CancelledError);
    assertEquals(history, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

Deno.test("Queue shares a hundred items among two workers", async () => {
  await withFakeLoop(async (tick) => {
    const queue = new Queue<number>();
    const history: number[] = [];
    const work = coroutine(function* (pause: number) {
      while (true) {
        const item = yield* queue.get();
        queue.taskDone();
        history.push(item);
        yield* sleep(pause);
      }
    });
    const workers = [work(1), work(2)];
    for (let i = 0; i < 100; i++) queue.putNowait(i);
    const joined = queue.join();
    await tick(100);
    assert(joined.done());
    assertEquals(history.toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
    for (const worker of workers) worker.cancel();
    await tick(0);
    assert(workers.every((worker) => worker.cancelled()));
  });
});

Deno.test("Queue in for await gives one item after the other", async () => {
  const queue = new Queue<number>();
  for (const item of [1, 2]) queue.putNowait(item);
  queueMicrotask(() => queue.putNowait(3));
  const seen: number[] = [];
  for await (const item of queue) {
    assertType<IsExact<typeof item, number>>(true);
    seen.push(item);
    if (seen.length === 3) break;
  }
  assertEquals(seen, [1, 2, 3]);
});

Deno.test("Queue holds undefined, as any other item", () => {
  const queue = new Queue<undefined>();
  queue.putNowait(undefined);
  assertEquals(queue.qsize(), 1);
  assertEquals(queue.getNowait(), undefined);
  assert(queue.empty());
});

Deno.test("Queue shows its state", () => {
  const queue = new Queue<number>(1);
  for (const item of [1, 2, 3]) queue.put(item);
  assertEquals(`${queue}`, "Queue [maxsize:1,size:1,getters:0,putters:2,unfinished:1]");
  const other = new Queue<number>();
  other.get();
  assertEquals(Deno.inspect(other), "Queue [maxsize:0,size:0,getters:1,putters:0,unfinished:0]");
});

Deno.test("Queue with a store of one's own hands over in its order", () => {
  class Deferring extends queues.FifoStore<string> {
    override push(item: string): void {
      if (item.startsWith("!")) this.putBack(item);
      else super.push(item);
    }
  }
  const queue = new Queue<string>(0, new Deferring());
  for (const item of ["a", "b", "!c"]) queue.putNowait(item);
  assertEquals([queue.getNowait(), queue.getNowait(), queue.getNowait()], ["!c", "a", "b"]);
});

Deno.test("Queue takes 100000 items, and as many that wait", () => {
  const count = 100_000;
  const queue = new Queue<number>();
  for (let i = 0; i < count; i++) queue.putNowait(i);
  for (let i = 0; i < count; i++) assert(queue.getNowait() === i);
  const getters = Array.from({ length: count }, () => queue.get());
  for (let i = 0; i < count; i += 2) getters[i]!.cancel();
  for (let i = 1; i < count; i += 2) queue.putNowait(i);
  for (let i = 1; i < count; i += 2) assert(getters[i]!.result() === i);
  const bounded = new Queue<number>(1);
  const putters = Array.from({ length: count }, (_, i) => bounded.put(i));
  for (let i = 1; i < count; i += 2) putters[i]!.cancel();
  for (let i = 0; i < count; i += 2) assert(bounded.getNowait() === i);
  assert(bounded.empty());
});

// The item was taken out and given to nobody.
Deno.test("Queue.get() that is ready gives its item back when the coroutine had cancelled itself", async () => {
  const queue = new Queue<number>();
  queue.putNowait(1);
  const future: Future<void> = coroutine(function* (): CoroutineGenerator {
    yield moment;
    future.cancel();
    yield queue.get();
  })();
  await future.catch(() => {});
  assertEquals(queue.getNowait(), 1);
});

// The item was taken out and given to nobody.
Deno.test("Queue.get() that is ready gives its item back when its Multi fails", async () => {
  const queue = new Queue<number>();
  queue.putNowait(1);
  const future = coroutine(function* (): CoroutineGenerator {
    yield [queue.get(), Promise.reject(new RangeError("mine"))];
  })();
  await future.catch(() => {});
  assertEquals(queue.getNowait(), 1);
});
