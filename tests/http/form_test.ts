import { assertEquals, assertThrows } from "@std/assert";
import { HTTPInputError } from "../../http/errors.ts";
import { parseBodyArguments, type ParseBodyConfig, setParseBodyConfig } from "../../http/form.ts";
import { HTTPHeaders } from "../../http/headers.ts";
import type { HTTPFile } from "../../http/multipart.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const MULTIPART = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n';

function parse(
  contentType: string,
  body: string,
  headers?: HTTPHeaders | null,
  config?: ParseBodyConfig,
): Record<string, string[]> {
  const args: Record<string, Uint8Array[]> = Object.create(null);
  const files: Record<string, HTTPFile[]> = {};
  parseBodyArguments(contentType, encoder.encode(body), args, files, headers, config);
  return Object.fromEntries(
    Object.entries(args).map(([name, values]) => [name, values.map((v) => decoder.decode(v))]),
  );
}

Deno.test("parseBodyArguments() reads urlencoded bodies, blank values too", () => {
  for (
    const type of [
      "application/x-www-form-urlencoded",
      "Application/X-WWW-Form-Urlencoded; charset=utf-8",
    ]
  ) {
    assertEquals(parse(type, "a=1&b=&a=%C3%A9+2"), { a: ["1", "é 2"], b: [""] });
  }
});

Deno.test("parseBodyArguments() adds to what is there", () => {
  const args: Record<string, Uint8Array[]> = { a: [encoder.encode("0")] };
  parseBodyArguments("application/x-www-form-urlencoded", encoder.encode("a=1"), args, {});
  assertEquals(args, { a: [encoder.encode("0"), encoder.encode("1")] });
});

Deno.test("parseBodyArguments() reads multipart bodies", () => {
  assertEquals(parse("multipart/form-data; boundary=b", MULTIPART), { a: ["x"] });
  assertEquals(parse('Multipart/Form-Data; charset=x; Boundary="b"', MULTIPART), { a: ["x"] });
});

Deno.test("parseBodyArguments() adds nothing for other types", () => {
  assertEquals(
    parse("application/json", "a=1", new HTTPHeaders({ "Content-Encoding": "gzip" })),
    {},
  );
  assertEquals(parse("", "a=1"), {});
});

Deno.test("parseBodyArguments() refuses a multipart body without boundary", () => {
  assertThrows(() => parse("multipart/form-data", MULTIPART), HTTPInputError);
});

Deno.test("parseBodyArguments() refuses a body that is still encoded", () => {
  const headers = new HTTPHeaders({ "Content-Encoding": "gzip" });
  assertThrows(() => parse("application/x-www-form-urlencoded", "a=1", headers), HTTPInputError);
  assertThrows(() => parse("multipart/form-data; boundary=b", MULTIPART, headers), HTTPInputError);
});

Deno.test("setParseBodyConfig() is what holds without a config", () => {
  const type = "multipart/form-data; boundary=b";
  setParseBodyConfig({ multipart: { enabled: false } });
  try {
    assertThrows(() => parse(type, MULTIPART), HTTPInputError);
    assertEquals(parse(type, MULTIPART, null, { multipart: { enabled: true } }), { a: ["x"] });
  } finally {
    setParseBodyConfig({});
  }
  assertEquals(parse(type, MULTIPART), { a: ["x"] });
});

// 100 MiB of "a&" kept the loop busy for minutes and took more memory than there is.
Deno.test("parseBodyArguments() takes 10,000 arguments or maxArguments, and no more", () => {
  const type = "application/x-www-form-urlencoded";
  const count = (body: string, config?: ParseBodyConfig) =>
    parse(type, body, null, config)["a"]?.length;
  assertEquals(count("a&".repeat(10_000)), 10_000);
  assertThrows(() => count("a&".repeat(10_001)), HTTPInputError, "more than 10000 arguments");
  assertEquals(count("a&a", { maxArguments: 2 }), 2);
  for (const body of ["a&a&a", "a&&a", "&&&"]) {
    assertThrows(() => count(body, { maxArguments: 2 }), HTTPInputError, "more than 2 arguments");
  }
  assertEquals(count("", { maxArguments: 0 }), undefined);
});

Deno.test("parseBodyArguments() takes 200,000 values of one name", () => {
  const body = "a=1&".repeat(200_000);
  const args = parse("application/x-www-form-urlencoded", body, null, { maxArguments: 200_000 });
  assertEquals(args["a"]?.length, 200_000);
});
