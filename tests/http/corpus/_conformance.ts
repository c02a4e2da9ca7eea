import { chunked, get, post, type RawCase, refused, served, waits } from "./_case.ts";

const HEAD = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

// The places in HEAD where it may be cut, each the first byte that is missing.
const CUTS: readonly [title: string, end: number][] = [
  ["method", 1],
  ["target, before it", 4],
  ["target, in it", 10],
  ["target, behind it", 11],
  ["version", 15],
  ["request line, before its CR", 19],
  ["request line, behind its CR", 20],
  ["request line, behind its LF", 21],
  ["field name", 24],
  ["field value, before it", 26],
  ["field value, behind its blank", 27],
  ["field value, before its CR", 36],
  ["field value, behind its CR", 37],
  ["fields, before the empty line", 38],
  ["fields, in the empty line", 39],
];

/** What lists of checks of HTTP/1.1 servers commonly ask for: each wants an answer, or patience. */
export const CONFORMANCE: readonly RawCase[] = [
  ...CUTS.map(([title, end]): RawCase => [
    `a cut in the ${title}`,
    "9112 2.1",
    HEAD.slice(0, end),
    waits(),
  ]),
  ["a request without version", "9112 3", "GET / \r\n\r\n", refused(400)],
  ["a request with Expect", "9110 10.1.1", get("/", "Expect: 100-continue\r\n"), served("GET /")],
  ["a GET", "9110 9.3.1", get("/"), served("GET /")],
  [
    "a GET with a tab behind a colon and an empty field",
    "9112 5",
    "GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n",
    served("GET /"),
  ],
  ["brackets in a field name", "9110 5.1", get("/", "X-Invalid[]: test\r\n"), refused(400)],
  ["no Host", "9112 3.2", "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", refused(400)],
  ["two Hosts", "9112 3.2", get("/", "Host: example.org\r\n"), refused(400)],
  [
    "a negative length that overflows",
    "9110 8.6",
    get("/", "Content-Length: -123456789123456789123456789\r\n"),
    refused(400),
  ],
  ["a negative length", "9110 8.6", get("/", "Content-Length: -1234\r\n"), refused(400)],
  ["a length that is no number", "9110 8.6", get("/", "Content-Length: abc\r\n"), refused(400)],
  ["an empty field value", "9110 5.5", get("/", "X-Empty-Header: \r\n"), served("GET /")],
  ["a control character in a value", "9110 5.5", get("/", "X: test\x07\r\n"), refused(400)],
  ["an unknown version", "9112 2.3", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", refused(400)],
  ["words before the method", "9112 3", `Extra line${get("/")}`, refused(400)],
  [
    "a CR where the head could end",
    "9112 2.2",
    "GET / HTTP/1.1\r\nHost: x\r\n\rSome-Header: Test\r\n\r\n",
    refused(400),
  ],
  [
    "a POST with a body",
    "9110 9.3.3",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    served("POST / hello"),
  ],
  [
    "a POST with chunks",
    "9112 7.1",
    chunked("c\r\nHello world!\r\n0\r\n\r\n"),
    served("POST / Hello world!"),
  ],
  [
    "a length beside chunked, in mixed case",
    "9112 6.1",
    post("content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n", "c\r\nHello world!\r\n0\r\n\r\n"),
    refused(400),
  ],
];
