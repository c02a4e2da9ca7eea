import { assertEquals } from "@std/assert";
import {
  computeAcceptValue,
  decideHandshake,
  type HandshakeRequest,
  isSameOrigin,
  isValidKey,
  parseSubprotocols,
} from "../../websocket/handshake.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const FIELDS = {
  "upgrade": "websocket",
  "connection": "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": KEY,
};

function request(
  fields: Record<string, string | null> = {},
  rest: Partial<HandshakeRequest> = {},
): HandshakeRequest {
  const all: Record<string, string | null> = { ...FIELDS, ...fields };
  const header = (name: string) => all[name.toLowerCase()] ?? null;
  return { method: "GET", minorVersion: 1, header, ...rest };
}

function status(asked: HandshakeRequest): number {
  const decision = decideHandshake(asked);
  return decision.ok ? 101 : decision.status;
}

Deno.test("decideHandshake() accepts what has all that is needed", () => {
  assertEquals(decideHandshake(request()), {
    ok: true,
    key: KEY,
    subprotocols: [],
    extensions: null,
  });
});

Deno.test("decideHandshake() tells what the client offers", () => {
  const fields = {
    "sec-websocket-protocol": "chat, superchat",
    "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
  };
  assertEquals(decideHandshake(request(fields)), {
    ok: true,
    key: KEY,
    subprotocols: ["chat", "superchat"],
    extensions: "permessage-deflate; client_max_window_bits",
  });
});

Deno.test("decideHandshake() finds tokens in lists and whatever case", () => {
  const fields = {
    upgrade: "h2c , WebSocket",
    connection: "keep-alive,\tUPGRADE",
  };
  assertEquals(status(request(fields)), 101);
});

Deno.test("decideHandshake() answers 405 to other methods", () => {
  for (const method of ["POST", "HEAD", "OPTIONS", "get"]) {
    const decision = decideHandshake(request({}, { method }));
    assertEquals(decision, {
      ok: false,
      status: 405,
      reason: "Method must be GET",
      headers: { Allow: "GET" },
    });
  }
});

Deno.test("decideHandshake() answers 400 to HTTP/1.0", () => {
  assertEquals(status(request({}, { minorVersion: 0 })), 400);
});

Deno.test("decideHandshake() answers 400 without the right Upgrade", () => {
  for (
    const upgrade of [
      null,
      "",
      "h2c",
      "websockets",
      "web socket",
      "x/websocket",
    ]
  ) {
    assertEquals(status(request({ upgrade })), 400);
  }
});

Deno.test("decideHandshake() answers 400 without the right Connection", () => {
  for (const connection of [null, "", "keep-alive", "upgraded", "up grade"]) {
    assertEquals(status(request({ connection })), 400);
  }
});

Deno.test("decideHandshake() answers 400 without a valid key", () => {
  for (const key of [null, "", "asdf", `${KEY}, ${KEY}`, ` ${KEY}`]) {
    assertEquals(status(request({ "sec-websocket-key": key })), 400);
  }
});

Deno.test("decideHandshake() answers 426 to other versions and names its own", () => {
  for (const version of [null, "", "7", "8", "12", "013", "13, 8", "14"]) {
    const decision = decideHandshake(
      request({ "sec-websocket-version": version }),
    );
    assertEquals(decision, {
      ok: false,
      status: 426,
      reason: "Sec-WebSocket-Version must be 13",
      headers: {
        "Sec-WebSocket-Version": "13",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
      },
    });
  }
});

Deno.test("computeAcceptValue() gives the example of RFC 6455 1.3", () => {
  assertEquals(computeAcceptValue(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("isValidKey() takes base64 of 16 bytes, whatever they are", () => {
  for (const fill of [0, 1, 0x7f, 0xfb, 0xff]) {
    const key = new Uint8Array(16).fill(fill).toBase64();
    assertEquals(isValidKey(key), true);
  }
});

Deno.test("isValidKey() refuses other lengths", () => {
  for (const length of [0, 1, 13, 14, 15, 17, 18, 32]) {
    assertEquals(isValidKey(new Uint8Array(length).toBase64()), false);
  }
});

Deno.test("isValidKey() refuses what is not base64 in its one form", () => {
  const bad = [
    "dGhlIHNhbXBsZSBub25jZR==", // spare bits that are not zero
    "dGhlIHNhbXBsZSBub25jZQ", // no padding
    "dGhlIHNhbXBsZSBub25jZQ==\n",
    "dGhlIHNhbXBsZSBub25j-_==", // the other alphabet
    "dGhlIHNhbXBs ZSBub25jZQ==",
  ];
  for (const key of bad) assertEquals(isValidKey(key), false);
});

Deno.test("parseSubprotocols() splits, trims and keeps the order", () => {
  assertEquals(parseSubprotocols(null), []);
  assertEquals(parseSubprotocols(""), []);
  assertEquals(parseSubprotocols("chat"), ["chat"]);
  assertEquals(parseSubprotocols(" b ,a,\tv2.c "), ["b", "a", "v2.c"]);
});

Deno.test("parseSubprotocols() leaves out what no answer could name", () => {
  assertEquals(parseSubprotocols("a,,a b,a,x/y,\u00e9,b,a"), ["a", "b"]);
});

Deno.test("isSameOrigin() takes the same host and port", () => {
  const same: [string, string][] = [
    ["http://localhost:8888", "localhost:8888"],
    ["http://localhost:8888/path?x", "localhost:8888"],
    ["https://example.com", "example.com"],
    ["HTTP://Example.COM", "eXample.com"],
    ["http://example.com", "example.com:80"],
    ["http://example.com:80", "example.com"],
    ["https://example.com", "example.com:443"],
    ["wss://example.com:443", "example.com"],
    ["ws://example.com:80", "example.com:80"],
    ["http://[::1]:8080", "[::1]:8080"],
    ["http://[::1]", "[::1]:80"],
  ];
  for (const [origin, host] of same) {
    assertEquals(isSameOrigin(origin, host), true, `${origin} ${host}`);
  }
});

Deno.test("isSameOrigin() refuses other hosts and ports", () => {
  const other: [string, string][] = [
    ["http://localhost:8888", "localhost:8889"],
    ["http://localhost:8888", "localhost"],
    ["http://example.com", "example.com:443"],
    ["https://example.com", "example.com:80"],
    ["http://sub.example.com", "example.com"],
    ["http://example.com", "sub.example.com"],
    ["http://example.com.evil.com", "example.com"],
    ["http://example.com@evil.com", "evil.com"],
    ["http://evil.com\\example.com", "example.com"],
  ];
  for (const [origin, host] of other) {
    assertEquals(isSameOrigin(origin, host), false, `${origin} ${host}`);
  }
});

Deno.test("isSameOrigin() refuses what is not the URL of an origin", () => {
  const garbage = ["", "null", "localhost:80", "//localhost", "/localhost"]
    .concat(["http:localhost", "http:///localhost", "http://", "http://:80"])
    .concat(["file://localhost", "ftp://localhost", " http://localhost"])
    .concat(["http://local host", "http://localhost\n", "nul\0l"]);
  for (const origin of garbage) {
    for (const host of ["localhost", "localhost:80", "", ":80"]) {
      assertEquals(isSameOrigin(origin, host), false, `${origin} ${host}`);
    }
  }
});
