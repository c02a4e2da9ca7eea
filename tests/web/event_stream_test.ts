import { assertEquals, assertThrows } from "@std/assert";
import { Future } from "../../ioloop/mod.ts";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { type EventStream, type EventStreamOptions, RequestHandler } from "../../web/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "./_serve.ts";

function sending(
  body: (events: EventStream, handler: RequestHandler) => CoroutineGenerator,
  test: (served: Served) => Promise<void>,
  options?: EventStreamOptions,
): Promise<void> {
  class Events extends RequestHandler {
    override *get(): CoroutineGenerator {
      yield* body(this.sse(options), this);
    }
  }
  return serve([["/", Events]], test);
}

Deno.test("sse() sends text line by line, other values as JSON, with type, id and retry", async () => {
  await sending(function* (events) {
    yield* events.send("one");
    yield* events.send("two\nlines\r\nand\rmore");
    yield* events.send({ a: [1] }, { event: "record", id: 7, retry: 500 });
    yield* events.send("", { id: "" });
    yield* events.comment("a\nb");
  }, async ({ get }) => {
    const { headers, text } = await get("/");
    assertEquals(headers.get("Content-Type"), "text/event-stream");
    assertEquals(headers.get("Cache-Control"), "no-cache");
    assertEquals(
      text,
      "data: one\n\n" +
        "data: two\ndata: lines\ndata: and\ndata: more\n\n" +
        'event: record\nid: 7\nretry: 500\ndata: {"a":[1]}\n\n' +
        "id: \ndata: \n\n" +
        ": a\n: b\n\n",
    );
  });
});

Deno.test("sse() says at once when to come back", async () => {
  await sending(function* () {}, async ({ get }) => {
    assertEquals((await get("/")).text, "retry: 100\n\n");
  }, { retry: 100 });
});

Deno.test("sse() knows the last event that the client saw", async () => {
  await sending(function* (events) {
    yield* events.send(String(events.lastEventId));
  }, async ({ get }) => {
    assertEquals((await get("/")).text, "data: null\n\n");
    assertEquals((await get("/", { "Last-Event-ID": "a 7" })).text, "data: a 7\n\n");
    assertEquals((await get("/", { "Last-Event-ID": "" })).text, "data: null\n\n");
  });
});

Deno.test("sse() refuses what would make another event of a type or an id", async () => {
  await sending(function* (events, handler) {
    for (const bad of ["a\nb", "a\rb", "a\0b"]) {
      assertThrows(() => events.send("x", { event: bad }), TypeError, "its event holds");
      assertThrows(() => events.send("x", { id: bad }), TypeError, "its id holds");
    }
    for (const retry of [-1, 1.5, NaN]) {
      assertThrows(() => events.send("x", { retry }), TypeError, "whole number");
    }
    assertThrows(() => handler.sse(), Error, "the headers were sent");
    yield null;
  }, async ({ get }) => {
    assertEquals((await get("/")).text, "");
  });
});

Deno.test("sse() sends the head before the first event", async () => {
  const go = new Future<void>();
  await sending(function* (events) {
    yield* go;
    yield* events.send("later");
  }, async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let head = "";
    while (!head.endsWith("\r\n\r\n")) head += await client.bytes(1);
    go.setResult();
    assertEquals(await client.rest(), "d\r\ndata: later\n\n\r\n0\r\n\r\n");
  });
});

Deno.test("sse() beats while it is quiet, until the client leaves or the answer ends", async () => {
  let left = false;
  await sending(function* () {
    try {
      yield* sleep(60_000);
    } finally {
      left = true;
    }
  }, async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let came = "";
    while (!came.includes("\r\n: \n\n\r\n")) came += await client.bytes(1);
    client[Symbol.dispose]();
    await until(() => left);
  }, { heartbeat: 5 });
});

Deno.test("sse() without a heartbeat leaves no timer behind, nor does one that was left", async () => {
  // The sanitizers of the test runner look for timers.
  for (const heartbeat of [0, 10_000]) {
    await sending(function* (events) {
      yield* events.send("once");
    }, async ({ get }) => {
      assertEquals((await get("/")).text, "data: once\n\n");
    }, { heartbeat });
  }
});
