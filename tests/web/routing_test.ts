import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { HTTPServerRequest } from "../../http/mod.ts";
import {
  AnyMatches,
  type HandlerClass,
  type MatchResult,
  PathMatches,
  RequestHandler,
  Rule,
  url,
  URLSpec,
} from "../../web/mod.ts";
import { serve } from "./_serve.ts";

// Shows which route was taken, and with what.
class Show extends RequestHandler {
  #name = "";

  override initialize(name: string): void {
    this.#name = name;
  }

  override get(...args: unknown[]): void {
    this.write({ route: this.#name, args });
  }
}

Deno.test("URLSpec matches a string from the first to the last character", () => {
  for (const pattern of ["/a", "^/a$", "/a$"]) {
    const spec = new URLSpec(pattern, Show);
    assertEquals(spec.match("/a")?.pathArgs, []);
    for (const path of ["/a/", "/ab", "x/a", "", "/A", "/a\n"]) {
      assertEquals(spec.match(path), null, path);
    }
  }
});

Deno.test("URLSpec takes alternatives as a whole", () => {
  const spec = new URLSpec("/a|/b", Show);
  assertEquals(spec.match("/b")?.pathArgs, []);
  assertEquals(spec.match("/ax"), null);
  assertEquals(spec.match("x/b"), null);
});

Deno.test("URLSpec anchors a RegExp at the start only, and keeps its flags", () => {
  const spec = new URLSpec(/\/a(\d)/i, Show);
  assertEquals(spec.match("/A1/more")?.pathArgs, ["1"]);
  assertEquals(spec.match("/x/a1"), null);
  const sticky = new URLSpec(/\/a/gy, Show);
  for (let i = 0; i < 3; i++) assertEquals(sticky.match("/a")?.pathArgs, []);
});

Deno.test("URLSpec gives unnamed groups in order, null for one that took no part", () => {
  const spec = new URLSpec("/(\\w+)(/\\d+)?", Show);
  assertEquals(spec.match("/a/1")?.pathArgs, ["a", "/1"]);
  assertEquals(spec.match("/a")?.pathArgs, ["a", null]);
});

Deno.test("URLSpec gives named groups by name, in both ways to write them", () => {
  for (const pattern of ["/(?<x>a)/(?<y>b)", "/(?P<x>a)/(?P<y>b)"]) {
    const match = new URLSpec(pattern, Show).match("/a/b");
    assertEquals({ ...match?.pathKwargs }, { x: "a", y: "b" });
    assertEquals(match?.pathArgs, []);
  }
});

Deno.test("URLSpec refuses to mix named and unnamed groups", () => {
  assertThrows(() => new URLSpec("/(a)/(?<b>b)", Show), TypeError, "mixes");
});

Deno.test("URLSpec refuses what is not a class, such as the name of one", () => {
  const name = "Show" as unknown as HandlerClass;
  assertThrows(() => new URLSpec("/", name), TypeError, 'expected a handler class, got "Show"');
  for (const other of [() => {}, class {}]) {
    const cast = other as unknown as typeof Show;
    assertThrows(() => new URLSpec("/", cast), TypeError, "expected a handler class");
  }
});

Deno.test("URLSpec takes escaped characters literally", () => {
  const spec = new URLSpec("/favicon\\.ico", Show);
  assertEquals(spec.matcher.literal, "/favicon.ico");
  assertEquals(spec.match("/favicon.ico")?.pathArgs, []);
  assertEquals(spec.match("/faviconXico"), null);
});

Deno.test("URLSpec.reverse() fills in text, numbers and bytes, encoded", () => {
  const spec = url("/story/([^/]+)/x\\.(.*)", Show, undefined, "story");
  assertEquals(spec.name, "story");
  assertEquals(spec.reverse("a b", 7), "/story/a%20b/x.7");
  assertEquals(
    spec.reverse("é+/?", new TextEncoder().encode("é")),
    "/story/%C3%A9%2B%2F%3F/x.%C3%A9",
  );
  assertEquals(url("^/plain\\.txt$", Show).reverse(), "/plain.txt");
});

Deno.test("URLSpec.reverse() refuses a wrong number of arguments, and what cannot be reversed", () => {
  assertThrows(() => url("/(a)", Show).reverse(), TypeError, "1 groups, got 0");
  assertThrows(() => url("/(a)", Show).reverse(1, 2), TypeError, "got 2");
  assertThrows(() => url("/((a)b)", Show).reverse(1), TypeError, "flat groups");
  assertThrows(() => url("/\\d", Show).reverse(), TypeError, "flat groups");
});

Deno.test("Application takes the first route that matches, literal or pattern", () =>
  serve([
    ["/a", Show, "literal"],
    ["/a", Show, "second literal"],
    ["/(.)", Show, "pattern"],
    ["/b", Show, "shadowed literal"],
    [new AnyMatches(), []],
    ["/behind", Show, "literal behind a rule that knows nobody"],
    ["/(l.*)", Show, "rest"],
    ["/long", Show, "shadowed by rest"],
  ], async ({ get }) => {
    const route = async (path: string) => JSON.parse((await get(path)).text).route;
    assertEquals(await route("/a"), "literal");
    assertEquals(await route("/b"), "pattern");
    assertEquals(await route("/behind"), "literal behind a rule that knows nobody");
    assertEquals(await route("/long"), "rest");
    assertEquals((await get("/x/y")).status, 404);
  }));

// Patterns of which each looks as if all its paths began alike.
const PATTERNS: readonly (string | RegExp)[] = [
  "/a/(x)",
  "/a/(.*)",
  "/a/?(b)",
  "/a/*(c)",
  "/a/{2}(d)",
  "/a/(x)|/b/(y)",
  "/a/[(]|/b/[)]",
  "/a/(?:x|y)",
  "/a\\.b/(.*)",
  "/a+/(x)",
  "/(a|b)/c",
  "/a",
  "/b/y",
  "/b/:name",
  "/a\\/b/(x)",
  "/a/b/(x)",
  "/a/b/c?/(x)",
  "/a/b/:name/d",
  "/a/b/c/(.*)",
  "/\\//(x)",
  "//(x)",
  "/%C3%A9/(x)",
  ".*/z",
  /\/a\/x/i,
  /\/b\//,
  /x/,
];
const PATHS = [
  ...["/a", "/b", "/a/", "/a/x", "/a/b", "/ab", "/a/c", "/ac", "/a//d", "/b/y", "/a/(", "/b/)"],
  ...["/a/y", "/a.b/", "/a.b/q", "/axb/q", "/aa/x", "/a/c", "/b/c", "/b/q", "//x", "/%C3%A9/x"],
  ...[
    "/q/z",
    "/z",
    "/b/z",
    "/A/X",
    "/a/x/y",
    "/",
    "/c/d/e",
    "/a/b/x",
    "///x",
    ..."/a/b/c/x /a/b//x /a/b/q/d /a/b/c/d /a/b/c/ /a/b/c/d/e/f".split(" "),
  ],
];

Deno.test("Application finds routes by how they begin, and none but the first that matches", async () => {
  for (let round = 0; round < PATTERNS.length; round++) {
    // Each pattern is the first once, and stands before and behind each other one.
    const turned = [...PATTERNS.slice(round), ...PATTERNS.slice(0, round)];
    const patterns = round % 2 === 0 ? turned : turned.reverse().slice(0, 8);
    const specs = patterns.map((pattern, at) => new URLSpec(pattern, Show, `${at}`));
    await serve(specs, async ({ get }) => {
      for (const path of PATHS) {
        const due = specs.findIndex((spec) => spec.match(path) !== null);
        const { status, text } = await get(path);
        const found = status === 404 ? -1 : Number(JSON.parse(text).route);
        assertEquals(found, due, `${path} in ${patterns.join(" ")}`);
      }
    });
  }
});

Deno.test("Application asks a matcher of one's own, whatever its pattern", () => {
  class Versioned extends PathMatches {
    override match(request: HTTPServerRequest): MatchResult | null {
      return this.matchPath(request.path.replace(/^\/v\d/, ""));
    }
  }
  class OfAnyCase extends PathMatches {
    override matchPath(path: string): MatchResult | null {
      return super.matchPath(path.toLowerCase());
    }
  }
  class Never extends PathMatches {
    override match(): null {
      return null;
    }
  }
  return serve([
    new Rule(new Versioned("/story/:id"), Show, "versioned"),
    new Rule(new OfAnyCase("/users/:id"), Show, "of any case"),
    new Rule(new Never("/p"), Show, "never"),
    ["/p", Show, "plain"],
  ], async ({ get }) => {
    const route = async (path: string) => JSON.parse((await get(path)).text).route;
    for (const path of ["/story/7", "/v2/story/7"]) assertEquals(await route(path), "versioned");
    for (const path of ["/users/7", "/Users/7"]) assertEquals(await route(path), "of any case");
    assertEquals(await route("/p"), "plain");
  });
});

Deno.test("Application decodes groups: percent signs, UTF-8, slashes, but not plus", () =>
  serve([["/p/(.*)", Show, "p"], ["/n/(?<a>[^/]*)/?(?<b>.*)?", Show, "n"]], async ({ get }) => {
    const args = async (path: string) => JSON.parse((await get(path)).text).args;
    assertEquals(await args("/p/%3F"), ["?"]);
    assertEquals(await args("/p/%C3%A9"), ["é"]);
    assertEquals(await args("/p/a%2Fb"), ["a/b"]);
    assertEquals(await args("/p/a+b%2B"), ["a+b+"]);
    assertEquals(await args("/p/a%252F"), ["a%2F"]);
    assertEquals(await args("/n/%C3%A9/b"), [{ a: "é", b: "b" }]);
    assertEquals(await args("/n/x"), [{ a: "x", b: null }]);
  }));

Deno.test("Application answers 404 to a path that no route matches, whatever the method", () =>
  serve([["/a", Show]], async ({ ask }) => {
    for (const method of ["GET", "POST", "PUT"]) {
      const { status, text } = await ask(method, "/b");
      assertEquals(status, 404);
      assertStringIncludes(text, "404: Not Found");
    }
  }));

class Fallback extends RequestHandler {
  #text = "";

  override initialize({ text }: { text: string }): void {
    this.#text = text;
  }

  override get(): void {
    this.setStatus(404);
    this.write(this.#text);
  }
}

Deno.test("Application gives what no route matches to defaultHandlerClass", () =>
  serve([], async ({ get }) => {
    const { status, text } = await get("/any");
    assertEquals([status, text], [404, "nothing here"]);
  }, { defaultHandlerClass: Fallback, defaultHandlerArgs: { text: "nothing here" } }));

Deno.test("Application.addHandlers() serves the hosts that match, before all others", () =>
  serve([["/a", Show, "any"], ["/b", Show, "any b"]], async ({ app, get }) => {
    app.addHandlers("www\\.example\\.com", [["/a", Show, "www"]]);
    app.addHandlers("www\\.example\\.com", [["/c", Show, "www too"]]);
    app.addHandlers(/.*\.org/, [["/a", Show, "org"]]);
    const route = async (path: string, host: string) => {
      const { status, text } = await get(path, { Host: host });
      return status === 200 ? JSON.parse(text).route : status;
    };
    assertEquals(await route("/a", "www.example.com"), "www");
    assertEquals(await route("/a", "WWW.example.com:8080"), "www");
    assertEquals(await route("/c", "www.example.com"), "www too");
    assertEquals(await route("/b", "www.example.com"), "any b");
    assertEquals(await route("/a", "wwwXexample.com"), "any");
    assertEquals(await route("/a", "www.example.com.evil"), "any");
    assertEquals(await route("/a", "x.org"), "org");
    assertEquals(await route("/c", "x.org"), 404);
  }));

class Reversing extends RequestHandler {
  override get(): void {
    this.write(this.application.reverseUrl("story", "a b", 2));
  }
}

Deno.test("Application.reverseUrl() finds routes by name", () =>
  serve([["/", Reversing], url("/story/(.*)/(.*)", Show, "x", "story")], async ({ app, get }) => {
    assertEquals((await get("/")).text, "/story/a%20b/2");
    assertEquals(app.reverseUrl("story", 1, 2), "/story/1/2");
    assertThrows(() => app.reverseUrl("unknown"), Error, "no route has that name");
    app.addHandlers(".*", [url("/later", Show, "x", "later")]);
    assertEquals(app.reverseUrl("later"), "/later");
  }));
