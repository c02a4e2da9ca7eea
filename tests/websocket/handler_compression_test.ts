import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import {
  type CompressionOptions,
  Opcode,
  RSV1,
  websocketConnect,
  WebSocketHandler,
  WebSocketHandshakeError,
} from "../../websocket/mod.ts";
import { appLog, IOLoop } from "../../ioloop/mod.ts";
import { HTTPClientError } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { serve } from "../web/_serve.ts";
import { masked, RawWebSocket } from "./_raw_client.ts";
import { RawServer } from "./_raw_server.ts";

const MESSAGE = "Hello world. Testing 123 123";

/** An echo that compresses as `options` say. */
function echo(options: CompressionOptions | null): typeof WebSocketHandler {
  return class Echo extends WebSocketHandler {
    override getCompressionOptions(): CompressionOptions | null {
      return options;
    }
    override onMessage(message: string | Uint8Array): void {
      this.writeMessage(message);
    }
  };
}

/** Sends three messages back and forth through a proxy, and counts the bytes of the frames. */
async function bytesOf(
  server: CompressionOptions | null,
  client: CompressionOptions | null,
  message = MESSAGE,
): Promise<{ up: number; down: number; extensions: string | null }> {
  const counted = { up: 0, down: 0, extensions: null as string | null };
  await serve([["/", echo(server)]], async ({ port }) => {
    await using proxy = new Proxy(port);
    const connection = await websocketConnect(`ws://127.0.0.1:${proxy.port}/`, {
      compressionOptions: client,
      pingInterval: 0,
    });
    const before = { up: proxy.up, down: proxy.down };
    for (let count = 0; count < 3; count++) {
      await connection.writeMessage(message);
      assertEquals(await connection.readMessage(), message);
    }
    counted.up = proxy.up - before.up;
    counted.down = proxy.down - before.down;
    counted.extensions = connection.headers.get("Sec-WebSocket-Extensions");
    connection.close();
    assertEquals(await connection.readMessage(), null);
  });
  return counted;
}

/** Passes bytes on, one connection, and counts them. */
class Proxy implements AsyncDisposable {
  up = 0;
  down = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #work: Promise<void>;

  constructor(port: number) {
    this.#work = this.#pass(port);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #pass(port: number): Promise<void> {
    using client = await this.#listener.accept();
    using server = await Deno.connect({ hostname: "127.0.0.1", port });
    const pass = async (from: Deno.TcpConn, to: Deno.TcpConn, count: (size: number) => void) => {
      const buffer = new Uint8Array(65536);
      for (let size; (size = await from.read(buffer)) !== null;) {
        count(size);
        for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
      }
      await to.closeWrite();
    };
    await Promise.all([
      pass(client, server, (size) => this.up += size),
      pass(server, client, (size) => this.down += size),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#work;
  }
}

Deno.test("messages are plain unless both ends want compression", async () => {
  for (const [server, client] of [[null, null], [{}, null], [null, {}]] as const) {
    const { up, down, extensions } = await bytesOf(server, client);
    assertEquals([up, down], [3 * (MESSAGE.length + 6), 3 * (MESSAGE.length + 2)]);
    assertEquals(extensions, null);
  }
});

Deno.test("equal messages shrink with context takeover, and not without", async () => {
  const both = await bytesOf({}, {});
  assertEquals(both.extensions, "permessage-deflate");
  assertLess(both.up, 3 * (MESSAGE.length + 6) - 20);
  assertLess(both.down, 3 * (MESSAGE.length + 2) - 20);
  const alone = await bytesOf({ noContextTakeover: true, peerNoContextTakeover: true }, {});
  assertGreater(alone.up, both.up);
  assertGreater(alone.down, both.down);
  const long = await bytesOf({ noContextTakeover: true }, {}, MESSAGE.repeat(10));
  assertLess(long.down, 3 * MESSAGE.length * 3);
});

Deno.test("a window of 8 bits, and small memory, are kept to", async () => {
  const options = { maxWindowBits: 8, peerMaxWindowBits: 8, memLevel: 1, compressionLevel: 9 };
  const message = (MESSAGE + Math.PI).repeat(100);
  const { up, down, extensions } = await bytesOf(options, {}, message);
  assertEquals(
    extensions,
    "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
  );
  assertLess(up, message.length);
  assertLess(down, message.length);
});

Deno.test("a server takes compressed messages, plain ones, and both by turns", () =>
  serve([["/", echo({})]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/", {
      headers: { "Sec-WebSocket-Extensions": "permessage-deflate" },
    });
    assertEquals(socket.answer.headers.get("Sec-WebSocket-Extensions"), "permessage-deflate");
    const hello = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);
    await socket.send(masked(Opcode.TEXT, hello, { rsv1: true }));
    const compressed = await socket.frame();
    assertEquals([compressed.opcode, compressed.data], [RSV1 | Opcode.TEXT, hello]);
    await socket.sendText("Hello");
    assertEquals((await socket.frame()).opcode, RSV1 | Opcode.TEXT);
    await socket.send(masked(Opcode.PING, "p"));
    const pong = await socket.frame();
    assertEquals([pong.opcode, pong.text], [Opcode.PONG, "p"]);
    await socket.shut();
  }));

Deno.test("offers that break the rules are declined, and then RSV1 is 1002", () =>
  serve([["/", echo({})]], async ({ port }) => {
    for (const offer of ["permessage-deflate; server_max_window_bits=7", "nonsense; ="]) {
      using socket = await RawWebSocket.open(port, "/", {
        headers: { "Sec-WebSocket-Extensions": offer },
      });
      assertEquals(socket.answer.headers.get("Sec-WebSocket-Extensions"), null);
      await socket.send(masked(Opcode.TEXT, "x", { rsv1: true }));
      assertEquals(await socket.closeFrame(), [1002, ""]);
      await socket.ended();
    }
  }));

Deno.test("an extension of the answer that the client did not offer fails with code 1010", async () => {
  using server = new RawServer();
  await new IOLoop().run(async () => {
    const accepting = server.request();
    const connecting = websocketConnect(server.url, { compressionOptions: { maxWindowBits: 9 } });
    using peer = await accepting;
    assertEquals(
      peer.headers.get("Sec-WebSocket-Extensions"),
      "permessage-deflate; client_max_window_bits=9",
    );
    const extensions = "permessage-deflate; client_max_window_bits=10";
    await peer.open({ "Sec-WebSocket-Extensions": extensions });
    const error = await assertRejects(async () => await connecting, WebSocketHandshakeError);
    assertEquals([error.code, error.status], [1010, 101]);
    await peer.ended();
  });
});

Deno.test("maxMessageSize holds for a client's compressed messages", () =>
  serve([["/", echo({})]], async ({ port }) => {
    const connection = await websocketConnect(`ws://127.0.0.1:${port}/`, {
      compressionOptions: {},
    });
    connection.writeMessage("a".repeat(128));
    assertEquals(await connection.readMessage(), "a".repeat(128));
    connection.writeMessage("a".repeat(2048));
    assertEquals(await connection.readMessage(), null);
    assertEquals([connection.closeCode, connection.closeReason], [1009, "message too big"]);
  }, { websocketMaxMessageSize: 1024 }));

Deno.test("compressionLevel 0 only stores, and is understood", () =>
  serve([["/", echo({ compressionLevel: 0 })]], async ({ port }) => {
    const connection = await websocketConnect(`ws://127.0.0.1:${port}/`, {
      compressionOptions: { compressionLevel: 0 },
    });
    assert(connection.protocol.compressed);
    for (const message of ["level 0 ", "level 0 stores ".repeat(5000), "level 0 "]) {
      connection.writeMessage(message);
      assertEquals(await connection.readMessage(), message);
    }
    connection.close(1000);
    assertEquals(await connection.readMessage(), null);
  }));

Deno.test("getCompressionOptions() with numbers out of range is an error of the server", () =>
  serve([["/", echo({ maxWindowBits: 16 })]], async ({ port }) => {
    await expectLog(appLog, /maxWindowBits must be a whole number from 8 to 15/, async () => {
      const connecting = websocketConnect(`ws://127.0.0.1:${port}/`, { compressionOptions: {} });
      const error = await assertRejects(async () => await connecting, HTTPClientError);
      assertEquals(error.code, 500);
    });
  }));
