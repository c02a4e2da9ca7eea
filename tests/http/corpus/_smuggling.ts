import { chunked, get, post, type RawCase, refused, served, waits } from "./_case.ts";

const IN = "GET /in HTTP/1.1\r\nHost: x\r\n\r\n";
const END = "0\r\n\r\n";

// Each is an attempt to have one reader see /in as a request where another sees a body.
function both(fields: string): string {
  return post(fields, END + IN);
}

/** Requests that two readers on the way may part at different places. */
export const SMUGGLING: readonly RawCase[] = [
  [
    "length before chunked",
    "9112 11.2",
    both(`Content-Length: ${END.length}\r\nTransfer-Encoding: chunked\r\n`),
    refused(
      400,
    ),
  ],
  [
    "chunked before length",
    "9112 11.2",
    both("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
    refused(
      400,
    ),
  ],
  [
    "length that holds the request",
    "9112 11.2",
    both(`Content-Length: ${END.length + IN.length}\r\nTransfer-Encoding: chunked\r\n`),
    refused(
      400,
    ),
  ],
  ...[
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    "Transfer-Encoding\x0b: chunked",
    "Transfer-Encoding\xa0: chunked",
    "Transfer-Encoding\0: chunked",
    " Transfer-Encoding: chunked",
    "\tTransfer-Encoding: chunked",
    "X: x\nTransfer-Encoding: chunked",
    "X: x\rTransfer-Encoding: chunked",
    "X: x\r\n\rTransfer-Encoding: chunked",
    "X: x\n\nTransfer-Encoding: chunked",
    "X: x\0\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding\r\n: chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: chunked\r\n , identity",
    "Transfer-Encoding: \x00chunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: \x0cchunked",
    "Transfer-Encoding: \xa0chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: x, chunked",
    "Transfer-Encoding: chunked, x",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: chunked; x",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\ntransfer-encoding: x",
    "Transfer-Encoding:",
    "Transfer-Encoding: ,",
    "TRANSFER-ENCODING: chunked",
    "Transfer-Encoding:chunked",
  ].map((field): RawCase => [
    `a length beside ${JSON.stringify(field)}`,
    "9112 6.3",
    both(`Content-Length: ${END.length + IN.length}\r\n${field}\r\n`),
    refused(400),
  ]),
  ...[
    "Content-Length : 2",
    "Content-Length\t: 2",
    " Content-Length: 2",
    "Content-Length: 2\r\nContent-Length : 30",
    "Content-Length: 2\r\nContent-Length: 30",
    "Content-Length: 30\r\ncontent-length: 2",
    "Content-Length: 2\r\nContent-Length: +2",
    "Content-Length: 2\r\n 30",
    "Content-Length: 2\n30",
    "Content-Length: 2\0",
    "Content-Length: 2\r30",
    "Content-Length: 2 30",
    "Content-Length: 2, 30",
    "Content-Length: \x0b2",
    "Content-Length: 2\xa0",
    "Content-Length\xa0: 2",
    "Content-Length: 2\r\nX: x\nContent-Length: 30",
  ].map((field): RawCase => [
    `a length as ${JSON.stringify(field)}`,
    "9112 6.3",
    post(`${field}\r\n`, `ab${IN}`),
    refused(400),
  ]),
  // Fields with other names say nothing about the body: what follows is another request.
  ...["Content_Length", "Content-Length-", "Content.Length", "X-Content-Length", "Contentlength"]
    .map(
      (name): RawCase => [
        `a length named ${name}`,
        "9110 5.1",
        post(`${name}: ${IN.length}\r\n`, IN),
        served("POST /", "GET /in"),
      ],
    ),
  ...["Transfer_Encoding", "TransferEncoding", "TE", "X-Transfer-Encoding", "Content-Encoding"].map(
    (name): RawCase => [
      `chunked in ${name}`,
      "9110 5.1",
      post(`${name}: chunked\r\n`, IN),
      served("POST /", "GET /in"),
    ],
  ),
  [
    "a GET whose body is a request",
    "9110 9.3.1",
    get("/", `Content-Length: ${IN.length}\r\n`) + IN,
    served(
      `GET / ${IN}`,
    ),
  ],
  [
    "a GET whose chunk is a request",
    "9110 9.3.1",
    `${get("/", "Transfer-Encoding: chunked\r\n")}${IN.length.toString(16)}\r\n${IN}\r\n${END}`,
    served(`GET / ${IN}`),
  ],
  [
    "a length that is refused, over a request",
    "9112 6.3",
    post(`Content-Length: 0x${IN.length.toString(16)}\r\n`, IN),
    refused(400),
  ],
  [
    "an expectation that is refused, over a request",
    "9110 10.1.1",
    post(`Expect: x\r\nContent-Length: ${IN.length}\r\n`, IN),
    refused(417),
  ],
  [
    "a body over the limit that is a request",
    "9110 15.5.14",
    post("Content-Length: 1000\r\n", IN),
    refused(
      413,
    ),
  ],
  ["a request as an extension", "9112 7.1.1", chunked(`2;\n${IN}`), refused(400)],
  [
    "a request behind an LF in an extension",
    "9112 7.1.1",
    chunked(`2;a\nxx\r\n${END}${IN}`),
    refused(400),
  ],
  ["a blank behind a size", "9112 7.1", chunked(`2 \r\nab\r\n${END}${IN}`), refused(400)],
  [
    "a size that overflows 32 bits",
    "9112 7.1",
    chunked(`100000002\r\nab\r\n${END}${IN}`),
    waits(),
  ],
  [
    "a size that overflows 64 bits",
    "9112 7.1",
    chunked(`10000000000000002\r\nab\r\n${END}${IN}`),
    refused(
      400,
    ),
  ],
  ["a negative size", "9112 7.1", chunked(`-1\r\nab\r\n${END}${IN}`), refused(400)],
  ["data with two bytes too many", "9112 7.1", chunked(`2\r\nabxx${END}${IN}`), refused(400)],
  ["data that ends in LF", "9112 7.1", chunked(`2\r\nab\n${END}${IN}`), refused(400)],
  ["chunk lines that end in LF", "9112 2.2", chunked(`2\nab\n0\n\n${IN}`), refused(400)],
  ["an end without its empty line", "9112 7.1", chunked(`2\r\nab\r\n0\r\n${IN}`), refused(400)],
  [
    "a trailer that sets a length",
    "9110 6.5.1",
    chunked(`0\r\nContent-Length: ${IN.length}\r\n\r\n${IN}`),
    served(
      "POST /",
      "GET /in",
    ),
  ],
  ["a trailer with a bare LF", "9112 2.2", chunked(`0\r\nA: b\n\n${IN}`), refused(400)],
  ...["\r\n", "\n", "\r"].flatMap((end): RawCase[] => {
    const what = JSON.stringify(end);
    return [
      [`${what} in the method`, "9112 3", `GET${end}${IN}`, refused(400)],
      [`${what} in the target`, "9112 3", `GET /${end}${IN}`, refused(400)],
      [`${what} in absolute-form`, "9112 3", `GET http://a${end}${IN}`, refused(400)],
      [`${what} before the version`, "9112 3", `GET / ${end}${IN}`, refused(400)],
      [`${what} in the version`, "9112 3", `GET / HTTP/${end}${IN}`, refused(400)],
      [`${what} in a name`, "9112 5", get("/", `A${end}: b\r\n`) + IN, refused(400)],
      [
        `${what} in Host, a blank behind`,
        "9112 5",
        `GET / HTTP/1.1\r\nHost: x${end} y\r\n\r\n${IN}`,
        refused(
          400,
        ),
      ],
    ];
  }),
  ["fields of HTTP/2 that name a path", "9113 8.3", get("/", ":path: /in\r\n"), refused(400)],
  [
    "an upgrade to HTTP/2, and its preface",
    "9113 3.1",
    get("/", "Upgrade: h2c\r\nConnection: Upgrade\r\n") +
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    refused(400, "GET /"),
  ],
  ["HTTP/0.9 behind a good one", "9112 2.3", `${get("/")}GET /in\r\n`, refused(400, "GET /")],
  [
    "a second Host behind a good one",
    "9112 3.2",
    `${get("/")}GET /in HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`,
    refused(
      400,
      "GET /",
    ),
  ],
];
