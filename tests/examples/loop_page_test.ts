import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { HTTPServer } from "../../http/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { loopPage, type LoopPageOptions } from "../../process/mod.ts";
import { fakeLoop, memoryPair } from "../../testing/mod.ts";
import { Application, RequestHandler, type Route } from "../../web/mod.ts";
import { Opcode } from "../../websocket/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "../web/_serve.ts";
import { handshake, RawWebSocket } from "../websocket/_raw_client.ts";
import { browser, runInBrowser } from "./_browser.ts";

class Napping extends RequestHandler {
  override *get(): CoroutineGenerator {
    yield* sleep(5);
    this.write("awake");
  }
}

function inServer(
  body: (served: Served) => Promise<void>,
  options: LoopPageOptions = {},
  serverOptions: { xheaders?: boolean } = {},
): Promise<void> {
  const routes: Route[] = [...loopPage(options), ["/nap", Napping]];
  return serve(routes, body, {}, serverOptions);
}

interface Batch {
  readonly now: number;
  readonly cut: boolean;
  readonly events: readonly (readonly [name: string, at: number, ...rest: unknown[]])[];
}

async function batch(socket: RawWebSocket): Promise<Batch> {
  return JSON.parse(await socket.text());
}

async function leave(socket: RawWebSocket): Promise<void> {
  await socket.sendFrame(Opcode.CLOSE);
  await until(() => IOLoop.current().tracer === null);
}

/** Tries the handshake and returns the status. */
async function knock(port: number, headers: Readonly<Record<string, string>>): Promise<number> {
  using client = await RawClient.connect(port);
  await client.send(handshake("/_loop/socket", headers));
  return (await client.answer()).status;
}

Deno.test("loopPage() has the page and what it needs, and nothing may frame or add to it", () =>
  inServer(async ({ get }) => {
    const page = await get("/_loop");
    assertEquals([page.status, page.headers.get("Content-Type")], [
      200,
      "text/html; charset=UTF-8",
    ]);
    assertEquals(page.headers.get("Cache-Control"), "no-store");
    assertMatch(page.headers.get("Content-Security-Policy")!, /^default-src 'none'; /);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    assertEquals(links, ["data:,", "_loop/page.css", "_loop/page.js", "_loop/trace.json"]);
    for (
      const [path, type] of [["page.css", "text/css"], ["page.js", "text/javascript"]] as const
    ) {
      const file = await get(`/_loop/${path}`);
      assertEquals([file.status, file.headers.get("Content-Type")], [
        200,
        `${type}; charset=UTF-8`,
      ]);
    }
    assertEquals((await get("/_loop/page.html")).status, 404);
    assertEquals(IOLoop.current().tracer, null);
  }));

Deno.test("loopPage() is where it is told to be", async () => {
  await inServer(async ({ get }) => {
    assertEquals((await get("/_loop")).status, 404);
    assertStringIncludes((await get("/admin/my-loop")).text, 'src="my-loop/page.js"');
    assertEquals((await get("/admin/my-loop/page.js")).status, 200);
  }, { path: "/admin/my-loop" });
  for (const path of ["", "/", "loop", "/a/", "/a b", "/(.*)", '/"']) {
    assertThrows(() => loopPage({ path }), TypeError, JSON.stringify(path));
  }
});

Deno.test("loopPage() refuses what comes through a proxy, or by a foreign name, with 403", () =>
  inServer(
    async ({ get, port }) => {
      const refused: Record<string, string>[] = [
        { "X-Forwarded-For": "127.0.0.1" },
        { "X-Real-Ip": "127.0.0.1" },
        { "Forwarded": "for=127.0.0.1" },
        { "Via": "1.1 proxy" },
        { "Host": "example.com" },
        { "Host": "127.0.0.1.example.com" },
        { "Host": "localhost.example.com" },
        { "Host": "192.168.0.1" },
      ];
      for (const headers of refused) {
        for (const path of ["", "/page.js", "/trace.json"]) {
          const { status } = await get(`/_loop${path}`, headers);
          assertEquals(status, 403, `${path} ${JSON.stringify(headers)}`);
        }
        assertEquals(await knock(port, headers), 403, JSON.stringify(headers));
      }
      for (
        const host of ["localhost", "LOCALHOST:80", "127.8.0.1", "[::1]:8888", "app.localhost"]
      ) {
        assertEquals((await get("/_loop", { Host: host })).status, 200, host);
      }
      assertEquals(IOLoop.current().tracer, null);
    },
    {},
    { xheaders: true },
  ));

Deno.test("loopPage() lets `allow` decide, alone", async () => {
  const asked: string[] = [];
  const allow: LoopPageOptions["allow"] = ({ path, headers }) => {
    asked.push(path);
    return headers.get("Authorization") === "yes";
  };
  await inServer(async ({ get, port }) => {
    const far = { Host: "example.com", Via: "1.1 proxy" };
    assertEquals((await get("/_loop", far)).status, 403);
    assertEquals((await get("/_loop", { ...far, Authorization: "yes" })).status, 200);
    assertEquals(await knock(port, far), 403);
    assertEquals(asked, ["/_loop", "/_loop", "/_loop/socket"]);
  }, { allow });
});

Deno.test("loopPage() does not let pages of other origins read along", () =>
  inServer(async ({ port }) => {
    for (const origin of ["http://example.com", "http://localhost:1", "null"]) {
      assertEquals(await knock(port, { Origin: origin }), 403, origin);
    }
    using socket = await RawWebSocket.open(port, "/_loop/socket", {
      headers: { Origin: "http://localhost" },
    });
    await leave(socket);
  }));

Deno.test("loopPage() traces while somebody looks, and tells what happens in small batches", () =>
  inServer(async ({ get, port }) => {
    const loop = IOLoop.current();
    assertEquals(loop.tracer, null);
    using socket = await RawWebSocket.open(port, "/_loop/socket");
    assertEquals(await batch(socket), { now: 0, cut: false, events: [] });
    assert(loop.tracer === loop.trace);
    await get("/nap");
    const names: string[] = [];
    while (!names.includes("connection.closed")) {
      const { now, cut, events } = await batch(socket);
      assert(now > 0 && !cut && events.length > 0);
      for (const event of events) {
        assertEquals(event.length, 10);
        names.push(event[0]);
      }
    }
    for (const name of ["request.parsed", "handler.started", "coroutine.waiting", "turn.ended"]) {
      assert(names.includes(name), name);
    }
    await leave(socket);
  }));

Deno.test("loopPage() sends nothing while the loop has nothing to do but that", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const server = new HTTPServer(new Application(loopPage()), { ioLoop: loop });
  const [client, end] = memoryPair();
  const address: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  server.handleStream(new IOStream(end, { ioLoop: loop }), address);
  await client.write(new TextEncoder().encode(handshake("/_loop/socket")));
  await tick(0);
  const buffer = new Uint8Array(65536);
  await client.read(buffer); // the answer to the handshake, and an empty batch
  let batches = 0;
  const stop = loop.trace.subscribe(() => batches++, { every: 10 });
  const more = client.read(buffer);
  loop.addCallback(() => {});
  await tick(100);
  assert((await more)! > 0);
  await tick(800); // the server looks after its connections once in a second
  assertEquals(batches, 1);
  stop();
  client.close();
  await tick(0);
  assertEquals(loop.tracer, null);
  loop.stop();
  await running;
});

Deno.test("loopPage() gives the first 400 records of a busy stretch, ten times in a second", () =>
  inServer(async ({ port }) => {
    const loop = IOLoop.current();
    using socket = await RawWebSocket.open(port, "/_loop/socket");
    await batch(socket);
    let last = 0;
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 1000; j++) loop.addCallback(() => {});
      let told = await batch(socket);
      while (!told.cut) told = await batch(socket); // what came before it
      assertEquals(told.events.length, 400);
      if (last > 0) assert(told.now - last >= 99, `${told.now - last} ms`);
      last = told.now;
    }
    await leave(socket);
  }));

Deno.test("loopPage() lets eight look at a time, and nobody talk", () =>
  inServer(async ({ port }) => {
    const sockets: RawWebSocket[] = [];
    for (let i = 0; i < 8; i++) sockets.push(await RawWebSocket.open(port, "/_loop/socket"));
    assertEquals(await knock(port, {}), 503);
    const [first] = sockets;
    await first!.sendText("hello");
    for (;;) {
      const frame = await first!.frame();
      if (frame.opcode !== Opcode.CLOSE) continue;
      assertStringIncludes(frame.text, "nothing is expected");
      break;
    }
    await first!.sendFrame(Opcode.CLOSE);
    await first!.ended();
    sockets[0] = await RawWebSocket.open(port, "/_loop/socket");
    for (const socket of sockets) await socket.sendFrame(Opcode.CLOSE);
    await until(() => IOLoop.current().tracer === null);
    for (const socket of [...sockets, first!]) socket[Symbol.dispose]();
  }));

Deno.test("loopPage() stops tracing when a viewer vanishes", () =>
  inServer(async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/_loop/socket");
    await batch(socket);
    socket.vanish();
    await until(() => IOLoop.current().tracer === null);
  }));

Deno.test("loopPage() gives the record as a Chrome trace", () =>
  inServer(async ({ get }) => {
    const { trace } = IOLoop.current();
    trace.start();
    await get("/nap");
    const file = await get("/_loop/trace.json");
    trace.stop();
    assertEquals(file.headers.get("Content-Type"), "application/json");
    assertMatch(file.headers.get("Content-Disposition")!, /filename="loop_trace\.json"/);
    const { traceEvents } = JSON.parse(file.text) as { traceEvents: { name: string }[] };
    assert(traceEvents.some(({ name }) => name === "GET /nap"));
  }));

Deno.test({
  name: "loopPage() draws the loop, live, in Chromium",
  ignore: browser === null,
  fn: () => runInBrowser("_loop_in_browser.ts"),
});
