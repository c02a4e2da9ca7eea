import { assert, assertEquals } from "@std/assert";
import { encodeHeader, parseHeader } from "../../http/parse_header.ts";

function parse(line: string): [string, Record<string, string>] {
  const [key, params] = parseHeader(line);
  return [key, { ...params }];
}

Deno.test("parseHeader() reads parameters, quoted or not", () => {
  assertEquals(parse('form-data; foo="b\\\\a\\"r"; File = x ;'), ["form-data", {
    foo: 'b\\a"r',
    file: "x",
  }]);
  assertEquals(parse('a; b="c;d"; e="f=g"'), ["a", { b: "c;d", e: "f=g" }]);
  assertEquals(parse("text/html"), ["text/html", {}]);
  assertEquals(parse(""), ["", {}]);
});

Deno.test("parseHeader() keeps a backslash that escapes nothing", () => {
  assertEquals(parse('a; b="c\\d.txt"'), ["a", { b: "c\\d.txt" }]);
});

Deno.test("parseHeader() gives a parameter without value the empty one", () => {
  assertEquals(parse("permessage-deflate; client_max_window_bits; x="), [
    "permessage-deflate",
    { client_max_window_bits: "", x: "" },
  ]);
});

Deno.test("parseHeader() decodes extended parameters, which outrank plain ones", () => {
  assertEquals(parse("a; file*=utf-8''T%C3%A4st; file=test"), ["a", { file: "Täst" }]);
  assertEquals(parse("a; file*=ISO-8859-1'en'T%E4st+"), ["a", { file: "Täst+" }]);
  assertEquals(parse("a; file=test; file*=koi8-r''x; other*=x"), ["a", { file: "test" }]);
});

Deno.test("parseHeader() lets the last of two parameters win and knows no prototype", () => {
  assertEquals(parse("a; b=1; B=2"), ["a", { b: "2" }]);
  assertEquals(parseHeader("a; __proto__=x")[1]["__proto__"], "x");
});

Deno.test("parseHeader() takes linear time", () => {
  const start = performance.now();
  for (const part of [";", '"', "\\", '";', '="\\"', "; a=b"]) {
    parseHeader(`a; b="${part.repeat(100_000)}`);
  }
  assert(performance.now() - start < 10_000);
});

Deno.test("encodeHeader() writes parameters by name and quotes what is no token", () => {
  assertEquals(
    encodeHeader("permessage-deflate", {
      server_max_window_bits: "10",
      client_no_context_takeover: null,
    }),
    "permessage-deflate; client_no_context_takeover; server_max_window_bits=10",
  );
  assertEquals(encodeHeader("a", { b: 'c;"\\', d: "" }), 'a; b="c;\\"\\\\"; d=""');
  assertEquals(parse(encodeHeader("a", { b: 'c;"\\', d: "" })), ["a", { b: 'c;"\\', d: "" }]);
});
