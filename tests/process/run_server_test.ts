import { configureSync, getConfig, resetSync } from "@logtape/logtape";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import type { HTTPServer } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import { runServer } from "../../process/mod.ts";
import { ask, RawClient } from "../http/_raw_client.ts";
import { RawWebSocket } from "../websocket/_raw_client.ts";
import { ServerProcess } from "./_server_process.ts";

class Hello extends RequestHandler {
  override get(): void {
    this.write("hello");
  }
}

function portOf(server: HTTPServer): number {
  return (server.addresses[0] as Deno.NetAddr).port;
}

function request(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

Deno.test("runServer() answers until SIGTERM, then returns and gives the signals back", async () => {
  const loop = new IOLoop();
  let answer = "";
  await runServer(new Application([["/", Hello]]), {
    port: 0,
    ioLoop: loop,
    onListen: async (server) => {
      answer = (await ask(portOf(server), "GET", "/")).text;
      Deno.kill(Deno.pid, "SIGTERM");
    },
  });
  assertEquals(answer, "hello");
  assertEquals([loop.running, IOLoop.current(false)], [false, null]);
});

Deno.test("runServer() runs what waits on the current loop, and refuses one that runs", async () => {
  const seen: string[] = [];
  new IOLoop().callLater(1, () => {
    seen.push("timeout");
    Deno.kill(Deno.pid, "SIGTERM");
  });
  await runServer(new Application(), { port: 0 });
  assertEquals(seen, ["timeout"]);
  await new IOLoop().run(function* () {
    yield assertRejects(() => runServer(new Application()), Error, "runs already");
  });
});

Deno.test("runServer() shows warnings and errors unless logging was configured", async () => {
  const categories: string[][] = [];
  for (const configured of [false, true]) {
    if (configured) configureSync({ reset: true, sinks: {}, loggers: [{ category: "logtape" }] });
    else resetSync();
    await runServer(new Application(), {
      port: 0,
      onListen: () => Deno.kill(Deno.pid, "SIGTERM"),
    });
    categories.push(
      (getConfig()?.loggers ?? []).map(({ category }) => [category].flat().join(".")),
    );
  }
  resetSync();
  assertEquals(categories, [["logtape.meta", "waterspout"], ["logtape"]]);
});

Deno.test("runServer() cuts what does not end within `grace`, and says so", async () => {
  let left = false;
  class Endless extends RequestHandler {
    override get(): Promise<void> {
      Deno.kill(Deno.pid, "SIGTERM");
      return new Promise(() => {});
    }
    override onConnectionClose(): void {
      left = true;
    }
  }
  const { matched } = await expectLog(genLog, "Cut", async () => {
    let client!: RawClient;
    await runServer(new Application([["/", Endless]]), {
      port: 0,
      grace: 20,
      onListen: async (server) => {
        client = await RawClient.connect(portOf(server));
        await client.send(request("/"));
      },
    });
    assertEquals(await client.rest(), "");
    client.close();
  });
  assertEquals(matched, ["Cut 1 connections that did not end in time"]);
  assert(left);
});

Deno.test("runServer() fails when the port is in use, and names it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await assertRejects(
    () => runServer(new Application(), { port }),
    Deno.errors.AddrInUse,
    `port ${port} of 127.0.0.1`,
  );
});

Deno.test("a process with runServer() answers what is in progress at SIGTERM, then ends with 0", async () => {
  await using gallery = await ServerProcess.listening();
  const { server, port } = gallery;
  using idle = await RawClient.connect(port);
  using busy = await RawClient.connect(port);
  using socket = await RawWebSocket.open(port, "/chat/socket");
  assertEquals(await socket.text(), '{"present":1}');
  await busy.send(request("/slow?ms=400"));
  await idle.send(request("/hello")); // answered behind the other was begun
  assertEquals((await idle.answer()).text, "Hello, world");

  server.kill("SIGTERM");
  assertEquals(await idle.rest(), "");
  assertEquals(await socket.closeFrame(), [1001, ""]);
  socket.vanish();
  await assertRejects(() => RawClient.connect(port), Deno.errors.ConnectionRefused);
  const { status, headers, text } = await busy.answer();
  assertEquals([status, text], [200, "slept 400 ms"]);
  assertEquals(headers.get("Connection"), "close");
  busy.close();

  const { code, signal, stdout, stderr } = await server.ended;
  assertEquals([code, signal], [0, null], stderr);
  assertMatch(stdout, /\nThe gallery is closed\n$/);
  assertMatch(
    stderr,
    /^\[I \d{6} [\d:]{8} \w+:\d+\] 101 GET \/chat\/socket \(127\.0\.0\.1\) [\d.]+ms$/m,
  );
});

for (const second of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`a process with runServer() ends at once when ${second} follows a SIGTERM`, async () => {
    await using gallery = await ServerProcess.listening();
    const { server, port } = gallery;
    using busy = await RawClient.connect(port);
    using idle = await RawClient.connect(port);
    await busy.send(request("/slow?ms=9000"));
    await idle.send(request("/hello"));
    await idle.answer();
    server.kill("SIGTERM");
    await idle.rest();
    const began = performance.now();
    server.kill(second);
    const { code } = await server.ended;
    assertEquals(code, second === "SIGTERM" ? 143 : 130);
    assertEquals(await busy.rest(), "");
    assert(performance.now() - began < 5000);
  });
}

Deno.test("the gallery says in one line that its port is in use, and ends with 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const { code, stdout, stderr } = await ServerProcess.run(["--port", String(port)]);
  assertEquals(stderr, `Cannot listen on port ${port} of 127.0.0.1: it is in use\n`);
  assertEquals([code, stdout], [1, ""]);
});

Deno.test("the gallery names the flag that it misses, and ends with 1", async () => {
  const { code, stdout, stderr } = await ServerProcess.run([], ["--allow-read", "--allow-env"]);
  assertMatch(stderr, /^[^\n]*--allow-net[^\n]*\n$/);
  assertEquals([code, stdout], [1, ""]);
});

Deno.test("the gallery refuses a port that is none, and an option that it does not know", async () => {
  for (const args of [["--port", "80000"], ["--port", "x"], ["--prot", "1"]]) {
    const { code, stderr } = await ServerProcess.run(args);
    assertEquals(code, 1);
    assertMatch(stderr, /^[^\n]*--p(or|ro)t[^\n]*\n$/);
  }
});

Deno.test("the gallery's second line is the last: nothing else is printed", async () => {
  await using gallery = await ServerProcess.listening();
  gallery.server.kill("SIGINT");
  const { code, stdout } = await gallery.server.ended;
  assertEquals(code, 0);
  assertEquals(
    stdout,
    `The gallery is open on http://127.0.0.1:${gallery.port}/ (Ctrl-C closes it)\n` +
      "The gallery is closed\n",
  );
});
