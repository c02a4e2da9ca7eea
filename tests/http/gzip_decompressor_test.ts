import { assertEquals, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { DecompressionError, GzipDecompressor } from "../../http/mod.ts";

const TEXT = Array.from({ length: 20_000 }, (_, i) => `line ${i * 7919 % 1000}\n`).join("");
const ZIPPED = new Uint8Array(gzipSync(TEXT));

function text(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
}

Deno.test("GzipDecompressor.decompress() takes input whole, byte by byte and cut anywhere", () => {
  const whole = new GzipDecompressor();
  assertEquals(text([whole.decompress(ZIPPED), whole.flush()]), TEXT);
  const bytewise = new GzipDecompressor();
  const chunks = Array.from(ZIPPED, (byte) => bytewise.decompress(Uint8Array.of(byte)));
  assertEquals(text([...chunks, bytewise.flush()]), TEXT);
  const small = new Uint8Array(gzipSync("small"));
  for (let at = 0; at <= small.length; at++) {
    const cut = new GzipDecompressor();
    const parts = [small.subarray(0, at), small.subarray(at)];
    assertEquals(text(parts.map((part) => cut.decompress(part))), "small");
    cut.flush();
  }
});

Deno.test("GzipDecompressor.decompress() gives no more than maxLength and leaves the rest in unconsumedTail", () => {
  for (const limit of [1, 1000, 16 * 1024, 100_000]) {
    const decompressor = new GzipDecompressor();
    const chunks: Uint8Array[] = [];
    let input: Uint8Array = ZIPPED;
    do {
      const chunk = decompressor.decompress(input, limit);
      assertEquals(chunk.length <= limit, true);
      chunks.push(chunk);
      input = decompressor.unconsumedTail;
    } while (input.length > 0);
    assertEquals(text([...chunks, decompressor.flush()]), TEXT);
  }
});

Deno.test("GzipDecompressor.decompress() stops a bomb at its limit", () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(50_000_000)));
  const decompressor = new GzipDecompressor();
  assertEquals(decompressor.decompress(bomb, 65_536).length, 65_536);
  assertEquals(decompressor.unconsumedTail.length > bomb.length / 2, true);
});

Deno.test("GzipDecompressor.decompress() goes on with a second member and ignores what is none", () => {
  const decompressor = new GzipDecompressor();
  const two = new Uint8Array([...gzipSync("one "), ...gzipSync("two"), 0, 0, 0]);
  assertEquals(text([decompressor.decompress(two), decompressor.flush()]), "one two");
});

Deno.test("GzipDecompressor.decompress() refuses what is not gzip, or damaged", () => {
  const damaged = ZIPPED.slice();
  damaged[damaged.length - 5]! ^= 1; // of the checksum
  for (const input of [new TextEncoder().encode("plain text"), damaged]) {
    const decompressor = new GzipDecompressor();
    assertThrows(() => decompressor.decompress(input), DecompressionError, "Cannot decompress: ");
    assertThrows(() => decompressor.decompress(ZIPPED), DecompressionError, "earlier");
    assertThrows(() => decompressor.flush(), DecompressionError, "earlier");
  }
});

Deno.test("GzipDecompressor.flush() refuses input that ended in the middle, but not none at all", () => {
  const decompressor = new GzipDecompressor();
  decompressor.decompress(ZIPPED.subarray(0, -1));
  assertThrows(() => decompressor.flush(), DecompressionError, "too early");
  const empty = new GzipDecompressor();
  assertEquals(empty.decompress(new Uint8Array(0)).length, 0);
  assertEquals(empty.flush().length, 0);
});

Deno.test("GzipDecompressor.decompress() refuses a limit that is no whole number from 0", () => {
  for (const limit of [-1, 1.5, NaN]) {
    assertThrows(() => new GzipDecompressor().decompress(ZIPPED, limit), RangeError, `${limit}`);
  }
});
