// Requests that are given to a delegate as they arrive.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { coroutine, type CoroutineGenerator, moment } from "../../gen/mod.ts";
import {
  HTTP1ServerConnection,
  type HTTPConnection,
  HTTPHeaders,
  type HTTPMessageDelegate,
  HTTPServer,
  type HTTPServerConnectionDelegate,
  type HTTPServerOptions,
  type RequestStartLine,
} from "../../http/mod.ts";
import { appLog, Future, IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { expectLog, memoryPair } from "../../testing/mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Notes what it is told, and answers with the length of the body. */
class Noting implements HTTPMessageDelegate {
  readonly log: string[] = [];
  readonly pieces: Uint8Array[] = [];
  constructor(readonly connection: HTTPConnection) {}

  headersReceived(startLine: RequestStartLine, _headers: HTTPHeaders): unknown {
    this.log.push(`head ${startLine.method} ${startLine.path} ${startLine.version}`);
    return undefined;
  }
  dataReceived(chunk: Uint8Array): unknown {
    this.log.push(`data ${chunk.length}`);
    this.pieces.push(chunk);
    return undefined;
  }
  finish(): unknown {
    this.log.push("finish");
    const length = this.pieces.reduce((sum, piece) => sum + piece.length, 0);
    const headers = new HTTPHeaders({ "Content-Length": `${length}`.length.toString() });
    this.connection.writeHeaders({ code: 200 }, headers, `${length}`);
    this.connection.finish();
    return undefined;
  }
  onConnectionClose(): void {
    this.log.push("close");
  }
  get text(): string {
    return this.pieces.map((piece) => decoder.decode(piece)).join("");
  }
}

interface Talk {
  readonly client: IOStream;
  readonly delegates: Noting[];
  readonly ended: number;
  send(text: string | Uint8Array): void;
}

/** Serves one end of a pair with delegates of `Kind` while `body` runs at the other. */
async function talk(
  body: (talk: Talk) => Generator<unknown, void, unknown>,
  Kind: new (connection: HTTPConnection) => Noting = Noting,
  options: HTTPServerOptions = {},
): Promise<void> {
  const delegates: Noting[] = [];
  let ended = 0;
  const app: HTTPServerConnectionDelegate = {
    startRequest(_server, connection) {
      const delegate = new Kind(connection);
      delegates.push(delegate);
      return delegate;
    },
    onClose: () => void ended++,
  };
  await new IOLoop().run(function* () {
    const server = new HTTPServer(app, options);
    const [near, far] = memoryPair();
    server.handleStream(new IOStream(far), { transport: "tcp", hostname: "192.0.2.1", port: 1 });
    const client = new IOStream(near);
    yield* body({
      client,
      delegates,
      get ended() {
        return ended;
      },
      send: (text) => void client.write(text),
    });
    client.close();
    yield* server.closeAllConnections();
  }, { timeout: 20_000 });
}

function* answer(client: IOStream): Generator<unknown, string, unknown> {
  const head = decoder.decode(yield* client.readUntil("\r\n\r\n"));
  const [, length = "0"] = /Content-Length: (\d+)/.exec(head) ?? [];
  const body = decoder.decode(yield* client.readBytes(Number(length)));
  return `${head.split("\r\n")[0]!.slice(9)}|${body}`;
}

function post(body: string | Uint8Array, fields = ""): Uint8Array {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const head = encoder.encode(
    `POST /up HTTP/1.1\r\nHost: x\r\n${fields}Content-Length: ${bytes.length}\r\n\r\n`,
  );
  return new Uint8Array([...head, ...bytes]);
}

Deno.test("HTTPMessageDelegate gets the head, then the body, then the end, also pipelined", async () => {
  await talk(function* ({ client, delegates, send }) {
    send(
      new Uint8Array([...post("hello"), ...encoder.encode("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")]),
    );
    assertEquals(yield* answer(client), "200 OK|5");
    assertEquals(yield* answer(client), "200 OK|0");
    assertEquals(delegates.map(({ log }) => log), [
      ["head POST /up HTTP/1.1", "data 5", "finish"],
      ["head GET /x HTTP/1.1", "finish"],
    ]);
  });
});

Deno.test("HTTPMessageDelegate gets a body cut anywhere, by length and chunked", async () => {
  const chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n";
  await talk(function* ({ client, delegates, send }) {
    for (const input of [post("abcdefg"), encoder.encode(chunked)]) {
      for (const byte of input) {
        send(Uint8Array.of(byte));
        yield moment;
      }
      assertEquals(yield* answer(client), "200 OK|7");
      const { log, text } = delegates.at(-1)!;
      assertEquals(text, "abcdefg");
      assertEquals([log.at(0)!.slice(0, 4), log.at(-1)], ["head", "finish"]);
    }
  });
});

Deno.test("chunkSize is the length of the largest piece, and no piece is empty", async () => {
  const lengths = (delegate: Noting) => delegate.pieces.map(({ length }) => length);
  await talk(
    function* ({ client, delegates, send }) {
      send(post("x".repeat(50)));
      assertEquals(yield* answer(client), "200 OK|50");
      assertEquals(lengths(delegates[0]!), [16, 16, 16, 2]);
      send(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
          `14\r\n${"a".repeat(20)}\r\n1e\r\n${"b".repeat(30)}\r\n0\r\n\r\n`,
      );
      assertEquals(yield* answer(client), "200 OK|50");
      assertEquals(lengths(delegates[1]!), [16, 4, 16, 14]);
      send(post(gzipSync("z".repeat(50)), "Content-Encoding: gzip\r\n"));
      assertEquals(yield* answer(client), "200 OK|50");
      assertEquals(lengths(delegates[2]!), [16, 16, 16, 2]);
    },
    Noting,
    { chunkSize: 16, decompressRequest: true },
  );
});

Deno.test("a delegate at work holds the next piece back, for fixed, chunked and gzip bodies", async () => {
  let atWork = 0;
  class Slow extends Noting {
    override headersReceived(startLine: RequestStartLine, headers: HTTPHeaders): unknown {
      super.headersReceived(startLine, headers);
      return this.#work();
    }
    override dataReceived(chunk: Uint8Array): unknown {
      super.dataReceived(chunk);
      return this.#work();
    }
    *#work(): CoroutineGenerator {
      assertEquals(++atWork, 1);
      yield moment;
      yield moment;
      atWork--;
    }
  }
  await talk(
    function* ({ client, delegates, send }) {
      const text = "0123456789".repeat(5);
      send(post(text));
      assertEquals(yield* answer(client), "200 OK|50");
      send(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
          `32\r\n${text}\r\n0\r\n\r\n`,
      );
      assertEquals(yield* answer(client), "200 OK|50");
      send(post(gzipSync(text), "Content-Encoding: GZIP\r\n"));
      assertEquals(yield* answer(client), "200 OK|50");
      assertEquals(delegates.map((delegate) => delegate.text), [text, text, text]);
    },
    Slow,
    { chunkSize: 16, decompressRequest: true },
  );
});

Deno.test("a delegate that is at work for long does not make the server hold the upload", async () => {
  const gate = new Future<void>();
  class Stuck extends Noting {
    override dataReceived(chunk: Uint8Array): unknown {
      super.dataReceived(chunk);
      return gate;
    }
  }
  await talk(function* ({ client, delegates, send }) {
    send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
    const written = client.write(new Uint8Array(10_000_000));
    for (let i = 0; i < 100; i++) yield moment;
    assert(!written.done(), "the client has to wait");
    assertEquals(delegates[0]!.pieces.length, 1);
    gate.setResult();
    yield* written;
    assertEquals(yield* answer(client), "200 OK|10000000");
  }, Stuck);
});

Deno.test("setMaxBodySize() in headersReceived changes the limit for that request only", async () => {
  class Lifted extends Noting {
    override headersReceived(startLine: RequestStartLine, headers: HTTPHeaders): unknown {
      if (headers.has("X-Lift")) this.connection.setMaxBodySize(100);
      return super.headersReceived(startLine, headers);
    }
  }
  for (
    const [body, fields, status] of [
      ["x".repeat(10), "", "200 OK|10"],
      ["x".repeat(11), "", "413 Content Too Large|"],
      ["x".repeat(100), "X-Lift: yes\r\n", "200 OK|100"],
      ["x".repeat(101), "X-Lift: yes\r\n", "413 Content Too Large|"],
    ] as const
  ) {
    for (const chunked of [false, true]) {
      await talk(
        function* ({ client, delegates, send }) {
          send(
            chunked
              ? `POST / HTTP/1.1\r\nHost: x\r\n${fields}Transfer-Encoding: chunked\r\n\r\n` +
                `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
              : post(body, fields),
          );
          assertEquals(yield* answer(client), status);
          assertEquals(delegates[0]!.log.at(-1), status.startsWith("200") ? "finish" : "close");
        },
        Lifted,
        { maxBodySize: 10 },
      );
    }
  }
});

Deno.test("a gzip body is refused over the limit after it is decompressed, or when it is damaged", async () => {
  const zipped = new Uint8Array(gzipSync("x".repeat(1_000_000)));
  for (
    const [body, status] of [
      [zipped, "413 Content Too Large|"],
      [zipped.subarray(0, 10), "400 Bad Request|"],
      [new Uint8Array(gzipSync("x")).subarray(0, -1), "400 Bad Request|"],
      [encoder.encode("no gzip"), "400 Bad Request|"],
      [new Uint8Array([...gzipSync("good"), 1, 2, 3]), "200 OK|4"],
    ] as const
  ) {
    await talk(
      function* ({ client, delegates, send }) {
        send(post(body, "Content-Encoding: gzip\r\n"));
        assertEquals(yield* answer(client), status);
        const { log } = delegates[0]!;
        assertEquals(log.filter((line) => line === "finish" || line === "close").length, 1);
      },
      Noting,
      { maxBodySize: 65_536, decompressRequest: true },
    );
  }
});

Deno.test("a request that is answered before its body is there ends the connection", async () => {
  class Early extends Noting {
    override headersReceived(startLine: RequestStartLine, headers: HTTPHeaders): unknown {
      super.headersReceived(startLine, headers);
      this.connection.writeHeaders({ code: 403 }, new HTTPHeaders({ "Content-Length": "0" }));
      this.connection.finish();
      return undefined;
    }
  }
  await talk(function* ({ client, delegates, send }) {
    send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    assertEquals(yield* answer(client), "403 Forbidden|");
    assertEquals((yield* client.readUntilClose()).length, 0);
    assertEquals(delegates[0]!.log, ["head POST / HTTP/1.1", "close"]);
  }, Early);
});

Deno.test("Expect: 100-continue is answered once the delegate took the head, unless it refused", async () => {
  class Choosy extends Noting {
    override *headersReceived(startLine: RequestStartLine): CoroutineGenerator {
      yield moment;
      if (startLine.path === "/no") {
        this.connection.writeHeaders({ code: 417 }, new HTTPHeaders({ "Content-Length": "0" }));
        this.connection.finish();
      }
    }
  }
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`;
  await talk(function* ({ client, send }) {
    send(head("/yes"));
    assertEquals(yield* answer(client), "100 Continue|");
    send("ok");
    assertEquals(yield* answer(client), "200 OK|2");
    send(head("/no"));
    assertEquals(yield* answer(client), "417 Expectation Failed|");
    assertEquals((yield* client.readUntilClose()).length, 0);
  }, Choosy);
});

Deno.test("a client that leaves in the body ends the delegate with onConnectionClose()", async () => {
  for (const ends of ["close", "closeWrite"] as const) {
    await talk(function* (its) {
      const { client, delegates, send } = its;
      send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
      while ((delegates[0]?.pieces.length ?? 0) === 0) yield moment;
      if (ends === "close") client.close();
      else yield client.closeWrite();
      while (its.ended === 0) yield moment;
      assertEquals(delegates[0]!.log, ["head POST / HTTP/1.1", "data 5", "close"]);
      assertEquals(its.ended, 1);
    });
  }
});

Deno.test("a delegate that fails is logged once, answered with 500, and told nothing more", async () => {
  for (const where of ["headersReceived", "dataReceived", "finish"] as const) {
    for (const late of [false, true]) {
      class Failing extends Noting {
        override headersReceived(startLine: RequestStartLine, headers: HTTPHeaders): unknown {
          super.headersReceived(startLine, headers);
          return this.#fail("headersReceived");
        }
        override dataReceived(chunk: Uint8Array): unknown {
          super.dataReceived(chunk);
          return this.#fail("dataReceived");
        }
        override finish(): unknown {
          return where === "finish" ? this.#fail("finish") : super.finish();
        }
        #fail(name: string): unknown {
          if (name !== where) return undefined;
          if (!late) throw new RangeError(where);
          return coroutine(function* () {
            yield moment;
            throw new RangeError(where);
          })();
        }
      }
      const { matched } = await expectLog(appLog, /Uncaught exception/, async () => {
        await talk(function* ({ client, send }) {
          send(post("hello"));
          assertEquals(yield* answer(client), "500 Internal Server Error|");
        }, Failing);
      });
      assertEquals(matched.length, 1, `${where} ${late}`);
    }
  }
});

Deno.test("a request that nobody takes because startRequest() throws is answered with 500", async () => {
  class Refusing extends Noting {
    constructor(connection: HTTPConnection) {
      super(connection);
      throw new RangeError("in startRequest");
    }
  }
  const { matched } = await expectLog(appLog, /in startRequest/, async () => {
    await talk(function* ({ client, send }) {
      send(post("hello"));
      assertEquals(yield* answer(client), "500 Internal Server Error|");
      assertEquals((yield* client.readUntilClose()).length, 0);
    }, Refusing);
  });
  assertEquals(matched.length, 1);
});

Deno.test("HTTP1ServerConnection.startServing() serves one stream, and close() ends it", async () => {
  const delegates: Noting[] = [];
  const ended: string[] = [];
  await new IOLoop().run(function* () {
    const [near, far] = yield* IOStream.pair();
    const connection = new HTTP1ServerConnection(far, { maxBodySize: 3 }, { protocol: "https" });
    const delegate: HTTPServerConnectionDelegate = {
      startRequest(peer, answer) {
        assertEquals(peer.remoteIp, "127.0.0.1");
        assertEquals(answer.protocol, "https");
        delegates.push(new Noting(answer));
        return delegates.at(-1)!;
      },
      onClose: ({ protocol }) => ended.push(protocol),
    };
    connection.startServing(delegate);
    assertThrows(() => connection.startServing(delegate), Error, "started already");
    near.write(post("abc"));
    assertEquals(yield* answer(near), "200 OK|3");
    near.write(post("abcd"));
    assertEquals(yield* answer(near), "413 Content Too Large|");
    yield* connection.close();
    assertEquals(ended, ["https"]);
    near.close();
  });
  assertEquals(delegates.length, 2);
});

Deno.test("HTTPServer.startRequest() of a server with a plain application collects the body", async () => {
  class Watching extends HTTPServer {
    readonly seen: string[] = [];
    override startRequest(
      ...args: Parameters<HTTPServer["startRequest"]>
    ): ReturnType<HTTPServer["startRequest"]> {
      this.seen.push(args[0].remoteIp);
      return super.startRequest(...args);
    }
  }
  await new IOLoop().run(function* () {
    const server = new Watching(({ body, connection }) => {
      connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "5" }), body);
      connection.finish();
    });
    const [near, far] = memoryPair();
    server.handleStream(new IOStream(far), { transport: "tcp", hostname: "192.0.2.1", port: 1 });
    const client = new IOStream(near);
    client.write(post("hello"));
    assertEquals(yield* answer(client), "200 OK|hello");
    assertEquals(server.seen, ["192.0.2.1"]);
    client.close();
    yield* server.closeAllConnections();
  });
});

Deno.test("writeHeaders() and write() call back when the bytes are in the kernel", async () => {
  const log: string[] = [];
  class Calling extends Noting {
    override finish(): unknown {
      const { connection } = this;
      const headers = new HTTPHeaders({ "Content-Length": "4" });
      connection.writeHeaders({ code: 200, reason: "Fine" }, headers, "ab", () => {
        log.push("head");
        connection.write("cd", () => {
          log.push("body");
          connection.finish();
        });
      });
      return undefined;
    }
  }
  await talk(function* ({ client, send }) {
    send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assertEquals(yield* answer(client), "200 Fine|abcd");
    while (log.length < 2) yield moment;
  }, Calling);
  assertEquals(log, ["head", "body"]);
});

Deno.test("decompressRequest gives whole requests their plain body, within maxBodySize", async () => {
  const seen: unknown[] = [];
  const form = "Content-Type: application/x-www-form-urlencoded\r\n";
  const zip = (text: string) => new Uint8Array(gzipSync(text));
  const ask = async (body: Uint8Array, fields: string, decompressRequest: boolean) => {
    let status = "";
    await new IOLoop().run(function* () {
      const server = new HTTPServer((request) => {
        seen.push([
          Object.keys(request.bodyArguments),
          request.headers.get("Content-Encoding"),
          request.headers.get("X-Consumed-Content-Encoding"),
        ]);
        request.connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "0" }));
        request.finish();
      }, { maxBodySize: 1000, decompressRequest });
      const [near, far] = memoryPair();
      server.handleStream(new IOStream(far), { transport: "tcp", hostname: "192.0.2.1", port: 1 });
      const client = new IOStream(near);
      client.write(post(body, fields + form));
      status = yield* answer(client);
      client.close();
      yield* server.closeAllConnections();
    }, { timeout: 20_000 });
    return status;
  };
  for (const name of ["gzip", "GZIP"]) {
    assertEquals(await ask(zip("a=1&b=2"), `Content-Encoding: ${name}\r\n`, true), "200 OK|");
  }
  assertEquals(seen, [[["a", "b"], null, "gzip"], [["a", "b"], null, "GZIP"]]);
  for (
    const [body, status] of [
      [zip("x".repeat(1001)), "413 Content Too Large|"],
      [zip("x".repeat(1000)), "200 OK|"],
      [zip("a=1").subarray(0, -3), "400 Bad Request|"],
      [new Uint8Array([...zip("a=1"), 0, 0]), "200 OK|"],
    ] as const
  ) {
    assertEquals(await ask(body, "Content-Encoding: gzip\r\n", true), status);
  }
  assertEquals(
    await ask(zip("a=1"), "Content-Encoding: gzip\r\n", false),
    "400 Bad Request|",
    "a form that is in gzip still",
  );
});
