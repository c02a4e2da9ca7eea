import { Future, type Timeout } from "../ioloop/mod.ts";
import {
  type IOStream,
  StreamClosedError,
  TCPServer,
  type TCPServerOptions,
} from "../iostream/mod.ts";
import { formatTimestamp } from "./timestamp.ts";
import type { Upgraded } from "./connection.ts";
import { AnswerHeads } from "./answer_heads.ts";
import { RequestParser } from "./request_parser.ts";
import { HTTP1ServerConnection } from "./server_connection.ts";
import type { ConnectionLimits, ServerConnectionHost } from "./server_connection.ts";
import type { HTTPServerRequest } from "./request.ts";

const LONGEST_SWEEP_MS = 1000;
const SHORTEST_SWEEP_MS = 10;

/**
 * Is given the requests of a server: a function, or an object such as an Application. Either
 * may be plain, async or a generator; what it throws is logged and answered with 500.
 */
export type HTTPServerApp =
  | ((request: HTTPServerRequest) => unknown)
  | { handleRequest(request: HTTPServerRequest): unknown };

/** Options of {@linkcode HTTPServer}; every limit is on by default. */
export interface HTTPServerOptions extends TCPServerOptions {
  /**
   * Whether every answer closes its connection.
   *
   * @default {false}
   */
  noKeepAlive?: boolean;
  /**
   * The most bytes of a start line with its header fields; more is answered with 431, or
   * 414 when it is the start line.
   *
   * @default {65536}
   */
  maxHeaderSize?: number;
  /**
   * The most header fields; more is answered with 431.
   *
   * @default {1000}
   */
  maxHeaderCount?: number;
  /**
   * The most bytes of a chunk's size with its extension.
   *
   * @default {64}
   */
  maxChunkLineSize?: number;
  /** The most bytes of a body, by default `maxBufferSize`; more is answered with 413. */
  maxBodySize?: number;
  /**
   * The ms between requests, and before the first, after which a connection is closed.
   *
   * @default {3600000}
   */
  idleConnectionTimeout?: number;
  /**
   * The ms for a whole head, from its first byte; then the answer is 408.
   *
   * @default {60000}
   */
  headerTimeout?: number;
  /** The ms for a whole body; without it there is no limit. */
  bodyTimeout?: number;
  /**
   * The ms in which a client must take something of what is written to it.
   *
   * @default {60000}
   */
  writeTimeout?: number;
  /** What `request.protocol` says; by default it follows the connection. */
  protocol?: "http" | "https";
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
 *     request.connection.writeHeaders(200, "OK", headers);
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
export class HTTPServer extends TCPServer implements ServerConnectionHost {
  /** The limits of its connections. @ignore */
  readonly limits: ConnectionLimits;
  /** See {@linkcode ServerConnectionHost.heads}. @ignore */
  readonly heads: AnswerHeads = new AnswerHeads();
  /** See {@linkcode ServerConnectionHost.parser}. @ignore */
  parser: RequestParser;
  /** See {@linkcode ServerConnectionHost.precision}. @ignore */
  readonly precision: number;
  /** See {@linkcode ServerConnectionHost.now}. @ignore */
  now = 0;
  /** See {@linkcode ServerConnectionHost.dateField}. @ignore */
  dateField = "";
  /** See {@linkcode ServerConnectionHost.closing}. @ignore */
  closing = false;

  readonly #app: { handleRequest(request: HTTPServerRequest): unknown };
  readonly #protocol: "http" | "https" | undefined;
  readonly #connections = new Set<HTTP1ServerConnection>();
  readonly #upgraded = new Set<Upgraded>();
  #sweep: Timeout | null = null; // there while there are connections
  #whenEmpty: Future<void>[] = [];

  /** Makes a server that gives its requests to `app`. */
  constructor(app: HTTPServerApp, options: HTTPServerOptions = {}) {
    super(options);
    this.#app = typeof app === "function" ? { handleRequest: app } : app;
    this.#protocol = options.protocol;
    this.limits = {
      noKeepAlive: options.noKeepAlive ?? false,
      maxHeaderSize: options.maxHeaderSize ?? 65536,
      maxHeaderCount: options.maxHeaderCount ?? 1000,
      maxChunkLineSize: options.maxChunkLineSize ?? 64,
      maxBodySize: options.maxBodySize ?? options.maxBufferSize ?? 104857600,
      idleConnectionTimeout: options.idleConnectionTimeout ?? 3_600_000,
      headerTimeout: options.headerTimeout ?? 60_000,
      bodyTimeout: options.bodyTimeout ?? Infinity,
      writeTimeout: options.writeTimeout ?? 60_000,
    };
    this.parser = new RequestParser(this.limits);
    const { idleConnectionTimeout, headerTimeout, bodyTimeout, writeTimeout } = this.limits;
    const shortest = Math.min(idleConnectionTimeout, headerTimeout, bodyTimeout, writeTimeout);
    this.precision = Math.max(SHORTEST_SWEEP_MS, Math.min(shortest / 8, LONGEST_SWEEP_MS));
  }

  /** Serves a connection. */
  override handleStream(stream: IOStream, address: Deno.Addr): void {
    if (this.#sweep === null) this.#startSweep();
    const remoteIp = "hostname" in address ? address.hostname : "0.0.0.0";
    const protocol = this.#protocol ?? "http";
    this.#connections.add(new HTTP1ServerConnection(stream, this, remoteIp, protocol));
  }

  /** Closes all connections at once; the Future is done when none is left. */
  closeAllConnections(): Future<void> {
    for (const connection of [...this.#connections]) connection.close();
    for (const upgraded of [...this.#upgraded]) upgraded.close();
    return this.#empty();
  }

  /**
   * Ends the server: it stops accepting, idle connections close, answers in progress carry
   * `Connection: close`, WebSockets are told to go. What is left after `grace` ms is cut.
   */
  shutdown({ grace = 10_000 }: ShutdownOptions = {}): Future<ShutdownResult> {
    this.closing = true;
    this.stop();
    for (const connection of [...this.#connections]) connection.shutdown();
    for (const upgraded of [...this.#upgraded]) upgraded.shutdown();
    const result = new Future<ShutdownResult>();
    let cut = 0;
    const timeout = this.ioLoop.callLater(grace, () => {
      cut = this.#connections.size + this.#upgraded.size;
      // The error keeps the streams from lingering on clients that may never read.
      const error = new StreamClosedError("cut by the shutdown of the server");
      for (const connection of [...this.#connections]) connection.close(error);
      for (const upgraded of [...this.#upgraded]) upgraded.close();
    });
    this.#empty()._listen({
      _settled: () => {
        this.ioLoop.removeTimeout(timeout);
        result.setResult({ cut });
      },
    });
    return result;
  }

  /** See {@linkcode ServerConnectionHost.handle}. @ignore */
  handle(request: HTTPServerRequest): unknown {
    return this.#app.handleRequest(request);
  }

  /** See {@linkcode ServerConnectionHost.forget}. @ignore */
  forget(connection: HTTP1ServerConnection, upgraded?: Upgraded): void {
    this.#connections.delete(connection);
    if (upgraded !== undefined) {
      this.#upgraded.add(upgraded);
      upgraded.onEnd = () => {
        this.#upgraded.delete(upgraded);
        this.#checkEmpty();
      };
      if (this.closing) upgraded.shutdown();
    }
    this.#checkEmpty();
  }

  // One timer looks after all connections: a request costs no timer of its own, only the
  // note of a deadline. It runs while there are connections, and keeps the date.
  #startSweep(): void {
    this.now = this.ioLoop.time();
    this.dateField = `Date: ${formatTimestamp(Date.now())}\r\n`;
    this.#sweep = this.ioLoop.callLater(this.precision, () => {
      this.#startSweep();
      for (const connection of this.#connections) connection._checkTimes(this.now);
      const { writeTimeout } = this.limits;
      for (const upgraded of this.#upgraded) upgraded.checkTimes(this.now, writeTimeout);
    });
  }

  #empty(): Future<void> {
    const future = new Future<void>();
    this.#whenEmpty.push(future);
    this.#checkEmpty();
    return future;
  }

  #checkEmpty(): void {
    if (this.#connections.size > 0 || this.#upgraded.size > 0) return;
    if (this.#sweep !== null) this.ioLoop.removeTimeout(this.#sweep);
    this.#sweep = null;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const future of waiting) future._settle(1, undefined);
  }
}
