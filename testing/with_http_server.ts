import type { CoroutineGenerator } from "../gen/mod.ts";
import { type Future, IOLoop } from "../ioloop/mod.ts";
import {
  AsyncHTTPClient,
  type FetchOptions,
  type HTTPResponse,
  HTTPServer,
  type HTTPServerApp,
  type HTTPServerOptions,
} from "../http/mod.ts";
import {
  type WebSocketClientConnection,
  websocketConnect,
  type WebSocketConnectOptions,
} from "../websocket/mod.ts";
import { _testTimeout } from "./async_test_timeout.ts";
import { bindUnusedPort } from "./bind_unused_port.ts";
import { _runAlone } from "./gen_test.ts";

/** Options of {@linkcode withHttpServer}: those of the server, and these. */
export interface WithHttpServerOptions extends Omit<HTTPServerOptions, "ioLoop"> {
  /**
   * The ms that `body` may take; `ASYNC_TEST_TIMEOUT` of the environment counts if it says more.
   *
   * @default {5000}
   */
  timeout?: number;
}

/** Is what the body of {@linkcode withHttpServer} is given. */
export interface HttpServerContext {
  /** The server, on 127.0.0.1. */
  readonly server: HTTPServer;
  /** The client that {@linkcode fetch} uses. */
  readonly client: AsyncHTTPClient;
  /** The loop of both. */
  readonly ioLoop: IOLoop;
  /** The port of the server. */
  readonly port: number;
  /** Returns the URL of a path of the server. */
  readonly url: (path?: string) => string;
  /**
   * Fetches a path of the server, or a full URL. A status that is no success is an error only
   * with `raiseError: true`; a certificate need not be valid.
   */
  readonly fetch: (path: string, options?: FetchOptions) => Future<HTTPResponse>;
  /** Connects to a WebSocket of the server. */
  readonly websocket: (
    path: string,
    options?: WebSocketConnectOptions,
  ) => Future<WebSocketClientConnection>;
}

/**
 * Runs `body` while a server for `app` runs on a free port of 127.0.0.1, on a loop of their own,
 * and returns what `body` does. With `sslOptions` the server speaks TLS.
 *
 * An error in a callback of the loop makes it fail, as with {@linkcode genTest}. At the end server
 * and client are closed with all their connections.
 *
 * @throws {TimeoutError} when `body` takes too long.
 * @throws what `body` throws.
 *
 * @example
 * ```ts
 * import { withHttpServer } from "@waterspout/waterspout/testing";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Hello extends RequestHandler {
 *   override get() {
 *     this.write(`hello ${this.getArgument("name")}`);
 *   }
 * }
 *
 * const app = new Application([["/", Hello]]);
 * await withHttpServer(app, function* ({ fetch }) {
 *   assertEquals((yield* fetch("/?name=you")).text(), "hello you");
 *   assertEquals((yield* fetch("/")).code, 400);
 * });
 * ```
 */
export function withHttpServer<T>(
  app: HTTPServerApp,
  body: (context: HttpServerContext) => CoroutineGenerator<T> | PromiseLike<T> | T,
  { timeout, ...serverOptions }: WithHttpServerOptions = {},
): Promise<T> {
  const ioLoop = new IOLoop();
  const server = new HTTPServer(app, { ...serverOptions, ioLoop });
  const client = AsyncHTTPClient.create({
    forceInstance: true,
    ioLoop,
    defaults: { validateCert: false },
  });
  const { listener, port } = bindUnusedPort();
  const secure = serverOptions.sslOptions === undefined ? "" : "s";
  const address = (scheme: string, path: string) => `${scheme}${secure}://127.0.0.1:${port}${path}`;
  const url = (path = "/") => address("http", path);
  const sockets = new Sockets();
  const context: HttpServerContext = {
    server,
    client,
    ioLoop,
    port,
    url,
    fetch: (path, { raiseError = false, ...options } = {}) =>
      client.fetch(/^https?:\/\//i.test(path) ? path : url(path), { ...options, raiseError }),
    websocket: (path, options) =>
      sockets.add(
        websocketConnect(address("ws", path), { ioLoop, validateCert: false, ...options }),
      ),
  };
  const limit = _testTimeout(timeout);
  return _runAlone(ioLoop, async (run) => {
    server.addListener(listener);
    try {
      return await run.call(() => body(context), limit) as T;
    } finally {
      await run.call(() => sockets.close(), limit, true);
      client.close();
      server.stop();
      await run.call(() => server.closeAllConnections(), limit, true);
    }
  });
}

// Holds the WebSockets that are to be closed.
class Sockets {
  readonly #connecting = new Set<Future<WebSocketClientConnection>>();
  readonly #open = new Map<WebSocketClientConnection, Promise<void>>(); // to their ends

  add(future: Future<WebSocketClientConnection>): Future<WebSocketClientConnection> {
    this.#connecting.add(future);
    future._listen({
      _settled: () => {
        this.#connecting.delete(future);
        if (future._fulfilled) this.#opened(future.result());
      },
    });
    return future;
  }

  async close(): Promise<void> {
    for (const future of [...this.#connecting]) future.cancel("the test is over");
    for (const connection of this.#open.keys()) connection.close();
    await Promise.all(this.#open.values());
  }

  #opened(connection: WebSocketClientConnection): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.set(connection, promise);
    connection.addCloseListener(() => {
      this.#open.delete(connection);
      resolve();
    });
  }
}
