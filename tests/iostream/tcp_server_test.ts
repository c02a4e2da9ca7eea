import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { bindUnusedPort, expectLog } from "../../testing/mod.ts";
import { appLog, IOLoop } from "../../ioloop/mod.ts";
import { sleep } from "../../gen/mod.ts";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { IOStream, TCPServer } from "../../iostream/mod.ts";

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
