import {
  chunked,
  continued,
  get,
  last,
  type Outcome,
  post,
  type RawCase,
  refused,
  served,
  waits,
} from "./_case.ts";

const END = "0\r\n\r\n";
const OLD = "GET / HTTP/1.0\r\n";

function option(value: string): string {
  return get("/", `Connection: ${value}\r\n`);
}

/** Whether the connection lasts. */
export const PERSISTENCE: readonly RawCase[] = [
  ...([
    ["close", last],
    ["Close", last],
    ["CLOSE", last],
    [" close\t", last],
    ["close, x", last],
    ["x, close", last],
    ["x ,\tclose", last],
    [",close", last],
    ["close,close", last],
    ["keep-alive, close", last],
    ["close, keep-alive", last],
    ["x\r\nConnection: close", last],
    ["close\r\nConnection: keep-alive", last],
    ["keep-alive", served],
    ["Keep-Alive", served],
    ["", served],
    [",", served],
    ["x", served],
    ["closed", served],
    ["not-close", served],
    ["clos", served],
    ["close x", served],
    ["close;x", served],
    ['"close"', served],
    ["close\xa0", served],
    ["upgrade", served],
    ["Host, Content-Length", served],
  ] as [string, (...seen: string[]) => Outcome][]).map(([value, outcome]): RawCase => [
    `Connection ${JSON.stringify(value)}`,
    "9112 9.3",
    option(value),
    outcome("GET /"),
  ]),
  ...([
    ["", last],
    ["Connection: keep-alive\r\n", served],
    ["Connection: Keep-Alive\r\n", served],
    ["Connection: KEEP-ALIVE\r\n", served],
    ["Connection: x, keep-alive\r\n", served],
    ["Connection: keep-alive, close\r\n", last],
    ["Connection: close\r\n", last],
    ["Connection: x\r\n", last],
    ["Connection: keep-aliv\r\n", last],
    ["Connection: keep alive\r\n", last],
    ["Keep-Alive: timeout=5\r\n", last],
  ] as [string, (...seen: string[]) => Outcome][]).map(([fields, outcome]): RawCase => [
    `HTTP/1.0 with ${JSON.stringify(fields)}`,
    "9112 9.3",
    `${OLD}${fields}\r\n`,
    outcome("GET /"),
  ]),
  [
    "HTTP/1.0 kept alive, with a body",
    "9112 9.3",
    "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
    served("POST / ab"),
  ],
  [
    "HTTP/1.0 kept alive, with chunks",
    "9112 9.3",
    `POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n${END}`,
    served("POST / ab"),
  ],
  [
    "an upgrade that nobody takes",
    "9110 7.8",
    get("/", "Upgrade: h2c\r\nConnection: Upgrade\r\n"),
    served(
      "GET /",
    ),
  ],
  [
    "a body with close",
    "9112 9.6",
    post("Connection: close\r\nContent-Length: 2\r\n", "ab"),
    last(
      "POST / ab",
    ),
  ],
];

/** Several requests on one connection, sent without waiting. */
export const PIPELINING: readonly RawCase[] = [
  ["two", "9112 9.3.2", get("/1") + get("/2"), served("GET /1", "GET /2")],
  ["ten", "9112 9.3.2", get("/").repeat(10), served(...Array(10).fill("GET /"))],
  [
    "bodies of each kind between",
    "9112 9.3.2",
    post("Content-Length: 2\r\n", "ab") + chunked(`2\r\ncd\r\n${END}`) + get("/"),
    served("POST / ab", "POST / cd", "GET /"),
  ],
  ["an empty line between", "9112 2.2", `${get("/1")}\r\n${get("/2")}`, served("GET /1", "GET /2")],
  [
    "an empty line behind a body",
    "9112 2.2",
    `${post("Content-Length: 2\r\n", "ab")}\r\n${get("/2")}`,
    served("POST / ab", "GET /2"),
  ],
  [
    "five empty lines between",
    "9112 2.2",
    get("/1") + "\r\n".repeat(5) + get("/2"),
    refused(
      400,
      "GET /1",
    ),
  ],
  ["a bare LF between", "9112 2.2", `${get("/1")}\n${get("/2")}`, refused(400, "GET /1")],
  ["a good one and a bad one", "9112 9.3.2", `${get("/1")}x\r\n\r\n`, refused(400, "GET /1")],
  [
    "a good one, a bad one, a good one",
    "9112 2.2",
    `${get("/1")}GET /2 HTTP/1.1\r\n\r\n${get("/3")}`,
    refused(400, "GET /1"),
  ],
  ["a bad one and a good one", "9112 2.2", `x\r\n\r\n${get("/2")}`, refused(400)],
  [
    "a body with a bad chunk, and a good one",
    "9112 7.1",
    `${chunked("x\r\n")}${get("/2")}`,
    refused(400),
  ],
  [
    "a body that is too large, and a good one",
    "9110 15.5.14",
    post("Content-Length: 301\r\n", "b".repeat(301)) + get("/2"),
    refused(413),
  ],
  [
    "an expectation that is unknown, and a good one",
    "9110 10.1.1",
    get("/", "Expect: x\r\n") + get("/2"),
    refused(417),
  ],
  ["one behind close", "9112 9.6", get("/1", "Connection: close\r\n") + get("/2"), last("GET /1")],
  ["one behind HTTP/1.0", "9112 9.3", `${OLD}\r\n${get("/2")}`, last("GET /")],
  [
    "one behind HTTP/1.0 that is kept alive",
    "9112 9.3",
    `${OLD}Connection: keep-alive\r\n\r\n${get("/2")}`,
    served("GET /", "GET /2"),
  ],
  [
    "rubbish behind close",
    "9112 9.6",
    get("/1", "Connection: close\r\n") + "x y z",
    last("GET /1"),
  ],
  [
    "more body than its length says",
    "9112 6.3",
    post("Content-Length: 2\r\n", "abGET") + get("/").slice(3),
    served("POST / ab", "GET /"),
  ],
  [
    "an expectation behind a good one",
    "9110 10.1.1",
    get("/1") + post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab"),
    continued("GET /1", "POST / ab"),
  ],
  ["one that is not whole", "9112 9.3.2", get("/1") + get("/2").slice(0, -2), waits("GET /1")],
  [
    "fields that frame only the first",
    "9112 6.3",
    chunked(END) + post("") + post("Content-Length: 2\r\n", "ab") + post(""),
    served("POST /", "POST /", "POST / ab", "POST /"),
  ],
];

/** Methods, and bodies where they are not expected. */
export const METHODS: readonly RawCase[] = [
  ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH"]
    .flatMap((method): RawCase[] => {
      const line = `${method} /a HTTP/1.1\r\nHost: x\r\n`;
      return [
        [`${method} without a body`, "9110 9.3", `${line}\r\n`, served(`${method} /a`)],
        [
          `${method} with a length`,
          "9110 9.3",
          `${line}Content-Length: 2\r\n\r\nab`,
          served(
            `${method} /a ab`,
          ),
        ],
        [
          `${method} with chunks`,
          "9110 9.3",
          `${line}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n${END}`,
          served(`${method} /a ab`),
        ],
      ];
    }),
  [
    "CONNECT with a length",
    "9110 9.3.6",
    "CONNECT a:1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
    served("CONNECT a:1 ab"),
  ],
  [
    "OPTIONS for the server, absolute",
    "9112 3.2.4",
    "OPTIONS http://a HTTP/1.1\r\nHost: x\r\n\r\n",
    served(
      "OPTIONS http://a",
    ),
  ],
  [
    "HEAD, close",
    "9112 9.6",
    "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    last("HEAD /"),
  ],
  ["HEAD, HTTP/1.0", "9112 9.3", "HEAD / HTTP/1.0\r\n\r\n", last("HEAD /")],
];
