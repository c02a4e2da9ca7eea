import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Future } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { fakeLoop, memoryPair } from "../../testing/mod.ts";
import {
  encodeFrame,
  Opcode,
  WebSocketClosedError,
  WebSocketHandler,
  WebSocketProtocol,
  WebSocketProtocol13,
} from "../../websocket/mod.ts";
import { until } from "../http/_raw_client.ts";
import { serve } from "../web/_serve.ts";
import { handshake, RawWebSocket } from "./_raw_client.ts";

Deno.test("WebSocketProtocol13 has the bits of a frame's first byte", () => {
  const { FIN, RSV1, RSV2, RSV3, RSV_MASK, OPCODE_MASK } = WebSocketProtocol13;
  assertEquals([FIN, RSV1, RSV2, RSV3, RSV_MASK, OPCODE_MASK], [
    0x80,
    0x40,
    0x20,
    0x10,
    0x70,
    0x0f,
  ]);
});

Deno.test("WebSocketProtocol13.computeAcceptValue() gives that of RFC 6455 1.3", () => {
  const value = WebSocketProtocol13.computeAcceptValue("dGhlIHNhbXBsZSBub25jZQ==");
  assertEquals(value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("WebSocketProtocol13.pingSleepTime() says how long it is to the next ping", () => {
  const at = (now: number) =>
    WebSocketProtocol13.pingSleepTime({ lastPingTime: 1000, interval: 10_000, now });
  assertEquals([at(1000), at(7000), at(11_000), at(20_000)], [10_000, 4000, 0, 0]);
});

Deno.test("wsConnection is the protocol, once the connection is open", async () => {
  const seen: unknown[] = [];
  class Using extends WebSocketHandler {
    override prepare(): void {
      seen.push(this.wsConnection);
    }
    override open(): void {
      const protocol = this.wsConnection!;
      assert(protocol instanceof WebSocketProtocol && protocol instanceof WebSocketProtocol13);
      assertEquals([protocol.isClosing(), protocol.selectedSubprotocol], [false, "two"]);
      assertEquals([protocol.closeCode, protocol.closeReason, protocol.compressed], [
        null,
        null,
        false,
      ]);
      protocol.setNoDelay(true);
      protocol.startPinging(); // which it does already
      protocol.writeMessage({ a: 1 });
      assert(protocol.bufferedAmount > 0);
      protocol.writePing(Uint8Array.of(7));
      protocol.close(1000, "that is all");
      assert(protocol.isClosing());
      assertThrows(() => protocol.writeMessage("late"), WebSocketClosedError);
    }
    override selectSubprotocol(): string {
      return "two";
    }
    override onClose(): void {
      seen.push(this.wsConnection!.closeCode);
    }
  }
  await serve([["/", Using]], async ({ port }) => {
    const headers = { "Sec-WebSocket-Protocol": "one, two" };
    using socket = await RawWebSocket.open(port, "/", { headers });
    assertEquals(await socket.text(), '{"a":1}');
    const ping = await socket.frame();
    assertEquals([ping.opcode, ping.data], [Opcode.PING, Uint8Array.of(7)]);
    assertEquals(await socket.closeFrame(), [1000, "that is all"]);
    await socket.sendFrame(Opcode.CLOSE, Uint8Array.of(0x03, 0xe8));
    await until(() => seen.length === 2);
  });
  assertEquals(seen, [null, 1000]);
});

Deno.test("getWebsocketProtocol() may be overridden, and null is answered with 426", async () => {
  const made: unknown[] = [];
  class Special extends WebSocketHandler {
    override getWebsocketProtocol(): WebSocketProtocol | null {
      if (this.request.path === "/none") return null;
      const protocol = new WebSocketProtocol13(this, false, { maxMessageSize: 3 });
      made.push(protocol);
      return protocol;
    }
    override open(): void {
      assertStrictEquals(this.wsConnection, made[0]);
    }
  }
  await serve([["/special", Special], ["/none", Special]], async ({ port, get }) => {
    using socket = await RawWebSocket.open(port, "/special");
    await socket.sendText("four");
    assertEquals(await socket.closeFrame(), [1009, "message too big"]);
    const fields = handshake("/none").split("\r\n").slice(2).filter((line) => line !== "");
    const headers = Object.fromEntries(fields.map((line) => line.split(": ") as [string, string]));
    const { status, headers: answered } = await get("/none", headers);
    assertEquals([status, answered.get("Sec-WebSocket-Version")], [426, "13"]);
  });
});

Deno.test("onConnectionClose() of the protocol drops the connection without a close frame", async () => {
  const closed = new Future<void>();
  class Dropping extends WebSocketHandler {
    override onMessage(): void {
      this.wsConnection!.onConnectionClose();
      assert(this.closing);
    }
    override onClose(): void {
      closed.setResult();
    }
  }
  await serve([["/", Dropping]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.sendText("go");
    await socket.ended();
    await closed;
  });
});

Deno.test("a protocol writes nothing before it begins, and begins once", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [peer, conn] = memoryPair();
  const seen: unknown[] = [];
  const protocol = new WebSocketProtocol13(
    {
      receive: (message) => (seen.push(message), null),
      receivePing: () => {},
      receivePong: () => {},
      receiveEnd: () => void seen.push("end"),
    },
    true,
  );
  assertThrows(() => protocol.writeMessage("early"), WebSocketClosedError, "not open yet");
  assertThrows(() => protocol.writePing(Uint8Array.of()), WebSocketClosedError);
  assertEquals([protocol.isClosing(), protocol.bufferedAmount], [false, 0]);
  protocol.close();
  protocol.setNoDelay(true);
  protocol.startPinging();
  const stream = new IOStream(conn, { ioLoop: loop });
  protocol.begin(stream, { subprotocol: "one" });
  assertThrows(() => protocol.begin(stream), Error, "connected before");
  assertEquals(protocol.selectedSubprotocol, "one");
  await peer.write(encodeFrame(Opcode.TEXT, new TextEncoder().encode("hello")));
  await tick(0);
  peer.close();
  await tick(0);
  assertEquals(seen, ["hello", "end"]);
  loop.stop();
  await running;
});
