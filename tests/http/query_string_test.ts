import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { parseQsBytes, type ParseQsOptions } from "../../http/query_string.ts";

function parse(qs: string | Uint8Array, options?: ParseQsOptions): Record<string, string[]> {
  const result: Record<string, string[]> = {};
  for (const [name, values] of Object.entries(parseQsBytes(qs, options))) {
    result[name] = values.map((value) => String.fromCharCode(...value));
  }
  return result;
}

Deno.test("parseQsBytes() reads names as text and values as bytes", () => {
  assertEquals(parse("a=1&b=%C3%A9+x&a=2&%C3%A9=y=z"), {
    a: ["1", "2"],
    b: ["\xc3\xa9 x"],
    é: ["y=z"],
  });
  assertEquals(parse("%E9=%E9%zz%"), { "\ufffd": ["\xe9%zz%"] });
  assertEquals(parse("é=é"), { é: ["\xc3\xa9"] });
  assertEquals(parse(Uint8Array.of(0x61, 0x3d, 0xff)), { a: ["\xff"] });
});

Deno.test("parseQsBytes() drops blank values unless told to keep them", () => {
  assertEquals(parse("foo=&bar&foo=&=x&&baz=1"), { "": ["x"], baz: ["1"] });
  assertEquals(parse("foo=&bar&foo=&=&&", { keepBlankValues: true }), {
    foo: ["", ""],
    bar: [""],
    "": [""],
  });
  assertEquals(parse("", { keepBlankValues: true }), {});
});

Deno.test("parseQsBytes() refuses parts without = in strict parsing", () => {
  for (const qs of ["a", "a=1&", "a=1&&b=2"]) {
    assertThrows(() => parseQsBytes(qs, { strictParsing: true }), TypeError);
  }
  assertEquals(parse("a=1", { strictParsing: true }), { a: ["1"] });
});

Deno.test("parseQsBytes() gives an object without prototype", () => {
  const args = parseQsBytes("__proto__=a&constructor=b");
  assertStrictEquals(Object.getPrototypeOf(args), null);
  assertEquals(Object.keys(args), ["__proto__", "constructor"]);
});

Deno.test("parseQsBytes() takes linear time", () => {
  const start = performance.now();
  for (const part of ["&", "=", "%", "a=b&", "+", "%41", "a=&"]) {
    parseQsBytes(part.repeat(100_000), { keepBlankValues: true });
  }
  assert(performance.now() - start < 10_000);
});
