import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { appLog, CancelledError, genLog, IOLoop } from "../../ioloop/mod.ts";
import {
  IOStream,
  type IOStreamOptions,
  StreamBufferFullError,
  StreamClosedError,
  type Transport,
  UnsatisfiableReadError,
} from "../../iostream/mod.ts";

type MakePair = (options: IOStreamOptions) => PromiseLike<[IOStream, IOStream]>;

const KINDS: Readonly<Record<string, MakePair>> = {
  "a socket": (options) => IOStream.pair(options),
  "memory": (options) => {
    const [one, other] = memoryPair();
    return Promise.resolve([new IOStream(one, options), new IOStream(other, options)]);
  },
};

// The contract of a stream, on each kind of connection.
function contract(
  behaviour: string,
  body: (a: IOStream, b: IOStream) => Promise<void>,
  options: IOStreamOptions = {},
): void {
  for (const [kind, make] of Object.entries(KINDS)) {
    Deno.test(`IOStream over ${kind}: ${behaviour}`, () =>
      new IOLoop().run(async () => {
        const [a, b] = await make(options);
        try {
          await body(a, b);
        } finally {
          a.close();
          b.close();
        }
      }, { timeout: 10_000 }));
  }
}

// What needs to see or to disturb the connection itself.
function inMemory(
  behaviour: string,
  body: (stream: IOStream, peer: MemoryConn, near: MemoryConn) => Promise<void>,
  options: IOStreamOptions = {},
  capacity = 65536,
): void {
  Deno.test(`IOStream ${behaviour}`, () =>
    new IOLoop().run(async () => {
      const [near, peer] = memoryPair({ capacity });
      const stream = new IOStream(near, options);
      try {
        await body(stream, peer, near);
      } finally {
        stream.close(new Error("the test is over"));
        if (!peer.closed()) peer.close();
      }
    }, { timeout: 10_000 }));
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function closing(stream: IOStream): Promise<void> {
  return new Promise((resolve) => stream.setCloseCallback(resolve));
}

async function drain(conn: Transport): Promise<string> {
  let all = "";
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return all;
    all += text(buffer.subarray(0, count));
  }
}

function pattern(size: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) & 255);
}

contract(
  "readUntil() gives up to and including the delimiter and leaves the rest",
  async (a, b) => {
    a.write("one\r\ntwo\r\nrest");
    assertEquals(text(await b.readUntil("\r\n")), "one\r\n");
    assertEquals(text(await b.readUntil(encoder.encode("\r\n"))), "two\r\n");
    assertEquals(text(await b.readBytes(4)), "rest");
  },
);

contract("readUntil() finds a delimiter cut at each place", async (a, b) => {
  const message = "ab--a-b-ab--ab-END-";
  for (let at = 1; at < message.length; at++) {
    const line = b.readUntil("-END-");
    await a.write(message.slice(0, at));
    await pause();
    a.write(message.slice(at));
    assertEquals(text(await line), message);
  }
});

contract("readUntil() finds a delimiter that comes byte by byte", async (a, b) => {
  const line = b.readUntil("\r\n\r\n");
  for (const char of "a\r\nb\r\r\n\r\n!") {
    await a.write(char);
    await null;
  }
  assertEquals(text(await line), "a\r\nb\r\r\n\r\n");
  assertEquals(text(await b.readBytes(1)), "!");
});

contract(
  "readUntil() takes a message of exactly maxBytes, before and after it came",
  async (a, b) => {
    a.write("12345\n");
    assertEquals(text(await b.readUntil("\n", { maxBytes: 6 })), "12345\n");
    const later = b.readUntil("\n", { maxBytes: 6 });
    await a.write("123");
    await pause();
    a.write("45\n");
    assertEquals(text(await later), "12345\n");
  },
);

for (const [when, before] of [["before", true], ["after", false]] as const) {
  for (const data of ["123456\n", "123456", "123456789"]) {
    contract(
      `readUntil() closes when maxBytes is passed by ${JSON.stringify(data)} ${when} the call`,
      async (a, b) => {
        await expectLog(genLog, /^Unsatisfiable read/, async () => {
          if (before) {
            a.write(`x${data}`);
            await b.readBytes(1);
          }
          const line = b.readUntil("\n", { maxBytes: 6 });
          if (!before) a.write(data);
          const error = await assertRejects(() => Promise.resolve(line), StreamClosedError);
          assertInstanceOf(error.realError, UnsatisfiableReadError);
          assertEquals(error.realError.maxBytes, 6);
          assertStrictEquals(b.error, error.realError);
          assert(b.closed());
        });
      },
    );
  }
}

contract("readUntil() refuses an empty delimiter", (_a, b) => {
  assertThrows(() => b.readUntil(""), TypeError, "empty delimiter");
  assert(!b.reading());
  return Promise.resolve();
});

contract("readUntil() of 4 MiB in pieces of 1 KiB takes linear time", async (a, b) => {
  const piece = "x".repeat(1024);
  for (let i = 0; i < 4096; i++) a.write(piece);
  a.write("\n");
  const began = performance.now();
  const line = await b.readUntil("\n");
  assertEquals(line.length, 4 * 1024 * 1024 + 1);
  assert(performance.now() - began < 3000);
});

contract("readBytes() waits for all of them", async (a, b) => {
  const five = b.readBytes(5);
  await a.write("123");
  await pause();
  assert(!five.done());
  a.write("4567");
  assertEquals(text(await five), "12345");
  assertEquals(text(await b.readBytes(2)), "67");
});

contract("readBytes(0) gives an empty array and loses nothing", async (a, b) => {
  a.write("ab");
  assertEquals(text(await b.readBytes(1)), "a");
  assertEquals(await b.readBytes(0), new Uint8Array(0));
  assertEquals(text(await b.readBytes(1)), "b");
});

contract("readBytes() with partial gives what is there, at most as many", async (a, b) => {
  const some = b.readBytes(50, { partial: true });
  a.write("hello");
  assertEquals(text(await some), "hello");
  await a.write("0123456789");
  assertEquals(text(await b.readBytes(1)), "0");
  assertEquals(text(await b.readBytes(4, { partial: true })), "1234");
  assertEquals(text(await b.readBytes(0, { partial: true })), "");
  assertEquals(text(await b.readBytes(50, { partial: true })), "56789");
});

contract("readBytes() refuses what is not a whole number from 0", (_a, b) => {
  for (const count of [-1, 1.5, NaN, Infinity]) assertThrows(() => b.readBytes(count), RangeError);
  assert(!b.reading());
  return Promise.resolve();
});

contract("readUntilClose() gives all up to the end", async (a, b) => {
  a.write("one ");
  a.write("two");
  const all = b.readUntilClose();
  await pause();
  assert(!all.done());
  a.close();
  assertEquals(text(await all), "one two");
  assert(b.closed());
  assertEquals(b.error, null);
});

contract("readUntilClose() on a closed stream gives the rest once", async (a, b) => {
  a.write("12345");
  await b.readBytes(1);
  b.close();
  assertEquals(text(await b.readUntilClose()), "2345");
  assertEquals(text(await b.readUntilClose()), "");
});

contract("a read that the buffer can answer is done at once", async (a, b) => {
  a.write("ab\ncd");
  await b.readBytes(1);
  assertEquals(text(b.readUntil("\n").result()), "b\n");
  assertEquals(text(b.readBytes(2).result()), "cd");
});

contract("a second read is refused while one is pending", async (a, b) => {
  const first = b.readBytes(2);
  assert(b.reading());
  for (
    const second of [() => b.readBytes(1), () => b.readUntil("x"), () => b.readUntilClose()]
  ) assertThrows(second, Error, "another read is pending");
  a.write("ok");
  assertEquals(text(await first), "ok");
  assert(!b.reading());
});

contract("a read of a closed stream throws StreamClosedError", (_a, b) => {
  b.close();
  assertThrows(() => b.readBytes(1), StreamClosedError);
  assertThrows(() => b.readUntil("x"), StreamClosedError);
  assert(!b.reading());
  return Promise.resolve();
});

contract("a read that is cancelled leaves its bytes to the next", async (a, b) => {
  const line = b.readUntil("\n");
  await a.write("half");
  await pause();
  line.cancel("not any more");
  assertThrows(() => line.result(), CancelledError);
  assert(!b.reading());
  a.write(" whole\n");
  assertEquals(text(await b.readUntil("\n")), "half whole\n");
});

contract("a burst larger than the buffer arrives in small reads", async (a, b) => {
  const data = pattern(100 * 1024);
  a.write(data);
  for (let at = 0; at < data.length; at += 1024) {
    assertEquals(await b.readBytes(1024), data.subarray(at, at + 1024));
  }
}, { maxBufferSize: 10 * 1024 });

contract("a write waits while its reader does not read, and then arrives whole", async (a, b) => {
  const data = pattern(10 * 1024 * 1024);
  const written = a.write(data);
  await pause();
  assert(!written.done());
  assert(a.writing());
  let at = 0;
  while (at < data.length) {
    const some = await b.readBytes(1024 * 1024, { partial: true });
    assertEquals(some[0], data[at]);
    at += some.length;
    assertEquals(some[some.length - 1], data[at - 1]);
  }
  await written;
  assert(!a.writing());
}, { maxBufferSize: 5 * 1024 * 1024 });

contract("a read that needs more than maxBufferSize closes the stream", async (a, b) => {
  a.write("x".repeat(20_000));
  const error = await assertRejects(
    () => Promise.resolve(b.readUntil("\n")),
    StreamClosedError,
  );
  assertInstanceOf(error.realError, StreamBufferFullError);
  assertStrictEquals(b.error, error.realError);
}, { maxBufferSize: 10_000 });

contract("a read of exactly maxBufferSize is answered", async (a, b) => {
  a.write("x".repeat(9999) + "\n");
  assertEquals((await b.readUntil("\n")).length, 10_000);
}, { maxBufferSize: 10_000 });

contract("write() settles in order, an empty one too", async (a, b) => {
  const order: number[] = [];
  const writes = ["one", "", "two", new Uint8Array(0)].map((data, i) =>
    Promise.resolve(a.write(data)).then(() => order.push(i))
  );
  await Promise.all(writes);
  assertEquals(order, [0, 1, 2, 3]);
  assertEquals(text(await b.readBytes(6)), "onetwo");
});

contract("write() takes any view as its bytes, to be used again when it is done", async (a, b) => {
  const view = new Uint32Array([1, 2, 3]).subarray(1);
  await a.write(view);
  view.fill(0);
  const got = new Uint8Array(await b.readBytes(8));
  assertEquals([...new Uint32Array(got.buffer)], [2, 3]);
});

contract("write() sends text as UTF-8, short and long", async (a, b) => {
  a.write("é€😀");
  assertEquals(text(await b.readBytes(9)), "é€😀");
  a.write("é".repeat(20_000));
  assertEquals(text(await b.readBytes(40_000)), "é".repeat(20_000));
});

contract("write() of a closed stream throws StreamClosedError", (a) => {
  a.close();
  assertThrows(() => a.write("x"), StreamClosedError);
  return Promise.resolve();
});

contract("write() beyond maxWriteBufferSize throws and writes nothing", async (a, b) => {
  const first = a.write("1".repeat(60));
  const error = assertThrows(() => a.write("2".repeat(41)), StreamBufferFullError);
  assertEquals(error.limit, 100);
  a.write("3".repeat(40));
  await first;
  assertEquals(text(await b.readBytes(100)), "1".repeat(60) + "3".repeat(40));
  await a.write("4".repeat(100));
  assertEquals(text(await b.readBytes(100)), "4".repeat(100));
}, { maxWriteBufferSize: 100 });

contract("many writers on one stream lose nothing", async (a, b) => {
  const writers = Array.from({ length: 10 }, async (_, i) => {
    for (let n = 0; n < 50; n++) await a.write(`${i}`.repeat(100));
  });
  const all = text(await b.readBytes(50_000));
  await Promise.all(writers);
  for (let i = 0; i < 10; i++) assertEquals(all.split(`${i}`).length - 1, 5000);
});

contract("a million bytes in mixed sizes arrive unchanged, both ways at once", async (a, b) => {
  const data = pattern(1_000_000);
  const send = async (stream: IOStream, step: number) => {
    for (let at = 0, size = 1; at < data.length; at += size, size = (size * step) % 9973 + 1) {
      const written = stream.write(data.subarray(at, at + size));
      if (size % 3 === 0) await written;
    }
  };
  const receive = async (stream: IOStream, step: number) => {
    let at = 0;
    for (let size = 1; at < data.length; size = (size * step) % 7919 + 1) {
      const want = Math.min(size, data.length - at);
      const got = await stream.readBytes(want, { partial: size % 2 === 0 });
      assertEquals(got, data.subarray(at, at + got.length));
      at += got.length;
    }
  };
  await Promise.all([send(a, 7), send(b, 11), receive(a, 13), receive(b, 17)]);
});

contract("data that came before the end is read after it, then the stream closes", async (a, b) => {
  let closes = 0;
  b.setCloseCallback(() => closes++);
  a.write("12");
  a.close();
  await pause();
  assertEquals([b.closed(), closes], [false, 0]);
  assertEquals(text(await b.readBytes(1)), "1");
  assert(!b.closed());
  assertEquals(text(await b.readBytes(1)), "2");
  await pause();
  assertEquals([b.closed(), closes], [true, 1]);
});

contract("a pending read is answered by what came last, together with the end", async (a, b) => {
  const done = b.readUntil("done");
  a.write("nearly done");
  a.close();
  assertEquals(text(await done), "nearly done");
});

contract("a pending read fails when the end comes without what it waits for", async (a, b) => {
  const closed = closing(b);
  const done = b.readUntil("done");
  a.write("never");
  a.close();
  const error = await assertRejects(() => Promise.resolve(done), StreamClosedError);
  assertEquals(error.realError, null);
  await closed;
  assertEquals(text(await b.readUntilClose()), "never");
});

contract("the close callback is called once though nobody reads", async (a, b) => {
  let closes = 0;
  b.setCloseCallback(() => closes++);
  a.close();
  await pause();
  assertEquals([b.closed(), closes], [true, 1]);
  b.close();
  await pause();
  assertEquals(closes, 1);
});

contract("the close callback is called once when a read was pending", async (a, b) => {
  let closes = 0;
  b.setCloseCallback(() => closes++);
  const read = b.readBytes(1);
  a.close();
  await assertRejects(() => Promise.resolve(read), StreamClosedError);
  await pause();
  assertEquals(closes, 1);
});

contract("setCloseCallback() on a closed stream is called in a later turn", async (_a, b) => {
  b.close();
  let closes = 0;
  b.setCloseCallback(() => closes++);
  assertEquals(closes, 0);
  await pause();
  assertEquals(closes, 1);
});

contract("setCloseCallback(null) takes the callback away", async (_a, b) => {
  b.setCloseCallback(() => assert(false));
  b.setCloseCallback(null);
  b.close();
  await pause();
});

contract("close() lets what was written leave, and ends the pending read", async (a, b) => {
  const read = b.readUntilClose();
  const pending = a.readBytes(1);
  const written = a.write("last words");
  a.close();
  await assertRejects(() => Promise.resolve(pending), StreamClosedError);
  await written;
  assertEquals(text(await read), "last words");
  assertEquals(a.conn, null);
});

contract("close() answers readUntilClose() with what came", async (a, b) => {
  a.write("some");
  const all = b.readUntilClose();
  await pause();
  b.close();
  assertEquals(text(await all), "some");
});

contract("close() with an error drops what was written and says why", async (a, b) => {
  const why = new Error("why");
  const written = a.write(new Uint8Array(10_000_000));
  const read = a.readBytes(1);
  a.close(why);
  assertStrictEquals(a.error, why);
  const error = await assertRejects(() => Promise.resolve(written), StreamClosedError);
  assertStrictEquals(error.cause, why);
  await assertRejects(() => Promise.resolve(read), StreamClosedError, "why");
  await closing(b);
});

contract("closeWrite() ends one direction: the answer still comes", async (a, b) => {
  const question = b.readUntil("\n");
  a.write("question\n");
  await a.closeWrite();
  assertEquals(text(await question), "question\n");
  b.write("answer");
  assertEquals(text(await a.readUntilClose()), "answer");
  await closing(b);
});

contract("the last bytes can still be answered when their sender ended its side", async (a, b) => {
  a.write("one\ntwo\n");
  await a.closeWrite();
  await pause();
  assertEquals(text(await b.readUntil("\n")), "one\n");
  b.write("1");
  assertEquals(text(await b.readUntil("\n")), "two\n");
  b.write("2");
  assertEquals(text(await a.readUntilClose()), "12");
  await closing(b);
});

contract("a stream that was ended by its peer still sends what is queued", async (a, b) => {
  const data = pattern(3_000_000);
  const written = b.write(data);
  await a.closeWrite();
  await pause();
  const got = await a.readUntilClose();
  assertEquals(got.length, data.length);
  assertEquals(got.subarray(-1000), data.subarray(-1000));
  await written;
});

contract("setNoDelay() is harmless", (a) => {
  a.setNoDelay(true);
  return Promise.resolve();
});

contract("shows its state where it is printed", async (a, b) => {
  a.write("12345");
  await b.readBytes(1);
  assertEquals(Deno.inspect(b), "IOStream { open, 4 bytes to read, 0 to write }");
  b.close();
  assertEquals(Deno.inspect(b), "IOStream { closed, 4 bytes to read, 0 to write }");
});

inMemory("writes of one turn leave as one", async (stream, peer, near) => {
  const sizes: number[] = [];
  const write = near.write.bind(near);
  near.write = (data) => {
    sizes.push(data.length);
    return write(data);
  };
  stream.write("one");
  stream.write(new Uint8Array(1000));
  await stream.write("two");
  assertEquals(sizes, [1006]);
  const buffer = new Uint8Array(2000);
  assertEquals(await peer.read(buffer), 1006);
});

inMemory("writes a large array from where it lies", async (stream, _peer, near) => {
  const arrays: ArrayBufferLike[] = [];
  const write = near.write.bind(near);
  near.write = (data) => {
    arrays.push(data.buffer);
    return write(data);
  };
  const large = new Uint8Array(50_000);
  stream.write("head");
  await stream.write(large);
  assertEquals(arrays.length, 2);
  assertStrictEquals(arrays[1], large.buffer);
});

inMemory("goes on after short writes", async (stream, peer, near) => {
  const data = "0123456789".repeat(1000) + "é".repeat(3000); // 16,000 bytes
  const buffer = new Uint8Array(65536);
  for (const size of [1, 7, 4096]) {
    near.maxWrite = size;
    const written = stream.write(data);
    let end = 0;
    while (end < 16_000) end += (await peer.read(buffer.subarray(end)))!;
    await written;
    assertEquals(text(buffer.subarray(0, end)), data);
  }
});

inMemory(
  "reads what comes in short reads, and is held back at any byte",
  async (stream, peer, near) => {
    near.maxRead = 3;
    const line = stream.readUntil("\n");
    near.hold();
    await peer.write(encoder.encode("hello\n"));
    for (let i = 0; i < 5; i++) {
      near.release(1);
      await pause();
      assert(!line.done());
    }
    near.release();
    assertEquals(text(await line), "hello\n");
  },
);

inMemory(
  "waits for a clogged peer without losing a byte",
  async (stream, peer) => {
    const written = stream.write("a".repeat(100));
    await pause();
    assert(!written.done());
    const buffer = new Uint8Array(100);
    let count = 0;
    while (count < 100) count += (await peer.read(buffer))!;
    await written;
    assertEquals(count, 100);
  },
  {},
  10,
);

inMemory(
  "that is broken says so: reads, writes, error, one close callback",
  async (stream, peer) => {
    let closes = 0;
    stream.setCloseCallback(() => closes++);
    const read = stream.readBytes(1);
    const written = stream.write("a".repeat(100));
    await pause();
    peer.reset();
    const error = await assertRejects(() => Promise.resolve(read), StreamClosedError);
    assertInstanceOf(error.realError, Deno.errors.ConnectionReset);
    assertStrictEquals(error.cause, stream.error);
    await assertRejects(() => Promise.resolve(written), StreamClosedError);
    await pause();
    assertEquals(closes, 1);
  },
  {},
  10,
);

inMemory("closes when its peer is gone and something is written", async (stream, peer) => {
  const closed = closing(stream);
  peer.close();
  const written = stream.write("x");
  await assertRejects(() => Promise.resolve(written), StreamClosedError);
  await closed;
});

inMemory("with an error in its close callback does not stop the loop", async (stream) => {
  await expectLog(appLog, /broken callback/, async () => {
    stream.setCloseCallback(() => {
      throw new Error("broken callback");
    });
    stream.close();
    await pause();
  });
});

inMemory(
  "closeWrite() waits for what is queued",
  async (stream, peer) => {
    stream.write("a".repeat(100));
    const ended = stream.closeWrite();
    assertEquals(await drain(peer), "a".repeat(100));
    await ended;
  },
  {},
  10,
);

// How much each read asks of the connection is what an idle connection costs.
inMemory(
  "reads with a small buffer, a large one under load, and a small one again",
  async (stream, peer, near) => {
    const asked: number[] = [];
    const read = near.read.bind(near);
    near.read = (buffer) => {
      asked.push(buffer.length);
      return read(buffer);
    };
    for (let i = 0; i < 20; i++) {
      await peer.write(encoder.encode("short\n"));
      await stream.readUntil("\n");
    }
    assert(Math.max(...asked) <= 2048, `${asked}`);
    asked.length = 0;
    const all = stream.readBytes(2_000_000);
    const data = pattern(2_000_000);
    for (let at = 0; at < data.length;) at += await peer.write(data.subarray(at, at + 60_000));
    assertEquals(await all, data);
    assert(Math.max(...asked) >= 32_768, `${asked}`);
    assert(Math.max(...asked) <= 65_536, `${asked}`);
    for (let i = 0; i < 20; i++) {
      await peer.write(encoder.encode("short\n"));
      await stream.readUntil("\n");
    }
    assert(asked.at(-1)! <= 4096, `${asked.slice(-5)}`);
  },
);

inMemory(
  "reads ahead readChunkSize at most while nobody reads",
  async (_stream, peer) => {
    const data = new Uint8Array(10_000);
    let taken = 0;
    (async () => {
      while (taken < data.length) taken += await peer.write(data.subarray(taken, taken + 10));
    })().catch(() => {}); // the test closes it
    await pause();
    assert(taken >= 1000 && taken <= 1020, `${taken}`);
  },
  { readChunkSize: 1000 },
  10,
);

Deno.test("IOStream readChunkSize is at most half of maxBufferSize", () => {
  const [near, far] = memoryPair();
  const stream = new IOStream(near, { maxBufferSize: 1000, ioLoop: new IOLoop() });
  assertEquals([stream.maxBufferSize, stream.readChunkSize], [1000, 500]);
  assertEquals(stream.maxWriteBufferSize, Infinity);
  assertStrictEquals(stream.conn, near);
  stream.close();
  far.close();
});

Deno.test("IOStream.connect() connects, and fails with the platform's error", () =>
  new IOLoop().run(async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = { hostname: "127.0.0.1", port: listener.addr.port };
    const [stream, accepted] = await Promise.all([IOStream.connect(address), listener.accept()]);
    await stream.write("x");
    assertEquals(await accepted.read(new Uint8Array(9)), 1);
    stream.close();
    accepted.close();
    listener.close();
    await assertRejects(
      () => Promise.resolve(IOStream.connect(address)),
      Deno.errors.ConnectionRefused,
    );
  }));

Deno.test("IOStream.connect() that is cancelled leaves no connection", () =>
  new IOLoop().run(async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = listener.accept();
    const connecting = IOStream.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    connecting.cancel();
    await assertRejects(() => Promise.resolve(connecting), CancelledError);
    const accepted = await accepting;
    assertEquals(await accepted.read(new Uint8Array(1)), null);
    accepted.close();
    listener.close();
  }));

Deno.test("IOStream.close() waits five seconds for a peer that does not take what was written", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, far] = memoryPair({ capacity: 10 });
  const stream = new IOStream(near, { ioLoop: loop });
  const written = stream.write("a".repeat(100));
  stream.close();
  assert(stream.closed());
  await tick(4999);
  assert(!near.closed() && !written.done());
  await tick(1);
  assert(near.closed());
  assertThrows(() => written.result(), StreamClosedError);
  far.close();
  loop.stop();
  await running;
});
