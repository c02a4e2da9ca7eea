import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type CoroutineGenerator, moment } from "../../gen/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { bindUnixSocket, IOStream } from "../../iostream/mod.ts";
import {
  HTTPHeaders,
  HTTPInputError,
  HTTPServer,
  HTTPServerRequest,
  type HTTPServerRequestOptions,
} from "../../http/mod.ts";
import { authority, client, localhost } from "../iostream/_certificates.ts";
import { RawClient } from "./_raw_client.ts";
import { serve } from "./_serve.ts";

const decoder = new TextDecoder();

function texts(values: Record<string, Uint8Array[]>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(values).map((
      [name, list],
    ) => [name, list.map((value) => decoder.decode(value))]),
  );
}

/** Returns what `look` sees of a request whose head and body are these bytes. */
async function seen<T>(input: string, look: (request: HTTPServerRequest) => T): Promise<T> {
  let found: T | undefined;
  await serve((request) => {
    found = look(request);
    request.connection.writeHeaders({ code: 204 }, new HTTPHeaders());
    request.connection.finish();
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(input);
    await client.answer();
  });
  return found!;
}

Deno.test("HTTPServerRequest has the parts of the request line, undecoded", async () => {
  const parts = ({ method, uri, path, query, version }: HTTPServerRequest) => [
    method,
    uri,
    path,
    query,
    version,
  ];
  assertEquals(await seen("GET /a%20b?x=%C3%A4 HTTP/1.1\r\nHost: x\r\n\r\n", parts), [
    "GET",
    "/a%20b?x=%C3%A4",
    "/a%20b",
    "x=%C3%A4",
    "HTTP/1.1",
  ]);
  assertEquals(await seen("OPTIONS * HTTP/1.0\r\n\r\n", parts), [
    "OPTIONS",
    "*",
    "*",
    "",
    "HTTP/1.0",
  ]);
});

Deno.test("HTTPServerRequest takes a path that begins with two slashes for a path", async () => {
  const parts = (request: HTTPServerRequest) => [request.path, request.host, request.fullUrl()];
  assertEquals(await seen("GET //doubled/path HTTP/1.1\r\nHost: x\r\n\r\n", parts), [
    "//doubled/path",
    "x",
    "http://x//doubled/path",
  ]);
});

Deno.test("HTTPServerRequest.queryArguments keeps empty and repeated values, in bytes", async () => {
  const query = "foo=&foo=&a=%C3%A9&a=b%20c+d&%C3%A4=1&lone";
  const found = await seen(
    `GET /?${query} HTTP/1.1\r\nHost: x\r\n\r\n`,
    (request) => texts(request.queryArguments),
  );
  assertEquals(found, { foo: ["", ""], a: ["é", "b c d"], "ä": ["1"], lone: [""] });
});

Deno.test("HTTPServerRequest.arguments are those of the query, then those of the body", async () => {
  const body = "a=3&b=4";
  const found = await seen(
    `POST /?a=1&a=2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    (request) => [
      texts(request.arguments),
      texts(request.queryArguments),
      texts(request.bodyArguments),
    ],
  );
  assertEquals(found, [
    { a: ["1", "2", "3"], b: ["4"] },
    { a: ["1", "2"] },
    { a: ["3"], b: ["4"] },
  ]);
});

Deno.test("HTTPServerRequest.files has the files of a multipart body", async () => {
  const body =
    "--b\r\nContent-Disposition: form-data; name=up; filename=a.txt\r\n\r\nfile\r\n--b--";
  const files = await seen(
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    (request) => request.files,
  );
  assertEquals(
    files["up"]!.map(({ filename, contentType, body }) => [
      filename,
      contentType,
      decoder.decode(body),
    ]),
    [["a.txt", "application/unknown", "file"]],
  );
});

Deno.test("HTTPServerRequest host, hostName, cookies, requestTime() and toString()", async () => {
  const found = await seen(
    "GET /?secret=1 HTTP/1.1\r\nHost: EXAMPLE.com:8080\r\nCookie: a=1; broken; b=2\r\n" +
      "Authorization: Basic c2VjcmV0\r\n\r\n",
    (request) => {
      assert(request.requestTime() >= 0);
      assert(request.supportsHttp11());
      assertEquals(request.getSslCertificate(), null);
      return [request.host, request.hostName, request.cookies["b"], `${request}`];
    },
  );
  assertEquals(found.slice(0, 3), ["EXAMPLE.com:8080", "example.com", "2"]);
  assertMatch(
    found[3]!,
    /^HTTPServerRequest\(protocol=http, host=EXAMPLE.com:8080, method=GET, uri=\/\?secret=1, version=HTTP\/1.1, remoteIp=127.0.0.1\)$/,
  );
});

Deno.test("HTTPServerRequest of a Unix socket comes from 0.0.0.0", async () => {
  const path = await Deno.makeTempDir() + "/socket";
  const ips: string[] = [];
  await new IOLoop().run(function* () {
    const server = new HTTPServer((request) => {
      ips.push(request.remoteIp);
      request.connection.writeHeaders({ code: 204 }, new HTTPHeaders());
      request.finish();
    });
    server.addListener(bindUnixSocket(path));
    const client = yield* IOStream.connect({ path });
    client.write("GET / HTTP/1.0\r\n\r\n");
    yield* client.readUntilClose();
    server.stop();
    yield* server.closeAllConnections();
  });
  assertEquals(ips, ["0.0.0.0"]);
});

Deno.test("HTTPServerRequest.signal is aborted when the client leaves, and not by the answer", async () => {
  const signals: AbortSignal[] = [];
  await serve((request) => {
    signals.push(request.signal);
    if (request.path === "/stays") {
      request.connection.writeHeaders({ code: 204 }, new HTTPHeaders());
      request.finish();
    }
  }, async (port) => {
    using stays = await RawClient.connect(port);
    await stays.send("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n");
    await stays.answer();
    const leaves = await RawClient.connect(port);
    await leaves.send("GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n");
    while (signals.length < 2) await new Promise(setImmediate);
    leaves.close();
    while (!signals[1]!.aborted) await new Promise(setImmediate);
    assert(!signals[0]!.aborted);
  });
});

Deno.test("HTTPServerRequest.toFetchRequest() has URL, method, fields and body", async () => {
  const asked = await seen(
    "POST /x?y HTTP/1.1\r\nHost: example.com\r\nX-In: in\r\nContent-Length: 4\r\n\r\nbody",
    (request) => request.toFetchRequest(),
  );
  assertEquals([asked.method, asked.url, asked.headers.get("x-in"), await asked.text()], [
    "POST",
    "http://example.com/x?y",
    "in",
    "body",
  ]);
});

Deno.test("HTTPServerRequest.write() and finish() go to the connection", () =>
  serve(function* (request): CoroutineGenerator {
    request.connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "2" }));
    yield* request.write("a");
    yield moment;
    yield new Promise<void>((resolve) => request.write("b", resolve));
    request.finish();
  }, async (port) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assertEquals((await client.answer()).text, "ab");
  }));

Deno.test("HTTPServerRequest.getSslCertificate() gives the client's certificate, in DER if asked", async () => {
  let seen: unknown;
  await new IOLoop().run(async () => {
    const server = new HTTPServer((request) => {
      const der = request.getSslCertificate({ binaryForm: true });
      seen = [request.protocol, request.getSslCertificate()?.subject, der![0]];
      request.connection.writeHeaders({ code: 204 }, new HTTPHeaders());
      request.finish();
    }, {
      sslOptions: { ...localhost, clientCert: "required", caCerts: authority.cert },
    });
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const http = Deno.createHttpClient({ caCerts: [authority.cert], ...client });
    await (await fetch(`https://localhost:${port}/`, { client: http })).body?.cancel();
    http.close();
    await server.shutdown({ grace: 0 });
  }, { timeout: 10_000 });
  assertEquals(seen, ["https", "CN=a client", 0x30]);
});

Deno.test("HTTPServerRequest() makes a request by hand, which a server would take", () => {
  const request = new HTTPServerRequest({
    method: "POST",
    uri: "/path?a=1",
    headers: new HTTPHeaders({ "Content-Type": "application/x-www-form-urlencoded" }),
    body: new TextEncoder().encode("b=2"),
    host: "example.com",
    peer: { remoteIp: "192.0.2.1", protocol: "https" },
  });
  assertEquals(request.fullUrl(), "https://example.com/path?a=1");
  assertEquals(texts(request.arguments), { a: ["1"], b: ["2"] });
  assertEquals([request.remoteIp, request.version], ["192.0.2.1", "HTTP/1.1"]);
  assertThrows(() => request.finish(), Error, "without a connection");
  assertEquals(new HTTPServerRequest({ uri: "/", version: "HTTP/1.0" }).host, "127.0.0.1");
  const wrong: HTTPServerRequestOptions[] = [
    { uri: "/a b" },
    { uri: "/", method: "GET /x HTTP/1.1\r\nX:" },
    { uri: "/ HTTP/1.1\r\n\r\nGET /" },
    { uri: "/", host: "bad host" },
  ];
  for (const options of wrong) {
    assertThrows(() => new HTTPServerRequest(options), HTTPInputError);
  }
});
