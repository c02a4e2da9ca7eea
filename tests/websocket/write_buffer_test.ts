import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { IOStream } from "../../iostream/mod.ts";
import { fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import {
  encodeClose,
  encodeFrame,
  Opcode,
  PreparedMessage,
  WebSocketClosedError,
  WebSocketConnection,
  WebSocketHandler,
  type WebSocketParams,
  WriteBufferFullError,
} from "../../websocket/mod.ts";
import { assertThrows } from "@std/assert";
import { until } from "../http/_raw_client.ts";
import { serve } from "../web/_serve.ts";
import { masked, RawWebSocket } from "./_raw_client.ts";

interface Ends {
  readonly connection: WebSocketConnection;
  readonly peer: MemoryConn;
  readonly seen: unknown[];
  readonly tick: (ms: number) => Promise<void>;
  /** Reads up to `size` bytes of what the connection has sent. */
  readonly read: (size: number) => Promise<Uint8Array>;
}

/** Runs `body` with a peer that takes 1000 bytes and then reads only when it is told to. */
async function slowPeer(
  params: WebSocketParams,
  body: (ends: Ends) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const [peer, conn] = memoryPair({ capacity: 1000 });
  const running = loop.start();
  const seen: unknown[] = [];
  const connection = new WebSocketConnection({
    receive: (message) => (seen.push(message), null),
    receivePing: () => {},
    receivePong: () => {},
    receiveEnd: () => void seen.push("end"),
  }, params);
  connection.start(new IOStream(conn, { ioLoop: loop }));
  connection.startReading();
  const read = async (size: number) => {
    const all = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const count = await peer.read(all.subarray(at));
      if (count === null) break;
      at += count;
      await tick(0);
    }
    return all.subarray(0, at);
  };
  try {
    await body({ connection, peer, seen, tick, read });
  } finally {
    if (!peer.closed()) peer.close();
    await tick(0);
    loop.stop();
    await running;
  }
}

const MESSAGE = new Uint8Array(5000).fill(7);
const FRAME = encodeFrame(Opcode.BINARY, MESSAGE);

Deno.test('writeBufferPolicy "wait" keeps messages in order and reads nothing meanwhile', () =>
  slowPeer({ maxWriteBufferSize: 4000 }, async ({ connection, peer, seen, tick, read }) => {
    const first = connection.send(MESSAGE, true);
    const second = connection.send(MESSAGE, true);
    await peer.write(masked(Opcode.TEXT, "I talk and do not read"));
    await tick(0);
    assertEquals([first.done(), second.done(), seen], [false, false, []]);
    assertEquals(connection.bufferedAmount, 2 * FRAME.length - 1000);
    assertEquals(await read(FRAME.length), FRAME);
    assertEquals([first.done(), second.done()], [true, false]);
    assertEquals(await read(FRAME.length), FRAME);
    assertEquals([second.done(), seen], [true, ["I talk and do not read"]]);
  }));

Deno.test('writeBufferPolicy "drop" drops what comes while too much waits, and only that', () =>
  slowPeer({ maxWriteBufferSize: 4010, writeBufferPolicy: "drop" }, async (ends) => {
    const { connection, tick, read } = ends;
    const sent = connection.send(MESSAGE, true);
    await tick(0);
    assertEquals(connection.bufferedAmount, FRAME.length - 1000);
    const more = connection.send("not over the limit yet", false);
    const dropped = [
      connection.send("dropped", false),
      connection.sendPrepared(new PreparedMessage("dropped, too")),
    ];
    for (const future of dropped) {
      const error = future.exception();
      assertInstanceOf(error, WriteBufferFullError);
      assert(error.bufferedAmount > 4010);
    }
    assertEquals([sent.done(), more.done(), connection.closing], [false, false, false]);
    assertEquals(await read(FRAME.length), FRAME);
    connection.send("goes out again", false);
    const rest = [
      encodeFrame(Opcode.TEXT, utf8("not over the limit yet")),
      encodeFrame(Opcode.TEXT, utf8("goes out again")),
    ];
    assertEquals(
      await read(rest[0]!.length + rest[1]!.length),
      Uint8Array.of(...rest[0]!, ...rest[1]!),
    );
  }));

Deno.test('writeBufferPolicy "close" closes with 1008 and drops the peer in 5 s', () =>
  slowPeer({ maxWriteBufferSize: 4000, writeBufferPolicy: "close" }, async (ends) => {
    const { connection, seen, tick, read } = ends;
    connection.send(MESSAGE, true);
    await tick(0);
    const refused = connection.send("too much", false);
    assertInstanceOf(refused.exception(), WriteBufferFullError);
    assertEquals(connection.closing, true);
    assertThrows(() => connection.send("late", false), WebSocketClosedError);
    await read(FRAME.length);
    const close = encodeFrame(
      Opcode.CLOSE,
      encodeClose(1008, "messages are not read fast enough"),
    );
    assertEquals(await read(close.length), close);
    await tick(5000);
    assertEquals(seen, ["end"]);
  }));

Deno.test("maxWriteBufferSize must be a number from 0", () => {
  const receiver = {
    receive: () => null,
    receivePing: () => {},
    receivePong: () => {},
    receiveEnd: () => {},
  };
  for (const maxWriteBufferSize of [-1, NaN]) {
    const make = () => new WebSocketConnection(receiver, { maxWriteBufferSize });
    assertThrows(make, RangeError, "maxWriteBufferSize");
  }
});

Deno.test("websocketMaxWriteBufferSize and websocketWriteBufferPolicy are those of a handler", async () => {
  const failures: unknown[] = [];
  class Flood extends WebSocketHandler {
    override open(): void {
      assertEquals([this.maxWriteBufferSize, this.writeBufferPolicy], [65536, "drop"]);
      for (let count = 0; count < 100; count++) {
        this.writeMessage(new Uint8Array(100_000)).catch((error) => failures.push(error));
      }
      assert(this.bufferedAmount < 200_000, `${this.bufferedAmount} bytes wait`);
    }
  }
  await serve([["/", Flood]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals((await socket.frame()).data.length, 100_000);
    await until(() => failures.length === 99);
    await socket.shut();
  }, { websocketMaxWriteBufferSize: 65536, websocketWriteBufferPolicy: "drop" });
  assert(failures.every((error) => error instanceof WriteBufferFullError));
});

Deno.test("onMessage() that waits for a message that is dropped goes on with the next one", async () => {
  const seen: unknown[] = [];
  class Answering extends WebSocketHandler {
    override onMessage(message: string | Uint8Array): unknown {
      seen.push(message);
      if (message === "much") this.writeMessage(new Uint8Array(10_000_000));
      return this.writeMessage("dropped, if too much waits");
    }
  }
  await serve([["/", Answering]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.sendText("much");
    await socket.sendText("more");
    await until(() => seen.length === 2);
    assertEquals((await socket.frame()).data.length, 10_000_000);
    await socket.sendText("again");
    assertEquals(await socket.text(), "dropped, if too much waits");
    await socket.shut();
  }, { websocketMaxWriteBufferSize: 1000, websocketWriteBufferPolicy: "drop" });
  assertEquals(seen, ["much", "more", "again"]);
});

Deno.test("setNoDelay() works while something is being written, and after the end", async () => {
  class Toggling extends WebSocketHandler {
    override onMessage(): void {
      this.writeMessage("x".repeat(100_000));
      this.setNoDelay(false);
      this.setNoDelay(true);
      this.writeMessage("done");
    }
    override onClose(): void {
      this.setNoDelay(true);
    }
  }
  await serve([["/", Toggling]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.sendText("go");
    assertEquals((await socket.text()).length, 100_000);
    assertEquals(await socket.text(), "done");
    await socket.shut();
  });
});

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
