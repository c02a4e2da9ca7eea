import { assertEquals } from "@std/assert";
import { appLog, IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import {
  HTTPHeaders,
  HTTPServer,
  type HTTPServerOptions,
  type HTTPServerRequest,
} from "../../http/mod.ts";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { RawClient } from "./_raw_client.ts";

/** A function as application. */
export type App = (request: HTTPServerRequest) => unknown;

/** Answers whole. */
export function answer(
  { connection }: HTTPServerRequest,
  body: string | Uint8Array = "",
  code = 200,
): void {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  connection.writeHeaders(
    { code, reason: "OK" },
    new HTTPHeaders({ "Content-Length": `${bytes.length}` }),
  );
  if (bytes.length > 0) connection.write(bytes);
  connection.finish();
}

/** Answers with what was asked. */
export function echo(request: HTTPServerRequest): void {
  answer(request, `${request.method} ${request.uri} ${new TextDecoder().decode(request.body)}`);
}

/** Serves on a real port while `body` runs; an error in the log of the application is one. */
export async function serve(
  app: App,
  body: (port: number, server: HTTPServer) => Promise<void>,
  options: HTTPServerOptions = {},
): Promise<void> {
  await withoutErrors(() =>
    new IOLoop().run(async () => {
      const server = new HTTPServer(app, options);
      server.listen(0, "127.0.0.1");
      const { port } = server.addresses[0] as Deno.NetAddr;
      try {
        await body(port, server);
      } finally {
        server.stop();
        await server.closeAllConnections();
      }
    }, { timeout: 20_000 })
  );
}

/** What a test works with whose connection is in memory and whose clock stands still. */
export interface Faked {
  readonly server: HTTPServer;
  readonly client: RawClient;
  /** The end of the client. */
  readonly far: MemoryConn;
  /** The end of the server. */
  readonly near: MemoryConn;
  /** Moves the clock on; 0 only lets everything come to rest. */
  readonly tick: (ms: number) => Promise<void>;
}

/** Serves one connection in memory, with a clock that stands still. */
export async function serveInMemory(
  app: App,
  body: (faked: Faked) => Promise<void>,
  options: HTTPServerOptions = {},
): Promise<void> {
  await withoutErrors(async () => {
    const { loop, tick } = fakeLoop({ start: 1_000_000 });
    const running = loop.start();
    const server = new HTTPServer(app, { ...options, ioLoop: loop });
    const [near, far] = memoryPair();
    const stream = new IOStream(near, { ioLoop: loop });
    server.handleStream(stream, { transport: "tcp", hostname: "192.0.2.1", port: 1 });
    try {
      await body({ server, client: new RawClient(far), far, near, tick });
    } finally {
      server.closeAllConnections();
      if (!far.closed()) far.close();
      await tick(10_000);
      loop.stop();
      await running;
    }
  });
}

async function withoutErrors(body: () => Promise<void>): Promise<void> {
  const { matched } = await expectLog(appLog, "", body, { required: false });
  assertEquals(matched, [], "errors in the log that were not expected");
}
