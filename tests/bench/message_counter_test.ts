import { assertEquals, assertThrows } from "@std/assert";
import { MessageCounter } from "../../bench/_websocket_client.ts";
import { encodeFrame, Opcode } from "../../websocket/mod.ts";

function frames(): Uint8Array {
  const sizes = [0, 1, 125, 126, 300];
  const parts = sizes.map((size) => encodeFrame(Opcode.TEXT, new Uint8Array(size).fill(127)));
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("MessageCounter.push() takes frames cut anywhere", () => {
  const input = frames();
  const places = [...input.keys()];
  for (const cuts of [[], places, ...places.map((at) => [at])]) {
    const counter = new MessageCounter();
    let at = 0;
    for (const cut of [...cuts, input.length]) {
      counter.push(input.subarray(at, cut));
      at = cut;
    }
    assertEquals(counter.count, 5);
  }
});

Deno.test("MessageCounter.push() does not count a message before its last byte", () => {
  const counter = new MessageCounter();
  counter.push(frames().subarray(0, -1));
  assertEquals(counter.count, 4);
});

Deno.test("MessageCounter.push() refuses a message whose length takes eight bytes", () => {
  const long = encodeFrame(Opcode.BINARY, new Uint8Array(65536));
  assertThrows(() => new MessageCounter().push(long), TypeError, "over 64 KiB");
});
