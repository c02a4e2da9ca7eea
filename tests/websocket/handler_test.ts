import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { WebSocket as NodeWebSocket } from "ws";
import { appLog, Future, genLog } from "../../ioloop/mod.ts";
import { coroutine, type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { HTTPServer } from "../../http/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { expectLog, fakeLoop, memoryPair } from "../../testing/mod.ts";
import { Application, DictLoader, HTTPError } from "../../web/mod.ts";
import {
  CloseCode,
  computeAcceptValue,
  encodeClose,
  encodeFrame,
  Opcode,
  WebSocketClosedError,
  WebSocketHandler,
} from "../../websocket/mod.ts";
import { ask, RawClient, until } from "../http/_raw_client.ts";
import { serve } from "../web/_serve.ts";
import { handshake, KEY, masked, RawWebSocket } from "./_raw_client.ts";

class Echo extends WebSocketHandler {
  override onMessage(message: string | Uint8Array): unknown {
    return this.writeMessage(message);
  }
}

/** Notes what its methods are called with. */
class Noting extends WebSocketHandler {
  protected seen!: unknown[];

  override initialize({ seen }: { seen: unknown[] }): void {
    this.seen = seen;
  }

  override open(): unknown {
    this.seen.push("open");
    return undefined;
  }

  override onMessage(message: string | Uint8Array): unknown {
    this.seen.push(message);
    return undefined;
  }

  override onPing(data: Uint8Array): void {
    this.seen.push(["ping", data]);
  }

  override onPong(data: Uint8Array): void {
    this.seen.push(["pong", data]);
  }

  override onClose(): void {
    this.seen.push(["close", this.closeCode, this.closeReason]);
  }
}

const HANDSHAKE_HEADERS = {
  "Upgrade": "websocket",
  "Connection": "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": KEY,
};

const MIB = 1024 * 1024;

/** Messages that every client gets back as they were. */
const MESSAGES: readonly (string | Uint8Array<ArrayBuffer>)[] = [
  "hello",
  "",
  "h\u00e9llo, \u4e16\u754c \u{1f300}\0",
  Uint8Array.of(0, 1, 254, 255),
  new Uint8Array(0),
  ...[125, 126, 65535, 65536].flatMap((size) => ["x".repeat(size), new Uint8Array(size).fill(7)]),
  "\u00e4".repeat(5 * MIB),
  Uint8Array.from({ length: 10 * MIB }, (_, at) => at * 31),
];

function assertSame(came: unknown, sent: string | Uint8Array): void {
  if (typeof sent === "string") return assert(came === sent, `${sent.length} characters of text`);
  assertInstanceOf(came, Uint8Array);
  assert(came.length === sent.length && came.every((byte, at) => byte === sent[at]));
}

/** Opens Deno's own WebSocket. */
async function open(url: string, protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = (event) => reject((event as ErrorEvent).error ?? new Error("refused"));
  });
  return socket;
}

function nextMessage(socket: WebSocket): Promise<string | Uint8Array> {
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) =>
      resolve(typeof data === "string" ? data : new Uint8Array(data));
  });
}

function closed(socket: WebSocket): Promise<CloseEvent> {
  return new Promise((resolve) => socket.onclose = resolve);
}

Deno.test("WebSocketHandler echoes text, binary, unicode, empty and 10 MiB messages to Deno's WebSocket", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    const socket = await open(`ws://127.0.0.1:${port}/echo`);
    for (const message of MESSAGES) {
      const echoed = nextMessage(socket);
      socket.send(message);
      assertSame(await echoed, message);
    }
    const end = closed(socket);
    socket.close(3001, "enough");
    const { code, wasClean } = await end;
    assertEquals([code, wasClean], [3001, true]);
  }));

Deno.test("WebSocketHandler echoes text, binary, unicode, empty and 10 MiB messages to ws", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    const socket = new NodeWebSocket(`ws://127.0.0.1:${port}/echo`, { perMessageDeflate: false });
    await new Promise((resolve) => socket.once("open", resolve));
    for (const message of MESSAGES) {
      const echoed = new Promise<string | Uint8Array>((resolve) =>
        socket.once(
          "message",
          (data: Uint8Array, binary: boolean) =>
            resolve(binary ? new Uint8Array(data) : new TextDecoder().decode(data)),
        )
      );
      socket.send(message);
      assertSame(await echoed, message);
    }
    const end = new Promise((resolve) => socket.once("close", resolve));
    socket.close(1000);
    assertEquals(await end, 1000);
  }));

Deno.test("WebSocketHandler sends frames of lengths 0, 125, 126, 65535 and 65536", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/echo");
    for (const size of [0, 125, 126, 65535, 65536]) {
      await socket.sendFrame(Opcode.BINARY, new Uint8Array(size).fill(9));
      const { fin, opcode, data } = await socket.frame();
      assertEquals([fin, opcode, data.length], [true, Opcode.BINARY, size]);
      assertSame(data, new Uint8Array(size).fill(9));
    }
    await socket.shut();
  }));

Deno.test("get() answers what is no handshake with 400, 405 or 426, and the connection goes on", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    using client = await RawClient.connect(port);
    const refused: [Record<string, string>, number, string][] = [
      [{ "Upgrade": "", "Connection": "" }, 400, "Upgrade"],
      [{ "Upgrade": "h2c" }, 400, "Upgrade"],
      [{ "Connection": "keep-alive" }, 400, "Connection"],
      [{ "Sec-WebSocket-Key": "" }, 400, "Sec-WebSocket-Key"],
      [{ "Sec-WebSocket-Key": "c2hvcnQ=" }, 400, "Sec-WebSocket-Key"],
      [{ "Sec-WebSocket-Version": "" }, 426, "Sec-WebSocket-Version"],
      [{ "Sec-WebSocket-Version": "8" }, 426, "Sec-WebSocket-Version"],
      [{ "Sec-WebSocket-Version": "12" }, 426, "Sec-WebSocket-Version"],
    ];
    for (const [headers, status, named] of refused) {
      await client.send(handshake("/echo", headers));
      const answer = await client.answer();
      assertEquals(answer.status, status);
      assertStringIncludes(answer.text, named);
      assertEquals(answer.headers.get("Sec-WebSocket-Version"), status === 426 ? "13" : null);
    }
    await client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    const post = await client.answer();
    assertEquals([post.status, post.headers.get("Allow")], [405, "GET"]);
    await client.send(handshake("/echo"));
    const { status, headers } = await client.answer();
    assertEquals(status, 101);
    assertEquals(headers.get("Sec-WebSocket-Accept"), computeAcceptValue(KEY));
    assertEquals(headers.get("Content-Type"), null);
    assertEquals(headers.get("Content-Length"), null);
  }));

Deno.test("get() takes Upgrade and Connection in whatever case and among others", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/echo", {
      headers: { "Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE" },
    });
    await socket.shut();
  }));

Deno.test("checkOrigin() allows none and the same, refuses others with 403", async () => {
  await serve([["/echo", Echo]], async ({ port }) => {
    const host = `localhost:${port}`;
    const statusOf = async (origin: string) => {
      const headers = { ...HANDSHAKE_HEADERS, "Host": host, "Origin": origin };
      using client = await RawClient.connect(port);
      await client.send(handshake("/echo", headers));
      return (await client.answer()).status;
    };
    assertEquals(await statusOf(""), 101);
    assertEquals(await statusOf(`http://${host}`), 101);
    assertEquals(await statusOf(`http://${host}/some/page`), 101);
    assertEquals(await statusOf(`HTTP://LOCALHOST:${port}`), 101);
    const refused = [
      "http://elsewhere.example",
      `http://sub.${host}`,
      "localhost",
      "null",
      "http://localhost:1",
    ];
    const { matched } = await expectLog(genLog, /Cross origin websockets not allowed/, async () => {
      for (const origin of refused) assertEquals(await statusOf(origin), 403, origin);
    });
    assertEquals(matched.length, refused.length);
  });
});

Deno.test("checkOrigin() is overridden to allow others, and is not asked without an Origin", async () => {
  const asked: string[] = [];
  class Open extends Echo {
    override checkOrigin(origin: string): boolean {
      asked.push(origin);
      return true;
    }
  }
  await serve([["/", Open]], async ({ port }) => {
    using silent = await RawWebSocket.open(port, "/");
    using other = await RawWebSocket.open(port, "/", { headers: { Origin: "http://a.example" } });
    await Promise.all([silent.shut(), other.shut()]);
  });
  assertEquals(asked, ["http://a.example"]);
});

Deno.test("selectSubprotocol() is asked once before open, and its choice is sent", async () => {
  const seen: unknown[] = [];
  class Choosy extends Echo {
    override selectSubprotocol(offered: readonly string[]): string | null {
      seen.push([...offered]);
      return offered[1] ?? null;
    }
    override open(): void {
      seen.push(this.selectedSubprotocol);
    }
  }
  await serve([["/", Choosy]], async ({ port }) => {
    const socket = await open(`ws://127.0.0.1:${port}/`, ["one", "two"]);
    assertEquals(socket.protocol, "two");
    const end = closed(socket);
    socket.close();
    await end;
    using none = await RawWebSocket.open(port, "/");
    assertEquals(none.answer.headers.get("Sec-WebSocket-Protocol"), null);
    await none.shut();
  });
  assertEquals(seen, [["one", "two"], "two", [], null]);
});

Deno.test("selectSubprotocol() that chooses what was not offered is an error", async () => {
  class Wrong extends Echo {
    override selectSubprotocol(): string {
      return "mine";
    }
  }
  await serve([["/", Wrong]], async ({ get }) => {
    const { matched } = await expectLog(appLog, "Cannot select the subprotocol mine", async () => {
      const headers = { ...HANDSHAKE_HEADERS, "Sec-WebSocket-Protocol": "yours" };
      assertEquals((await get("/", headers)).status, 500);
    });
    assertEquals(matched.length, 1);
  });
});

Deno.test("WebSocketHandler reads data that came in one packet with the handshake", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    const behind = Uint8Array.of(...masked(Opcode.TEXT, "early"), ...masked(Opcode.TEXT, "bird"));
    using socket = await RawWebSocket.open(port, "/echo", { behind });
    assertEquals([await socket.text(), await socket.text()], ["early", "bird"]);
    await socket.shut();
  }));

Deno.test("WebSocketHandler reads frames that come byte by byte", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/echo");
    for (const text of ["h\u00e9llo", "x".repeat(300)]) {
      for (const byte of masked(Opcode.TEXT, text)) await socket.send(Uint8Array.of(byte));
      assertEquals(await socket.text(), text);
    }
    await socket.shut();
  }));

Deno.test("WebSocketHandler joins fragments and answers a ping between them", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/echo");
    const bytes = new TextEncoder().encode("gr\u00fcn");
    await socket.sendFrame(Opcode.TEXT, bytes.subarray(0, 3), { fin: false }); // inside the u
    await socket.sendFrame(Opcode.PING, "between");
    const pong = await socket.frame();
    assertEquals([pong.opcode, pong.text], [Opcode.PONG, "between"]);
    await socket.sendFrame(Opcode.CONTINUATION, bytes.subarray(3));
    assertEquals(await socket.text(), "gr\u00fcn");
    await socket.shut();
  }));

Deno.test("WebSocketHandler joins a thousand fragments", () =>
  serve([["/echo", Echo]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/echo");
    await socket.sendFrame(Opcode.BINARY, "ab", { fin: false });
    for (let count = 0; count < 998; count++) {
      await socket.sendFrame(Opcode.CONTINUATION, "ab", { fin: false });
    }
    await socket.sendFrame(Opcode.CONTINUATION, "ab");
    const { opcode, text } = await socket.frame();
    assertEquals([opcode, text], [Opcode.BINARY, "ab".repeat(1000)]);
    await socket.shut();
  }));

/** What breaks the rules, and the code that it is answered with. */
const VIOLATIONS: readonly [what: string, bytes: Uint8Array, code: number][] = [
  ["a frame without mask", Uint8Array.of(0x81, 1, 0x61), 1002],
  ["a reserved bit", masked(Opcode.TEXT, "a", { rsv1: true }), 1002],
  ["a reserved opcode", masked(3, "a"), 1002],
  ["a reserved control opcode", masked(11, ""), 1002],
  ["a continuation of nothing", masked(Opcode.CONTINUATION, "a"), 1002],
  [
    "a message within a message",
    Uint8Array.of(...masked(Opcode.TEXT, "a", { fin: false }), ...masked(Opcode.TEXT, "b")),
    1002,
  ],
  ["a length not in its shortest form", Uint8Array.of(0x81, 0xfe, 0, 1, 0, 0, 0, 0, 0x61), 1002],
  [
    "a length with its top bit set",
    Uint8Array.of(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    1002,
  ],
  ["a fragmented ping", Uint8Array.of(0x09, 0x80, 0, 0, 0, 0), 1002],
  ["a ping of 126 bytes", Uint8Array.of(0x89, 0xfe, 0, 126, 0, 0, 0, 0), 1002],
  ["text that is not UTF-8", masked(Opcode.TEXT, Uint8Array.of(0x61, 0xff)), 1007],
  ["text that ends inside a character", masked(Opcode.TEXT, Uint8Array.of(0xe4, 0xb8)), 1007],
  ["a close frame of one byte", masked(Opcode.CLOSE, Uint8Array.of(3)), 1002],
  ["a close code that must not be sent", masked(Opcode.CLOSE, Uint8Array.of(3, 0xed)), 1002],
  [
    "a close reason that is not UTF-8",
    masked(Opcode.CLOSE, Uint8Array.of(3, 0xe8, 0xff)),
    1007,
  ],
];

for (const [what, bytes, code] of VIOLATIONS) {
  Deno.test(`WebSocketHandler answers ${what} with ${code}, then closes`, async () => {
    const seen: unknown[] = [];
    await serve([["/", Noting, { seen }]], async ({ port }) => {
      using socket = await RawWebSocket.open(port, "/");
      await socket.send(bytes);
      assertEquals(await socket.closeFrame(), [code, ""]);
      await socket.ended();
      socket.vanish();
      await until(() => seen.length > 1);
    });
    assertEquals(seen, ["open", ["close", null, null]]);
  });
}

Deno.test("WebSocketHandler delivers the good messages before a bad frame, and none behind it", async () => {
  const seen: unknown[] = [];
  await serve([["/", Noting, { seen }]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.send(Uint8Array.of(
      ...masked(Opcode.TEXT, "good"),
      ...masked(3, "bad"),
      ...masked(Opcode.TEXT, "late"),
    ));
    assertEquals(await socket.closeFrame(), [1002, ""]);
    await socket.ended();
    socket.vanish();
    await until(() => seen.length > 2);
  });
  assertEquals(seen, ["open", "good", ["close", null, null]]);
});

Deno.test("maxMessageSize passes a message of its size and answers one more byte with 1009", () =>
  serve([["/", Echo]], async ({ port }) => {
    using exact = await RawWebSocket.open(port, "/");
    await exact.sendText("x".repeat(1024));
    assertEquals((await exact.text()).length, 1024);
    await exact.sendFrame(Opcode.TEXT, "x".repeat(1000), { fin: false });
    await exact.sendFrame(Opcode.CONTINUATION, "x".repeat(24));
    assertEquals((await exact.text()).length, 1024);
    await exact.shut();

    using over = await RawWebSocket.open(port, "/");
    await over.sendText("x".repeat(1025));
    assertEquals(await over.closeFrame(), [1009, "message too big"]);
    await over.ended();

    using summed = await RawWebSocket.open(port, "/");
    await summed.sendFrame(Opcode.TEXT, "x".repeat(1000), { fin: false });
    await summed.sendFrame(Opcode.CONTINUATION, "x".repeat(25));
    assertEquals(await summed.closeFrame(), [1009, "message too big"]);
    await summed.ended();
  }, { websocketMaxMessageSize: 1024 }));

Deno.test("maxMessageSize is 10 MiB by default, and a longer frame is refused by its header", () =>
  serve([["/", Echo]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    const length = [0, 0, 0, 0, 0, 0xa0, 0, 1]; // 10 MiB and one byte
    await socket.send(Uint8Array.of(0x82, 0xff, ...length, 0, 0, 0, 0));
    assertEquals(await socket.closeFrame(), [1009, "message too big"]);
    await socket.ended();
  }));

Deno.test("onMessage() as a slow generator is never entered twice and keeps the order", async () => {
  let inside = 0;
  const seen: string[] = [];
  class Slow extends WebSocketHandler {
    override *onMessage(message: string | Uint8Array): CoroutineGenerator {
      inside++;
      seen.push(`${message} with ${inside} inside`);
      yield* sleep(5);
      inside--;
      this.writeMessage(message);
    }
  }
  await serve([["/", Slow]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    const frames = ["a", "b", "c", "d"].map((text) => [...masked(Opcode.TEXT, text)]);
    await socket.send(Uint8Array.from(frames.flat()));
    const echoed = [];
    for (let count = 0; count < 4; count++) echoed.push(await socket.text());
    assertEquals(echoed, ["a", "b", "c", "d"]);
    await socket.shut();
  });
  assertEquals(seen, ["a", "b", "c", "d"].map((text) => `${text} with 1 inside`));
});

Deno.test("onMessage() as an async method keeps the order too", async () => {
  class Slow extends WebSocketHandler {
    override async onMessage(message: string | Uint8Array): Promise<void> {
      await sleep(message === "a" ? 10 : 1);
      await this.writeMessage(message);
    }
  }
  await serve([["/", Slow]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.sendText("a");
    await socket.sendText("b");
    assertEquals([await socket.text(), await socket.text()], ["a", "b"]);
    await socket.shut();
  });
});

Deno.test("open() that waits delays the messages", async () => {
  const seen: string[] = [];
  const ready = new Future<void>();
  class Waiting extends WebSocketHandler {
    override *open(): CoroutineGenerator {
      yield* ready;
      seen.push("open");
    }
    override onMessage(message: string | Uint8Array): void {
      seen.push(String(message));
      this.writeMessage("got it");
    }
  }
  await serve([["/", Waiting]], async ({ port }) => {
    const behind = masked(Opcode.TEXT, "early");
    using socket = await RawWebSocket.open(port, "/", { behind });
    await socket.sendText("later");
    await sleep(20);
    assertEquals(seen, []);
    ready.setResult();
    assertEquals([await socket.text(), await socket.text()], ["got it", "got it"]);
    await socket.shut();
  });
  assertEquals(seen, ["open", "early", "later"]);
});

Deno.test("open() gets the groups of the route", async () => {
  const seen: unknown[] = [];
  class Room extends Echo {
    override open(...args: unknown[]): void {
      seen.push(args);
    }
  }
  const routes = [["/room/([^/]+)/(\\d+)", Room], ["/named/(?<name>.*)", Room]] as const;
  await serve(routes, async ({ port }) => {
    using plain = await RawWebSocket.open(port, "/room/%C3%A9tage/7");
    using named = await RawWebSocket.open(port, "/named/ada");
    await Promise.all([plain.shut(), named.shut()]);
  });
  assertEquals(seen[0], ["\u00e9tage", "7"]);
  assertEquals({ ...(seen[1] as [Record<string, string>])[0] }, { name: "ada" });
});

/** A handler whose `where` fails in the way of `how`. */
function failing(
  where: "open" | "onMessage",
  how: "plain" | "async" | "generator",
  seen: unknown[],
): typeof WebSocketHandler {
  const fail = {
    plain: () => {
      throw new Error("it broke");
    },
    async: async () => {
      await sleep(1);
      throw new Error("it broke");
    },
    generator: function* (): CoroutineGenerator {
      yield* sleep(1);
      throw new Error("it broke");
    },
  }[how];
  return class Failing extends WebSocketHandler {
    override open(): unknown {
      return where === "open" ? fail() : undefined;
    }
    override onMessage(): unknown {
      return where === "onMessage" ? fail() : undefined;
    }
    override onClose(): void {
      seen.push("closed");
    }
  };
}

for (const where of ["open", "onMessage"] as const) {
  for (const how of ["plain", "async", "generator"] as const) {
    Deno.test(`an error in a ${how} ${where}() is logged and closes with 1011`, async () => {
      const seen: unknown[] = [];
      await serve([["/", failing(where, how, seen)]], async ({ port }) => {
        const { matched } = await expectLog(
          appLog,
          /Uncaught exception GET \/(.|\n)*it broke/,
          async () => {
            using socket = await RawWebSocket.open(port, "/", {
              behind: masked(Opcode.TEXT, "go"),
            });
            assertEquals(await socket.closeFrame(), [1011, ""]);
            await socket.sendFrame(Opcode.CLOSE, encodeClose(1011));
            await socket.ended();
          },
        );
        assertEquals(matched.length, 1);
      });
      assertEquals(seen, ["closed"]);
    });
  }
}

// The connection was left open, and nobody read from it.
Deno.test("logException() that throws does not keep a WebSocket from closing", async () => {
  class Failing extends WebSocketHandler {
    override open(): void {
      throw new Error("it broke");
    }
    override logException(): void {
      throw new Error("so did this");
    }
  }
  await serve([["/", Failing]], async ({ port }) => {
    await expectLog(appLog, /logException: Error: so did this/, async () => {
      using socket = await RawWebSocket.open(port, "/");
      assertEquals(await socket.closeFrame(), [1011, ""]);
    });
  });
});

// The connection was left without anybody who read from it, and shutdown() failed.
Deno.test("logFunction() that throws does not disturb the handshake", async () => {
  class Quiet extends WebSocketHandler {}
  const logFunction = () => {
    throw new Error("no log");
  };
  await serve([["/", Quiet]], async ({ port }) => {
    await expectLog(appLog, /no log/, async () => {
      using socket = await RawWebSocket.open(port, "/");
      await socket.sendFrame(Opcode.CLOSE, encodeClose(1000));
      assertEquals(await socket.closeFrame(), [1000, ""]);
    });
  }, { logFunction });
});

Deno.test("onMessage() must be overridden", () =>
  serve([["/", WebSocketHandler]], async ({ port }) => {
    await expectLog(appLog, "onMessage is not overridden", async () => {
      using socket = await RawWebSocket.open(port, "/", { behind: masked(Opcode.TEXT, "go") });
      assertEquals(await socket.closeFrame(), [1011, ""]);
      await socket.sendFrame(Opcode.CLOSE, encodeClose(1011));
      await socket.ended();
    });
  }));

Deno.test("an error in onClose() is logged", async () => {
  class Failing extends Echo {
    override onClose(): void {
      throw new Error("too late");
    }
  }
  await serve([["/", Failing]], async ({ port }) => {
    await expectLog(appLog, "too late", async () => {
      using socket = await RawWebSocket.open(port, "/");
      await socket.shut();
    });
  });
});

Deno.test("close() sends code and reason, and the client's answer reaches onClose()", async () => {
  const seen: unknown[] = [];
  class Bye extends Noting {
    override open(): void {
      this.close(1001, "goodbye");
    }
  }
  await serve([["/", Bye, { seen }]], async ({ port }) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const { code, reason } = await closed(socket);
    assertEquals([code, reason], [1001, "goodbye"]);
    await until(() => seen.length > 0);
  });
  assertEquals((seen[0] as unknown[]).slice(0, 2), ["close", 1001]);
  assertEquals(seen.length, 1);
});

Deno.test("closeCode and closeReason are what the client closes with, and its code is echoed", async () => {
  for (
    const [code, reason] of [[1000, ""], [3002, "b\u00fcro"], [4999, "x".repeat(123)]] as const
  ) {
    const seen: unknown[] = [];
    await serve([["/", Noting, { seen }]], async ({ port }) => {
      using socket = await RawWebSocket.open(port, "/");
      await socket.sendFrame(Opcode.CLOSE, encodeClose(code, reason));
      assertEquals(await socket.closeFrame(), [code, ""]);
      await socket.ended();
      await until(() => seen.length > 1);
    });
    assertEquals(seen, ["open", ["close", code, reason]]);
  }
});

Deno.test("closeCode is null when the client's close frame has none", async () => {
  const seen: unknown[] = [];
  await serve([["/", Noting, { seen }]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.shut();
    await until(() => seen.length > 1);
  });
  assertEquals(seen[1], ["close", null, ""]);
});

Deno.test("onClose() is called once when the client vanishes", async () => {
  const seen: unknown[] = [];
  await serve([["/", Noting, { seen }]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    socket.vanish();
    await until(() => seen.length > 1);
    await sleep(10);
  });
  assertEquals(seen, ["open", ["close", null, null]]);
});

Deno.test("close() refuses codes that must not be sent and reasons over 123 bytes", async () => {
  const failures: unknown[] = [];
  class Wrong extends Echo {
    override open(): void {
      for (const code of [999, 1005, 1006, 1015, 1016, 2999, 5000]) {
        failures.push(assertThrows(() => this.close(code), RangeError));
      }
      failures.push(assertThrows(() => this.close(1000, "x".repeat(124)), RangeError));
      this.close(undefined, "only a reason");
      this.close(1001, "a second call does nothing");
    }
  }
  await serve([["/", Wrong]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals(await socket.closeFrame(), [1000, "only a reason"]);
    await socket.sendFrame(Opcode.CLOSE, encodeClose(1000));
    await socket.ended();
  });
  assertEquals(failures.length, 8);
});

Deno.test("close() without code and reason sends an empty close frame", async () => {
  class Bye extends Echo {
    override open(): void {
      this.close();
    }
  }
  await serve([["/", Bye]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals(await socket.closeFrame(), [null, ""]);
    await socket.sendFrame(Opcode.CLOSE);
    await socket.ended();
  });
});

Deno.test("close() drops messages that come behind it", async () => {
  const seen: unknown[] = [];
  class OneOnly extends Noting {
    override onMessage(message: string | Uint8Array): void {
      this.seen.push(message);
      this.close(1000, "one is enough");
    }
  }
  await serve([["/", OneOnly, { seen }]], async ({ port }) => {
    const behind = Uint8Array.of(...masked(Opcode.TEXT, "one"), ...masked(Opcode.TEXT, "two"));
    using socket = await RawWebSocket.open(port, "/", { behind });
    await socket.sendText("three");
    assertEquals(await socket.closeFrame(), [1000, "one is enough"]);
    await socket.sendText("four");
    await socket.sendFrame(Opcode.CLOSE, encodeClose(1000, "fine"));
    await socket.ended();
    await until(() => seen.length > 2);
  });
  assertEquals(seen, ["open", "one", ["close", 1000, "fine"]]);
});

Deno.test("writeMessage() and ping() throw once the connection is closing or closed", async () => {
  const seen: string[] = [];
  class Late extends Echo {
    override open(): void {
      this.close(1000);
      this.#tryAll("closing");
    }
    override onClose(): void {
      this.#tryAll("closed");
    }
    #tryAll(when: string): void {
      assert(this.closing);
      assertThrows(() => this.writeMessage("late"), WebSocketClosedError);
      assertThrows(() => this.ping(), WebSocketClosedError);
      seen.push(when);
    }
  }
  await serve([["/", Late]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals(await socket.closeFrame(), [1000, ""]);
    await socket.sendFrame(Opcode.CLOSE, encodeClose(1000));
    await socket.ended();
  });
  assertEquals(seen, ["closing", "closed"]);
});

Deno.test("writeMessage() throws before the handshake", async () => {
  class Early extends Echo {
    override prepare(): void {
      assertThrows(() => this.writeMessage("early"), WebSocketClosedError, "not open yet");
      assertThrows(() => this.ping(), WebSocketClosedError, "not open yet");
      assertEquals([this.closing, this.bufferedAmount], [false, 0]);
      this.close(); // there is nothing to close
    }
  }
  await serve([["/", Early]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.shut();
  });
});

Deno.test("writeMessage() sends a record as JSON, bytes as binary or, if told so, as text", async () => {
  class Kinds extends Echo {
    override open(): void {
      this.writeMessage({ a: [1, "\u00e9"] });
      this.writeMessage(Uint8Array.of(0xff));
      this.writeMessage(Uint8Array.of(0xc3, 0xa9), { binary: false });
      this.writeMessage("\u00e9", { binary: true });
      assertThrows(() => this.writeMessage(Uint8Array.of(0xff), { binary: false }), TypeError);
    }
  }
  await serve([["/", Kinds]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals(JSON.parse(await socket.text()), { a: [1, "\u00e9"] });
    const bytes = await socket.frame();
    assertEquals([bytes.opcode, [...bytes.data]], [Opcode.BINARY, [0xff]]);
    assertEquals(await socket.text(), "\u00e9");
    const binary = await socket.frame();
    assertEquals([binary.opcode, binary.text], [Opcode.BINARY, "\u00e9"]);
    await socket.shut();
  });
});

Deno.test("ping() sends text or bytes up to 125, and both ends see pings and pongs", async () => {
  const seen: unknown[] = [];
  class Pinging extends Noting {
    override open(): void {
      this.ping("text");
      this.ping(Uint8Array.of(1, 2));
      this.ping();
      this.ping(new Uint8Array(125));
      assertThrows(() => this.ping(new Uint8Array(126)), RangeError, "125");
    }
  }
  await serve([["/", Pinging, { seen }]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    const pings = [];
    for (let count = 0; count < 4; count++) pings.push(await socket.frame());
    assertEquals(pings.map(({ opcode }) => opcode), Array(4).fill(Opcode.PING));
    assertEquals(pings.map(({ data }) => data.length), [4, 2, 0, 125]);
    assertEquals(pings[0]!.text, "text");
    await socket.sendFrame(Opcode.PONG, Uint8Array.of(1, 2));
    await socket.sendFrame(Opcode.PING, "you too?");
    const pong = await socket.frame();
    assertEquals([pong.opcode, pong.text], [Opcode.PONG, "you too?"]);
    await socket.shut();
    await until(() => seen.length > 2);
  });
  assertEquals(seen.slice(0, 2), [
    ["pong", Uint8Array.of(1, 2)],
    ["ping", new TextEncoder().encode("you too?")],
  ]);
});

Deno.test("every method of HTTP output throws after the handshake, and 101 is logged once", async () => {
  const statuses: number[] = [];
  let finishes = 0;
  class Wrong extends Echo {
    override open(): void {
      assertThrows(() => this.write("x"), Error);
      assertThrows(() => this.redirect("/"), Error);
      assertThrows(() => this.flush(), Error);
      assertThrows(() => this.finish(), Error);
      assertThrows(() => this.detach(), Error);
      assertThrows(() => this.render("page.html"), Error);
      assertThrows(() => this.setCookie("a", "b"), Error);
      assertThrows(() => this.clearCookie("a"), Error);
      assertThrows(() => this.setStatus(200), Error);
      assertThrows(() => this.setHeader("A", "b"), Error);
      assertThrows(() => this.addHeader("A", "b"), Error);
      assertThrows(() => this.clearHeader("A"), Error);
      assertThrows(() => this.clear(), Error);
    }
    override onFinish(): void {
      finishes++;
    }
  }
  await serve([["/", Wrong]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.sendText("still fine");
    assertEquals(await socket.text(), "still fine");
    await socket.shut();
  }, { logFunction: (handler) => statuses.push(handler.getStatus()) });
  assertEquals([statuses, finishes], [[101], 0]);
});

Deno.test("renderString() works in open() and onMessage()", async () => {
  class Rendering extends WebSocketHandler {
    override open(): void {
      this.writeMessage(this.renderString("name.html", { name: "open" }));
    }
    override onMessage(message: string | Uint8Array): void {
      this.writeMessage(this.renderString("name.html", { name: message }));
    }
  }
  const templateLoader = new DictLoader({ "name.html": "<b>{{ name }}</b>" });
  await serve([["/", Rendering]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    assertEquals(await socket.text(), "<b>open</b>");
    await socket.sendText("<i>");
    assertEquals(await socket.text(), "<b>&lt;i&gt;</b>");
    await socket.shut();
  }, { templateLoader });
});

Deno.test("cookies and headers set in prepare() arrive with the 101", async () => {
  class Prepared extends Echo {
    override prepare(): void {
      this.setCookie("seen", "yes");
      this.setHeader("X-Prepared", 7);
    }
  }
  await serve([["/", Prepared]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    const { headers } = socket.answer;
    assertStringIncludes(headers.get("Set-Cookie")!, "seen=yes");
    assertEquals(headers.get("X-Prepared"), "7");
    await socket.shut();
  });
});

Deno.test("the end calls close listeners, onWsConnectionClose(), onConnectionClose(), onClose()", async () => {
  const seen: unknown[] = [];
  class Ending extends Echo {
    override open(): void {
      const taken = () => void seen.push("taken back");
      this.addCloseListener(() => void seen.push("listener"));
      this.addCloseListener(taken);
      this.removeCloseListener(taken);
    }
    override onWsConnectionClose(code: number | null, reason: string | null): void {
      seen.push(["ws", code, reason]);
    }
    override onConnectionClose(): void {
      seen.push("connection");
    }
    override onClose(): void {
      seen.push("close");
    }
  }
  const expected = (code: number | null, reason: string | null) => [
    "listener",
    ["ws", code, reason],
    "connection",
    "close",
  ];
  await serve([["/", Ending]], async ({ port }) => {
    using polite = await RawWebSocket.open(port, "/");
    await polite.shut(3000, "done");
    await until(() => seen.length === 4);
    assertEquals(seen, expected(3000, "done"));
    using rude = await RawWebSocket.open(port, "/");
    rude.vanish();
    await until(() => seen.length === 8);
    assertEquals(seen.slice(4), expected(null, null));
  });
});

Deno.test("an error in a close listener is logged, and the others are called", async () => {
  const seen: string[] = [];
  class Failing extends Echo {
    override open(): void {
      this.addCloseListener(() => {
        throw new Error("the listener broke");
      });
      this.addCloseListener(() => void seen.push("second"));
    }
    override onClose(): void {
      seen.push("close");
    }
  }
  await serve([["/", Failing]], async ({ port }) => {
    await expectLog(appLog, "the listener broke", async () => {
      using socket = await RawWebSocket.open(port, "/");
      await socket.shut();
      await until(() => seen.length === 2);
    });
  });
  assertEquals(seen, ["second", "close"]);
});

Deno.test("headers set in a prepare() that waits arrive with the 101", async () => {
  class Prepared extends Echo {
    override *prepare(): CoroutineGenerator {
      yield* sleep(5);
      this.setHeader("X-Prepared", "yes");
      this.addHeader("Set-Cookie", "a=b; Path=/");
    }
  }
  await serve([["/", Prepared]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/", { behind: masked(Opcode.TEXT, "early") });
    assertEquals(socket.answer.headers.get("X-Prepared"), "yes");
    assertEquals(socket.answer.headers.get("Set-Cookie"), "a=b; Path=/");
    assertEquals(await socket.text(), "early");
    await socket.shut();
  });
});

Deno.test("an error in prepare() is an ordinary answer", async () => {
  class Refusing extends Echo {
    override prepare(): void {
      throw new HTTPError(403);
    }
  }
  class Finishing extends Echo {
    override prepare(): void {
      this.setStatus(401);
      this.finish("who are you?");
    }
  }
  await serve([["/refused", Refusing], ["/finished", Finishing]], async ({ get }) => {
    assertEquals((await get("/refused", HANDSHAKE_HEADERS)).status, 403);
    const { status, text } = await get("/finished", HANDSHAKE_HEADERS);
    assertEquals([status, text], [401, "who are you?"]);
  });
});

Deno.test("neither open() nor onClose() is called when the client leaves during prepare()", async () => {
  const seen: unknown[] = [];
  const ready = new Future<void>();
  let resumed = false;
  class Slow extends Noting {
    override async prepare(): Promise<void> {
      await ready; // a promise: it cannot be cancelled
      resumed = true;
    }
  }
  await serve([["/", Slow, { seen }]], async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send(handshake("/"));
    await client.closeWrite();
    assertEquals((await client.answer()).status, 100); // the server has seen the end, and probes
    ready.setResult();
    await client.rest();
    await until(() => resumed);
  });
  assertEquals(seen, []);
});

Deno.test("coroutines of the handler are cancelled when the client vanishes, and their finally runs", async () => {
  const seen: string[] = [];
  const tick = coroutine(function* () {
    try {
      yield* sleep(60_000);
    } finally {
      yield* sleep(1);
      seen.push("child over");
    }
  });
  class Ticking extends WebSocketHandler {
    override open(): void {
      tick();
      seen.push("open");
    }
    override *onMessage(): CoroutineGenerator {
      try {
        yield* sleep(60_000);
      } finally {
        seen.push("message over");
      }
    }
    override onClose(): void {
      seen.push("closed");
    }
  }
  await serve([["/", Ticking]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/", { behind: masked(Opcode.TEXT, "go") });
    await until(() => seen.length === 1);
    await sleep(5);
    socket.vanish();
    await until(() => seen.length === 4);
  });
  assertEquals(seen, ["open", "closed", "message over", "child over"]);
});

Deno.test("open() that waits is cancelled when the client vanishes, and onClose() is called", async () => {
  const seen: string[] = [];
  class Waiting extends Echo {
    override *open(): CoroutineGenerator {
      try {
        yield* sleep(60_000);
      } finally {
        seen.push("open over");
      }
    }
    override onClose(): void {
      seen.push("closed");
    }
  }
  await serve([["/", Waiting]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/", { behind: masked(Opcode.TEXT, "early") });
    await sleep(5);
    socket.vanish();
    await until(() => seen.length > 1);
    await sleep(5);
  });
  assertEquals(seen, ["closed", "open over"]);
});

Deno.test("the client's close frame that waits behind a slow message is found when it leaves", async () => {
  const seen: unknown[] = [];
  class Slow extends Noting {
    override *onMessage(message: string | Uint8Array): CoroutineGenerator {
      yield* sleep(5);
      this.seen.push(message);
    }
  }
  await serve([["/", Slow, { seen }]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    await socket.send(Uint8Array.of(
      ...masked(Opcode.TEXT, "one"),
      ...masked(Opcode.TEXT, "two"),
      ...masked(Opcode.CLOSE, encodeClose(1000, "done")),
    ));
    assertEquals(await socket.closeFrame(), [1000, ""]);
    await socket.ended();
    await until(() => seen.length > 3);
  });
  assertEquals(seen, ["open", "one", "two", ["close", 1000, "done"]]);
});

Deno.test("a write that the client does not take fails with WebSocketClosedError when it vanishes", async () => {
  const failures: unknown[] = [];
  class Flood extends WebSocketHandler {
    override async open(): Promise<void> {
      await this.writeMessage(new Uint8Array(32 * MIB)).catch((error) => failures.push(error));
    }
  }
  await serve([["/", Flood]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    socket.vanish();
    await until(() => failures.length > 0);
  });
  assertInstanceOf(failures[0], WebSocketClosedError);
});

Deno.test("an async handler whose client vanishes while it writes logs nothing", async () => {
  let over = false;
  class Flood extends WebSocketHandler {
    override async open(): Promise<void> {
      try {
        await this.writeMessage(new Uint8Array(32 * MIB));
      } finally {
        over = true;
      }
    }
  }
  await serve([["/", Flood]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    socket.vanish();
    await until(() => over);
  });
});

// What others said piled up for it without end.
Deno.test("a client that takes nothing for writeTimeout is closed, whatever is written on", async () => {
  let closes = 0;
  class Broadcast extends WebSocketHandler {
    override *open(): CoroutineGenerator {
      for (;;) {
        this.writeMessage(new Uint8Array(MIB));
        yield* sleep(5);
      }
    }
    override onClose(): void {
      closes++;
    }
  }
  await expectLog(genLog, "does not take", () =>
    serve(
      [["/", Broadcast]],
      async ({ port }) => {
        using _socket = await RawWebSocket.open(port, "/");
        await until(() => closes > 0);
      },
      {},
      { writeTimeout: 80 },
    ));
});

Deno.test("a client that stops reading stops the handler that waits for its writes", async () => {
  let written = 0;
  let most = 0;
  let closes = 0;
  class Flood extends WebSocketHandler {
    override *open(): CoroutineGenerator {
      for (;;) {
        const sent = this.writeMessage(new Uint8Array(256 * 1024));
        most = Math.max(most, this.bufferedAmount);
        yield* sent;
        written++;
      }
    }
    override onClose(): void {
      closes++;
    }
  }
  await serve([["/", Flood]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    let before = -1;
    while (before !== written) {
      before = written;
      await sleep(50);
    }
    assert(most < 300 * 1024, `${most} bytes were queued`);
    for (let count = 0; count < before; count++) await socket.frame();
    await until(() => written > before);
    socket.vanish();
    await until(() => closes > 0);
  });
  assertEquals(closes, 1);
});

Deno.test("a client that pings and does not read is not read either", async () => {
  let most = 0;
  let pings = 0;
  class Pinged extends Echo {
    override onPing(): void {
      pings++;
      most = Math.max(most, this.bufferedAmount);
    }
  }
  await serve([["/", Pinged]], async ({ port }) => {
    using socket = await RawWebSocket.open(port, "/");
    const ping = masked(Opcode.PING, "x".repeat(125));
    const many = new Uint8Array(500 * ping.length);
    for (let at = 0; at < many.length; at += ping.length) many.set(ping, at);
    let sent = 0;
    const flood = (async () => {
      for (;;) sent += await socket.send(many).then(() => 500);
    })();
    const over = assertRejects(() => flood);
    let before = -1;
    while (before !== pings) {
      before = pings;
      await sleep(100);
    }
    assert(sent > pings, "the client sent more than was read");
    assert(most < 256 * 1024, `${most} bytes were queued`);
    socket.vanish();
    await over;
  });
});

Deno.test("server.shutdown() closes with 1001", async () => {
  const seen: unknown[] = [];
  await serve([["/", Noting, { seen }]], async ({ port, server }) => {
    const socket = await open(`ws://127.0.0.1:${port}/`);
    const end = closed(socket);
    const { cut } = await server.shutdown();
    assertEquals([(await end).code, cut], [1001, 0]);
  });
  assertEquals(seen.length, 2);
  assertEquals((seen[1] as unknown[])[1], 1001);
});

Deno.test("server.shutdown() does not wait for a handler that is at work", async () => {
  let cancelled = false;
  class Busy extends WebSocketHandler {
    override *onMessage(): CoroutineGenerator {
      this.writeMessage("begun");
      try {
        yield* sleep(60_000);
      } finally {
        cancelled = true;
      }
    }
  }
  await serve([["/", Busy]], async ({ port, server }) => {
    const socket = await open(`ws://127.0.0.1:${port}/`);
    const begun = nextMessage(socket);
    socket.send("go");
    assertEquals(await begun, "begun");
    const end = closed(socket);
    assertEquals((await server.shutdown()).cut, 0);
    assertEquals((await end).code, 1001);
  });
  assert(cancelled);
});

/** Serves `handler` on a connection in memory, by a clock that the test moves. */
async function served(
  handler: typeof WebSocketHandler,
  body: (
    client: ReturnType<typeof memoryPair>[0],
    tick: (ms: number) => Promise<void>,
    server: HTTPServer,
  ) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const [client, end] = memoryPair();
  const running = loop.start();
  const server = new HTTPServer(new Application([["/", handler]]), { ioLoop: loop });
  server.handleStream(new IOStream(end, { ioLoop: loop }), {
    transport: "tcp",
    hostname: "127.0.0.1",
    port: 1,
  });
  await client.write(new TextEncoder().encode(handshake("/")));
  await tick(0);
  try {
    await body(client, tick, server);
  } finally {
    if (!client.closed()) client.close();
    loop.stop();
    await running;
  }
}

Deno.test("close() drops a client that does not answer after 5 s", async () => {
  let closes = 0;
  class Bye extends WebSocketHandler {
    override open(): void {
      this.close(1000);
    }
    override onClose(): void {
      closes++;
    }
  }
  await served(Bye, async (client, tick) => {
    await client.write(masked(Opcode.TEXT, "ignored"));
    await tick(4999);
    assertEquals(closes, 0);
    await tick(1);
    assertEquals(closes, 1);
    const buffer = new Uint8Array(65536);
    const count = await client.read(buffer);
    assertEquals(buffer.slice(count! - 4, count!), encodeFrame(Opcode.CLOSE, encodeClose(1000)));
    assertEquals(await client.read(buffer), null);
  });
});

Deno.test("close() drops a client that neither answers nor reads after 5 s, with what was queued", async () => {
  let handler!: WebSocketHandler;
  class Bye extends WebSocketHandler {
    override open(): void {
      handler = this;
      this.writeMessage(new Uint8Array(MIB));
      this.close(CloseCode.GOING_AWAY);
    }
  }
  await served(Bye, async (client, tick, server) => {
    const gone = server.closeAllConnections.bind(server);
    await tick(5000);
    assert(handler.closing);
    await assertRejects(() => client.write(masked(Opcode.PING)), Deno.errors.BrokenPipe);
    await gone();
  });
});

Deno.test("a refused handshake leaves no trace of a WebSocket", async () => {
  const seen: unknown[] = [];
  await serve([["/", Noting, { seen }]], async ({ port }) => {
    assertEquals((await ask(port, "GET", "/")).status, 400);
  });
  assertEquals(seen, []);
});
