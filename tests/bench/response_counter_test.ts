import { assertEquals, assertThrows } from "@std/assert";
import { ResponseCounter } from "../../bench/_response_counter.ts";

const encoder = new TextEncoder();

function answer(body: string): string {
  return `HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** Counts the answers in `input`, cut before each index of `cuts`. */
function count(input: Uint8Array, cuts: readonly number[]): number {
  const counter = new ResponseCounter();
  let at = 0;
  for (const cut of [...cuts, input.length]) {
    counter.push(input.subarray(at, cut));
    at = cut;
  }
  return counter.count;
}

Deno.test("ResponseCounter.push() takes bytes cut anywhere", () => {
  const input = encoder.encode(
    answer("hello\r\n\r\n") + answer("") + answer("x"),
  );
  const places = [...input.keys()];
  for (const cuts of [[], places, ...places.map((at) => [at])]) {
    assertEquals(count(input, cuts), 3);
  }
});

Deno.test("ResponseCounter.push() does not count an answer before its last byte", () => {
  const input = encoder.encode(answer("hello"));
  assertEquals(count(input.subarray(0, -1), []), 0);
  assertEquals(count(encoder.encode(answer("").slice(0, -1)), []), 0);
});

Deno.test("ResponseCounter.push() refuses an answer without a length", () => {
  const input = encoder.encode("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n");
  assertThrows(() => count(input, []), TypeError, "no Content-Length");
});

Deno.test("ResponseCounter.push() takes chunked answers cut anywhere, trailers included", () => {
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
    "5\r\nhello\r\n01;x=y\r\n0\r\n0\r\n";
  const input = encoder.encode(
    `${chunked}\r\n${answer("x")}${chunked}Trailer: t\r\n\r\n${answer("")}`,
  );
  const places = [...input.keys()];
  for (const cuts of [[], places, ...places.map((at) => [at])]) assertEquals(count(input, cuts), 4);
  assertEquals(count(encoder.encode(chunked), []), 0);
});

Deno.test("ResponseCounter.push() takes a head of any length", () => {
  const input = encoder.encode(answer("x").replace("Server: x", `Server: ${"x".repeat(5000)}`));
  for (const cuts of [[], [1023], [1024], [1025], [...input.keys()]]) {
    assertEquals(count(input, cuts), 1);
  }
});
