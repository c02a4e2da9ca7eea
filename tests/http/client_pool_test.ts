import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { CancelledError, Future } from "../../ioloop/mod.ts";
import {
  type FetchOptions,
  HTTPClientError,
  HTTPStreamClosedError,
  HTTPTimeoutError,
} from "../../http/mod.ts";
import { DefaultResolver, type ResolvedAddress } from "../../iostream/mod.ts";
import { answer, type Answering, answering, type Asked } from "./_answering.ts";
import { until } from "./_raw_client.ts";

/** Answers nothing before it is told to; the answers go out in the order of the requests. */
class Held {
  readonly #waiting: Future<void>[] = [];

  readonly script = function* (this: Held, { target }: Asked) {
    const gate = new Future<void>();
    this.#waiting.push(gate);
    yield* gate;
    return answer(target);
  }.bind(this);

  release(): void {
    this.#waiting.shift()!.setResult(undefined);
  }
}

function connectionsOf({ server }: Answering): number[] {
  return server.asked.map(({ connection }) => connection);
}

Deno.test("fetch() uses a connection again", () =>
  answering(({ target }) => answer(target), async (made) => {
    for (const path of ["/a", "/b", "/c"]) {
      assertEquals((await made.client.fetch(made.url(path))).text(), path);
    }
    assertEquals(connectionsOf(made), [0, 0, 0]);
    assertEquals(
      Deno.inspect(made.client),
      "SimpleAsyncHTTPClient { 0 active, 0 waiting, 1 idle }",
    );
  }));

Deno.test("fetch() uses a connection again behind every kind of answer that says its end", async () => {
  for (
    const [method, reply] of [
      ["GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
      ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
      ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
      ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"],
      ["GET", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok"],
      ["GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
      ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"],
      ["HEAD", "HTTP/1.1 200 OK\r\n\r\n"],
    ] as const
  ) {
    await answering(() => reply, async (made) => {
      for (let i = 0; i < 3; i++) {
        await made.client.fetch(made.url(), { method, raiseError: false });
      }
      assertEquals(connectionsOf(made), [0, 0, 0], reply);
    });
  }
});

Deno.test("fetch() makes a new connection where one cannot be used again", async () => {
  const ok = answer("ok");
  for (
    const [reply, options] of [
      ["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", {}],
      ["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", {}],
      ["HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {}],
      ["HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok", {}],
      [`${ok}x`, {}],
      [`${ok}${ok}`, {}],
      ["HTTP/1.1 204 No Content\r\n\r\nx", {}],
      [ok, { headers: { Connection: "close" } }],
      [ok, { headers: { Connection: "foo, Close" } }],
    ] as const
  ) {
    await answering(() => reply, async (made) => {
      await made.client.fetch(made.url(), options);
      await until(() => made.server.open === 0);
      await made.client.fetch(made.url(), options);
      assertEquals(connectionsOf(made), [0, 1], reply);
    });
  }
});

Deno.test("fetch() with keepAlive false asks for the end of each connection", () =>
  answering(() => answer("ok"), async (made) => {
    await made.client.fetch(made.url());
    await until(() => made.server.open === 0);
    await made.client.fetch(made.url());
    assertEquals(connectionsOf(made), [0, 1]);
    assertEquals(made.server.asked[0]!.headers.get("Connection"), "close");
  }, { keepAlive: false }));

Deno.test("fetch() never takes what came behind an answer for the next one", () =>
  answering(function* ({ target }, { stream }) {
    yield* stream.write(answer(target));
    yield* stream.write(answer("forged"));
  }, async ({ client, url }) => {
    for (let i = 0; i < 20; i++) {
      const path = `/${i}`;
      assertEquals((await client.fetch(url(path))).text(), path);
    }
  }));

Deno.test("the client closes an idle connection that its server closed, or talks on", async () => {
  for (const behind of ["", "more"]) {
    const gate = new Future<void>();
    await answering(function* (_asked, { stream, count }) {
      yield* stream.write(answer("ok"));
      if (count > 0) return;
      yield* gate;
      if (behind === "") stream.close();
      else stream.write(behind);
    }, async (made) => {
      await made.client.fetch(made.url());
      gate.setResult(undefined);
      await until(() => Deno.inspect(made.client).includes(" 0 idle"));
      assertEquals((await made.client.fetch(made.url())).text(), "ok");
      assertEquals(connectionsOf(made), [0, 1]);
    });
  }
});

Deno.test("the client closes what was idle for idleTimeout, or as long as the server says", () =>
  answering(
    ({ target }) => answer("ok", target === "/hint" ? "Keep-Alive: timeout=2\r\n" : ""),
    async (made) => {
      await made.client.fetch(made.url());
      await until(() => made.server.open === 0);
      await made.client.fetch(made.url());
      assertEquals(connectionsOf(made), [0, 1]);
    },
    { idleTimeout: 20 },
  ));

Deno.test("the client keeps maxIdlePerOrigin idle connections, and maxIdle in all", () =>
  answering(() => answer("ok"), async (made) => {
    const fetchFive = (url: string) =>
      Promise.all(Array.from({ length: 5 }, () => made.client.fetch(url).then()));
    await fetchFive(made.url());
    await until(() => made.server.open === 2);
    assertEquals(made.server.connections, 5);
    await fetchFive(`http://localhost:${made.server.port}/`);
    await until(() => made.server.open === 3);
    assertEquals(
      Deno.inspect(made.client),
      "SimpleAsyncHTTPClient { 0 active, 0 waiting, 3 idle }",
    );
  }, { maxIdlePerOrigin: 2, maxIdle: 3, hostnameMapping: { localhost: "127.0.0.1" } }));

Deno.test("fetch() keeps connections apart that differ in more than the origin", () =>
  answering(() => answer("ok"), async (made) => {
    await made.client.fetch(made.url());
    await made.client.fetch(made.url(), { allowIpv6: false });
    await made.client.fetch(made.url(), { networkInterface: "127.0.0.1" });
    await made.client.fetch(made.url());
    assertEquals(connectionsOf(made), [0, 1, 2, 0]);
  }));

Deno.test("fetch() queues what is beyond maxClients, in order", () => {
  const held = new Held();
  return answering(held.script, async (made) => {
    const { client, server, url } = made;
    const done: string[] = [];
    const all = ["/0", "/1", "/2", "/3"].map((path) =>
      client.fetch(url(path)).then((response) => done.push(response.text()))
    );
    await until(() => server.asked.length === 2);
    assertEquals(Deno.inspect(client), "SimpleAsyncHTTPClient { 2 active, 2 waiting, 0 idle }");
    for (let count = 2; count < 4; count++) {
      held.release();
      await until(() => server.asked.length === count + 1);
      assertEquals(server.asked[count]!.target, `/${count}`);
    }
    held.release();
    held.release();
    await Promise.all(all);
    assertEquals(done, ["/0", "/1", "/2", "/3"]);
    assertEquals(server.connections, 2);
  }, { maxClients: 2 });
});

Deno.test("fetch() lets other origins pass one that is at maxClientsPerOrigin", () => {
  const held = new Held();
  return answering(held.script, async ({ client, server, url }) => {
    const there = `http://localhost:${server.port}`;
    const all = [client.fetch(url("/0")), client.fetch(url("/1")), client.fetch(`${there}/2`)];
    await until(() => server.asked.length === 2);
    assertEquals(server.asked.map(({ target }) => target).sort(), ["/0", "/2"]);
    held.release();
    held.release();
    await until(() => server.asked.length === 3);
    held.release();
    await Promise.all(all);
  }, { maxClientsPerOrigin: 1, hostnameMapping: { localhost: "127.0.0.1" } });
});

Deno.test("fetch() waits in the queue no longer than its smaller timeout", () => {
  const held = new Held();
  return answering(held.script, async ({ client, server, url }) => {
    const first = client.fetch(url("/first"));
    await until(() => server.asked.length === 1);
    for (
      const options of [
        { connectTimeout: 10 },
        { requestTimeout: 10 },
        { connectTimeout: 10, requestTimeout: 0 },
      ]
    ) {
      const error = await assertRejects(() => client.fetch(url(), options).then());
      assertInstanceOf(error, HTTPTimeoutError);
      assertEquals([error.code, error.message], [599, "HTTP 599: Timeout in request queue"]);
    }
    assertEquals(Deno.inspect(client), "SimpleAsyncHTTPClient { 1 active, 0 waiting, 0 idle }");
    held.release();
    await first;
    assertEquals(server.asked.length, 1);
  }, { maxClients: 1 });
});

Deno.test("fetch() that is cancelled leaves the queue, or makes room", () => {
  const held = new Held();
  return answering(held.script, async ({ client, server, url }) => {
    const [first, second, third] = ["/1", "/2", "/3"].map((path) => client.fetch(url(path)));
    await until(() => server.asked.length === 1);
    second!.cancel();
    await assertRejects(() => second!.then(), CancelledError);
    first!.cancel();
    await assertRejects(() => first!.then(), CancelledError);
    await until(() => server.asked.length === 2);
    assertEquals(server.asked[1]!.target, "/3");
    held.release();
    held.release();
    assertEquals((await third!).text(), "/3");
    assertEquals(server.connections, 2); // the one that was in use is gone
  }, { maxClients: 1 });
});

Deno.test("a fetch that fails makes room", () =>
  answering((_asked, { count }) => count === 0 ? null : answer("ok"), async ({ client, url }) => {
    const [one, two] = [client.fetch(url()), client.fetch(url())];
    await assertRejects(() => one!.then(), HTTPStreamClosedError);
    assertEquals((await two!).text(), "ok");
  }, { maxClients: 1 }));

/** A server that closes each connection when its second request came, unanswered. */
function closesSecond(options: FetchOptions, body: (made: Answering) => Promise<void>) {
  const seen = new Set<number>();
  return answering(({ connection }) => {
    if (seen.has(connection)) return null;
    seen.add(connection);
    return answer("ok");
  }, async (made) => {
    await made.client.fetch(made.url(), options);
    await body(made);
  });
}

for (const method of ["GET", "OPTIONS", "PUT", "DELETE"]) {
  Deno.test(`fetch() sends ${method} again when the kept connection died`, () => {
    const options = { method, body: method === "PUT" ? "x" : undefined };
    return closesSecond(options, async (made) => {
      assertEquals((await made.client.fetch(made.url(), options)).text(), "ok");
      assertEquals(connectionsOf(made), [0, 0, 1]);
    });
  });
}

Deno.test("fetch() does not send again what may have had an effect, or cannot be sent again", async () => {
  for (
    const options of [
      { method: "POST", body: "x" },
      { method: "PATCH", body: "x" },
      { method: "PUT", bodyProducer: () => {} },
    ]
  ) {
    await closesSecond(options, async ({ client, url, server }) => {
      const error = await assertRejects(() => client.fetch(url(), options).then());
      assertInstanceOf(error, HTTPStreamClosedError);
      assertEquals(server.asked.length, 2);
    });
  }
});

Deno.test("fetch() does not send again on a new connection, nor behind a byte of the answer", async () => {
  await answering(() => null, async ({ client, url, server }) => {
    await assertRejects(() => client.fetch(url()).then(), HTTPStreamClosedError);
    assertEquals(server.asked.length, 1);
  });
  await answering(function* (_asked, { stream, count }) {
    yield* stream.write(count === 0 ? answer("ok") : "H");
    return count === 0 ? undefined : null;
  }, async ({ client, url, server }) => {
    await client.fetch(url());
    await assertRejects(() => client.fetch(url()).then(), HTTPStreamClosedError);
    assertEquals(server.asked.length, 2);
  });
});

Deno.test("fetch() sends again once only", () =>
  answering((_asked, { count }) => count === 0 ? answer("ok") : null, async (made) => {
    await made.client.fetch(made.url());
    await assertRejects(() => made.client.fetch(made.url()).then(), HTTPStreamClosedError);
    assertEquals(connectionsOf(made), [0, 0, 1]);
  }));

/** A resolver that never answers. */
class Silent extends DefaultResolver {
  asked = 0;
  cancelled = 0;

  override resolve(): Future<ResolvedAddress[]> {
    this.asked++;
    return new Future<ResolvedAddress[]>(() => this.cancelled++);
  }
}

Deno.test("fetch() gives up after connectTimeout while the name is looked up", async () => {
  const resolver = new Silent();
  await answering(() => answer(), async ({ client }) => {
    const error = await assertRejects(() =>
      client.fetch("http://name.example/", { connectTimeout: 10 }).then()
    );
    assertInstanceOf(error, HTTPTimeoutError);
    assertEquals(error.message, "HTTP 599: Timeout while connecting");
    const fetching = client.fetch("http://name.example/");
    fetching.cancel();
    await assertRejects(() => fetching.then(), CancelledError);
    assertEquals([resolver.asked, resolver.cancelled], [2, 2]);
  }, { resolver });
});

Deno.test("fetch() counts its times anew when it leaves the queue", () => {
  const held = new Held();
  return answering(held.script, async ({ client, server, url }) => {
    const first = client.fetch(url("/1"));
    const second = client.fetch(url("/2"), { requestTimeout: 150 });
    await until(() => server.asked.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100)); // most of it is over
    held.release();
    await first;
    await until(() => server.asked.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    held.release();
    const response = await second;
    assert(response.timeInfo.queue >= 90 && response.requestTime < 150);
  }, { maxClients: 1 });
});

Deno.test("a fetch in one hundred leaves nothing behind, whatever happens to it", () =>
  answering(({ target }) => {
    const fate = Number(target.slice(1)) % 7;
    if (fate === 3) return null;
    if (fate === 5) return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    return answer(target);
  }, async ({ client, server, url }) => {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        const requestTimeout = i % 7 === 3 || i % 7 === 5 ? 100 : 10_000; // those are not answered
        const fetching = client.fetch(url(`/${i}`), { requestTimeout });
        if (i % 10 === 9) queueMicrotask(() => fetching.cancel());
        return fetching.then((response) => {
          assertEquals(response.text(), `/${i}`);
          return "answer";
        }, (error) => {
          assert(error instanceof HTTPClientError || error instanceof CancelledError, `${error}`);
          return "failure";
        });
      }),
    );
    const due = Array.from({ length: 100 }, (_, i) => i % 10 === 9 || i % 7 === 3 || i % 7 === 5);
    assertEquals(outcomes, due.map((fails) => fails ? "failure" : "answer"));
    const counts = () =>
      /(\d+) active, (\d+) waiting, (\d+) idle/.exec(Deno.inspect(client))!.slice(1).map(Number);
    assertEquals(counts().slice(0, 2), [0, 0]);
    await until(() => server.open === counts()[2]);
  }, { maxClients: 7 }));
