import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { IOLoop, type SourceChannel, type Taken } from "../../ioloop/mod.ts";
import { bindUnusedPort, fakeLoop, memoryPair } from "../../testing/mod.ts";

Deno.test("take() gives bytes, then null at the end, each once", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const [a, b] = memoryPair();
  const seen: unknown[] = [];
  const channel = loop.addHandler(b, () => {
    seen.push(channel.take());
    seen.push(channel.take());
    if (seen.at(-2) === null) channel.want(IOLoop.NONE);
  }, IOLoop.READ);
  assertEquals(channel.interest, IOLoop.READ);
  await a.write(Uint8Array.of(1, 2));
  await tick(0);
  await a.closeWrite();
  await tick(0);
  assertEquals(seen, [Uint8Array.of(1, 2), undefined, null, undefined]);
  loop.stop();
  await done;
});

Deno.test("take() gives bytes that later reads do not change", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const [a, b] = memoryPair();
  const seen: unknown[] = [];
  const channel = loop.addHandler(b, () => void seen.push(channel.take()), IOLoop.READ);
  for (const value of [1, 2]) {
    await a.write(Uint8Array.of(value));
    await tick(0);
  }
  assertEquals(seen, [Uint8Array.of(1), Uint8Array.of(2)]);
  loop.stop();
  await done;
});

Deno.test("take() throws what the read failed with", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const [a, b] = memoryPair();
  let failures = 0;
  const channel = loop.addHandler(b, () => {
    assertThrows(() => channel.take(), Deno.errors.ConnectionReset);
    failures++;
    loop.removeHandler(b);
  }, IOLoop.READ);
  await tick(0);
  a.reset();
  await tick(0);
  assertEquals(failures, 1);
  loop.stop();
  await done;
});

Deno.test("write() tells how many bytes were taken, and throws what failed", async () => {
  const loop = new IOLoop();
  const [a, b] = memoryPair({ capacity: 2 });
  const channel = loop.addHandler(a, () => {}, IOLoop.NONE);
  assertEquals(await channel.write(Uint8Array.of(1, 2, 3)), 2);
  b.close();
  await assertRejects(() => channel.write(Uint8Array.of(3)), Deno.errors.BrokenPipe);
  loop.close();
});

Deno.test("write() to a listener is refused", async () => {
  const loop = new IOLoop();
  const { listener } = bindUnusedPort();
  const channel = loop.addHandler(listener, () => {}, IOLoop.NONE);
  await assertRejects(() => channel.write(Uint8Array.of(1)), TypeError, "listener");
  loop.close({ allSources: true });
});

Deno.test("removeHandler() closes a connection that is accepted too late", async () => {
  const loop = new IOLoop();
  const { listener, port } = bindUnusedPort();
  loop.addHandler(listener, () => {}, IOLoop.READ);
  loop.removeHandler(listener);
  const client = await Deno.connect({ port });
  assertEquals(await client.read(new Uint8Array(1)), null);
  client.close();
  listener.close();
  loop.close();
});

Deno.test("Taken is bytes or the end for a connection, a connection for a listener", () => {
  assertType<IsExact<Taken<Deno.Conn>, Uint8Array | null>>(true);
  assertType<IsExact<Taken<Deno.TcpListener>, Deno.TcpConn>>(true);
  assertType<
    IsExact<ReturnType<SourceChannel<Deno.Conn>["take"]>, Uint8Array | null | undefined>
  >(true);
});

// The read in flight belonged to the removed channel, and what it brought was dropped.
Deno.test("addHandler() of a source that was removed takes what the read in flight brings", async () => {
  for (const late of [true, false]) {
    const { loop, tick } = fakeLoop();
    const done = loop.start();
    const [a, b] = memoryPair();
    loop.addHandler(b, () => {}, IOLoop.READ);
    await tick(0);
    loop.removeHandler(b);
    if (!late) await a.write(Uint8Array.of(1));
    await tick(0);
    const seen: number[] = [];
    const channel = loop.addHandler(b, () => {
      seen.push(...channel.take() ?? []);
    }, IOLoop.READ);
    if (late) await a.write(Uint8Array.of(1));
    await tick(0);
    await a.write(Uint8Array.of(2));
    await tick(0);
    assertEquals(seen, [1, 2]);
    loop.removeHandler(b);
    a.close();
    b.close();
    loop.stop();
    await done;
  }
});

// The runtime refused the second accept, at once and again and again: the process hung.
Deno.test("addHandler() of a listener that was removed goes on to accept", async () => {
  const loop = new IOLoop();
  const { listener, port } = bindUnusedPort();
  loop.addHandler(listener, () => {}, IOLoop.READ);
  loop.removeHandler(listener);
  const channel = loop.addHandler(listener, () => {
    channel.take()?.close();
    loop.removeHandler(listener);
    loop.stop();
  }, IOLoop.READ);
  const ended = loop.start();
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  await ended;
  client.close();
  listener.close();
});
