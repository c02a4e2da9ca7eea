// An idle stream gives up its transport to another owner, such as a stream over TLS.
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { IOLoop } from "../../ioloop/mod.ts";
import { IOStream, type IOStreamOptions, StreamClosedError } from "../../iostream/mod.ts";
import { type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { closing, eventually, pause, text } from "./_stream_suite.ts";

const encoder = new TextEncoder();

function inLoop(
  name: string,
  body: (stream: IOStream, peer: MemoryConn, near: MemoryConn) => Promise<void>,
  options: IOStreamOptions = {},
): void {
  Deno.test(`IOStream ${name}`, () =>
    new IOLoop().run(async () => {
      const [near, peer] = memoryPair();
      const stream = new IOStream(near, options);
      await body(stream, peer, near);
      stream.close();
      if (!near.closed()) near.close();
      if (!peer.closed()) peer.close();
    }, { timeout: 10_000 }));
}

inLoop("gives up its transport with its limits and its close callback", async (stream, peer) => {
  let closes = 0;
  const onClose = () => closes++;
  stream.setCloseCallback(onClose);
  peer.write(encoder.encode("line\n"));
  await stream.readUntil("\n");
  const { transport, options, closeCallback } = stream._detach();
  assertEquals([stream.closed(), stream.error, stream.conn], [true, null, null]);
  assertThrows(() => stream.write("x"), StreamClosedError);
  assertThrows(() => stream.readBytes(1), StreamClosedError);
  assertEquals(
    [options.maxBufferSize, options.readChunkSize, options.maxWriteBufferSize],
    [1000, 100, 300],
  );
  assertStrictEquals(options.ioLoop, stream.ioLoop);

  // The read that was in flight on the old stream brings the first bytes of the new one.
  await peer.write(encoder.encode("for the new owner"));
  const next = new IOStream(transport, options);
  next.setCloseCallback(closeCallback);
  assertEquals(text(await next.readBytes(17)), "for the new owner");
  await next.write("answer");
  const buffer = new Uint8Array(10);
  assertEquals(await peer.read(buffer), 6);
  assertEquals(closes, 0);
  next.close();
  await eventually(() => closes === 1);
}, { maxBufferSize: 1000, readChunkSize: 100, maxWriteBufferSize: 300 });

inLoop(
  "gives up its transport: each byte arrives once, however it is read",
  async (stream, peer) => {
    await pause();
    const { transport } = stream._detach();
    await peer.write(encoder.encode("0123456789"));
    let got = "";
    for (const size of [1, 3, 0, 2, 100]) {
      const buffer = new Uint8Array(size);
      got += text(buffer.subarray(0, (await transport.read(buffer))!));
    }
    assertEquals(got, "0123456789");
    peer.close();
    assertEquals(await transport.read(new Uint8Array(1)), null);
    assertEquals(await transport.read(new Uint8Array(1)), null);
  },
);

inLoop(
  "gives up its transport, which may be closed while nothing came",
  async (stream, _peer, near) => {
    const { transport } = stream._detach();
    const read = transport.read(new Uint8Array(1));
    transport.close();
    await assertRejects(() => read, Deno.errors.Interrupted);
    assert(near.closed());
  },
);

inLoop("gives up its transport, whose end may come right then", async (stream, peer) => {
  const { transport } = stream._detach();
  peer.close();
  assertEquals(await transport.read(new Uint8Array(1)), null);
});

inLoop("keeps its transport while bytes came that nobody read", async (stream, peer) => {
  await peer.write(encoder.encode("early"));
  await eventually(() => Deno.inspect(stream).includes(" 5 bytes"));
  assertThrows(() => stream._detach(), Error, "5 bytes came that nobody read");
  assertThrows(() => stream._detach((bytes) => text(bytes) !== "early"), Error);
  assertEquals(text(await stream.readBytes(5)), "early");
  stream._detach();
});

inLoop("gives up its transport with what came, if that is welcome", async (stream, peer) => {
  await peer.write(encoder.encode("hello"));
  await eventually(() => Deno.inspect(stream).includes(" 5 bytes"));
  const { transport } = stream._detach((bytes) => text(bytes) === "hello");
  await peer.write(encoder.encode(" world"));
  const next = new IOStream(transport);
  assertEquals(text(await next.readBytes(11)), "hello world");
  next.close();
});

inLoop("keeps its transport while it is not idle, or not open", async (stream, peer) => {
  const read = stream.readBytes(1);
  assertThrows(() => stream._detach(), Error, "a read is pending");
  read.cancel();
  const written = stream.write("x");
  assertThrows(() => stream._detach(), Error, "a write is pending");
  await written;
  assertThrows(() => new IOStream(null)._detach(), Error, "it is not open");
  peer.close();
  await closing(stream);
  assertThrows(() => stream._detach(), Error, "it is not open");
});
