import { assertEquals, assertRejects } from "@std/assert";
import type { HTTPServer } from "../../http/mod.ts";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import { onShutdown, runServer, serve } from "../../process/mod.ts";
import { ask, RawClient, until } from "../http/_raw_client.ts";

class Hello extends RequestHandler {
  override get(): void {
    this.write("hello");
  }
}

function portOf(server: HTTPServer): number {
  return (server.addresses[0] as Deno.NetAddr).port;
}

Deno.test("serve() answers until SIGTERM, and reports that nothing was cut", async () => {
  let answer = "";
  const result = await serve(new Application([["/", Hello]]), {
    port: 0,
    onListen: async (server) => {
      answer = (await ask(portOf(server), "GET", "/")).text;
      Deno.kill(Deno.pid, "SIGTERM");
    },
  });
  assertEquals([answer, result], ["hello", { cut: 0 }]);
  assertEquals(IOLoop.current(false), null);
});

for (const run of [serve, runServer]) {
  Deno.test(`${run.name}() reports how many connections were cut`, async () => {
    class Endless extends RequestHandler {
      static begun = 0;
      override get(): Promise<void> {
        if (++Endless.begun === 2) Deno.kill(Deno.pid, "SIGTERM");
        return new Promise(() => {});
      }
    }
    const clients: RawClient[] = [];
    const { matched } = await expectLog(genLog, "Cut", async () => {
      const result = await run(new Application([["/", Endless]]), {
        port: 0,
        grace: 20,
        onListen: async (server) => {
          for (let i = 0; i < 2; i++) {
            const client = await RawClient.connect(portOf(server));
            await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            clients.push(client);
          }
        },
      });
      assertEquals(result, { cut: 2 });
    });
    for (const client of clients) {
      assertEquals(await client.rest(), "");
      client.close();
    }
    assertEquals(matched, ["Cut 2 connections that did not end in time"]);
  });
}

Deno.test("serve() calls what onShutdown() was given before when it has drained", async () => {
  const seen: string[] = [];
  const closed = Promise.withResolvers<void>();
  let server: HTTPServer | null = null;
  onShutdown(() => {
    seen.push("closed");
    closed.resolve();
  });
  class Last extends RequestHandler {
    override async get(): Promise<void> {
      Deno.kill(Deno.pid, "SIGTERM");
      await until(() => server!.addresses.length === 0); // it drains
      seen.push("answered");
    }
  }
  await serve(new Application([["/", Last]]), {
    port: 0,
    onListen: (its) => {
      server = its;
      return ask(portOf(its), "GET", "/");
    },
  });
  await closed.promise;
  assertEquals(seen, ["answered", "closed"]);
});

Deno.test("serve() fails when the port is in use, and names it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await assertRejects(
    () => serve(new Application(), { port }),
    Deno.errors.AddrInUse,
    `port ${port} of 127.0.0.1`,
  );
});

Deno.test({
  name: "serve() and runServer() without --unstable-net refuse to share a port, in words",
  ignore: "listenDatagram" in Deno || Deno.build.os !== "linux",
  async fn() {
    for (
      const run of [
        () => serve(new Application(), { port: 0, numProcesses: 2 }),
        () => runServer(new Application(), { port: 0, reusePort: true }),
      ]
    ) await assertRejects(run, TypeError, "--unstable-net");
  },
});
