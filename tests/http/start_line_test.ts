import { assert, assertEquals, assertThrows } from "@std/assert";
import { HTTPInputError } from "../../http/errors.ts";
import { parseRequestStartLine, parseResponseStartLine } from "../../http/start_line.ts";

Deno.test("parseRequestStartLine() takes the line apart and freezes the result", () => {
  const line = parseRequestStartLine("GET /foo?bar HTTP/1.1");
  assertEquals(line, { method: "GET", path: "/foo?bar", version: "HTTP/1.1" });
  assert(Object.isFrozen(line));
});

Deno.test("parseRequestStartLine() refuses anything else", () => {
  for (
    const line of [
      "",
      "GET /",
      "GET / HTTP/2.0",
      "GET / HTTP/1.1 ",
      "GET  / HTTP/1.1",
      "FOO,BAR / HTTP/1.1",
      "GET /\x01 HTTP/1.1",
      "GET /\x7f HTTP/1.1",
      "GET / HTTP/1.1\r\n",
    ]
  ) assertThrows(() => parseRequestStartLine(line), HTTPInputError);
});

Deno.test("parseResponseStartLine() takes the line apart; the reason may be empty or missing", () => {
  assertEquals(parseResponseStartLine("HTTP/1.0 404 Not Found"), {
    version: "HTTP/1.0",
    code: 404,
    reason: "Not Found",
  });
  for (const line of ["HTTP/1.1 200 ", "HTTP/1.1 200"]) {
    assertEquals(parseResponseStartLine(line), { version: "HTTP/1.1", code: 200, reason: "" });
  }
});

Deno.test("parseResponseStartLine() refuses anything else", () => {
  for (
    const line of [
      "",
      "HTTP/1.1",
      "HTTP/2.0 200 OK",
      "HTTP/1.1 20 OK",
      "HTTP/1.1 2000 OK",
      "HTTP/1.1 099 OK",
      "HTTP/1.1 abc OK",
      "HTTP/1.1  200 OK",
      "HTTP/1.1 200 O\0K",
      "ICY 200 OK",
    ]
  ) assertThrows(() => parseResponseStartLine(line), HTTPInputError);
});
