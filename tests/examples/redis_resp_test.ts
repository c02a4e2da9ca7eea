import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  encodeCommand,
  RedisError,
  type Reply,
  type RespLimits,
  RespParser,
  RespSyntaxError,
} from "../../examples/redis/resp.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

// Makes replies comparable: bulk strings become { bulk }, errors { error }.
function plain(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(plain);
  if (reply instanceof Uint8Array) return { bulk: decode(reply) };
  return reply instanceof RedisError ? { error: reply.message } : reply;
}

function parse(pieces: readonly Uint8Array[], limits?: RespLimits): unknown[] {
  const parser = new RespParser(limits);
  return pieces.flatMap((piece) => parser.push(piece)).map(plain);
}

const INPUT = encode(
  "+OK\r\n-ERR no\r\n:-12\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n" +
    "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*1\r\n+x\r\n-in it\r\n+\r\n",
);
const REPLIES = [
  "OK",
  { error: "ERR no" },
  -12,
  { bulk: "he\r\no" },
  { bulk: "" },
  null,
  null,
  [],
  [1, [{ bulk: "a" }, ["x"]], { error: "in it" }],
  "",
];

Deno.test("RespParser.push() parses every type, whole and byte by byte", () => {
  assertEquals(parse([INPUT]), REPLIES);
  assertEquals(parse(Array.from(INPUT, (byte) => Uint8Array.of(byte))), REPLIES);
});

Deno.test("RespParser.push() parses the same wherever the bytes are cut", () => {
  for (let at = 1; at < INPUT.length; at++) {
    assertEquals(parse([INPUT.subarray(0, at), INPUT.subarray(at)]), REPLIES, `cut at ${at}`);
  }
});

Deno.test("RespParser.push() keeps its replies when its buffer is used again", () => {
  const parser = new RespParser();
  const [first] = parser.push(encode("$3\r\nabc\r\n"));
  parser.push(encode("$3\r\nxyz\r\n"));
  assertInstanceOf(first, Uint8Array);
  assertEquals(decode(first), "abc");
});

Deno.test("RespParser.push() refuses what is no reply", () => {
  const bad = [
    "?\r\n",
    "\r\n",
    "+a\rb\r\n",
    ":x\r\n",
    ":\r\n",
    "$x\r\n",
    "$-2\r\n",
    "$1\r\nab\r\n",
  ];
  for (const text of [...bad, "*x\r\n", "*-2\r\n", ":1.5\r\n", `:${"9".repeat(30)}\r\n`]) {
    assertThrows(() => parse([encode(text)]), RespSyntaxError, "Cannot parse the reply", text);
  }
});

Deno.test("RespParser.push() holds its limits, and passes what is exactly at them", () => {
  const limits = { maxLine: 5, maxBulk: 3, maxCount: 2, maxDepth: 2 };
  assertEquals(parse([encode("+1234\r\n$3\r\nabc\r\n*2\r\n*1\r\n:1\r\n:2\r\n")], limits), [
    ...["1234", { bulk: "abc" }, [[1], 2]],
  ]);
  for (const text of ["+12345\r\n", "+1234567", "$4\r\n", "*3\r\n", "*1\r\n*1\r\n*1\r\n"]) {
    assertThrows(() => parse([encode(text)], limits), RespSyntaxError, undefined, text);
  }
});

Deno.test("RespParser.push() takes time in proportion to the bytes, however they come", () => {
  const parser = new RespParser({ maxLine: 1 << 20 });
  const line = encode(`+${"x".repeat(200_000)}\r\n`);
  const began = performance.now();
  let replies = 0;
  for (const byte of line) replies += parser.push(Uint8Array.of(byte)).length;
  assertEquals(replies, 1);
  assert(performance.now() - began < 5000); // searching anew each time would take minutes
});

Deno.test("encodeCommand() counts bytes, not characters", () => {
  assertEquals(
    decode(encodeCommand(["SET", "ü", 12, Uint8Array.of(0x0d, 0x0a)])),
    "*4\r\n$3\r\nSET\r\n$2\r\nü\r\n$2\r\n12\r\n$2\r\n\r\n\r\n",
  );
});
