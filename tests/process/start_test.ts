import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { HTTPHeaders, HTTPServer } from "../../http/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { onShutdown } from "../../process/mod.ts"; // with it, servers can start processes
import { RawClient } from "../http/_raw_client.ts";
import { askAll, Fleet } from "./_fleet.ts";

const ignore = Deno.build.os !== "linux"; // elsewhere processes cannot share a port

Deno.test({
  name: "TCPServer.start() of three processes: ids 0, 1 and 2 answer on the ports that 0 became",
  ignore,
  async fn() {
    await using fleet = await Fleet.listening("start", 3);
    const [first, ...others] = fleet.members.map(({ ports }) => ports.toSorted());
    for (const ports of others) assertEquals(ports, first);
    assert(new Set(first).size === 2, "two binds are two ports");
    for (const port of new Set(first)) {
      const answered = await askAll(port, 3); // and never hangs: the parent does not listen
      assertEquals([...answered.keys()].sort(), [0, 1, 2]);
      assert(![...answered.values()].includes(fleet.pid));
    }
  },
});

Deno.test({
  name: "TCPServer.start() of several processes starts a killed one again on the same ports",
  ignore,
  async fn() {
    await using fleet = await Fleet.listening("start", 2);
    const former = fleet.member(1);
    Deno.kill(former.pid, "SIGKILL");
    await fleet.until(() => fleet.members.length === 3);
    const now = fleet.member(1);
    assertEquals([now.id, now.ports], [1, former.ports]);
    assertEquals((await askAll(now.ports[0]!, 2)).get(1), now.pid);
    fleet.kill("SIGTERM");
    assertEquals((await fleet.ended).code, 0);
  },
});

Deno.test({
  name: "TCPServer.start() of several processes ends with 1 after too many restarts, and says why",
  ignore,
  async fn() {
    await using fleet = await Fleet.listening("start", 2, { maxRestarts: 0 });
    Deno.kill(fleet.member(0).pid, "SIGKILL");
    const { code, stderr } = await fleet.ended;
    assertMatch(stderr, /\[E .*\] Cannot go on after 0 restarts: child 0 was killed by SIGKILL$/m);
    assertEquals(code, 1);
  },
});

Deno.test({
  name: "HTTPServer in three processes serves several connections at a time until SIGTERM",
  ignore,
  async fn() {
    await using fleet = await Fleet.listening("serve", 3);
    const port = fleet.members[0]!.ports[0]!;
    const clients = await Promise.all(
      Array.from({ length: 24 }, () => RawClient.connect(port)),
    );
    const seen = new Set<string>();
    await Promise.all(clients.map(async (client) => {
      for (let i = 0; i < 20; i++) {
        await client.send("GET /slow?ms=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const { status, text } = await client.answer();
        assertEquals(status, 200);
        seen.add(text);
      }
    }));
    assertEquals([...(await askAll(port, 3)).keys()].sort(), [0, 1, 2]);
    assert(seen.size > 1);
    await Promise.all(
      clients.map((client) => client.send("GET /slow?ms=300 HTTP/1.1\r\nHost: x\r\n\r\n")),
    );
    await askAll(port, 3);
    fleet.kill("SIGTERM");
    for (const client of clients) {
      assertEquals((await client.answer()).status, 200);
      client.close();
    }
    const { code, stdout } = await fleet.ended;
    assertEquals(code, 0);
    assertEquals(stdout.match(/^cut .*/gm), ["cut 0", "cut 0", "cut 0"]);
  },
});

Deno.test({
  name: "TCPServer.start() of several processes without --unstable-net says so, and loses nothing",
  ignore: ignore || "listenDatagram" in Deno,
  fn: () =>
    new IOLoop().run(async () => {
      assertEquals(typeof onShutdown, "function");
      const server = new HTTPServer((request) => {
        request.connection.writeHeaders({ code: 204 }, new HTTPHeaders());
        request.connection.finish();
      });
      server.bind(0, "127.0.0.1");
      for (const count of [3, 0, -1, null]) {
        assertThrows(() => server.start(count), TypeError, "deno run --unstable-net");
      }
      assertThrows(() => server.start(1.5), RangeError, "1.5 processes");
      assertThrows(() => server.start(2, { maxRestarts: -1 }), RangeError, "maxRestarts");
      await server.start();
      const { port } = server.addresses[0] as Deno.NetAddr;
      using client = await RawClient.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertEquals((await client.answer()).status, 204);
      assertThrows(() => server.start(3), Error, "it was started already");
      await server.shutdown();
    }),
});

Deno.test("TCPServer.start() of several processes refuses a server that listens", () =>
  new IOLoop().run(async () => {
    const server = new HTTPServer(() => {});
    server.listen(0, "127.0.0.1");
    assertThrows(() => server.start(2), Error, "it listens in this one; use bind()");
    await server.shutdown();
  }));
