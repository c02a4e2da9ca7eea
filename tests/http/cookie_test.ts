import { assert, assertEquals } from "@std/assert";
import { parseCookie } from "../../http/cookie.ts";

function parse(header: string): Record<string, string> {
  return { ...parseCookie(header) };
}

Deno.test("parseCookie() reads names and values", () => {
  assertEquals(parse("chips=ahoy; vienna=finger"), { chips: "ahoy", vienna: "finger" });
  assertEquals(parse("keebler=E=mc2; a=[; d=r"), { keebler: "E=mc2", a: "[", d: "r" });
  assertEquals(parse("a=b; Domain=foo.com; c="), { a: "b", Domain: "foo.com", c: "" });
});

Deno.test("parseCookie() lets the last of two cookies win", () => {
  assertEquals(parse("a=b; h=i; a=c"), { a: "c", h: "i" });
});

Deno.test("parseCookie() files a nameless cookie under the empty name", () => {
  assertEquals(parse("TESTCOOKIE; =x; y=z"), { "": "x", y: "z" });
  assertEquals(parse("a=b; ; =; ;"), { a: "b" });
  assertEquals(parse(""), {});
});

Deno.test("parseCookie() trims blanks around names and values", () => {
  assertEquals(parse("  = b  ;  ;  =  ;   c  =  ;  d = e f "), { "": "b", c: "", d: "e f" });
});

Deno.test("parseCookie() undoes quotes and escapes", () => {
  assertEquals(parse(String.raw`a="b=\042c"; d="\"e\\"; f="\303\251"; g="h; i="`), {
    a: 'b="c',
    d: '"e\\',
    f: "\xc3\xa9",
    g: '"h',
    i: '"',
  });
  assertEquals(parse(String.raw`a="\400\09"`), { a: "40009" });
});

Deno.test("parseCookie() gives an object without prototype", () => {
  const cookies = parseCookie("__proto__=a; toString=b");
  assertEquals(cookies["__proto__"], "a");
  assertEquals(parseCookie("a=b")["constructor"], undefined);
});

Deno.test("parseCookie() undoes 100,000 escapes in under a second", () => {
  const start = performance.now();
  assertEquals(parseCookie(`a="${String.raw`\042`.repeat(100_000)}"`)["a"]!.length, 100_000);
  assertEquals(parseCookie(`a="${"\\".repeat(100_000)}"`)["a"]!.length, 50_000);
  assert(performance.now() - start < 10_000);
});
