import { assert, assertEquals, assertMatch } from "@std/assert";
import { accessLog, appLog, dummyExecutor, IOLoop } from "../../ioloop/mod.ts";
import { HTTPServer } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  FallbackHandler,
  FetchContainer,
  type FetchContainerOptions,
  type FetchFunction,
} from "../../web/mod.ts";
import { RawClient } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

/** Serves a Fetch handler as the application of a server while `body` runs. */
async function served(
  handler: FetchFunction,
  body: (url: string, port: number) => Promise<void>,
  options: FetchContainerOptions = {},
): Promise<void> {
  await new IOLoop().run(async () => {
    const server = new HTTPServer(new FetchContainer(handler, options));
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    try {
      await body(`http://127.0.0.1:${port}`, port);
    } finally {
      server.stop();
      await server.closeAllConnections();
    }
  }, { timeout: 20_000 });
}

Deno.test("FetchContainer gives method, URL, fields and body, and answers with status, fields and body", async () => {
  await served(async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const body = await request.text();
    return Response.json(
      [request.method, pathname, searchParams.get("q"), request.headers.get("x-in"), body],
      { status: 201, statusText: "Made", headers: [["x-out", "1"], ["x-out", "2"]] },
    );
  }, async (url, port) => {
    const response = await fetch(`${url}/a%20b?q=%C3%A4`, {
      method: "POST",
      headers: { "x-in": "in" },
      body: "the body",
    });
    assertEquals(response.status, 201);
    assertEquals(response.headers.get("x-out"), "1, 2");
    assertEquals(await response.json(), ["POST", "/a%20b", "ä", "in", "the body"]);
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assertEquals(await client.bytes(17), "HTTP/1.1 201 Made");
  });
});

Deno.test("FetchContainer says the length of a body that is there, streams another, and sets what is absent", async () => {
  await served((request) => {
    switch (new URL(request.url).pathname) {
      case "/text":
        return new Response("text");
      case "/empty":
        return new Response(null, { status: 404 });
      case "/none":
        return new Response(null, { status: 204 });
      default:
        return new Response(new Blob(["x"]).stream());
    }
  }, async (_url, port) => {
    using client = await RawClient.connect(port);
    const ask = async (method: string, path: string) => {
      await client.send(`${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const { status, headers, text } = method === "HEAD"
        ? await client.answer("HEAD")
        : await client.answer();
      return [status, headers.get("Content-Length"), headers.get("Content-Type"), text];
    };
    assertEquals(await ask("GET", "/text"), [200, "4", "text/plain;charset=UTF-8", "text"]);
    assertEquals(await ask("GET", "/empty"), [404, "0", null, ""]);
    assertEquals(await ask("GET", "/none"), [204, null, null, ""]);
    const [status, , type, text] = await ask("GET", "/stream");
    assertEquals([status, type, text], [200, "text/html; charset=UTF-8", "x"]);
    await client.send("GET /text HTTP/1.1\r\nHost: x\r\n\r\n");
    const { headers } = await client.answer();
    assertMatch(headers.get("Server")!, /^Waterspout\//);
    assertMatch(headers.get("Date")!, /GMT$/);
  });
});

Deno.test("FetchContainer streams bodies both ways at the same time", async () => {
  await served((request) => {
    const upper = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) =>
        controller.enqueue(
          new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase()),
        ),
    });
    return new Response(request.body!.pipeThrough(upper));
  }, async (_url, port) => {
    using client = await RawClient.connect(port);
    await client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
    );
    let seen = "";
    while (!seen.includes("ONE")) seen += await client.bytes(1);
    await client.send("3\r\ntwo\r\n0\r\n\r\n");
    while (!seen.includes("0\r\n\r\n")) seen += await client.bytes(1);
    assertMatch(seen, /3\r\nTWO\r\n/);
  });
});

Deno.test("FetchContainer aborts request.signal when the client leaves, and only then", async () => {
  const signals: AbortSignal[] = [];
  let cancelled = false;
  await served((request) => {
    signals.push(request.signal);
    if (request.url.endsWith("/quick")) return new Response("quick");
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65536)),
      cancel: () => {
        cancelled = true;
      },
    });
    return new Response(body);
  }, async (url, port) => {
    assertEquals(await (await fetch(`${url}/quick`)).text(), "quick");
    const client = await RawClient.connect(port);
    await client.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.bytes(1);
    client.close();
    while (!cancelled) await new Promise(setImmediate);
    assertEquals(signals.map(({ aborted }) => aborted), [false, true]);
  });
});

Deno.test("FetchContainer lets slow handlers overlap, and may call them by an executor", async () => {
  for (const options of [{}, { executor: dummyExecutor }]) {
    let atWork = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    await served(async () => {
      if (++atWork === 2) resolve();
      await promise;
      return new Response("both");
    }, async (url) => {
      const answers = await Promise.all([fetch(url), fetch(url)]);
      for (const answer of answers) assertEquals(await answer.text(), "both");
    }, options);
  }
});

Deno.test("FetchContainer answers 500 when the handler throws, at once or later, and logs it", async () => {
  for (
    const handler of [
      () => {
        throw new RangeError("at once");
      },
      () => Promise.reject(new RangeError("later")),
      () => "no response" as unknown as Response,
    ]
  ) {
    const { matched } = await expectLog(appLog, /Uncaught/, async () => {
      await served(handler, async (url) => {
        const response = await fetch(url);
        assertEquals([response.status, await response.text()], [500, ""]);
      });
    });
    assertEquals(matched.length, 1);
  }
});

Deno.test("FetchContainer writes a line to the access log for each request", async () => {
  const { matched } = await expectLog(accessLog, /./, async () => {
    await served(
      (request) => new Response(null, { status: request.url.endsWith("/x") ? 404 : 200 }),
      async (url) => {
        await (await fetch(url)).body?.cancel();
        await (await fetch(`${url}/x`)).body?.cancel();
      },
    );
  });
  assertMatch(matched[0]!, /^200 GET \/ \(127\.0\.0\.1\) \d+\.\d\dms$/);
  assertMatch(matched[1]!, /^404 GET \/x /);
});

Deno.test("FallbackHandler hands requests of a route to a container or a function", async () => {
  const finished: string[] = [];
  class Watching extends FallbackHandler {
    override onFinish(): void {
      finished.push(this.request.path);
    }
  }
  const container = new FetchContainer(async (request) => new Response(await request.text()));
  const failing = new FetchContainer(() => {
    throw new RangeError("in the fallback");
  });
  await serve([
    ["/fetch", Watching, { fallback: container }],
    ["/function", Watching, {
      fallback: (request: { connection: { _respond(...args: unknown[]): void } }) =>
        request.connection._respond(202, "HTTP/1.1 202 Accepted\r\n", "", "fine", 4),
    }],
    ["/failing", Watching, { fallback: failing }],
  ], async ({ ask }) => {
    const decoder = new TextDecoder();
    const posted = await ask("POST", "/fetch", { body: "posted" });
    assertEquals([posted.status, decoder.decode(posted.body)], [200, "posted"]);
    const accepted = await ask("GET", "/function");
    assertEquals([accepted.status, decoder.decode(accepted.body)], [202, "fine"]);
    const { matched } = await expectLog(appLog, /in the fallback/, async () => {
      assertEquals((await ask("GET", "/failing")).status, 500);
    });
    assertEquals(matched.length, 1);
    assertEquals(finished, ["/fetch", "/function", "/failing"]);
  });
  assert(finished.length === 3);
});
