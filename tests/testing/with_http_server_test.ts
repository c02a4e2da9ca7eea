import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { appLog, Future, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { AsyncHTTPSTestCase, expectLog, withHttpServer } from "../../testing/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import { WebSocketHandler } from "../../websocket/mod.ts";

class Hello extends RequestHandler {
  override get(): void {
    this.write(`${this.request.protocol} hello`);
  }
}

class Broken extends RequestHandler {
  override get(): void {
    throw new RangeError("from the handler");
  }
}

class Echo extends WebSocketHandler {
  override onMessage(message: string | Uint8Array): void {
    this.writeMessage(message);
  }
}

const app = new Application([["/", Hello], ["/broken", Broken], ["/echo", Echo]]);

Deno.test("withHttpServer() gives a server, and ways to ask it", async () => {
  let port = 0;
  const result = await withHttpServer(app, function* (context): CoroutineGenerator<string> {
    ({ port } = context);
    assertEquals(context.url(), `http://127.0.0.1:${port}/`);
    assertEquals(context.url("/a?b"), `http://127.0.0.1:${port}/a?b`);
    assertEquals((yield* context.fetch("/")).text(), "http hello");
    assertEquals((yield* context.fetch(context.url())).code, 200);
    assertEquals((yield* context.fetch("/nowhere")).code, 404);
    assert(context.ioLoop === IOLoop.current() && context.server.ioLoop === context.ioLoop);
    return "result";
  });
  assertEquals(result, "result");
  await assertRejects(() => Deno.connect({ port }));
});

Deno.test("withHttpServer() asks its own server by path, and another one by its full URL", async () => {
  class Other extends RequestHandler {
    override get(): void {
      this.setStatus(202);
      this.write("another");
    }
  }
  await withHttpServer(
    app,
    ({ fetch }) =>
      withHttpServer(new Application([["/", Other]]), function* (other): CoroutineGenerator {
        const answers = [yield* fetch("/"), yield* fetch(other.url("/")), yield* other.fetch("/")];
        assertEquals(answers.map(({ code, body }) => [code, new TextDecoder().decode(body)]), [
          [200, "http hello"],
          [202, "another"],
          [202, "another"],
        ]);
      }),
  );
});

Deno.test("withHttpServer() takes async and plain functions", async () => {
  const text = await withHttpServer(app, async ({ fetch }) => (await fetch("/")).text());
  assertEquals(text, "http hello");
  assertEquals(await withHttpServer(app, () => 42), 42);
});

Deno.test("withHttpServer() connects to WebSockets, and closes those that are left", async () => {
  await withHttpServer(app, function* ({ websocket }) {
    const connection = yield* websocket("/echo");
    connection.writeMessage("hello");
    assertEquals(yield* connection.readMessage(), "hello");
  });
});

Deno.test("withHttpServer() speaks TLS with sslOptions", async () => {
  const sslOptions = AsyncHTTPSTestCase.defaultSslOptions();
  await withHttpServer(app, function* ({ fetch, url, websocket }) {
    assertEquals(url().slice(0, 6), "https:");
    assertEquals((yield* fetch("/")).text(), "https hello");
    const connection = yield* websocket("/echo");
    connection.writeMessage("hello");
    assertEquals(yield* connection.readMessage(), "hello");
  }, { sslOptions });
});

Deno.test("withHttpServer() answers when a handler fails, which is in the log", async () => {
  await withHttpServer(app, async ({ fetch }) => {
    const { loggedStack } = await expectLog(appLog, /from the handler/, async () => {
      assertEquals((await fetch("/broken")).code, 500);
    });
    assert(loggedStack);
  });
});

Deno.test("withHttpServer() fails with what its body throws, or a callback of the loop", async () => {
  await assertRejects(
    () =>
      withHttpServer(app, function* ({ fetch }) {
        yield* fetch("/");
        throw new RangeError("from the body");
      }),
    RangeError,
    "from the body",
  );
  await assertRejects(
    () =>
      withHttpServer(app, function* ({ ioLoop }) {
        ioLoop.addCallback(() => {
          throw new RangeError("from the callback");
        });
        yield* sleep(60_000);
      }),
    RangeError,
    "from the callback",
  );
});

Deno.test("withHttpServer() has a time", async () => {
  await assertRejects(
    () =>
      withHttpServer(app, function* () {
        yield* new Future<void>();
      }, { timeout: 10 }),
    TimeoutError,
    "longer than 10 ms",
  );
});
