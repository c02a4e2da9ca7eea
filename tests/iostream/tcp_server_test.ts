import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { bindUnusedPort, expectLog } from "../../testing/mod.ts";
import { appLog, IOLoop } from "../../ioloop/mod.ts";
import { sleep } from "../../gen/mod.ts";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { bindSockets, IOStream, TCPClient, TCPServer } from "../../iostream/mod.ts";

class Server extends TCPServer {
  readonly streams: IOStream[] = [];
  readonly #handle: (stream: IOStream) => unknown;

  constructor(handle: (stream: IOStream) => unknown) {
    super({ ioLoop: IOLoop.current() });
    this.#handle = handle;
  }

  override handleStream(stream: IOStream): unknown {
    this.streams.push(stream);
    return this.#handle(stream);
  }
}

// Runs a server on a free port while `body` runs, and closes what is left.
function withServer(
  handle: (stream: IOStream) => unknown,
  body: (server: Server, port: number) => Promise<void>,
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = new Server(handle);
    server.listen(0, "127.0.0.1");
    try {
      await body(server, portOf(server));
    } finally {
      server.stop();
      for (const stream of server.streams) stream.close();
    }
  }, { timeout: 10_000 });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

function portOf(server: TCPServer): number {
  return (server.addresses[0] as Deno.NetAddr).port;
}

async function exchange(port: number, line: string): Promise<string> {
  const stream = await IOStream.connect({ hostname: "127.0.0.1", port });
  stream.write(line);
  const all = await stream.readUntilClose();
  return new TextDecoder().decode(all);
}

function* echo(stream: IOStream): CoroutineGenerator {
  yield* sleep(1);
  stream.write(yield* stream.readUntil("\n"));
  stream.close();
}

Deno.test("TCPServer.handleStream() may be a generator, async or plain", async () => {
  const handlers = [
    echo,
    async (stream: IOStream) => {
      stream.write(await stream.readUntil("\n"));
      stream.close();
    },
    (stream: IOStream) => {
      stream.write("hello\n");
      stream.close();
    },
  ];
  for (const handle of handlers) {
    await withServer(handle, async (_server, port) => {
      assertEquals(await exchange(port, "hello\n"), "hello\n");
    });
  }
});

Deno.test("TCPServer.handleStream() is given the address of the peer", () =>
  new IOLoop().run(async () => {
    const { promise, resolve } = Promise.withResolvers<Deno.Addr>();
    class Named extends TCPServer {
      override handleStream(stream: IOStream, address: Deno.Addr): void {
        stream.close();
        resolve(address);
      }
    }
    const server = new Named();
    server.listen(0, "127.0.0.1");
    const client = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server) });
    assertEquals(await promise, client.localAddr);
    client.close();
    server.stop();
  }));

Deno.test("TCPServer.handleStream() that throws is logged, and the server goes on", async () => {
  const handlers = [
    () => {
      throw new Error("plain failure");
    },
    () => Promise.reject(new Error("async failure")),
    function* () {
      yield* sleep(1);
      throw new Error("generator failure");
    },
  ];
  for (const handle of handlers) {
    let calls = 0;
    const first = (stream: IOStream) => calls++ === 0 ? handle() : echo(stream);
    await withServer(first, async (server, port) => {
      const { matched, loggedStack } = await expectLog(appLog, /failure/, async () => {
        const client = await IOStream.connect({ hostname: "127.0.0.1", port });
        await sleep(20);
        assert(!server.streams[0]!.closed(), "the stream is left to its owner");
        client.close();
      });
      assertEquals(matched.length, 1);
      assertStringIncludes(matched[0]!, "Exception in callback Server.handleStream");
      assert(loggedStack);
      assertEquals(await exchange(port, "still here\n"), "still here\n");
    });
  }
});

Deno.test("TCPServer.handleStream() whose client left is not logged as a failure", () =>
  withServer(echo, async (server, port) => {
    const { matched } = await expectLog(appLog, "", async () => {
      const client = await IOStream.connect({ hostname: "127.0.0.1", port });
      await sleep(5);
      client.close();
      while (server.streams[0]?.closed() !== true) await sleep(1);
      await sleep(5);
    }, { required: false });
    assertEquals(matched, []);
  }));

Deno.test("TCPServer.handleStream() that is not overridden is an error in the log", () =>
  new IOLoop().run(async () => {
    const server = new TCPServer();
    server.listen(0, "127.0.0.1");
    await expectLog(appLog, /handleStream is not overridden/, async () => {
      const client = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server) });
      await sleep(20);
      client.close();
    });
    server.stop();
    await sleep(20);
  }));

Deno.test("TCPServer.listen(0) picks a free port, several times", () =>
  withServer(echo, async (server) => {
    server.listen(0, "127.0.0.1");
    const ports = server.addresses.map((address) => (address as Deno.NetAddr).port);
    assertEquals(new Set(ports).size, 2);
    for (const port of ports) assertEquals(await exchange(port, "x\n"), "x\n");
  }));

Deno.test("TCPServer.listen() without an address serves all interfaces", () =>
  new IOLoop().run(async () => {
    const server = new Server(echo);
    server.listen(0);
    assertEquals(await exchange(portOf(server), "x\n"), "x\n");
    server.stop();
  }));

Deno.test("TCPServer.listen() on a port in use is one error that names it", () =>
  new IOLoop().run(() => {
    const { listener, port } = bindUnusedPort();
    const server = new TCPServer();
    const error = assertThrows(() => server.listen(port, "127.0.0.1"), Deno.errors.AddrInUse);
    assertStringIncludes(error.message, `port ${port} of 127.0.0.1`);
    assertEquals(server.addresses, []);
    listener.close();
  }));

Deno.test("TCPServer.addListener() serves a listener and owns it", () =>
  withServer(echo, async (server) => {
    const { listener, port } = bindUnusedPort();
    server.addListener(listener);
    assertEquals(await exchange(port, "x\n"), "x\n");
    server.stop();
    assertThrows(() => listener.close(), Deno.errors.BadResource);
  }));

Deno.test("TCPServer.stop() refuses new connections, keeps open ones, and may be called twice", () =>
  withServer(echo, async (server, port) => {
    const client = await IOStream.connect({ hostname: "127.0.0.1", port });
    while (server.streams.length === 0) await sleep(1);
    server.stop();
    server.stop();
    assertEquals(server.addresses, []);
    client.write("x\n");
    assertEquals(new TextDecoder().decode(await client.readUntilClose()), "x\n");
    let refused = false;
    await Deno.connect({ hostname: "127.0.0.1", port }).then((conn) => conn.close(), () => {
      refused = true;
    });
    assert(refused);
  }));

Deno.test("TCPServer.stop() inside handleStream() harms nobody", () =>
  new IOLoop().run(async () => {
    const server: Server = new Server((stream) => {
      server.stop();
      stream.close();
    });
    server.listen(0, "127.0.0.1");
    const port = portOf(server);
    const clients = await Promise.allSettled(
      Array.from({ length: 40 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    await sleep(20);
    assert(server.streams.length >= 1);
    for (const stream of server.streams) assert(stream.closed());
    for (const client of clients) if (client.status === "fulfilled") client.value.close();
  }));

Deno.test("TCPServer can listen again after stop()", () =>
  withServer(echo, async (server) => {
    server.stop();
    server.listen(0, "127.0.0.1");
    assertEquals(await exchange(portOf(server), "x\n"), "x\n");
  }));

Deno.test("TCPServer.listen() with an option reaches the sockets that it binds", () =>
  new IOLoop().run(() => {
    const server = new TCPServer();
    assertThrows(() => server.listen(0, "127.0.0.1", { family: "ipv6" }), TypeError, "ipv6");
    assertThrows(() => server.listen(0, "127.0.0.1", { backlog: 0 }), RangeError, "backlog");
    assertEquals(server.addresses, []);
    server.listen(0, "", { family: "ipv4" });
    assertEquals((server.addresses[0] as Deno.NetAddr).hostname, "0.0.0.0");
    server.stop();
  }));

Deno.test("TCPServer.addListeners() serves every listener and owns them", () =>
  withServer(echo, async (server) => {
    const listeners = bindSockets(0, "localhost");
    const { listener: another } = bindUnusedPort();
    server.addListeners([...listeners, another]);
    for (const { addr } of [...listeners, another]) {
      const { hostname, port } = addr as Deno.NetAddr;
      const stream = await IOStream.connect({ hostname, port });
      stream.write("x\n");
      assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "x\n");
    }
    server.stop();
    for (const listener of listeners) {
      assertThrows(() => listener.close(), Deno.errors.BadResource);
    }
  }));

Deno.test("TCPServer.listenUnix() serves a Unix socket, and stop() removes its file", () =>
  withServer(echo, async (server) => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/socket`;
    server.listenUnix(path, { mode: 0o660 });
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o660);
    const client = new TCPClient();
    const stream = await client.connectUnix(path);
    stream.write("x\n");
    assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "x\n");
    client.close();
    server.stop();
    await until(() => [...Deno.readDirSync(directory)].length === 0);
    await Deno.remove(directory);
  }));

Deno.test("TCPServer.start() accepts on what bind() took before, and only then", () =>
  new IOLoop().run(async () => {
    const server = new Server(echo);
    const { listener: probe, port } = bindUnusedPort();
    probe.close();
    server.bind(port, "127.0.0.1");
    assertEquals(server.addresses, []);
    const early = await IOStream.connect({ hostname: "127.0.0.1", port }); // the kernel answers
    early.write("x\n");
    await sleep(5);
    assertEquals(server.streams.length, 0);
    server.start();
    assertEquals(new TextDecoder().decode(await early.readUntilClose()), "x\n");
    assertEquals(await exchange(port, "y\n"), "y\n");
    assertThrows(() => server.start(), Error, "it was started already");
    server.bind(0, "127.0.0.1"); // serves at once
    assertEquals(server.addresses.length, 2);
    server.stop();
  }));

Deno.test("TCPServer.start() of several processes is refused, and nothing is lost", () =>
  new IOLoop().run(async () => {
    const server = new Server(echo);
    server.bind(0, "127.0.0.1");
    for (const count of [3, 0, -1, null]) {
      assertThrows(() => server.start(count), Error, "Cannot start the server in");
    }
    server.start(1, { maxRestarts: 5 });
    assertEquals(await exchange(portOf(server), "x\n"), "x\n");
    server.stop();
  }));

Deno.test("TCPServer.stop() frees what was bound and never started", () =>
  new IOLoop().run(() => {
    const server = new TCPServer();
    const { listener: probe, port } = bindUnusedPort();
    probe.close();
    server.bind(port, "127.0.0.1");
    assertThrows(() => new TCPServer().bind(port, "127.0.0.1"), Deno.errors.AddrInUse);
    server.stop();
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  }));

Deno.test("TCPServer.connectionCount follows the connections, through lingering and failure", () =>
  withServer(() => {}, async (server, port) => {
    assertEquals(server.connectionCount, 0);
    const clients: IOStream[] = [];
    for (let i = 0; i < 3; i++) {
      clients.push(await IOStream.connect({ hostname: "127.0.0.1", port }));
    }
    await until(() => server.connectionCount === 3);
    clients[0]!.close();
    await until(() => server.connectionCount === 2);
    server.streams.find((stream) => !stream.closed())!.close(new Error("failed"));
    assertEquals(server.connectionCount, 1);
    // What the peer does not take keeps the last one open behind its close().
    const last = server.streams.find((stream) => !stream.closed())!;
    last.write(new Uint8Array(16 << 20));
    last.close();
    await sleep(5);
    assertEquals([last.closed(), server.connectionCount], [true, 1]);
    for (const client of clients) client.close();
    await until(() => server.connectionCount === 0);
  }));

Deno.test("TCPServer with maxConnections leaves the others to the backlog, and serves them later", () =>
  new IOLoop().run(async () => {
    const waiting: IOStream[] = [];
    let most = 0;
    class Limited extends TCPServer {
      override handleStream(stream: IOStream): void {
        waiting.push(stream);
        most = Math.max(most, this.connectionCount);
      }
    }
    const server = new Limited({ maxConnections: 3 });
    server.listen(0, "127.0.0.1");
    const port = portOf(server);
    const connect = () => IOStream.connect({ hostname: "127.0.0.1", port });
    const clients = await Promise.all(Array.from({ length: 8 }, connect));
    await until(() => waiting.length === 3);
    await sleep(5);
    assertEquals([server.connectionCount, waiting.length], [3, 3]);
    for (let served = 1; served <= 8; served++) {
      const stream = waiting.shift()!;
      stream.write(`${served}\n`);
      stream.close();
      await until(() => waiting.length === Math.min(3, 8 - served));
    }
    const answers = await Promise.all(clients.map((client) => client.readUntilClose()));
    const texts = answers.map((bytes) => new TextDecoder().decode(bytes)).toSorted();
    assertEquals(texts, [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${n}\n`));
    assertEquals(most, 3);
    server.stop();
  }));

Deno.test("TCPServer with maxConnections counts the connections of all its listeners", () =>
  new IOLoop().run(async () => {
    const open: IOStream[] = [];
    let most = 0;
    class Limited extends TCPServer {
      override handleStream(stream: IOStream): void {
        open.push(stream);
        most = Math.max(most, this.connectionCount);
      }
    }
    const server = new Limited({ maxConnections: 1 });
    server.listen(0, "127.0.0.1");
    server.listen(0, "127.0.0.1");
    const ports = server.addresses.map((address) => (address as Deno.NetAddr).port);
    const clients: IOStream[] = [];
    for (const port of [...ports, ...ports]) {
      clients.push(await IOStream.connect({ hostname: "127.0.0.1", port }));
    }
    for (let served = 0; served < 4; served++) {
      await until(() => open.length === 1);
      open.pop()!.close();
    }
    for (const client of clients) assertEquals(await client.readUntilClose(), new Uint8Array());
    assertEquals(most, 1);
    // At the limit a new listener waits as the others do, and stop() drops what it holds.
    const holder = await IOStream.connect({ hostname: "127.0.0.1", port: ports[0]! });
    await until(() => open.length === 1);
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[2] as Deno.NetAddr;
    const late = await IOStream.connect({ hostname: "127.0.0.1", port });
    await sleep(5);
    assertEquals(open.length, 1);
    server.stop();
    await late.readUntilClose().catch(() => {});
    open.pop()!.close();
    holder.close();
    late.close();
  }));

Deno.test("TCPServer refuses a maxConnections that admits nobody", () => {
  for (const maxConnections of [0, -1, 1.5, NaN]) {
    assertThrows(() => new TCPServer({ maxConnections }), RangeError, "maxConnections");
  }
});

Deno.test("TCPServer.drain() waits for open connections, and cuts none that ends in time", () =>
  withServer(echo, async (server, port) => {
    const client = await IOStream.connect({ hostname: "127.0.0.1", port });
    await until(() => server.connectionCount === 1);
    const drained = server.drain();
    assertEquals(server.addresses, []);
    await sleep(5);
    assert(!drained.done());
    client.write("x\n");
    assertEquals(new TextDecoder().decode(await client.readUntilClose()), "x\n");
    assertEquals(await drained, { cut: 0 });
    assertEquals(await server.drain(), { cut: 0 });
  }));

Deno.test("TCPServer.drain() cuts what does not end in time, also what lingers, and counts it", () =>
  withServer(() => {}, async (server, port) => {
    const clients: IOStream[] = [];
    for (let i = 0; i < 3; i++) {
      clients.push(await IOStream.connect({ hostname: "127.0.0.1", port }));
    }
    await until(() => server.connectionCount === 3);
    const [lingering, ending] = server.streams;
    lingering!.write(new Uint8Array(16 << 20));
    lingering!.close();
    const drained = server.drain({ timeout: 30 });
    ending!.close();
    assertEquals(await drained, { cut: 2 });
    assertEquals(server.connectionCount, 0);
    for (const stream of server.streams) assert(stream.closed());
    for (const client of clients) client.close();
  }));

Deno.test("TCPServer.drain() that is cancelled cuts nothing", () =>
  withServer(echo, async (server, port) => {
    const client = await IOStream.connect({ hostname: "127.0.0.1", port });
    await until(() => server.connectionCount === 1);
    const other = server.drain({ timeout: 5000 });
    const drained = server.drain({ timeout: 5 });
    assert(drained.cancel());
    await sleep(20);
    assertEquals(server.connectionCount, 1);
    client.write("x\n");
    assertEquals(new TextDecoder().decode(await client.readUntilClose()), "x\n");
    assertEquals(await other, { cut: 0 });
  }));

Deno.test("TCPServer.drain() ends the coroutine of a connection that it cuts, without a log line", () =>
  withServer(echo, async (server, port) => {
    const client = await IOStream.connect({ hostname: "127.0.0.1", port });
    await until(() => server.connectionCount === 1);
    const { matched } = await expectLog(appLog, "", async () => {
      assertEquals(await server.drain({ timeout: 0 }), { cut: 1 });
      await sleep(5);
    }, { required: false });
    assertEquals(matched, []);
    client.close();
  }));
