import { Future } from "../ioloop/mod.ts";
import {
  type DrainOptions,
  type IOStream,
  SSLIOStream,
  StreamClosedError,
  TCPServer,
  type TCPServerOptions,
} from "../iostream/mod.ts";
import { CallbackDelegate } from "./callback_delegate.ts";
import type { HTTPConnection } from "./connection.ts";
import { ConnectionHost, type RequestTaker } from "./_connection_host.ts";
import { type HTTP1ConnectionParameters, limitsOf } from "./connection_parameters.ts";
import type {
  HTTPMessageDelegate,
  HTTPServerConnectionDelegate,
  HTTPServerPeer,
} from "./delegates.ts";
import { forwardedPeer, type Forwarding } from "./_forwarded.ts";
import type { HTTPServerRequest } from "./request.ts";
import type { ServerConnection } from "./_server_connection.ts";

/**
 * Is given the requests of a server: a function, or an object such as an Application. Either
 * may be plain, async or a generator; what it throws is logged and answered with 500.
 */
export type HTTPServerApp =
  | ((request: HTTPServerRequest) => unknown)
  | {
    /** Handles a request whose body is there. */
    handleRequest(request: HTTPServerRequest): unknown;
    /**
     * Is called when a head is there. Returns who is told of the request as it arrives; null:
     * it is handled whole.
     */
    beginRequest?(request: HTTPServerRequest): HTTPMessageDelegate | null;
  };

// What an application may have of all kinds.
interface App extends Partial<HTTPServerConnectionDelegate> {
  handleRequest?(request: HTTPServerRequest): unknown;
  beginRequest?(request: HTTPServerRequest): HTTPMessageDelegate | null;
}

/** Options of {@linkcode HTTPServer}; every limit is on by default. */
export interface HTTPServerOptions
  extends TCPServerOptions, Omit<HTTP1ConnectionParameters, "decompress"> {
  /** What `request.protocol` says; by default it follows the connection. */
  protocol?: "http" | "https";
  /**
   * Whether request bodies in gzip are decompressed; limits then count what comes out.
   *
   * @default {false}
   */
  decompressRequest?: boolean;
  /**
   * Whether the fields of a proxy are trusted to say who the client is: X-Real-Ip or
   * X-Forwarded-For, and X-Scheme or X-Forwarded-Proto. Only for a server that nobody but
   * such a proxy can reach.
   *
   * @default {false}
   */
  xheaders?: boolean;
  /** Addresses of proxies, passed over from the right in X-Forwarded-For. */
  trustedDownstream?: readonly string[];
}

/** Options of {@linkcode HTTPServer.shutdown}. */
export interface ShutdownOptions {
  /**
   * The ms for answers in progress; what is not finished then is cut.
   *
   * @default {10000}
   */
  grace?: number;
}

/** Says what a shutdown did. */
export interface ShutdownResult {
  /** How many connections were cut because they did not end in time. */
  readonly cut: number;
}

/**
 * Serves HTTP/1.1 and HTTP/1.0 on connections of its own, with keep-alive and pipelining,
 * strictly by RFC 9112 and with a limit on everything a client can make it hold.
 *
 * @example A function as application
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { HTTPHeaders, HTTPServer } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const server = new HTTPServer((request) => {
 *     const headers = new HTTPHeaders({ "Content-Length": "5" });
 *     request.connection.writeHeaders({ code: 200 }, headers);
 *     request.connection.write("hello");
 *     request.connection.finish();
 *   });
 *   server.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/`));
 *   assertEquals(yield* Future.from(response.text()), "hello");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export class HTTPServer extends TCPServer implements HTTPServerConnectionDelegate {
  readonly #app: App;
  readonly #protocol: "http" | "https" | undefined;
  readonly #forwarding: Forwarding | null;
  readonly #host: ConnectionHost;

  /** Makes a server that gives its requests to `app`. */
  constructor(
    app: HTTPServerApp | HTTPServerConnectionDelegate,
    options: HTTPServerOptions = {},
  ) {
    super(options);
    this.#app = typeof app === "function" ? { handleRequest: app } : app as App;
    this.#protocol = options.protocol;
    this.#forwarding = options.xheaders
      ? { trusted: new Set(options.trustedDownstream ?? []) }
      : null;
    const { maxBufferSize = 104857600, decompressRequest = false } = options;
    const limits = limitsOf({ ...options, decompress: decompressRequest }, maxBufferSize);
    this.#host = new ConnectionHost({
      begin: this.#whoBegins(),
      handle: (request) => this.#app.handleRequest!(request),
      ended: (connection) => this.onClose(connection),
    }, limits);
  }

  /** Serves a connection. */
  override handleStream(stream: IOStream, address: Deno.Addr): void {
    const remoteIp = "hostname" in address ? address.hostname : "0.0.0.0";
    const secure = stream instanceof SSLIOStream;
    this.#host.serve(stream, remoteIp, this.#protocol ?? (secure ? "https" : "http"));
  }

  /**
   * Returns who is told of a request that begins: what the application says or, if that takes
   * whole requests, one that collects the body. A subclass may override it to take requests
   * as they arrive.
   */
  startRequest(serverConn: HTTPServerPeer, requestConn: HTTPConnection): HTTPMessageDelegate {
    if (this.#app.startRequest !== undefined) {
      return this.#app.startRequest(serverConn, requestConn);
    }
    const { request } = serverConn as ServerConnection;
    return new CallbackDelegate(request!, (request) => this.#app.handleRequest!(request));
  }

  /** Is called when a connection has ended; tells the application. */
  onClose(serverConn: HTTPServerPeer): void {
    this.#app.onClose?.(serverConn);
  }

  /** Closes all connections at once; the Future is done when none is left. */
  closeAllConnections(): Future<void> {
    this.#host.close();
    return this.#host.empty();
  }

  /**
   * Ends the server: it stops accepting, idle connections close, answers in progress carry
   * `Connection: close`, WebSockets are told to go. What is left after `grace` ms is cut.
   */
  shutdown({ grace = 10_000 }: ShutdownOptions = {}): Future<ShutdownResult> {
    const host = this.#host;
    this.stop(); // first: a client that is told to go must not come back
    host.endAll();
    const result = new Future<ShutdownResult>();
    let cut = 0;
    const timeout = this.ioLoop.callLater(grace, () => {
      cut = host.size;
      // The error keeps the streams from lingering on clients that may never read.
      host.close(new StreamClosedError("cut by the shutdown of the server"));
    });
    host.empty()._listen({
      _settled: () => {
        this.ioLoop.removeTimeout(timeout);
        result.setResult({ cut });
      },
    });
    return result;
  }

  /** Ends the server as {@linkcode shutdown} does, with `timeout` as its grace. */
  override drain({ timeout }: DrainOptions = {}): Future<ShutdownResult> {
    return this.shutdown(timeout === undefined ? {} : { grace: timeout });
  }

  // Requests that nobody takes as they arrive are spared the asking.
  #whoBegins(): RequestTaker["begin"] {
    const start = (connection: ServerConnection, request: HTTPServerRequest) => {
      this.#identify(request);
      return this.startRequest(connection, connection);
    };
    const own = this.startRequest !== HTTPServer.prototype.startRequest;
    const app = this.#app;
    if (own || app.handleRequest === undefined) return start;
    if (app.beginRequest === undefined && this.#forwarding === null) return null;
    return (_connection, request) => {
      this.#identify(request);
      return app.beginRequest?.(request) ?? null;
    };
  }

  #identify(request: HTTPServerRequest): void {
    if (this.#forwarding !== null) request._identify(forwardedPeer(request, this.#forwarding));
  }
}
