import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import type { Document } from "bson";
import { MongoClient as OfficialClient } from "mongodb";
import { CommandError, MongoClient } from "../../examples/asyncmongo/client.ts";
import { makeGuestBook } from "../../examples/asyncmongo/main.ts";
import { makeOfficialGuestBook } from "../../examples/asyncmongo/official_driver.ts";
import {
  decodeBody,
  decodeHead,
  encodeMessage,
  HEAD,
  WireError,
} from "../../examples/asyncmongo/wire.ts";
import { type CoroutineGenerator, Multi } from "../../gen/mod.ts";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import { IOStream, StreamClosedError } from "../../iostream/mod.ts";
import type { Application } from "../../web/mod.ts";
import { ask, until } from "../http/_raw_client.ts";
import { MongoServer } from "./_mongo_server.ts";

function withMongo(
  body: (client: MongoClient, server: MongoServer) => CoroutineGenerator,
  size = 3,
): Promise<void> {
  return new IOLoop().run(function* () {
    const server = new MongoServer();
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const client = new MongoClient({ port, size });
    yield* body(client, server);
    client.close();
    yield* server.drain({ timeout: 1000 });
  }, { timeout: 10_000 });
}

Deno.test("the messages of asyncmongo come out as they went in", () => {
  const document = { ping: 1, text: "\u{1f300}", list: [1, null, { a: true }] };
  const message = encodeMessage(7, document, 3);
  assertEquals(decodeHead(message), { rest: message.length - HEAD, requestId: 7, responseTo: 3 });
  assertEquals(decodeBody(message.subarray(HEAD)), document);
  const checked = new Uint8Array([...message.subarray(HEAD), 1, 2, 3, 4]);
  checked[0] = 1; // a checksum is behind it
  assertEquals(decodeBody(checked), document);
});

Deno.test("the messages of asyncmongo are those of the protocol, byte for byte", () => {
  const bytes = Uint8Array.from([
    ...[36, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0xdd, 7, 0, 0], // the head; OP_MSG is 2013
    ...[0, 0, 0, 0, 0], // no flags, a document
    ...[15, 0, 0, 0, 0x10, 0x70, 0x69, 0x6e, 0x67, 0, 1, 0, 0, 0, 0], // ping: int32 1
  ]);
  assertEquals(encodeMessage(7, { ping: 1 }, 3), bytes);
  assertEquals(decodeBody(bytes.subarray(HEAD)), { ping: 1 });
});

Deno.test("the messages of asyncmongo are refused where they are none", () => {
  const change = (at: number, value: number) => {
    const message = encodeMessage(1, { ping: 1 });
    message[at] = value;
    return message;
  };
  assertThrows(() => decodeHead(change(12, 1)), WireError, "its kind is");
  assertThrows(() => decodeHead(change(3, 127)), WireError, "bytes");
  assertThrows(() => decodeHead(new Uint8Array(HEAD)), WireError, "it has 0 bytes");
  assertThrows(() => decodeBody(change(20, 1).subarray(HEAD)), WireError, "of kind 1");
  assertThrows(() => decodeBody(change(21, 200).subarray(HEAD)), WireError);
});

Deno.test("asyncmongo inserts, finds, updates and removes, by yield* and by callback", () =>
  withMongo(function* (client) {
    const guests = client.collection("book", "guests");
    assertEquals(yield* guests.insert([{ name: "Ada", n: 1 }, { name: "Bob", n: 1 }]), 2);
    assertEquals((yield* guests.findOne({ name: "Bob" }))!["n"], 1);
    assertEquals(yield* guests.findOne({ name: "Eve" }), null);
    assertEquals(yield* guests.update({ n: 1 }, { $set: { n: 2 } }), 2);
    assertEquals(yield* guests.remove({ name: "Ada" }), 1);
    assertEquals((yield* guests.find().toArray()).map(({ name, n }) => [name, n]), [["Bob", 2]]);

    const called = Promise.withResolvers<unknown[]>();
    guests.findOne({ name: "Bob" }, (error, guest) => called.resolve([error, guest?.["n"]]));
    assertEquals(yield called.promise, [null, 2]);
    const refused = Promise.withResolvers<[Error | null, Document | null]>();
    client.command("book", { nonsense: 1 }, (error, reply) => refused.resolve([error, reply]))
      .catch(() => {});
    const [error, reply] = (yield refused.promise) as [Error, null];
    assertInstanceOf(error, CommandError);
    assertEquals([error.code, reply], [59, null]);
  }));

Deno.test("a cursor of asyncmongo asks for more when it is read, and can be left", () =>
  withMongo(function* (client, server) {
    const guests = client.collection("book", "guests");
    yield* guests.insert(Array.from({ length: 25 }, (_, n) => ({ n })));
    const cursor = guests.find({}, { batchSize: 10 });
    const sizes: number[] = [];
    while (!cursor.ended) sizes.push((yield* cursor.next()).length);
    assertEquals([sizes, yield* cursor.next()], [[10, 10, 5], []]);
    assertEquals(server.commands, ["insert", "find", "getMore", "getMore"]);

    const left = guests.find({}, { batchSize: 10 });
    yield* left.next();
    assertEquals(server.cursors.size, 1);
    yield* left.close();
    yield* left.close();
    assertEquals([server.cursors.size, left.ended], [0, true]);
    assertEquals(server.commands.filter((name) => name === "killCursors").length, 1);
  }));

Deno.test("the pool of asyncmongo keeps to its size, and uses connections again", () =>
  withMongo(function* (client, server) {
    yield* Multi(Array.from({ length: 9 }, () => client.command("book", { slow: 10 })));
    assertEquals([server.atWork.most, server.connections, client.size], [3, 3, 3]);
    yield* client.command("book", { ping: 1 });
    assertEquals(server.connections, 3);
  }));

Deno.test("the pool of asyncmongo drops a connection that broke, lied, or was given up", () =>
  withMongo(function* (client, server) {
    const errors = { breakOff: StreamClosedError, lie: WireError, babble: WireError };
    for (const [at, [name, type]] of Object.entries(errors).entries()) {
      yield assertRejects(() => client.command("book", { [name]: 1 }).then(), type);
      assertEquals(server.connections, at + 1);
    }
    const slow = client.command("book", { slow: 100_000 });
    yield until(() => server.commands.at(-1) === "slow");
    slow.cancel("enough");
    yield slow.catch(() => {});
    yield until(() => client.size === 0);
    assertEquals(yield* client.command("book", { ping: 1 }), { ok: 1, $db: "book" });
    assertEquals([server.connections, client.size], [5, 1]);
    client.close();
    yield assertRejects(() => client.command("book", { ping: 1 }).then(), Error, "is closed");
  }, 1));

Deno.test("the guest book of asyncmongo takes names and lists them", () =>
  withMongo(function* (client) {
    yield* signAndRead(makeGuestBook(client));
  }));

Deno.test("the guest book goes with the official driver, too", () =>
  withMongo(function* (_, server) {
    const { port } = server.addresses[0] as Deno.NetAddr;
    const client = new OfficialClient(`mongodb://127.0.0.1:${port}`, { serverApi: "1" });
    yield* signAndRead(makeOfficialGuestBook(client));
    yield client.close();
    assertEquals(server.commands.filter((name) => name === "getMore").length, 1);
    assertEquals(server.cursors.size, 0);
  }));

Deno.test("the official driver's cursor is closed when the browser has left", () =>
  withMongo(function* (_, server) {
    const { port } = server.addresses[0] as Deno.NetAddr;
    const client = new OfficialClient(`mongodb://127.0.0.1:${port}`, { serverApi: "1" });
    const names = Array.from({ length: 1000 }, (_, at) => ({ name: `guest ${at}` }));
    yield client.db("book").collection("guests").insertMany(names);
    const http = makeOfficialGuestBook(client).listen(0, "127.0.0.1");
    server.hold = new Future();
    const browser = yield* IOStream.connect(http.addresses[0] as Deno.NetAddr);
    browser.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    yield* browser.readUntil("guest 99\n");
    yield until(() => server.commands.includes("getMore"));
    assertEquals(server.cursors.size, 1);
    browser.close();
    yield until(() => server.commands.includes("killCursors"));
    assertEquals(server.cursors.size, 0);
    server.hold.setResult();
    yield* http.shutdown();
    yield client.close();
  }));

function* signAndRead(application: Application): CoroutineGenerator {
  const server = application.listen(0, "127.0.0.1");
  const { port } = server.addresses[0] as Deno.NetAddr;
  const names = Array.from({ length: 120 }, (_, at) => `guest ${at}`);
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  for (const name of names) {
    const body = new URLSearchParams({ name }).toString();
    assertEquals((yield* Multi([ask(port, "POST", "/", { headers, body })]))[0].status, 201);
  }
  const [{ text }] = yield* Multi([ask(port, "GET", "/")]);
  assertEquals(text, names.map((name) => `${name}\n`).join(""));
  const [bad] = yield* Multi([ask(port, "POST", "/", { headers, body: "name=a%0Ab" })]);
  assertEquals(bad.status, 400);
  yield* server.shutdown();
}
