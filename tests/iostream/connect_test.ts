import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { coroutine } from "../../gen/mod.ts";
import { CancelledError, IOLoop } from "../../ioloop/mod.ts";
import {
  type Address,
  IOStream,
  SSLIOStream,
  StreamClosedError,
  type Transport,
} from "../../iostream/mod.ts";
import { memoryPair } from "../../testing/mod.ts";
import { closing, eventually, failsClosed, text } from "./_stream_suite.ts";

function inLoop(name: string, body: () => Promise<void>): void {
  Deno.test(name, () => new IOLoop().run(body, { timeout: 10_000 }));
}

function listen(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

function addressOf(listener: Deno.TcpListener): { hostname: string; port: number } {
  return { hostname: "127.0.0.1", port: listener.addr.port };
}

function refusingAddress(): Address {
  using listener = listen();
  return addressOf(listener);
}

/** A stream whose connection the test makes, or fails to make. */
class Scripted extends IOStream {
  readonly opening = Promise.withResolvers<Transport>();
  signal: AbortSignal | null = null;
  serverHostname: string | undefined;

  protected override _open(
    _address: Address,
    options: { serverHostname?: string | undefined; signal: AbortSignal },
  ): Promise<Transport> {
    this.signal = options.signal;
    this.serverHostname = options.serverHostname;
    return this.opening.promise;
  }
}

inLoop(
  "connect() gives the stream when it is up; what was written before leaves then",
  async () => {
    using listener = listen();
    const stream = new IOStream(null);
    assertEquals(Deno.inspect(stream), "IOStream { not connected, 0 bytes to read, 0 to write }");
    assertEquals(stream.conn, null);
    const early = stream.write("early ");
    const read = stream.readUntil("!");
    const connecting = stream.connect(addressOf(listener));
    const late = stream.write("late");
    const peer = new IOStream(await listener.accept());
    assertStrictEquals(await connecting, stream);
    assert(stream.conn !== null);
    await early;
    await late;
    assertEquals(text(await peer.readBytes(10)), "early late");
    peer.write("hi!");
    assertEquals(text(await read), "hi!");
    stream.close();
    await closing(peer);
  },
);

inLoop("connect() calls its callback with the stream", async () => {
  using listener = listen();
  for (const withOptions of [false, true]) {
    const stream = new IOStream(null);
    const connected = new Promise<IOStream>((resolve) => {
      if (withOptions) stream.connect(addressOf(listener), {}, resolve);
      else stream.connect(addressOf(listener), resolve);
    });
    const peer = await listener.accept();
    assertStrictEquals(await connected, stream);
    stream.close();
    peer.close();
  }
});

for (
  const [what, address, type] of [
    ["a refused connection", refusingAddress, Deno.errors.ConnectionRefused],
    ["a name that cannot be resolved", () => ({ hostname: "no.invalid", port: 80 }), Error],
    ["a socket that is not there", () => ({ path: "/tmp/no/such/socket" }), Deno.errors.NotFound],
  ] as const
) {
  inLoop(`connect() says why it failed: ${what}`, async () => {
    const stream = new IOStream(null);
    const closed = closing(stream);
    const written = stream.write("never");
    const read = stream.readBytes(1);
    const error = await failsClosed(stream.connect(address()));
    assertInstanceOf(error.cause, type);
    assertStrictEquals(stream.error, error.cause);
    assertStrictEquals(error.realError, error.cause);
    assert(stream.closed());
    await closed;
    await failsClosed(written);
    await failsClosed(read);
    assertThrows(() => stream.connect(address()), StreamClosedError);
  });
}

inLoop("connect() works once", async () => {
  const stream = new Scripted(null);
  const connecting = stream.connect({ port: 1 }, { serverHostname: "name" });
  assertThrows(() => stream.connect({ port: 1 }), Error, "was connected before");
  const [near, far] = memoryPair();
  stream.opening.resolve(near);
  await connecting;
  assertEquals(stream.serverHostname, "name");
  assertStrictEquals(stream.conn, near);
  assertThrows(() => stream.connect({ port: 1 }), Error, "was connected before");
  assert(!stream.signal!.aborted);
  stream.close();
  far.close();

  const [one, other] = memoryPair();
  const connected = new IOStream(one);
  assertThrows(() => connected.connect({ port: 1 }), Error, "was connected before");
  connected.close();
  other.close();
});

inLoop(
  "close() while it connects gives the attempt up, and a late connection is closed",
  async () => {
    const stream = new Scripted(null);
    const connecting = stream.connect({ port: 1 });
    const written = stream.write("never");
    const why = new Error("why");
    stream.close(why);
    const error = await failsClosed(connecting);
    assertStrictEquals(error.cause, why);
    await failsClosed(written);
    assert(stream.signal!.aborted);
    const [near, far] = memoryPair();
    stream.opening.resolve(near);
    await eventually(() => near.closed());
    far.close();
  },
);

inLoop("connect() that is cancelled closes the stream", async () => {
  const stream = new Scripted(null);
  const connecting = stream.connect({ port: 1 });
  connecting.cancel("not any more");
  await assertRejects(() => Promise.resolve(connecting), CancelledError);
  assert(stream.closed() && stream.signal!.aborted);
  assertInstanceOf(stream.error, CancelledError);
});

inLoop("connect() is given up when its signal is aborted, before and after the call", async () => {
  for (const before of [true, false]) {
    const stream = new Scripted(null);
    const abort = new AbortController();
    const why = new Error("why");
    if (before) abort.abort(why);
    const connecting = stream.connect({ port: 1 }, { signal: abort.signal });
    if (!before) abort.abort(why);
    assertStrictEquals((await failsClosed(connecting)).cause, why);
    assertStrictEquals(stream.error, why);
  }
});

inLoop("a signal that is aborted later does not touch the connected stream", async () => {
  using listener = listen();
  const stream = new IOStream(null);
  const abort = new AbortController();
  const connecting = stream.connect(addressOf(listener), { signal: abort.signal });
  const peer = await listener.accept();
  await connecting;
  abort.abort();
  await stream.write("x");
  assertEquals(await peer.read(new Uint8Array(9)), 1);
  assert(!stream.closed());
  stream.close();
  peer.close();
});

inLoop("a stream that is never connected can be closed, and ends what waits", async () => {
  const stream = new IOStream(null);
  const written = stream.write("never");
  const read = stream.readUntilClose();
  await assertRejects(() => stream.closeWrite(), Error, "not connected");
  const closed = closing(stream);
  stream.close();
  await failsClosed(written);
  assertEquals(text(await read), "");
  await closed;
  assertThrows(() => stream.connect({ port: 1 }), StreamClosedError);
});

inLoop("IOStream.connect() connects, and fails with the platform's error", async () => {
  using listener = listen();
  const address = addressOf(listener);
  const [stream, accepted] = await Promise.all([IOStream.connect(address), listener.accept()]);
  await stream.write("x");
  assertEquals(await accepted.read(new Uint8Array(9)), 1);
  stream.close();
  accepted.close();
  await assertRejects(
    () => Promise.resolve(IOStream.connect(refusingAddress())),
    Deno.errors.ConnectionRefused,
  );
});

inLoop("IOStream.connect() of a subclass makes one of these", async () => {
  const connecting = Scripted.connect({ port: 1 });
  connecting.cancel();
  await assertRejects(() => Promise.resolve(connecting), CancelledError);
});

inLoop("IOStream.connect() that is cancelled leaves no connection", async () => {
  using listener = listen();
  const connecting = IOStream.connect(addressOf(listener));
  connecting.cancel();
  assert(connecting.cancelled());
  await assertRejects(() => Promise.resolve(connecting), CancelledError);
});

// It said that there was nothing to cancel, though it had cancelled it.
inLoop("IOStream.connect() and startTls() tell that they were cancelled", async () => {
  using listener = listen();
  const connecting = IOStream.connect(addressOf(listener));
  assertEquals([connecting.cancel(), connecting.cancelled()], [true, true]);
  const [near, far] = memoryPair();
  const stream = new IOStream(near);
  const starting = stream.startTls(false, {}, { serverHostname: "localhost" });
  assertEquals([starting.cancel(), starting.cancelled()], [true, true]);
  await eventually(() => near.closed());
  far.close();
});

// Its stream was nobody's and stayed open.
inLoop(
  "IOStream.connect() closes the stream of a coroutine that is cancelled before it got it",
  async () => {
    using listener = listen();
    let got = false;
    const taker = coroutine(function* () {
      const connecting = IOStream.connect(addressOf(listener));
      connecting.addDoneCallback(() => taker.cancel()); // runs before the coroutine is resumed
      yield* connecting;
      got = true;
    })();
    const peer = new IOStream(await listener.accept());
    assertEquals((await peer.readUntilClose()).length, 0);
    assert(taker.cancelled() && !got);
  },
);

// The connection that came all the same was forgotten, with the handshake going on.
inLoop("SSLIOStream.connect() that is cancelled closes a connection that comes late", async () => {
  using listener = listen();
  const { connect } = Deno;
  const conn = await connect(addressOf(listener));
  const peer = new IOStream(await listener.accept());
  const late = Promise.withResolvers<Deno.TcpConn>();
  Deno.connect = (() => late.promise) as unknown as typeof connect;
  try {
    const connecting = SSLIOStream.connect({ hostname: "localhost", port: 1 });
    connecting.cancel();
    late.resolve(conn);
    await assertRejects(() => connecting.then(), CancelledError);
  } finally {
    Deno.connect = connect;
  }
  assertEquals((await peer.readUntilClose()).length, 0);
});
