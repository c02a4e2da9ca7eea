import { assertEquals, assertThrows } from "@std/assert";
import { HTTPInputError, ResponseParser } from "../../http/mod.ts";
import { bytesOf, cutsOf } from "./_cuts.ts";

/** Parses one head that comes in pieces, with something behind it. */
function parse(text: string, cuts: readonly number[], maxHeaderSize = 65536): ResponseParser {
  const behind = "\n\r\n";
  const bytes = bytesOf(text + behind);
  const parser = new ResponseParser({ maxHeaderSize });
  for (const cut of cuts) {
    const stop = parser.parse(bytes, 0, cut === text.length ? bytes.length : cut);
    if (cut === text.length) assertEquals(stop, text.length);
    else assertEquals(stop, -1);
  }
  return parser;
}

function refusal(text: string, maxHeaderSize?: number): string {
  const whole = assertThrows(() => parse(text, [text.length], maxHeaderSize), HTTPInputError);
  const pieces = Array.from(text, (_, at) => at + 1);
  assertThrows(() => parse(text, pieces, maxHeaderSize), HTTPInputError);
  return whole.message;
}

const HEAD =
  "HTTP/1.1 200 All fine\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:\t2 \r\nX-B: gr\xfcn\r\n\r\n";

Deno.test("ResponseParser.parse() takes a head cut anywhere", () => {
  for (const cuts of cutsOf(HEAD.length)) {
    const { head, size } = parse(HEAD, cuts);
    assertEquals([head.version, head.code, head.reason], ["HTTP/1.1", 200, "All fine"]);
    assertEquals([head.contentLength, head.chunked, head.keepAlive], [5, false, true]);
    assertEquals(head.headers.getList("X-A"), ["1", "2"]);
    assertEquals([head.headers.get("x-b"), size], ["gr\xfcn", HEAD.length]);
  }
});

Deno.test("ResponseParser.parse() takes bare LFs and folded fields cut anywhere", () => {
  const text = "HTTP/1.0 404\nA: 1\r\nB: 2\n  and 3\nContent-Length: 0\n\n";
  for (const cuts of cutsOf(text.length)) {
    const { head } = parse(text, cuts);
    assertEquals([head.version, head.code, head.reason], ["HTTP/1.0", 404, ""]);
    assertEquals([...head.headers], [["A", "1"], ["B", "2 and 3"], ["Content-Length", "0"]]);
  }
});

Deno.test("ResponseParser.parse() begins at any offset, and one head follows the other", () => {
  const parser = new ResponseParser();
  const bytes = bytesOf(`xxx${HEAD}HTTP/1.1 204 No\r\n\r\n`);
  const next = parser.parse(bytes, 3, bytes.length);
  assertEquals([next, parser.head.code], [3 + HEAD.length, 200]);
  assertEquals([parser.parse(bytes, next, bytes.length), parser.head.code], [bytes.length, 204]);
});

Deno.test("ResponseParser.parse() gives the headers of equal heads apart", () => {
  const parser = new ResponseParser();
  const bytes = bytesOf(HEAD);
  parser.parse(bytes, 0, bytes.length);
  const { headers } = parser.head;
  headers.set("X-A", "changed");
  parser.parse(bytes, 0, bytes.length);
  assertEquals(parser.head.headers.getList("X-A"), ["1", "2"]);
});

Deno.test("ResponseParser.head throws before the first head", () => {
  const parser = new ResponseParser();
  assertThrows(() => parser.head, Error, "none is complete");
});

for (
  const [text, why] of [
    ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "expected a status line"],
    ["\r\nHTTP/1.1 200 OK\r\n\r\n", "expected a status line"],
    ["HTTP/2.0 200 OK\r\n\r\n", "status line"],
    ["HTTP/1.1 20 OK\r\n\r\n", "Cannot read status line"],
    ["HTTP/1.1 2000 OK\r\n\r\n", "Cannot read status line"],
    ["HTTP/1.1  200 OK\r\n\r\n", "Cannot read status line"],
    ["HTTP/1.1 200 O\0K\r\n\r\n", "Cannot read status line"],
    ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no colon"],
    ["HTTP/1.1 200 OK\r\nA : 1\r\n\r\n", "not a field name"],
    ["HTTP/1.1 200 OK\r\n: 1\r\n\r\n", "not a field name"],
    ["HTTP/1.1 200 OK\r\n  folded: 1\r\n\r\n", "continuation"],
    ["HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n", "a CR came without LF"],
    ["HTTP/1.1 200 OK\r\nA: 1\x002\r\n\r\n", "control character"],
    ["HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: +10\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 2,4\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 9007199254740993\r\n\r\n", "Content-Length"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "Transfer-Encoding"],
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
      "Content-Length came with Transfer-Encoding",
    ],
  ] as const
) {
  Deno.test(`ResponseParser.parse() refuses ${JSON.stringify(text)}`, () => {
    assertEquals(refusal(text).includes(why), true, refusal(text));
  });
}

Deno.test("ResponseParser.parse() takes a head of maxHeaderSize bytes, and no larger one", () => {
  const text = "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n";
  assertEquals(parse(text, [text.length], text.length + 3).head.code, 200);
  assertEquals(refusal(text, text.length - 1).includes("exceeds"), true);
  assertThrows(
    () => new ResponseParser({ maxHeaderSize: 30 }).parse(bytesOf("HTTP/1.1 ".repeat(4)), 0, 36),
    HTTPInputError,
    "it exceeds 30 bytes",
  );
});

Deno.test("AnswerHead.framing() tells how the body ends", () => {
  const framing = (status: string, fields: string, method = "GET") => {
    const text = `HTTP/1.1 ${status}\r\n${fields}\r\n`;
    return parse(text, [text.length]).head.framing(method);
  };
  assertEquals(framing("200 OK", ""), "close");
  assertEquals(framing("200 OK", "Content-Length: 2\r\n"), "length");
  assertEquals(framing("200 OK", "Content-Length: 2, 2\r\nContent-Length: 2\r\n"), "length");
  assertEquals(framing("200 OK", "Content-Length: 0\r\n"), "none");
  assertEquals(framing("200 OK", "Transfer-Encoding: Chunked\r\n"), "chunked");
  assertEquals(framing("200 OK", "Content-Length: 2\r\n", "HEAD"), "none");
  assertEquals(framing("200 OK", "", "CONNECT"), "none");
  assertEquals(framing("403 No", "", "CONNECT"), "close");
  assertEquals(framing("304 Not Modified", "Content-Length: 42\r\n"), "none");
  assertEquals(framing("204 No Content", "Content-Length: 0\r\n"), "none");
  assertEquals(framing("100 Continue", ""), "none");
  assertThrows(() => framing("204 No Content", "Content-Length: 5\r\n"), HTTPInputError, "body");
  assertThrows(
    () => framing("204 No", "Transfer-Encoding: chunked\r\n"),
    HTTPInputError,
    "status 204",
  );
  assertThrows(() => framing("103 Early Hints", "Content-Length: 5\r\n"), HTTPInputError);
});

Deno.test("AnswerHead.keepAlive follows version and Connection", () => {
  const keeps = (version: string, fields = "") => {
    const text = `HTTP/${version} 200 OK\r\n${fields}\r\n`;
    return parse(text, [text.length]).head.keepAlive;
  };
  assertEquals([keeps("1.1"), keeps("1.0")], [true, false]);
  assertEquals(keeps("1.1", "Connection: close\r\n"), false);
  assertEquals(keeps("1.1", "Connection: Upgrade, CLOSE\r\n"), false);
  assertEquals(keeps("1.0", "connection: Keep-Alive\r\n"), true);
  assertEquals(keeps("1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n"), false);
});

Deno.test("AnswerHead.keepAliveTimeout is what the server says, in ms", () => {
  const timeout = (fields: string) => {
    const text = `HTTP/1.1 200 OK\r\n${fields}\r\n`;
    return parse(text, [text.length]).head.keepAliveTimeout;
  };
  assertEquals(timeout(""), Infinity);
  assertEquals(timeout("Keep-Alive: timeout=5\r\n"), 5000);
  assertEquals(timeout("Keep-Alive: max=3, timeout=7\r\n"), 7000);
  assertEquals(timeout("Keep-Alive: xtimeout=7\r\n"), Infinity);
});
