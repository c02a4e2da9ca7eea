import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { appLog, CancelledError, Future, genLog, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { coroutine, type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { type ResolvedAddress, Resolver } from "../../iostream/mod.ts";
import { HTTPClientError, HTTPRequest, HTTPServer } from "../../http/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  encodeClose,
  Opcode,
  WebSocketClientConnection,
  WebSocketClosedError,
  websocketConnect,
  WebSocketError,
  WebSocketHandler,
  WebSocketHandshakeError,
} from "../../websocket/mod.ts";
import { until } from "../http/_raw_client.ts";
import { Authority } from "../iostream/_certificates.ts";
import { serve } from "../web/_serve.ts";
import { collectGarbage } from "../testing/_garbage.ts";
import { type RawPeer, RawServer } from "./_raw_server.ts";

class Echo extends WebSocketHandler {
  override onMessage(message: string | Uint8Array): unknown {
    return this.writeMessage(message);
  }
}

/** Connects to a server of the test's own; `body` has both ends. */
async function connected(
  body: (client: WebSocketClientConnection, peer: RawPeer) => Promise<void>,
  options: Parameters<typeof websocketConnect>[1] = {},
): Promise<void> {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.accept();
    const client = await websocketConnect(server.url, options);
    using peer = await accepting;
    const ended = new Promise<void>((resolve) => client.addCloseListener(resolve));
    await body(client, peer);
    peer[Symbol.dispose]();
    await ended;
  });
}

/** Runs `body` in a loop of its own, in which nothing may go wrong unseen. */
async function inLoop(body: () => Promise<void>): Promise<void> {
  const { matched } = await expectLog(
    appLog,
    "",
    () => new IOLoop().run(body, { timeout: 20_000 }),
    { required: false },
  );
  assertEquals(matched, [], "errors were logged that were not expected");
}

/** Passes bytes on until there are no more. */
async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65536);
  for (let size; (size = await from.read(buffer)) !== null;) {
    for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
  }
  await to.closeWrite();
}

/** Closes the connection and waits for its end, at which nothing may be left to read. */
async function close(connection: WebSocketClientConnection): Promise<void> {
  connection.close();
  assertEquals(await connection.readMessage(), null);
}

Deno.test("websocketConnect() yields a connection that sends and reads messages", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    const ask = coroutine(function* () {
      const connection = yield* websocketConnect(`ws://127.0.0.1:${port}/echo`);
      assertInstanceOf(connection, WebSocketClientConnection);
      for (const size of [0, 1, 125, 126, 4081, 4082, 4083, 65535, 65536, 1 << 20]) {
        yield* connection.writeMessage("\u00e9".repeat(size / 2));
        assertEquals(yield* connection.readMessage(), "\u00e9".repeat(size / 2));
        const bytes = new Uint8Array(size).fill(7);
        connection.writeMessage(bytes);
        assertEquals((yield* connection.readMessage())?.length, size);
        assert(bytes.every((byte) => byte === 7), "it masked the sender's own bytes");
      }
      connection.close();
      assertEquals(yield* connection.readMessage(), null);
      assertEquals(yield* connection.readMessage(), null);
    });
    await ask();
  }));

Deno.test("websocketConnect() sends a handshake with the fields that it is given", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.request();
    const connecting = websocketConnect(server.url.replace("ws://", "ws://ann:s%20cret@"), {
      headers: { "Origin": "http://here", "Cookie": "a=b", "Sec-WebSocket-Key": "mine" },
      subprotocols: ["one", "two"],
    });
    using peer = await accepting;
    assertEquals(peer.line, "GET /path?q=1 HTTP/1.1");
    const { headers } = peer;
    assertEquals(headers.get("Host"), `127.0.0.1:${server.port}`);
    assertEquals(headers.get("Upgrade"), "websocket");
    assertEquals(headers.get("Connection"), "Upgrade");
    assertEquals(headers.get("Sec-WebSocket-Version"), "13");
    assertEquals(headers.getList("Sec-WebSocket-Key").length, 1);
    assertEquals(atob(headers.get("Sec-WebSocket-Key")!).length, 16);
    assertEquals(headers.get("Sec-WebSocket-Protocol"), "one, two");
    assertEquals(headers.get("Sec-WebSocket-Extensions"), null);
    assertEquals([headers.get("Origin"), headers.get("Cookie")], ["http://here", "a=b"]);
    assertEquals(headers.get("Authorization"), `Basic ${btoa("ann:s cret")}`);
    assertStringIncludes(headers.get("User-Agent")!, "Waterspout/");
    await peer.open({ "Sec-WebSocket-Protocol": "two", "X-Answer": "yes" });
    const client = await connecting;
    assertEquals(client.selectedSubprotocol, "two");
    assertEquals(client.headers.get("X-Answer"), "yes");
    assertStringIncludes(String(client.request.url), "/path?q=1");
    peer.vanish();
    assertEquals(await client.readMessage(), null);
  });
});

Deno.test("websocketConnect() takes a request in place of a URL, and then no connectTimeout", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const request = {
      url: new URL(server.url),
      headers: { "X-Mine": "1" },
      authUsername: "bob",
      authPassword: "pw",
      userAgent: "mine/1",
      connectTimeout: 1000,
    };
    assertThrows(() => websocketConnect(request, { connectTimeout: 1 }), TypeError);
    const accepting = server.accept();
    const connecting = websocketConnect(request);
    using peer = await accepting;
    assertEquals(peer.headers.get("X-Mine"), "1");
    assertEquals(peer.headers.get("User-Agent"), "mine/1");
    assertEquals(peer.headers.get("Authorization"), `Basic ${btoa("bob:pw")}`);
    const client = await connecting;
    assertEquals(client.request, request);
    peer.vanish();
    assertEquals(await client.readMessage(), null);
  });
});

Deno.test("websocketConnect() refuses what it cannot send, at once", () => {
  assertThrows(() => websocketConnect("ftp://localhost/"), TypeError, "ws:");
  assertThrows(() => websocketConnect("nonsense"), TypeError);
  assertThrows(() => websocketConnect("ws://localhost/#part"), TypeError, "fragment");
  assertThrows(() => websocketConnect("ws://localhost/", { subprotocols: ["a b"] }), TypeError);
  assertThrows(() => websocketConnect("ws://localhost/", { subprotocols: ["a", "a"] }), TypeError);
  assertThrows(() => websocketConnect("ws://localhost/", { headers: { A: "b\nc" } }));
  const compressionOptions = { maxWindowBits: 7 };
  assertThrows(() => websocketConnect("ws://localhost/", { compressionOptions }), RangeError);
});

Deno.test("websocketConnect() calls its callback with the connection", () =>
  serve([["/", Echo]], async ({ port }) => {
    for (const options of [undefined, {}]) {
      const called = new Future<WebSocketClientConnection>();
      const callback = (connection: WebSocketClientConnection) => called.setResult(connection);
      const url = `ws://127.0.0.1:${port}/`;
      const future = options === undefined
        ? websocketConnect(url, callback)
        : websocketConnect(url, options, callback);
      const connection = await called;
      assertEquals(await future, connection);
      await close(connection);
    }
  }));

Deno.test("websocketConnect() fails with HTTPClientError for a status from 300 on", async () => {
  class Elsewhere extends RequestHandler {
    override get(): void {
      this.redirect("/there");
    }
  }
  await serve([["/redirect", Elsewhere], ["/echo", Echo]], async ({ port }) => {
    const url = `ws://127.0.0.1:${port}`;
    for (const [path, code] of [["/nowhere", 404], ["/redirect", 302]] as const) {
      const failing = async () => await websocketConnect(`${url}${path}`);
      assertEquals((await assertRejects(failing, HTTPClientError)).code, code);
    }
    await expectLog(genLog, "Cross origin", async () => {
      const headers = { Origin: "http://elsewhere" };
      const failing = async () => await websocketConnect(`${url}/echo`, { headers });
      assertEquals((await assertRejects(failing, HTTPClientError)).code, 403);
    });
  });
});

/** What a server may answer instead, and what the error says. */
const BAD_ANSWERS: readonly [
  what: string,
  answer: (peer: RawPeer) => string,
  message: string,
][] = [
  ["200", (peer) => peer.answer({}, "200 OK"), "answered 200 OK, not 101"],
  ["no Upgrade", (peer) => peer.answer({ Upgrade: "" }), '"Upgrade: websocket"'],
  ["another Upgrade", (peer) => peer.answer({ Upgrade: "h2c" }), '"Upgrade: websocket"'],
  ["no Connection", (peer) => peer.answer({ Connection: "close" }), '"Connection: Upgrade"'],
  ["no accept value", (peer) => peer.answer({ "Sec-WebSocket-Accept": "" }), "does not fit"],
  [
    "a wrong accept value",
    (peer) => peer.answer({ "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }),
    "does not fit",
  ],
  [
    "a subprotocol that was not offered",
    (peer) => peer.answer({ "Sec-WebSocket-Protocol": "mine" }),
    "mine was not offered",
  ],
  [
    "an extension that was not offered",
    (peer) => peer.answer({ "Sec-WebSocket-Extensions": "permessage-deflate" }),
    "permessage-deflate was not offered",
  ],
  ["what is not HTTP", () => "SSH-2.0-OpenSSH\r\n\r\n", "status line"],
  ["a head without end", () => "HTTP/1.1 101 x\r\n" + "a: b\r\n".repeat(20_000), "65536"],
];

for (const [what, answer, message] of BAD_ANSWERS) {
  Deno.test(`websocketConnect() fails with WebSocketHandshakeError when the answer is ${what}`, async () => {
    using server = new RawServer();
    await inLoop(async () => {
      const accepting = server.request();
      const connecting = websocketConnect(server.url);
      using peer = await accepting;
      const sent = peer.send(answer(peer)).catch(() => {}); // it may not be read to its end
      const error = await assertRejects(async () => await connecting, WebSocketHandshakeError);
      assertInstanceOf(error, WebSocketError);
      assertStringIncludes(error.message, message);
      await sent;
      await peer.ended();
    });
  });
}

Deno.test("a handshake that breaks off anywhere fails with WebSocketHandshakeError", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    for (const length of [0, 1, 12, 40, 100, 128]) {
      const accepting = server.request();
      const connecting = websocketConnect(server.url);
      using peer = await accepting;
      await peer.send(peer.answer().slice(0, length));
      peer.vanish();
      await assertRejects(async () => await connecting, WebSocketHandshakeError);
    }
  });
});

Deno.test("websocketConnect() reads a head that comes byte by byte, behind an interim answer", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.request();
    const connecting = websocketConnect(server.url);
    using peer = await accepting;
    const answer = peer.answer({ "Connection": "keep-alive, upgrade", "Upgrade": "WebSocket" });
    for (const char of "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer) {
      await peer.send(char);
    }
    const client = await connecting;
    await peer.sendText("hello");
    assertEquals(await client.readMessage(), "hello");
    peer.vanish();
    assertEquals(await client.readMessage(), null);
  });
});

Deno.test("websocketConnect() does not skip interim answers for ever", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.request();
    const connecting = websocketConnect(server.url);
    using peer = await accepting;
    const interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    await peer.send(interim.repeat(Math.ceil(65536 / interim.length)));
    const error = await assertRejects(async () => await connecting, WebSocketHandshakeError);
    assertStringIncludes(error.message, "exceeds 65536 bytes");
  });
});

Deno.test("websocketConnect() sends a percent sign in name and password that escapes nothing as it is", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.accept();
    const connecting = websocketConnect(`ws://50%:a%20%zz@127.0.0.1:${server.port}/`);
    using peer = await accepting;
    assertEquals(peer.headers.get("Authorization"), `Basic ${btoa("50%:a %zz")}`);
    const client = await connecting;
    peer.vanish();
    assertEquals(await client.readMessage(), null);
  });
});

Deno.test("websocketConnect() does not lose messages in one packet with the answer", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.request();
    const connecting = websocketConnect(server.url);
    using peer = await accepting;
    const frames = "\x81\x03one\x81\x03two\x88\x02\x03\xe8";
    await peer.send(Uint8Array.from(peer.answer() + frames, (char) => char.charCodeAt(0)));
    const client = await connecting;
    assertEquals(await client.readMessage(), "one");
    assertEquals(await client.readMessage(), "two");
    assertEquals(await peer.closeFrame(), [1000, ""]);
    peer.vanish();
    assertEquals(await client.readMessage(), null);
    assertEquals([client.closeCode, client.closeReason], [1000, ""]);
  });
});

Deno.test("websocketConnect() fails with the platform's error when nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await inLoop(async () => {
    const failing = async () => await websocketConnect(`ws://127.0.0.1:${port}/`);
    await assertRejects(failing, Deno.errors.ConnectionRefused);
  });
});

Deno.test("websocketConnect() uses the resolver that it is given", () =>
  serve([["/", Echo]], async ({ port }) => {
    const asked: string[] = [];
    class Fixed extends Resolver {
      override resolve(host: string, port: number): Future<ResolvedAddress[]> {
        asked.push(host);
        return Future.resolved([{ family: "ipv4", hostname: "127.0.0.1", port }]);
      }
    }
    const resolver = Resolver.create.call(Fixed) as Resolver;
    const connection = await websocketConnect(`ws://nowhere.invalid:${port}/`, { resolver });
    await close(connection);
    assertEquals(asked, ["nowhere.invalid"]);
  }));

Deno.test("websocketConnect() fails with TimeoutError when the answer does not come in time", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const accepting = server.request();
    const connecting = websocketConnect(server.url, { connectTimeout: 20 });
    using peer = await accepting;
    await assertRejects(async () => await connecting, TimeoutError, "20 ms");
    await peer.ended();
  });
});

Deno.test("websocketConnect() that is cancelled, or aborted, closes its connection", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const abort = new AbortController();
    const cancelled = websocketConnect(server.url);
    using first = await server.request();
    cancelled.cancel("enough");
    await assertRejects(async () => await cancelled, CancelledError, "enough");
    await first.ended();
    const aborted = websocketConnect(server.url, { signal: abort.signal });
    using peer = await server.request();
    abort.abort(new Error("stop"));
    await assertRejects(async () => await aborted, CancelledError, "stop");
    await peer.ended();
    const late = websocketConnect(server.url, { signal: abort.signal });
    await assertRejects(async () => await late, CancelledError, "stop");
  });
});

Deno.test("a coroutine that is cancelled while it connects closes the connection, done or not", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    const connect = coroutine(function* () {
      yield* websocketConnect(server.url);
      yield* new Future<void>();
    });
    const early = connect();
    using first = await server.request();
    early.cancel();
    await first.ended();

    // Cancelled in the very moment in which it is done, before anybody has looked.
    const opening = websocketConnect(server.url);
    using second = await server.accept();
    await new Promise<void>((resolve) => opening._listen({ _settled: () => resolve() }));
    assert(opening.cancel("too late"));
    await second.ended();
    await assertRejects(async () => await opening, CancelledError);
  });
});

Deno.test("websocketConnect() connects over TLS and trusts the authority that it is given", async () => {
  const authority = await Authority.create("Test");
  const { cert, key } = await authority.sign("localhost", { names: ["localhost"] });
  await inLoop(async () => {
    const server = new HTTPServer(new Application([["/", Echo]]), {
      sslOptions: { cert, key },
    });
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const url = `wss://localhost:${port}/`;
    for (const options of [{ caCerts: authority.cert }, { validateCert: false }]) {
      const connection = await websocketConnect(url, options);
      connection.writeMessage("secret");
      assertEquals(await connection.readMessage(), "secret");
      await close(connection);
    }
    await expectLog(
      genLog,
      "",
      () => assertRejects(async () => await websocketConnect(url), Deno.errors.InvalidData),
      { required: false },
    );
    await server.shutdown();
  });
});

Deno.test("websocketConnect() goes through a proxy, which is told who asks", () =>
  serve([["/", Echo]], async ({ port }) => {
    const asked: string[] = [];
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const tunnel = async () => {
      using conn = await listener.accept();
      const buffer = new Uint8Array(4096);
      let head = "";
      while (!head.endsWith("\r\n\r\n")) {
        head += new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
      }
      asked.push(head);
      using target = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
      await Promise.all([pass(conn, target), pass(target, conn)]);
    };
    const passing = tunnel();
    const connection = await websocketConnect("ws://inside.invalid/", {
      proxyHost: "127.0.0.1",
      proxyPort: listener.addr.port,
      proxyUsername: "ann",
      proxyPassword: "pw",
    });
    connection.writeMessage("through");
    assertEquals(await connection.readMessage(), "through");
    await close(connection);
    await passing;
    listener.close();
    assertStringIncludes(asked[0]!, "CONNECT inside.invalid:80 HTTP/1.1\r\n");
    assertStringIncludes(asked[0]!, `Proxy-Authorization: Basic ${btoa("ann:pw")}\r\n`);
  }));

Deno.test("websocketConnect() refuses half a proxy, and a proxy in front of a Unix socket", () => {
  const wrong = [
    { proxyHost: "localhost" },
    { proxyPort: 1 },
    { proxyHost: "localhost", proxyPort: 1, unixSocket: "/tmp/x" },
  ];
  for (const options of wrong) {
    assertThrows(() => websocketConnect("ws://localhost/", options), TypeError, "proxy");
  }
});

Deno.test("websocketConnect() connects to a Unix socket", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  await inLoop(async () => {
    const server = new HTTPServer(new Application([["/", Echo]]));
    server.listenUnix(path);
    const connection = await websocketConnect("ws://local/", { unixSocket: path });
    connection.writeMessage("near");
    assertEquals(await connection.readMessage(), "near");
    await close(connection);
    await server.shutdown();
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("websocketConnect() takes an HTTPRequest", () =>
  serve([["/", Echo]], async ({ port }) => {
    const request = new HTTPRequest(`http://127.0.0.1:${port}/`, { headers: { "X-Mine": "1" } });
    const connection = await websocketConnect(request);
    assertEquals(connection.request, request);
    await close(connection);
  }));

Deno.test("readMessage() holds one message back, and then the server has to wait", () =>
  connected(async (client, peer) => {
    const size = 64 * 1024;
    let sent = 0;
    const flood = (async () => {
      for (; sent < 1000; sent++) await peer.sendFrame(Opcode.BINARY, new Uint8Array(size));
    })().catch(() => {});
    let before = -1;
    while (before !== sent) {
      before = sent;
      await sleep(50);
    }
    assert(sent < 500, `${sent} messages were sent, and nobody reads`);
    for (let count = 0; count < 1000; count++) {
      assertEquals((await client.readMessage())?.length, size);
    }
    await flood;
    assertEquals(sent, 1000);
  }));

Deno.test("readMessage() refuses a second reader, and calls its callback", () =>
  connected(async (client, peer) => {
    const first = client.readMessage();
    assertThrows(() => client.readMessage(), Error, "another read is pending");
    await peer.sendText("one");
    assertEquals(await first, "one");
    const called = new Future<unknown>();
    client.readMessage((message) => called.setResult(message));
    await peer.sendText("two");
    assertEquals(await called, "two");
  }));

Deno.test("readMessage() that is cancelled leaves the message to the next one", () =>
  connected(async (client, peer) => {
    const waiting = client.readMessage();
    waiting.cancel();
    await peer.sendText("one");
    await sleep(5);
    const answered = client.readMessage(); // is done already, and nobody looks at it
    assert(answered.done());
    answered.cancel();
    const reading = client.readMessage();
    assertEquals(await reading, "one");
    const pending = client.readMessage();
    await peer.sendText("two");
    await until(() => pending.done());
    pending.cancel();
    await peer.sendText("three");
    await sleep(5);
    assertEquals(await client.readMessage(), "two");
    assertEquals(await client.readMessage(), "three");
  }));

Deno.test("a coroutine that is cancelled while it reads leaves the connection usable", () =>
  connected(async (client, peer) => {
    const read = coroutine(function* (): CoroutineGenerator<unknown> {
      return yield* client.readMessage();
    });
    const reading = read();
    reading.cancel();
    await reading.catch(() => {});
    await peer.sendText("still here");
    assertEquals(await read(), "still here");
  }));

Deno.test("messages that came before the end are read before null", () =>
  connected(async (client, peer) => {
    for (const text of ["one", "two", "three"]) await peer.sendText(text);
    peer.vanish();
    await sleep(20);
    const read = [];
    for await (const message of client) read.push(message);
    assertEquals(read, ["one", "two", "three"]);
    assertEquals(client.closeCode, null);
  }));

Deno.test("a connection that nobody reads closes in spite of what is buffered", () =>
  connected(async (client, peer) => {
    for (const text of ["one", "two", "three"]) await peer.sendText(text);
    await sleep(5);
    client.close(1000, "bye");
    assertEquals(await peer.closeFrame(), [1000, "bye"]);
    await peer.sendFrame(Opcode.CLOSE, encodeClose(1000));
    peer.vanish();
    assertEquals(await client.readMessage(), "one"); // which was held
    assertEquals(await client.readMessage(), null);
  }));

Deno.test("for await ends when the server closes, and leaves the connection open on break", () =>
  connected(async (client, peer) => {
    await peer.sendText("one");
    for await (const message of client) {
      assertEquals(message, "one");
      break;
    }
    assertEquals(client.closing, false);
    await peer.sendText("two");
    const closing = peer.shut(1001, "goodbye");
    const read = [];
    for await (const message of client) read.push(message);
    assertEquals(read, ["two"]);
    await closing;
    assertEquals([client.closeCode, client.closeReason], [1001, "goodbye"]);
  }));

Deno.test("onMessageCallback is given every message and null at the end, and readMessage() throws", async () => {
  const seen: unknown[] = [];
  await connected(async (client, peer) => {
    assertThrows(() => client.readMessage(), Error, "onMessageCallback");
    await peer.sendText("one");
    await peer.sendFrame(Opcode.BINARY, Uint8Array.of(2));
    await peer.shut();
    await until(() => seen.length === 3);
  }, { onMessageCallback: (message) => void seen.push(message) });
  assertEquals(seen, ["one", Uint8Array.of(2), null]);
});

Deno.test("onMessageCallback that returns work is not called again before that is done", async () => {
  const seen: unknown[] = [];
  let inside = 0;
  function* slow(message: unknown): CoroutineGenerator {
    seen.push([message, ++inside]);
    yield* sleep(2);
    inside--;
  }
  await connected(async (_client, peer) => {
    for (const text of ["one", "two", "three"]) await peer.sendText(text);
    await until(() => seen.length === 3 && inside === 0);
    await peer.shut();
    await until(() => seen.length === 4 && inside === 0);
  }, { onMessageCallback: slow });
  assertEquals(seen, [["one", 1], ["two", 1], ["three", 1], [null, 1]]);
});

Deno.test("onMessageCallback that fails is logged and closes with 1011", async () => {
  for (const how of ["plain", "async"]) {
    const failing = (message: unknown): unknown => {
      const fail = () => {
        if (message !== null) throw new Error("it broke");
      };
      return how === "plain" ? fail() : sleep(1).then(fail);
    };
    await connected(async (_client, peer) => {
      await expectLog(appLog, /Exception in callback failing(.|\n)*it broke/, async () => {
        await peer.sendText("go");
        assertEquals(await peer.closeFrame(), [1011, ""]);
      });
    }, { onMessageCallback: failing });
  }
});

Deno.test("writeMessage() of a client sends JSON, bytes as binary or, if told so, as text", () =>
  connected(async (client, peer) => {
    client.writeMessage({ a: [1, "\u00e9"] });
    assertEquals(JSON.parse(await peer.text()), { a: [1, "\u00e9"] });
    client.writeMessage(Uint8Array.of(0xff));
    const bytes = await peer.frame();
    assertEquals([bytes.opcode, [...bytes.data]], [Opcode.BINARY, [0xff]]);
    client.writeMessage(Uint8Array.of(0xc3, 0xa9), { binary: false });
    assertEquals(await peer.text(), "\u00e9");
    assertThrows(() => client.writeMessage(Uint8Array.of(0xff), { binary: false }), TypeError);
  }));

Deno.test("frames of a client have masks of their own", () =>
  connected(async (client, peer) => {
    const masks = new Set<string>();
    for (let count = 0; count < 1500; count++) {
      client.writeMessage("aaaa");
      const { text, mask } = await peer.frame();
      assertEquals(text, "aaaa");
      masks.add(mask.toHex());
    }
    assert(masks.size > 1490, `${masks.size} masks in 1500 frames`);
  }));

Deno.test("close() of a client sends code and reason, waits for the answer and for the end", () =>
  connected(async (client, peer) => {
    client.close(4000, "enough");
    client.close(1000, "a second call does nothing");
    assertThrows(() => client.writeMessage("late"), WebSocketClosedError);
    assertThrows(() => client.ping(), WebSocketClosedError);
    assertEquals(await peer.closeFrame(), [4000, "enough"]);
    await peer.sendFrame(Opcode.CLOSE, encodeClose(4000, "fine"));
    const end = client.readMessage();
    await sleep(5);
    assert(!end.done(), "it leaves the end of the connection to the server");
    peer.vanish();
    assertEquals(await end, null);
    assertEquals([client.closeCode, client.closeReason], [4000, "fine"]);
    assertThrows(() => client.writeMessage("late"), WebSocketClosedError);
  }));

Deno.test("using closes a connection at the end of its block", () =>
  connected(async (client, peer) => {
    {
      using _ = client;
    }
    assertEquals(await peer.closeFrame(), [null, ""]);
  }));

Deno.test("close code and reason go both ways between a client and a handler", async () => {
  const seen: unknown[] = [];
  class Closing extends Echo {
    override open(): void {
      if (this.request.path === "/server") this.close(1001, "goodbye");
    }
    override onClose(): void {
      seen.push([this.closeCode, this.closeReason]);
    }
  }
  await serve([["/server", Closing], ["/client", Closing]], async ({ port }) => {
    const server = await websocketConnect(`ws://127.0.0.1:${port}/server`);
    assertEquals(await server.readMessage(), null);
    assertEquals([server.closeCode, server.closeReason], [1001, "goodbye"]);
    const client = await websocketConnect(`ws://127.0.0.1:${port}/client`);
    client.close(1001, "goodbye");
    assertEquals(await client.readMessage(), null);
    assertEquals(client.closeCode, 1001);
    await until(() => seen.length === 2);
  });
  assertEquals(seen, [[1001, ""], [1001, "goodbye"]]);
});

Deno.test("an error in open() or onMessage() is logged, and the client reads null", async () => {
  const fail = async () => {
    await sleep(1);
    throw new Error("it broke");
  };
  class Plain extends Echo {
    override open(): void {
      throw new Error("it broke");
    }
  }
  class Async extends Echo {
    override open(): Promise<void> {
      return fail();
    }
  }
  class InMessage extends WebSocketHandler {
    override onMessage(): void {
      throw new Error("it broke");
    }
  }
  await serve([["/plain", Plain], ["/async", Async], ["/message", InMessage]], async ({ port }) => {
    for (const path of ["plain", "async", "message"]) {
      await expectLog(appLog, /it broke/, async () => {
        const client = await websocketConnect(`ws://127.0.0.1:${port}/${path}`);
        if (path === "message") client.writeMessage("go");
        assertEquals(await client.readMessage(), null);
        assertEquals(client.closeCode, 1011);
      });
    }
  });
});

Deno.test("writeMessage() of a client fails its Future when the server vanishes", () =>
  connected(async (client, peer) => {
    const writing = client.writeMessage(new Uint8Array(32 * 1024 * 1024));
    peer.vanish();
    const error = await assertRejects(async () => await writing, WebSocketClosedError);
    assert(error.code === 1006);
    assertEquals(await client.readMessage(), null);
    assertThrows(() => client.writeMessage("late"), WebSocketClosedError);
  }));

Deno.test("ping() of a client sends text or bytes up to 125, and both hooks are called", () =>
  connected(async (client, peer) => {
    const seen: unknown[] = [];
    client.onPing = (data) => void seen.push(["ping", data]);
    client.onPong = (data) => void seen.push(["pong", data]);
    client.ping("text");
    client.ping(Uint8Array.of(1));
    assertThrows(() => client.ping(new Uint8Array(126)), RangeError);
    for (const text of ["text", "\x01"]) {
      const ping = await peer.frame();
      assertEquals([ping.opcode, ping.text], [Opcode.PING, text]);
    }
    await peer.sendFrame(Opcode.PONG, Uint8Array.of(2));
    await peer.sendFrame(Opcode.PING, Uint8Array.of(3));
    const pong = await peer.frame();
    assertEquals([pong.opcode, pong.text], [Opcode.PONG, "\x03"]);
    await until(() => seen.length === 2);
    assertEquals(seen, [["pong", Uint8Array.of(2)], ["ping", Uint8Array.of(3)]]);
  }));

Deno.test("a hook of a client that fails is logged", () =>
  connected(async (client, peer) => {
    client.onPing = () => {
      throw new Error("hook broke");
    };
    await expectLog(appLog, /hook broke/, async () => {
      await peer.sendFrame(Opcode.PING);
      assertEquals((await peer.frame()).opcode, Opcode.PONG);
    });
  }));

Deno.test("addCloseListener() calls once at the end, unless taken back", () =>
  connected(async (client, peer) => {
    const seen: string[] = [];
    const taken = () => void seen.push("taken back");
    client.addCloseListener(() => void seen.push("ended"));
    client.addCloseListener(taken);
    client.removeCloseListener(taken);
    peer.vanish();
    assertEquals(await client.readMessage(), null);
    assertEquals(seen, ["ended"]);
  }));

Deno.test("maxMessageSize of a client is answered with 1009", () =>
  connected(async (client, peer) => {
    await peer.sendText("x".repeat(100));
    assertEquals((await client.readMessage())?.length, 100);
    await peer.sendText("x".repeat(101));
    assertEquals(await peer.closeFrame(), [1009, "message too big"]);
  }, { maxMessageSize: 100 }));

Deno.test("a client that is forgotten without close() is logged, and closes", async () => {
  using server = new RawServer();
  await inLoop(async () => {
    await expectLog(genLog, "Unclosed WebSocketClientConnection", async () => {
      const accepting = server.accept();
      await (async () => {
        const client = await websocketConnect(server.url);
        client.writeMessage("hello");
      })();
      using peer = await accepting;
      assertEquals(await peer.text(), "hello");
      let closed = false;
      const closing = peer.closeFrame().then((frame) => {
        closed = true;
        return frame;
      });
      for (let round = 0; round < 100 && !closed; round++) {
        await collectGarbage();
        await sleep(5);
      }
      assertEquals(await closing, [1001, ""]);
      await peer.sendFrame(Opcode.CLOSE, encodeClose(1001));
    });
    await sleep(5);
  });
});
