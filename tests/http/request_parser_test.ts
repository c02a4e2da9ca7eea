import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { HTTPInputError } from "../../http/errors.ts";
import type { RequestHead } from "../../http/request_head.ts";
import { RequestParser, type RequestParserOptions } from "../../http/request_parser.ts";
import { seeded } from "../_seeded.ts";
import { bytesOf, cutsOf } from "./_cuts.ts";

type Outcome = { head: Partial<RequestHead>; end: number } | { status: number } | "incomplete";

// The bytes move between two calls, as they do in a buffer that is compacted.
function parseCut(
  input: Uint8Array,
  cuts: number[],
  options?: RequestParserOptions,
): Outcome {
  const parser = new RequestParser(options);
  try {
    for (const [turn, cut] of cuts.entries()) {
      const start = turn % 3;
      const moved = new Uint8Array(start + input.length).fill(0x20);
      moved.set(input.subarray(0, cut), start);
      const end = parser.parse(moved, start, start + cut);
      if (end !== -1) return { head: { ...parser.head }, end: end - start };
    }
  } catch (error) {
    assertInstanceOf(error, HTTPInputError);
    return { status: error.status };
  }
  return "incomplete";
}

function parseEachWay(text: string, options?: RequestParserOptions): Outcome {
  const input = bytesOf(text);
  const whole = parseCut(input, [input.length], options);
  for (const cuts of cutsOf(input.length)) {
    assertEquals(parseCut(input, cuts, options), whole, `cut at ${cuts}`);
  }
  return whole;
}

function accept(
  text: string,
  expected: Partial<RequestHead>,
  options?: RequestParserOptions,
): void {
  const outcome = parseEachWay(text, options);
  assert(typeof outcome === "object" && "head" in outcome, `refused: ${JSON.stringify(text)}`);
  assertEquals(outcome.end, text.length);
  for (const [name, value] of Object.entries(expected)) {
    assertEquals(
      outcome.head[name as keyof RequestHead],
      value,
      `${name} of ${JSON.stringify(text)}`,
    );
  }
}

const ACCEPTED: [
  section: string,
  text: string,
  expected: Partial<RequestHead>,
][] = [
  ["9112 2.2 empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", {
    method: "GET",
    target: "/",
    fields: "Host: a\r\n",
  }],
  ["9112 2.3 HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", {
    minorVersion: 0,
    host: null,
    keepAlive: false,
    fields: "",
  }],
  ["9112 2.3 a later HTTP/1", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", {
    minorVersion: 1,
    keepAlive: true,
  }],
  [
    "9110 9.1 unknown method",
    "F-O_O / HTTP/1.1\r\nHost: a\r\n\r\n",
    { method: "F-O_O" },
  ],
  ["9110 9.1 methods are case-sensitive", "get / HTTP/1.1\r\nHost: a\r\n\r\n", {
    method: "get",
  }],
  [
    "9110 9.1 method that begins like another",
    "GETS / HTTP/1.1\r\nHost: a\r\n\r\n",
    { method: "GETS" },
  ],
  ["9110 9.1 method as long as another", "GAT / HTTP/1.1\r\nHost: a\r\n\r\n", {
    method: "GAT",
  }],
  ...["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"].map((
    method,
  ): [string, string, Partial<RequestHead>] => [
    `9110 9.3 ${method}`,
    `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    { method },
  ]),
  ["9112 3.2.1 origin-form", "GET /a%20b?c=d?e HTTP/1.1\r\nHost: a\r\n\r\n", {
    target: "/a%20b?c=d?e",
    path: "/a%20b",
    query: "c=d?e",
  }],
  [
    "9112 3.2.1 two slashes are a path",
    "GET //evil.com/x HTTP/1.1\r\nHost: a\r\n\r\n",
    {
      path: "//evil.com/x",
      host: "a",
    },
  ],
  ["9112 3.2.1 empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", {
    path: "/",
    query: "",
  }],
  [
    "9112 3.2.2 absolute-form",
    "GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
    {
      target: "http://b:81/p?q",
      path: "/p",
      query: "q",
      host: "b:81",
    },
  ],
  [
    "9112 3.2.2 absolute-form without path",
    "GET HTTPS://b?q HTTP/1.1\r\nHost: a\r\n\r\n",
    {
      path: "/",
      query: "q",
      host: "b",
    },
  ],
  ["9112 3.2.3 authority-form", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", {
    path: "b:443",
    host: "b:443",
  }],
  [
    "9112 3.2.3 authority-form, IPv6",
    "CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    { host: "[::1]:443" },
  ],
  ["9112 3.2.4 asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {
    path: "*",
    query: "",
    host: "a",
  }],
  [
    "9112 3.2.4 asterisk-form through a proxy",
    "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
    {
      path: "*",
      host: "b",
    },
  ],
  [
    "9110 7.2 host and port",
    "GET / HTTP/1.1\r\nHOST:  example.com:8080 \t\r\n\r\n",
    { host: "example.com:8080" },
  ],
  ["9110 7.2 empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", { host: "" }],
  ["9110 7.2 IPv6", "GET / HTTP/1.1\r\nhost: [2001:db8::1]:80\r\n\r\n", {
    host: "[2001:db8::1]:80",
  }],
  ["9110 7.2 port without digits", "GET / HTTP/1.1\r\nhost: a_b-c.d:\r\n\r\n", {
    host: "a_b-c.d:",
  }],
  [
    "9110 7.2 percent-encoded name",
    "GET / HTTP/1.1\r\nhost: %c3%a9.d\r\n\r\n",
    { host: "%c3%a9.d" },
  ],
  [
    "9110 5.5 empty value, tabs and bytes above 0x7f",
    "GET / HTTP/1.0\r\nA:\r\nB: \t \r\nC:\t\x80\x85\xff x\t\r\n\r\n",
    {
      fields: "A:\r\nB: \t \r\nC:\t\x80\x85\xff x\t\r\n",
    },
  ],
  [
    "9110 5.6.2 every character of a token",
    "GET / HTTP/1.0\r\n!#$%&'*+.^_`|~0aZ-: x\r\n\r\n",
    {
      fields: "!#$%&'*+.^_`|~0aZ-: x\r\n",
    },
  ],
  [
    "9110 8.6 Content-Length",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012\t\r\n\r\n",
    { contentLength: 12 },
  ],
  ["9110 8.6 none", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", {
    contentLength: -1,
    chunked: false,
  }],
  ["9110 8.6 zero", "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:0\r\n\r\n", {
    contentLength: 0,
  }],
  [
    "9110 8.6 a list of equals",
    "POST / HTTP/1.0\r\nContent-Length: 2,2 ,\t2\r\n\r\n",
    { contentLength: 2 },
  ],
  [
    "9110 8.6 twice the same",
    "POST / HTTP/1.0\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
    { contentLength: 2 },
  ],
  [
    "9110 8.6 largest",
    "POST / HTTP/1.0\r\nContent-Length: 9007199254740991\r\n\r\n",
    {
      contentLength: Number.MAX_SAFE_INTEGER,
    },
  ],
  [
    "9112 6.1 chunked in any case",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHunked \r\n\r\n",
    {
      chunked: true,
      contentLength: -1,
    },
  ],
  [
    "9112 6.1 chunked and kept alive in HTTP/1.0",
    "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
    {
      chunked: true,
      keepAlive: true,
    },
  ],
  [
    "9112 9.3 close",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo ,\tCLOSE\r\n\r\n",
    { keepAlive: false },
  ],
  [
    "9112 9.3 close over keep-alive",
    "GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
    {
      keepAlive: false,
    },
  ],
  [
    "9112 9.3 keep-alive in HTTP/1.0",
    "GET / HTTP/1.0\r\nCONNECTION: Keep-Alive\r\n\r\n",
    { keepAlive: true },
  ],
  [
    "9110 7.6.1 an option that holds a word",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed, ,close-not\r\n\r\n",
    {
      keepAlive: true,
    },
  ],
  [
    "9110 7.8 upgrade",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
    {
      upgrade: true,
      keepAlive: true,
    },
  ],
  [
    "9110 7.8 Upgrade that Connection does not list",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
    {
      upgrade: false,
    },
  ],
  [
    "9110 7.8 Upgrade is missing",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
    { upgrade: false },
  ],
  [
    "9110 7.8 ignored in HTTP/1.0",
    "GET / HTTP/1.0\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n",
    { upgrade: false },
  ],
  [
    "9110 10.1.1 Expect",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n",
    { expectContinue: true },
  ],
  [
    "9110 10.1.1 ignored in HTTP/1.0",
    "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
    { expectContinue: false },
  ],
  [
    "names as long as known ones",
    "GET / HTTP/1.0\r\nHast: /\r\nExpert: x\r\nUpgrate: x\r\nContention: close\r\n" +
    "Content-Lengths: x\r\nContent-Lenght: x\r\nTransfer-Encodinx: x\r\n\r\n",
    { host: null, keepAlive: false },
  ],
];

const HEAD = "GET / HTTP/1.1\r\nHost: a\r\n";

const REFUSED: [section: string, status: number, text: string][] = [
  ["9112 2.2 garbage", 400, "asdf\r\n\r\n"],
  [
    "9112 2.2 too many empty lines",
    400,
    "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n",
  ],
  ["9112 2.2 bare LF before it", 400, "\nGET / HTTP/1.0\r\n\r\n"],
  ["9112 2.2 bare CR before it", 400, "\rGET / HTTP/1.0\r\n\r\n"],
  ["9112 2.2 bare LF behind the request line", 400, "GET / HTTP/1.0\n\r\n"],
  [
    "9112 2.2 bare CR behind the request line",
    400,
    "GET / HTTP/1.0\rA: b\r\n\r\n",
  ],
  [
    "9112 2.2 bare LF behind a field",
    400,
    "GET / HTTP/1.0\r\nA: b\nC: d\r\n\r\n",
  ],
  ["9112 2.2 bare CR in a field", 400, "GET / HTTP/1.0\r\nA: b\rC: d\r\n\r\n"],
  ["9112 2.2 bare LF as the empty line", 400, "GET / HTTP/1.0\r\nA: b\r\n\n"],
  ["9112 2.2 bare CR as the empty line", 400, "GET / HTTP/1.0\r\nA: b\r\n\rx"],
  [
    "9112 2.2 blank before the first field",
    400,
    "GET / HTTP/1.0\r\n A: b\r\n\r\n",
  ],
  ["9112 2.3 HTTP/0.9", 400, "GET /\r\n"],
  ["9112 2.3 HTTP/2.0", 400, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
  ["9112 2.3 two digits", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"],
  ["9112 2.3 no digit", 400, "GET / HTTP/1.\r\nHost: a\r\n\r\n"],
  ["9112 2.3 lower case", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"],
  ["9112 2.3 another protocol", 400, "GET / X\r\n\r\n"],
  ["9112 2.3 TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["9112 3 method is no token", 400, "FOO,BAR / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3 no method", 400, " / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3 two blanks", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3 tab", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  [
    "9112 3 blank behind the version",
    400,
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
  ],
  ["9112 3.2 blank in the target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 control character", 400, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 DEL", 400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 beyond ASCII", 400, "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 fragment", 400, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 no form", 400, "GET foo HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 no host", 400, "GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 only a port", 400, "GET http://:80/p HTTP/1.1\r\nHost: a\r\n\r\n"],
  [
    "9112 3.2 user in the authority",
    400,
    "GET http://u@b/p HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  ["9112 3.2.3 authority for GET", 400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2.3 path for CONNECT", 400, "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"],
  [
    "9112 3.2.3 CONNECT without port",
    400,
    "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  [
    "9112 3.2.3 CONNECT without host",
    400,
    "CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  [
    "9112 3.2.3 CONNECT with user",
    400,
    "CONNECT u@a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  ["9112 3.2.4 asterisk for GET", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["9112 3.2 missing Host", 400, "GET / HTTP/1.1\r\n\r\n"],
  [
    "9112 3.2 missing Host in absolute-form",
    400,
    "GET http://a/ HTTP/1.1\r\n\r\n",
  ],
  ["9112 3.2 two Hosts", 400, `${HEAD}Host: a\r\n\r\n`],
  [
    "9112 3.2 two Hosts in HTTP/1.0",
    400,
    "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n",
  ],
  ...[
    "a b",
    "a,b",
    "u@a",
    "a/b",
    "a?b",
    "a#b",
    "a:b",
    "a:80:80",
    "::1",
    "[::1",
    "[g]",
    "a\\b",
    "%zz",
    "<a>",
    "\xe9",
    "a:8 0",
  ]
    .map((host): [string, number, string] => [
      `9110 7.2 Host ${host}`,
      400,
      `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    ]),
  ["9112 5 no colon", 400, `${HEAD}foo\r\n\r\n`],
  ["9112 5.1 blank before the colon", 400, `${HEAD}A : b\r\n\r\n`],
  ["9112 5.1 tab before the colon", 400, `${HEAD}A\t: b\r\n\r\n`],
  ["9112 5.1 empty name", 400, `${HEAD}: b\r\n\r\n`],
  ["9112 5.1 name beyond ASCII", 400, `${HEAD}\xe9: b\r\n\r\n`],
  ["9112 5.1 name is no token", 400, `${HEAD}(a): b\r\n\r\n`],
  ["9112 5.2 folded line", 400, `${HEAD}A: b\r\n c\r\n\r\n`],
  ["9112 5.2 folded line, tab", 400, `${HEAD}A: b\r\n\tc\r\n\r\n`],
  ...[0x00, 0x01, 0x08, 0x0b, 0x0c, 0x1f, 0x7f].map((
    code,
  ): [string, number, string] => [
    `9110 5.5 0x${code.toString(16)} in a value`,
    400,
    `${HEAD}A: b${String.fromCharCode(code)}c\r\n\r\n`,
  ]),
  ...[
    "foo",
    "+10",
    "1_0",
    "-1",
    "",
    "1.0",
    "0x1",
    "1 2",
    "2,4",
    "2,",
    ",2",
    "9007199254740992",
    "9".repeat(400),
  ].map((
    length,
  ): [string, number, string] => [
    `9110 8.6 Content-Length ${length.slice(0, 20)}`,
    400,
    `${HEAD}Content-Length: ${length}\r\n\r\n`,
  ]),
  [
    "9112 6.3 two lengths",
    400,
    `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n`,
  ],
  [
    "9112 6.3 length and encoding",
    400,
    `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ],
  [
    "9112 6.3 encoding and length",
    400,
    `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n`,
  ],
  ...[
    "",
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "xchunked",
    "chunked;a=b",
    "identity",
    "chunked,",
  ]
    .map((coding): [string, number, string] => [
      `9112 6.1 Transfer-Encoding ${coding}`,
      400,
      `${HEAD}Transfer-Encoding: ${coding}\r\n\r\n`,
    ]),
  [
    "9112 6.1 encoding twice",
    400,
    `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ],
  ["9110 10.1.1 another expectation", 417, `${HEAD}Expect: 200-ok\r\n\r\n`],
];

for (const [section, text, expected] of ACCEPTED) {
  Deno.test(`parse() accepts, cut anywhere: RFC ${section}`, () => accept(text, expected));
}

for (const [section, status, text] of REFUSED) {
  Deno.test(`parse() refuses with ${status}, cut anywhere: RFC ${section}`, () => {
    assertEquals(parseEachWay(text), { status });
  });
}

Deno.test("parse() gives an offset behind the head and leaves what follows alone", () => {
  const first = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
  const bytes = bytesOf(`${first}body\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n`);
  const parser = new RequestParser();
  assertEquals(parser.parse(bytes, 0, bytes.length), first.length);
  assertEquals(parser.head.contentLength, 4);
  assertEquals(
    parser.parse(bytes, first.length + 4, bytes.length),
    bytes.length,
  );
  assertEquals([
    parser.head.path,
    parser.head.contentLength,
    parser.head.fields,
  ], ["/b", -1, "Host: a\r\n"]);
});

Deno.test("parse() reads a head that repeats, differs in one byte, or continues", () => {
  const parser = new RequestParser();
  for (const path of ["/a", "/a", "/b", "/bc", "/a", "/a"]) {
    const bytes = bytesOf(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assertEquals(parser.parse(bytes, 0, 9), -1);
    assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
    assertEquals(parser.head.path, path);
    assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
    assertEquals(parser.head.path, path);
  }
});

Deno.test("parse() forgets the fields of one head before the next", () => {
  const parser = new RequestParser();
  const bytes = bytesOf(
    "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: b\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "GET / HTTP/1.0\r\n\r\n",
  );
  parser.parse(bytes, parser.parse(bytes, 0, bytes.length), bytes.length);
  const { host, chunked, keepAlive, upgrade } = parser.head;
  assertEquals({ host, chunked, keepAlive, upgrade }, {
    host: null,
    chunked: false,
    keepAlive: false,
    upgrade: false,
  });
});

Deno.test("parse() checks a Host that differs from the last one", () => {
  const parser = new RequestParser();
  const bytes = bytesOf(
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a b\r\n\r\n",
  );
  const end = parser.parse(bytes, 0, bytes.length);
  assertThrows(() => parser.parse(bytes, end, bytes.length), HTTPInputError);
});

Deno.test("parse() accepts a head of exactly maxHeaderSize bytes and refuses one more with 431", () => {
  const text = `${HEAD}A: bcd\r\n\r\n`;
  accept(text, { host: "a" }, { maxHeaderSize: text.length });
  assertEquals(parseEachWay(text, { maxHeaderSize: text.length - 1 }), {
    status: 431,
  });
});

Deno.test("parse() refuses with 414 when the request line alone exceeds maxHeaderSize", () => {
  assertEquals(
    parseEachWay(`GET /${"a".repeat(100)} HTTP/1.1\r\n`, {
      maxHeaderSize: 100,
    }),
    { status: 414 },
  );
});

Deno.test("parse() refuses a head that never ends at the default of 65536 bytes", () => {
  const parser = new RequestParser();
  const bytes = bytesOf(`${HEAD}A: ${"b".repeat(65_536)}`);
  assertEquals(parser.parse(bytes, 0, 65_535), -1);
  const error = assertThrows(
    () => parser.parse(bytes, 0, 65_536),
    HTTPInputError,
  );
  assertEquals(error.status, 431);
});

Deno.test("parse() accepts maxHeaderCount fields and refuses one more with 431", () => {
  accept(`${HEAD}A: b\r\nA: c\r\n\r\n`, {}, { maxHeaderCount: 3 });
  assertEquals(
    parseEachWay(`${HEAD}A: b\r\nA: c\r\n\r\n`, { maxHeaderCount: 2 }),
    { status: 431 },
  );
});

Deno.test("parse() takes linear time for a head that comes byte by byte", () => {
  const bytes = bytesOf(`${HEAD}${"A: ".padEnd(60_000, "b")}\r\n\r\n`);
  const parser = new RequestParser();
  for (let end = 1; end < bytes.length; end++) {
    assertEquals(parser.parse(bytes, 0, end), -1);
  }
  assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
});

Deno.test("parse() throws again after an error, until reset()", () => {
  const parser = new RequestParser();
  const good = bytesOf(`${HEAD}\r\n`);
  assertEquals(parser.parse(good, 0, good.length), good.length);
  assertThrows(() => parser.parse(bytesOf(" "), 0, 1), HTTPInputError);
  assertThrows(() => parser.parse(good, 0, good.length), HTTPInputError);
  parser.reset();
  assertEquals(parser.parse(good, 0, good.length), good.length);
});

Deno.test("started tells whether part of a head has come", () => {
  const parser = new RequestParser();
  const bytes = bytesOf(`\r\n${HEAD}\r\n`);
  assertEquals(parser.started, false);
  parser.parse(bytes, 0, 1);
  assertEquals(parser.started, false);
  parser.parse(bytes, 0, 2);
  assertEquals(parser.started, false);
  parser.parse(bytes, 0, 3);
  assertEquals(parser.started, true);
  parser.parse(bytes, 0, bytes.length);
  assertEquals(parser.started, false);
});

Deno.test("reset() forgets a head that has begun", () => {
  const parser = new RequestParser();
  const bytes = bytesOf(`${HEAD}\r\n`);
  parser.parse(bytes, 0, bytes.length - 3);
  parser.reset();
  assertEquals(parser.started, false);
  assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
});

Deno.test("parse() gives a head or HTTPInputError for any bytes", () => {
  const alphabet = [
    "GET ",
    "/",
    " HTTP/1.1",
    "\r\n",
    "\r",
    "\n",
    "Host",
    ":",
    " ",
    "a",
    "\0",
    "\xff",
    "Content-Length: 1",
    "?",
  ];
  const random = seeded(1);
  for (let round = 0; round < 2_000; round++) {
    let text = round % 2 === 0 ? "GET / HTTP/1.1\r\nHost: a\r\n" : "";
    for (let words = random(12); words >= 0; words--) {
      text += alphabet[random(alphabet.length)];
    }
    const bytes = bytesOf(`${text}\r\n\r\n`);
    const cut = random(bytes.length);
    assertEquals(
      parseCut(bytes, [cut, bytes.length]),
      parseCut(bytes, [bytes.length]),
      JSON.stringify(text),
    );
  }
});
