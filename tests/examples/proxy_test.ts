import { assert, assertEquals } from "@std/assert";
import { makeProxy } from "../../examples/proxy/main.ts";
import { sleep } from "../../gen/mod.ts";
import { SimpleAsyncHTTPClient } from "../../http/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { type IOStream, TCPServer } from "../../iostream/mod.ts";
import { Application, RequestHandler, streamRequestBody } from "../../web/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { ask, RawClient, until } from "../http/_raw_client.ts";
import { installed, run } from "./_programs.ts";

/** Stands behind the proxy, and says what it was asked. */
class Mirror extends RequestHandler {
  override get = this.#tell;
  override head = this.#tell;
  override post = this.#tell;
  override put = this.#tell;
  override delete = this.#tell;

  #tell(): void {
    const { method, uri, headers, body } = this.request;
    this.setHeader("X-Upstream", "mirror");
    this.addHeader("Set-Cookie", "a=1");
    this.addHeader("Set-Cookie", "b=2");
    this.write({
      method,
      uri,
      headers: Object.fromEntries(headers.getAll()),
      length: body.length,
    });
  }
}

/** Sends back each piece of the body as it comes. */
@streamRequestBody
class Echo extends RequestHandler {
  override dataReceived(chunk: Uint8Array): unknown {
    this.write(chunk.slice());
    return this.flush();
  }
  override post(): void {}
}

function withProxy(
  upstream: Application,
  body: (port: number) => Promise<void>,
): Promise<void> {
  return new IOLoop().run(async () => {
    const behind = upstream.listen(0, "127.0.0.1");
    const { port } = behind.addresses[0] as Deno.NetAddr;
    await inFrontOf(port, body);
    await behind.shutdown({ grace: 1000 });
  }, { timeout: 20_000 });
}

async function inFrontOf(port: number, body: (port: number) => Promise<void>): Promise<void> {
  const client = new SimpleAsyncHTTPClient({ maxClients: 100 });
  const proxy = makeProxy(`http://127.0.0.1:${port}`, client).listen(0, "127.0.0.1");
  await body((proxy.addresses[0] as Deno.NetAddr).port);
  await proxy.shutdown({ grace: 1000 });
  client.close();
}

const MIRROR = new Application([[
  "/old",
  class extends RequestHandler {
    override get(): void {
      this.redirect("/new");
    }
  },
], ["/.*", Mirror]]);

Deno.test("the proxy passes on requests and answers, but what is about one connection", () =>
  withProxy(MIRROR, async (port) => {
    const answer = await ask(port, "POST", "/a%20b?c=d&e", {
      headers: {
        "X-Mine": "1",
        "X-Hop": "2",
        "Connection": "X-Hop",
        "TE": "trailers",
        "X-Forwarded-For": "10.0.0.1",
      },
      body: "12345",
    });
    assertEquals([answer.status, answer.headers.get("X-Upstream")], [200, "mirror"]);
    assertEquals(answer.headers.getList("Set-Cookie"), ["a=1", "b=2"]);
    const { method, uri, headers, length } = JSON.parse(answer.text);
    assertEquals([method, uri, length], ["POST", "/a%20b?c=d&e", 5]);
    assertEquals(headers["X-Mine"], "1");
    assertEquals([headers["X-Hop"], headers["Te"]], [undefined, undefined]);
    assertEquals(headers["X-Forwarded-Proto"], "http");
    assert(headers["X-Forwarded-For"].endsWith("127.0.0.1"));
    for (const method of ["GET", "DELETE", "POST", "PUT"]) {
      const { text } = await ask(port, method, "/", method[0] === "P" ? { body: "" } : {});
      assertEquals([JSON.parse(text).method, JSON.parse(text).length], [method, 0]);
    }
    const head = await ask(port, "HEAD", "/");
    assertEquals([head.status, head.text, head.headers.get("X-Upstream")], [200, "", "mirror"]);
    const moved = await ask(port, "GET", "/old");
    assertEquals([moved.status, moved.headers.get("Location")], [302, "/new"]);
    assertEquals((await ask(port, "PATCH", "/", { body: "x" })).status, 405); // says the upstream
  }));

Deno.test("the proxy streams: an answer comes back while its request is still being sent", () =>
  withProxy(new Application([["/", Echo]]), async (port) => {
    using client = await RawClient.connect(port);
    await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let came = "";
    for (const word of ["one", "two", "three"]) {
      await client.send(`${word.length.toString(16)}\r\n${word}\r\n`);
      while (!came.includes(word)) came += await client.bytes(1);
    }
    await client.send("0\r\n\r\n");
    while (!came.endsWith("0\r\n\r\n")) came += await client.bytes(1);
  }));

Deno.test("the proxy slows down a browser whose upstream does not read", () =>
  new IOLoop().run(async () => {
    const streams: IOStream[] = [];
    class Stalls extends TCPServer {
      override handleStream(stream: IOStream): void {
        streams.push(stream); // and reads nothing
      }
    }
    const server = new Stalls();
    server.listen(0, "127.0.0.1");
    await inFrontOf((server.addresses[0] as Deno.NetAddr).port, async (port) => {
      const browser = await Deno.connect({ hostname: "127.0.0.1", port });
      const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${1e9}\r\n\r\n`;
      await browser.write(new TextEncoder().encode(head));
      const chunk = new Uint8Array(256 * 1024);
      let sent = 0;
      const sending = (async () => {
        for (;;) sent += await browser.write(chunk);
      })().catch(() => {}); // it is closed
      for (let last = -1; last !== sent;) { // until it stands still
        last = sent;
        await sleep(300);
        assert(sent < 200e6, "nothing holds the browser back");
      }
      browser.close();
      await sending;
      await streams[0]!.readUntilClose(); // it is let go: whoever asked is gone
    });
    server.stop();
  }, { timeout: 20_000 }));

Deno.test("the proxy slows down an upstream whose browser does not read, and cancels it", () => {
  let sent = 0;
  let left = false;
  class Endless extends RequestHandler {
    override async get(): Promise<void> {
      for (const chunk = new Uint8Array(256 * 1024); !left;) {
        this.write(chunk);
        await this.flush();
        sent += chunk.length;
      }
    }
    override onConnectionClose(): void {
      left = true;
    }
  }
  return withProxy(new Application([["/", Endless]]), async (port) => {
    const browser = await RawClient.connect(port);
    await browser.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await browser.bytes(1000);
    for (let last = -1; last !== sent;) { // until it stands still
      last = sent;
      await sleep(200);
      assert(sent < 200e6, "nothing holds the upstream back");
    }
    assert(!left);
    browser.close();
    await until(() => left);
  });
});

Deno.test("the proxy cancels its upstream when the browser leaves, whatever the method", async () => {
  let asked = 0;
  let left = 0;
  class Never extends RequestHandler {
    override get = this.#wait;
    override post = this.#wait;
    #gone = () => {};
    async #wait(): Promise<void> {
      asked++;
      await new Promise<void>((resolve) => this.#gone = resolve);
    }
    override onConnectionClose(): void {
      left++;
      this.#gone();
    }
  }
  await withProxy(new Application([["/", Never]]), async (port) => {
    for (const [at, method] of ["GET", "POST"].entries()) {
      const browser = await RawClient.connect(port);
      await browser.send(`${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      await until(() => asked === at + 1);
      browser.close();
      await until(() => left === at + 1);
    }
  });
});

Deno.test("the proxy answers 502 where nobody is, or who is there breaks off", () =>
  new IOLoop().run(async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    await inFrontOf(port, async (port) => {
      assertEquals((await ask(port, "GET", "/")).status, 502);
      assertEquals((await ask(port, "POST", "/", { body: "x".repeat(1e6) })).status, 502);
    });
    class BreaksOff extends TCPServer {
      override *handleStream(stream: IOStream) {
        yield* stream.readUntil("\r\n\r\n");
        stream.close();
      }
    }
    const server = new BreaksOff();
    server.listen(0, "127.0.0.1");
    await inFrontOf((server.addresses[0] as Deno.NetAddr).port, async (port) => {
      assertEquals((await ask(port, "GET", "/")).status, 502);
      assertEquals((await ask(port, "POST", "/", { body: "x".repeat(5e6) })).status, 502);
    });
    server.stop();
  }, { timeout: 20_000 }));

Deno.test({
  name: "the proxy takes large bodies of curl both ways, unchanged",
  ignore: !await installed("curl"),
  fn: () =>
    withProxy(new Application([["/", Echo]]), async (port) => {
      const path = await Deno.makeTempFile();
      const bytes = new Uint8Array(5e6).map((_, at) => at * 31 + (at >> 8));
      await Deno.writeFile(path, bytes);
      const url = `http://127.0.0.1:${port}/`;
      await run("curl", ["-sS", "--fail", "--data-binary", `@${path}`, "-o", `${path}.2`, url]);
      assertEquals(await Deno.readFile(`${path}.2`), bytes);
      for (const file of [path, `${path}.2`]) await Deno.remove(file);
    }),
});
