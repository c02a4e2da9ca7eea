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
