import { assertEquals } from "@std/assert";
import { makeChat } from "../../examples/chat/main.ts";
import { Messages } from "../../examples/chat/messages.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { browser, runInBrowser } from "./_browser.ts";
import { WebSocketPeer } from "./_websocket_peer.ts";

/** A person who speaks HTTP alone. */
class Person {
  readonly #url: string;

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}/messages`;
  }

  async say(body: unknown, type = "application/json"): Promise<number> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "Content-Type": type },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    await response.body?.cancel();
    return response.status;
  }

  async hear(after: number | string, wait: number | string = 20_000): Promise<unknown> {
    const response = await fetch(`${this.#url}?after=${after}&wait=${wait}`);
    const text = await response.text();
    return response.ok ? JSON.parse(text).messages : response.status;
  }
}

function withChat(body: (port: number, messages: Messages) => Promise<void>): Promise<void> {
  return new IOLoop().run(async () => {
    const messages = new Messages();
    const server = makeChat(messages).listen(0, "127.0.0.1");
    await body((server.addresses[0] as Deno.NetAddr).port, messages);
    await server.shutdown();
  }, { timeout: 20_000 });
}

const ADA = { id: 1, name: "Ada", text: "hello" };
const BOB = { id: 2, name: "somebody", text: "who?" };

Deno.test("the chat has one room for WebSockets and long polls", () =>
  withChat(async (port, messages) => {
    const person = new Person(port);
    const peer = new WebSocketPeer(`ws://127.0.0.1:${port}/socket`);
    assertEquals(await peer.next(), '{"messages":[]}');

    const waiting = [person.hear(0), person.hear(0)];
    await until(() => messages.waiting === 2);
    await peer.send(JSON.stringify(ADA));
    assertEquals(await Promise.all(waiting), [[ADA], [ADA]]);
    assertEquals(JSON.parse(String(await peer.next())), { messages: [ADA] });

    assertEquals(await person.say({ name: "", text: "who?" }), 201);
    assertEquals(JSON.parse(String(await peer.next())), { messages: [BOB] });
    assertEquals(await person.hear(0), [ADA, BOB]);
    assertEquals(await person.hear(1), [BOB]);
    assertEquals([messages.waiting, messages.room.size], [0, 1]);
    await peer.close();
    await until(() => messages.room.size === 0);
  }));

Deno.test("the chat gives who comes back what was missed, and all of it after a restart", () =>
  withChat(async (port, messages) => {
    const person = new Person(port);
    for (const { name, text } of [ADA, BOB]) messages.add({ name, text });
    for (const [after, missed] of [[0, [ADA, BOB]], [1, [BOB]], [2, []], [9, [ADA, BOB]]]) {
      const peer = new WebSocketPeer(`ws://127.0.0.1:${port}/socket?after=${after}`);
      assertEquals(JSON.parse(String(await peer.next())), { messages: missed });
      assertEquals(await person.hear(after as number, 0), missed);
      await peer.close();
    }
    assertEquals(await person.hear("x"), 400);
    assertEquals(await person.hear(2, 1), []); // nothing came in its time
  }));

Deno.test("the chat forgets the oldest of two hundred messages", () =>
  withChat(async (port, messages) => {
    for (let at = 0; at < 205; at++) messages.add(ADA);
    const heard = await new Person(port).hear(0) as { id: number }[];
    assertEquals([heard.length, heard[0]!.id, heard.at(-1)!.id], [200, 6, 205]);
  }));

Deno.test("the chat refuses what is no message, by either way", () =>
  withChat(async (port, messages) => {
    const person = new Person(port);
    for (const bad of ["", "{", "null", "[]", { name: "Ada" }, { name: 1, text: "x" }]) {
      assertEquals(await person.say(bad), 400);
    }
    assertEquals(await person.say({ name: "Ada", text: "" }), 400);
    assertEquals(await person.say({ name: "Ada", text: "x".repeat(1001) }), 400);
    assertEquals(await person.say(ADA, "text/plain"), 415);
    for (const bad of ["no JSON", Uint8Array.of(1)]) {
      const peer = new WebSocketPeer(`ws://127.0.0.1:${port}/socket`);
      await peer.next();
      await peer.send(bad);
      assertEquals(await peer.closed, 1008);
    }
    assertEquals(messages.since(0), []);
  }));

Deno.test("the chat forgets who leaves a long poll", () =>
  withChat(async (port, messages) => {
    const client = await RawClient.connect(port);
    await client.send("GET /messages HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until(() => messages.waiting === 1);
    client.close();
    await until(() => messages.waiting === 0);
  }));

Deno.test({
  name: "the pages of the chat talk to each other in Chromium, by both ways, over a restart",
  ignore: browser === null,
  fn: () => runInBrowser("_chat_two_ways_in_browser.ts"),
});
