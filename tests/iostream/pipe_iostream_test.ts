import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { PipeIOStream, StreamClosedError } from "../../iostream/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { closing, eventually, failsClosed, pattern, pause, text } from "./_stream_suite.ts";

function inLoop(name: string, body: () => Promise<void>): void {
  Deno.test(`PipeIOStream ${name}`, () => new IOLoop().run(body, { timeout: 10_000 }));
}

/** A pipe within this process. */
function webPipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream();
}

async function withFifo(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/fifo`;
    const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
    assert(success);
    await body(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

inLoop("reads until a delimiter, a number of bytes, and until the end", async () => {
  const { readable, writable } = webPipe();
  const writer = new PipeIOStream({ writable });
  const reader = new PipeIOStream({ readable });
  writer.write("hel");
  await pause();
  writer.write("lo world");
  assertEquals(text(await reader.readUntil(" ")), "hello ");
  assertEquals(text(await reader.readBytes(3)), "wor");
  writer.close();
  assertEquals(text(await reader.readUntilClose()), "ld");
  assert(reader.closed());
});

inLoop("carries a write of 1 MiB to a subprocess and back", async () => {
  const cat = new Deno.Command("cat", { stdin: "piped", stdout: "piped" }).spawn();
  const stream = new PipeIOStream({ readable: cat.stdout, writable: cat.stdin });
  const data = pattern(1024 * 1024);
  const written = stream.write(data);
  assertEquals(await stream.readBytes(data.length), data);
  await written;
  await stream.closeWrite();
  await closing(stream);
  assertEquals((await cat.status).code, 0);
});

inLoop("reads what a subprocess says and ends with it", async () => {
  const echo = new Deno.Command("echo", { args: ["hello"], stdout: "piped" }).spawn();
  const stream = new PipeIOStream({ readable: echo.stdout });
  assertEquals(text(await stream.readUntilClose()), "hello\n");
  assertEquals(stream.error, null);
  await echo.status;
});

inLoop("reads the standard input of its process", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", new URL("_stdin_reader.ts", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const stream = new PipeIOStream({ readable: child.stdout, writable: child.stdin });
  stream.write("one\ntwo\n");
  assertEquals(text(await stream.readUntil("\n")), "got one\n");
  assertEquals(text(await stream.readUntil("\n")), "got two\n");
  await stream.closeWrite();
  assertEquals(text(await stream.readUntilClose()), "end\n");
  await child.status;
});

inLoop("reads and writes a FIFO in the file system", () =>
  withFifo(async (path) => {
    // Opened both ways: an open of one way waits for the other end.
    const keeper = await Deno.open(path, { read: true, write: true });
    const reader = new PipeIOStream(await Deno.open(path, { read: true }));
    const writer = new PipeIOStream(await Deno.open(path, { write: true }));
    keeper.close();
    const line = reader.readUntil("\n");
    writer.write("hello\nrest");
    assertEquals(text(await line), "hello\n");
    writer.close();
    assertEquals(text(await reader.readUntilClose()), "rest");
  }));

// The first look for bytes to read failed, and closed it.
inLoop("on a FIFO that is open for writing only stays open", () =>
  withFifo(async (path) => {
    const keeper = await Deno.open(path, { read: true, write: true });
    const reader = new PipeIOStream(await Deno.open(path, { read: true }));
    const writer = new PipeIOStream(await Deno.open(path, { write: true }));
    keeper.close();
    await pause();
    assert(!writer.closed());
    const line = reader.readUntil("\n");
    await writer.write("hello\n");
    assertEquals(text(await line), "hello\n");
    const nothing = writer.readBytes(1);
    await pause();
    writer.close();
    await failsClosed(nothing);
    assertEquals((await reader.readUntilClose()).length, 0);
  }));

inLoop("settles what is pending when it is closed, on a FIFO too", () =>
  withFifo(async (path) => {
    const stream = new PipeIOStream(await Deno.open(path, { read: true, write: true }));
    const read = stream.readBytes(1);
    await pause();
    const closed = closing(stream);
    stream.close();
    await failsClosed(read);
    await closed;
  }));

inLoop("settles what is pending when it is closed", async () => {
  const there = webPipe();
  const back = webPipe();
  const stream = new PipeIOStream({ readable: back.readable, writable: there.writable });
  const read = stream.readBytes(1);
  const written = stream.write(new Uint8Array(1_000_000));
  await pause();
  const why = new Error("why");
  stream.close(why);
  assertEquals((await failsClosed(read)).cause, why);
  assertEquals((await failsClosed(written)).cause, why);
});

inLoop("that only reads or only writes refuses the other", async () => {
  const { readable, writable } = webPipe();
  const writer = new PipeIOStream({ writable });
  const reader = new PipeIOStream({ readable });
  assertThrows(() => writer.readBytes(1), Error, "Cannot read: the stream only writes");
  assertThrows(() => reader.write("x"), Error, "Cannot write: the stream only reads");
  assert(!writer.reading() && !reader.writing());
  writer.close();
  await closing(reader);
});

inLoop("that only writes fails when nobody will read", async () => {
  const { readable, writable } = webPipe();
  const writer = new PipeIOStream({ writable });
  const closed = closing(writer);
  const gone = new Deno.errors.BrokenPipe("nobody reads");
  await readable.cancel(gone);
  await failsClosed(writer.write("x"));
  await closed;
  assertEquals(writer.error, gone);
});

inLoop("takes only bytes from a readable", async () => {
  const readable = ReadableStream.from(["text"]) as unknown as ReadableStream<Uint8Array>;
  const stream = new PipeIOStream({ readable });
  await expectLog(genLog, /^Error on read: TypeError: .*expected bytes, got a string/, async () => {
    const error = await failsClosed(stream.readBytes(1));
    assertInstanceOf(error.realError, TypeError);
  });
});

inLoop("does not read from a source what nobody wants", async () => {
  let pulled = 0;
  let cancelled = false;
  const readable = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(1000));
    },
    cancel: () => void (cancelled = true),
  }, { highWaterMark: 0 });
  const stream = new PipeIOStream({ readable }, { readChunkSize: 5000 });
  await eventually(() => pulled >= 5);
  await pause();
  assert(pulled <= 6, `${pulled}`);
  await stream.readBytes(3000);
  await pause();
  assert(pulled <= 9, `${pulled}`);
  stream.close();
  await eventually(() => cancelled);
});

inLoop("does not give memory away that is used again", async () => {
  // A pipe within the process passes the very arrays on that it was given.
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    {},
    { highWaterMark: 1_000_000, size: (chunk) => chunk.length },
    { highWaterMark: 1_000_000, size: (chunk) => chunk.length },
  );
  const writer = new PipeIOStream({ writable });
  const array = new Uint8Array(10_000).fill(1);
  await writer.write(array);
  array.fill(2);
  await writer.write("text");
  await writer.write("more");
  const reader = new PipeIOStream({ readable });
  assertEquals(await reader.readBytes(10_000), new Uint8Array(10_000).fill(1));
  assertEquals(text(await reader.readBytes(8)), "textmore");
  writer.close();
  await closing(reader);
});

inLoop("refuses a source with no direction, or one that is in use", async () => {
  assertThrows(() => new PipeIOStream({}), TypeError, "no readable and no writable");
  const { readable, writable } = webPipe();
  const stream = new PipeIOStream({ readable, writable });
  assertThrows(() => new PipeIOStream({ readable }), TypeError);
  stream.close();
  assertThrows(() => stream.readBytes(1), StreamClosedError);
  await closing(stream);
});
