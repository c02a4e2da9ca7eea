import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { sleep } from "../../gen/mod.ts";
import {
  type CookieJar,
  type FetchOptions,
  HTTPClientError,
  type HTTPRequestOptions,
  HTTPStreamClosedError,
  HTTPTimeoutError,
} from "../../http/mod.ts";
import { answer, type Answering, answering, type Asked, type Script } from "./_answering.ts";
import { until } from "./_raw_client.ts";

/** Redirects `/redirect/STATUS` to `/end`, and `/countdown/N` down to 0. */
const script: Script = ({ target, method, body }) => {
  const [, status] = /^\/redirect\/(\d+)/.exec(target) ?? [];
  if (status !== undefined) return redirect("/end", `${status} Elsewhere`);
  const [, count] = /^\/countdown\/(\d+)/.exec(target) ?? [];
  if (count !== undefined && count !== "0") return redirect(`/countdown/${Number(count) - 1}`);
  return answer(method === "HEAD" ? "" : `${method} ${target} ${body}`);
};

function redirect(location: string, status = "302 Found", body = "gone"): string {
  return answer(body, `Location: ${location}\r\n`, status);
}

function linesOf({ server }: Answering): string[] {
  return server.asked.map(({ method, target }) => `${method} ${target}`);
}

Deno.test("fetch() follows redirects to the end, with one client slot and one connection", () =>
  answering(script, async (made) => {
    const { client, url, server } = made;
    const response = await client.fetch(url("/countdown/2"));
    assertEquals(response.text(), "GET /countdown/0 ");
    assertEquals([response.request.url, response.effectiveUrl], [
      url("/countdown/2"),
      url("/countdown/0"),
    ]);
    assertEquals(server.connections, 1);
  }, { maxClients: 1 }));

Deno.test("fetch() with followRedirects false gives the 3xx", () =>
  answering(script, async ({ client, url }) => {
    const options = { followRedirects: false, raiseError: false };
    const response = await client.fetch(url("/countdown/1"), options);
    assertEquals([response.code, response.headers.get("Location")], [302, "/countdown/0"]);
    assertEquals(response.text(), "gone");
    await assertRejects(
      () => client.fetch(url("/countdown/1"), { followRedirects: false }).then(),
      HTTPClientError,
      "HTTP 302: Found",
    );
  }));

Deno.test("fetch() follows maxRedirects redirects; the 3xx behind them is the answer", () =>
  answering(script, async ({ client, url }) => {
    assertEquals((await client.fetch(url("/countdown/5"))).code, 200);
    const response = await client.fetch(url("/countdown/6"), { raiseError: false });
    assertEquals([response.code, response.request.url, response.effectiveUrl], [
      302,
      url("/countdown/6"),
      url("/countdown/1"),
    ]);
    const none = await client.fetch(url("/countdown/1"), { maxRedirects: 0, raiseError: false });
    assertEquals(none.code, 302);
  }));

Deno.test("fetch() gives a loop of redirects up", () =>
  answering(() => redirect("/"), async ({ client, url, server }) => {
    const response = await client.fetch(url(), { raiseError: false });
    assertEquals([response.code, server.asked.length], [302, 6]);
  }));

Deno.test("fetch() gives the 3xx itself where there is nothing to follow", async () => {
  for (
    const fields of [
      "",
      "Location: http://[bad\r\n",
      "Location: ftp://x/\r\n",
      "Location: mailto:x\r\n",
    ]
  ) {
    await answering(() => answer("here", fields, "302 Found"), async ({ client, url }) => {
      const response = await client.fetch(url(), { raiseError: false });
      assertEquals([response.code, response.text()], [302, "here"]);
    });
  }
  await answering(() => answer("here", "Location: /x\r\n", "300 Many"), async ({ client, url }) => {
    assertEquals((await client.fetch(url(), { raiseError: false })).code, 300);
  });
});

for (
  const [status, method, then, keepsBody] of [
    [301, "POST", "GET", false],
    [302, "POST", "GET", false],
    [303, "POST", "GET", false],
    [307, "POST", "POST", true],
    [308, "POST", "POST", true],
    [301, "PUT", "PUT", true],
    [302, "PUT", "PUT", true],
    [303, "PUT", "GET", false],
    [303, "DELETE", "GET", false],
    [302, "DELETE", "DELETE", false],
    [303, "HEAD", "HEAD", false],
    [302, "HEAD", "HEAD", false],
  ] as const
) {
  Deno.test(`fetch() makes ${then} of ${method} after ${status}`, () =>
    answering(
      ({ target, method }) =>
        target === "/end"
          ? answer(method === "HEAD" ? "" : "end")
          : redirect("/end", `${status} Elsewhere`, method === "HEAD" ? "" : "gone"),
      async (made) => {
        const body = method === "POST" || method === "PUT" ? "some" : undefined;
        const headers = { "Content-Type": "text/plain", "X-Mine": "1" };
        await made.client.fetch(made.url("/begin"), { method, body, headers });
        assertEquals(linesOf(made), [`${method} /begin`, `${then} /end`]);
        const { headers: sent, body: came } = made.server.asked[1]!;
        assertEquals(came, keepsBody ? "some" : "");
        assertEquals(sent.get("X-Mine"), "1");
        if (then === method) assertEquals(sent.get("Content-Type"), "text/plain");
        else assertEquals([sent.get("Content-Type"), sent.get("Content-Length")], [null, null]);
      },
    ));
}

Deno.test("fetch() has a producer work again after 307, and not after 303", () =>
  answering(script, async ({ client, url }) => {
    let calls = 0;
    const options: FetchOptions = {
      method: "POST",
      bodyProducer: async (write) => {
        calls++;
        await write("some");
      },
    };
    assertEquals((await client.fetch(url("/redirect/307"), options)).text(), "POST /end some");
    assertEquals(calls, 2);
    assertEquals((await client.fetch(url("/redirect/303"), options)).text(), "GET /end ");
    assertEquals(calls, 3);
  }));

Deno.test("fetch() does not show answers that are redirects to its callbacks", () =>
  answering(script, async ({ client, url }) => {
    const seen: string[] = [];
    await client.fetch(url("/countdown/2"), {
      headerCallback: (line) => seen.push(line.split(":")[0]!.trimEnd()),
      streamingCallback: (chunk) => void seen.push(new TextDecoder().decode(chunk)),
    });
    assertEquals(seen, ["HTTP/1.1 200 OK", "Content-Length", "", "GET /countdown/0 "]);
  }));

Deno.test("fetch() does not read a long body of a redirect to its end", () =>
  answering(function* ({ target }, { stream }) {
    if (target === "/end") return answer("end");
    yield* stream.write("HTTP/1.1 302 Found\r\nLocation: /end\r\n\r\n");
    for (;;) yield* stream.write("x".repeat(10_000));
  }, async ({ client, url }) => {
    assertEquals((await client.fetch(url())).text(), "end");
  }));

Deno.test("fetch() resolves a Location against the URL, with what it may hold", () =>
  answering(({ target }) => {
    const [, to] = /^\/to\?(.*)$/.exec(target) ?? [];
    return to === undefined ? answer(target) : redirect(decodeURIComponent(to));
  }, async ({ client, url, server }) => {
    for (
      const [location, path] of [
        ["x", "/x"],
        ["/a/../b", "/b"],
        [`//127.0.0.1:${server.port}/there`, "/there"],
        ["/gr\u00fcn", "/gr%C3%BCn"], // latin-1 on the wire
        ["/gr\u00c3\u00bcn", "/gr%C3%BCn"], // UTF-8 on the wire
        ["/a b", "/a%20b"],
      ] as const
    ) {
      const response = await client.fetch(url(`/to?${encodeURIComponent(location)}`));
      assertEquals(response.text(), path);
    }
    const { effectiveUrl } = await client.fetch(url("/to?x#part"));
    assertEquals(effectiveUrl, url("/x#part"));
  }));

/** Fetches from `localhost`, which redirects to `there`, and returns what came there. */
async function redirected(
  options: HTTPRequestOptions,
  there: (port: number) => string,
  from = "localhost",
): Promise<Asked> {
  let asked: Asked | undefined;
  await answering(
    ({ target }, _peer) => target === "/end" ? answer("end") : redirect(target.slice(1)),
    async ({ client, server }) => {
      await client.fetch(`http://${from}:${server.port}/${there(server.port)}`, options);
      asked = server.asked[1];
    },
    { hostnameMapping: { localhost: "127.0.0.1", other: "127.0.0.1" } },
  );
  return asked!;
}

const SECRETS = { Authorization: "Bearer x", Cookie: "a=b", "X-Mine": "1" };

Deno.test("fetch() keeps credentials on the way to the same origin", async () => {
  const own = await redirected({ headers: SECRETS }, () => "/end");
  assertEquals(own.headers.get("Authorization"), "Bearer x");
  assertEquals(own.headers.get("Cookie"), "a=b");
  const absolute = await redirected(
    { authUsername: "me", authPassword: "pass" },
    (port) => `http://LOCALHOST:${port}/end`,
  );
  assertEquals(absolute.headers.get("Authorization"), "Basic bWU6cGFzcw==");
  const inUrl = await redirected({}, () => "/end", "me:pass@localhost");
  assertEquals(inUrl.headers.get("Authorization"), "Basic bWU6cGFzcw==");
});

Deno.test("fetch() drops credentials on the way to another origin", async () => {
  const other = (port: number) => `http://other:${port}/end`;
  const headers = await redirected({ headers: { ...SECRETS, Host: "virtual" } }, other);
  assertEquals([headers.headers.get("Authorization"), headers.headers.get("Cookie")], [null, null]);
  assertEquals(headers.headers.get("X-Mine"), "1");
  assert(headers.headers.get("Host")!.startsWith("other:"));
  for (
    const asked of [
      await redirected({ authUsername: "me", authPassword: "pass" }, other),
      await redirected({}, other, "me:pass@localhost"),
    ]
  ) {
    assertEquals(asked.headers.get("Authorization"), null);
  }
});

Deno.test("fetch() sends the credentials that a Location names", async () => {
  const asked = await redirected({}, (port) => `http://you:their@other:${port}/end`);
  assertEquals(asked.headers.get("Authorization"), "Basic eW91OnRoZWly");
});

Deno.test("requestTimeout is for all hops together", () =>
  answering(function* (_asked, { count }) {
    yield* sleep(40);
    return redirect(`/${count}`);
  }, async ({ client, url, server }) => {
    const error = await assertRejects(() => client.fetch(url(), { requestTimeout: 100 }).then());
    assertInstanceOf(error, HTTPTimeoutError);
    assert(server.asked.length >= 2 && server.asked.length <= 3);
  }));

/** Keeps cookies by path only. */
class TestJar implements CookieJar {
  readonly cookies: string[] = [];
  readonly asked: string[] = [];

  getCookieStringSync(url: string): string {
    this.asked.push(url);
    return this.cookies.join("; ");
  }

  setCookieSync(cookie: string, url: string, { ignoreError }: { ignoreError: boolean }): void {
    assert(ignoreError && URL.canParse(url));
    this.cookies.push(cookie.split(";")[0]!);
  }
}

Deno.test("fetch() sends the cookies of its jar and keeps new ones, also from redirects", () =>
  answering(
    ({ target, headers }) =>
      target === "/"
        ? answer(
          "",
          "Location: /next\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n",
          "302 Found",
        )
        : answer(String(headers.get("Cookie"))),
    async ({ client, url }) => {
      const cookieJar = new TestJar();
      assertEquals((await client.fetch(url(), { cookieJar })).text(), "a=1; b=2");
      assertEquals(cookieJar.asked, [url(), url("/next")]);
      const headers = { Cookie: "own=1" };
      assertEquals((await client.fetch(url("/x"), { cookieJar, headers })).text(), "own=1");
      assertEquals((await client.fetch(url("/x"))).text(), "null");
    },
  ));

Deno.test("fetch() sends name and password as basic authentication", () =>
  answering(
    ({ headers, target }) =>
      answer(`${headers.get("Authorization")} ${headers.get("Host")} ${target}`),
    async ({ client, server, url }) => {
      const host = `127.0.0.1:${server.port}`;
      const expected = `Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== ${host} /`;
      const options = { authUsername: "Aladdin", authPassword: "open sesame" };
      assertEquals((await client.fetch(url(), options)).text(), expected);
      assertEquals((await client.fetch(url(), { ...options, authMode: "basic" })).text(), expected);
      const inUrl = await client.fetch(`http://Aladdin:open%20sesame@${host}/`);
      assertEquals([inUrl.text(), inUrl.effectiveUrl], [expected, url()]);
      const both = await client.fetch(`http://Aladdin:open%20sesame@${host}/`, {
        authUsername: "x",
      });
      assertEquals(both.text(), expected);
      const own = { ...options, headers: { Authorization: "Bearer x" } };
      assertEquals((await client.fetch(url(), own)).text(), `Bearer x ${host} /`);
      // A name in decomposed form goes out composed.
      const decomposed = { authUsername: "jose\u0301", authPassword: "\u00e9" };
      const [, field] = /^Basic (\S+)/.exec((await client.fetch(url(), decomposed)).text())!;
      assertEquals(new TextDecoder().decode(Uint8Array.fromBase64(field!)), "jos\u00e9:\u00e9");
      assertEquals((await client.fetch(`http://only@${host}/`)).text(), `Basic b25seTo= ${host} /`);
    },
  ));

const CHALLENGE =
  'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256\r\n';

Deno.test("fetch() answers a digest challenge, with the body again", () =>
  answering(({ headers, body }) => {
    const field = headers.get("Authorization");
    return field === null ? answer("who?", CHALLENGE, "401 No") : answer(`${body} ${field}`);
  }, async (made) => {
    const { client, url, server } = made;
    const auth = { authUsername: "me", authPassword: "secret", authMode: "digest" } as const;
    const chunks: string[] = [];
    const response = await client.fetch(url("/path?q"), {
      ...auth,
      method: "POST",
      bodyProducer: (write) => void write("some"),
      streamingCallback: (chunk) => void chunks.push(new TextDecoder().decode(chunk)),
    });
    assertEquals(response.code, 200);
    const expected = /^some Digest username="me", realm="r", nonce="n", uri="\/path\?q", /;
    assert(expected.test(chunks.join("")), chunks.join("")); // and not what the 401 said
    assertEquals(linesOf(made), ["POST /path?q", "POST /path?q"]);
    assertEquals(server.connections, 1);
    // Credentials of one request are not for the next.
    const next = await client.fetch(url(), { raiseError: false });
    assertEquals(next.code, 401);
  }));

Deno.test("fetch() answers a challenge once, and only one it can answer", async () => {
  const auth = { authUsername: "me", authMode: "digest", raiseError: false } as const;
  await answering(() => answer("no", CHALLENGE, "401 No"), async ({ client, url, server }) => {
    const response = await client.fetch(url(), auth);
    assertEquals([response.code, response.text(), server.asked.length], [401, "no", 2]);
  });
  await answering(
    () => answer("no", "WWW-Authenticate: Basic realm=x\r\n", "401 No"),
    async ({ client, url, server }) => {
      assertEquals((await client.fetch(url(), auth)).code, 401);
      assertEquals(server.asked.length, 1);
    },
  );
});

Deno.test("a redirect whose connection ends with it is followed on another one", () =>
  answering(
    ({ target }) =>
      target === "/end"
        ? answer("end")
        : "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n",
    async ({ client, url, server }) => {
      assertEquals((await client.fetch(url())).text(), "end");
      assertEquals(server.connections, 2);
      await until(() => server.open === 1);
    },
  ));

Deno.test("a redirect that is cut off is an error", () =>
  answering(function* (_asked, { stream }) {
    yield* stream.write("HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 9\r\n\r\nhalf");
    return null;
  }, async ({ client, url }) => {
    await assertRejects(() => client.fetch(url()).then(), HTTPStreamClosedError);
  }));
