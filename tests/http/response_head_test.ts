import { assertEquals, assertThrows } from "@std/assert";
import { HTTPHeaders } from "../../http/headers.ts";
import { formatResponseHead, statusLine } from "../../http/response_head.ts";

Deno.test("formatResponseHead() gives status line, fields and empty line", () => {
  assertEquals(
    formatResponseHead(200, "OK", new HTTPHeaders([["a", "1"], ["b", "\xff\t"], ["a", "2"]])),
    "HTTP/1.1 200 OK\r\nA: 1\r\nB: \xff\t\r\nA: 2\r\n\r\n",
  );
  assertEquals(formatResponseHead(204, "", new HTTPHeaders()), "HTTP/1.1 204 \r\n\r\n");
});

Deno.test("formatResponseHead() refuses characters beyond latin-1", () => {
  assertThrows(
    () => formatResponseHead(200, "OK", new HTTPHeaders({ a: "\u010d\u010a" })),
    TypeError,
  );
  assertThrows(() => formatResponseHead(200, "\u010a", new HTTPHeaders()), TypeError);
});

Deno.test("statusLine() gives the registered phrase or another", () => {
  assertEquals(statusLine(404), "HTTP/1.1 404 Not Found\r\n");
  assertEquals(statusLine(404), "HTTP/1.1 404 Not Found\r\n");
  assertEquals(statusLine(404, "Nope"), "HTTP/1.1 404 Nope\r\n");
  assertEquals(statusLine(299), "HTTP/1.1 299 Unknown\r\n");
  assertEquals(statusLine(299, "Fine"), "HTTP/1.1 299 Fine\r\n");
});

Deno.test("statusLine() refuses CR, LF and NUL in the reason", () => {
  for (const reason of ["a\rb", "a\nb", "a\0b"]) {
    assertThrows(() => statusLine(200, reason), TypeError);
  }
});

Deno.test("statusLine() refuses codes that have not three digits", () => {
  for (const code of [0, 99, 1000, 200.5, NaN, -200]) {
    assertThrows(() => statusLine(code), RangeError);
  }
});
