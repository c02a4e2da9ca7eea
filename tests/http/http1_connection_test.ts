import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { appLog, Future, genLog, IOLoop } from "../../ioloop/mod.ts";
import { IOStream, StreamClosedError } from "../../iostream/mod.ts";
import {
  HTTP1Connection,
  type HTTP1ConnectionParameters,
  HTTPHeaders,
  type HTTPMessageDelegate,
  HTTPOutputError,
  type RequestStartLine,
  type ResponseStartLine,
} from "../../http/mod.ts";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { bytes, text } from "./_answering.ts";
import { RawClient } from "./_raw_client.ts";

/** Notes what it is told. */
class Notes implements HTTPMessageDelegate {
  readonly log: string[] = [];
  body = "";
  headers: HTTPHeaders | null = null;
  /** Is called with what came first. */
  onHead: (() => unknown) | null = null;
  onPiece: (() => unknown) | null = null;
  onFinish: (() => unknown) | null = null;

  headersReceived(line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders): unknown {
    this.log.push("method" in line ? `${line.method} ${line.path}` : `${line.code} ${line.reason}`);
    this.headers = headers;
    return this.onHead?.();
  }

  dataReceived(chunk: Uint8Array): unknown {
    this.body += text(chunk);
    return this.onPiece?.();
  }

  finish(): unknown {
    this.log.push("finish");
    return this.onFinish?.();
  }

  onConnectionClose(): void {
    this.log.push("close");
  }
}

interface Made {
  readonly connection: HTTP1Connection;
  /** The other side. */
  readonly peer: RawClient;
  readonly far: MemoryConn;
  readonly tick: (ms: number) => Promise<void>;
}

/** Makes a connection over memory. */
async function made(
  isClient: boolean,
  body: (made: Made) => Promise<void>,
  parameters: HTTP1ConnectionParameters = {},
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, far] = memoryPair();
  const connection = new HTTP1Connection(
    new IOStream(near, { ioLoop: loop }),
    isClient,
    parameters,
  );
  try {
    await body({ connection, peer: new RawClient(far), far, tick });
  } finally {
    connection.close();
    if (!far.closed()) far.close();
    await tick(10_000);
    loop.stop();
    await running;
  }
}

const GET = { method: "GET", path: "/path" };
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Deno.test("readResponse() of a client reads answers, one for each request", () =>
  made(true, async ({ connection, peer, tick }) => {
    for (const path of ["/a", "/b"]) {
      const head = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
      connection.writeHeaders({ method: "GET", path }, new HTTPHeaders({ Host: "x" }));
      connection.finish();
      assertEquals(await peer.bytes(head.length), head);
      const notes = new Notes();
      const reading = connection.readResponse(notes);
      await peer.send(`HTTP/1.1 103 Early\r\n\r\n${OK}`);
      await tick(0);
      assertEquals([reading.result(), notes.log, notes.body], [true, ["200 OK", "finish"], "ok"]);
    }
  }));

Deno.test("readResponse() of a client may come after the answer, or before the request", () =>
  made(true, async ({ connection, peer, tick }) => {
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    await peer.send(OK);
    await tick(0);
    const late = new Notes();
    const reading = connection.readResponse(late);
    await tick(0);
    assertEquals([reading.result(), late.body], [true, "ok"]);

    const early = new Notes();
    const next = connection.readResponse(early);
    connection.writeHeaders({ method: "HEAD", path: "/" }, new HTTPHeaders());
    connection.finish();
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    await tick(0);
    assertEquals([next.result(), early.log], [true, ["200 OK", "finish"]]);
  }));

Deno.test("readResponse() of a client is false behind the last answer", async () => {
  for (
    const [reply, ends] of [
      ["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false],
      ["HTTP/1.0 200 OK\r\n\r\nok", true],
    ] as const
  ) {
    await made(true, async ({ connection, peer, far, tick }) => {
      connection.writeHeaders(GET, new HTTPHeaders());
      connection.finish();
      const notes = new Notes();
      const reading = connection.readResponse(notes);
      await peer.send(reply);
      if (ends) far.close();
      await tick(0);
      assertEquals([reading.result(), notes.body, notes.log], [false, "ok", ["200 OK", "finish"]]);
    });
  }
  await made(true, async ({ connection, peer, tick }) => {
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const notes = new Notes();
    const reading = connection.readResponse(notes);
    await peer.send(OK);
    await tick(0);
    assertEquals(reading.result(), false);
    assert((await peer.bytes(41)).includes("Connection: close"));
  }, { noKeepAlive: true });
});

Deno.test("readResponse() logs what is malformed, and is false", async () => {
  for (const reply of ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]) {
    await made(true, async ({ connection, peer, tick }) => {
      const notes = new Notes();
      let left = 0;
      connection.setCloseCallback(() => left++);
      connection.writeHeaders(GET, new HTTPHeaders());
      connection.finish();
      const reading = connection.readResponse(notes);
      await expectLog(genLog, /^Malformed HTTP message from 0\.0\.0\.0: /, async () => {
        await peer.send(reply);
        await tick(0);
      });
      assertEquals([reading.result(), notes.log, left], [false, ["close"], 1]);
    });
  }
});

Deno.test("readResponse() logs what a delegate throws, and is false", async () => {
  const fail = () => {
    throw new Error("mine");
  };
  for (const prepare of ["onHead", "onPiece", "onFinish"] as const) {
    for (const how of [fail, () => Promise.reject(new Error("mine"))]) {
      await made(true, async ({ connection, peer, tick }) => {
        const notes = new Notes();
        notes[prepare] = how;
        connection.writeHeaders(GET, new HTTPHeaders());
        connection.finish();
        const reading = connection.readResponse(notes);
        const { matched } = await expectLog(appLog, /mine/, async () => {
          await peer.send(OK);
          await tick(0);
        });
        assertEquals([matched.length, reading.done()], [1, true]);
      });
    }
  }
});

Deno.test("readResponse() gives the next piece when the delegate is ready", () =>
  made(true, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    const gates = [new Future<void>(), new Future<void>(), new Future<void>()];
    let waiting = 0;
    notes.onHead = notes.onPiece = () => gates[waiting++];
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const reading = connection.readResponse(notes);
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
    await tick(0);
    for (const [i, body] of ["", "ab", "abcd"].entries()) {
      assertEquals([notes.body, waiting, reading.done()], [body, i + 1, false]);
      gates[i]!.setResult(undefined);
      await tick(0);
    }
    assertEquals(reading.result(), true);
  }, { chunkSize: 2 }));

Deno.test("setMaxBodySize() and setBodyTimeout() are for the message in progress", async () => {
  await made(true, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    notes.onHead = () => connection.setMaxBodySize(2);
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const reading = connection.readResponse(notes);
    await peer.send(OK);
    await tick(0);
    assertEquals(reading.result(), true);
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const refused = connection.readResponse(new Notes());
    await expectLog(genLog, /larger than 1 bytes/, async () => {
      await peer.send(OK);
      await tick(0);
    });
    assertEquals(refused.result(), false);
  }, { maxBodySize: 1 });
  await made(true, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    notes.onHead = () => connection.setBodyTimeout(100);
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const reading = connection.readResponse(notes);
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    await tick(99);
    assertEquals(reading.done(), false);
    await expectLog(genLog, /^Timeout reading body/, () => tick(1));
    assertEquals([reading.result(), notes.log], [false, ["200 OK", "close"]]);
  });
});

Deno.test("headerTimeout ends a client's wait for the head", () =>
  made(true, async ({ connection, tick }) => {
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const reading = connection.readResponse(new Notes());
    await expectLog(genLog, /^Timeout reading head/, () => tick(50));
    assertEquals(reading.result(), false);
  }, { headerTimeout: 50 }));

Deno.test("decompress takes gzip off", () =>
  made(true, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    const body = text(gzipSync("hello"));
    connection.writeHeaders(GET, new HTTPHeaders());
    connection.finish();
    const reading = connection.readResponse(notes);
    await peer.send(
      bytes(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      ),
    );
    await tick(0);
    assertEquals([reading.result(), notes.body], [true, "hello"]);
    assertEquals(notes.headers!.get("X-Consumed-Content-Encoding"), "gzip");
  }, { decompress: true }));

Deno.test("writeHeaders() of a client chunks POST, PUT and PATCH without a length", async () => {
  for (
    const [method, headers, sent] of [
      ["POST", {}, "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"],
      ["GET", {}, "\r\n\r\nonetwo"],
      ["PUT", { "Content-Length": "6" }, "Content-Length: 6\r\n\r\nonetwo"],
    ] as const
  ) {
    await made(true, async ({ connection, peer, far }) => {
      connection.writeHeaders({ method, path: "/" }, new HTTPHeaders(headers), "one");
      await connection.write("two");
      connection.finish();
      await far.closeWrite();
      const expected = `${method} / HTTP/1.1${sent.startsWith("\r\n") ? "" : "\r\n"}${sent}`;
      assertEquals(await peer.bytes(expected.length), expected);
    });
  }
});

Deno.test("writeHeaders() refuses what cannot be sent", () =>
  made(true, ({ connection }) => {
    const refused = (line: Parameters<HTTP1Connection["writeHeaders"]>[0], headers = {}) =>
      assertThrows(() => connection.writeHeaders(line, new HTTPHeaders(headers)), TypeError);
    refused({ method: "GET", path: "/a b" });
    refused({ method: "GET", path: "/\r\nX: y" });
    refused({ method: "GE T", path: "/" });
    refused({ code: 200 });
    refused(GET, { "Content-Length": "x" });
    refused(GET, { "Transfer-Encoding": "gzip" });
    refused(GET, { "Transfer-Encoding": "chunked", "Content-Length": "2" });
    refused(GET, { "X-A": "\u20ac" });
    return Promise.resolve();
  }));

Deno.test("write() and finish() hold what Content-Length said, or close", async () => {
  await made(true, ({ connection }) => {
    connection.writeHeaders(
      { method: "PUT", path: "/" },
      new HTTPHeaders({ "Content-Length": "2" }),
    );
    assertThrows(() => connection.write("123"), HTTPOutputError);
    assert(connection.stream.closed());
    assertThrows(() => connection.write("1"), StreamClosedError);
    return Promise.resolve();
  });
  await made(true, ({ connection }) => {
    connection.writeHeaders(
      { method: "PUT", path: "/" },
      new HTTPHeaders({ "Content-Length": "2" }),
    );
    connection.write("1");
    assertThrows(() => connection.finish(), HTTPOutputError);
    assert(connection.stream.closed());
    return Promise.resolve();
  });
});

Deno.test("writeHeaders() and write() call back when it is in the kernel", () =>
  made(true, async ({ connection, tick }) => {
    const called: string[] = [];
    connection.writeHeaders(GET, new HTTPHeaders(), null, () => called.push("head"));
    connection.write("body", () => called.push("body"));
    assertEquals(called, []);
    await tick(0);
    assertEquals(called, ["head", "body"]);
  }));

Deno.test("detach() hands over the stream, with what came behind an upgrade", () =>
  made(true, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    let stream: IOStream | null = null;
    notes.onHead = () => void (stream = connection.detach());
    connection.writeHeaders(GET, new HTTPHeaders({ Connection: "Upgrade", Upgrade: "x" }));
    connection.finish();
    const reading = connection.readResponse(notes);
    await peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello");
    await tick(0);
    assertEquals([reading.result(), notes.log], [false, ["101 Switching Protocols"]]);
    assertEquals(text(stream!.readBytes(5).result()), "hello");
    assert(!stream!.closed());
  }));

Deno.test("setCloseCallback() tells a client that the server left, once", () =>
  made(true, async ({ connection, far, tick }) => {
    let left = 0;
    connection.setCloseCallback(() => left++);
    connection.writeHeaders(GET, new HTTPHeaders());
    const notes = new Notes();
    const reading = connection.readResponse(notes);
    await tick(0);
    assertThrows(() => connection.readResponse(notes), Error, "read already");
    far.close();
    await tick(0);
    assertEquals([reading.result(), notes.log, left], [false, ["close"], 1]);
    const again = new Notes();
    assertEquals([await connection.readResponse(again), again.log], [false, ["close"]]);
    assertEquals(left, 1);
  }));

Deno.test("readResponse() of a server reads requests, and is done with the answer", () =>
  made(false, async ({ connection, peer, tick }) => {
    await peer.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nsome");
    await peer.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n"); // waits for its turn
    const first = new Notes();
    const reading = connection.readResponse(first);
    await tick(0);
    assertEquals([first.log, first.body, reading.done()], [["POST /a", "finish"], "some", false]);
    connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "2" }), "ok");
    connection.finish();
    assertEquals(reading.result(), true);
    assertEquals((await peer.answer()).text, "ok");
    await tick(0);

    const second = new Notes();
    second.onFinish = () => {
      connection.writeHeaders({ code: 200, reason: "Fine" }, new HTTPHeaders(), "one");
      connection.write("two");
      connection.finish();
    };
    const next = connection.readResponse(second);
    await tick(0);
    assertEquals([next.result(), second.log], [true, ["GET /b", "finish"]]);
    const { reason, text: body } = await peer.answer();
    assertEquals([reason, body], ["Fine", "onetwo"]);
  }));

Deno.test("readResponse() of a server is false behind the last request, and without one", async () => {
  await made(false, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    const reading = connection.readResponse(notes);
    await peer.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await tick(0);
    connection.writeHeaders({ code: 204 }, new HTTPHeaders());
    connection.finish();
    assertEquals(reading.result(), false);
    const again = new Notes();
    assertEquals([await connection.readResponse(again), again.log], [false, ["close"]]);
  });
  await made(false, async ({ connection, far, tick }) => {
    const notes = new Notes();
    const reading = connection.readResponse(notes);
    far.close();
    await tick(0);
    assertEquals([reading.result(), notes.log], [false, ["close"]]);
  });
  await made(false, async ({ connection, peer, tick }) => {
    const notes = new Notes();
    const reading = connection.readResponse(notes);
    await expectLog(genLog, /^Malformed/, async () => {
      await peer.send("rubbish\r\n\r\n");
      await tick(0);
    });
    assertEquals((await peer.answer()).status, 400);
    await tick(2000); // it waits for the client to take that
    assertEquals([reading.result(), notes.log], [false, ["close"]]);
  });
});

Deno.test("setCloseCallback() tells a server that the client left before the answer", () =>
  made(false, async ({ connection, peer, far, tick }) => {
    let left = 0;
    connection.setCloseCallback(() => left++);
    const reading = connection.readResponse(new Notes());
    await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await tick(0);
    far.close();
    await tick(100);
    assertEquals([reading.result(), left], [false, 1]);
  }));

Deno.test("a server's connection refuses what comes too early or is for the other side", () =>
  made(false, async ({ connection, peer, tick }) => {
    assertThrows(() => connection.write("x"), Error, "no request was read");
    const reading = connection.readResponse(new Notes());
    assertThrows(() => connection.readResponse(new Notes()), Error, "read already");
    await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await tick(0);
    assertThrows(() => connection.writeHeaders(GET, new HTTPHeaders()), TypeError, "code");
    const stream = connection.detach();
    assertEquals([reading.result(), stream.closed()], [false, false]);
  }));

Deno.test("two connections talk over a socket", () =>
  new IOLoop().run(async () => {
    const [near, far] = await IOStream.pair();
    const client = new HTTP1Connection(near, true);
    const server = new HTTP1Connection(far, false, {}, {
      protocol: "https",
      remoteIp: "192.0.2.1",
    });
    for (const body of ["", "x".repeat(200_000)]) {
      const request = new Notes();
      request.onFinish = () => {
        server.writeHeaders({ code: 200 }, new HTTPHeaders(), request.body);
        server.finish();
      };
      const served = server.readResponse(request);
      const headers = new HTTPHeaders({ Host: "x" });
      await client.writeHeaders({ method: "POST", path: "/" }, headers, body);
      client.finish();
      const answer = new Notes();
      assertEquals(await client.readResponse(answer), true);
      assertEquals([await served, answer.body.length], [true, body.length]);
    }
    client.close();
    server.close();
    await assertRejects(async () => await client.write("x"), StreamClosedError);
  }));
