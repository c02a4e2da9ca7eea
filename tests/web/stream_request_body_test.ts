import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { coroutine, type CoroutineGenerator, moment, sleep } from "../../gen/mod.ts";
import { appLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { HTTPError, RequestHandler, streamRequestBody } from "../../web/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

let log: string[] = [];

@streamRequestBody
class Upload extends RequestHandler {
  #length = 0;

  override *prepare(): CoroutineGenerator {
    log = ["prepare"];
    yield sleep(1);
  }
  override *dataReceived(chunk: Uint8Array): CoroutineGenerator {
    const at = log.push(`data ${chunk.length}`);
    yield moment;
    yield moment;
    assertEquals(log.length, at, "the next piece waits");
    this.#length += chunk.length;
  }
  override post(): void {
    log.push("post");
    assertEquals(this.request.body.length, 0);
    this.write(`${this.#length}`);
  }
  override onConnectionClose(): void {
    log.push("closed");
  }
}

function post(path: string, fields: string, body: string | Uint8Array): Uint8Array {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`POST ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
  return new Uint8Array([...head, ...bytes]);
}

Deno.test("streamRequestBody() gives pieces between prepare() and the method, however they come", async () => {
  const text = "0123456789";
  await serve(
    [["/", Upload]],
    async ({ port }) => {
      using client = await RawClient.connect(port);
      const zipped = new Uint8Array(gzipSync(text));
      for (
        const input of [
          post("/", "Content-Length: 10\r\n", text),
          post("/", "Transfer-Encoding: chunked\r\n", `a\r\n${text}\r\n0\r\n\r\n`),
          post("/", `Content-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n`, zipped),
        ]
      ) {
        await client.send(input);
        assertEquals((await client.answer()).text, "10");
        assertEquals(log, ["prepare", "data 4", "data 4", "data 2", "post"]);
      }
    },
    {},
    { chunkSize: 4, decompressRequest: true },
  );
});

Deno.test("streamRequestBody() gives pieces while the upload goes on", async () => {
  await serve([["/", Upload]], async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send(post("/", "Content-Length: 10\r\n", "01234"));
    while (!log.includes("data 5")) await new Promise(setImmediate);
    await client.send("56789");
    assertEquals((await client.answer()).text, "10");
  });
});

Deno.test("a streamed request that prepare() answers is over, and so is its connection", async () => {
  class Guarded extends RequestHandler {
    static override STREAM_REQUEST_BODY = true;
    override prepare(): void {
      if (this.request.path === "/finish") {
        this.setStatus(401);
        this.finish();
      } else throw new HTTPError(403);
    }
    override dataReceived(): void {
      throw new Error("not reached");
    }
    override post(): void {
      throw new Error("not reached");
    }
  }
  await serve([["/.*", Guarded]], async ({ port }) => {
    for (const [path, status] of [["/finish", 401], ["/throw", 403]] as const) {
      using client = await RawClient.connect(port);
      await client.send(post(path, "Content-Length: 10\r\n", "01234"));
      const answer = await client.answer();
      assertEquals([answer.status, answer.headers.get("Connection")], [status, "close"]);
      await client.rest();
    }
  });
});

Deno.test("a client that leaves in a streamed body ends the handler: onConnectionClose() is called", async () => {
  log = [];
  await serve([["/", Upload]], async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send(post("/", "Content-Length: 10\r\n", "01234"));
    while (!log.includes("data 5")) await new Promise(setImmediate);
    client.close();
    while (!log.includes("closed")) await new Promise(setImmediate);
    assertEquals(log, ["prepare", "data 5", "closed"]);
  });
});

Deno.test("dataReceived() that throws, or is not overridden, makes the answer an error", async () => {
  class Fails extends RequestHandler {
    static override STREAM_REQUEST_BODY = true;
    override dataReceived(): void {
      throw new HTTPError(422);
    }
  }
  class Forgot extends RequestHandler {
    static override STREAM_REQUEST_BODY = true;
    override post(): void {}
  }
  class Posting extends Fails {
    override post(): void {}
  }
  await serve([["/fails", Posting], ["/forgot", Forgot]], async ({ port }) => {
    const { matched } = await expectLog(appLog, /not overridden/, async () => {
      for (const [path, status] of [["/fails", 422], ["/forgot", 500]] as const) {
        using client = await RawClient.connect(port);
        await client.send(post(path, "Content-Length: 2\r\n", "ab"));
        assertEquals((await client.answer()).status, status);
      }
    });
    assertEquals(matched.length, 1);
  });
});

Deno.test("setMaxBodySize() in prepare() lifts the limit of that request", async () => {
  class Large extends Upload {
    override *prepare(): CoroutineGenerator {
      yield* super.prepare();
      this.request.connection.setMaxBodySize(1_000_000);
      this.request.connection.setBodyTimeout(10_000);
    }
  }
  await serve(
    [["/", Upload], ["/large", Large]],
    async ({ port }) => {
      for (const [path, status] of [["/", 413], ["/large", 200]] as const) {
        using client = await RawClient.connect(port);
        await client.send(post(path, "Content-Length: 100000\r\n", "x".repeat(100_000)));
        assertEquals((await client.answer()).status, status);
      }
    },
    {},
    { maxBodySize: 10_000 },
  );
});

Deno.test("an upload of 256 MiB goes through without piling up", async () => {
  let received = 0;
  class Counting extends RequestHandler {
    static override STREAM_REQUEST_BODY = true;
    override dataReceived(chunk: Uint8Array): void {
      received += chunk.length;
    }
    override put(): void {
      this.write(`${received}`);
    }
  }
  const size = 256 * 2 ** 20;
  await serve(
    [["/", Counting]],
    async ({ port }) => {
      using client = await RawClient.connect(port);
      await client.send(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
      let most = 0; // bytes on their way: in the kernel, or held by the server
      const piece = "x".repeat(2 ** 20);
      for (let sent = 0; sent < size; sent += piece.length) {
        await client.send(piece);
        most = Math.max(most, sent + piece.length - received);
      }
      assertEquals((await client.answer()).text, `${size}`);
      assert(most < 32 * 2 ** 20, `${most} bytes`);
    },
    {},
    { maxBodySize: size },
  );
});

// The work of a streamed request went on when its client left between two pieces, or while one
// was taken.
Deno.test("a client that leaves in a streamed body ends what the handler started", async () => {
  const seen: string[] = [];
  const waiting = coroutine(function* (what: string) {
    try {
      yield* sleep(60_000);
    } finally {
      seen.push(`${what} ended`);
    }
  });
  @streamRequestBody
  class Between extends RequestHandler {
    override prepare(): void {
      waiting("child");
    }
    override dataReceived(): void {
      seen.push("data");
    }
    override onConnectionClose(): void {
      seen.push("left");
    }
  }
  @streamRequestBody
  class Within extends Between {
    static override CANCEL_ON_DISCONNECT = true;
    override *dataReceived(): CoroutineGenerator {
      seen.push("data");
      yield* waiting("work");
    }
  }
  await serve([["/between", Between], ["/within", Within]], async ({ port }) => {
    for (const path of ["/between", "/within"]) {
      seen.length = 0;
      const client = await RawClient.connect(port);
      await client.send(post(path, "Content-Length: 100\r\n", "abc"));
      await until(() => seen.includes("data"));
      client[Symbol.dispose]();
      await until(() => seen.includes("left") && seen.includes("child ended"));
      if (path === "/within") await until(() => seen.includes("work ended"));
    }
  });
});

Deno.test("a client that ends its side behind the whole streamed body gets its answer", async () => {
  @streamRequestBody
  class Slow extends RequestHandler {
    #length = 0;
    override *dataReceived(chunk: Uint8Array): CoroutineGenerator {
      yield* sleep(5);
      this.#length += chunk.length;
    }
    override post(): void {
      this.write(String(this.#length));
    }
  }
  await serve(
    [["/", Slow]],
    async ({ port }) => {
      for (const length of [3, 100]) {
        using client = await RawClient.connect(port);
        await client.send(post("/", `Content-Length: ${length}\r\n`, "x".repeat(length)));
        await client.closeWrite();
        let answer = await client.answer();
        while (answer.status === 100) answer = await client.answer();
        assertEquals(answer.text, String(length));
      }
    },
    {},
    { chunkSize: 4 },
  );
});
