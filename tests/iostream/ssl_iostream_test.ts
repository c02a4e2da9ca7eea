import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { connect } from "node:tls";
import { CancelledError, genLog, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import {
  IOStream,
  SSLIOStream,
  type SslOptions,
  sslOptionsToContext,
  StreamClosedError,
  type Transport,
} from "../../iostream/mod.ts";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { authority, client, elsewhere, expired, localhost, stranger } from "./_certificates.ts";
import {
  ENGINES,
  type Engines,
  inLoop,
  startTlsPair,
  tlsPair,
  type TlsPairOptions,
  withTlsPair,
} from "./_tls_pair.ts";

const DENO: Engines = { client: "Deno", server: "Deno" };
const NODE: Engines = { client: "node:tls", server: "node:tls" };
const HANDSHAKE = /^Cannot set up TLS with /;

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

// Two TLS streams over a connection in memory, the client first. It verifies nothing, for
// which node:tls would read all the authorities of the runtime, 20 ms each time.
function memoryStreams(
  [one, other]: [MemoryConn, MemoryConn],
  ioLoop = IOLoop.current(),
): [SSLIOStream, SSLIOStream] {
  return [
    new SSLIOStream(one, {
      sslOptions: { rejectUnauthorized: false },
      serverHostname: "localhost",
      ioLoop,
    }),
    new SSLIOStream(other, { sslOptions: localhost, serverSide: true, ioLoop }),
  ];
}

// Gives the errors with which a handshake fails at either end.
async function failedHandshake(
  engines: Engines,
  options: TlsPairOptions,
): Promise<[Error, Error]> {
  const { connected, server } = await startTlsPair(engines, options);
  const [byClient, byServer] = await Promise.all([
    assertRejects(async () => await connected, Error),
    assertRejects(async () => await server.waitForHandshake(), Error),
  ]);
  assertEquals(server.error, byServer);
  assert(server.closed());
  return [byClient, byServer];
}

// The server logs what its peers do wrong; where both ends are ours, that is expected.
async function quietly(body: () => Promise<void>): Promise<void> {
  await expectLog(genLog, HANDSHAKE, () => inLoop(body), { required: false });
}

for (const [name, engines] of ENGINES) {
  Deno.test(`SSLIOStream carries lines both ways, and the end of each way (${name})`, () =>
    withTlsPair(engines, async (client, server) => {
      client.write("hello\n");
      assertEquals(text(await server.readUntil("\n")), "hello\n");
      await client.closeWrite();
      assertEquals(await server.readUntilClose(), new Uint8Array());
      assertEquals(client.closed(), false);
      client.close();
      assertEquals([client.error, server.error], [null, null]);
    }));

  Deno.test(`SSLIOStream answers a peer that has closed its sending side (${name})`, () =>
    withTlsPair(engines, async (client, server) => {
      client.write("question\n");
      await client.closeWrite();
      assertEquals(text(await server.readUntil("\n")), "question\n");
      server.write("answer\n");
      server.close();
      assertEquals(text(await client.readUntilClose()), "answer\n");
      assertEquals(client.error, null);
    }));

  Deno.test(`SSLIOStream carries 4 MiB each way at a time (${name})`, () =>
    withTlsPair(engines, async (client, server) => {
      const sent = new Uint8Array(4 << 20).map((_, index) => index * 7 + (index >> 8));
      client.write(sent);
      server.write(sent);
      const got = await Promise.all([
        client.readBytes(sent.length),
        server.readBytes(sent.length),
      ]);
      for (const bytes of got) assert(bytes.every((byte, index) => byte === sent[index]));
    }));

  Deno.test(`SSLIOStream.connect() refuses what cannot be verified, and says why (${name})`, () =>
    quietly(async () => {
      const cases: [SslOptions, SslOptions, RegExp][] = [
        [localhost, { caCerts: [] }, /UnknownIssuer|unable to verify/],
        [elsewhere, {}, /other\.example/],
        [expired, {}, /expired|unable to verify/],
      ];
      for (const [server, client, reason] of cases) {
        const [byClient, byServer] = await failedHandshake(engines, { server, client });
        assertInstanceOf(byClient, Deno.errors.InvalidData);
        assert(byClient.message.startsWith("Cannot set up TLS with localhost: "));
        assert(reason.test(byClient.message), byClient.message);
        // node:tls hangs up without an alert.
        assertInstanceOf(
          byServer,
          engines.client === "Deno" ? Deno.errors.InvalidData : Deno.errors.UnexpectedEof,
        );
        assert(/^Cannot set up TLS with 127\.0\.0\.1:\d+: /.test(byServer.message));
      }
    }));

  Deno.test(`SSLIOStream.connect() verifies an address, too (${name})`, () =>
    quietly(async () => {
      const [client, server] = await tlsPair(engines, { hostname: "127.0.0.1" });
      client.close();
      server.close();
      const [error] = await failedHandshake(engines, {
        hostname: "127.0.0.1",
        server: elsewhere,
      });
      assertInstanceOf(error, Deno.errors.InvalidData);
    }));

  Deno.test(`checkHostname: false takes a certificate for another name, but no unknown one (${name})`, () =>
    quietly(async () => {
      const checkHostname = false;
      const [client, server] = await tlsPair(engines, {
        server: elsewhere,
        client: { checkHostname },
      });
      client.close();
      server.close();
      const [error] = await failedHandshake(engines, {
        server: elsewhere,
        client: { checkHostname, caCerts: [] },
      });
      assertInstanceOf(error, Deno.errors.InvalidData);
    }));

  Deno.test(`SSLIOStream.alpnProtocol is what both sides speak (${name})`, () =>
    quietly(async () => {
      const agreed: [string[], string[], string | null][] = [
        [["h2", "http/1.1"], ["http/1.1"], "http/1.1"],
        [[], ["http/1.1"], null],
        [["http/1.1"], [], null],
      ];
      for (const [ofServer, ofClient, expected] of agreed) {
        const [client, server] = await tlsPair(engines, {
          server: { alpnProtocols: ofServer },
          client: { alpnProtocols: ofClient },
        });
        assertEquals([client.alpnProtocol, server.alpnProtocol], [expected, expected]);
        client.close();
        server.close();
      }
      const [byClient, byServer] = await failedHandshake(engines, {
        server: { alpnProtocols: ["h2"] },
        client: { alpnProtocols: ["http/1.1"] },
      });
      assert(byServer.message.endsWith("peer doesn't support any known protocol"));
      assert(HANDSHAKE.test(byClient.message));
    }));

  Deno.test(`SSLIOStream that ends without a close_notify says that it was cut (${name})`, () =>
    inLoop(async () => {
      const { client, server, cut } = await pairWithCut(engines);
      server.write("half a sto");
      assertEquals(text(await client.readBytes(10)), "half a sto");
      const rest = client.readUntilClose();
      cut();
      assertEquals(text(await rest), "");
      assertInstanceOf(client.error, Deno.errors.UnexpectedEof);
      assert(client.closed());
      server.close();
    }));

  Deno.test(`SSLIOStream.close() fails what is pending and ends the peer's reading (${name})`, () =>
    inLoop(async () => {
      const [client, server] = await tlsPair(engines);
      const read = client.readBytes(1);
      client.close();
      await assertRejects(async () => await read, StreamClosedError);
      assertEquals(await server.readUntilClose(), new Uint8Array());
      assertEquals(server.error, null);
    }));

  Deno.test(`SSLIOStream.close() lets leave what was written (${name})`, () =>
    inLoop(async () => {
      const [client, server] = await tlsPair(engines);
      const size = 3_000_000;
      server.write(new Uint8Array(size));
      server.close();
      assertEquals((await client.readUntilClose()).length, size);
      assertEquals(client.error, null);
    }));

  Deno.test(`SSLIOStream learns that its peer left while nobody reads (${name})`, () =>
    inLoop(async () => {
      const [client, server] = await tlsPair(engines);
      const closed = Promise.withResolvers<void>();
      server.setCloseCallback(closed.resolve);
      client.close();
      await closed.promise;
      assert(server.closed());
    }));
}

// A pair whose connection goes through a relay that can end it, as no TLS would.
async function pairWithCut(
  engines: Engines,
): Promise<{ client: SSLIOStream; server: SSLIOStream; cut: () => void }> {
  const address = { hostname: "127.0.0.1", port: 0 };
  const listener = engines.server === "Deno"
    ? Deno.listenTls({ ...address, ...localhost })
    : Deno.listen(address);
  const relay = Deno.listen(address);
  const connected = SSLIOStream.connect({ hostname: "localhost", port: relay.addr.port }, {
    sslOptions: {
      caCerts: authority.cert,
      ...(engines.client === "Deno" ? {} : { minVersion: "TLSv1.3" }),
    },
  });
  const near = await relay.accept();
  const [far, conn] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept() as Promise<Deno.Conn>,
  ]);
  relay.close();
  listener.close();
  pipe(near, far);
  pipe(far, near);
  const server = new SSLIOStream(conn, { serverSide: true, sslOptions: localhost });
  const client = await connected;
  const cut = () => {
    near.close();
    far.close();
  };
  return { client, server, cut };
}

async function pipe(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(65536);
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) return;
      let at = 0;
      while (at < count) at += await to.write(buffer.subarray(at, count));
    }
  } catch {
    // It was cut.
  }
}

Deno.test("SSLIOStream.connect() fails as connecting does: error, close callback, cause", () =>
  quietly(async () => {
    const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...elsewhere });
    const stream = new SSLIOStream(null, { sslOptions: { caCerts: authority.cert } });
    const closed = Promise.withResolvers<void>();
    stream.setCloseCallback(closed.resolve);
    const written = stream.write("a secret");
    const attempt = stream.connect({ hostname: "localhost", port: listener.addr.port });
    const waiting = stream.waitForHandshake();
    const server = new SSLIOStream(await listener.accept(), { serverSide: true });
    listener.close();
    const error = await assertRejects(async () => await attempt, StreamClosedError);
    assertInstanceOf(stream.error, Deno.errors.InvalidData);
    assertEquals(error.cause, stream.error);
    assertEquals(await assertRejects(async () => await waiting), stream.error);
    await assertRejects(async () => await written, StreamClosedError);
    await closed.promise;
    await assertRejects(async () => await server.waitForHandshake(), Deno.errors.InvalidData);
  }));

Deno.test("SSLIOStream.connect() verifies serverHostname in place of the address", () =>
  quietly(async () => {
    const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...elsewhere });
    const stream = new SSLIOStream(null, { sslOptions: { caCerts: authority.cert } });
    const attempt = stream.connect(
      { hostname: "127.0.0.1", port: listener.addr.port },
      { serverHostname: "other.example" },
    );
    const server = new SSLIOStream(await listener.accept(), { serverSide: true });
    listener.close();
    assertEquals(await attempt, stream);
    stream.write("hello");
    assertEquals(text(await server.readBytes(5)), "hello");
    stream.close();
    server.close();
  }));

Deno.test("SSLIOStream.connect() takes a Unix socket when it is told whom to expect there", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  try {
    await inLoop(async () => {
      const listener = Deno.listen({ transport: "unix", path });
      const sslOptions = { caCerts: authority.cert };
      const nobody = new SSLIOStream(null, { sslOptions });
      const error = await assertRejects(
        async () => await nobody.connect({ path }),
        StreamClosedError,
        "give serverHostname",
      );
      assertInstanceOf(error.cause, TypeError);
      const connected = SSLIOStream.connect({ path }, {
        sslOptions,
        serverHostname: "localhost",
      });
      const conn = await listener.accept();
      listener.close();
      const server = new SSLIOStream(conn, { serverSide: true, sslOptions: localhost });
      const client = await connected;
      client.write("hello");
      assertEquals(text(await server.readBytes(5)), "hello");
      client.close();
      server.close();
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("SSLIOStream.connect() can be given up in the handshake", () =>
  inLoop(async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = { hostname: "localhost", port: listener.addr.port };
    for (const sslOptions of [{}, { rejectUnauthorized: false }]) {
      const abort = new AbortController();
      const stream = new SSLIOStream(null, { sslOptions });
      const attempt = stream.connect(address, { signal: abort.signal });
      const mute = await listener.accept();
      const hello = new Uint8Array(5);
      await mute.read(hello);
      assertEquals(hello[0], 22); // the record of a handshake: it is in progress
      abort.abort(new Error("no more time"));
      await assertRejects(async () => await attempt, StreamClosedError, "no more time");
      mute.close();

      const cancelled = SSLIOStream.connect(address, { sslOptions });
      const other = await listener.accept();
      await other.read(hello);
      cancelled.cancel();
      await assertRejects(async () => await cancelled, CancelledError);
      // Deno keeps a socket whose handshake is not over until its peer hangs up.
      if ("rejectUnauthorized" in sslOptions) {
        while (await other.read(new Uint8Array(4096)) !== null);
      }
      other.close();
    }
    listener.close();
  }));

Deno.test("SSLIOStream.connect() tells of a server that hangs up in the handshake, or speaks no TLS", () =>
  inLoop(async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = { hostname: "localhost", port: listener.addr.port };
    for (const sslOptions of [{}, { rejectUnauthorized: false }]) {
      for (const answer of ["", "220 mail.example\r\n"]) {
        const attempt = SSLIOStream.connect(address, { sslOptions });
        const conn = await listener.accept();
        await conn.read(new Uint8Array(4096));
        await conn.write(new TextEncoder().encode(answer));
        conn.close();
        const error = await assertRejects(async () => await attempt, Error);
        const [type, reason] = answer === ""
          ? [Deno.errors.UnexpectedEof, "it closed the connection during the handshake"]
          : [Deno.errors.InvalidData, "it does not speak TLS"];
        assertInstanceOf(error, type);
        assert(error.message.startsWith(`Cannot set up TLS with localhost: ${reason}`));
      }
    }
    listener.close();
  }));

Deno.test("rejectUnauthorized: false takes any certificate, and shows it", () =>
  inLoop(async () => {
    const [client, server] = await tlsPair({ client: "node:tls", server: "Deno" }, {
      server: expired,
      client: { rejectUnauthorized: false, caCerts: [] },
    });
    assertEquals(client.peerCertificate?.subject, "CN=localhost");
    assert(Date.parse(client.peerCertificate!.validTo) < Date.now());
    client.write("hello");
    assertEquals(text(await server.readBytes(5)), "hello");
    client.close();
    server.close();
  }));

Deno.test("clientCert asks for a certificate, which must be valid, and shows it", () =>
  quietly(async () => {
    const cases: ["none" | "optional" | "required", typeof client | null, string | null][] = [
      ["none", client, ""],
      ["optional", null, ""],
      ["optional", client, "CN=a client"],
      ["optional", stranger, null],
      ["required", null, null],
      ["required", client, "CN=a client"],
      ["required", stranger, null],
    ];
    for (const [clientCert, pair, subject] of cases) {
      const { connected, server } = await startTlsPair(NODE, {
        server: { clientCert, caCerts: authority.cert },
        client: pair ?? {},
      });
      // A client of TLS 1.3 is done before the server has looked at its certificate.
      const stream = await connected;
      if (subject === null) {
        const error = await assertRejects(
          async () => await server.waitForHandshake(),
          Deno.errors.InvalidData,
        );
        assertEquals(server.error, error);
        assertEquals(server.peerCertificate, null);
        await assertRejects(async () => await stream.readBytes(1), StreamClosedError);
      } else {
        await server.waitForHandshake();
        assertEquals(server.peerCertificate?.subject ?? "", subject);
      }
      stream.close();
      server.close();
    }
  }));

Deno.test("minVersion and ciphers keep out what is not good enough", () =>
  quietly(async () => {
    const AES = "TLS_AES_256_GCM_SHA384";
    const CHACHA = "TLS_CHACHA20_POLY1305_SHA256";
    const [one, other] = await tlsPair(NODE, {
      server: { ciphers: `${CHACHA}:${AES}`, minVersion: "TLSv1.3" },
      client: { ciphers: AES.toLowerCase() },
    });
    one.close();
    other.close();

    const [byClient] = await failedHandshake(NODE, { client: { ciphers: CHACHA } });
    assertInstanceOf(byClient, Deno.errors.InvalidData);
    assert(byClient.message.endsWith(`the cipher ${AES} is not one of those that are allowed`));
    const { connected, server } = await startTlsPair(NODE, { server: { ciphers: CHACHA } });
    const error = await assertRejects(async () => await server.waitForHandshake(), Error);
    assert(error.message.endsWith(`the cipher ${AES} is not one of those that are allowed`));
    (await connected).close();
  }));

Deno.test("minVersion keeps out a client that speaks TLS 1.2 at most", () =>
  quietly(async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    for (const minVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const old = connect({
        host: "localhost",
        port: listener.addr.port,
        ca: authority.cert,
        maxVersion: "TLSv1.2",
      });
      const outcome = new Promise((resolve) => {
        old.on("secureConnect", () => resolve(old.getProtocol()));
        old.on("error", () => resolve(null));
      });
      const server = new SSLIOStream(await listener.accept(), {
        serverSide: true,
        sslOptions: { ...localhost, minVersion, clientCert: "optional", caCerts: authority.cert },
      });
      if (minVersion === "TLSv1.2") {
        await server.waitForHandshake();
        assertEquals(await outcome, "TLSv1.2");
      } else {
        await assertRejects(async () => await server.waitForHandshake(), Deno.errors.InvalidData);
        assertEquals(await outcome, null);
      }
      server.close();
      old.destroy();
    }
    listener.close();
  }));

Deno.test("SSLIOStream takes one context for many connections", () =>
  inLoop(async () => {
    const context = sslOptionsToContext({ caCerts: authority.cert });
    const serverContext = sslOptionsToContext(localhost, { serverSide: true });
    for (let i = 0; i < 3; i++) {
      const [one, other] = memoryPair();
      const client = new SSLIOStream(one, { sslOptions: context, serverHostname: "localhost" });
      const server = new SSLIOStream(other, { sslOptions: serverContext, serverSide: true });
      client.write("hello");
      assertEquals(text(await server.readBytes(5)), "hello");
      client.close();
      server.close();
    }
  }));

Deno.test("SSLIOStream() refuses options that do not fit, and a client without a name to verify", () => {
  const [one, other] = memoryPair();
  const make = (options: ConstructorParameters<typeof SSLIOStream>[1]) => () =>
    new SSLIOStream(one, { ioLoop: new IOLoop(), ...options });
  assertThrows(make({ serverSide: true }), TypeError, "a server needs certFile and keyFile");
  assertThrows(make({}), TypeError, "give serverHostname, or checkHostname: false");
  assertThrows(make({ serverHostname: "" }), TypeError, "give serverHostname");
  const context = sslOptionsToContext(localhost, { serverSide: true });
  assertThrows(make({ sslOptions: context }), TypeError, "made for a server");
  one.close();
  other.close();
});

Deno.test("SSLIOStream carries bytes that come one by one, in short writes", () =>
  inLoop(async () => {
    const [one, other] = memoryPair();
    for (const end of [one, other]) {
      end.maxRead = 1;
      end.maxWrite = 3;
    }
    const [client, server] = memoryStreams([one, other]);
    client.write("question\n");
    assertEquals(text(await server.readUntil("\n")), "question\n");
    server.write("answer\n");
    server.close();
    assertEquals(text(await client.readUntilClose()), "answer\n");
    assertEquals(client.error, null);
  }));

Deno.test("SSLIOStream does not read on for an owner who does not read", async () => {
  const { loop, tick } = fakeLoop();
  const started = loop.start();
  const [client, server] = memoryStreams(memoryPair({ capacity: 10_000 }), loop);
  const chunk = new Uint8Array(50_000);
  let written = 0;
  for (let i = 0; i < 100; i++) server.write(chunk).then(() => written += chunk.length);
  await Promise.all([client.waitForHandshake(), server.waitForHandshake()]);
  await tick(1000);
  // The stream itself reads 64 KiB ahead, to learn of the end.
  assert(written < 500_000, `${written} bytes were written and nothing was read`);
  const got = client.readBytes(100 * chunk.length);
  await got;
  assertEquals((await got).length, 100 * chunk.length);
  client.close();
  server.close();
  await tick(0);
  loop.stop();
  await started;
});

Deno.test("SSLIOStream closes with TimeoutError when the handshake takes too long", async () => {
  const { loop, tick } = fakeLoop();
  const started = loop.start();
  const [mute, conn] = memoryPair();
  const server = new SSLIOStream(conn, { sslOptions: localhost, serverSide: true, ioLoop: loop });
  const shorter = memoryPair();
  const client = new SSLIOStream(shorter[0], {
    sslOptions: { checkHostname: false },
    handshakeTimeout: 500,
    ioLoop: loop,
  });
  const read = server.readBytes(1);
  await tick(499);
  assertEquals(client.closed(), false);
  await tick(1);
  assertInstanceOf(client.error, TimeoutError);
  assertEquals(
    client.error.message,
    "Cannot set up TLS with the peer: it took longer than 500 ms",
  );
  await tick(59_499);
  assertEquals(server.closed(), false);
  await tick(1);
  assertInstanceOf(server.error, TimeoutError);
  await assertRejects(async () => await read, StreamClosedError);
  assert(conn.closed());
  mute.close();
  shorter[1].close();
  loop.stop();
  await started;
});

Deno.test("SSLIOStream.handshakeTimeout ends with the handshake", async () => {
  const { loop, tick } = fakeLoop();
  const started = loop.start();
  const [client, server] = memoryStreams(memoryPair(), loop);
  await Promise.all([client.waitForHandshake(), server.waitForHandshake()]);
  await tick(100_000);
  assertEquals([client.closed(), server.closed()], [false, false]);
  client.close();
  server.close();
  await tick(0);
  loop.stop();
  await started;
});

Deno.test("SSLIOStream closes without a word when its peer leaves at any point of the handshake", async () => {
  // What a client says first, to be cut at some of its places.
  const [one, other] = memoryPair();
  await inLoop(async () => {
    const client = new SSLIOStream(one, { sslOptions: { checkHostname: false } });
    const buffer = new Uint8Array(4096);
    const count = (await other.read(buffer))!;
    client.close();
    other.close();
    for (const length of [0, 1, 4, 5, 6, 50, count - 1, count]) {
      for (const how of ["close", "reset"] as const) {
        const [peer, conn] = memoryPair();
        const server = new SSLIOStream(conn, { sslOptions: localhost, serverSide: true });
        const waiting = server.waitForHandshake();
        if (length > 0) await peer.write(buffer.subarray(0, length));
        if (how === "reset") peer.reset();
        peer.close();
        const error = await assertRejects(async () => await waiting, Error);
        assert(
          error instanceof Deno.errors.UnexpectedEof ||
            error instanceof Deno.errors.ConnectionReset ||
            error instanceof Deno.errors.BrokenPipe,
          Deno.inspect(error),
        );
        assert(HANDSHAKE.test(error.message));
        assert(conn.closed());
      }
    }
  });
});

Deno.test("SSLIOStream logs a plain HTTP request once, without a stack", () =>
  inLoop(async () => {
    for (const engine of ["Deno", "node:tls"]) {
      const { matched, loggedStack } = await expectLog(
        genLog,
        /^Cannot set up TLS with 127\.0\.0\.1:\d+: it does not speak TLS/,
        async () => {
          const address = { hostname: "127.0.0.1", port: 0 };
          const listener = engine === "Deno"
            ? Deno.listenTls({ ...address, ...localhost })
            : Deno.listen(address);
          const browser = await Deno.connect({ ...address, port: listener.addr.port });
          const conn: Deno.Conn = await listener.accept();
          listener.close();
          const server = new SSLIOStream(conn, { serverSide: true, sslOptions: localhost });
          const read = server.readUntil("\r\n\r\n");
          await browser.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
          await assertRejects(async () => await read, StreamClosedError, "does not speak TLS");
          assertInstanceOf(server.error, Deno.errors.InvalidData);
          browser.close();
        },
        { level: "warning" },
      );
      assertEquals(matched.length, 1, engine);
      assertEquals(loggedStack, false);
    }
  }));

Deno.test("SSLIOStream.waitForHandshake() before, after, and twice", () =>
  withTlsPair(DENO, async (client) => {
    assertEquals(await client.waitForHandshake(), client);
    assertEquals(client.waitForHandshake().done(), true);
    const [one, other] = memoryPair();
    const [early, server] = memoryStreams([one, other]);
    const waiting = early.waitForHandshake();
    assertEquals(waiting.done(), false);
    assertThrows(() => early.waitForHandshake(), Error, "somebody waits already");
    assertEquals(await waiting, early);
    assertEquals(await early.waitForHandshake(), early);
    early.close();
    server.close();
  }));

Deno.test("SSLIOStream.waitForHandshake() calls back with the stream", () =>
  inLoop(async () => {
    const [client, server] = memoryStreams(memoryPair());
    const { promise, resolve } = Promise.withResolvers<SSLIOStream>();
    client.waitForHandshake(resolve);
    assertEquals(await promise, client);
    const again = Promise.withResolvers<SSLIOStream>();
    let inTheCall = true;
    client.waitForHandshake((stream) => {
      assertEquals(inTheCall, false);
      again.resolve(stream);
    });
    inTheCall = false;
    assertEquals(await again.promise, client);
    client.close();
    server.close();
  }));

Deno.test("SSLIOStream.waitForHandshake() may be cancelled, and waited for again", () =>
  inLoop(async () => {
    const [client, server] = memoryStreams(memoryPair());
    client.waitForHandshake().cancel();
    assertEquals(await client.waitForHandshake(), client);
    client.close();
    server.close();
  }));

Deno.test("SSLIOStream.waitForHandshake() fails when the stream is closed before it, or was", () =>
  inLoop(async () => {
    const [one, other] = memoryPair();
    const server = new SSLIOStream(one, { sslOptions: localhost, serverSide: true });
    const waiting = server.waitForHandshake();
    server.close();
    await assertRejects(async () => await waiting, StreamClosedError);
    await assertRejects(async () => await server.waitForHandshake(), StreamClosedError);
    other.close();

    const [third, fourth] = memoryPair();
    const failed = new SSLIOStream(third, { sslOptions: localhost, serverSide: true });
    const reason = new Error("no reason");
    failed.close(reason);
    assertEquals(await assertRejects(async () => await failed.waitForHandshake()), reason);
    fourth.close();
  }));

// What comes before STARTTLS: both ends are idle when it is over.
async function greet(client: IOStream, server: IOStream): Promise<void> {
  server.write("220 mail.example\r\n");
  assertEquals(text(await client.readUntil("\r\n")), "220 mail.example\r\n");
  client.write("STARTTLS\r\n");
  assertEquals(text(await server.readUntil("\r\n")), "STARTTLS\r\n");
  await server.write("220 go ahead\r\n");
  assertEquals(text(await client.readUntil("\r\n")), "220 go ahead\r\n");
}

const TRUSTING = { caCerts: authority.cert };
const HERE = { serverHostname: "localhost" };

Deno.test("IOStream.startTls() secures both ends after a dialogue in plain text", () =>
  inLoop(async () => {
    const [plainClient, plainServer] = await IOStream.pair();
    await greet(plainClient, plainServer);
    const [client, server] = await Promise.all([
      plainClient.startTls(false, { ...TRUSTING, alpnProtocols: ["smtp"] }, HERE),
      plainServer.startTls(true, { ...localhost, alpnProtocols: ["smtp"] }),
    ]);
    assertInstanceOf(client, SSLIOStream);
    assertEquals([client.alpnProtocol, server.alpnProtocol], ["smtp", "smtp"]);
    for (let i = 0; i < 3; i++) {
      client.write(`NOOP ${i}\r\n`);
      assertEquals(text(await server.readUntil("\r\n")), `NOOP ${i}\r\n`);
      server.write(`250 ${i}\r\n`);
      assertEquals(text(await client.readUntil("\r\n")), `250 ${i}\r\n`);
    }
    client.close();
    assertEquals(await server.readUntilClose(), new Uint8Array());
  }));

Deno.test("IOStream.startTls() leaves the old stream dead, and moves limits and close callback", () =>
  inLoop(async () => {
    const options = {
      maxBufferSize: 5000,
      readChunkSize: 500,
      maxWriteBufferSize: 700,
      ioLoop: IOLoop.current(),
    };
    const [one, other] = await IOStream.pair(options);
    const closed = Promise.withResolvers<void>();
    let calls = 0;
    one.setCloseCallback(() => {
      calls++;
      closed.resolve();
    });
    const starting = one.startTls(false, TRUSTING, HERE);
    assert(one.closed());
    assertEquals([one.conn, one.error], [null, null]);
    assertThrows(() => one.readBytes(1), StreamClosedError);
    assertThrows(() => one.write("plain"), StreamClosedError);
    assertThrows(() => one.startTls(false, TRUSTING, HERE), Error, "it is not open");
    one.close();
    const [client, server] = await Promise.all([starting, other.startTls(true, localhost)]);
    const { maxBufferSize, readChunkSize, maxWriteBufferSize, ioLoop } = client;
    assertEquals({ maxBufferSize, readChunkSize, maxWriteBufferSize, ioLoop }, options);
    assertEquals(calls, 0);
    client.close();
    server.close();
    await closed.promise;
    assertEquals(calls, 1);
  }));

Deno.test("IOStream.startTls() takes an idle stream only", () =>
  inLoop(async () => {
    const [one, other] = await IOStream.pair();
    const refused = (reason: string) => {
      assertThrows(() => one.startTls(false, TRUSTING, HERE), Error, reason);
      assertEquals(one.closed(), false);
    };
    const read = one.readUntil("\n");
    refused("a read is pending");
    other.write("a line\n");
    await read;
    const written = one.write("more");
    refused("a write is pending");
    await written;
    other.write("another line\n");
    await one.readBytes(1);
    refused("12 bytes came that nobody read");
    await one.readUntil("\n");
    const client = one.startTls(false, TRUSTING, HERE);
    assertThrows(() => other.startTls(true, localhost), Error, "4 bytes came that nobody read");
    assertEquals(text(await other.readBytes(4)), "more");
    const server = await other.startTls(true, localhost);
    (await client).close();
    server.close();

    const unconnected = new IOStream(null);
    assertThrows(() => unconnected.startTls(false, TRUSTING, HERE), Error, "it is not open");
    unconnected.close();
  }));

Deno.test("IOStream.startTls() leaves the stream as it is when the options do not fit", () =>
  inLoop(async () => {
    const [one, other] = await IOStream.pair();
    assertThrows(() => one.startTls(true), TypeError, "a server needs certFile");
    assertThrows(() => one.startTls(false, TRUSTING), TypeError, "give serverHostname");
    const wrong = { cafile: "ca.pem" } as SslOptions;
    assertThrows(() => one.startTls(false, wrong, HERE), TypeError, '"cafile" is unknown');
    one.write("still here");
    assertEquals(text(await other.readBytes(10)), "still here");
    one.close();
    other.close();
  }));

Deno.test("IOStream.startTls() of a server may come after the first bytes of the handshake", () =>
  inLoop(async () => {
    const [one, other] = memoryPair();
    const client = new IOStream(one);
    const server = new IOStream(other);
    const starting = client.startTls(false, TRUSTING, HERE);
    while (/ 0 bytes to read/.test(Deno.inspect(server))) {
      await new Promise((resolve) => setImmediate(resolve)); // the read-ahead will get them
    }
    const secure = await server.startTls(true, localhost);
    (await starting).write("hello");
    assertEquals(text(await secure.readBytes(5)), "hello");
    (await starting).close();
    secure.close();
  }));

Deno.test("IOStream.startTls() fails with the TLS error at both ends", () =>
  quietly(async () => {
    const cases: [SslOptions, SslOptions, string][] = [
      [localhost, {}, "unable to verify"],
      [elsewhere, TRUSTING, "other.example"],
    ];
    for (const [ofServer, ofClient, reason] of cases) {
      const [one, other] = await IOStream.pair();
      const closed = Promise.withResolvers<void>();
      one.setCloseCallback(closed.resolve);
      const client = one.startTls(false, ofClient, HERE);
      const server = other.startTls(true, ofServer);
      const [byClient, byServer] = await Promise.all([
        assertRejects(async () => await client, Deno.errors.InvalidData),
        assertRejects(async () => await server, Deno.errors.UnexpectedEof),
      ]);
      assert(byClient.message.startsWith("Cannot set up TLS with localhost: "));
      assert(byClient.message.includes(reason));
      assert(HANDSHAKE.test(byServer.message));
      await closed.promise;
    }
  }));

Deno.test("IOStream.startTls() closes the connection when it is cancelled", () =>
  inLoop(async () => {
    const [one, other] = await IOStream.pair();
    const starting = one.startTls(true, localhost);
    starting.cancel();
    await assertRejects(async () => await starting, CancelledError);
    assertEquals((await other.readUntilClose()).length, 0);
  }));

Deno.test("IOStream.startTls() takes plain text for no TLS, not even half of it", () =>
  inLoop(async () => {
    const { matched } = await expectLog(genLog, /does not speak TLS/, async () => {
      const [one, other] = await IOStream.pair();
      const starting = one.startTls(true, localhost);
      other.write("MAIL FROM:<a@example>\r\n");
      await assertRejects(async () => await starting, Deno.errors.InvalidData);
      other.close();
    });
    assertEquals(matched.length, 1);
  }));

Deno.test("SSLIOStream() refuses a Deno.TlsConn with options that come too late for it", () =>
  inLoop(async () => {
    const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...localhost });
    const attempt = Deno.connectTls({ hostname: "localhost", port: listener.addr.port });
    const conn = await listener.accept();
    const late: SslOptions = { ...localhost, clientCert: "required", caCerts: authority.cert };
    assertThrows(
      () => new SSLIOStream(conn, { serverSide: true, sslOptions: late }),
      TypeError,
      "Cannot apply sslOptions to a connection that has TLS of its own",
    );
    const server = new SSLIOStream(conn, { serverSide: true });
    (await attempt).close();
    assert(await server.waitForHandshake().then(() => false, () => true));
    listener.close();
  }));

Deno.test("SSLIOStream gives what came whole, and no more, when its peer goes at any byte", () =>
  quietly(async () => {
    const lines = "one\ntwo\nthree\n";
    const outcomes = new Set<string>();
    for (let cut = 0; cut <= 200; cut += 7) {
      for (const how of ["close", "reset"] as const) {
        const [one, other] = memoryPair();
        const [client, server] = memoryStreams([one, other]);
        await Promise.all([client.waitForHandshake(), server.waitForHandshake()]);
        await exchangeLine(client, server); // the tickets are through
        one.hold();
        for (const line of lines.split(/(?<=\n)/)) await server.write(line);
        one.release(cut);
        let got = "";
        const read = (async () => {
          for await (const chunk of client) got += text(chunk);
        })().catch(() => {});
        await new Promise((resolve) => setImmediate(resolve));
        if (how === "reset") other.reset();
        else {
          other.close();
          one.release();
        }
        await read;
        assert(lines.startsWith(got), JSON.stringify(got));
        assert(client.closed());
        if (how === "close") {
          assertEquals(got, lines); // what was kept back came before the end
          assertInstanceOf(client.error, Deno.errors.UnexpectedEof);
        } else {
          assertInstanceOf(client.error, Deno.errors.ConnectionReset);
          assert(got === "" || got.endsWith("\n"), JSON.stringify(got)); // records are whole
          outcomes.add(got);
        }
        client.close();
        server.close();
      }
    }
    assertEquals([...outcomes], ["", "one\n", "one\ntwo\n", lines]);
  }));

async function exchangeLine(client: SSLIOStream, server: SSLIOStream): Promise<void> {
  client.write("ready?\n");
  await server.readUntil("\n");
  server.write("ready\n");
  await client.readUntil("\n");
}

Deno.test("SSLIOStream closes when a byte was changed on the way, and gives none of it", () =>
  inLoop(async () => {
    const [one, other] = memoryPair();
    const relay = changing(one);
    const client = new SSLIOStream(relay.transport, {
      sslOptions: TRUSTING,
      serverHostname: "localhost",
    });
    const server = new SSLIOStream(other, { sslOptions: localhost, serverSide: true });
    await exchangeLine(client, server);
    relay.changes = true;
    const read = client.readUntilClose();
    server.write("a line\n");
    assertEquals(text(await read), "");
    assert(client.closed());
    assertInstanceOf(client.error, Deno.errors.InvalidData);
    assert(client.error.message.startsWith("Cannot go on with TLS with localhost: "));
    server.close();
  }));

// A transport whose last byte of each read is changed once `changes` is true.
function changing(conn: Transport): { transport: Transport; changes: boolean } {
  const state = {
    changes: false,
    transport: {
      read: async (buffer: Uint8Array) => {
        const count = await conn.read(buffer);
        if (state.changes && count !== null) buffer[count - 1]! ^= 1;
        return count;
      },
      write: (data: Uint8Array) => conn.write(data),
      close: () => conn.close(),
      closeWrite: () => conn.closeWrite(),
    },
  };
  return state;
}

Deno.test("SSLIOStream fails a write that its peer will not take", () =>
  inLoop(async () => {
    const [one, other] = memoryPair();
    const [client, server] = memoryStreams([one, other]);
    await exchangeLine(client, server);
    other.reset();
    await assertRejects(async () => await client.write("hello"), StreamClosedError);
    assert(client.closed());
    server.close();
  }));

Deno.test("SSLIOStream.close() with an error does not wait for a peer that stands still", () =>
  inLoop(async () => {
    const [one, other] = memoryPair({ capacity: 5000 });
    const [client, server] = memoryStreams([one, other]);
    await exchangeLine(client, server);
    one.hold();
    const written = server.write(new Uint8Array(1_000_000));
    await new Promise((resolve) => setImmediate(resolve));
    server.close(new Error("enough"));
    await assertRejects(async () => await written, StreamClosedError, "enough");
    assert(other.closed());
    client.close(new Error("likewise"));
  }));
