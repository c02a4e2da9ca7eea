import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { appLog, genLog, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import {
  IOStream,
  type IOStreamOptions,
  StreamClosedError,
  type Transport,
} from "../../iostream/mod.ts";
import { seeded } from "../_seeded.ts";
import { closing, eventually, failsClosed, pattern, pause, text } from "./_stream_suite.ts";

// What needs to see or to disturb the connection itself; what holds for all connections stands
// in _stream_suite.ts.
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

const encoder = new TextEncoder();

async function drain(conn: Transport): Promise<string> {
  let all = "";
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return all;
    all += text(buffer.subarray(0, count));
  }
}

/** Writes all of `data`, in pieces of `size`. */
async function send(conn: Transport, data: Uint8Array, size = 60_000): Promise<void> {
  for (let at = 0; at < data.length;) at += await conn.write(data.subarray(at, at + size));
}

/** Calls `seen` with the space that each read of the connection is given. */
function spyOnReads(conn: Transport, seen: (space: Uint8Array) => void): void {
  const read = conn.read.bind(conn);
  conn.read = (buffer) => {
    seen(buffer);
    return read(buffer);
  };
}

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

inMemory("goes back to a small buffer when it idles after 1 MiB", async (stream, peer, near) => {
  let asked = 0;
  spyOnReads(near, (space) => asked = space.buffer.byteLength);
  for (const read of [() => stream.readBytes(1024 * 1024), () => stream.readUntil("\n")]) {
    const got = read();
    const data = new Uint8Array(1024 * 1024);
    data[data.length - 1] = 10;
    await send(peer, data);
    assertEquals((await got).length, data.length);
    await pause();
    assert(asked <= 2048, `${asked}`);
  }
});

inMemory("lends little for what comes behind a large message and nobody reads", async (
  stream,
  peer,
  near,
) => {
  let asked = 0;
  spyOnReads(near, (space) => asked = space.buffer.byteLength);
  const message = stream.readBytes(1024 * 1024);
  await send(peer, new Uint8Array(1024 * 1024));
  await message;
  await pause();
  await send(peer, new Uint8Array(asked)); // it fills what was lent
  await pause();
  await send(peer, new Uint8Array(300));
  await pause();
  assert(asked <= 4096, `${asked}`);
});

// Nearly every read of many lines ends within one. Each asked for 1 KiB then, for ever.
inMemory("reads more at a time also while a part of a line is left", async (stream, peer, near) => {
  let reads = 0;
  spyOnReads(near, () => reads++);
  const line = `${"x".repeat(41)}\n`;
  const count = 25_000; // 1 MiB
  const sent = send(peer, encoder.encode(line.repeat(count)), 50_000);
  for (let i = 0; i < count; i++) assertEquals(text(await stream.readUntil("\n")), line);
  await sent;
  assert(reads < 100, `${reads}`);
});

inMemory(
  "asks for no more than readChunkSize while a part of a line is left",
  async (stream, peer, near) => {
    let asked = 0;
    spyOnReads(near, (space) => asked = Math.max(asked, space.length));
    const line = `${"x".repeat(1000)}\n`;
    const sent = send(peer, encoder.encode(line.repeat(200)), 50_000);
    for (let i = 0; i < 200; i++) assertEquals(text(await stream.readUntil("\n")), line);
    await sent;
    assert(asked <= 5000, `${asked}`);
  },
  { readChunkSize: 5000 },
);

// Each line that was taken made room for a read of as many bytes.
inMemory("reads large parts ahead of a slow reader", async (stream, peer, near) => {
  let reads = 0;
  spyOnReads(near, () => reads++);
  const line = `${"x".repeat(99)}\n`;
  const sent = send(peer, encoder.encode(line.repeat(3000)));
  for (let i = 0; i < 3000; i++) {
    assertEquals(text(await stream.readUntil("\n")), line);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sent;
  assert(reads < 100, `${reads}`);
});

inMemory(
  "reads ahead readChunkSize at most while nobody reads",
  async (_stream, peer) => {
    const data = new Uint8Array(10_000);
    let taken = 0;
    (async () => {
      while (taken < data.length) taken += await peer.write(data.subarray(taken, taken + 10));
    })().catch(() => {}); // the test closes it
    await pause();
    assert(taken > 930 && taken <= 1020, `${taken}`);
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

// Half of a limit of 2 GiB or more was taken in 32 bits: each read asked for one byte.
Deno.test("IOStream readChunkSize minds no large maxBufferSize", () => {
  for (const maxBufferSize of [2 ** 31, 2 ** 32, Infinity]) {
    const stream = new IOStream(null, { maxBufferSize, ioLoop: new IOLoop() });
    assertEquals(stream.readChunkSize, 65536);
    stream.close();
  }
});

// They lay in one array for all streams: who sent one to a worker sent lines of other peers
// with it, and who transferred one emptied theirs.
Deno.test("IOStream.readUntil() keeps the results of different streams apart", () =>
  new IOLoop().run(async () => {
    const [one, other] = await Promise.all([IOStream.pair(), IOStream.pair()]);
    one[0].write("password=hunter2\nmore\n");
    other[0].write("hello\n");
    const secret = await one[1].readUntil("\n");
    const line = await other[1].readUntil("\n");
    assert(!text(new Uint8Array(line.buffer)).includes("hunter2"));
    structuredClone(line, { transfer: [line.buffer as ArrayBuffer] });
    assertEquals(text(secret), "password=hunter2\n");
    assertEquals(text(await one[1].readUntil("\n")), "more\n");
    other[0].write("again\n");
    assertEquals(text(await other[1].readUntil("\n")), "again\n");
    for (const stream of [...one, ...other]) stream.close();
  }));

Deno.test("IOStream.readUntil() gives results that do not touch each other", () =>
  new IOLoop().run(async () => {
    const [near, far] = memoryPair();
    const stream = new IOStream(near);
    const lines = Array.from({ length: 500 }, (_, i) => `${"x".repeat(i % 90)}${i}\n`);
    const first = stream.readUntil("\n");
    await send(far, encoder.encode(lines.join("")), 20_000);
    const got = [await first];
    while (got.length < lines.length) {
      got.at(-1)!.fill(0); // what its owner writes into it is nobody else's
      got.push(await stream.readUntil("\n"));
      assertEquals(text(got.at(-1)!), lines[got.length - 1]);
    }
    stream.close();
    far.close();
  }));

// Behind a short line the next ones are copied with it: what lies elsewhere by then, or was
// taken in another way, must not be taken for them.
Deno.test("IOStream.readUntil() gives the next line whatever was read before it", () =>
  new IOLoop().run(async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seeded(seed);
      const [near, far] = memoryPair();
      const stream = new IOStream(near, { readChunkSize: 4096 });
      const lines = Array.from(
        { length: 300 },
        (_, i) => `${"x".repeat(random(random(4) === 0 ? 900 : 60))}${i}\n`,
      );
      const all = lines.join("");
      const sent = send(far, encoder.encode(all), 1 + random(3000));
      let at = 0;
      while (at < all.length) {
        const end = all.indexOf("\n", at) + 1;
        const kind = random(10);
        let got: Uint8Array;
        if (kind === 0) got = await stream.readBytes(end - at);
        else if (kind === 1) got = await stream.readBytes(1 + random(end - at));
        else if (kind === 2) got = await stream.readUntilRegex(/\n/);
        else if (kind === 3) {
          got = new Uint8Array(1 + random(all.length - at));
          if (stream.readInto(got).cancel()) continue; // what it had goes back
        } else got = await stream.readUntil("\n");
        assertEquals(text(got), all.slice(at, at + got.length), `seed ${seed} at ${at}`);
        if (kind > 3) assertEquals(at + got.length, end);
        at += got.length;
        if (kind === 9) structuredClone(got, { transfer: [got.buffer as ArrayBuffer] });
        else got.fill(0);
      }
      await sent;
      stream.close();
      far.close();
    }
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

inMemory("readInto() reads a large part straight into the buffer", async (stream, peer, near) => {
  const space = new Uint8Array(50_000);
  let direct = 0;
  spyOnReads(near, (buffer) => direct += buffer.buffer === space.buffer ? 1 : 0);
  const data = pattern(60_000);
  const read = stream.readInto(space);
  await send(peer, data, 5000);
  assertEquals(await read, 50_000);
  assertEquals(space, data.subarray(0, 50_000));
  assert(direct > 5, `${direct}`);
  assertEquals(await stream.readBytes(10_000), data.subarray(50_000));
});

inMemory(
  "readInto() that is abandoned while a read fills its buffer loses nothing",
  async (stream, peer, near) => {
    const space = new Uint8Array(50_000);
    let direct = false;
    spyOnReads(near, (buffer) => direct = buffer.buffer === space.buffer);
    const data = pattern(30_000);
    const first = stream.readInto(space);
    await send(peer, data.subarray(0, 10_000));
    await eventually(() => direct);
    first.cancel();
    await send(peer, data.subarray(10_000, 20_000));
    const second = stream.readInto(space, { timeout: 1 });
    await assertRejects(() => Promise.resolve(second), TimeoutError, "cannot read 50000 bytes");
    await send(peer, data.subarray(20_000));
    assertEquals(await stream.readBytes(30_000), data);
  },
);

inMemory(
  "readInto() that is cancelled while a read ahead is under way loses nothing",
  async (stream, peer) => {
    const data = pattern(3000);
    for (let at = 0; at < data.length; at += 100) {
      const read = stream.readInto(new Uint8Array(101));
      await send(peer, data.subarray(at, at + 50));
      await pause();
      read.cancel();
      await send(peer, data.subarray(at + 50, at + 100));
      assertEquals(await stream.readBytes(100), data.subarray(at, at + 100));
    }
  },
);

Deno.test("IOStream puts off a regex of unknown length over much data, a few ms", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, far] = memoryPair();
  const stream = new IOStream(near, { ioLoop: loop });
  const read = stream.readUntilRegex(/(?<!y)!!/);
  await far.write(new Uint8Array(40_000));
  await tick(1000);
  await far.write(encoder.encode("!!"));
  await tick(1);
  assert(!read.done());
  await tick(2);
  assertEquals(read.result().length, 40_002);
  stream.close();
  far.close();
  loop.stop();
  await running;
});

inMemory("puts off a regex no longer than to the end of the stream", async (stream, peer) => {
  const read = stream.readUntilRegex(/(?<=!)\?/);
  await send(peer, new Uint8Array(1_000_000));
  await peer.write(encoder.encode("!?"));
  peer.close();
  assertEquals((await read).length, 1_000_002);
});

// A search that began anew at each byte would take minutes.
for (const what of ["a delimiter", "a regex", "a regex of unknown length"]) {
  inMemory(
    `finds ${what} that drips in behind a line of 1 MiB in linear time`,
    async (stream, peer) => {
      const line = new Uint8Array(1024 * 1024).fill(0x61);
      const end = "\r\n--end--\r\n".repeat(300);
      const began = performance.now();
      const read = what === "a delimiter"
        ? stream.readUntil(end)
        : stream.readUntilRegex(what === "a regex" ? new RegExp(end) : new RegExp(`(?<!b)${end}`));
      await send(peer, line);
      for (const char of end) await peer.write(encoder.encode(char));
      assertEquals((await read).length, line.length + end.length);
      assert(performance.now() - began < 3000);
    },
  );
}

inMemory("finds a delimiter in a line that comes byte by byte", async (stream, peer, near) => {
  near.maxRead = 1;
  const began = performance.now();
  const read = stream.readUntil("\n");
  await send(peer, new Uint8Array(30_000).fill(0x61));
  await peer.write(encoder.encode("\n"));
  assertEquals((await read).length, 30_001);
  assert(performance.now() - began < 3000);
});

inMemory(
  "logs an unexpected error of a read once and closes with it",
  async (stream, peer, near) => {
    const broken = new Error("broken transport");
    const closed = closing(stream);
    const { matched } = await expectLog(genLog, /./, async () => {
      await stream.write("x"); // so that a read is in flight
      near.read = () => Promise.reject(broken);
      await peer.write(Uint8Array.of(1));
      await closed;
      assertThrows(() => stream.readBytes(2), StreamClosedError);
    }, { level: "warning" });
    assertEquals(matched.length, 1);
    assert(matched[0]!.startsWith("Error on read: Error: broken transport"), matched[0]);
    assertStrictEquals(stream.error, broken);
  },
);

inMemory(
  "logs an unexpected error of a write once and closes with it",
  async (stream, _peer, near) => {
    const broken = new Error("broken transport");
    near.write = () => Promise.reject(broken);
    const { matched } = await expectLog(genLog, /./, async () => {
      await failsClosed(stream.write("x"));
    });
    assertEquals(matched.length, 1);
    assert(matched[0]!.startsWith("Error on write: Error: broken transport"), matched[0]);
    assertStrictEquals(stream.error, broken);
  },
);

inMemory("says nothing of a peer that went away", async (stream, peer) => {
  const { matched } = await expectLog(genLog, /./, async () => {
    const closed = closing(stream);
    peer.reset();
    await closed;
  }, { required: false });
  assertEquals(matched, []);
  assertInstanceOf(stream.error, Deno.errors.ConnectionReset);
});

inMemory(
  "reads on ahead when its full buffer was emptied, to learn that its peer left",
  async (stream, peer) => {
    await send(peer, pattern(1000), 1000);
    await eventually(() => Deno.inspect(stream).includes(" 1000 bytes"));
    const closed = closing(stream);
    peer.close();
    stream.readBytes(1000).result();
    await closed;
  },
  { readChunkSize: 1000 },
);

inMemory(
  "drain() settles when what waits falls to the mark, not before",
  async (stream, peer) => {
    stream.write("a".repeat(100));
    const marks = [90, 50, 49, 0].map((mark) => stream.drain(mark));
    const settled = () => marks.map((future) => future.done());
    await pause();
    assertEquals(settled(), [true, false, false, false]);
    const buffer = new Uint8Array(40);
    let count = 0;
    while (count < 40) count += (await peer.read(buffer.subarray(count)))!;
    await eventually(() => settled()[1]!);
    assertEquals(settled(), [true, true, false, false]);
    const rest = new Uint8Array(60);
    for (count = 0; count < 60;) count += (await peer.read(rest.subarray(count)))!;
    await marks[3];
    assertEquals(settled(), [true, true, true, true]);
  },
  {},
  10,
);

inMemory(
  "drain() has half of maxWriteBufferSize as its mark",
  async (stream, peer) => {
    stream.write("a".repeat(61));
    const drained = stream.drain();
    await pause();
    assert(!drained.done());
    assertEquals(await peer.read(new Uint8Array(1)), 1);
    await drained;
  },
  { maxWriteBufferSize: 100 },
  10,
);

Deno.test("IOStream gives a read up exactly when its time is over", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, far] = memoryPair();
  const stream = new IOStream(near, { ioLoop: loop });
  const read = stream.readBytes(2, { timeout: 1000 });
  await far.write(Uint8Array.of(1));
  await tick(999);
  assert(!read.done());
  await tick(1);
  assertThrows(() => read.result(), TimeoutError, "Timed out after 1000 ms: cannot read 2 bytes");
  const second = stream.readBytes(2, { timeout: 1000 });
  await far.write(Uint8Array.of(2));
  await tick(1000);
  assertEquals([...second.result()], [1, 2]);
  stream.close();
  far.close();
  loop.stop();
  await running;
});
