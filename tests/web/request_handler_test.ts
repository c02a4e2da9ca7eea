import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { accessLog, appLog, CancelledError, Future, genLog } from "../../ioloop/mod.ts";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  DictLoader,
  Finish,
  type HandlerClass,
  type HeaderValue,
  HTTPError,
  MissingArgumentError,
  RequestHandler,
  REQUIRED,
  type SendErrorOptions,
} from "../../web/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "./_serve.ts";

type Body = (handler: RequestHandler) => unknown;

// A handler whose GET and POST do what the test says.
function handling(body: Body): HandlerClass {
  return class Handling extends RequestHandler {
    override get(): unknown {
      return body(this);
    }

    override post(): unknown {
      return body(this);
    }
  };
}

// Serves one such handler.
function withHandler(
  body: Body,
  test: (served: Served) => Promise<void>,
  settings: Record<string, unknown> = {},
): Promise<void> {
  return serve([["/", handling(body)]], test, settings);
}

Deno.test("RequestHandler methods may be plain, async, generators, or return a Future", async () => {
  const bodies: Body[] = [
    (handler) => handler.write("ok"),
    async (handler) => {
      await sleep(1);
      handler.write("ok");
    },
    function* (handler) {
      handler.write("o");
      yield* sleep(1);
      handler.write("k");
    },
    function* (handler) {
      yield null;
      handler.finish("ok");
      yield* sleep(1);
    },
    (handler) => Future.resolved(handler.write("ok")),
  ];
  for (const body of bodies) {
    await withHandler(body, async ({ get }) => {
      const { status, text, headers } = await get("/");
      assertEquals([status, text, headers.get("Content-Length")], [200, "ok", "2"]);
    });
  }
});

Deno.test("RequestHandler that returns what cannot be waited for is a 500 and logged", async () => {
  for (const value of [42, "text", {}]) {
    await withHandler(() => value, async ({ get }) => {
      await expectLog(appLog, /Cannot use what get returned/, async () => {
        assertEquals((await get("/")).status, 500);
      });
    });
  }
});

class EveryVerb extends RequestHandler {
  override get(): void {
    this.write("get");
  }
  override head(): void {
    this.setHeader("X-Verb", "head");
  }
  override post(): void {
    this.write("post");
  }
  override delete(): void {
    this.write("delete");
  }
  override patch(): void {
    this.write("patch");
  }
  override put(): void {
    this.write("put");
  }
  override options(): void {
    this.write("options");
  }
}

Deno.test("RequestHandler answers each verb with its method", () =>
  serve([["/", EveryVerb]], async ({ ask }) => {
    for (const verb of ["get", "post", "delete", "patch", "put", "options"]) {
      assertEquals((await ask(verb.toUpperCase(), "/")).text, verb);
    }
    const head = await ask("HEAD", "/");
    assertEquals([head.status, head.headers.get("X-Verb"), head.text], [200, "head", ""]);
  }));

Deno.test("RequestHandler answers 405 with Allow for verbs that are not written, and unknown ones", () =>
  withHandler((handler) => handler.write("x"), async ({ ask }) => {
    for (const method of ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO", "get"]) {
      const { status, headers } = await ask(method, "/");
      assertEquals([status, headers.get("Allow")], [405, "GET, POST"], method);
    }
  }));

class WebDav extends RequestHandler {
  static override SUPPORTED_METHODS = [...RequestHandler.SUPPORTED_METHODS, "PROPFIND"];

  propfind(): void {
    this.write("found");
  }
}

Deno.test("RequestHandler.SUPPORTED_METHODS may be extended", () =>
  serve([["/", WebDav]], async ({ ask }) => {
    assertEquals((await ask("PROPFIND", "/")).text, "found");
  }));

Deno.test("RequestHandler.initialize() gets the third element of the route", () => {
  class Init extends RequestHandler {
    #value = 0;
    override initialize({ value }: { value: number }): void {
      this.#value = value;
    }
    override get(): void {
      this.write(`${this.#value} ${this.settings["name"]}`);
    }
  }
  return serve([["/1", Init, { value: 1 }], ["/2", Init, { value: 2 }]], async ({ get }) => {
    assertEquals((await get("/1")).text, "1 settings");
    assertEquals((await get("/2")).text, "2 settings");
  }, { name: "settings" });
});

Deno.test("RequestHandler.prepare() comes first, sees the path, and may wait", async () => {
  const prepares: ((handler: RequestHandler) => unknown)[] = [
    (handler) => handler.write(`prepared ${handler.pathArgs[0]}, `),
    async (handler) => {
      await sleep(1);
      handler.write(`prepared ${handler.pathArgs[0]}, `);
    },
    function* (handler) {
      yield* sleep(1);
      handler.write(`prepared ${handler.pathArgs[0]}, `);
    },
  ];
  for (const prepare of prepares) {
    class Prepared extends RequestHandler {
      override prepare(): unknown {
        return prepare(this);
      }
      override get(): void {
        this.write("got");
      }
    }
    await serve([["/(.*)", Prepared]], async ({ get }) => {
      assertEquals((await get("/a%20b")).text, "prepared a b, got");
    });
  }
});

Deno.test("RequestHandler.prepare() that finishes or throws skips the method", async () => {
  const prepares: [(handler: RequestHandler) => unknown, number][] = [
    [(handler) => void handler.finish("done"), 200],
    [(handler) => handler.redirect("/x"), 302],
    [() => Promise.reject(new HTTPError(403)), 403],
    [
      function* () {
        yield* sleep(1);
        throw new HTTPError(401);
      },
      401,
    ],
  ];
  for (const [prepare, status] of prepares) {
    class Prepared extends RequestHandler {
      override prepare(): unknown {
        return prepare(this);
      }
      override get(): void {
        assert(false, "it is not called");
      }
    }
    await serve([["/", Prepared]], async ({ get }) => {
      assertEquals((await get("/")).status, status);
    });
  }
});

Deno.test("RequestHandler.write() takes text, bytes and records", async () => {
  const cases: [Body, string, string][] = [
    [(handler) => handler.write("é"), "é", "text/html; charset=UTF-8"],
    [(handler) => handler.write(new TextEncoder().encode("é")), "é", "text/html; charset=UTF-8"],
    [
      (handler) => handler.write({ a: [1, "é", null] }),
      '{"a": [1, "é", null]}',
      "application/json; charset=UTF-8",
    ],
    [
      (handler) => {
        handler.write("a");
        handler.write(new Uint8Array([98]));
        handler.write("c");
      },
      "abc",
      "text/html; charset=UTF-8",
    ],
    [() => {}, "", "text/html; charset=UTF-8"],
  ];
  for (const [body, text, type] of cases) {
    await withHandler(body, async ({ get }) => {
      const answer = await get("/");
      assertEquals(answer.text.replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
      assertEquals(answer.headers.get("Content-Type"), type);
      assertEquals(Number(answer.headers.get("Content-Length")), answer.body.length);
    });
  }
});

Deno.test("RequestHandler.write() refuses arrays and other values", () =>
  withHandler((handler) => {
    for (const value of [[1, 2], 3, null, true]) {
      assertThrows(() => handler.write(value as unknown as string), TypeError, "Cannot write");
    }
  }, async ({ get }) => assertEquals((await get("/")).status, 200)));

Deno.test("RequestHandler refuses output behind finish()", () =>
  withHandler((handler) => {
    assert(!handler.finished);
    handler.finish("end");
    assert(handler.finished);
    assertThrows(() => handler.write("x"), Error, "the answer was finished");
    assertThrows(() => handler.finish(), Error, "the answer was finished");
    assertThrows(() => handler.redirect("/"), Error);
  }, async ({ get }) => assertEquals((await get("/")).text, "end")));

Deno.test("RequestHandler.finish() is done when the answer has left", () =>
  withHandler(function* (handler) {
    yield* handler.finish("x".repeat(100_000));
  }, async ({ get }) => assertEquals((await get("/")).text.length, 100_000)));

Deno.test("RequestHandler.flush() streams, and empty flushes do no harm", () =>
  withHandler(function* (handler) {
    yield* handler.flush();
    handler.write("one ");
    yield* handler.flush();
    yield* handler.flush();
    yield* sleep(10);
    handler.write("two");
  }, async ({ get }) => {
    const { text, headers } = await get("/");
    assertEquals([text, headers.get("Transfer-Encoding")], ["one two", "chunked"]);
  }));

Deno.test("RequestHandler.flush() sends at once, and waits for its client", () => {
  let flushes = 0;
  return withHandler(function* (handler) {
    for (let i = 0; i < 100; i++) {
      handler.write(new Uint8Array(200_000));
      yield* handler.flush();
      flushes++;
    }
  }, async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await client.bytes(1000);
    await sleep(50);
    assert(flushes < 90, `${flushes}`);
    assert((await client.rest()).length > 19_999_000);
    assertEquals(flushes, 100);
  });
});

Deno.test("RequestHandler sends Server, Date and Content-Type by default; all can be taken away", () =>
  serve([["/", handling(() => {})], [
    "/bare",
    handling((handler) => {
      for (const name of ["Server", "date", "CONTENT-TYPE", "Unknown"]) handler.clearHeader(name);
    }),
  ]], async ({ get }) => {
    const { headers } = await get("/");
    assertMatch(headers.get("Server")!, /^Waterspout\/\d/);
    assert(Math.abs(Date.parse(headers.get("Date")!) - Date.now()) < 2500);
    assertEquals(headers.get("Content-Type"), "text/html; charset=UTF-8");
    const bare = (await get("/bare")).headers;
    for (const name of ["Server", "Date", "Content-Type"]) assertEquals(bare.has(name), false);
  }));

Deno.test("RequestHandler.setHeader() replaces, addHeader() adds, in any case", () =>
  withHandler((handler) => {
    handler.setHeader("X-Foo", "1");
    handler.setHeader("x-foo", "2");
    handler.addHeader("X-Bar", "a");
    handler.addHeader("x-bar", "b");
    handler.setHeader("X-Number", 42);
    handler.setHeader("X-Date", new Date(1359312200503));
    handler.setHeader("X-Bytes", new Uint8Array([0xe9]));
    handler.setHeader("X-Empty", "");
    handler.setHeader("X-Tab", "a\tb");
  }, async ({ get }) => {
    const { headers } = await get("/");
    assertEquals(headers.getList("X-Foo"), ["2"]);
    assertEquals(headers.getList("X-Bar"), ["a", "b"]);
    assertEquals(headers.get("X-Number"), "42");
    assertEquals(headers.get("X-Date"), "Sun, 27 Jan 2013 18:43:20 GMT");
    assertEquals(headers.get("X-Bytes"), "é");
    assertEquals(headers.get("X-Empty"), "");
    assertEquals(headers.get("X-Tab"), "a\tb");
  }));

Deno.test("RequestHandler headers cannot be injected", () =>
  withHandler((handler) => {
    for (let code = 0; code < 0x20; code++) {
      if (code === 9) continue;
      const value = `a${String.fromCharCode(code)}b`;
      assertThrows(() => handler.setHeader("X", value), TypeError, undefined, `${code}`);
      assertThrows(() => handler.addHeader("X", value), TypeError, undefined, `${code}`);
    }
    assertThrows(() => handler.setHeader("X", "a\x7f"), TypeError);
    assertThrows(() => handler.setHeader("X", "a\r\nY: b"), TypeError);
    // Their low bytes are CR and LF.
    assertThrows(() => handler.setHeader("X", "a\u010d\u010aY: b"), TypeError);
    assertThrows(() => handler.addHeader("X", "a\u010d\u010aY: b"), TypeError);
    for (const name of ["", "a b", "a:b", "a\r\n", "é"]) {
      assertThrows(() => handler.setHeader(name, "x"), TypeError, undefined, name);
    }
    for (const value of [1.5, null, true, {}]) {
      assertThrows(() => handler.setHeader("X", value as HeaderValue), TypeError);
    }
  }, async ({ get }) => {
    const { status, headers } = await get("/");
    assertEquals([status, headers.has("X")], [200, false]);
  }));

Deno.test("RequestHandler.setStatus() takes a code and a reason, which cannot inject", async () => {
  const cases: [number, string | undefined, string][] = [
    [404, undefined, "Not Found"],
    [304, "My Own", "My Own"],
    [682, undefined, "Unknown"],
    [682, "Own", "Own"],
    [200, "a\r\nX: b", "Unknown"],
    [200, "a\u010d\u010aX: b", "Unknown"],
    [200, "<script>", "Unknown"],
  ];
  for (const [code, given, reason] of cases) {
    await withHandler((handler) => handler.setStatus(code, given), async ({ get }) => {
      const answer = await get("/");
      assertEquals([answer.status, answer.reason], [code, reason]);
      assert(!answer.headers.has("X"));
    });
  }
  await withHandler((handler) => {
    for (const code of [99, 1000, 200.5, NaN]) {
      assertThrows(() => handler.setStatus(code), RangeError);
    }
    assertEquals(handler.getStatus(), 200);
  }, async ({ get }) => assertEquals((await get("/")).status, 200));
});

Deno.test("RequestHandler.clear() forgets all; setDefaultHeaders() is called for every answer", () => {
  class Defaults extends RequestHandler {
    override setDefaultHeaders(): void {
      this.setHeader("X-Default", "yes");
    }
    override get(): void {
      this.setHeader("X-Other", "x");
      this.setStatus(201);
      this.write("gone");
      this.clear();
      this.write("there");
    }
    override post(): void {
      throw new HTTPError(418);
    }
  }
  return serve([["/", Defaults]], async ({ get, ask }) => {
    const { status, headers, text } = await get("/");
    assertEquals([status, text, headers.has("X-Other")], [200, "there", false]);
    assertEquals(headers.getList("X-Default"), ["yes"]);
    assertEquals((await ask("POST", "/")).headers.getList("X-Default"), ["yes"]);
  });
});

Deno.test("RequestHandler sends 204 and 304 without a body and what describes one", async () => {
  for (const code of [204, 304]) {
    await withHandler((handler) => handler.setStatus(code), async ({ get }) => {
      const { status, headers } = await get("/");
      assertEquals(status, code);
      for (const name of ["Content-Length", "Content-Type", "Transfer-Encoding"]) {
        assertEquals(headers.has(name), false, name);
      }
    });
    await withHandler((handler) => {
      handler.setStatus(code);
      handler.write("body");
    }, async ({ get }) => {
      await expectLog(appLog, /Cannot send a body with status/, async () => {
        assertEquals((await get("/")).status, 500);
      });
    });
  }
});

Deno.test("RequestHandler with a wrong Content-Length closes, logs, and the server goes on", async () => {
  for (const length of [3, 5]) {
    await withHandler((handler) => {
      handler.setHeader("Content-Length", length);
      handler.write("four");
    }, async ({ port }) => {
      await expectLog(appLog, /Content-Length/, async () => {
        using client = await RawClient.connect(port);
        await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.rest();
      });
      using next = await RawClient.connect(port);
      await next.send("PUT / HTTP/1.1\r\nHost: x\r\n\r\n");
      assertEquals((await next.answer()).status, 405);
    });
  }
});

Deno.test("RequestHandler.redirect() sends 302, 301 or the given status", async () => {
  const cases: [Parameters<RequestHandler["redirect"]>, number, string][] = [
    [["/a b?x=é"], 302, "/a%20b?x=%C3%A9"],
    [["/a%20b", { permanent: true }], 301, "/a%20b"],
    [["http://x.org/", { status: 307 }], 307, "http://x.org/"],
    [["/a\r\nX: b"], 302, "/a%0D%0AX:%20b"],
  ];
  for (const [args, code, location] of cases) {
    await withHandler((handler) => handler.redirect(...args), async ({ get }) => {
      const { status, headers } = await get("/");
      assertEquals([status, headers.get("Location")], [code, location]);
    });
  }
  await withHandler((handler) => {
    for (const status of [200, 299, 400]) {
      assertThrows(() => handler.redirect("/", { status }), RangeError);
    }
    handler.flush();
    assertThrows(() => handler.redirect("/"), Error, "the headers were sent");
  }, async ({ get }) => assertEquals((await get("/")).status, 200));
});

Deno.test("RequestHandler.getArgument() gives the last value, of the body before the query", () =>
  withHandler((handler) => {
    handler.write({
      one: handler.getArgument("one"),
      both: handler.getArgument("both"),
      all: handler.getArguments("both"),
      query: [handler.getQueryArgument("both"), handler.getQueryArguments("both")],
      body: [handler.getBodyArgument("both"), handler.getBodyArguments("both")],
      empty: handler.getArgument("empty", "default"),
      missing: [
        handler.getArgument("missing", null),
        handler.getQueryArgument("missing", "q"),
        handler.getBodyArgument("missing", 0),
        handler.getArguments("missing"),
      ],
      strip: [
        handler.getArgument("blank"),
        handler.getArgument("blank", REQUIRED, { strip: false }),
        handler.getArguments("blank", { strip: false }),
      ],
    });
  }, async ({ ask }) => {
    const { text } = await ask("POST", "/?one=1&one=%C3%A9&both=q1&both=q2&empty=&blank=+a%01b+", {
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: "both=b1&both=b2",
    });
    assertEquals(JSON.parse(text), {
      one: "é",
      both: "b2",
      all: ["q1", "q2", "b1", "b2"],
      query: ["q2", ["q1", "q2"]],
      body: ["b2", ["b1", "b2"]],
      empty: "",
      missing: [null, "q", 0, []],
      strip: ["a b", " a b ", [" a b "]],
    });
  }));

Deno.test("RequestHandler.getArgument() of a missing one is MissingArgumentError, a 400 in the log", () =>
  withHandler((handler) => {
    for (
      const get of [
        () => handler.getArgument("foo"),
        () => handler.getQueryArgument("foo"),
        () => handler.getBodyArgument("foo", REQUIRED),
      ]
    ) assertEquals(assertThrows(get, MissingArgumentError).argName, "foo");
    handler.getArgument("foo");
  }, async ({ get }) => {
    await expectLog(genLog, /^400 GET \/ \(127.0.0.1\): Missing argument foo$/, async () => {
      assertEquals((await get("/")).status, 400);
    }, { level: "warning" });
  }));

Deno.test("RequestHandler answers 400 to arguments and paths that are not UTF-8", () =>
  serve(
    [["/a", handling((handler) => handler.write(handler.getArgument("x")))], [
      "/p/(.*)",
      handling(() => assert(false)),
    ]],
    async ({ get }) => {
      await expectLog(genLog, /Cannot decode x: it is not UTF-8/, async () => {
        assertEquals((await get("/a?x=%E9")).status, 400);
      });
      await expectLog(genLog, /Cannot decode path/, async () => {
        assertEquals((await get("/p/%E9")).status, 400);
      });
    },
  ));

Deno.test("RequestHandler.decodeArgument() may be overridden, for path and query", () => {
  const names: (string | null)[] = [];
  class Latin extends RequestHandler {
    override decodeArgument(value: Uint8Array, name: string | null): string {
      names.push(name);
      return String.fromCharCode(...value);
    }
    override get(path: string): void {
      this.write(`${path} ${this.getArgument("x")}`);
    }
  }
  return serve([["/(.*)", Latin]], async ({ get }) => {
    assertEquals((await get("/%E9?x=%E8")).text, "é è");
    assertEquals(names, [null, "x"]);
  });
});

Deno.test("RequestHandler answers 400 to a body that is not what it says, and is not called", () =>
  withHandler(() => assert(false), async ({ ask }) => {
    await expectLog(accessLog, /^400 POST \/ \(127.0.0.1\)/, async () => {
      const { matched } = await expectLog(genLog, /^400 POST/, async () => {
        const answer = await ask("POST", "/", {
          headers: { "Content-Type": "multipart/form-data; boundary=x" },
          body: "no boundary in here",
        });
        assertEquals(answer.status, 400);
      });
      assertEquals(matched.length, 1);
    }, { level: "warning" });
  }));

Deno.test("RequestHandler.getCookie() gives a cookie or the default", () =>
  withHandler((handler) => {
    handler.write({
      there: handler.getCookie("a"),
      missing: handler.getCookie("b"),
      fallback: handler.getCookie("b", "x"),
    });
  }, async ({ get }) => {
    const { text } = await get("/", { Cookie: "a=1; bad; /=exception;" });
    assertEquals(JSON.parse(text), { there: "1", missing: null, fallback: "x" });
  }));

Deno.test("RequestHandler answers an HTTPError with its status and reason, and logs its message", () =>
  withHandler((handler) => {
    throw new HTTPError(Number(handler.getArgument("code")), "secret reason", {
      reason: "Own <b>",
    });
  }, async ({ get }) => {
    await expectLog(genLog, /^418 GET .*: secret reason$/, async () => {
      const { status, text } = await get("/?code=418");
      assertEquals(status, 418);
      assert(!text.includes("secret"));
    }, { level: "warning" });
  }));

Deno.test("RequestHandler escapes the reason in its page", () =>
  withHandler(() => {
    throw new HTTPError(400, undefined, { reason: 'a & "b"' });
  }, async ({ get }) => {
    const { reason, text } = await get("/");
    assertEquals(reason, 'a & "b"');
    assertStringIncludes(text, "400: a &amp; &quot;b&quot;");
  }));

Deno.test("RequestHandler answers other errors with 500, logs the stack and sends nothing of it", async () => {
  const bodies: Body[] = [
    () => {
      throw new Error("private text");
    },
    () => Promise.reject(new Error("private text")),
    function* () {
      yield* sleep(1);
      throw new Error("private text");
    },
    () => {
      throw "private text";
    },
  ];
  for (const body of bodies) {
    await withHandler(body, async ({ get }) => {
      const { matched } = await expectLog(appLog, /^Uncaught exception GET \/\?q=1/, async () => {
        const { status, text } = await get("/?q=1");
        assertEquals(status, 500);
        assert(!text.includes("private"));
      }, { level: "error" });
      assertEquals(matched.length, 1);
      assertStringIncludes(matched[0]!, "private text");
      assertStringIncludes(matched[0]!, "method=GET");
    });
  }
});

Deno.test("RequestHandler shows the stack where serveTraceback is on", () =>
  withHandler(() => {
    throw new Error("shown text");
  }, async ({ get }) => {
    await expectLog(appLog, /shown text/, async () => {
      const { status, text, headers } = await get("/");
      assertEquals([status, headers.get("Content-Type")], [500, "text/plain; charset=UTF-8"]);
      assertMatch(text, /shown text\n\s+at /);
    });
  }, { serveTraceback: true }));

Deno.test("RequestHandler shows coroutines, templates and the request where serveTraceback is on", async () => {
  class Page extends RequestHandler {
    override *get(): CoroutineGenerator {
      yield* this.#waiting();
    }
    *#waiting(): CoroutineGenerator {
      yield* sleep(1);
      this.render("page.html", { items: null });
    }
    override logException(): void {}
  }
  const templateLoader = new DictLoader({
    "page.html": "one\n{% include 'list.html' %}",
    "list.html": "\n\n{% for item of items %}{{ item }}{% end %}",
  });
  await serve([["/", Page]], async ({ get }) => {
    const { text } = await get("/?a=b", { "X-Shown": "yes" });
    assertMatch(text, /at list\.html:3 \(via page\.html:2\)/);
    assertMatch(text, /at #waiting|at Page\.#waiting/);
    assertMatch(text, /at Page\.get/);
    assertMatch(text, /\n\nGET \/\?a=b HTTP\/1\.1\n[^]*X-Shown: yes\n/);
  }, { serveTraceback: true, templateLoader });
});

Deno.test("Finish ends the request with status and headers as they are, and no log", async () => {
  for (const chunk of [undefined, "more", { more: 1 }]) {
    await withHandler((handler) => {
      handler.setStatus(402);
      handler.setHeader("X-Kept", "yes");
      handler.write("some ");
      throw new Finish(chunk);
    }, async ({ get }) => {
      const { status, headers, text } = await get("/");
      assertEquals([status, headers.get("X-Kept")], [402, "yes"]);
      assertEquals(text.startsWith("some "), true);
      assertEquals(text.includes("more"), chunk !== undefined);
    });
  }
});

Deno.test("RequestHandler.writeError() may be overridden, and may leave finish() out", () => {
  class Own extends RequestHandler {
    override get(): void {
      this.write("gone");
      throw new HTTPError(503, undefined, { reason: "Closed" });
    }
    override post(): void {
      this.sendError(409, { reason: "Own" });
    }
    override writeError(status: number, { error, reason }: SendErrorOptions): void {
      this.write(`own ${status} ${reason} ${error instanceof HTTPError}`);
    }
  }
  return serve([["/", Own]], async ({ get, ask }) => {
    assertEquals((await get("/")).text, "own 503 Closed true");
    const { status, reason, text } = await ask("POST", "/");
    assertEquals([status, reason, text], [409, "Own", "own 409 Own false"]);
  });
});

Deno.test("RequestHandler.writeError() that fails gives an empty page, and is logged", () => {
  class Failing extends RequestHandler {
    override get(): void {
      throw new HTTPError(503);
    }
    override writeError(): void {
      throw new Error("broken page");
    }
  }
  return serve([["/", Failing]], async ({ get }) => {
    await expectLog(appLog, /Uncaught exception in writeError: Error: broken page/, async () => {
      const { status, text } = await get("/");
      assertEquals([status, text], [503, ""]);
    });
  });
});

Deno.test("RequestHandler.logException() that fails is logged and gives up the request", () => {
  class Failing extends RequestHandler {
    override get(): void {
      throw new Error("first");
    }
    override logException(): void {
      throw new Error("broken log");
    }
  }
  return serve([["/", Failing]], async ({ port }) => {
    await expectLog(appLog, /Cannot answer with an error: Error: broken log/, async () => {
      using client = await RawClient.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      assertEquals(await client.rest(), "");
    });
  });
});

Deno.test("RequestHandler that fails behind flush() only ends the connection", () =>
  withHandler(function* (handler) {
    handler.write("part");
    yield* handler.flush();
    throw new Error("too late");
  }, async ({ port }) => {
    await expectLog(genLog, /Cannot send error response after headers written/, async () => {
      await expectLog(appLog, /too late/, async () => {
        using client = await RawClient.connect(port);
        await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        const all = await client.rest();
        assertStringIncludes(all, "part");
        assert(!all.endsWith("0\r\n\r\n"), "a client must see that it is not whole");
      });
    });
  }));

Deno.test("RequestHandler.onFinish() is called once the answer was handed over", async () => {
  const seen: string[] = [];
  class Noting extends RequestHandler {
    override get(): void {
      if (this.getArgument("fail", null) !== null) throw new HTTPError(400);
    }
    override onFinish(): void {
      seen.push(`${this.getStatus()} ${this.finished}`);
    }
  }
  await serve([["/", Noting]], async ({ get }) => {
    await get("/");
    await get("/?fail=1");
    assertEquals(seen, ["200 true", "400 true"]);
  });
});

Deno.test("RequestHandler.onFinish() that fails is logged and does no harm", () => {
  class Failing extends RequestHandler {
    override get(): void {
      this.write("ok");
    }
    override onFinish(): void {
      throw new Error("broken end");
    }
  }
  return serve([["/", Failing]], async ({ get }) => {
    await expectLog(appLog, /broken end/, async () => {
      assertEquals((await get("/")).text, "ok");
    });
  });
});

Deno.test("RequestHandler whose own work is cancelled by somebody answers 500", () =>
  withHandler(function* () {
    const future = new Future<void>();
    setTimeout(() => future.cancel("by somebody"), 1);
    yield* future;
  }, async ({ get }) => {
    await expectLog(appLog, new RegExp(CancelledError.name), async () => {
      assertEquals((await get("/")).status, 500);
    });
  }));

Deno.test("RequestHandler.detach() takes the connection over", () =>
  withHandler((handler) => {
    const stream = handler.detach();
    stream.write("mine: ");
    stream.readUntil("\n").then((line) => {
      stream.write(line);
      stream.close();
    });
  }, async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await sleep(10);
    await client.send("line\n");
    assertEquals(await client.rest(), "mine: line\n");
  }));

Deno.test("RequestHandler serves pipelined requests, fast and slow, in their order", () =>
  serve([
    ["/fast", handling((handler) => handler.write("fast"))],
    [
      "/slow",
      handling(function* (handler): CoroutineGenerator {
        yield* sleep(10);
        handler.write("slow");
      }),
    ],
  ], async ({ port }) => {
    using client = await RawClient.connect(port);
    const order = ["fast", "slow", "fast", "fast", "slow"];
    await client.send(order.map((name) => `GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
    for (const name of order) assertEquals((await client.answer()).text, name);
  }));

Deno.test("Application.logRequest() writes a line for each request, its level by the status", () =>
  withHandler(
    (handler) => handler.setStatus(Number(handler.getArgument("code"))),
    async ({ get }) => {
      for (const [code, level] of [[200, "info"], [404, "warning"], [500, "error"]] as const) {
        const line = new RegExp(
          `^${code} GET /\\?code=${code} \\(127\\.0\\.0\\.1\\) \\d+\\.\\d\\dms$`,
        );
        await expectLog(accessLog, line, () => get(`/?code=${code}`), { level });
      }
    },
  ));

Deno.test("Application logFunction takes the place of the log line", async () => {
  const seen: string[] = [];
  await expectLog(accessLog, "", async () => {
    await withHandler(() => {}, async ({ get }) => {
      await get("/?x");
      await until(() => seen.length > 0);
    }, {
      logFunction: (handler: RequestHandler) =>
        seen.push(`${handler.getStatus()} ${handler.request.uri}`),
    });
  }, { required: false }).then(({ matched }) => assertEquals(matched, []));
  assertEquals(seen, ["200 /?x"]);
});

// The connection hung: the answer counted as sent when its head was refused.
Deno.test("RequestHandler.finish() with a Content-Length that is no number is answered with 500", () =>
  withHandler((handler) => {
    handler.setHeader("Content-Length", "many");
    handler.write("x");
  }, async ({ get }) => {
    await expectLog(
      appLog,
      /Content-Length/,
      async () => assertEquals((await get("/")).status, 500),
    );
  }));

// The work behind a finished answer was told that the client left, not the next request's.
Deno.test("RequestHandler.onConnectionClose() is called for the request that is due", async () => {
  const left: string[] = [];
  class Working extends RequestHandler {
    override *prepare(): CoroutineGenerator {
      if (this.request.path === "/first") yield* sleep(5);
    }
    override *get(): CoroutineGenerator {
      if (this.request.path === "/first") this.finish("ok");
      yield* sleep(1000);
    }
    override onConnectionClose(): void {
      left.push(this.request.path);
    }
  }
  await serve([["/.*", Working]], async ({ port }) => {
    const client = await RawClient.connect(port);
    for (const path of ["/first", "/second"]) {
      await client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    }
    assertEquals((await client.answer()).text, "ok");
    await sleep(20);
    client.close();
    await until(() => left.length > 0);
  });
  assertEquals(left, ["/second"]);
});

Deno.test("writeJson() writes any value as JSON, arrays too", async () => {
  const values = [[1, "a"], { b: null }, "text", 7, null, true];
  for (const value of values) {
    await withHandler((handler) => handler.writeJson(value), async ({ get }) => {
      const { headers, text } = await get("/");
      assertEquals(headers.get("Content-Type"), "application/json; charset=UTF-8");
      assertEquals(JSON.parse(text), value);
    });
  }
});

function slow(timeout: number | null, body: Body): HandlerClass {
  return class Slow extends RequestHandler {
    static override timeout = timeout;
    override get(): unknown {
      return body(this);
    }
    override post(): unknown {
      return body(this);
    }
  };
}

Deno.test("timeout cancels a handler that takes longer, whatever the method, and answers 503", async () => {
  const ended: string[] = [];
  const handler = slow(10, function* (handler) {
    try {
      yield* sleep(60_000);
      ended.push("not cancelled");
    } catch (error) {
      ended.push(`${handler.request.method} ${(error as Error).name}`);
      assertEquals(handler.signal.aborted, true);
      throw error;
    }
  });
  await serve([["/", handler]], async ({ ask }) => {
    for (const method of ["GET", "POST"]) {
      await expectLog(genLog, `${method} / took longer than 10 ms`, async () => {
        assertEquals((await ask(method, "/")).status, 503);
      });
    }
    assertEquals(ended, ["GET CancelledError", "POST CancelledError"]);
  });
});

Deno.test("timeout ends the connection when headers were sent", async () => {
  const handler = slow(10, function* (handler) {
    handler.write("begun");
    yield* handler.flush();
    yield* sleep(60_000);
  });
  await serve([["/", handler]], async ({ port }) => {
    await expectLog(genLog, "took longer", async () => {
      using client = await RawClient.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const came = await client.rest();
      assert(came.endsWith("5\r\nbegun\r\n"), came);
    });
  });
});

Deno.test("timeout leaves a handler alone that is in time, and counts each request anew", async () => {
  const handler = slow(5000, function* (handler) {
    yield* sleep(1);
    handler.write("in time");
  });
  await serve(
    [["/", handler], ["/none", slow(null, (handler) => handler.write("none"))]],
    async ({ get }) => {
      for (let i = 0; i < 3; i++) assertEquals((await get("/")).text, "in time");
      assertEquals((await get("/none")).text, "none");
    },
  );
});
