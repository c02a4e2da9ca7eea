import { assertEquals } from "@std/assert";
import { expectLog } from "../../testing/mod.ts";
import { appLog, IOLoop } from "../../ioloop/mod.ts";
import type { HTTPServer, HTTPServerOptions } from "../../http/mod.ts";
import { Application, type ApplicationSettings, type Route } from "../../web/mod.ts";
import { ask, type RawAnswer, type RawRequest } from "../http/_raw_client.ts";

/** What the body of a test works with. */
export interface Served {
  readonly app: Application;
  readonly server: HTTPServer;
  readonly port: number;
  /** Asks over a connection of its own. */
  ask(method: string, path: string, request?: RawRequest): Promise<RawAnswer>;
  /** Asks with GET. */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<RawAnswer>;
}

/**
 * Serves `routes` in a loop of its own while `body` runs. It is an error when the application
 * logs one that the body does not expect, or when a connection stays open.
 */
export async function serve(
  routes: readonly Route[],
  body: (served: Served) => Promise<void>,
  settings: ApplicationSettings = {},
  options: HTTPServerOptions = {},
): Promise<void> {
  const { matched } = await expectLog(appLog, "", () =>
    new IOLoop().run(async () => {
      const app = new Application(routes, settings);
      const server = app.listen(0, "127.0.0.1", options);
      const { port } = server.addresses[0] as Deno.NetAddr;
      try {
        await body({
          app,
          server,
          port,
          ask: (method, path, request) => ask(port, method, path, request),
          get: (path, headers = {}) => ask(port, "GET", path, { headers }),
        });
      } finally {
        server.stop();
        await server.closeAllConnections();
      }
    }, { timeout: 20_000 }), { required: false });
  assertEquals(matched, [], "the application logged errors that were not expected");
}
