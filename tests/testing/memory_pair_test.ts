import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type MemoryConn, memoryPair } from "../../testing/mod.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

/** Reads once, into a buffer of `size` bytes. */
async function read(conn: MemoryConn, size = 100): Promise<number[] | null> {
  const buffer = new Uint8Array(size);
  const count = await conn.read(buffer);
  return count === null ? null : [...buffer.subarray(0, count)];
}

Deno.test("memoryPair() carries bytes both ways, in order", async () => {
  const [a, b] = memoryPair();
  assertEquals(await a.write(bytes(1, 2)), 2);
  assertEquals(await a.write(bytes(3)), 1);
  assertEquals(await b.write(bytes(9)), 1);
  assertEquals(await read(b), [1, 2, 3]);
  assertEquals(await read(a), [9]);
});

Deno.test("memoryPair() gives a read that waits what is written next", async () => {
  const [a, b] = memoryPair();
  const reading = read(b);
  await a.write(bytes(1, 2, 3));
  assertEquals(await reading, [1, 2, 3]);
});

Deno.test("memoryPair() keeps what did not fit into the buffer of a read", async () => {
  const [a, b] = memoryPair();
  await a.write(bytes(1, 2, 3));
  await a.write(bytes(4));
  assertEquals(await read(b, 2), [1, 2]);
  assertEquals(await read(b, 2), [3, 4]);
});

Deno.test("memoryPair() answers an empty buffer with 0, and null at the end", async () => {
  const [a, b] = memoryPair();
  assertEquals(await b.read(new Uint8Array(0)), 0);
  assertEquals(await a.write(new Uint8Array(0)), 0);
  await a.write(bytes(1));
  await a.closeWrite();
  assertEquals(await read(b), [1]);
  assertEquals(await read(b), null);
  assertEquals(await read(b), null);
  assertEquals(await b.read(new Uint8Array(0)), 0);
});

Deno.test("memoryPair() closes one direction with closeWrite()", async () => {
  const [a, b] = memoryPair();
  await a.closeWrite();
  await a.closeWrite();
  await assertRejects(() => a.write(bytes(1)), Deno.errors.BrokenPipe);
  await b.write(bytes(2));
  assertEquals(await read(a), [2]);
});

Deno.test("memoryPair() ends a read of the peer that waits when closeWrite() comes", async () => {
  const [a, b] = memoryPair();
  const reading = read(b);
  await a.closeWrite();
  assertEquals(await reading, null);
});

Deno.test("memoryPair() lets a write that waits go before the end of the stream", async () => {
  const [a, b] = memoryPair({ capacity: 2 });
  await a.write(bytes(1, 2));
  const writing = a.write(bytes(3));
  await a.closeWrite();
  assertEquals(await read(b), [1, 2]);
  assertEquals(await writing, 1);
  assertEquals(await read(b), [3]);
  assertEquals(await read(b), null);
});

Deno.test("memoryPair() rejects what is pending on the end that is closed as Interrupted", async () => {
  const [a] = memoryPair({ capacity: 1 });
  await a.write(bytes(1));
  const writing = assertRejects(() => a.write(bytes(2)), Deno.errors.Interrupted);
  const reading = assertRejects(() => read(a), Deno.errors.Interrupted);
  a.close();
  await writing;
  await reading;
});

Deno.test("memoryPair() rejects any use after close() as BadResource", async () => {
  const [a] = memoryPair();
  assert(!a.closed());
  a.close();
  assert(a.closed());
  await assertRejects(() => read(a), Deno.errors.BadResource);
  await assertRejects(() => a.write(bytes(1)), Deno.errors.BadResource);
  await assertRejects(() => a.closeWrite(), Deno.errors.BadResource);
  assertThrows(() => a.close(), Deno.errors.BadResource);
});

Deno.test("memoryPair() is closed once by using", () => {
  const [a, b] = memoryPair();
  {
    using _a = a;
    using closed = b;
    closed.close();
  }
  assert(a.closed());
});

Deno.test("memoryPair() gives the peer of a closed end what was written, then the end", async () => {
  const [a, b] = memoryPair();
  await a.write(bytes(1));
  a.close();
  assertEquals(await read(b), [1]);
  assertEquals(await read(b), null);
});

Deno.test("memoryPair() rejects a write to a closed peer as BrokenPipe", async () => {
  const [a, b] = memoryPair({ capacity: 1 });
  await a.write(bytes(1));
  const writing = assertRejects(() => a.write(bytes(2)), Deno.errors.BrokenPipe);
  b.close();
  await writing;
  await assertRejects(() => a.write(bytes(2)), Deno.errors.BrokenPipe);
});

Deno.test("memoryPair() refuses a second read or write beside a pending one", async () => {
  const [a, b] = memoryPair({ capacity: 1 });
  const reading = read(a);
  await assertRejects(() => read(a), Deno.errors.Busy);
  await a.write(bytes(1));
  const writing = a.write(bytes(2));
  await assertRejects(() => a.write(bytes(3)), Deno.errors.Busy);
  assertEquals(await read(b), [1]);
  assertEquals(await writing, 1);
  await b.write(bytes(4));
  assertEquals(await reading, [4]);
});

Deno.test("memoryPair() lets a write wait while the store is full", async () => {
  const [a, b] = memoryPair({ capacity: 3 });
  assertEquals(await a.write(bytes(1, 2, 3, 4)), 3);
  let written = 0;
  const writing = a.write(bytes(4, 5)).then((count) => written = count);
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(written, 0);
  assertEquals(await read(b, 1), [1]);
  assertEquals(await writing, 1);
  assertEquals(await read(b), [2, 3, 4]);
});

Deno.test("memoryPair() stores 64 KiB in each direction by default", async () => {
  const [a, b] = memoryPair();
  assertEquals(await a.write(new Uint8Array(100_000)), 65536);
  assertEquals(await b.write(new Uint8Array(100_000)), 65536);
  assertThrows(() => memoryPair({ capacity: 0 }), RangeError);
});

Deno.test("memoryPair() leaves a buffer alone once its operation has settled", async () => {
  const [a, b] = memoryPair({ capacity: 4 });
  const sent = bytes(1, 2);
  await a.write(sent);
  sent.fill(0);
  const buffer = new Uint8Array(4);
  assertEquals(await b.read(buffer), 2);
  await a.write(bytes(7, 8));
  assertEquals([...buffer], [1, 2, 0, 0]);
  assertEquals(await read(b), [7, 8]);
});

Deno.test("maxRead and maxWrite make reads and writes short", async () => {
  const [a, b] = memoryPair();
  a.maxWrite = 2;
  b.maxRead = 1;
  assertEquals(await a.write(bytes(1, 2, 3)), 2);
  assertEquals(await read(b), [1]);
  assertEquals(await read(b), [2]);
  a.maxWrite = Infinity;
  b.maxRead = Infinity;
  assertEquals(await a.write(bytes(3, 4)), 2);
  assertEquals(await read(b), [3, 4]);
  assertEquals([a.maxRead, b.maxRead], [Infinity, Infinity]);
  assertEquals([a.maxWrite, b.maxWrite], [Infinity, Infinity]);
});

Deno.test("hold() keeps back bytes and the end, release() lets them through", async () => {
  const [a, b] = memoryPair();
  b.hold();
  await a.write(bytes(1, 2, 3));
  await a.closeWrite();
  const seen: (number[] | null)[] = [];
  const reading = (async () => {
    for (let part; part !== null;) seen.push(part = await read(b));
  })();
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(seen, []);
  b.release(1);
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(seen, [[1]]);
  b.release();
  await reading;
  assertEquals(seen, [[1], [2, 3], null]);
});

Deno.test("reset() fails what is pending or comes later, on both ends", async () => {
  const [a, b] = memoryPair({ capacity: 1 });
  await a.write(bytes(1));
  const writing = assertRejects(() => a.write(bytes(2)), Deno.errors.ConnectionReset);
  const reading = assertRejects(() => read(a), Deno.errors.ConnectionReset);
  b.reset();
  await writing;
  await reading;
  await assertRejects(() => read(b), Deno.errors.ConnectionReset);
  await assertRejects(() => b.write(bytes(1)), Deno.errors.ConnectionReset);
  a.close();
  b.close();
});
