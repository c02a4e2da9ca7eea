import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { appLog, CancelledError, type Future, IOLoop } from "../../ioloop/mod.ts";
import { coroutine } from "../../gen/mod.ts";
import {
  AsyncHTTPClient,
  type FetchOptions,
  HTTPClientError,
  HTTPHeaders,
  HTTPInputError,
  HTTPRequest,
  HTTPResponse,
  HTTPStreamClosedError,
  HTTPTimeoutError,
  SimpleAsyncHTTPClient,
} from "../../http/mod.ts";
import { StreamClosedError } from "../../iostream/mod.ts";
import { bindUnusedPort, expectLog } from "../../testing/mod.ts";
import { answer, answering as answeringBy, type ScriptedServer } from "./_answering.ts";
import { until } from "./_raw_client.ts";

interface Fetched {
  readonly server: ScriptedServer;
  readonly client: SimpleAsyncHTTPClient;
  readonly fetch: (options?: FetchOptions) => Future<HTTPResponse>;
}

/** Runs `body` beside a server that answers each request with the given pieces. */
function answering(
  pieces: readonly string[],
  body: (fetched: Fetched) => Promise<void>,
  { ends = false }: { ends?: boolean } = {},
): Promise<void> {
  return answeringBy(
    function* (_asked, { stream }) {
      for (const piece of pieces) {
        yield* stream.write(Uint8Array.from(piece, (char) => char.charCodeAt(0)));
        yield null;
      }
      return ends ? null : undefined;
    },
    ({ server, client, url }) =>
      body({ server, client, fetch: (options) => client.fetch(url("/path?q=1"), options) }),
  );
}

function text(response: HTTPResponse): string {
  return response.text();
}

/** Expects that there is no answer, and returns why. */
async function noAnswer(fetching: Future<HTTPResponse>): Promise<HTTPClientError> {
  const error = await assertRejects(() => fetching.then(), HTTPClientError);
  assertEquals([error.code, error.response], [599, null]);
  assertEquals(error.name, error.constructor.name);
  assertStringIncludes(error.message, "HTTP 599: ");
  return error;
}

const HELLO = "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello";

Deno.test("fetch() returns status, reason, headers and body", () =>
  answering([HELLO], async ({ fetch, server }) => {
    const response = await fetch();
    assertEquals([response.code, response.reason, text(response)], [200, "Fine", "hello"]);
    assertEquals(response.headers.get("x-a"), "1,2");
    assertEquals(response.effectiveUrl, server.url("/path?q=1"));
    assertInstanceOf(response.request, HTTPRequest);
    assertEquals([response.error, response.buffer], [null, response.body]);
    assert(response.requestTime > 0 && response.requestTime < 10_000);
  }));

Deno.test("fetch() reads an answer that comes byte by byte", () =>
  answering([...HELLO], async ({ fetch }) => {
    assertEquals(text(await fetch()), "hello");
  }));

Deno.test("fetch() sends a whole request", () =>
  answering([HELLO], async ({ fetch, server }) => {
    await fetch();
    const [{ raw } = { raw: "" }] = server.asked;
    const lines = [
      "GET /path\\?q=1 HTTP/1.1",
      `Host: 127.0.0.1:${server.port}`,
      "User-Agent: Waterspout/\\d\\S*",
      "Accept-Encoding: gzip",
    ];
    assertMatch(raw, new RegExp(`^${lines.join("\r\n")}\r\n\r\n$`));
  }));

Deno.test("fetch() sends method, headers and body", () =>
  answering([HELLO], async ({ fetch, server }) => {
    const headers = { "X-Mine": "yes", "User-Agent": "me", "Host": "other.example" };
    await fetch({ method: "PUT", headers, body: "gr\u00fcn" });
    const [{ raw } = { raw: "" }] = server.asked;
    assertStringIncludes(raw, "PUT /path?q=1 HTTP/1.1\r\n");
    for (const line of ["X-Mine: yes", "User-Agent: me", "Host: other.example"]) {
      assertStringIncludes(raw, `\r\n${line}\r\n`);
    }
    assertStringIncludes(raw, "\r\nContent-Length: 5\r\n");
    assert(raw.endsWith("\r\n\r\ngr\xc3\xbcn"));
    assertEquals(headers, { "X-Mine": "yes", "User-Agent": "me", "Host": "other.example" });
  }));

Deno.test("fetch() sends an empty body with its length", () =>
  answering([HELLO], async ({ fetch, server }) => {
    await fetch({ method: "POST", body: new Uint8Array(0) });
    assertStringIncludes(server.asked[0]!.raw, "\r\nContent-Length: 0\r\n");
  }));

Deno.test("fetch() reads a chunked body", () =>
  answering([
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "3\r\nhel\r\n2;x=y\r\nl",
    "o\r\n0\r\nX-Trailer: 1\r\n\r\n",
  ], async ({ fetch }) => {
    assertEquals(text(await fetch()), "hello");
  }));

Deno.test("fetch() reads a body that ends with the connection", async () => {
  await answering(["HTTP/1.1 200 OK\r\n\r\nhel", "lo"], async ({ fetch }) => {
    assertEquals(text(await fetch()), "hello");
  }, { ends: true });
  await answering(["HTTP/1.0 200 OK\r\n\r\n"], async ({ fetch }) => {
    assertEquals(text(await fetch()), "");
  }, { ends: true });
});

Deno.test("fetch() does not wait for a body where there is none", async () => {
  for (
    const [method, head] of [
      ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
      ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
      ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
      ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
      ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ] as const
  ) {
    await answering([head], async ({ fetch }) => {
      assertEquals((await fetch({ method, raiseError: false })).body.length, 0);
    });
  }
});

Deno.test("fetch() skips interim answers", () =>
  answering([
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    HELLO,
  ], async ({ fetch }) => {
    const response = await fetch();
    assertEquals([response.code, response.headers.get("Link")], [200, null]);
  }));

Deno.test("fetch() fails with the answer when its status is 400 or more", () =>
  answering(["HTTP/1.1 404 Gone Fishing\r\nContent-Length: 2\r\n\r\nno"], async ({ fetch }) => {
    const error = await assertRejects(() => fetch().then(), HTTPClientError);
    assertEquals([error.code, error.message], [404, "HTTP 404: Gone Fishing"]);
    assertEquals([error.response?.code, text(error.response!)], [404, "no"]);
  }));

Deno.test("fetch() with raiseError false returns such an answer, and fails without one", async () => {
  const refusal = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";
  await answering([refusal], async ({ fetch }) => {
    const response = await fetch({ raiseError: false });
    assertEquals([response.code, text(response)], [503, "no"]);
  });
  await answering([], async ({ fetch }) => {
    await noAnswer(fetch({ raiseError: false }));
  }, { ends: true });
});

Deno.test("fetch() gives up after requestTimeout, in the head or in the body", async () => {
  for (const pieces of [[], ["HTTP/1.1 2"], ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"]]) {
    await answering(pieces, async ({ fetch }) => {
      const error = await noAnswer(fetch({ requestTimeout: 20 }));
      assertInstanceOf(error, HTTPTimeoutError);
      assertEquals(error.message, "HTTP 599: Timeout during request");
    });
  }
});

Deno.test("fetch() with timeouts of 0 has no limit", () =>
  answering([HELLO], async ({ fetch }) => {
    assertEquals((await fetch({ requestTimeout: 0, connectTimeout: 0 })).code, 200);
  }));

Deno.test("fetch() fails when the connection is refused", () =>
  new IOLoop().run(async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    const client = new SimpleAsyncHTTPClient();
    const error = await noAnswer(client.fetch(`http://127.0.0.1:${port}/`, { raiseError: false }));
    assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
    assertStringIncludes(error.message, `Cannot connect to 127.0.0.1:${port}`);
    client.close();
  }));

Deno.test("fetch() fails when there is no such host", () =>
  new IOLoop().run(async () => {
    const client = new SimpleAsyncHTTPClient();
    const error = await noAnswer(client.fetch("http://no-such-host.invalid/"));
    assertStringIncludes(error.message, "Cannot connect to no-such-host.invalid:80");
    client.close();
  }));

Deno.test("fetch() fails when the connection ends too early, and says where", async () => {
  for (
    const [piece, where] of [
      ["HTTP/1.1 200 OK\r\nContent-", "in the head of the answer"],
      ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "1 bytes before the end"],
      [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "in the body of the answer",
      ],
    ] as const
  ) {
    await answering([piece], async ({ fetch }) => {
      const error = await noAnswer(fetch());
      assertInstanceOf(error, HTTPStreamClosedError);
      assertInstanceOf(error.cause, StreamClosedError);
      assertStringIncludes(error.message, where);
    }, { ends: true });
  }
  await answering([], async ({ fetch }) => {
    assertStringIncludes((await noAnswer(fetch())).message, "Stream closed before the answer");
  }, { ends: true });
});

Deno.test("fetch() refuses what is not HTTP", async () => {
  for (
    const piece of [
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: +10\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 2,4\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_a\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhelX",
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;${"x".repeat(64)}\r\nhe\r\n`,
      "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ]
  ) {
    await answering([piece], async ({ fetch }) => {
      const error = await noAnswer(fetch());
      assertInstanceOf(error, HTTPStreamClosedError);
      assertInstanceOf(error.cause, HTTPInputError);
    });
  }
});

Deno.test("fetch() takes a bare LF in the head, and joins folded fields", () =>
  answering(["HTTP/1.1 200 OK\nX-A: 1\n  2\nContent-Length: 2,2\n\nok"], async ({ fetch }) => {
    const response = await fetch();
    assertEquals([response.headers.get("X-A"), text(response)], ["1 2", "ok"]);
  }));

Deno.test("fetch() with 204 and a Content-Length of 0 is fine", () =>
  answering(["HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"], async ({ fetch }) => {
    assertEquals((await fetch()).code, 204);
  }));

Deno.test("fetch() refuses a body over maxBodySize, however it is framed", async () => {
  for (
    const [piece, ends] of [
      ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false],
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false],
      ["HTTP/1.1 200 OK\r\n\r\nhello", true],
    ] as const
  ) {
    await answering([piece], async ({ fetch }) => {
      assertEquals(text(await fetch({ maxBodySize: 5 })), "hello");
    }, { ends });
    await answering([piece], async ({ fetch }) => {
      const { message } = await noAnswer(fetch({ maxBodySize: 4 }));
      assertStringIncludes(message, "Cannot read answer: its body is larger than 4 bytes");
    }, { ends });
  }
});

Deno.test("fetch() refuses a head over 64 KiB, or over maxHeaderSize", async () => {
  await answering([`HTTP/1.1 200 OK\r\nX: ${"x".repeat(65536)}\r\n\r\n`], async ({ fetch }) => {
    assertStringIncludes((await noAnswer(fetch())).message, "exceeds 65536 bytes");
  });
  const head = answer("", "X: 123\r\n");
  await answeringBy(() => head, async ({ client, url }) => {
    assertEquals((await client.fetch(url())).code, 200);
  }, { maxHeaderSize: head.length });
  await answeringBy(() => head, async ({ client, url }) => {
    await noAnswer(client.fetch(url()));
  }, { maxHeaderSize: head.length - 1 });
});

Deno.test("fetch() refuses interim answers without end", () =>
  answeringBy(function* (_asked, { stream }) {
    for (;;) yield* stream.write("HTTP/1.1 100 Continue\r\n\r\n");
  }, async ({ client, url }) => {
    assertStringIncludes((await noAnswer(client.fetch(url()))).message, "exceeds 65536 bytes");
  }));

Deno.test("fetch() reads a body that is larger than the buffer, within maxBodySize", () =>
  answeringBy(() => answer("x".repeat(300_000)), async ({ client, url }) => {
    assertEquals((await client.fetch(url())).body.length, 300_000);
    let size = 0;
    const streamingCallback = (chunk: Uint8Array) => void (size += chunk.length);
    const response = await client.fetch(url(), { streamingCallback });
    assertEquals([size, response.body.length], [300_000, 0]);
  }, { maxBufferSize: 65536, maxBodySize: 300_000 }));

Deno.test("fetch() that is cancelled closes its connection", () =>
  answering(["HTTP/1.1 200 OK\r\n"], async ({ fetch, server }) => {
    const fetching = fetch();
    await until(() => server.asked.length > 0);
    assert(fetching.cancel("enough"));
    assert(fetching.cancelled());
    await assertRejects(() => fetching.then(), CancelledError, "enough");
    await until(() => server.open === 0);
  }));

Deno.test("fetch() ends with the coroutine that waits for it", () =>
  answering([], async ({ fetch, server }) => {
    const waiting = coroutine(function* () {
      yield* fetch();
    })();
    await until(() => server.asked.length > 0);
    waiting.cancel();
    await assertRejects(() => waiting.then(), CancelledError);
    await until(() => server.open === 0);
  }));

Deno.test("fetch() that is cancelled while it connects leaves no connection open", () =>
  answering([HELLO], async ({ fetch }) => {
    const fetching = fetch();
    fetching.cancel();
    await assertRejects(() => fetching.then(), CancelledError);
  }));

Deno.test("fetch() ends when its signal is aborted", async () => {
  await answering([], async ({ fetch, server }) => {
    const controller = new AbortController();
    const fetching = fetch({ signal: controller.signal });
    await until(() => server.asked.length > 0);
    controller.abort(new Error("no more"));
    await assertRejects(() => fetching.then(), CancelledError, "no more");
    await until(() => server.open === 0);
  });
  await answering([HELLO], async ({ fetch, server }) => {
    await assertRejects(
      () => fetch({ signal: AbortSignal.abort("before") }).then(),
      CancelledError,
    );
    const { signal } = new AbortController();
    assertEquals((await fetch({ signal })).code, 200);
    assertEquals(server.asked.length, 1);
  });
});

Deno.test("fetch() on a closed client throws, and what is in progress is cancelled", () =>
  answering([], async ({ fetch, client, server }) => {
    const fetching = fetch();
    await until(() => server.asked.length > 0);
    client.close();
    client.close();
    await assertRejects(() => fetching.then(), CancelledError, "the client was closed");
    assertThrows(() => fetch(), Error, "Cannot fetch: the client was closed");
  }));

Deno.test("fetch() refuses what would break the request", () => {
  const client = new SimpleAsyncHTTPClient();
  const fetch = (options: FetchOptions) => client.fetch("http://127.0.0.1:1/", options);
  assertThrows(() => fetch({ method: "GET / HTTP/1.1\r\nX: y\r\n\r\n" }), TypeError);
  assertThrows(() => fetch({ method: "" }), TypeError);
  for (const value of ["a\r\nB: c", "a\nB: c", "a\rb", "a\0b"]) {
    assertThrows(() => fetch({ headers: { A: value } }), TypeError);
  }
  for (const name of ["A\r\nB", "A:", "A B", ""]) {
    assertThrows(() => fetch({ headers: { [name]: "x" } }), TypeError);
  }
  for (
    const headers of [
      { "Content-Length": "x" },
      { "Content-Length": "7" },
      { "Transfer-Encoding": "chunked" },
      { "Transfer-Encoding": "gzip" },
    ]
  ) {
    assertThrows(() => fetch({ headers, method: "PUT", body: "hello" }), TypeError);
  }
  client.close();
});

Deno.test("fetch() refuses options that make no sense, and names them", () => {
  const client = new SimpleAsyncHTTPClient();
  const refused = (options: FetchOptions, type: typeof TypeError, why: string) =>
    assertThrows(() => client.fetch("http://127.0.0.1:1/", options), type, why);
  refused({ authMode: "basics" as "basic" }, TypeError, "authMode");
  refused({ proxyAuthMode: "none" as "basic" }, TypeError, "proxyAuthMode");
  refused({ proxyHost: "localhost" }, TypeError, "proxyPort");
  refused({ proxyPort: 8080 }, TypeError, "proxyHost");
  refused({ proxyHost: "x", proxyPort: 1, unixSocket: "/x" }, TypeError, "Unix socket");
  refused({ networkInterface: "eth0" }, TypeError, "eth0");
  refused({ requestTimeout: -1 }, RangeError, "requestTimeout");
  refused({ connectTimeout: NaN }, RangeError, "connectTimeout");
  refused({ maxRedirects: -1 }, RangeError, "maxRedirects");
  client.close();
});

Deno.test("fetch() refuses URLs that are neither http: nor https:", () => {
  const client = new SimpleAsyncHTTPClient();
  for (const url of ["ftp://localhost/", "file:///etc", "/relative", ""]) {
    assertThrows(() => client.fetch(url), TypeError, "Cannot fetch");
  }
  client.close();
});

Deno.test("fetch() encodes what a URL may not hold", () =>
  answering([HELLO], async ({ server, client }) => {
    const url = server.url("/a b\r\n\u00e9?x=\u00e9 y#part");
    await client.fetch(url);
    assertEquals(server.asked[0]!.target, "/a%20b%C3%A9?x=%C3%A9%20y");
  }));

for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]) {
  Deno.test(`fetch() sends ${method}`, () =>
    answering([method === "HEAD" ? answer("", "Allow: all\r\n") : HELLO], async (made) => {
      const body = method.startsWith("P") ? "some" : undefined;
      assertEquals((await made.fetch({ method, body })).code, 200);
      const [asked] = made.server.asked;
      assertEquals([asked!.method, asked!.body], [method, body ?? ""]);
    }));
}

Deno.test("fetch() sends other methods, and unusual bodies, when it is allowed to", () =>
  answering([HELLO], async ({ fetch, server }) => {
    assertThrows(() => fetch({ method: "PURGE" }), TypeError, "allowNonstandardMethods");
    assertThrows(() => fetch({ method: "POST" }), TypeError, "the method POST needs a body");
    assertThrows(() => fetch({ body: "x" }), TypeError, "the method GET has no body");
    assertThrows(
      () => fetch({ method: "PUT", body: "x", bodyProducer: () => {} }),
      TypeError,
      "both body and bodyProducer",
    );
    const allowNonstandardMethods = true;
    await fetch({ method: "PURGE", allowNonstandardMethods });
    await fetch({ method: "POST", allowNonstandardMethods });
    await fetch({ body: "x", allowNonstandardMethods });
    assertEquals(
      server.asked.map(({ method, headers, body }) => [
        method,
        headers.get("Content-Length"),
        body,
      ]),
      [["PURGE", null, ""], ["POST", "0", ""], ["GET", "1", "x"]],
    );
  }));

Deno.test("fetch() gives POST a type, unless there is one", () =>
  answering([HELLO], async ({ fetch, server }) => {
    await fetch({ method: "POST", body: "a=b" });
    await fetch({ method: "POST", body: "{}", headers: { "content-type": "application/json" } });
    await fetch({ method: "PUT", body: "a=b" });
    assertEquals(server.asked.map(({ headers }) => headers.get("Content-Type")), [
      "application/x-www-form-urlencoded",
      "application/json",
      null,
    ]);
  }));

Deno.test("fetch() sends and returns latin-1 in header fields, and refuses what is beyond", () =>
  answering([answer("", "X-Name: J\xe4s\xf8n\r\n")], async ({ fetch, server }) => {
    const { headers } = await fetch({ headers: { "X-Name": "gr\xfcn" } });
    assertEquals(headers.get("X-Name"), "J\xe4s\xf8n");
    assertEquals(server.asked[0]!.headers.get("X-Name"), "gr\xfcn");
    await assertRejects(() => fetch({ headers: { "X-Name": "\u20ac" } }).then(), TypeError);
  }));

Deno.test("fetch() sends ifModifiedSince, and calls 304 an error with its answer", () =>
  answering(["HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n"], async (made) => {
    const ifModifiedSince = new Date(1359312200503);
    const error = await assertRejects(
      () => made.fetch({ ifModifiedSince }).then(),
      HTTPClientError,
    );
    assertEquals([error.code, error.response!.body.length], [304, 0]);
    const response = await made.fetch({ ifModifiedSince: 1359312200503, raiseError: false });
    assertEquals([response.code, response.error?.message], [304, "HTTP 304: Not Modified"]);
    for (const { headers } of made.server.asked) {
      assertEquals(headers.get("If-Modified-Since"), "Sun, 27 Jan 2013 18:43:20 GMT");
    }
  }));

Deno.test("fetch() with a callback calls it with the response, also of a failure", async () => {
  const refusal = "HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n\r\nno";
  await answering([refusal], async ({ client, server }) => {
    const response = await new Promise<HTTPResponse>((resolve) => {
      client.fetch(server.url(), resolve);
    });
    assertEquals([response.code, text(response)], [404, "no"]);
    assertThrows(() => response.rethrow(), HTTPClientError, "HTTP 404: Gone");
  });
  await answering([HELLO], async ({ client, server }) => {
    const response = await new Promise<HTTPResponse>((resolve) => {
      client.fetch(server.url(), {}, resolve);
    });
    assertEquals([response.code, response.error], [200, null]);
    response.rethrow();
  });
  await answering([], async ({ client, server }) => {
    const response = await new Promise<HTTPResponse>((resolve) => {
      client.fetch(server.url(), resolve);
    });
    assertEquals([response.code, response.request.url], [599, server.url()]);
    assertInstanceOf(response.error, HTTPStreamClosedError);
  }, { ends: true });
});

Deno.test("fetch() takes an HTTPRequest again and again, and changes nothing of it", () =>
  answering([HELLO], async ({ client, server }) => {
    const headers = new HTTPHeaders({ "X-Mine": "1" });
    const request = new HTTPRequest(server.url(), { headers, method: "POST", body: "x" });
    const before = Deno.inspect(request);
    const response = await client.fetch(request);
    assertEquals(response.request, request);
    await client.fetch(response.request);
    assertEquals([Deno.inspect(request), headers.size], [before, 1]);
    assertEquals(server.asked[0]!.raw, server.asked[1]!.raw);
    assertThrows(() => client.fetch(request, { method: "PUT" }), TypeError, "method");
    assertEquals((await client.fetch(request, { raiseError: false })).code, 200);
  }));

Deno.test("fetch() takes what is left open from the client's defaults", () =>
  answeringBy((asked) => answer(asked.headers.get("User-Agent")!), async ({ client, url }) => {
    assertEquals((await client.fetch(url())).text(), "mine");
    assertEquals((await client.fetch(url(), { userAgent: "other" })).text(), "other");
    await assertRejects(
      () => client.fetch(url(), { maxBodySize: 3 }).then(),
      HTTPClientError,
      "larger than 3",
    );
  }, { defaults: { userAgent: "mine" } }));

Deno.test("fetch() tells how long each phase took", () =>
  answering([HELLO], async ({ fetch, client }) => {
    const first = await fetch({ startTime: 1 });
    const { queue, connect, firstByte, total } = first.timeInfo;
    assert(queue >= 0 && connect > 0 && firstByte > 0, Deno.inspect(first.timeInfo));
    assert(connect + firstByte <= total && first.requestTime === total);
    assert(first.startTime <= client.ioLoop.time());
    assert((await fetch()).timeInfo.connect < connect + 1);
  }));

Deno.test("AsyncHTTPClient.create() gives one client for each loop, unless it is forced", () =>
  new IOLoop().run(() => {
    const client = AsyncHTTPClient.create();
    assertInstanceOf(client, SimpleAsyncHTTPClient);
    assertEquals(AsyncHTTPClient.create(), client);
    const other = AsyncHTTPClient.create({ forceInstance: true });
    const elsewhere = AsyncHTTPClient.create({ ioLoop: new IOLoop() });
    assertEquals(new Set([client, other, elsewhere]).size, 3);
    client.close();
    const next = AsyncHTTPClient.create();
    assert(next !== client);
    for (const each of [next, other, elsewhere]) each.close();
  }));

Deno.test("AsyncHTTPClient.configure() chooses options and implementation", () =>
  new IOLoop().run(async () => {
    class Canned extends SimpleAsyncHTTPClient {
      override fetchImpl(
        ...[request, callback]: Parameters<SimpleAsyncHTTPClient["fetchImpl"]>
      ): () => void {
        const { userAgent, original } = request;
        const response = { request: original, body: new TextEncoder().encode(userAgent) };
        callback(Object.assign(Object.create(null), { ...response, error: null }));
        return () => {};
      }
    }
    try {
      AsyncHTTPClient.configure(Canned, { defaults: { userAgent: "canned" } });
      const client = AsyncHTTPClient.create({ forceInstance: true });
      assertInstanceOf(client, Canned);
      const { body } = await client.fetch("http://example.org/");
      assertEquals(new TextDecoder().decode(body), "canned");
      client.close();
      AsyncHTTPClient.configure(null, { maxClients: 0 });
      assertThrows(() => AsyncHTTPClient.create({ forceInstance: true }), RangeError, "maxClients");
      assertThrows(() => new SimpleAsyncHTTPClient({ maxIdle: -1 }), RangeError, "maxIdle");
    } finally {
      AsyncHTTPClient.configure(null);
    }
  }));

Deno.test("fetch() that was cancelled logs the late failure of an implementation, once", () =>
  new IOLoop().run(async () => {
    let fail: (() => void) | undefined;
    class Deaf extends SimpleAsyncHTTPClient {
      override fetchImpl(
        ...[request, callback]: Parameters<SimpleAsyncHTTPClient["fetchImpl"]>
      ): () => void {
        const error = new Error("too late");
        const response = new HTTPResponse(request.original, 599, new HTTPHeaders(), { error });
        fail = () => callback(response);
        return () => {}; // goes on
      }
    }
    const client = new Deaf();
    const fetching = client.fetch("http://example.org/");
    fetching.cancel();
    await assertRejects(() => fetching.then(), CancelledError);
    const { matched } = await expectLog(appLog, /too late/, () => fail!());
    assertEquals(matched.length, 1);
    client.close();
  }));

Deno.test("fetch() refuses control characters wherever they come from", () =>
  answering([HELLO], async ({ fetch, server }) => {
    const cookieJar = { getCookieStringSync: () => "a=1\r\nX: y", setCookieSync: () => {} };
    for (const options of [{ userAgent: "me\r\nX: y" }, { userAgent: "\0" }, { cookieJar }]) {
      await assertRejects(() => fetch(options).then(), TypeError, "control character");
    }
    assertEquals(server.asked.length, 0);
  }));

Deno.test("fetch() passes on what its own callbacks throw", async () => {
  const error = new RangeError("mine");
  const fail = () => {
    throw error;
  };
  for (
    const options of [
      { headerCallback: fail },
      { streamingCallback: fail },
      { streamingCallback: () => Promise.reject(error) },
      { method: "PUT", bodyProducer: fail },
      { method: "PUT", bodyProducer: () => Promise.reject(error) },
    ]
  ) {
    await answering([HELLO], async ({ fetch, server }) => {
      assertEquals(await assertRejects(() => fetch(options).then()), error);
      await until(() => server.open === 0);
    });
  }
});
