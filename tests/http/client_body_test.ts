import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { sleep } from "../../gen/mod.ts";
import { CancelledError, Future } from "../../ioloop/mod.ts";
import {
  type BodyWriter,
  DecompressionError,
  HTTPClientError,
  HTTPHeaders,
  HTTPOutputError,
  HTTPRequest,
  HTTPStreamClosedError,
  HTTPTimeoutError,
  readServerSentEvents,
} from "../../http/mod.ts";
import { answer, answering, text } from "./_answering.ts";
import { until } from "./_raw_client.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

Deno.test("streamingCallback gets the chunks, and the body of the response is empty", () =>
  answering(
    () => [CHUNKED, "3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"],
    async ({ client, url }) => {
      const chunks: string[] = [];
      const response = await client.fetch(url(), {
        streamingCallback: (chunk) => void chunks.push(text(chunk)),
      });
      assertEquals([chunks, response.body.length], [["one", "two"], 0]);
    },
  ));

Deno.test("streamingCallback gets all of a body right before the connection ends", () =>
  answering(function* (_asked, { stream }) {
    yield* stream.write(`${CHUNKED}3\r\none\r\n0\r\n\r\n`);
    return null;
  }, async ({ client, url }) => {
    assertEquals((await client.fetch(url())).text(), "one");
  }));

for (const framing of ["length", "chunked", "close", "gzip", "deflate", "br"] as const) {
  Deno.test(`streamingCallback slows the server down, body by ${framing}`, () => {
    // More than the sockets between the two can hold.
    const plain = new Uint8Array(16_777_216);
    for (let at = 0; at < plain.length; at += 65536) {
      crypto.getRandomValues(plain.subarray(at, at + 65536));
    }
    const body = framing === "gzip"
      ? gzipSync(plain, { level: 0 })
      : framing === "deflate"
      ? deflateSync(plain, { level: 0 })
      : framing === "br"
      ? brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 0 } })
      : plain;
    const fields = framing === "chunked"
      ? "Transfer-Encoding: chunked\r\n"
      : framing === "close"
      ? ""
      : framing === "length"
      ? `Content-Length: ${body.length}\r\n`
      : `Content-Length: ${body.length}\r\nContent-Encoding: ${framing}\r\n`;
    let sent = 0;
    return answering(function* (_asked, { stream }) {
      yield* stream.write(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
      for (; sent < body.length; sent += 65536) {
        const piece = body.subarray(sent, sent + 65536);
        if (framing === "chunked") stream.write(`${piece.length.toString(16)}\r\n`);
        yield* stream.write(piece);
        if (framing === "chunked") stream.write("\r\n");
      }
      if (framing === "chunked") stream.write("0\r\n\r\n");
      return framing === "close" ? null : undefined;
    }, async ({ client, url }) => {
      const gate = new Future<void>();
      let calls = 0;
      let size = 0;
      const fetching = client.fetch(url(), {
        streamingCallback: (chunk) => {
          size += chunk.length;
          return calls++ === 0 ? gate : undefined;
        },
      });
      await until(() => calls === 1);
      const first = size;
      await new Promise((resolve) => setTimeout(resolve, 100));
      assertEquals([calls, size], [1, first]); // nothing is given while it waits
      assert(sent < body.length, `${sent} of ${body.length} bytes were sent meanwhile`);
      gate.setResult(undefined);
      await fetching;
      assertEquals(size, plain.length);
    });
  });
}

Deno.test("streamingCallback may be async, or a generator", () =>
  answering(() => [CHUNKED, "3\r\none\r\n3\r\ntwo\r\n", "0\r\n\r\n"], async ({ client, url }) => {
    for (const kind of ["async", "generator"]) {
      const log: string[] = [];
      await client.fetch(url(), {
        streamingCallback: kind === "async"
          ? async (chunk) => {
            log.push(`${text(chunk)} {`);
            await Promise.resolve();
            log.push("}");
          }
          : function* (chunk) {
            log.push(`${text(chunk)} {`);
            yield* sleep(1);
            log.push("}");
          },
      });
      assertEquals(log, ["one {", "}", "two {", "}"]);
    }
  }));

Deno.test("requestTimeout also ends a fetch whose streamingCallback hangs", () =>
  answering(() => answer("hello"), async ({ client, url, server }) => {
    const error = await assertRejects(() =>
      client.fetch(url(), { streamingCallback: () => new Future(), requestTimeout: 20 }).then()
    );
    assertInstanceOf(error, HTTPTimeoutError);
    await until(() => server.open === 0);
  }));

Deno.test("headerCallback gets the head line by line before the body", () =>
  answering(() => answer("hello", "X-A: 1\r\nX-A: 2\r\n", "200 Fine"), async ({ client, url }) => {
    const lines: string[] = [];
    let seen = 0;
    await client.fetch(url(), {
      headerCallback: (line) => lines.push(line),
      streamingCallback: () => void (seen = lines.length),
    });
    assertEquals(lines, [
      "HTTP/1.1 200 Fine\r\n",
      "Content-Length: 5\r\n",
      "X-A: 1\r\n",
      "X-A: 2\r\n",
      "\r\n",
    ]);
    assertEquals(seen, 5);
    const headers = new HTTPHeaders();
    for (const line of lines.slice(1)) headers.parseLine(line);
    assertEquals(headers.getList("X-A"), ["1", "2"]);
  }));

Deno.test("bodyProducer writes chunks; it may be plain, async or a generator", () =>
  answering(({ body, headers }) => answer(`${headers.get("Transfer-Encoding")} ${body}`), async (
    { client, url },
  ) => {
    for (
      const bodyProducer of [
        (write: BodyWriter) => {
          write("12");
          write("");
          write("34");
        },
        async (write: BodyWriter) => {
          await write("12");
          await write(new Uint8Array([51, 52]));
        },
        function* (write: BodyWriter) {
          yield* write("12");
          yield* sleep(1);
          yield* write("34");
        },
      ]
    ) {
      const response = await client.fetch(url(), { method: "POST", bodyProducer });
      assertEquals(response.text(), "chunked 1234");
    }
  }));

Deno.test("bodyProducer with a Content-Length sends as much and no chunks", () =>
  answering(
    ({ raw }) => answer(raw.slice(raw.indexOf("\r\n\r\n") + 4)),
    async ({ client, url }) => {
      const headers = { "Content-Length": "4" };
      const send = (...pieces: string[]) =>
        client.fetch(url(), {
          method: "PUT",
          headers,
          bodyProducer: async (write) => {
            for (const piece of pieces) await write(piece);
          },
        });
      assertEquals((await send("12", "34")).text(), "1234");
      assertInstanceOf(await assertRejects(() => send("12", "345").then()), HTTPOutputError);
      assertInstanceOf(await assertRejects(() => send("123").then()), HTTPOutputError);
      assertEquals((await send("1234")).text(), "1234");
    },
  ));

Deno.test("bodyProducer is slowed down by a server that does not read", () => {
  const gate = new Future<void>();
  let written = 0;
  return answering(function* (_asked, { readBody }) {
    yield* gate;
    return answer(String((yield* readBody()).length));
  }, async ({ client, url }) => {
    const total = 20_000_000;
    const fetching = client.fetch(url(), {
      method: "PUT",
      bodyProducer: async (write) => {
        for (; written < total; written += 100_000) await write(new Uint8Array(100_000));
      },
    });
    await until(() => written > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert(written < total, `${written} of ${total} bytes went into a buffer`);
    gate.setResult(undefined);
    assertEquals((await fetching).text(), String(total));
  }, { readsBody: false, maxBufferSize: 104857600 });
});

Deno.test("an answer that comes early ends the producer, and the connection", () =>
  answering(() => answer("early"), async ({ client, url, server }) => {
    let ended = false;
    const response = await client.fetch(url(), {
      method: "PUT",
      bodyProducer: function* (write) {
        try {
          yield* write("some");
          yield* new Future<void>();
        } finally {
          ended = true;
        }
      },
    });
    assertEquals([response.text(), ended], ["early", true]);
    await until(() => server.open === 0);
  }, { readsBody: false }));

Deno.test("a fetch that is cancelled cancels its producer", () =>
  answering(() => {}, async ({ client, url, server }) => {
    let ended = false;
    const fetching = client.fetch(url(), {
      method: "PUT",
      bodyProducer: function* (write) {
        try {
          yield* write("some");
          yield* new Future<void>();
        } finally {
          ended = true;
        }
      },
    });
    await until(() => server.asked.length === 1);
    fetching.cancel();
    await assertRejects(() => fetching.then(), CancelledError);
    assertEquals(ended, true);
  }, { readsBody: false }));

Deno.test("expect100Continue sends the body when the server asks for it", () =>
  answering(function* ({ headers }, { stream, readBody }) {
    assertEquals([headers.get("Expect"), headers.get("Content-Length")], ["100-continue", "4"]);
    yield* sleep(5);
    assertEquals(Deno.inspect(stream), "IOStream { open, 0 bytes to read, 0 to write }");
    yield* stream.write("HTTP/1.1 100 Continue\r\n\r\n");
    return answer(yield* readBody());
  }, async ({ client, url, server }) => {
    const options = { method: "PUT", body: "1234", expect100Continue: true };
    assertEquals((await client.fetch(url(), options)).text(), "1234");
    assertEquals((await client.fetch(url(), options)).text(), "1234");
    assertEquals(server.connections, 1);
  }, { readsBody: false }));

Deno.test("expect100Continue does not send the body where the answer comes at once", () =>
  answering(() => answer("no", "", "403 Forbidden"), async ({ client, url, server }) => {
    let produced = 0;
    const response = await client.fetch(url(), {
      method: "POST",
      bodyProducer: () => void produced++,
      expect100Continue: true,
      raiseError: false,
    });
    assertEquals([response.code, response.text(), produced], [403, "no", 0]);
    await until(() => server.open === 0); // what it was promised will not come
  }, { readsBody: false }));

Deno.test("expect100Continue is not asked for where there is no body", () =>
  answering(({ headers }) => answer(String(headers.get("Expect"))), async ({ client, url }) => {
    assertEquals((await client.fetch(url(), { expect100Continue: true })).text(), "null");
    const options = { method: "PUT", body: "", expect100Continue: true };
    assertEquals((await client.fetch(url(), options)).text(), "null");
  }));

const TEXT = "what is sent is what comes out, again and again ".repeat(1000);
const CODINGS = {
  "gzip": gzipSync,
  "x-gzip": gzipSync,
  "deflate": deflateSync,
  "Deflate": deflateRawSync,
  "br": brotliCompressSync,
} as const;

for (const [coding, compress] of Object.entries(CODINGS)) {
  const compressed = text(compress(TEXT));
  const field = `Content-Encoding: ${coding}\r\n`;

  Deno.test(`fetch() takes off the coding ${coding} (${compress.name})`, () =>
    answering(() => answer(compressed, field), async ({ client, url, server }) => {
      const response = await client.fetch(url());
      assertEquals(response.text(), TEXT);
      assertEquals([
        response.headers.get("Content-Encoding"),
        response.headers.get("X-Consumed-Content-Encoding"),
        server.asked[0]!.headers.get("Accept-Encoding"),
      ], [null, coding.toLowerCase(), "gzip"]);
    }));

  Deno.test(`fetch() leaves the coding ${coding} (${compress.name}) if it shall`, () =>
    answering(() => answer(compressed, field), async ({ client, url, server }) => {
      for (const options of [{ decompressResponse: false }, { useGzip: false }]) {
        const response = await client.fetch(url(), options);
        assertEquals(text(response.body), compressed);
        assertEquals(response.headers.get("Content-Encoding"), coding);
      }
      assertEquals(server.asked[0]!.headers.get("Accept-Encoding"), null);
    }));

  Deno.test(`fetch() counts what comes out of ${coding} (${compress.name})`, async () => {
    await answering(() => answer(compressed, field), async ({ client, url }) => {
      const response = await client.fetch(url(), { maxBodySize: TEXT.length });
      assertEquals(response.body.length, TEXT.length);
      const error = await assertRejects(() =>
        client.fetch(url(), { maxBodySize: TEXT.length - 1 }).then()
      );
      assertInstanceOf(error, HTTPStreamClosedError);
      assertStringIncludes(error.message, `larger than ${TEXT.length - 1} bytes`);
    });
  });

  Deno.test(`fetch() fails where ${coding} (${compress.name}) is damaged or cut off`, async () => {
    const cut = [compressed.slice(0, -1), compressed.slice(0, 20)];
    for (const body of ["no such thing at all", ...cut]) {
      await answering(() => answer(body, field), async ({ client, url }) => {
        const error = await assertRejects(() => client.fetch(url()).then());
        assertInstanceOf(error, HTTPStreamClosedError);
        assertInstanceOf(error.cause, DecompressionError);
      });
    }
  });

  Deno.test(`fetch() drops what comes behind the end of ${coding} (${compress.name})`, () =>
    answering(() => answer(`${compressed}behind`, field), async ({ client, url }) => {
      assertEquals((await client.fetch(url())).text(), TEXT);
    }));

  Deno.test(`fetch() takes an empty body for ${coding} (${compress.name})`, () =>
    answering(
      ({ method }) => method === "HEAD" ? `HTTP/1.1 200 OK\r\n${field}\r\n` : answer("", field),
      async ({ client, url }) => {
        assertEquals((await client.fetch(url())).text(), "");
        const { headers } = await client.fetch(url(), { method: "HEAD" });
        assertEquals(headers.get("Content-Encoding"), coding);
      },
    ));

  Deno.test(`fetch() takes ${coding} (${compress.name}) byte by byte in chunks`, () => {
    const small = text(compress("hello"));
    const chunks = [...small].map((byte) => `1\r\n${byte}\r\n`);
    return answering(
      () => [`${CHUNKED.slice(0, -2)}${field}\r\n`, ...chunks, "0\r\n\r\n"],
      async ({ client, url, server }) => {
        assertEquals((await client.fetch(url())).text(), "hello");
        assertEquals((await client.fetch(url())).text(), "hello");
        assertEquals(server.connections, 1);
      },
    );
  });
}

Deno.test("fetch() leaves a coding that it does not know", () =>
  answering(() => answer("abc", "Content-Encoding: zstd\r\n"), async ({ client, url }) => {
    const response = await client.fetch(url());
    assertEquals([response.text(), response.headers.get("Content-Encoding")], ["abc", "zstd"]);
  }));

Deno.test("fetch() sends the Accept-Encoding it was given", () =>
  answering(({ headers }) => answer(headers.get("Accept-Encoding")!), async ({ client, url }) => {
    const response = await client.fetch(url(), { headers: { "Accept-Encoding": "br" } });
    assertEquals(response.text(), "br");
  }));

Deno.test("stream() gives head, body piece by piece, and the end", () =>
  answering(
    () => [CHUNKED, "3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"],
    async ({ client, url }) => {
      const response = await client.stream(url());
      assertEquals([response.code, response.reason], [200, "OK"]);
      assertEquals(response.headers.get("Transfer-Encoding"), "chunked");
      const pieces: string[] = [];
      for await (const piece of response) pieces.push(text(piece));
      assertEquals(pieces, ["one", "two"]);
      assertEquals((await response.finished).code, 200);
      const again = await client.stream(new HTTPRequest(url()));
      pieces.length = 0;
      for await (const piece of again) pieces.push(text(piece));
      assertEquals(pieces, ["one", "two"]);
    },
  ));

Deno.test("stream() does not fail for a status", () =>
  answering(() => answer("no", "", "404 Gone"), async ({ client, url }) => {
    const response = await client.stream(url());
    const pieces = await Array.fromAsync(response, text);
    assertEquals([response.code, response.reason, pieces], [404, "Gone", ["no"]]);
  }));

Deno.test("stream() fails without a head; its body where it is cut off", async () => {
  await answering(() => null, async ({ client, url }) => {
    await assertRejects(() => client.stream(url()).then(), HTTPStreamClosedError);
  });
  await answering(function* (_asked, { stream }) {
    yield* stream.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
    return null;
  }, async ({ client, url }) => {
    const response = await client.stream(url());
    const pieces: string[] = [];
    await assertRejects(async () => {
      for await (const piece of response) pieces.push(text(piece));
    }, HTTPStreamClosedError);
    assertEquals(pieces, ["hell"]);
  });
});

Deno.test("stream() gives the rest up when its loop is left, or it is cancelled", () =>
  answering(function* (_asked, { stream }) {
    yield* stream.write(CHUNKED);
    for (;;) yield* stream.write("3\r\none\r\n");
  }, async ({ client, url, server }) => {
    for await (const piece of await client.stream(url())) {
      assert(piece.length > 0);
      break;
    }
    await until(() => server.open === 0);
    const response = await client.stream(url());
    response.cancel("enough");
    await assertRejects(() => response.finished.then(), CancelledError);
    await until(() => server.open === 0);
    const opening = client.stream(url());
    opening.cancel();
    await assertRejects(() => opening.then(), CancelledError);
  }));

Deno.test("stream() and readServerSentEvents() read events as they come", () =>
  answering(
    () => [CHUNKED, "a\r\ndata: one\n\r\n", "1\r\n\n\r\n", "9\r\ndata: 2\n\n\r\n", "0\r\n\r\n"],
    async ({ client, url }) => {
      const seen: string[] = [];
      const response = await client.stream(url(), { requestTimeout: 0 });
      for await (const { data } of readServerSentEvents(response)) seen.push(data);
      assertEquals(seen, ["one", "2"]);
    },
  ));

Deno.test("a refused status carries its body", () =>
  answering(() => answer("why", "", "500 Broken"), async ({ client, url }) => {
    const error = await assertRejects(() => client.fetch(url()).then(), HTTPClientError);
    assertEquals([error.code, error.response?.text()], [500, "why"]);
  }));

Deno.test("streamingCallback is given nothing that was not sent when br is cut off at any byte", async () => {
  const plain = "what is sent is what comes out ".repeat(20);
  const compressed = text(brotliCompressSync(plain));
  let length = 0;
  const cut = () => answer(compressed.slice(0, length), "Content-Encoding: br\r\n");
  await answering(cut, async ({ client, url }) => {
    for (length = 1; length < compressed.length; length++) {
      let seen = "";
      const streamingCallback = (chunk: Uint8Array) => void (seen += text(chunk));
      const error = await assertRejects(() => client.fetch(url(), { streamingCallback }).then());
      assertInstanceOf(error, HTTPStreamClosedError);
      assertInstanceOf(error.cause, DecompressionError);
      assertEquals(seen, plain.slice(0, seen.length));
    }
  });
});
