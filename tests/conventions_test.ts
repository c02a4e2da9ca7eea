// What holds for every name that is exported.
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import * as root from "../mod.ts";
import * as gen from "../gen/mod.ts";
import * as http from "../http/mod.ts";
import * as ioloop from "../ioloop/mod.ts";
import * as iostream from "../iostream/mod.ts";
import * as process from "../process/mod.ts";
import * as testing from "../testing/mod.ts";
import * as web from "../web/mod.ts";
import * as websocket from "../websocket/mod.ts";

const FACES: Record<string, object> = {
  gen,
  http,
  ioloop,
  iostream,
  process,
  testing,
  web,
  websocket,
};

function* exported(): Generator<[name: string, value: unknown]> {
  for (const [face, names] of Object.entries(FACES)) {
    for (const [name, value] of Object.entries(names)) yield [`${face} ${name}`, value];
  }
}

type ErrorClass = new (...args: never[]) => Error;

function errorClasses(): [name: string, value: ErrorClass][] {
  const isError = (value: unknown) =>
    typeof value === "function" && value.prototype instanceof Error;
  return [...exported()].filter(([, value]) => isError(value))
    .map(([name, value]) => [name.split(" ")[1]!, value as ErrorClass]);
}

Deno.test("every exported name is in camelCase, PascalCase or CONSTANT_CASE", () => {
  const odd = [...exported()].map(([name]) => name.split(" ")[1]!).filter((name) =>
    !/^[a-z][a-zA-Z0-9]*$/.test(name) && !/^[A-Z][a-zA-Z0-9]*$/.test(name) &&
    !/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/.test(name)
  );
  assertEquals(odd, []);
});

Deno.test("every error class ends in Error, but those that Tornado names otherwise", () => {
  const others = errorClasses().map(([name]) => name).filter((name) => !name.endsWith("Error"));
  assertEquals([...new Set(others)].sort(), ["Finish", "Return"]);
  for (const name of ["QueueEmpty", "QueueFull"] as const) {
    assert(gen.queues[name].prototype instanceof Error);
  }
});

Deno.test("every error has the name of its class", () => {
  const classes = errorClasses();
  assert(classes.length > 15);
  for (const [name, Class] of classes) {
    const source = Function.prototype.toString.call(Class);
    assert(
      source.includes(`this.name = "${name}"`) || source.includes("this.name = new.target"),
      `${name} does not set its name`,
    );
  }
});

Deno.test("the root has all names, the errors of web and client apart, and no Event", () => {
  assertStrictEquals(root.HTTPError, web.HTTPError);
  assertStrictEquals(root.HTTPClientError, http.HTTPClientError);
  for (const name of ["Event", "Lock", "Queue", "Semaphore", "Condition"]) {
    assertEquals([name, name in root], [name, false]);
  }
  assertStrictEquals(root.locks.Event, gen.locks.Event);
  assertStrictEquals(root.queues.Queue, gen.queues.Queue);
  assertStrictEquals(root.locale.getLocale, web.getLocale);
  assertStrictEquals(root.escape.xhtmlEscape, http.escape.xhtmlEscape);
});

Deno.test("what layers share stands in the lowest that needs it", () => {
  for (const name of ["accessLog", "appLog", "genLog", "Configurable", "TimeoutError"]) {
    assert(name in ioloop, name);
  }
  for (const name of ["escape", "GzipDecompressor"]) assert(name in http, name);
  assertStrictEquals(web.escape, http.escape);
  assertStrictEquals(web.GzipDecompressor, http.GzipDecompressor);
  assert("enablePrettyLogging" in process);
});

Deno.test("small records are frozen, lists are arrays, and dictionaries plain objects", () => {
  assert(Object.isFrozen(http.parseRequestStartLine("GET / HTTP/1.1")));
  assert(Object.isFrozen(http.parseResponseStartLine("HTTP/1.1 200 OK")));
  const request = new http.HTTPServerRequest({ uri: "/?a=1&a=2" });
  assert(Array.isArray(request.arguments["a"]));
  assertEquals(Object.getPrototypeOf(request.arguments), null);
  assert(Array.isArray(new http.HTTPHeaders({ a: "1" }).getList("a")));
});

Deno.test("an option that is undefined counts as left out, and null as nothing", () => {
  const request = new http.HTTPRequest("http://localhost/", {
    userAgent: undefined as never,
    body: null as never,
    authUsername: null as never,
  });
  assertEquals(request.url, "http://localhost/");
  const headers = new http.HTTPHeaders();
  assertEquals([headers.get("a"), headers.get("a", "default")], [null, "default"]);
  assertEquals(web.getSignatureKeyVersion("none"), null);
  assertEquals(web.decodeSignedValue("secret", "name", undefined), null);
  assertEquals(web.decodeSignedValue("secret", "name", null), null);
});
