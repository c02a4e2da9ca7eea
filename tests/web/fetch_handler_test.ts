import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { appLog, Future, IOLoop } from "../../ioloop/mod.ts";
import { HTTPHeaders, type HTTPServerRequest } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  Application,
  type FetchHandler,
  RequestHandler,
  streamRequestBody,
  toFetchHandler,
} from "../../web/mod.ts";

/** Runs `body` with a handler of these routes, in a loop that the handler starts. */
async function handling(
  routes: ConstructorParameters<typeof Application>[0],
  body: (handler: FetchHandler) => Promise<void>,
): Promise<void> {
  const loop = new IOLoop();
  try {
    await body(toFetchHandler(new Application(routes)));
  } finally {
    loop.stop();
    await new Promise(setImmediate);
    loop.close();
  }
}

class Echo extends RequestHandler {
  override *get(path: string): CoroutineGenerator {
    yield* sleep(1);
    this.addHeader("Set-Cookie", "a=1");
    this.addHeader("Set-Cookie", "b=2");
    this.write({
      path,
      q: this.getQueryArgument("q", null),
      cookie: this.request.cookies["c"] ?? null,
      ip: this.request.remoteIp,
      url: this.request.fullUrl(),
    });
  }
  override post(): void {
    this.setHeader("Content-Type", "application/octet-stream");
    this.write(this.request.body);
  }
}

Deno.test("toFetchHandler() gives path, query, cookies and address, and answers with all fields", async () => {
  await handling([["/e/(.*)", Echo]], async (handler) => {
    const request = new Request("https://example.com/e/a%20b%2Fc?q=%C3%A4", {
      headers: { cookie: "c=3" },
    });
    const remoteAddr: Deno.Addr = { transport: "tcp", hostname: "192.0.2.7", port: 1 };
    const response = await handler(request, { remoteAddr });
    assertEquals(response.status, 200);
    assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assertEquals(response.headers.get("content-type"), "application/json; charset=UTF-8");
    assertEquals(await response.json(), {
      path: "a b/c",
      q: "ä",
      cookie: "3",
      ip: "192.0.2.7",
      url: "https://example.com/e/a%20b%2Fc?q=%C3%A4",
    });
  });
});

Deno.test("toFetchHandler() passes bytes, HEAD, 404 and 405 through", async () => {
  await handling([["/e/(.*)", Echo]], async (handler) => {
    const bytes = Uint8Array.of(0, 255, 128, 10);
    const posted = await handler(
      new Request("http://x/e/", { method: "POST", body: bytes }),
    );
    assertEquals(await posted.bytes(), bytes);
    assertEquals((await handler(new Request("http://x/none"))).status, 404);
    assertEquals((await handler(new Request("http://x/e/", { method: "PUT" }))).status, 405);
    const head = await handler(new Request("http://x/e/", { method: "HEAD" }));
    assertEquals([head.status, await head.text()], [405, ""]);
  });
});

Deno.test("toFetchHandler() streams what is flushed, and waits for who reads it", async () => {
  let written = 0;
  class Streams extends RequestHandler {
    override *get(): CoroutineGenerator {
      this.write("first");
      yield* this.flush();
      for (let i = 0; i < 100; i++) {
        this.write("x".repeat(10_000));
        yield* this.flush();
        written++;
      }
    }
  }
  await handling([["/", Streams]], async (handler) => {
    const response = await handler(new Request("http://x/"));
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader.read()).value, "first");
    await new Promise(setImmediate);
    assert(written < 10, `${written} pieces were written ahead`);
    let length = 0;
    for (let piece; !(piece = await reader.read()).done;) length += piece.value.length;
    assertEquals(length, 1_000_000);
  });
});

Deno.test("toFetchHandler() gives a body piece by piece to a handler that streams", async () => {
  @streamRequestBody
  class Upload extends RequestHandler {
    readonly #pieces: number[] = [];
    override async dataReceived(chunk: Uint8Array): Promise<void> {
      await Promise.resolve();
      this.#pieces.push(chunk.length);
    }
    override post(): void {
      this.write(`${this.#pieces}`);
    }
  }
  await handling([["/", Upload]], async (handler) => {
    const body = ReadableStream.from([new Uint8Array(3), new Uint8Array(5)]);
    const response = await handler(new Request("http://x/", { method: "POST", body }));
    assertEquals(await response.text(), "3,5");
  });
});

Deno.test("toFetchHandler() cancels the handler when the request is aborted or nobody reads on", async () => {
  const ended: string[] = [];
  class Waits extends RequestHandler {
    override *get(how: string): CoroutineGenerator {
      try {
        if (how === "reading") {
          this.write("first");
          yield* this.flush();
        }
        yield new Future();
      } finally {
        ended.push(how);
      }
    }
    override onConnectionClose(): void {
      ended.push("closed");
    }
  }
  await handling([["/(.*)", Waits]], async (handler) => {
    const controller = new AbortController();
    const answer = handler(new Request("http://x/waiting", { signal: controller.signal }));
    await new Promise(setImmediate);
    controller.abort(new RangeError("left"));
    await assertRejects(() => answer, RangeError, "left");
    const response = await handler(new Request("http://x/reading"));
    await response.body!.cancel();
    while (ended.length < 4) await new Promise(setImmediate);
    assertEquals(ended.sort(), ["closed", "closed", "reading", "waiting"]);
  });
});

// Its body never ended.
Deno.test("toFetchHandler() fails the body of an application that fails behind its head", async () => {
  const failing = (asked: HTTPServerRequest) => {
    asked.connection.writeHeaders({ code: 200 }, new HTTPHeaders(), "begun");
    throw new RangeError("behind the head");
  };
  const loop = new IOLoop();
  const whole = toFetchHandler({
    *handleRequest(asked): CoroutineGenerator {
      yield* sleep(1);
      failing(asked);
    },
  });
  const streamed = toFetchHandler({
    handleRequest() {},
    beginRequest: (asked) => ({
      headersReceived() {},
      dataReceived: () => failing(asked),
      finish() {},
      onConnectionClose() {},
    }),
  });
  for (const handler of [whole, streamed]) {
    const response = await handler(new Request("http://x/", { method: "POST", body: "body" }));
    await assertRejects(() => response.text(), RangeError, "behind the head");
  }
  loop.stop();
  await new Promise(setImmediate);
  loop.close();
});

Deno.test("toFetchHandler() answers an upgrade with 501, a body over the limit with 413", async () => {
  class Upgrades extends RequestHandler {
    override get(): void {
      this.request.connection.writeHeaders({ code: 101 }, this.request.headers);
    }
  }
  const loop = new IOLoop();
  const handler = toFetchHandler(new Application([["/", Upgrades]]), { maxBodySize: 3 });
  assertEquals((await handler(new Request("http://x/"))).status, 501);
  const large = new Request("http://x/", { method: "POST", body: "long" });
  assertEquals((await handler(large)).status, 413);
  loop.stop();
  await new Promise(setImmediate);
  loop.close();
});

Deno.test("toFetchHandler() works under Deno.serve, errors included", async () => {
  class Fails extends RequestHandler {
    override get(): void {
      throw new RangeError("in the handler");
    }
  }
  await handling([["/fails", Fails], ["/e/(.*)", Echo]], async (handler) => {
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
    const url = `http://127.0.0.1:${server.addr.port}`;
    const response = await fetch(`${url}/e/x`);
    assertEquals((await response.json()).path, "x");
    const { matched } = await expectLog(appLog, /in the handler/, async () => {
      const failed = await fetch(`${url}/fails`);
      assertEquals(failed.status, 500);
      await failed.body?.cancel();
    });
    assertEquals(matched.length, 1);
  });
});
