import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connectFrom, type SocketTransport } from "../../iostream/duplex_transport.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

// Runs `body` with both ends of a connection, and closes what it left open.
async function withPair(
  body: (transport: SocketTransport, peer: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  using listener = Deno.listen(LOOPBACK);
  const [transport, peer] = await Promise.all([
    connectFrom(LOOPBACK, listener.addr, new AbortController().signal),
    listener.accept(),
  ]);
  try {
    await body(transport, peer);
  } finally {
    for (const end of [transport, peer]) closeOnce(end);
    // The socket tells of its end in a later turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function closeOnce(end: { close(): void }): void {
  try {
    end.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // the test closed it
  }
}

async function readAll(
  source: { read(buffer: Uint8Array): Promise<number | null> },
  size: number,
): Promise<Uint8Array> {
  const all: number[] = [];
  const buffer = new Uint8Array(size);
  for (;;) {
    const count = await source.read(buffer);
    if (count === null) return Uint8Array.from(all);
    all.push(...buffer.subarray(0, count));
  }
}

const MESSAGE = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff);

Deno.test("connectFrom() connects from the address, and both ends see it", () =>
  withPair(async (transport, peer) => {
    assertEquals(transport.localAddr, { ...peer.remoteAddr });
    assertEquals(transport.remoteAddr, { ...peer.localAddr });
    transport.setNoDelay();
    await transport.closeWrite();
  }));

Deno.test("SocketTransport.read() brings all bytes whatever the buffer holds, then null", async () => {
  for (const size of [1, 7, 999, 1000, 5000]) {
    await withPair(async (transport, peer) => {
      await peer.write(MESSAGE);
      await peer.closeWrite();
      assertEquals(await readAll(transport, size), MESSAGE);
      assertEquals(await transport.read(new Uint8Array(1)), null);
      assertEquals(await transport.read(new Uint8Array(0)), 0);
      assertEquals(await transport.write(MESSAGE), 1000); // the other direction is open
      await transport.closeWrite();
      assertEquals(await readAll(peer, 100), MESSAGE);
    });
  }
});

Deno.test("SocketTransport.write() waits while the peer does not read", () =>
  withPair(async (transport, peer) => {
    const big = new Uint8Array(16 << 20).fill(7);
    let written = false;
    const writing = transport.write(big).then((count) => {
      written = true;
      return count;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(written, false);
    const buffer = new Uint8Array(1 << 20);
    let total = 0;
    while (total < big.length) {
      const count = await peer.read(buffer);
      assert(buffer.subarray(0, count!).every((byte) => byte === 7));
      total += count!;
    }
    assertEquals(await writing, big.length);
  }));

Deno.test("SocketTransport takes one read and one write at a time", () =>
  withPair(async (transport, peer) => {
    const reading = transport.read(new Uint8Array(1));
    await assertRejects(() => transport.read(new Uint8Array(1)), Deno.errors.Busy);
    const writing = transport.write(new Uint8Array(16 << 20));
    await assertRejects(() => transport.write(new Uint8Array(1)), Deno.errors.Busy);
    await peer.write(Uint8Array.of(1));
    assertEquals(await reading, 1);
    const rejected = assertRejects(() => writing, Deno.errors.Interrupted);
    transport.close();
    await rejected;
  }));

Deno.test("SocketTransport.close() rejects what is pending, and a use after it", () =>
  withPair(async (transport) => {
    const rejected = assertRejects(
      () => transport.read(new Uint8Array(1)),
      Deno.errors.Interrupted,
    );
    transport.close();
    await rejected;
    assertThrows(() => transport.close(), Deno.errors.BadResource);
    await assertRejects(() => transport.read(new Uint8Array(1)), Deno.errors.BadResource);
    await assertRejects(() => transport.write(new Uint8Array(1)), Deno.errors.BadResource);
    await assertRejects(() => transport.closeWrite(), Deno.errors.BadResource);
  }));

Deno.test("SocketTransport tells of a peer that is gone by an error of the platform", () =>
  withPair(async (transport, peer) => {
    await transport.write(MESSAGE); // unread at the peer: its close() is a reset
    await peer.read(new Uint8Array(1));
    peer.close();
    const failure = await (async () => {
      for (;;) await transport.write(MESSAGE);
    })().catch((error) => error);
    const types = [Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
    assert(types.some((type) => failure instanceof type), Deno.inspect(failure));
  }));

Deno.test("connectFrom() fails with an error of the platform", async () => {
  const { signal } = new AbortController();
  const listener = Deno.listen(LOOPBACK);
  const { addr } = listener;
  await assertRejects(
    () => connectFrom({ hostname: "192.0.2.1", port: 0 }, addr, signal),
    Deno.errors.AddrNotAvailable,
    "Cannot connect from 192.0.2.1",
  );
  await assertRejects(
    () => connectFrom({ hostname: "127.0.0.1", port: addr.port }, addr, signal),
    Deno.errors.AddrInUse,
  );
  listener.close();
  await assertRejects(
    () => connectFrom(LOOPBACK, addr, signal),
    Deno.errors.ConnectionRefused,
  );
});

Deno.test("connectFrom() gives up when it is told to", async () => {
  using listener = Deno.listen(LOOPBACK);
  const controller = new AbortController();
  const reason = new Error("given up");
  const rejected = assertRejects(
    () => connectFrom(LOOPBACK, listener.addr, controller.signal),
    Error,
    "given up",
  );
  controller.abort(reason);
  await rejected;
});
