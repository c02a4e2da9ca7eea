// The client against servers of other makes, plain and over TLS. Each offers the same paths:
// `/hello`, `/large` (1 MB, chunked where the server likes that), `/echo`, `/redirect`.
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createServer as createTlsServer } from "node:https";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { IOLoop } from "../../ioloop/mod.ts";
import { HTTPClientError, SimpleAsyncHTTPClient } from "../../http/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { authority, localhost } from "../iostream/_certificates.ts";
import { installed } from "../examples/_programs.ts";
import { until } from "./_raw_client.ts";

const LARGE = "0123456789".repeat(100_000);

/** A server that runs: its two ports, and how it ends. */
interface Running {
  readonly plain: number;
  readonly secure: number;
  readonly stop: () => Promise<void>;
  /** Whether it offers no more than files: `/hello` and `/large`. */
  readonly onlyFiles?: boolean;
}

interface Kind {
  readonly name: string;
  readonly start: (folder: string) => Promise<Running>;
  readonly ignore?: boolean;
}

async function answerFetch(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  switch (pathname) {
    case "/hello":
      return new Response("hello");
    case "/large":
      return new Response(new Blob([LARGE]).stream());
    case "/echo":
      return new Response(`${request.method} ${await request.text()}`);
    case "/redirect":
      return new Response(null, { status: 302, headers: { Location: "/hello" } });
    default:
      return new Response("no", { status: 404 });
  }
}

async function answerNode(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks = await Array.fromAsync(request);
  const body = chunks.map(String).join("");
  if (request.url === "/redirect") response.writeHead(302, { Location: "/hello" }).end();
  else if (request.url === "/hello") response.end("hello");
  else if (request.url === "/echo") response.end(`${request.method} ${body}`);
  else if (request.url === "/large") {
    for (let at = 0; at < LARGE.length; at += 50_000) response.write(LARGE.slice(at, at + 50_000));
    response.end();
  } else response.writeHead(404).end("no");
}

function startDeno(): Promise<Running> {
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const plain = Deno.serve(options, answerFetch);
  const secure = Deno.serve({ ...options, ...localhost }, answerFetch);
  return Promise.resolve({
    plain: (plain.addr as Deno.NetAddr).port,
    secure: (secure.addr as Deno.NetAddr).port,
    stop: async () => void await Promise.all([plain.shutdown(), secure.shutdown()]),
  });
}

async function startNode(): Promise<Running> {
  const plain = createServer(answerNode);
  const secure = createTlsServer(localhost, answerNode);
  const servers = [plain, secure];
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))),
  );
  return {
    plain: (plain.address() as AddressInfo).port,
    secure: (secure.address() as AddressInfo).port,
    stop: async () => {
      await Promise.all(servers.map((server) => {
        const closed = new Promise((done) => server.close(done));
        server.closeAllConnections();
        return closed;
      }));
    },
  };
}

class Hello extends RequestHandler {
  override get(): void {
    this.write("hello");
  }
}

class Large extends RequestHandler {
  override *get() {
    for (let at = 0; at < LARGE.length; at += 50_000) {
      this.write(LARGE.slice(at, at + 50_000));
      yield* this.flush();
    }
  }
}

class Echo extends RequestHandler {
  override post(): void {
    this.write(`${this.request.method} ${new TextDecoder().decode(this.request.body)}`);
  }
}

class Redirect extends RequestHandler {
  override get(): void {
    this.redirect("/hello");
  }
}

function startOwn(): Promise<Running> {
  const application = new Application([
    ["/hello", Hello],
    ["/large", Large],
    ["/echo", Echo],
    ["/redirect", Redirect],
  ]);
  const plain = application.listen(0, "127.0.0.1");
  const secure = application.listen(0, "127.0.0.1", { sslOptions: localhost });
  return Promise.resolve({
    plain: (plain.addresses[0] as Deno.NetAddr).port,
    secure: (secure.addresses[0] as Deno.NetAddr).port,
    stop: async () => void await Promise.all([plain.shutdown(), secure.shutdown()]),
  });
}

/** Starts a program and waits until it accepts on both ports. */
async function startProgram(
  program: string,
  args: readonly string[],
  [plain, secure]: readonly [number, number],
): Promise<Running> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  for (const port of [plain, secure]) await accepts(port);
  return {
    plain,
    secure,
    stop: async () => {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function accepts(port: number): Promise<void> {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function freePorts(): [number, number] {
  const bound = [bindUnusedPort(), bindUnusedPort()] as const;
  for (const { listener } of bound) listener.close();
  return [bound[0].port, bound[1].port];
}

async function writeCertificate(folder: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/cert.pem`, localhost.cert);
  await Deno.writeTextFile(`${folder}/key.pem`, localhost.key);
}

async function startNginx(folder: string): Promise<Running> {
  const ports = freePorts();
  await writeCertificate(folder);
  await Deno.mkdir(`${folder}/www`);
  await Deno.writeTextFile(`${folder}/www/hello`, "hello");
  await Deno.writeTextFile(`${folder}/www/large`, LARGE);
  const server = `
      root ${folder}/www;
      gzip on;
      gzip_types *;
      location = /echo { return 200 "$request_method echo"; }
      location = /redirect { return 302 /hello; }`;
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off;
    pid ${folder}/pid;
    error_log ${folder}/error.log;
    worker_processes 1;
    events { worker_connections 64; }
    http {
      access_log off;
      client_body_temp_path ${folder};
      proxy_temp_path ${folder};
      fastcgi_temp_path ${folder};
      uwsgi_temp_path ${folder};
      scgi_temp_path ${folder};
      server { listen 127.0.0.1:${ports[0]}; ${server} }
      server {
        listen 127.0.0.1:${ports[1]} ssl;
        ssl_certificate ${folder}/cert.pem;
        ssl_certificate_key ${folder}/key.pem;
        ${server}
      }
    }`,
  );
  const args = ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`];
  return { ...await startProgram("nginx", args, ports), onlyFiles: true };
}

const TORNADO = `
import asyncio, ssl, sys
from tornado import httpserver, web

LARGE = b"0123456789" * 100000

class Hello(web.RequestHandler):
    def get(self):
        self.write("hello")

class Large(web.RequestHandler):
    async def get(self):
        for at in range(0, len(LARGE), 50000):
            self.write(LARGE[at:at + 50000])
            await self.flush()

class Echo(web.RequestHandler):
    def post(self):
        self.write(self.request.method + " " + self.request.body.decode())

async def main():
    folder, plain, secure = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    app = web.Application([
        ("/hello", Hello), ("/large", Large), ("/echo", Echo),
        ("/redirect", web.RedirectHandler, {"url": "/hello", "permanent": False}),
    ], compress_response=True)
    app.listen(plain, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    httpserver.HTTPServer(app, ssl_options=context).listen(secure, "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
`;

async function startTornado(folder: string): Promise<Running> {
  const ports = freePorts();
  await writeCertificate(folder);
  await Deno.writeTextFile(`${folder}/server.py`, TORNADO);
  const args = [`${folder}/server.py`, folder, ...ports.map(String)];
  return await startProgram(await pythonWithTornado() ?? "python3", args, ports);
}

/** The Python that knows Tornado; null when there is none. */
async function pythonWithTornado(): Promise<string | null> {
  for (const program of ["python3", "/usr/bin/python3"]) {
    try {
      const { success } = await new Deno.Command(program, {
        args: ["-c", "import tornado"],
        stdout: "null",
        stderr: "null",
      }).output();
      if (success) return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}

const KINDS: readonly Kind[] = [
  { name: "our own server", start: startOwn },
  { name: "Deno.serve", start: startDeno },
  { name: "node:http", start: startNode },
  { name: "nginx", start: startNginx, ignore: !await installed("nginx") },
  { name: "Tornado", start: startTornado, ignore: await pythonWithTornado() === null },
];

for (const { name, start, ignore = false } of KINDS) {
  for (const tls of [false, true]) {
    Deno.test({
      name: `the client talks to ${name}${tls ? " over TLS" : ""}`,
      ignore,
      fn: () =>
        new IOLoop().run(async () => {
          const folder = await Deno.makeTempDir();
          const running = await start(folder);
          const client = new SimpleAsyncHTTPClient({ defaults: { caCerts: authority.cert } });
          const base = tls
            ? `https://127.0.0.1:${running.secure}`
            : `http://127.0.0.1:${running.plain}`;
          try {
            await talk(client, base, running.onlyFiles ?? false);
          } finally {
            client.close();
            await running.stop();
            await Deno.remove(folder, { recursive: true });
          }
        }, { timeout: 30_000 }),
    });
  }
}

async function talk(
  client: SimpleAsyncHTTPClient,
  base: string,
  onlyFiles: boolean,
): Promise<void> {
  const fetch = (path: string, options = {}) => client.fetch(base + path, options);
  for (let i = 0; i < 3; i++) assertEquals((await fetch("/hello")).text(), "hello");
  assertEquals(Deno.inspect(client), "SimpleAsyncHTTPClient { 0 active, 0 waiting, 1 idle }");
  assertEquals((await fetch("/large")).text(), LARGE);
  assertEquals((await fetch("/large", { decompressResponse: false })).text(), LARGE);
  let size = 0;
  for await (const piece of await client.stream(`${base}/large`)) size += piece.length;
  assertEquals(size, LARGE.length);
  if (!onlyFiles) {
    const method = "POST";
    assertEquals((await fetch("/echo", { method, body: "some" })).text(), "POST some");
    const bodyProducer = async (write: (chunk: string) => PromiseLike<void>) => {
      for (let i = 0; i < 10; i++) await write(String(i));
    };
    assertEquals((await fetch("/echo", { method, bodyProducer })).text(), "POST 0123456789");
    const expect100Continue = true;
    const expected = await fetch("/echo", { method, body: "some", expect100Continue });
    assertEquals(expected.text(), "POST some");
  }
  const redirected = await fetch("/redirect");
  assertEquals([redirected.text(), redirected.effectiveUrl], ["hello", `${base}/hello`]);
  assertEquals((await fetch("/hello", { method: "HEAD", raiseError: false })).body.length, 0);
  const error = await assertRejects(() => fetch("/missing").then(), HTTPClientError);
  assertStringIncludes(error.message, "HTTP 404");
  const all = await Promise.all(Array.from({ length: 30 }, () => fetch("/hello").then()));
  assertEquals(new Set(all.map((response) => response.text())), new Set(["hello"]));
  await until(() => Deno.inspect(client).includes("0 active, 0 waiting"));
}
