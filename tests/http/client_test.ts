import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { CancelledError, type Future, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import {
  AsyncHTTPClient,
  type FetchOptions,
  HTTPClientError,
  type HTTPResponse,
} from "../../http/mod.ts";
import { type IOStream, StreamClosedError, TCPServer } from "../../iostream/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { until } from "./_raw_client.ts";

/** A server that sends what it is told to, whatever it was asked. */
class Scripted extends TCPServer {
  readonly #answer: readonly (string | Uint8Array)[];
  readonly #ends: boolean;

  /** What came up to the end of the head and, where there is a length, of the body. */
  asked = "";
  /** How many connections were closed by the client. */
  left = 0;

  /** Each piece of `answer` is a write of its own; it `ends` the connection behind the last. */
  constructor(answer: readonly (string | Uint8Array)[], ends: boolean) {
    super();
    this.#answer = answer;
    this.#ends = ends;
    this.listen(0, "127.0.0.1");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.addresses[0] as Deno.NetAddr).port}/path?q=1`;
  }

  override *handleStream(stream: IOStream): CoroutineGenerator {
    stream.setCloseCallback(() => this.left++);
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    this.asked = decode(yield* stream.readUntil("\r\n\r\n"));
    const [, length = "0"] = /^Content-Length: (\d+)/m.exec(this.asked) ?? [];
    this.asked += decode(yield* stream.readBytes(Number(length)));
    for (const piece of this.#answer) {
      yield* stream.write(piece);
      yield null;
    }
    if (this.#ends) stream.close();
  }
}

interface Fetched {
  readonly server: Scripted;
  readonly fetch: (options?: FetchOptions) => Future<HTTPResponse>;
}

/** Runs `body` beside a server that answers with the given pieces. */
function answering(
  answer: readonly (string | Uint8Array)[],
  body: (fetched: Fetched) => Promise<void>,
  { ends = false }: { ends?: boolean } = {},
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = new Scripted(answer, ends);
    const client = new AsyncHTTPClient();
    try {
      await body({ server, fetch: (options) => client.fetch(server.url, options) });
      await until(() => server.asked === "" || server.left > 0); // no connection stays open
    } finally {
      server.stop();
    }
  }, { timeout: 10_000 });
}

function text({ body }: HTTPResponse): string {
  return new TextDecoder().decode(body);
}

/** Expects that there is no answer, and returns why. */
async function noAnswer(fetching: Future<HTTPResponse>): Promise<HTTPClientError> {
  const error = await assertRejects(() => fetching.then(), HTTPClientError);
  assertEquals([error.code, error.response, error.name], [599, null, "HTTPClientError"]);
  assertStringIncludes(error.message, "HTTP 599: ");
  return error;
}

const HELLO = "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello";

Deno.test("fetch() returns status, reason, headers and body", () =>
  answering([HELLO], async ({ fetch, server }) => {
    const response = await fetch();
    assertEquals([response.code, response.reason, text(response)], [200, "Fine", "hello"]);
    assertEquals(response.headers.get("x-a"), "1,2");
    assertEquals(response.effectiveUrl, server.url);
    assert(response.requestTime > 0 && response.requestTime < 10_000);
  }));

Deno.test("fetch() reads an answer that comes byte by byte", () =>
  answering([...HELLO], async ({ fetch }) => {
    assertEquals(text(await fetch()), "hello");
  }));

Deno.test("fetch() sends a whole request", () =>
  answering([HELLO], async ({ fetch, server }) => {
    await fetch();
    const [line, ...fields] = server.asked.split("\r\n");
    assertEquals(line, "GET /path?q=1 HTTP/1.1");
    assert(fields.includes(`Host: ${new URL(server.url).host}`));
    assert(fields.includes("Connection: close"));
    assert(fields.some((field) => /^User-Agent: Waterspout\/\d/.test(field)));
    assert(!server.asked.includes("Content-Length"));
  }));

Deno.test("fetch() sends method, headers and body", () =>
  answering([HELLO], async ({ fetch, server }) => {
    const headers = { "X-Mine": "yes", "User-Agent": "me", "Host": "other.example" };
    await fetch({ method: "PUT", headers, body: "gr\u00fcn" });
    assertStringIncludes(server.asked, "PUT /path?q=1 HTTP/1.1\r\n");
    for (const line of ["X-Mine: yes", "User-Agent: me", "Host: other.example"]) {
      assertStringIncludes(server.asked, `\r\n${line}\r\n`);
    }
    assertStringIncludes(server.asked, "\r\nContent-Length: 5\r\n");
    assert(server.asked.endsWith("\r\n\r\ngr\u00fcn"));
    assertEquals(headers, { "X-Mine": "yes", "User-Agent": "me", "Host": "other.example" });
  }));

Deno.test("fetch() sends an empty body with its length", () =>
  answering([HELLO], async ({ fetch, server }) => {
    await fetch({ method: "POST", body: new Uint8Array(0) });
    assertStringIncludes(server.asked, "\r\nContent-Length: 0\r\n");
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
      assertEquals((await fetch({ method })).body.length, 0);
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

Deno.test("fetch() returns redirects as they are", () =>
  answering(
    ["HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"],
    async ({ fetch }) => {
      const { code, headers } = await fetch();
      assertEquals([code, headers.get("Location")], [302, "/b"]);
    },
  ));

Deno.test("fetch() gives up after requestTimeout, in the head or in the body", async () => {
  for (const answer of [[], ["HTTP/1.1 2"], ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"]]) {
    await answering(answer, async ({ fetch }) => {
      const error = await noAnswer(fetch({ requestTimeout: 20 }));
      assertEquals(error.message, "HTTP 599: Timeout during request");
      assertInstanceOf(error.cause, TimeoutError);
    });
  }
});

Deno.test("fetch() with requestTimeout 0 has no limit", () =>
  answering([HELLO], async ({ fetch }) => {
    assertEquals((await fetch({ requestTimeout: 0 })).code, 200);
  }));

Deno.test("fetch() fails when the connection is refused", () =>
  new IOLoop().run(async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    const error = await noAnswer(new AsyncHTTPClient().fetch(`http://127.0.0.1:${port}/`));
    assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
  }));

Deno.test("fetch() fails when the connection ends too early", async () => {
  for (
    const answer of [
      "",
      "HTTP/1.1 200 OK\r\nContent-",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ]
  ) {
    await answering([answer], async ({ fetch }) => {
      assertInstanceOf((await noAnswer(fetch())).cause, StreamClosedError);
    }, { ends: true });
  }
});

Deno.test("fetch() refuses what is not HTTP", async () => {
  for (
    const answer of [
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ]
  ) {
    await answering([answer], async ({ fetch }) => {
      await noAnswer(fetch());
    });
  }
});

Deno.test("fetch() refuses a body over maxBodySize, however it is framed", async () => {
  for (
    const [answer, ends] of [
      ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false],
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false],
      ["HTTP/1.1 200 OK\r\n\r\nhello", true],
    ] as const
  ) {
    await answering([answer], async ({ fetch }) => {
      assertEquals(text(await fetch({ maxBodySize: 5 })), "hello");
    }, { ends });
    await answering([answer], async ({ fetch }) => {
      const { message } = await noAnswer(fetch({ maxBodySize: 4 }));
      assertStringIncludes(message, "Cannot read answer");
    }, { ends });
  }
});

Deno.test("fetch() refuses a head over 64 KiB", () =>
  answering([`HTTP/1.1 200 OK\r\nX: ${"x".repeat(65536)}\r\n\r\n`], async ({ fetch }) => {
    await noAnswer(fetch());
  }));

Deno.test("fetch() that is cancelled closes its connection", () =>
  answering(["HTTP/1.1 200 OK\r\n"], async ({ fetch, server }) => {
    const fetching = fetch();
    await until(() => server.asked !== "");
    assert(fetching.cancel("enough"));
    await assertRejects(() => fetching.then(), CancelledError, "enough");
    await until(() => server.left > 0);
  }));

Deno.test("fetch() ends with the coroutine that waits for it", () =>
  answering([], async ({ fetch, server }) => {
    const waiting = coroutine(function* () {
      yield* fetch();
    })();
    await until(() => server.asked !== "");
    waiting.cancel();
    await assertRejects(() => waiting.then(), CancelledError);
    await until(() => server.left > 0);
  }));

Deno.test("fetch() that is cancelled while it connects leaves no connection open", () =>
  answering([HELLO], async ({ fetch }) => {
    const fetching = fetch();
    fetching.cancel();
    await assertRejects(() => fetching.then(), CancelledError);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }));

Deno.test("fetch() refuses what would break the request", () => {
  const client = new AsyncHTTPClient();
  const fetch = (options: FetchOptions) => client.fetch("http://127.0.0.1:1/", options);
  assertThrows(() => fetch({ method: "GET / HTTP/1.1\r\nX: y\r\n\r\n" }), TypeError);
  assertThrows(() => fetch({ method: "" }), TypeError);
  for (const value of ["a\r\nB: c", "a\nB: c", "a\rb", "a\0b"]) {
    assertThrows(() => fetch({ headers: { A: value } }), TypeError);
  }
  for (const name of ["A\r\nB", "A:", "A B", ""]) {
    assertThrows(() => fetch({ headers: { [name]: "x" } }), TypeError);
  }
});

Deno.test("fetch() refuses URLs that are not http:", () => {
  const client = new AsyncHTTPClient();
  for (const url of ["https://localhost/", "ftp://localhost/", "file:///etc", "/relative"]) {
    assertThrows(() => client.fetch(url), TypeError);
  }
});

Deno.test("fetch() encodes what a URL may not hold", () =>
  answering([HELLO], async ({ server }) => {
    const url = server.url.replace("/path?q=1", "/a b\r\n\u00e9?x=\u00e9 y");
    await new AsyncHTTPClient().fetch(url);
    assert(server.asked.startsWith("GET /a%20b%C3%A9?x=%C3%A9%20y HTTP/1.1\r\n"));
  }));
