// TCPServer and TCPClient over TLS.
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { appLog, CancelledError, genLog, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import {
  bindSockets,
  IOStream,
  SSLIOStream,
  type SslOptions,
  TCPClient,
  TCPServer,
  type TCPServerOptions,
} from "../../iostream/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { authority, client, elsewhere, localhost } from "./_certificates.ts";
import { inLoop } from "./_tls_pair.ts";

const TRUSTING: SslOptions = { caCerts: authority.cert };
const NOT_TLS = /^Cannot set up TLS with 127\.0\.0\.1:\d+: it does not speak TLS/;

class Server extends TCPServer {
  readonly streams: IOStream[] = [];
  readonly #handle: (stream: IOStream) => unknown;

  constructor(handle: (stream: IOStream) => unknown, options: TCPServerOptions) {
    super(options);
    this.#handle = handle;
  }

  get port(): number {
    return (this.addresses[0] as Deno.NetAddr).port;
  }

  override handleStream(stream: IOStream): unknown {
    this.streams.push(stream);
    return this.#handle(stream);
  }
}

function* echo(stream: IOStream): CoroutineGenerator {
  stream.write(yield* stream.readUntil("\n"));
  stream.close();
}

function listenByDeno(server: Server): void {
  server.addListener(Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...localhost }));
}

// Runs `body` with a server that listens, and closes what is left.
function withServer(
  body: (server: Server) => PromiseLike<void>,
  { handle = echo, options = { sslOptions: localhost }, listen = listenLocally }: {
    handle?: (stream: IOStream) => unknown;
    options?: TCPServerOptions;
    listen?: (server: Server) => void;
  } = {},
): Promise<void> {
  return inLoop(async () => {
    const server = new Server(handle, options);
    listen(server);
    try {
      await body(server);
    } finally {
      server.stop();
      for (const stream of server.streams) stream.close();
    }
  });
}

function listenLocally(server: Server): void {
  server.listen(0, "127.0.0.1");
}

async function exchange(port: number, line: string, sslOptions = TRUSTING): Promise<string> {
  const stream = await SSLIOStream.connect({ hostname: "localhost", port }, { sslOptions });
  stream.write(line);
  return new TextDecoder().decode(await stream.readUntilClose());
}

// Waits for what comes a few turns after the end of a stream.
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("TCPServer() refuses sslOptions without a certificate or key, and files that are not there", () => {
  const make = (sslOptions: SslOptions) => () => new TCPServer({ sslOptions });
  assertThrows(make({}), TypeError, "a server needs certFile and keyFile");
  assertThrows(make({ cert: localhost.cert }), TypeError, "without keyFile or key");
  assertThrows(
    make({ certFile: "/no/such/cert.pem", keyFile: "/no/such/key.pem" }),
    Deno.errors.NotFound,
    "cannot read the certFile /no/such/cert.pem",
  );
});

for (
  const [where, listen] of [
    ["a port", listenLocally],
    ["a port that was bound", (server: Server) => {
      server.bind(0, "127.0.0.1");
      server.start();
    }],
    ["plain listeners", (server: Server) => server.addListeners(bindSockets(0, "127.0.0.1"))],
  ] as const
) {
  Deno.test(`TCPServer with sslOptions serves SSLIOStreams on ${where}`, () =>
    withServer(async (server) => {
      for (let i = 0; i < 3; i++) assertEquals(await exchange(server.port, "hello\n"), "hello\n");
      for (const stream of server.streams) assertInstanceOf(stream, SSLIOStream);
      await eventually(() => server.connectionCount === 0);
    }, { listen }));
}

Deno.test("TCPServer with sslOptions serves SSLIOStreams on a Unix socket", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  try {
    await withServer(async () => {
      const stream = await SSLIOStream.connect({ path }, {
        sslOptions: TRUSTING,
        serverHostname: "localhost",
      });
      stream.write("hello\n");
      assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "hello\n");
    }, { listen: (server) => server.listenUnix(path) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("TCPServer serves SSLIOStreams on a listener that has TLS of its own", () =>
  withServer(async (server) => {
    assertEquals(await exchange(server.port, "hello\n"), "hello\n");
    assertInstanceOf(server.streams[0], SSLIOStream);
  }, {
    options: {},
    listen: (server) =>
      server.addListener(Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...localhost })),
  }));

Deno.test("TCPServer refuses a listener whose own TLS would not do what sslOptions say", () => {
  const sslOptions: SslOptions = {
    ...localhost,
    clientCert: "required",
    caCerts: authority.cert,
  };
  const server = new TCPServer({ sslOptions, ioLoop: new IOLoop() });
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...localhost });
  assertThrows(() => server.addListener(listener), TypeError, "Cannot apply sslOptions");
  assertEquals(server.addresses, []);
  listener.close();
});

Deno.test("TCPServer with sslOptions listens on one port for both families, and says when it is taken", () =>
  withServer((server) => {
    const ports = new Set(server.addresses.map((address) => (address as Deno.NetAddr).port));
    assertEquals(ports.size, 1);
    assertThrows(
      () => server.listen(server.port, "127.0.0.1"),
      Deno.errors.AddrInUse,
      `Cannot listen on port ${server.port} of 127.0.0.1: it is in use`,
    );
    return Promise.resolve();
  }, { listen: (server) => server.listen(0, "localhost") }));

Deno.test("TCPServer handles a stream before its handshake; who needs that to be over waits", () =>
  withServer(async (server) => {
    const sslOptions = { ...TRUSTING, alpnProtocols: ["two", "one"] };
    assertEquals(await exchange(server.port, "", sslOptions), "one");
  }, {
    options: { sslOptions: { ...localhost, alpnProtocols: ["one"] } },
    *handle(stream): CoroutineGenerator {
      assertInstanceOf(stream, SSLIOStream);
      assertEquals(stream.alpnProtocol, null);
      yield* stream.waitForHandshake();
      stream.write(stream.alpnProtocol!);
      stream.close();
    },
  }));

Deno.test("TCPServer shows the certificate of a client that it asked for one", () =>
  withServer(async (server) => {
    const sslOptions = { ...TRUSTING, ...client };
    assertEquals(await exchange(server.port, "", sslOptions), "CN=a client");
  }, {
    options: {
      sslOptions: { ...localhost, clientCert: "required", caCerts: authority.cert },
    },
    *handle(stream): CoroutineGenerator {
      const { peerCertificate } = yield* (stream as SSLIOStream).waitForHandshake();
      stream.write(peerCertificate!.subject);
      stream.close();
    },
  }));

for (
  const [engine, engineOptions, listen] of [
    ["Deno", {}, listenByDeno],
    ["node:tls", { sslOptions: localhost }, listenLocally],
  ] as [string, TCPServerOptions, (server: Server) => void][]
) {
  Deno.test(`TCPServer goes on while a client says nothing (${engine})`, () =>
    withServer(async (server) => {
      const address = { hostname: "127.0.0.1", port: server.port };
      const mutes = await Promise.all([1, 2, 3].map(() => Deno.connect(address)));
      assertEquals(await exchange(server.port, "hello\n"), "hello\n");
      assertEquals(server.streams.length, 4);
      for (const mute of mutes) mute.close();
      await eventually(() => server.streams.every((stream) => stream.closed()));
    }, { options: engineOptions, listen }));

  Deno.test(`TCPServer closes a connection whose handshake takes too long (${engine})`, () =>
    withServer(async (server) => {
      const mute = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await eventually(() => server.streams[0]?.closed() ?? false);
      assertInstanceOf(server.streams[0]!.error, TimeoutError);
      assertEquals(server.connectionCount, 0);
      if (engine === "node:tls") assertEquals(await mute.read(new Uint8Array(1)), null);
      mute.close();
    }, { options: { ...engineOptions, handshakeTimeout: 20 }, listen }));

  for (
    const [how, handle] of [
      ["reads", echo],
      ["waits for the handshake", function* (stream): CoroutineGenerator {
        yield* (stream as SSLIOStream).waitForHandshake();
      }],
    ] as [string, (stream: IOStream) => unknown][]
  ) {
    Deno.test(`TCPServer logs a plain HTTP request once and goes on, when its handler ${how} (${engine})`, () =>
      withServer(async (server) => {
        const { matched: exceptions } = await expectLog(appLog, /./, async () => {
          const { matched, loggedStack } = await expectLog(genLog, /./, async () => {
            const browser = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
            await browser.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
            await eventually(() => server.streams[0]?.closed() ?? false);
            browser.close();
            await exchange(server.port, "hello\n");
          }, { level: "warning" });
          assertEquals(matched.length, 1);
          assert(NOT_TLS.test(matched[0]!), matched[0]);
          assertEquals(loggedStack, false);
        }, { required: false });
        assertEquals(exceptions, []);
      }, { options: engineOptions, listen, handle: (stream) => guard(handle(stream), stream) }));
  }
}

// Ends the stream with the work, as a handler should.
function* guard(work: unknown, stream: IOStream): CoroutineGenerator {
  try {
    yield work as CoroutineGenerator;
  } finally {
    stream.close();
  }
}

Deno.test("TCPServer does not take a failed startTls() for a fault of the handler", () =>
  withServer(async (server) => {
    const { matched: exceptions } = await expectLog(
      appLog,
      /./,
      () =>
        expectLog(genLog, NOT_TLS_PEER, async () => {
          const peer = await IOStream.connect({ hostname: "127.0.0.1", port: server.port });
          peer.write("STARTTLS\r\n");
          await peer.readUntil("\r\n");
          peer.write("no TLS\r\n");
          await peer.readUntilClose();
        }),
      { required: false },
    );
    assertEquals(exceptions, []);
  }, {
    options: {},
    *handle(stream): CoroutineGenerator {
      yield* stream.readUntil("\r\n");
      yield* stream.write("220 go ahead\r\n");
      yield* stream.startTls(true, localhost);
    },
  }));

const NOT_TLS_PEER = /^Cannot set up TLS with .*: it does not speak TLS/;

Deno.test("TCPClient.connect() with sslOptions gives an SSLIOStream, and verifies the host", () =>
  withServer(async (server) => {
    const connector = new TCPClient();
    const stream = await connector.connect("localhost", server.port, { sslOptions: TRUSTING });
    assertInstanceOf(stream, SSLIOStream);
    stream.write("hello\n");
    assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "hello\n");

    const unknown = await assertRejects(
      async () => await connector.connect("localhost", server.port, { sslOptions: {} }),
      Deno.errors.InvalidData,
    );
    assert(unknown.message.startsWith("Cannot set up TLS with localhost: "));
    connector.close();
  }));

Deno.test("TCPClient.connect() refuses a server of another name, and sslOptions that do not fit", () =>
  withServer(async (server) => {
    const connector = new TCPClient();
    await assertRejects(
      async () => await connector.connect("localhost", server.port, { sslOptions: TRUSTING }),
      Deno.errors.InvalidData,
      "other.example",
    );
    const sslOptions = { ...TRUSTING, checkHostname: false };
    const stream = await connector.connect("localhost", server.port, { sslOptions });
    stream.close();
    assertThrows(
      () => connector.connect("localhost", 1, { sslOptions: { clientCert: "required" } }),
      TypeError,
      "clientCert is for servers only",
    );
    connector.close();
  }, { options: { sslOptions: elsewhere } }));

Deno.test("TCPClient.connect() with sslOptions may start from an address of its own", () =>
  withServer(async (server) => {
    const connector = new TCPClient();
    const stream = await connector.connect("localhost", server.port, {
      sslOptions: TRUSTING,
      sourceIp: "127.0.0.1",
    });
    stream.write("hello\n");
    assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "hello\n");
    connector.close();
  }));

Deno.test("TCPClient.connect() gives up a handshake with its timeout, and when it is cancelled", () =>
  inLoop(async () => {
    const mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = mute.addr;
    const connector = new TCPClient();
    for (const sslOptions of [{}, { rejectUnauthorized: false }]) {
      const conns: Deno.Conn[] = [];
      const late = connector.connect("127.0.0.1", port, { sslOptions, timeout: 30 });
      conns.push(await mute.accept());
      await assertRejects(
        async () => await late,
        TimeoutError,
        `Cannot connect to 127.0.0.1:${port}: it took longer than 30 ms`,
      );
      const unwanted = connector.connect("127.0.0.1", port, { sslOptions });
      conns.push(await mute.accept());
      await conns[1]!.read(new Uint8Array(5)); // the handshake is in progress
      unwanted.cancel();
      await assertRejects(async () => await unwanted, CancelledError);
      for (const conn of conns) {
        if (sslOptions.rejectUnauthorized === false) {
          while (await conn.read(new Uint8Array(4096)) !== null); // it hung up
        }
        conn.close();
      }
    }
    connector.close();
    mute.close();
  }));

// The connection was closed twice, and the second time ended the process.
Deno.test("TCPServer.drain() cuts a connection in the middle of its handshake", () =>
  withServer(async (server) => {
    const mute = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await eventually(() => server.connectionCount === 1);
    assertEquals(await server.drain({ timeout: 10 }), { cut: 1 });
    mute.close();
    await new Promise((resolve) => setTimeout(resolve, 5)); // in which nothing shall fail
  }));
