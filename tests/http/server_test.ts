import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { appLog, genLog, IOLoop } from "../../ioloop/mod.ts";
import { sleep } from "../../gen/mod.ts";
import { HTTPHeaders, HTTPServer, type HTTPServerRequest } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { ask, RawClient, until } from "./_raw_client.ts";
import { answer, type App, echo, serve, serveInMemory } from "./_serve.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const never: App = () => {};

// A GET whose head has exactly `size` bytes.
function head(size: number): string {
  const bare = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
  return bare.replace("A: ", `A: ${"b".repeat(size - bare.length)}`);
}

async function statusOf(port: number, input: string): Promise<number> {
  using client = await RawClient.connect(port);
  await client.send(input);
  const { status, headers } = await client.answer();
  if (status >= 400) {
    assertEquals(headers.get("Connection"), "close");
    assertEquals(await client.rest(), "");
  }
  return status;
}

Deno.test("HTTPServer maxHeaderSize: a head of exactly that passes, one byte more is 431", () =>
  serve(echo, async (port) => {
    assertEquals(await statusOf(port, head(1000)), 200);
    assertEquals(await statusOf(port, head(1001)), 431);
    assertEquals(await statusOf(port, head(100_000)), 431);
    assertEquals(await statusOf(port, head(1001).slice(0, 1000)), 431); // it can only be longer
    assertEquals(await statusOf(port, `GET /${"a".repeat(1000)} HTTP/1.1\r\n`), 414);
  }, { maxHeaderSize: 1000 }));

Deno.test("HTTPServer maxHeaderCount: that many fields pass, one more is 431", () =>
  serve(echo, async (port) => {
    const fields = (count: number) =>
      `GET / HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(count - 1)}\r\n`;
    assertEquals(await statusOf(port, fields(10)), 200);
    assertEquals(await statusOf(port, fields(11)), 431);
  }, { maxHeaderCount: 10 }));

Deno.test("HTTPServer maxBodySize: a body of exactly that passes, one byte more is 413", () =>
  serve(echo, async (port) => {
    const fixed = (size: number) =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${"b".repeat(size)}`;
    const chunked = (...sizes: number[]) =>
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
      sizes.map((size) => `${size.toString(16)}\r\n${"b".repeat(size)}\r\n`).join("") + "0\r\n\r\n";
    assertEquals(await statusOf(port, fixed(4096)), 200);
    assertEquals(await statusOf(port, fixed(4097)), 413);
    assertEquals(await statusOf(port, chunked(4000, 96)), 200);
    assertEquals(await statusOf(port, chunked(4000, 97)), 413);
    assertEquals(await statusOf(port, chunked(10_240)), 413);
  }, { maxBodySize: 4096 }));

Deno.test("HTTPServer maxBodySize 0 allows empty bodies only", () =>
  serve(echo, async (port) => {
    const post = (body: string) =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    assertEquals(await statusOf(port, post("")), 200);
    assertEquals(await statusOf(port, post("x")), 413);
  }, { maxBodySize: 0 }));

Deno.test("HTTPServer maxBodySize is maxBufferSize where it is not given", () =>
  serve(echo, async (port) => {
    assertEquals((await ask(port, "POST", "/", { body: "b".repeat(5000) })).status, 200);
    assertEquals((await ask(port, "POST", "/", { body: "b".repeat(5001) })).status, 413);
  }, { maxBufferSize: 5000 }));

Deno.test("HTTPServer maxChunkLineSize: a chunk line of that passes, one byte more is 400", () =>
  serve(echo, async (port) => {
    const input = (size: number) =>
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `1;${"x".repeat(size - 4)}\r\na\r\n0\r\n\r\n`;
    assertEquals(await statusOf(port, input(20)), 200);
    assertEquals(await statusOf(port, input(21)), 400);
  }, { maxChunkLineSize: 20 }));

Deno.test("HTTPServer memory follows the bytes that came, not the length that was announced", () =>
  serve(never, async (port) => {
    const before = Deno.memoryUsage();
    const clients = await Promise.all(Array.from({ length: 20 }, async () => {
      const client = await RawClient.connect(port);
      await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nx");
      return client;
    }));
    await sleep(20);
    const { external, heapUsed } = Deno.memoryUsage();
    assert(external + heapUsed - before.external - before.heapUsed < 50_000_000);
    for (const client of clients) client.close();
  }));

Deno.test("HTTPServer idleConnectionTimeout closes an idle connection without a word", async () => {
  const { matched } = await expectLog(genLog, "", async () => {
    await serveInMemory(echo, async ({ client, near, tick }) => {
      await tick(999);
      await client.send(GET); // before use: it came in time
      await tick(0);
      await client.answer();
      await tick(999);
      assert(!near.closed());
      await tick(400);
      assert(near.closed());
      assertEquals(await client.rest(), "");
    }, { idleConnectionTimeout: 1000 });
    await serveInMemory(echo, async ({ client, near, tick }) => {
      await tick(1000 + 400);
      assert(near.closed());
      assertEquals(await client.rest(), "");
    }, { idleConnectionTimeout: 1000 });
  }, { required: false });
  assertEquals(matched, []);
});

Deno.test("HTTPServer idleConnectionTimeout does not run while an answer is due", () => {
  const requests: HTTPServerRequest[] = [];
  return serveInMemory((request) => requests.push(request), async ({ client, tick }) => {
    await client.send(GET);
    await tick(100_000);
    echo(requests[0]!);
    await tick(0);
    assertEquals((await client.answer()).status, 200);
  }, { idleConnectionTimeout: 1000, headerTimeout: 1000, bodyTimeout: 1000 });
});

Deno.test("HTTPServer idleConnectionTimeout is not put off by empty lines", () =>
  serveInMemory(never, async ({ client, near, tick }) => {
    await client.send("\r\n");
    await tick(600);
    await client.send("\r\n");
    await tick(400 + 400);
    assert(near.closed());
  }, { idleConnectionTimeout: 1000 }));

Deno.test("HTTPServer headerTimeout answers a slow head with 408, however it drips", () =>
  serveInMemory(never, async ({ client, tick }) => {
    await tick(5000);
    for (const char of "GET / HTTP") {
      await client.send(char);
      await tick(99);
    }
    await expectLog(genLog, /its head took too long/, () => tick(400));
    const { status, headers } = await client.answer();
    assertEquals([status, headers.get("Connection")], [408, "close"]);
    assertEquals(await client.rest(), "");
  }, { headerTimeout: 1000 }));

Deno.test("HTTPServer headerTimeout counts each request by itself", () =>
  serveInMemory(echo, async ({ client, tick }) => {
    for (let i = 0; i < 5; i++) {
      await client.send(GET.slice(0, 5));
      await tick(900);
      await client.send(GET.slice(5));
      await tick(0);
      assertEquals((await client.answer()).status, 200);
    }
  }, { headerTimeout: 1000 }));

Deno.test("HTTPServer bodyTimeout closes a stalled upload without an answer and logs it once", () =>
  serveInMemory(never, async ({ client, near, tick }) => {
    const { matched } = await expectLog(
      genLog,
      /^Timeout reading body from 192.0.2.1/,
      async () => {
        await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
        await tick(999);
        assert(!near.closed());
        await tick(400);
        assert(near.closed());
      },
    );
    assertEquals(matched.length, 1);
    assertEquals(await client.rest(), "");
  }, { bodyTimeout: 1000 }));

Deno.test("HTTPServer writeTimeout closes a client that takes nothing; others do not notice", () => {
  let failed: unknown = null;
  const app: App = (request) => {
    if (request.uri !== "/large") return echo(request);
    const { connection } = request;
    connection.writeHeaders({ code: 200 }, new HTTPHeaders());
    connection.write(new Uint8Array(1_000_000)).catch((error) => failed = error);
  };
  return serveInMemory(app, async ({ client, near, tick }) => {
    await client.send(GET.replace("/", "/large"));
    await tick(0);
    for (let i = 0; i < 5; i++) { // slow, but it takes something in time
      await tick(800);
      await client.bytes(70_000);
    }
    assert(!near.closed());
    await expectLog(genLog, /does not take what is written/, () => tick(1000 + 400));
    assert(near.closed());
    assertStringIncludes(String(failed), "write timed out");
  }, { writeTimeout: 1000 });
});

Deno.test("HTTPServer writeTimeout counts from the moment that an answer first waits", () =>
  serveInMemory(echo, async ({ client, near, tick }) => {
    await near.write(new Uint8Array(65536)); // what it stores is full: nothing of the answer goes
    await client.send(GET);
    await tick(999);
    assert(!near.closed());
    await expectLog(genLog, /does not take what is written/, () => tick(400));
    assert(near.closed());
  }, { writeTimeout: 1000 }));

Deno.test("HTTPServer holds no time against its clients in which it stood still itself", async () => {
  let other: RawClient | null = null;
  const app: App = (request) => {
    if (request.uri === "/hold") {
      other!.send(GET); // it is on its way while nothing here goes on
      const end = performance.now() + 1500;
      while (performance.now() < end);
    }
    echo(request);
  };
  await serve(app, async (port) => {
    using idle = other = await RawClient.connect(port);
    await idle.send(GET);
    assertEquals((await idle.answer()).status, 200);
    using holding = await RawClient.connect(port);
    await holding.send(GET.replace("/", "/hold"));
    assertEquals((await idle.answer()).status, 200);
    assertEquals(await idle.rest(), ""); // it is closed all the same, in the end
  }, { idleConnectionTimeout: 500 });
});

Deno.test("HTTPServer noKeepAlive closes after every answer", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(GET);
    assertEquals((await client.answer()).headers.get("Connection"), "close");
    assertEquals(await client.rest(), "");
  }, { noKeepAlive: true }));

Deno.test("HTTPServer gives the application everything of a request", () => {
  const seen: HTTPServerRequest[] = [];
  const app: App = (request) => {
    seen.push(request);
    answer(request);
  };
  return serve(app, async (port) => {
    await ask(port, "POST", "//path/%3F?a=1&b=&a=%C3%A9&c", {
      headers: {
        Host: "Example.ORG:8080",
        Cookie: 'x=1; bad; y="q"',
        "Content-Type": "application/x-www-form-urlencoded",
      },
      body: "a=body&d=+",
    });
    const request = seen[0]!;
    const text = (values: Record<string, Uint8Array[]>) =>
      Object.fromEntries(
        Object.entries(values).map((
          [name, value],
        ) => [name, value.map((bytes) => new TextDecoder().decode(bytes))]),
      );
    assertEquals(request.method, "POST");
    assertEquals(request.uri, "//path/%3F?a=1&b=&a=%C3%A9&c");
    assertEquals(request.path, "//path/%3F");
    assertEquals(request.query, "a=1&b=&a=%C3%A9&c");
    assertEquals(request.version, "HTTP/1.1");
    assertEquals(request.host, "Example.ORG:8080");
    assertEquals(request.hostName, "example.org");
    assertEquals([request.remoteIp, request.protocol], ["127.0.0.1", "http"]);
    assertEquals(text(request.queryArguments), { a: ["1", "é"], b: [""], c: [""] });
    assertEquals(text(request.bodyArguments), { a: ["body"], d: [" "] });
    assertEquals(text(request.arguments)["a"], ["1", "é", "body"]);
    assertEquals(Object.getPrototypeOf(request.arguments), null);
    assertEquals(request.files, Object.create(null));
    assertEquals({ ...request.cookies }["x"], "1");
    assertEquals(request.fullUrl(), "http://Example.ORG:8080//path/%3F?a=1&b=&a=%C3%A9&c");
    assert(request.requestTime() >= 0 && request.requestTime() < 10_000);
    const shown = String(request);
    assertMatch(shown, /protocol=http, host=Example.*method=POST, uri=.*version=.*remoteIp=127/);
    assert(!shown.includes("body") && !shown.includes("Cookie"));
  });
});

Deno.test("HTTPServer gives an HTTP/1.0 request without Host a host, and no body no bytes", () => {
  const seen: HTTPServerRequest[] = [];
  const app: App = (request) => {
    seen.push(request);
    answer(request);
  };
  return serve(app, async (port) => {
    using client = await RawClient.connect(port);
    await client.send("GET /?foo=&foo= HTTP/1.0\r\n\r\n");
    await client.rest();
    const request = seen[0]!;
    assertEquals([request.host, request.version], ["127.0.0.1", "HTTP/1.0"]);
    assertEquals(request.body, new Uint8Array(0));
    assertEquals(request.queryArguments["foo"]!.length, 2);
  });
});

Deno.test("HTTPServer protocol says what a proxy in front of it speaks", () =>
  serve((request) => answer(request, request.protocol + " " + request.fullUrl()), async (port) => {
    const { text } = await ask(port, "GET", "/x");
    assertEquals(text, "https https://localhost/x");
  }, { protocol: "https" }));

Deno.test("HTTPServer takes an object as application", () =>
  new IOLoop().run(async () => {
    const server = new HTTPServer({ handleRequest: echo });
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    assertEquals((await ask(port, "GET", "/x")).text, "GET /x ");
    server.stop();
    await server.closeAllConnections();
  }));

Deno.test("HTTPServer dateField is the time, give or take two seconds", () =>
  serve(({ connection }) => {
    connection.writeHeaders({ code: 200 }, HTTPHeaders.parse(`${connection.dateField}`));
    connection.finish();
  }, async (port) => {
    const { headers } = await ask(port, "GET", "/");
    assert(Math.abs(Date.parse(headers.get("Date")!) - Date.now()) < 2500);
  }));

Deno.test("HTTPServer.stop() alone keeps open connections", () =>
  serve(echo, async (port, server) => {
    using client = await RawClient.connect(port);
    await client.send(GET);
    await client.answer();
    server.stop();
    await client.send(GET);
    assertEquals((await client.answer()).status, 200);
  }));

Deno.test("HTTPServer.closeAllConnections() closes idle and busy ones, and is done when none is left", () =>
  serve(never, async (port, server) => {
    using idle = await RawClient.connect(port);
    using busy = await RawClient.connect(port);
    await busy.send(GET);
    await sleep(20);
    await server.closeAllConnections();
    assertEquals([await idle.rest(), await busy.rest()], ["", ""]);
    await server.closeAllConnections();
  }));

Deno.test("HTTPServer.shutdown() of an idle server is done at once", () =>
  serve(echo, async (port, server) => {
    using client = await RawClient.connect(port);
    await client.send(GET);
    await client.answer();
    assertEquals(await server.shutdown(), { cut: 0 });
    assertEquals(await client.rest(), "");
    assertEquals(server.addresses, []);
  }));

Deno.test("HTTPServer.shutdown() lets answers in progress end, with Connection: close", () => {
  const requests: HTTPServerRequest[] = [];
  return serve((request) => requests.push(request), async (port, server) => {
    using client = await RawClient.connect(port);
    await client.send(GET + GET);
    await until(() => requests.length === 1);
    const shutdown = server.shutdown();
    await sleep(20);
    assert(!shutdown.done());
    echo(requests[0]!);
    const { status, headers } = await client.answer();
    assertEquals([status, headers.get("Connection")], [200, "close"]);
    assertEquals(await client.rest(), "");
    client.close();
    assertEquals(await shutdown, { cut: 0 });
    assertEquals(requests.length, 1);
  });
});

Deno.test("HTTPServer.shutdown() cuts what is left after its grace and says how much", () => {
  let closes = 0;
  const app: App = ({ connection }) => {
    connection.onClose = () => closes++;
  };
  return serveInMemory(app, async ({ client, server, tick }) => {
    await client.send(GET);
    await tick(0);
    const shutdown = server.shutdown({ grace: 5000 });
    await tick(4999);
    assert(!shutdown.done());
    await tick(1);
    assertEquals(shutdown.result(), { cut: 1 });
    assertEquals(closes, 1);
    assertEquals(await client.rest(), "");
  });
});

Deno.test("HTTPServer.drain() ends idle connections at once, and cuts others after its timeout", () =>
  serveInMemory(never, async ({ client, server }) => {
    assertEquals(await server.drain(), { cut: 0 });
    await client.rest();
  }).then(() =>
    serveInMemory(never, async ({ client, server, tick }) => {
      await client.send(GET);
      await tick(0);
      const drain = server.drain({ timeout: 100 });
      await tick(99);
      assert(!drain.done());
      await tick(1);
      assertEquals(drain.result(), { cut: 1 });
    })
  ));

Deno.test("HTTPServer.shutdown() cuts a head in progress after its grace", () =>
  serveInMemory(never, async ({ client, server, tick }) => {
    await client.send("GET / HT");
    await tick(0);
    const shutdown = server.shutdown({ grace: 100 });
    await tick(100);
    assertEquals(shutdown.result(), { cut: 1 });
  }));

// A client that read nothing of its answer did not count, and its write went on after the end.
Deno.test("HTTPServer.shutdown() waits for a client to take its answer, and cuts it after its grace", () => {
  const app: App = (request) => answer(request, new Uint8Array(1_000_000));
  return serveInMemory(app, async ({ client, server, near, tick }) => {
    await client.send(GET);
    await tick(0);
    const shutdown = server.shutdown({ grace: 5000 });
    await tick(4999);
    assert(!shutdown.done());
    await tick(1);
    assertEquals(shutdown.result(), { cut: 1 });
    assert(near.closed());
  });
});

Deno.test("HTTPServer goes on after an application that throws", () =>
  serve((request) => {
    if (request.uri === "/bad") throw new Error("broken");
    echo(request);
  }, async (port) => {
    await expectLog(appLog, /^Uncaught exception of the application: Error: broken/, async () => {
      assertEquals((await ask(port, "GET", "/bad")).status, 500);
    });
    assertEquals((await ask(port, "GET", "/good")).status, 200);
  }));

Deno.test("HTTPServer serves many connections at once", () =>
  serve(echo, async (port) => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask(port, "GET", `/${i}`)),
    );
    assertEquals(answers.map(({ text }) => text), answers.map((_, i) => `GET /${i} `));
  }));

Deno.test("HTTPServer takes an async function and a generator function as application", async () => {
  const apps: ((request: HTTPServerRequest) => unknown)[] = [
    async (request) => {
      await sleep(1);
      if (request.uri === "/bad") throw new Error("broken");
      echo(request);
    },
    function* (request) {
      yield* sleep(1);
      if (request.uri === "/bad") throw new Error("broken");
      echo(request);
    },
  ];
  for (const app of apps) {
    await serve(app, async (port) => {
      using client = await RawClient.connect(port);
      const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
      await expectLog(appLog, /^Uncaught exception of the application: Error: broken/, async () => {
        await client.send(request("/1") + request("/bad") + request("/2"));
        assertEquals((await client.answer()).text, "GET /1 ");
        assertEquals((await client.answer()).status, 500);
        assertEquals((await client.answer()).text, "GET /2 ");
      });
    });
  }
});

Deno.test("HTTPServer logs an application that fails behind its answer, and the next is not hurt", () => {
  const app = async (request: HTTPServerRequest) => {
    echo(request);
    await sleep(5);
    if (request.uri === "/1") throw new Error("broken late");
  };
  return serve(app, async (port) => {
    using client = await RawClient.connect(port);
    await expectLog(appLog, /broken late/, async () => {
      for (const path of ["/1", "/2"]) {
        await client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        assertEquals((await client.answer()).text, `GET ${path} `);
      }
      await sleep(20);
    });
  });
});
