// HTTPServer and its peers on the wire: what is left when requests, and the limits, have
// their tests elsewhere.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { bindUnixSocket, IOStream } from "../../iostream/mod.ts";
import { HTTPHeaders, HTTPServer } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { authority, localhost } from "../iostream/_certificates.ts";
import { RawClient } from "./_raw_client.ts";
import { answer, type App, echo, serve, serveInMemory } from "./_serve.ts";
import { MANNERS, withWire } from "./_wire.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

for (
  const [what, input] of [["rubbish", "asdf\r\n\r\n"], [
    "no colon",
    "GET / HTTP/1.0\r\nfoo\r\n\r\n",
  ]] as const
) {
  Deno.test(`HTTPServer answers ${what} on a Unix socket with 400 and says so in one line`, async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/socket`;
    let came = "";
    const { matched, loggedStack } = await expectLog(
      genLog,
      /^Malformed HTTP message/,
      () =>
        new IOLoop().run(function* () {
          const server = new HTTPServer(() => assert(false, "nothing may be handled"));
          server.addListener(bindUnixSocket(path));
          const client = yield* IOStream.connect({ path });
          client.write(input);
          came = new TextDecoder().decode(yield* client.readUntilClose());
          server.stop();
          yield* server.closeAllConnections();
        }),
      { level: "info" },
    );
    await Deno.remove(directory, { recursive: true });
    assertStringIncludes(came, "HTTP/1.1 400 Bad Request\r\n");
    assertStringIncludes(came, "Connection: close\r\n");
    assertEquals([matched.length, loggedStack], [1, false]);
    assertStringIncludes(matched[0]!, "Malformed HTTP message from 0.0.0.0: ");
  });
}

Deno.test("HTTPServer keeps an HTTP/1.0 connection with a chunked body, and says Keep-Alive", () =>
  serve(echo, async (port) => {
    using client = await RawClient.connect(port);
    const input =
      "POST /a HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "4\r\nfoob\r\n2\r\nar\r\n0\r\n\r\n";
    for (let turn = 0; turn < 2; turn++) {
      await client.send(input);
      const { text, headers } = await client.answer();
      assertEquals([text, headers.get("Connection")], ["POST /a foobar", "Keep-Alive"]);
    }
  }));

Deno.test("HTTPServer sends HEAD no body that is streamed, and answers what is pipelined behind it", () => {
  const streamed: App = ({ connection, method }) => {
    connection.writeHeaders({ code: 200 }, new HTTPHeaders());
    connection.write(`${method} one`);
    connection.write(" two");
    connection.finish();
  };
  return serve(streamed, async (port) => {
    using client = await RawClient.connect(port);
    await client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + GET);
    const { status, headers } = await client.answer("HEAD");
    assertEquals([status, headers.has("Transfer-Encoding")], [200, false]);
    assertEquals((await client.answer()).text, "GET one two");
  });
});

Deno.test("HTTPServer closes behind an answer to a request whose body did not come whole", () =>
  new IOLoop().run(async () => {
    let told = "";
    const server = new HTTPServer({
      handleRequest: echo,
      beginRequest: (request) => ({
        headersReceived() {
          answer(request, "early");
        },
        dataReceived() {
          told += "data ";
        },
        finish() {
          told += "finish ";
        },
        onConnectionClose() {
          told += "closed ";
        },
      }),
    });
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    for (const sent of ["", "hel", `hello${GET}`]) {
      using client = await RawClient.connect(port);
      await client.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n${sent}`);
      assertEquals((await client.answer()).text, "early");
      assertEquals(await client.rest(), "");
    }
    assertEquals(told, "closed closed closed ");
    server.stop();
    await server.closeAllConnections();
  }, { timeout: 10_000 }));

Deno.test("HTTPServer gives paths and arguments as they came over the wire", () => {
  const seen: unknown[] = [];
  const app: App = (request) => {
    const values = request.queryArguments["foo"] ?? [];
    seen.push([request.path, request.host, values.map((value) => new TextDecoder().decode(value))]);
    answer(request);
  };
  return serve(app, async (port) => {
    using client = await RawClient.connect(port);
    const targets = [
      "//path?foo=&foo=",
      "/%C3%A9%2F?foo=%C3%A9+b&%66oo=2",
      "/?foo",
      "/?bar=&foo=%",
    ];
    for (const target of targets) {
      await client.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assertEquals((await client.answer()).status, 200, target);
    }
    assertEquals(seen, [
      ["//path", "x", ["", ""]],
      ["/%C3%A9%2F", "x", ["é b", "2"]],
      ["/", "x", [""]],
      ["/", "x", ["%"]],
    ]);
  });
});

Deno.test("HTTPServer with sslOptions says https, unless its protocol option says otherwise", () =>
  new IOLoop().run(async () => {
    const client = Deno.createHttpClient({ caCerts: [authority.cert] });
    for (const protocol of [undefined, "http", "https"] as const) {
      const server = new HTTPServer((request) => answer(request, request.protocol), {
        sslOptions: localhost,
        ...protocol && { protocol },
      });
      server.listen(0, "127.0.0.1");
      const { port } = server.addresses[0] as Deno.NetAddr;
      const response = await fetch(`https://localhost:${port}/`, { client });
      assertEquals(await response.text(), protocol ?? "https");
      await server.shutdown();
    }
    client.close();
  }, { timeout: 10_000 }));

for (const manner of MANNERS) {
  Deno.test(`HTTPServer maxBodySize counts bodies by length and in chunks alike, ${manner}`, () =>
    withWire(manner, async ({ open, tick }) => {
      const fixed = (size: number) =>
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${"b".repeat(size)}`;
      const chunked = (...sizes: number[]) =>
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
        sizes.map((size) => `${size.toString(16)}\r\n${"b".repeat(size)}\r\n`).join("") +
        "0\r\n\r\n";
      const cases: [input: string, status: number][] = [
        [fixed(4096), 200],
        [fixed(4097), 413],
        [fixed(10_240), 413],
        [chunked(4096), 200],
        [chunked(1, 4095), 200],
        [chunked(4097), 413],
        [chunked(4096, 1), 413],
        [chunked(10_240), 413],
      ];
      for (const [input, status] of cases) {
        const line = open();
        line.send(input);
        await tick(0);
        assertEquals([line.statuses, line.ended], [[status], status === 413]);
        assertEquals(line.seen, status === 200 ? [`POST / ${"b".repeat(4096)}`] : []);
      }
    }, { maxBodySize: 4096 }));

  Deno.test(`HTTPServer maxBodySize 0 allows only bodies that are empty, ${manner}`, () =>
    withWire(manner, async ({ open, tick }) => {
      const post = (fields: string, body: string) =>
        `POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n${body}`;
      const cases: [input: string, status: number][] = [
        [GET, 200],
        [post("Content-Length: 0", ""), 200],
        [post("Transfer-Encoding: chunked", "0\r\n\r\n"), 200],
        [post("Content-Length: 1", "b"), 413],
        [post("Transfer-Encoding: chunked", "1\r\nb\r\n0\r\n\r\n"), 413],
      ];
      for (const [input, status] of cases) {
        const line = open();
        line.send(input);
        await tick(0);
        assertEquals(line.statuses, [status], input);
      }
    }, { maxBodySize: 0 }));
}

Deno.test("HTTPServer refuses a chunk that says it is huge once it is over maxBodySize", () =>
  serveInMemory(() => assert(false), async ({ client, tick }) => {
    await client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1fffffffffffff\r\n",
    );
    await client.send("b".repeat(10_000));
    await tick(0);
    await client.send("b");
    await tick(0);
    const { status, headers } = await client.answer();
    assertEquals([status, headers.get("Connection")], [413, "close"]);
    assertEquals(await client.rest(), "");
  }, { maxBodySize: 10_000 }));
