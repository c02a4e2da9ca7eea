import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChunkedDecoder, type ChunkedDecoderOptions } from "../../http/chunked_decoder.ts";
import { HTTPInputError } from "../../http/errors.ts";
import { bytesOf, cutsOf } from "./_cuts.ts";

type Outcome = { body: string; end: number; done: boolean } | { status: number };

function decodeCut(input: Uint8Array, cuts: number[], options?: ChunkedDecoderOptions): Outcome {
  const decoder = new ChunkedDecoder(options);
  let body = "";
  let at = 0;
  try {
    for (const cut of cuts) {
      while (at < cut && !decoder.done) {
        at = decoder.next(input, at, cut);
        for (let i = decoder.pieceStart; i < decoder.pieceEnd; i++) {
          body += String.fromCharCode(input[i]!);
        }
      }
    }
  } catch (error) {
    assert(error instanceof HTTPInputError);
    return { status: error.status };
  }
  return { body, end: at, done: decoder.done };
}

function decodeEachWay(text: string, options?: ChunkedDecoderOptions): Outcome {
  const input = bytesOf(text);
  const whole = decodeCut(input, [input.length], options);
  for (const cuts of cutsOf(input.length)) {
    assertEquals(decodeCut(input, cuts, options), whole, `cut at ${cuts}`);
  }
  return whole;
}

function accept(text: string, body: string, options?: ChunkedDecoderOptions): void {
  assertEquals(decodeEachWay(text, options), { body, end: text.length, done: true });
}

function refuse(text: string, status = 400, options?: ChunkedDecoderOptions): void {
  assertEquals(decodeEachWay(text, options), { status }, JSON.stringify(text));
}

Deno.test("next() decodes chunks cut anywhere", () => {
  accept("0\r\n\r\n", "");
  accept("4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n", "Wikipedia");
  accept("A\r\n0123456789\r\n0b\r\n01234567\r\n9\r\n00\r\n\r\n", "012345678901234567\r\n9");
});

Deno.test("next() reads extensions and drops them", () => {
  accept('2;a\r\nxy\r\n1 \t;a="b;\xff";c\r\nz\r\n0;d=e\r\n\r\n', "xyz");
});

Deno.test("next() reads trailer fields and drops them", () => {
  accept("1\r\na\r\n0\r\nA: b\r\nC: d\t\xff\r\n\r\n", "a");
});

Deno.test("next() stops behind the last CRLF", () => {
  const bytes = bytesOf("1\r\na\r\n0\r\n\r\nGET");
  assertEquals(decodeCut(bytes, [bytes.length]), { body: "a", end: bytes.length - 3, done: true });
});

Deno.test("next() consumes nothing once the body is done", () => {
  const decoder = new ChunkedDecoder();
  const bytes = bytesOf("0\r\n\r\nx");
  assertEquals(decoder.next(bytes, 0, 6), 5);
  assertEquals(decoder.next(bytes, 5, 6), 5);
});

Deno.test("next() gives at most one piece a call, a view at the offset it has", () => {
  const decoder = new ChunkedDecoder();
  const bytes = bytesOf("3\r\nabc\r\n2\r\nde\r\n");
  assertEquals([decoder.next(bytes, 0, 5), decoder.pieceStart, decoder.pieceEnd], [5, 3, 5]);
  assertEquals([decoder.next(bytes, 5, 15), decoder.pieceStart, decoder.pieceEnd], [6, 5, 6]);
  assertEquals([decoder.next(bytes, 6, 15), decoder.pieceStart, decoder.pieceEnd], [13, 11, 13]);
  assertEquals([decoder.next(bytes, 13, 15), decoder.pieceStart, decoder.pieceEnd], [15, 13, 13]);
  assertEquals(decoder.done, false);
});

Deno.test("next() refuses sizes that are not hexadecimal numbers", () => {
  for (const size of ["1_a", "", " 1", "+1", "-1", "0x1", "g", "1 ", "1 1", ";a", "\r"]) {
    refuse(`${size}\r\na\r\n`);
  }
});

Deno.test("next() refuses sizes above 2^53-1", () => {
  refuse("20000000000000\r\n");
  refuse("f".repeat(60) + "\r\n");
  assertEquals(decodeEachWay("1fffffffffffff\r\nabc"), { body: "abc", end: 19, done: false });
});

Deno.test("next() refuses a size line of more than maxChunkLineSize bytes", () => {
  accept(`${"1".padStart(62, "0")}\r\na\r\n0\r\n\r\n`, "a");
  refuse(`${"1".padStart(63, "0")}\r\na\r\n0\r\n\r\n`);
  refuse(`1;${"a".repeat(100)}`);
  refuse(`1${" ".repeat(100)}`);
  accept("1;ab\r\na\r\n0\r\n\r\n", "a", { maxChunkLineSize: 6 });
  refuse("1;abc\r\na\r\n0\r\n\r\n", 400, { maxChunkLineSize: 6 });
});

Deno.test("next() refuses a missing CRLF", () => {
  refuse("1\r\nab\r\n");
  refuse("1\r\na0\r\n\r\n");
  refuse("1\na\r\n0\r\n\r\n");
  refuse("1\r\na\n0\r\n\r\n");
  refuse("1\r\na\r0\r\n\r\n");
  refuse("1;a\n\r\na\r\n");
  refuse("1;a\rb\r\na\r\n");
  refuse("0\r\n\n");
  refuse("0\r\n\rx");
  refuse("0\r\nA: b\n\r\n");
  refuse("0\r\nA: b\rc\r\n\r\n");
  refuse("0\r\nA: \0\r\n\r\n");
});

Deno.test("next() refuses trailer fields above maxTrailerSize with 431", () => {
  accept("0\r\nA: b\r\n\r\n", "", { maxTrailerSize: 6 });
  refuse("0\r\nA: bc\r\n\r\n", 431, { maxTrailerSize: 6 });
});

Deno.test("next() throws again after an error, until reset()", () => {
  const decoder = new ChunkedDecoder();
  const good = bytesOf("0\r\n\r\n");
  assertThrows(() => decoder.next(bytesOf("x"), 0, 1), HTTPInputError);
  assertThrows(() => decoder.next(good, 0, 5), HTTPInputError);
  decoder.reset();
  assertEquals(decoder.next(good, 0, 5), 5);
  assertEquals(decoder.done, true);
});

Deno.test("reset() begins another body", () => {
  const decoder = new ChunkedDecoder();
  decoder.next(bytesOf("5\r\nab"), 0, 5);
  decoder.reset();
  assertEquals(decoder.done, false);
  assertEquals(decoder.next(bytesOf("0\r\n\r\n"), 0, 5), 5);
  assertEquals(decoder.done, true);
});

// What stood behind an end without its empty line, another request, was taken for a trailer field.
Deno.test("next() refuses trailer lines that are no fields", () => {
  for (
    const line of [
      "GET / HTTP/1.1",
      "2",
      ": b",
      "A : b",
      " A: b",
      "A: b\r\n c",
      "(A): b",
      "\xe9: b",
    ]
  ) {
    refuse(`0\r\n${line}\r\n\r\n`, 400);
  }
});
