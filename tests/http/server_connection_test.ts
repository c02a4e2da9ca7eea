import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { appLog, genLog } from "../../ioloop/mod.ts";
import { StreamClosedError } from "../../iostream/mod.ts";
import { HTTPHeaders, HTTPOutputError, type HTTPServerRequest } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { cutsOf } from "./_cuts.ts";
import { RawClient, until } from "./_raw_client.ts";
import { answer, type App, echo, serve, serveInMemory } from "./_serve.ts";

const encoder = new TextEncoder();
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

function get(path: string, fields = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
}

function post(path: string, body: string, fields = ""): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

// Answers when the test says so, in the order of `requests`.
function waiting(): { app: App; requests: HTTPServerRequest[] } {
  const requests: HTTPServerRequest[] = [];
  return { app: (request) => requests.push(request), requests };
}

function after(ms: number, app: App): App {
  return (request) => setTimeout(() => app(request), ms);
}

// Sends the input in pieces, each of which the server reads by itself, and returns all bodies.
async function bodies(input: string, ends: readonly number[]): Promise<string[]> {
  const texts: string[] = [];
  await serveInMemory(echo, async ({ client, tick }) => {
    const bytes = encoder.encode(input);
    let start = 0;
    for (const end of ends) {
      await client.send(bytes.subarray(start, end));
      await tick(0);
      start = end;
    }
    for (let i = 0; i < 2; i++) texts.push((await client.answer()).text);
  });
  return texts;
}

const CUT_INPUTS = {
  "a fixed body": [post("/a", "hello") + get("/b"), ["POST /a hello", "GET /b "]],
  "a chunked body": [
    "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n" + get("/b"),
    ["PUT /a hello", "GET /b "],
  ],
  "empty lines between": [get("/a") + "\r\n" + get("/b"), ["GET /a ", "GET /b "]],
} as const;

for (const [what, [input, expected]] of Object.entries(CUT_INPUTS)) {
  Deno.test(`HTTP1ServerConnection takes ${what} cut anywhere`, async () => {
    for (const ends of cutsOf(input.length)) {
      assertEquals(await bodies(input, ends), [...expected], `${ends}`);
    }
  });
}

Deno.test("HTTP1ServerConnection answers pipelined requests in one write", () =>
  serveInMemory(echo, async ({ client, near, tick }) => {
    const writes: number[] = [];
    const write = near.write.bind(near);
    near.write = (bytes) => {
      writes.push(bytes.length);
      return write(bytes);
    };
    await client.send(get("/1") + post("/2", "b") + get("/3"));
    await tick(0);
    assertEquals(writes.length, 1);
    const texts = [await client.answer(), await client.answer(), await client.answer()];
    assertEquals(texts.map(({ text }) => text), ["GET /1 ", "POST /2 b", "GET /3 "]);
  }));

Deno.test("HTTP1ServerConnection answers pipelined requests in order, one after the other", () => {
  let active = 0;
  const app: App = (request) => {
    assertEquals(++active, 1);
    const slow = request.uri === "/2" ? 0 : 10;
    setTimeout(() => {
      active--;
      echo(request);
    }, slow);
  };
  return serve(app, async (port) => {
    using client = await RawClient.connect(port);
    await client.send([1, 2, 3, 4].map((n) => get(`/${n}`)).join(""));
    for (let n = 1; n <= 4; n++) assertEquals((await client.answer()).text, `GET /${n} `);
  });
});

Deno.test("HTTP1ServerConnection takes sync and async answers in turn", () => {
  const app: App = (request) => request.uri.endsWith("0") ? after(1, echo)(request) : echo(request);
  return serve(app, async (port) => {
    using client = await RawClient.connect(port);
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    await client.send(paths.map((path) => get(path)).join(""));
    for (const path of paths) assertEquals((await client.answer()).text, `GET ${path} `);
  });
});

Deno.test("HTTP1ServerConnection keeps connections open as 1.0 and 1.1 say", () =>
  serve(echo, async (port) => {
    const cases = [
      ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", null, true],
      ["GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close", false],
      ["GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", "close", false],
      ["GET / HTTP/1.0\r\n\r\n", null, false],
      ["GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Keep-Alive", true],
      ["GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "Keep-Alive", true],
    ] as const;
    for (const [request, connection, staysOpen] of cases) {
      using client = await RawClient.connect(port);
      await client.send(request);
      const { headers, text } = await client.answer();
      assertEquals(text, "GET / ", request);
      assertEquals(headers.get("Connection"), connection, request);
      if (staysOpen) {
        await client.send(get("/again"));
        assertEquals((await client.answer()).text, "GET /again ");
      } else assertEquals(await client.rest(), "");
    }
  }));

Deno.test("HTTP1ServerConnection closes after an answer that says Connection: close", () =>
  serve(({ connection }) => {
    connection.writeHeaders(
      { code: 200 },
      new HTTPHeaders({ Connection: "close", "Content-Length": "0" }),
    );
    connection.finish();
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    assertEquals((await client.answer()).headers.getList("Connection"), ["close"]);
    assertEquals(await client.rest(), "");
  }));

const streamed: App = ({ connection }) => {
  connection.writeHeaders({ code: 200 }, new HTTPHeaders());
  connection.write("one ");
  connection.write("");
  connection.write(encoder.encode("two"));
  connection.finish();
};

Deno.test("HTTP1ServerConnection streams chunked on 1.1, up to the close on 1.0", () =>
  serve(streamed, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/") + "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const first = await client.answer();
    assertEquals(first.headers.get("Transfer-Encoding"), "chunked");
    assertEquals(first.text, "one two");
    const second = await client.answer();
    assertEquals(second.headers.has("Transfer-Encoding"), false);
    assertEquals(second.headers.has("Connection"), false);
    assertEquals(second.text, "one two");
  }));

Deno.test("HTTP1ServerConnection sends no body to HEAD and stays in step", () =>
  serve(
    (request) => request.uri === "/stream" ? streamed(request) : echo(request),
    async (port) => {
      using client = await RawClient.connect(port);
      for (const path of ["/stream", "/whole"]) {
        await client.send(`HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\n${get("/next")}`);
        const head = await client.answer("HEAD");
        assertEquals(head.status, 200);
        assertEquals(head.headers.get("Content-Length"), path === "/whole" ? "12" : null);
        assertEquals((await client.answer()).text, "GET /next ");
      }
    },
  ));

Deno.test("HTTP1ServerConnection sends no body with 204 and 304 and stays in step", () =>
  serve((request) => {
    const code = Number(request.path.slice(1));
    if (code === 200) return echo(request);
    request.connection.writeHeaders({ code, reason: "" }, new HTTPHeaders());
    request.connection.finish();
  }, async (port) => {
    using client = await RawClient.connect(port);
    for (const code of [204, 304]) {
      await client.send(get(`/${code}`) + get("/200"));
      const { status, headers } = await client.answer();
      assertEquals(status, code);
      assertEquals(headers.has("Transfer-Encoding"), false);
      assertEquals(headers.has("Content-Length"), false);
      assertEquals((await client.answer()).text, "GET /200 ");
    }
  }));

Deno.test("HTTP1ServerConnection says 100 Continue once, before the body", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    assertEquals(await client.bytes(CONTINUE.length), CONTINUE);
    await client.send("hello");
    assertEquals((await client.answer()).text, "POST / hello");
    await client.send(get("/", "Expect: 100-continue\r\n"));
    assertEquals((await client.answer()).status, 200); // there is no body to wait for
  }));

Deno.test("HTTP1ServerConnection answers a body that is too large without 100 Continue", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
    );
    assertEquals((await client.answer()).status, 413);
    assertEquals(await client.rest(), "");
  }, { maxBodySize: 10 }));

const MALFORMED = {
  "no request line": "asdf\r\n\r\n",
  "no colon": "GET / HTTP/1.1\r\nHost: x\r\nfoo\r\n\r\n",
  "a blank before the colon": "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
  "a bare LF": "GET / HTTP/1.1\nHost: x\n\n",
  "a bare CR": "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
  "a folded line": "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
  "no Host": "GET / HTTP/1.1\r\n\r\n",
  "two Hosts": "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
  "a blank in Host": "GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
  "a comma in Host": "GET / HTTP/1.1\r\nHost: x,y\r\n\r\n",
  "a bad method": "FOO,BAR / HTTP/1.1\r\nHost: x\r\n\r\n",
  "another version": "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
  "a control character in the target": "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
  "a control character in a value": "GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
  "a length that is none": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: foo\r\n\r\n",
  "a length with a sign": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
  "a negative length": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
  "a length with an underscore": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n",
  "two lengths": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2,4\r\n\r\n",
  "length and chunks":
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a coding in front of chunked":
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "chunked twice":
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
  "a chunk size that is none":
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1_a\r\n\r\n",
  "an empty chunk size":
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
  "no CRLF behind a chunk":
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n",
  "a chunk line that is too long":
    `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;${
      "x".repeat(70)
    }\r\na\r\n0\r\n\r\n`,
};

for (const [what, input] of Object.entries(MALFORMED)) {
  Deno.test(`HTTP1ServerConnection answers ${what} with 400 and sees nothing that follows`, () =>
    serveInMemory(() => assert(false, "nothing may be handled"), async ({ client, tick }) => {
      const { matched, loggedStack } = await expectLog(
        genLog,
        /^Malformed HTTP message/,
        async () => {
          await client.send(input + get("/follows"));
          await tick(0);
        },
        { level: "info" },
      );
      assertEquals([matched.length, loggedStack], [1, false]);
      assertStringIncludes(matched[0]!, "from 192.0.2.1: ");
      const { status, reason, headers } = await client.answer();
      assertEquals([status, reason], [400, "Bad Request"]);
      assertEquals(headers.get("Connection"), "close");
      await client.send(get("/later"));
      assertEquals(await client.rest(), "");
    }));
}

// It was refused, and logged, a second time when its client ended its side.
Deno.test("HTTP1ServerConnection refuses a connection once", () =>
  serveInMemory(echo, async ({ client, near, tick }) => {
    const { matched } = await expectLog(genLog, /^Malformed/, async () => {
      await client.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
      await tick(0);
      await client.closeWrite();
      await tick(0);
    });
    assertEquals(matched.length, 1);
    assert(near.closed());
    assertEquals((await client.rest()).split("400").length, 2);
  }));

Deno.test("HTTP1ServerConnection accepts what is unusual and allowed", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    const inputs = [
      "GET / HTTP/1.1\r\nHost: x\r\nA:\t\x80\xff \r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2,2\r\n\r\nab",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
      "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    for (const input of inputs) {
      await client.send(Uint8Array.from(input, (char) => char.charCodeAt(0)));
      assertEquals((await client.answer()).status, 200, input);
    }
  }));

Deno.test("HTTP1ServerConnection answers what came before a malformed head", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/1") + "x\r\n\r\n" + get("/2"));
    assertEquals((await client.answer()).text, "GET /1 ");
    assertEquals((await client.answer()).status, 400);
    assertEquals(await client.rest(), "");
  }));

Deno.test("HTTP1ServerConnection lets a refused client that still sends read its answer", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    const sending = client.send(new Uint8Array(3_000_000)).catch(() => {});
    assertEquals((await client.answer()).status, 413);
    await sending;
  }, { maxBodySize: 1000 }));

Deno.test("HTTP1ServerConnection answers a client that ended its side, at once and later", async () => {
  for (const app of [echo, after(0, echo), after(100, echo)]) {
    await serve(app, async (port) => {
      using client = await RawClient.connect(port);
      await client.send(get("/"));
      await client.closeWrite();
      const all = await client.rest();
      assert(all.endsWith("GET / "), all);
      assertEquals(all.replaceAll(CONTINUE, "").split("HTTP/1.1").length, 2, all);
    });
  }
});

Deno.test("HTTP1ServerConnection answers all that a client asked before it ended its side", () =>
  serve(after(5, echo), async (port) => {
    const cases = [["", []], ["GET / HT", ["HTTP/1.1 400"]]] as const;
    for (const [rest, last] of cases) {
      using client = await RawClient.connect(port);
      await client.send(get("/1") + get("/2") + post("/3", "body") + rest);
      await client.closeWrite();
      const all = (await client.rest()).replaceAll(CONTINUE, "");
      assertEquals(all.match(/HTTP\/1\.1 \d+/g), [...Array(3).fill("HTTP/1.1 200"), ...last]);
      assertStringIncludes(all, "POST /3 body");
    }
  }));

Deno.test("HTTP1ServerConnection sends interim answers to a client that ended its side and waits", () => {
  const { app, requests } = waiting();
  return serveInMemory(app, async ({ client, tick }) => {
    await client.send(get("/"));
    await client.closeWrite();
    await tick(60_000);
    echo(requests[0]!);
    await tick(0);
    let all = await client.rest();
    let interim = 0;
    for (; all.startsWith(CONTINUE); interim++) all = all.slice(CONTINUE.length);
    assert(all.startsWith("HTTP/1.1 200 OK\r\n") && all.endsWith("GET / "), all);
    assert(interim >= 2 && interim <= 30, `${interim} in a minute: the intervals grow`);
  });
});

Deno.test("HTTP1ServerConnection goes on with a streamed answer while parts of it come", () => {
  const app: App = async ({ connection }) => {
    connection.writeHeaders({ code: 200 }, new HTTPHeaders());
    for (let i = 0; i < 20; i++) {
      await connection.write("part ");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    connection.finish();
  };
  return serve(app, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    await client.closeWrite();
    assertEquals((await client.answer()).text, "part ".repeat(20));
  });
});

Deno.test("HTTP1ServerConnection sends an HTTP/1.0 client no interim answers", () => {
  const { app, requests } = waiting();
  return serveInMemory(app, async ({ client, tick }) => {
    await client.send("GET / HTTP/1.0\r\n\r\n");
    await client.closeWrite();
    await tick(60_000);
    echo(requests[0]!);
    await tick(0);
    assertMatch(await client.rest(), /^HTTP\/1\.1 200/);
  });
});

Deno.test("HTTP1ServerConnection sends a large answer to a client that ended its side", () => {
  const body = new Uint8Array(3_000_000).fill(65);
  return serve((request) => answer(request, body), async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    await client.closeWrite();
    assertEquals((await client.answer()).body.length, body.length);
    assertEquals(await client.rest(), "");
  });
});

Deno.test("HTTP1ServerConnection refuses a request that ends in the middle", () =>
  serve(() => assert(false), async (port) => {
    for (const part of ["GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"]) {
      using client = await RawClient.connect(port);
      await client.send(part);
      await client.closeWrite();
      assertEquals((await client.answer()).status, 400);
    }
  }));

// Where a client may vanish: what it sends, and what it waits for before it does.
const VANISHING = {
  "before it sends anything": "",
  "in the head": "GET / HTTP/1.1\r\nHo",
  "between head and body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
  "in the body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel",
  "in a chunk": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
  "after its request": get("/"),
  "after the first of two requests": get("/") + get("/"),
} as const;

for (const [when, input] of Object.entries(VANISHING)) {
  Deno.test(`HTTP1ServerConnection leaves nothing behind of a client that vanishes ${when}`, async () => {
    for (const app of [echo, after(80, (request) => assertThrows(() => echo(request)))]) {
      await serve(app, async (port, server) => {
        const client = await RawClient.connect(port);
        await client.send(input);
        await new Promise((resolve) => setTimeout(resolve, 5));
        client.close();
        await new Promise((resolve) => setTimeout(resolve, 100));
        assertEquals(await server.shutdown({ grace: 0 }), { cut: 0 });
      });
    }
  });
}

Deno.test("HTTP1ServerConnection tells the request once when its client vanishes in the answer", () => {
  const events: string[] = [];
  let request: HTTPServerRequest;
  const app: App = (its) => {
    request = its;
    its.connection.onClose = () => events.push("closed");
    its.connection.writeHeaders({ code: 200 }, new HTTPHeaders());
    its.connection.write("x".repeat(1000));
  };
  return serve(app, async (port, server) => {
    const client = await RawClient.connect(port);
    await client.send(get("/"));
    await client.bytes(1000);
    client.close();
    await until(() => events.length > 0);
    assertThrows(() => request.connection.write("more"), StreamClosedError);
    assertThrows(() => request.connection.finish(), StreamClosedError);
    assertEquals(events, ["closed"]);
    assertEquals(await server.shutdown({ grace: 0 }), { cut: 0 });
  });
});

Deno.test("HTTP1ServerConnection does not tell a request whose answer was finished", () => {
  const app: App = (request) => {
    request.connection.onClose = () => assert(false);
    echo(request);
  };
  return serve(app, async (port) => {
    const client = await RawClient.connect(port);
    await client.send(get("/"));
    await client.answer();
    client.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

Deno.test("HTTP1ServerConnection fails the write that a vanished client does not take", () => {
  const outcome = Promise.withResolvers<unknown>();
  const app: App = ({ connection }) => {
    connection.writeHeaders({ code: 200 }, new HTTPHeaders());
    connection.write(new Uint8Array(30_000_000)).then(
      () => outcome.resolve("done"),
      outcome.resolve,
    );
  };
  return serve(app, async (port, server) => {
    const client = await RawClient.connect(port);
    await client.send(get("/"));
    await client.bytes(1000);
    client.close();
    assert(await outcome.promise instanceof StreamClosedError);
    assertEquals(await server.shutdown({ grace: 0 }), { cut: 0 });
  });
});

Deno.test("HTTP1ServerConnection.write() beyond Content-Length throws and closes", () =>
  serve(({ connection }) => {
    connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "5" }));
    connection.write("hello");
    assertThrows(() => connection.write("!"), HTTPOutputError, "longer");
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    assert(!(await client.rest()).includes("!"));
  }));

Deno.test("HTTP1ServerConnection.finish() before Content-Length throws and closes", () =>
  serve(({ connection }) => {
    connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "5" }));
    connection.write("hell");
    assertThrows(() => connection.finish(), HTTPOutputError, "1 bytes");
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    await client.rest();
  }));

Deno.test("HTTP1ServerConnection.writeHeaders() refuses a Content-Length that is no number", () =>
  serve((request) => {
    const headers = new HTTPHeaders({ "Content-Length": "five" });
    assertThrows(
      () => request.connection.writeHeaders({ code: 200 }, headers),
      TypeError,
      '"five"',
    );
    request.connection.abort();
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    assertEquals(await client.rest(), "");
  }));

Deno.test("HTTP1ServerConnection.writeHeaders() that refuses a head may be called with another", () =>
  serve((request) => {
    const { connection } = request;
    for (const [name, value] of [["Transfer-Encoding", "chunked"], ["X", "a\u010a"]] as const) {
      assertThrows(() => connection.writeHeaders({ code: 200 }, new HTTPHeaders([[name, value]])));
    }
    connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "0" }));
    connection.finish();
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assertEquals(
      await client.rest(),
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
  }));

Deno.test("HTTP1ServerConnection refuses answers out of turn", () =>
  serve((request) => {
    const { connection } = request;
    assertThrows(() => connection.write("x"), Error, "head was not written");
    assertThrows(() => connection.finish(), Error, "no head");
    connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "0" }));
    assertThrows(
      () => connection.writeHeaders({ code: 200 }, new HTTPHeaders()),
      Error,
      "was written",
    );
    connection.finish();
    assertThrows(() => connection.finish(), Error, "no answer is due");
    assertThrows(() => connection.write("x"), Error, "no answer is due");
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(get("/"));
    assertEquals((await client.answer()).status, 200);
  }));

Deno.test("HTTP1ServerConnection answers 500 when the application throws, and goes on", () =>
  serve((request) => {
    if (request.uri === "/bad") throw new Error("broken application");
    echo(request);
  }, async (port) => {
    using client = await RawClient.connect(port);
    const { matched, loggedStack } = await expectLog(appLog, /broken application/, async () => {
      await client.send(get("/bad") + get("/good"));
      assertEquals((await client.answer()).status, 500);
    });
    assertEquals([matched.length, loggedStack], [1, true]);
    assertEquals((await client.answer()).text, "GET /good ");
  }));

Deno.test("HTTP1ServerConnection closes when the application throws in its answer", () =>
  serve(({ connection }) => {
    connection.writeHeaders({ code: 200 }, new HTTPHeaders());
    connection.write("part");
    throw new Error("broken application");
  }, async (port) => {
    using client = await RawClient.connect(port);
    await expectLog(appLog, /broken application/, async () => {
      await client.send(get("/"));
      assert(!(await client.rest()).includes("0\r\n\r\n"));
    });
  }));

const takeOver: App = (request) => {
  const stream = request.connection.detach();
  stream.write("taken: ");
  stream.readUntil("\n").then(async (line) => {
    stream.write(line);
    stream.write(await stream.readUntil("\n"));
    stream.close();
  });
};

for (const [when, app] of [["at once", takeOver], ["later", after(5, takeOver)]] as const) {
  Deno.test(`HTTP1ServerConnection.detach() hands over the stream with what came behind, ${when}`, () =>
    serve(app, async (port, server) => {
      using client = await RawClient.connect(port);
      await client.send(get("/") + "not HTTP\nat all\n");
      assertEquals(await client.rest(), "taken: not HTTP\nat all\n");
      assertEquals(await server.shutdown({ grace: 0 }), { cut: 0 });
    }));
}

// A client that took longer than some seconds for a last answer got only a part of it.
for (
  const [what, input, ends] of [
    ["closes", get("/", "Connection: close\r\n"), false],
    ["speaks HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", false],
    ["sent its end", get("/"), true],
    ["is long idle", get("/"), false],
  ] as const
) {
  Deno.test(`HTTP1ServerConnection.finish() leaves its time to a slow client that ${what}`, () => {
    const size = 1_000_000;
    const app: App = (request) => answer(request, new Uint8Array(size));
    return serveInMemory(app, async ({ client, tick }) => {
      await client.send(input);
      if (ends) await client.closeWrite();
      await tick(0);
      let came = 0;
      for (; came < size; came += 50_000) {
        await client.bytes(50_000);
        await tick(2000);
      }
      await client.rest();
      assertEquals(came, size);
    }, { idleConnectionTimeout: 5000 });
  });
}

// The answers to pipelined requests piled up without a limit while the client read none.
for (const ends of [false, true]) {
  const end = ends ? " and sent its end" : "";
  Deno.test(`HTTP1ServerConnection._data() waits for a client that pipelines, does not read${end}`, () => {
    const count = 500;
    const size = 10_000;
    let seen = 0;
    const app: App = (request) => {
      seen++;
      answer(request, new Uint8Array(size));
    };
    return serveInMemory(app, async ({ client, tick }) => {
      const sent = client.send(get("/").repeat(count));
      if (ends) sent.then(() => client.closeWrite());
      await tick(0);
      assert(seen < 100, `${seen} requests were answered`);
      for (let answers = 0; answers < count; answers++) {
        assertEquals((await client.answer()).body.length, size);
        await tick(0);
      }
      await sent;
      assertEquals(seen, count);
      if (ends) assertEquals(await client.rest(), "");
    });
  });
}
