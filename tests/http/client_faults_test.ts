// A server that fails at each place of its answer, by closing, by a reset, or by a byte that
// is another one. Nothing may hang, and no place in the pool may get lost.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import {
  HTTP1Connection,
  HTTPClientError,
  HTTPHeaders,
  type HTTPResponse,
  SimpleAsyncHTTPClient,
} from "../../http/mod.ts";
import { gzipSync } from "node:zlib";
import { fakeLoop, memoryPair } from "../../testing/mod.ts";
import { answering, bytes, text } from "./_answering.ts";
import { until } from "./_raw_client.ts";

const GZIP = text(gzipSync("hello"));

/** An answer, its body, and whether the end of the connection is its end. */
const ANSWERS: readonly (readonly [string, string, boolean])[] = [
  ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", "hello", false],
  [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
    "hello",
    false,
  ],
  ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "hello", false],
  ["HTTP/1.1 204 No Content\r\n\r\n", "", false],
  ["HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nhello", "hello", true],
  [
    `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${GZIP.length}\r\n\r\n${GZIP}`,
    "hello",
    false,
  ],
];

Deno.test("fetch() takes an answer cut anywhere", async () => {
  for (const [whole, body, toEnd] of ANSWERS) {
    await answering(function* (_asked, { stream, count }) {
      const at = count % whole.length;
      yield* stream.write(bytes(whole.slice(0, at)));
      yield null;
      yield* stream.write(bytes(whole.slice(at)));
      return toEnd ? null : undefined;
    }, async ({ client, url, server }) => {
      for (let at = 0; at < whole.length; at++) {
        assertEquals((await client.fetch(url())).text(), body, `cut at ${at}`);
      }
      assertEquals(server.connections, toEnd ? whole.length : 1);
    });
  }
});

Deno.test("fetch() fails where the connection ends before the answer, at each byte", async () => {
  for (const [whole, body, toEnd] of ANSWERS) {
    await answering(function* (_asked, { stream, count }) {
      yield* stream.write(bytes(whole.slice(0, count)));
      return null;
    }, async ({ client, url, server }) => {
      const head = whole.lastIndexOf("\r\n\r\n") + 4;
      for (let at = 0; at <= whole.length; at++) {
        const result = await client.fetch(url()).then((response) => response, (error) => error);
        if (at === whole.length || toEnd && at >= head) {
          assertEquals(
            (result as HTTPResponse).text(),
            body.slice(0, at - head + (toEnd ? 0 : 99)),
          );
        } else {
          assertInstanceOf(result, HTTPClientError);
          assertEquals([result.code, result.response], [599, null], `cut at ${at}`);
        }
      }
      assertEquals(server.asked.length, whole.length + 1);
      await until(() => Deno.inspect(client) === NOTHING_LEFT);
    }, { maxClients: 1 });
  }
});

const NOTHING_LEFT = "SimpleAsyncHTTPClient { 0 active, 0 waiting, 0 idle }";

Deno.test("fetch() ends, one way or the other, whatever byte of an answer is another one", async () => {
  for (const [whole] of ANSWERS) {
    await answering(function* (_asked, { stream, count }) {
      const at = count >> 2;
      const other = ["\0", "\n", "\r", "\xff"][count & 3]!;
      yield* stream.write(bytes(whole.slice(0, at) + other + whole.slice(at + 1)));
      return null;
    }, async ({ client, url, server }) => {
      let answers = 0;
      for (let count = 0; count < whole.length * 4; count++) {
        try {
          await client.fetch(url());
          answers++;
        } catch (error) {
          assertInstanceOf(error, HTTPClientError);
        }
      }
      assert(answers < whole.length * 4);
      assertEquals(server.asked.length, whole.length * 4);
      await until(() => Deno.inspect(client) === NOTHING_LEFT);
    }, { maxClients: 1 });
  }
});

/** Reads one answer from a connection in memory; returns its body, or null if it was none. */
async function readInMemory(
  feed: (far: ReturnType<typeof memoryPair>[1]) => Promise<void>,
): Promise<{ body: string | null; again: boolean }> {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, far] = memoryPair();
  const connection = new HTTP1Connection(new IOStream(near, { ioLoop: loop }), true, {
    decompress: true,
    headerTimeout: 1000,
    bodyTimeout: 1000,
  });
  connection.writeHeaders({ method: "GET", path: "/" }, new HTTPHeaders());
  connection.finish();
  let body = "";
  let ended: boolean | null = null;
  const reading = connection.readResponse({
    headersReceived() {},
    dataReceived: (chunk) => void (body += text(chunk)),
    finish() {
      assertEquals(ended, null);
      ended = true;
    },
    onConnectionClose() {
      assertEquals(ended, null);
      ended = false;
    },
  });
  await tick(0);
  await feed(far);
  await tick(2000); // by then it has ended, or its time is over
  assert(reading.done(), "it hangs");
  const again = reading.result();
  assertEquals(ended !== null, true);
  connection.close();
  if (!far.closed()) far.close();
  await tick(10_000);
  loop.stop();
  await running;
  return { body: ended ? body : null, again };
}

Deno.test("HTTP1Connection.readResponse() ends at each place where the peer closes, resets or stops", async () => {
  for (const [whole, body, toEnd] of ANSWERS) {
    const head = whole.lastIndexOf("\r\n\r\n") + 4;
    for (let at = 0; at <= whole.length; at++) {
      for (const how of ["close", "reset", "stop"] as const) {
        const seen = await readInMemory(async (far) => {
          if (at > 0) await far.write(bytes(whole.slice(0, at)));
          if (how === "close") far.close();
          else if (how === "reset") far.reset();
        });
        const isWhole = at === whole.length && !toEnd ||
          toEnd && how === "close" && at >= head;
        if (isWhole && how !== "reset") {
          assertEquals(seen.body, toEnd ? whole.slice(head, at) : body, `${how} at ${at}`);
        } else if (how !== "reset") assertEquals(seen.body, null, `${how} at ${at}`);
        if (how === "stop") assertEquals(seen.again, isWhole, `${how} at ${at}`);
        else if (seen.body === null) assertEquals(seen.again, false, `${how} at ${at}`);
      }
    }
  }
});

Deno.test("HTTP1Connection.readResponse() takes an answer byte by byte", async () => {
  for (const [whole, body, toEnd] of ANSWERS) {
    const seen = await readInMemory(async (far) => {
      for (const byte of bytes(whole)) await far.write(Uint8Array.of(byte));
      if (toEnd) far.close();
    });
    assertEquals(seen, { body, again: !toEnd });
  }
});

Deno.test("a fetch ends when the server accepts and says nothing, and many wait for it", () =>
  new IOLoop().run(async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = new SimpleAsyncHTTPClient({ maxClients: 3 });
    const url = `http://127.0.0.1:${listener.addr.port}/`;
    const all = Array.from(
      { length: 20 },
      () =>
        client.fetch(url, { requestTimeout: 30 }).then(
          () => "answer",
          (error) => (error as Error).message,
        ),
    );
    const outcomes = await Promise.all(all);
    const kinds = new Set(outcomes);
    assertEquals(kinds.has("answer"), false);
    assert([...kinds].every((message) => /^HTTP 599: Timeout /.test(message)), `${[...kinds]}`);
    assertEquals(Deno.inspect(client), NOTHING_LEFT);
    client.close();
    listener.close();
  }));
