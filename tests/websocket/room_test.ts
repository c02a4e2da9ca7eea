import { assert, assertEquals, assertThrows } from "@std/assert";
import { appLog, Future } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  type CompressionOptions,
  PreparedMessage,
  Room,
  type RoomMember,
  WebSocketClosedError,
  websocketConnect,
  WebSocketHandler,
  WriteBufferFullError,
} from "../../websocket/mod.ts";
import { until } from "../http/_raw_client.ts";
import { serve } from "../web/_serve.ts";
import { RawWebSocket } from "./_raw_client.ts";

/** A member without a connection, which takes messages in its own way. */
class Member implements RoomMember {
  closing = false;
  readonly got: PreparedMessage[] = [];
  readonly listeners = new Set<() => void>();
  readonly #take: () => Future<void>;

  constructor(take: () => Future<void> = () => Future.resolved(undefined)) {
    this.#take = take;
  }

  writeMessage(message: PreparedMessage): Future<void> {
    this.got.push(message);
    return this.#take();
  }

  addCloseListener(listener: () => void): void {
    this.listeners.add(listener);
  }

  removeCloseListener(listener: () => void): void {
    this.listeners.delete(listener);
  }
}

Deno.test("Room.join() and leave() say whether they did something", () => {
  let empty = 0;
  const room = new Room<Member>(() => empty++);
  const [one, two] = [new Member(), new Member()];
  assertEquals([room.join(one), room.join(one), room.join(two)], [true, false, true]);
  assertEquals([room.size, room.has(one), [...room]], [2, true, [one, two]]);
  assertEquals([room.leave(one), room.leave(one), empty], [true, false, 0]);
  assertEquals([room.leave(two), room.size, empty], [true, 0, 1]);
  assertEquals([one.listeners.size, two.listeners.size], [0, 0]);
  two.closing = true;
  assertEquals([room.join(two), room.size], [false, 0]);
});

Deno.test("Room.broadcast() gives one message to all but the one it came from", () => {
  const room = new Room<Member>();
  const members = [new Member(), new Member(), new Member()];
  for (const member of members) room.join(member);
  assertEquals(room.broadcast({ a: 1 }, { except: members[1]! }), 2);
  const [message] = members[0]!.got;
  assertEquals([message!.binary, message!.size, members[1]!.got.length], [false, 7, 0]);
  assert(members[2]!.got[0] === message, "it was encoded twice");
  assertEquals(room.broadcast(Uint8Array.of(1), {}), 3);
  assertEquals(members[0]!.got[1]!.binary, true);
  assertEquals(room.broadcast("text", { binary: true }), 3);
  assertEquals(members[0]!.got[2]!.binary, true);
  assertThrows(() => room.broadcast(Uint8Array.of(0xff), { binary: false }), TypeError);
  assertEquals(new Room().broadcast("nobody"), 0);
});

Deno.test("Room.broadcast() passes over members that are dead, full or in trouble", async () => {
  const room = new Room<Member>();
  const closing = new Member();
  const throwing = new Member(() => {
    throw new WebSocketClosedError("just now");
  });
  const full = new Member(() => Future.failed(new WriteBufferFullError(10, 5)));
  const late = new Future<void>();
  const dying = new Member(() => late);
  const good = new Member();
  for (const member of [closing, throwing, full, dying, good]) room.join(member);
  closing.closing = true;
  assertEquals(room.broadcast("hello"), 2); // the one that dies, and the good one
  assertEquals([closing.got.length, good.got.length], [0, 1]);
  const { matched } = await expectLog(appLog, "", async () => {
    late.setException(new WebSocketClosedError("later")); // which nobody has to look at
    for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
  }, { required: false });
  assertEquals(matched, []);
});

Deno.test("Room.broadcast() is not disturbed by members that join or leave meanwhile", () => {
  const room = new Room<Member>();
  const late = new Member();
  const second = new Member();
  const first = new Member(() => {
    room.join(late);
    room.leave(first);
    return Future.resolved(undefined);
  });
  room.join(first);
  room.join(second);
  assertEquals(room.broadcast("one"), 2);
  assertEquals([second.got.length, late.got.length], [1, 0]);
  assertEquals(room.broadcast("two"), 2);
  assertEquals([first.got.length, second.got.length, late.got.length], [1, 2, 1]);
});

/** Members with and without compression, of one room. */
function roomRoutes(
  room: Room<WebSocketHandler>,
  options: Record<string, CompressionOptions | null>,
) {
  class InRoom extends WebSocketHandler {
    override open(): void {
      room.join(this);
    }
    override getCompressionOptions(): CompressionOptions | null {
      return options[this.request.path] ?? null;
    }
  }
  return Object.keys(options).map((path) => [path, InRoom] as const);
}

Deno.test("Room.broadcast() reaches members that compress in different ways, or not", async () => {
  const room = new Room<WebSocketHandler>();
  const routes = roomRoutes(room, {
    "/plain": null,
    "/takeover": {},
    "/alone": { noContextTakeover: true },
    "/small": { maxWindowBits: 9, compressionLevel: 1 },
  });
  await serve(routes, async ({ port }) => {
    const paths = routes.map(([path]) => path);
    const clients = [];
    for (const path of [...paths, ...paths]) {
      const url = `ws://127.0.0.1:${port}${path}`;
      clients.push(await websocketConnect(url, { compressionOptions: {} }));
    }
    await until(() => room.size === 8);
    for (const message of ["hello ".repeat(20), "x", "", "hello ".repeat(20_000)]) {
      assertEquals(room.broadcast(message), 8);
      for (const member of room) member.writeMessage(`after ${message.length}: hello hello hello`);
      for (const client of clients) {
        assertEquals(await client.readMessage(), message);
        assertEquals(await client.readMessage(), `after ${message.length}: hello hello hello`);
      }
    }
    for (const client of clients) client.close();
    for (const client of clients) assertEquals(await client.readMessage(), null);
    assertEquals(room.size, 0);
  });
});

Deno.test("a member whose connection ends has left, whatever way it ends", async () => {
  const room = new Room<WebSocketHandler>();
  const sizes: number[] = [];
  class InRoom extends WebSocketHandler {
    override open(): void {
      room.join(this);
      if (this.request.path === "/closes") this.close();
    }
    override onClose(): void {
      sizes.push(room.size);
    }
  }
  await serve([["/stays", InRoom], ["/closes", InRoom]], async ({ port }) => {
    using polite = await RawWebSocket.open(port, "/stays");
    using rude = await RawWebSocket.open(port, "/stays");
    await until(() => room.size === 2);
    await polite.shut();
    await until(() => room.size === 1);
    rude.vanish();
    await until(() => room.size === 0);
    using closes = await RawWebSocket.open(port, "/closes");
    await until(() => room.size === 1);
    assertEquals(room.broadcast("to nobody"), 0); // it is closing
    closes.vanish();
    await until(() => room.size === 0);
  });
  assertEquals(sizes, [1, 0, 0]);
});

Deno.test("PreparedMessage copies bytes and refuses text that is not UTF-8", async () => {
  const bytes = Uint8Array.of(1, 2);
  const room = new Room<WebSocketHandler>();
  await serve(roomRoutes(room, { "/": null }), async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await until(() => room.size === 1);
    const message = new PreparedMessage(bytes);
    bytes.fill(9);
    room.broadcast(message);
    assertEquals((await socket.frame()).data, Uint8Array.of(1, 2));
    room.broadcast(new PreparedMessage(Uint8Array.of(0xc3, 0xa9), { binary: false }));
    assertEquals(await socket.text(), "\u00e9");
    await socket.shut();
  });
  assertThrows(() => new PreparedMessage(Uint8Array.of(0xff), { binary: false }), TypeError);
});

Deno.test("a room is also one of clients", async () => {
  const got: unknown[] = [];
  class Noting extends WebSocketHandler {
    override onMessage(message: string | Uint8Array): void {
      got.push(message);
    }
  }
  await serve([["/", Noting]], async ({ port }) => {
    const room = new Room();
    const clients = [];
    for (let count = 0; count < 3; count++) {
      const client = await websocketConnect(`ws://127.0.0.1:${port}/`);
      room.join(client);
      clients.push(client);
    }
    assertEquals(room.broadcast("from all"), 3);
    await until(() => got.length === 3);
    for (const client of clients) {
      client.close();
      assertEquals(await client.readMessage(), null);
    }
    assertEquals(room.size, 0);
  });
  assertEquals(got, ["from all", "from all", "from all"]);
});
