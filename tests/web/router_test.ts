import { assert, assertEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  HTTPHeaders,
  type HTTPMessageDelegate,
  HTTPServer,
  HTTPServerRequest,
} from "../../http/mod.ts";
import {
  AnyMatches,
  Application,
  DefaultHostMatches,
  FetchContainer,
  HostMatches,
  Matcher,
  type MatchResult,
  PathMatches,
  type PathParams,
  RequestHandler,
  ReversibleRuleRouter,
  Router,
  Rule,
  RuleRouter,
  streamRequestBody,
  url,
} from "../../web/mod.ts";
import { ask, type RawAnswer } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

function answer(request: HTTPServerRequest, text: string): void {
  const headers = new HTTPHeaders({ "Content-Length": String(text.length) });
  request.connection.writeHeaders({ code: 200 }, headers);
  request.connection.write(text);
  request.connection.finish();
}

// Answers with what it was told of a request.
class Telling implements HTTPMessageDelegate {
  readonly #request: HTTPServerRequest;
  #text: string;

  constructor(request: HTTPServerRequest, name: string) {
    this.#request = request;
    this.#text = name;
  }

  headersReceived(): void {
    this.#text += " head";
  }

  dataReceived(chunk: Uint8Array): void {
    this.#text += ` ${chunk.length}`;
  }

  finish(): void {
    answer(this.#request, `${this.#text} end`);
  }

  onConnectionClose(): void {}
}

class Text extends RequestHandler {
  #text = "";
  override initialize(text: string): void {
    this.#text = text;
  }
  override get(...args: unknown[]): void {
    this.write([this.#text, ...args.map((arg) => JSON.stringify(arg))].join(" "));
  }
}

async function serving(
  app: ConstructorParameters<typeof HTTPServer>[0],
  body: (get: (path: string, request?: object) => Promise<RawAnswer>) => Promise<void>,
): Promise<void> {
  await new IOLoop().run(async () => {
    const server = new HTTPServer(app);
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    try {
      await body((path, request = {}) => ask(port, "GET", path, request));
    } finally {
      server.stop();
      await server.closeAllConnections();
    }
  }, { timeout: 20_000 });
}

Deno.test("Router of one's own finds a delegate for each request of a server; null is 404", async () => {
  class Own extends Router {
    override findHandler(request: HTTPServerRequest): HTTPMessageDelegate | null {
      return request.path === "/none" ? null : new Telling(request, request.path);
    }
  }
  await serving(new Own(), async (get) => {
    assertEquals((await get("/a")).text, "/a head end");
    assertEquals((await get("/b", { body: "12345" })).text, "/b head 5 end");
    const { status, text } = await get("/none", { body: "12345" });
    assertEquals([status, text], [404, ""]);
  });
});

Deno.test("RuleRouter takes functions, delegates, containers, routers and rules as targets", async () => {
  const router = new RuleRouter([
    ["/function", (request) => answer(request, "function")],
    ["/promise", async (request) => {
      await Promise.resolve();
      answer(request, "promise");
    }],
    ["/delegate", {
      startRequest: (_server, connection) => {
        const { request } = connection as unknown as { request: HTTPServerRequest };
        return new Telling(request, "delegate");
      },
      onClose() {},
    }],
    ["/fetch", new FetchContainer((request) => new Response(`fetched by ${request.method}`))],
    ["/nested/.*", [
      ["/nested/a", (request) => answer(request, "nested a")],
      [new AnyMatches(), [["/nested/b", (request) => answer(request, "deep b")]]],
    ]],
    ["/app/.*", new Application([["/app/(.*)", Text, "handler"]])],
    ["/nested/c", (request) => answer(request, "behind the nested ones")],
  ]);
  await serving(router, async (get) => {
    assertEquals((await get("/function")).text, "function");
    assertEquals((await get("/promise")).text, "promise");
    assertEquals((await get("/delegate", { body: "123" })).text, "delegate head 3 end");
    assertEquals((await get("/fetch")).text, "fetched by GET");
    assertEquals((await get("/nested/a")).text, "nested a");
    assertEquals((await get("/nested/b")).text, "deep b");
    assertEquals((await get("/nested/c")).text, "behind the nested ones");
    assertEquals((await get("/app/x")).text, 'handler "x"');
    assertEquals((await get("/app/x/y")).text, 'handler "x/y"');
    assertEquals((await get("/else")).status, 404);
  });
});

Deno.test("RuleRouter refuses a target that is none, and a handler without an application", () => {
  for (const target of ["Handler", 42, null, undefined]) {
    assertThrows(
      () => new RuleRouter([["/", target as never]]),
      TypeError,
      "expected a handler class or another target",
    );
  }
  const router = new RuleRouter([["/", Text]]);
  assertThrows(
    () => router.findHandler(new HTTPServerRequest({ uri: "/" })),
    TypeError,
    "Text needs an Application",
  );
});

Deno.test("RuleRouter routes by method with a matcher of one's own", async () => {
  class MethodMatches extends Matcher {
    constructor(readonly method: string) {
      super();
    }
    override match(request: HTTPServerRequest): MatchResult | null {
      return request.method === this.method ? { pathArgs: ["x"], pathKwargs: null } : null;
    }
  }
  const rules = [
    new Rule(new MethodMatches("GET"), Text, "got"),
    new Rule(new AnyMatches(), (request: HTTPServerRequest) => answer(request, "other")),
  ];
  await serve(rules, async ({ get, ask }) => {
    assertEquals((await get("/")).text, 'got "x"');
    assertEquals((await ask("POST", "/", { body: "123" })).text, "other");
  });
});

Deno.test("Application takes other targets beside handlers, with their bodies streamed", async () => {
  @streamRequestBody
  class Upload extends RequestHandler {
    #length = 0;
    override dataReceived(chunk: Uint8Array): void {
      this.#length += chunk.length;
    }
    override post(): void {
      this.write(`streamed ${this.#length}`);
    }
  }
  class Whole extends RequestHandler {
    override post(): void {
      this.write(`whole ${this.request.body.length}`);
    }
  }
  await serve([
    ["/fetch", new FetchContainer(async (request) => new Response(await request.text()))],
    ["/function", (request) => answer(request, `function ${request.body.length}`)],
    ["/upload", Upload],
    ["/whole", Whole],
    [new HostMatches("other"), [["/whole", Upload]]],
  ], async ({ ask }) => {
    const post = async (path: string, headers = {}) =>
      (await ask("POST", path, { body: "x".repeat(100_000), headers })).text.slice(0, 20);
    assertEquals(await post("/fetch"), "x".repeat(20));
    assertEquals(await post("/function"), "function 100000");
    assertEquals(await post("/upload"), "streamed 100000");
    assertEquals(await post("/whole"), "whole 100000");
    assertEquals(await post("/whole", { Host: "other" }), "whole 100000"); // it stands first
  });
});

Deno.test("Application.findHandler() may be overridden, and use getHandlerDelegate()", async () => {
  class Own extends Application {
    override findHandler(request: HTTPServerRequest): HTTPMessageDelegate {
      if (request.path !== "/own") return super.findHandler(request);
      return this.getHandlerDelegate(request, Text, { initOptions: "own", pathArgs: ["a%20b"] });
    }
  }
  await serving(new Own([["/routed", Text, "routed"]]), async (get) => {
    assertEquals((await get("/own")).text, 'own "a b"');
    assertEquals((await get("/routed")).text, "routed");
    assertEquals((await get("/else")).status, 404);
  });
});

Deno.test("Application.startRequest() may be overridden", async () => {
  const started: string[] = [];
  class Own extends Application {
    override startRequest(...args: Parameters<Application["startRequest"]>): HTTPMessageDelegate {
      started.push(args[1].remoteIp);
      return super.startRequest(...args);
    }
  }
  await serving(new Own([["/", Text, "text"]]), async (get) => {
    assertEquals((await get("/")).text, "text");
    assertEquals(started, ["127.0.0.1"]);
  });
});

Deno.test("Application.wildcardRouter and defaultRouter take further rules", async () => {
  await serve([["/a", Text, "a"]], async ({ app, get }) => {
    assertEquals((await get("/b")).status, 404);
    app.wildcardRouter.addRules([["/b", Text, "b"], ["/a", Text, "too late"]]);
    app.defaultRouter.addRules([["/c", Text, "c"]]);
    assertEquals((await get("/a")).text, "a");
    assertEquals((await get("/b")).text, "b");
    assertEquals((await get("/c")).text, "c");
  });
});

Deno.test("Application.defaultHost makes routes of one host those of all others", async () => {
  await serve([["/all", Text, "all"]], async ({ app, get }) => {
    app.addHandlers("www.example.com", [["/foo", Text, "0"]]);
    app.addHandlers("www\\.example\\.com", [["/bar", Text, "1"]]);
    app.addHandlers("www.test.com", [["/baz", Text, "2"], ["/all", Text, "hidden"]]);
    const texts = async (headers = {}) =>
      await Promise.all(["/foo", "/bar", "/baz", "/all"].map(async (path) => {
        const { status, text } = await get(path, headers);
        return status === 200 ? text : status;
      }));
    assertEquals(app.defaultHost, "www.example.com");
    assertEquals(await texts(), ["0", "1", 404, "all"]);
    assertEquals(await texts({ "X-Real-Ip": "1.2.3.4" }), [404, 404, 404, "all"]);
    assertEquals(await texts({ Host: "www.test.com" }), ["0", "1", "2", "hidden"]);
    app.defaultHost = "www.test.com";
    assertEquals(await texts(), [404, 404, "2", "all"]);
    app.defaultHost = null;
    assertEquals(await texts(), [404, 404, 404, "all"]);
  }, { defaultHost: "www.example.com" });
});

Deno.test("HostMatches looks at the whole name, without port and case", () => {
  const matches = (pattern: string | RegExp, host: string) =>
    new HostMatches(pattern).match(new HTTPServerRequest({ uri: "/", host })) !== null;
  assert(matches("a\\.example", "A.example:8000"));
  assert(!matches("a\\.example", "aXexample"));
  assert(!matches("a\\.example", "b.a.example"));
  assert(!matches("a|b", "ab"));
  assert(matches(/example/, "an.example.org"));
  assert(matches("\\[::1\\]|::1", "[::1]:80"));
});

Deno.test("DefaultHostMatches follows the default host of its application", () => {
  const app: { defaultHost: string | null } = { defaultHost: null };
  const matcher = new DefaultHostMatches(app, /^a$/);
  const request = new HTTPServerRequest({ uri: "/", host: "b" });
  assertEquals(matcher.match(request), null);
  app.defaultHost = "a";
  assert(matcher.match(request) !== null);
  const headers = new HTTPHeaders({ "X-Real-Ip": "1.2.3.4" });
  assertEquals(matcher.match(new HTTPServerRequest({ uri: "/", headers })), null);
});

Deno.test("ReversibleRuleRouter makes paths of named rules, in nested routers too", async () => {
  const nested = new ReversibleRuleRouter([
    new Rule(new PathMatches("/deep/(.*)"), () => {}, {}, "deep"),
  ]);
  const router = new ReversibleRuleRouter([
    ["/a/([^/]+)/b", () => {}, {}, "a"],
    ["/a/.*", nested],
    [new HostMatches("x"), () => {}, {}, "host"],
  ]);
  assertEquals(router.reverseUrl("a", "x y"), "/a/x%20y/b");
  assertEquals(router.reverseUrl("deep", 1), "/deep/1");
  assertEquals(router.reverseUrl("host"), null);
  assertEquals(router.reverseUrl("unknown"), null);
  assertEquals(Object.keys(router.namedRules), ["a", "host"]);
  await expectLog(genLog, /Multiple handlers named a; replacing previous value/, () => {
    router.addRules([["/second", () => {}, {}, "a"]]);
  });
  assertEquals(router.reverseUrl("a"), "/second");
});

Deno.test("Application.reverseUrl() finds names in nested routes and other routers", async () => {
  await serve([
    [new HostMatches("x"), [url("/nested/(.*)", Text, {}, "nested")]],
    ["/r/.*", new ReversibleRuleRouter([["/r/(.*)", () => {}, {}, "routed"]])],
  ], ({ app }) => {
    assertEquals(app.reverseUrl("nested", 1), "/nested/1");
    assertEquals(app.reverseUrl("routed", "é"), "/r/%C3%A9");
    return Promise.resolve();
  });
});

Deno.test("PathMatches takes names in a path for whole parts of it", () => {
  const matcher = new PathMatches("/story/:id/part/:part.html");
  const match = (path: string) => {
    const kwargs = matcher.matchPath(path)?.pathKwargs;
    return kwargs === undefined ? null : { ...kwargs };
  };
  assertEquals(match("/story/1/part/two.html"), { id: "1", part: "two" });
  assertEquals(match("/story/1/part/two-html"), null);
  assertEquals(match("/story//part/two.html"), null);
  assertEquals(match("/story/1/2/part/two.html"), null);
  assertEquals(matcher.reverse("a/b", 2), "/story/a%2Fb/part/2.html");
  assertEquals(new PathMatches("/time/12:30").literal, "/time/12:30");
  assertEquals(new PathMatches("/(a)/:b").matchPath("/a/:b")?.pathArgs, ["a"]);
});

Deno.test("pathParams has the names of the pattern that the handler's type gives", async () => {
  class Story extends RequestHandler<"/story/:id/:part"> {
    override get(named: { id: string }): void {
      assertType<IsExact<typeof this.pathParams.id, string>>(true);
      const { id, part } = this.pathParams;
      assertEquals(named.id, id);
      this.write(`${id} and ${part}`);
    }
  }
  class Plain extends RequestHandler {
    override get(): void {
      this.write({ ...this.pathParams });
    }
  }
  const routes = [url("/story/:id/:part", Story), url("/plain/:x", Plain), url("/plain", Plain)];
  await serve(routes, async ({ get }) => {
    assertEquals((await get("/story/7/b%20c")).text, "7 and b c");
    assertEquals((await get("/plain/%C3%A9")).text, '{"x":"é"}');
    assertEquals((await get("/plain")).text, "{}");
    assertEquals((await get("/plain/%FF")).status, 400);
  });
});

Deno.test("url() does not take a typed handler for a pattern without its names", () => {
  class Story extends RequestHandler<"/story/:id"> {}
  url("/other/:id", Story);
  url("/story/:id/:more", Story);
  // @ts-expect-error -- the pattern has no `id`
  url("/story/:name", Story);
  assertType<IsExact<PathParams<"/a/:b/c/:d">, { readonly b: string; readonly d: string }>>(true);
  assertType<IsExact<PathParams<"/a/:b.html">, { readonly b: string }>>(true);
  // deno-lint-ignore ban-types -- no names at all
  assertType<IsExact<PathParams<"/a">, {}>>(true);
});

Deno.test("Application types the settings of a program", () => {
  const app = new Application([], { greeting: "hello", debug: false });
  assertType<IsExact<typeof app.settings.greeting, string>>(true);
  assertEquals(app.settings.greeting, "hello");
});

Deno.test("Application.listen() takes the options of the server and of its socket", async () => {
  await new IOLoop().run(async () => {
    const app = new Application([["/", Text, "text"]]);
    const server = app.listen(0, "localhost", { family: "ipv4", backlog: 10, maxBodySize: 1 });
    const { port, hostname } = server.addresses[0] as Deno.NetAddr;
    assertEquals(hostname, "127.0.0.1");
    assertEquals((await ask(port, "GET", "/")).text, "text");
    assertEquals((await ask(port, "POST", "/", { body: "123" })).status, 413);
    server.stop();
    await server.closeAllConnections();
  });
});

Deno.test("debug turns on what helps, each of which can be set otherwise", () => {
  const { settings } = new Application([], { debug: true });
  assertEquals(settings["serveTraceback"], true);
  assertEquals(settings["compiledTemplateCache"], false);
  assertEquals(settings["staticHashCache"], false);
  assertEquals(
    new Application([], { debug: true, serveTraceback: false }).settings
      .serveTraceback,
    false,
  );
  assertEquals("serveTraceback" in new Application([], { debug: false }).settings, false);
});
