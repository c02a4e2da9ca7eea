import { assert, assertEquals, assertThrows } from "@std/assert";
import { Future, genLog } from "../../ioloop/mod.ts";
import { sleep } from "../../gen/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import {
  encodeClose,
  encodeFrame,
  Opcode,
  websocketConnect,
  WebSocketConnection,
  WebSocketHandler,
  type WebSocketParams,
} from "../../websocket/mod.ts";
import { until } from "../http/_raw_client.ts";
import { serve } from "../web/_serve.ts";
import { join } from "./_decode.ts";
import { masked, RawWebSocket } from "./_raw_client.ts";
import { RawServer } from "./_raw_server.ts";

const PING = encodeFrame(Opcode.PING, new Uint8Array(0));
const TIMED_OUT = encodeFrame(Opcode.CLOSE, encodeClose(1000, "ping timed out"));

/** One end of a connection in memory that has a connection that pings at the other. */
class Peer {
  readonly connection: WebSocketConnection;
  /** What the next message is worked on with. */
  work: Future<void> | null = null;
  /** Whether the connection ended. */
  ended = false;
  readonly #conn: MemoryConn;
  readonly #tick: (ms: number) => Promise<void>;
  #came = new Uint8Array(0);

  constructor(
    { loop, tick }: ReturnType<typeof fakeLoop>,
    params: WebSocketParams,
  ) {
    const [conn, other] = memoryPair();
    this.#conn = conn;
    this.#tick = tick;
    this.connection = new WebSocketConnection({
      receive: () => this.work,
      receivePing: () => {},
      receivePong: () => {},
      receiveEnd: () => this.ended = true,
    });
    this.connection.start(new IOStream(other, { ioLoop: loop }));
    this.connection.startReading();
    this.connection.startPinging(params);
    this.#read();
  }

  /** Lets time go by and returns what the connection has sent. */
  async after(ms: number): Promise<Uint8Array> {
    await this.#tick(ms);
    const came = this.#came;
    this.#came = new Uint8Array(0);
    return came;
  }

  /** Sends a frame and lets the connection act. */
  async send(opcode: number, payload: string | Uint8Array = ""): Promise<void> {
    await this.#conn.write(masked(opcode, payload));
    await this.#tick(0);
  }

  leave(): void {
    if (!this.#conn.closed()) this.#conn.close();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65536);
    for (;;) {
      const count = await this.#conn.read(buffer).catch(() => null);
      if (count === null) return;
      this.#came = join(this.#came, buffer.subarray(0, count)) as Uint8Array<ArrayBuffer>;
    }
  }
}

/** Runs `body` with peers, on a clock that stands still. */
async function pinging(
  body: (
    connect: (params?: WebSocketParams) => Peer,
    fake: ReturnType<typeof fakeLoop>,
  ) => Promise<void>,
): Promise<void> {
  const fake = fakeLoop();
  const running = fake.loop.start();
  const peers: Peer[] = [];
  try {
    await body((params = {}) => {
      const peer = new Peer(fake, params);
      peers.push(peer);
      return peer;
    }, fake);
  } finally {
    for (const peer of peers) peer.leave();
    await fake.tick(0);
    fake.loop.stop();
    await running;
  }
}

const NOTHING = new Uint8Array(0);

Deno.test("startPinging() pings every 30 s, and a connection whose peer answers stays open", () =>
  pinging(async (connect) => {
    const peer = connect();
    assertEquals(await peer.after(29_999), NOTHING);
    for (let round = 0; round < 5; round++) {
      assertEquals(await peer.after(round === 0 ? 1 : 30_000), PING, `round ${round}`);
      await peer.send(Opcode.PONG);
    }
    assertEquals(peer.connection.closing, false);
  }));

Deno.test("startPinging() closes with 1000, ping timed out, when no pong comes in time", () =>
  pinging(async (connect) => {
    const peer = connect({ pingInterval: 1000, pingTimeout: 300 });
    assertEquals(await peer.after(1000), PING);
    await peer.send(Opcode.TEXT, "a message is no pong");
    assertEquals(await peer.after(299), NOTHING);
    assertEquals(await peer.after(1), TIMED_OUT);
    assertEquals([peer.connection.closing, peer.ended], [true, false]);
    assertEquals(await peer.after(5000), NOTHING); // nobody answers
    assertEquals(peer.ended, true);
  }));

Deno.test("startPinging() keeps its interval when pongs come within a shorter timeout", () =>
  pinging(async (connect) => {
    const peer = connect({ pingInterval: 1000, pingTimeout: 300 });
    for (let round = 0; round < 4; round++) {
      assertEquals(await peer.after(1000), PING);
      await peer.send(Opcode.PONG);
    }
    assertEquals(await peer.after(999), NOTHING);
    assertEquals(await peer.after(1), PING);
  }));

Deno.test("a pong that nobody asked for does not answer the ping that follows", () =>
  pinging(async (connect) => {
    const peer = connect({ pingInterval: 1000 });
    await peer.after(500);
    await peer.send(Opcode.PONG);
    assertEquals(await peer.after(500), PING);
    assertEquals(await peer.after(1000), TIMED_OUT);
  }));

Deno.test("pingTimeout 0 pings and never closes, pingInterval 0 does nothing", () =>
  pinging(async (connect) => {
    const patient = connect({ pingInterval: 1000, pingTimeout: 0 });
    const silent = connect({ pingInterval: 0 });
    for (let round = 0; round < 5; round++) assertEquals(await patient.after(1000), PING);
    assertEquals(await silent.after(100_000), NOTHING);
    assertEquals([patient.connection.closing, silent.connection.closing], [false, false]);
  }));

Deno.test("startPinging() cuts a timeout over the interval, with one warning", async () => {
  const { matched } = await expectLog(
    genLog,
    /ping timeout of 5001 ms.* 1001 ms/,
    () =>
      pinging(async (connect) => {
        const params = { pingInterval: 1001, pingTimeout: 5001 };
        const peer = connect(params);
        connect(params);
        assertEquals(await peer.after(1001), PING);
        assertEquals(await peer.after(1001), TIMED_OUT);
      }),
  );
  assertEquals(matched.length, 1);
});

Deno.test("startPinging() refuses times below 0", () =>
  pinging(async (connect, { tick }) => {
    assertThrows(() => connect({ pingInterval: -1 }), RangeError, "-1");
    assertThrows(() => connect({ pingInterval: 1, pingTimeout: NaN }), RangeError, "NaN");
    await tick(0);
  }));

// While the receiver is at work nothing is read: a pong may lie in the buffer.
Deno.test("a connection whose receiver is at work misses no pong", () =>
  pinging(async (connect) => {
    const peer = connect({ pingInterval: 1000 });
    const work = peer.work = new Future<void>();
    await peer.send(Opcode.TEXT, "takes long");
    assertEquals(await peer.after(1000), PING);
    await peer.send(Opcode.PONG);
    assertEquals(await peer.after(10_000), NOTHING);
    peer.work = null;
    work.setResult();
    const later = await peer.after(1000);
    assertEquals([later, peer.connection.closing], [PING, false]);
  }));

Deno.test("no ping is sent once the closing handshake began, or the peer has gone", () =>
  pinging(async (connect, { loop }) => {
    const closing = connect({ pingInterval: 1000 });
    const gone = connect({ pingInterval: 1000 });
    closing.connection.sendClose(1000);
    gone.leave();
    assertEquals(await closing.after(4999), encodeFrame(Opcode.CLOSE, encodeClose(1000)));
    assertEquals(await closing.after(5000), NOTHING);
    assertEquals([closing.ended, gone.ended], [true, true]);
    assertEquals(loop.time(), 9999);
  }));

Deno.test("thousands of connections with different intervals share one timeout of the loop", () =>
  pinging(async (connect, { loop, tick }) => {
    let timeouts = 0;
    const callLater = loop._callLater;
    loop._callLater = (delay, callback) => {
      timeouts++;
      return callLater.call(loop, delay, callback);
    };
    const peers: Peer[] = [];
    for (let count = 0; count < 2000; count++) {
      peers.push(connect({ pingInterval: count % 2 === 0 ? 1000 : 1700 }));
    }
    assertEquals(timeouts, 1);
    await tick(999);
    assertEquals(timeouts, 1);
    for (const [at, peer] of peers.entries()) {
      const due = at % 2 === 0;
      assertEquals(await peer.after(at === 0 ? 1 : 0), due ? PING : NOTHING);
    }
    assertEquals(timeouts, 2);
  }));

Deno.test("websocketPingInterval and websocketPingTimeout are those of a handler", async () => {
  let times: unknown[] = [];
  class Pinging extends WebSocketHandler {
    override open(): void {
      times = [this.pingInterval, this.pingTimeout];
    }
  }
  const at = async (settings: Record<string, unknown>) => {
    await serve([["/", Pinging]], async ({ port }) => {
      using socket = await RawWebSocket.open(port, "/");
      await socket.shut();
    }, settings);
    return times;
  };
  assertEquals(await at({}), [30_000, 30_000]);
  assertEquals(await at({ websocketPingInterval: 7000 }), [7000, 7000]);
  assertEquals(await at({ websocketPingInterval: 7000, websocketPingTimeout: 100 }), [7000, 100]);
});

Deno.test("a handler pings and gets pongs, a client likewise", async () => {
  let pongs = 0;
  class Pinging extends WebSocketHandler {
    override get pingInterval(): number {
      return 10;
    }
    override onPong(): void {
      pongs++;
    }
  }
  await serve([["/", Pinging]], async ({ port }) => {
    let clientPongs = 0;
    const client = await websocketConnect(`ws://127.0.0.1:${port}/`, { pingInterval: 10 });
    client.onPong = () => void clientPongs++;
    await until(() => pongs > 4 && clientPongs > 4);
    assertEquals(client.closing, false);
    client.close();
    assertEquals(await client.readMessage(), null);
    const before = pongs;
    await sleep(30);
    assertEquals(pongs, before);
  });
});

Deno.test("a client or a server that does not pong is closed within the timeout", async () => {
  const ends: unknown[] = [];
  class Pinging extends WebSocketHandler {
    override onClose(): void {
      ends.push(this.closeCode);
    }
  }
  await serve([["/", Pinging]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals((await socket.frame()).opcode, Opcode.PING);
    assertEquals(await socket.closeFrame(), [1000, "ping timed out"]);
    await socket.sendFrame(Opcode.CLOSE, encodeClose(1000));
    await socket.ended();
    await until(() => ends.length === 1);

    using server = new RawServer();
    const accepting = server.accept();
    const client = await websocketConnect(server.url, { pingInterval: 10, pingTimeout: 5 });
    using peer = await accepting;
    assertEquals((await peer.frame()).opcode, Opcode.PING);
    assertEquals(await peer.closeFrame(), [1000, "ping timed out"]);
    peer.vanish();
    assertEquals(await client.readMessage(), null);
    assert(client.closing);
  }, { websocketPingInterval: 20, websocketPingTimeout: 10 });
  assertEquals(ends, [1000]);
});
