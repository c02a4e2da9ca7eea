// Two classes, because each needs the other: the interface makes its default implementation,
// and that implements the interface.
import type { CoroutineGenerator } from "../gen/mod.ts";
import {
  type CancelledError,
  Configurable,
  type ConfigurableClass,
  type ConfigurableOptions,
  Future,
  futureSetExceptionUnlessCancelled,
  futureSetResultUnlessCancelled,
  IOLoop,
  wrap,
} from "../ioloop/mod.ts";
import type { Override, Resolver } from "../iostream/mod.ts";
import { ClientHost, DEFAULT_MAX_BUFFER_SIZE } from "./_client_host.ts";
import { framingOf } from "./_request_head.ts";
import {
  HTTPRequest,
  type HTTPRequestOptions,
  resolveDefaults,
  type ResolvedOptions,
  type ResolvedRequest,
  resolveRequest,
} from "./client_request.ts";
import { HTTPClientError, HTTPResponse } from "./client_response.ts";
import { HTTPHeaders } from "./headers.ts";
import { BodyStream, type StreamedResponse } from "./streamed_response.ts";

const NO_ANSWER = 599;

/** Options of {@linkcode AsyncHTTPClient.create} and of the client it makes. */
export interface AsyncHTTPClientOptions {
  /**
   * Whether it makes a client of its own; otherwise there is one for each loop and class, and
   * the options are those of whoever came first.
   *
   * @default {false}
   */
  forceInstance?: boolean;
  /** What requests leave open. */
  defaults?: HTTPRequestOptions;
  /** The loop; by default the current one. */
  ioLoop?: IOLoop;
  /**
   * How many requests are in progress at a time; others wait in a queue.
   *
   * @default {10}
   */
  maxClients?: number;
  /** How many of these for one origin; without it there is no limit but `maxClients`. */
  maxClientsPerOrigin?: number;
  /**
   * Whether connections are used again.
   *
   * @default {true}
   */
  keepAlive?: boolean;
  /** How many idle connections are kept for one origin; by default as many as `maxClients`. */
  maxIdlePerOrigin?: number;
  /** How many idle connections are kept in all; by default 100, or `maxClients` if it is more. */
  maxIdle?: number;
  /**
   * The ms for which an idle connection is kept. Less, where the server says so (Keep-Alive).
   *
   * @default {30000}
   */
  idleTimeout?: number;
  /** Sends the traffic for hosts elsewhere; see {@linkcode OverrideResolver}. */
  hostnameMapping?: Readonly<Record<string, Override>>;
  /** Looks names up; by default `Resolver.create()`, which is closed with the client. */
  resolver?: Resolver;
  /**
   * The most bytes that a connection holds for reading.
   *
   * @default {104857600}
   */
  maxBufferSize?: number;
  /**
   * The most bytes of the head of an answer.
   *
   * @default {65536}
   */
  maxHeaderSize?: number;
  /** The most bytes of a body, decompressed; by default `maxBufferSize`. */
  maxBodySize?: number;
}

/** Options of {@linkcode AsyncHTTPClient.fetch}. */
export interface FetchOptions extends HTTPRequestOptions {
  /**
   * Whether a status that is no success (200 to 299) is an error.
   *
   * @default {true}
   */
  raiseError?: boolean;
}

/** Gives up what an implementation is doing for a fetch. */
export type CancelFetch = (reason: CancelledError) => void;

/**
 * Fetches URLs. `AsyncHTTPClient.create()` gives the client of the current loop, by default a
 * {@linkcode SimpleAsyncHTTPClient}; `AsyncHTTPClient.configure()` chooses another class, or
 * its options.
 *
 * @example Two at once
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Multi } from "@waterspout/waterspout/gen";
 * import { AsyncHTTPClient } from "@waterspout/waterspout/http";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Main extends RequestHandler {
 *   override get(): void {
 *     this.write("hello");
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Main]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const client = AsyncHTTPClient.create();
 *   const url = `http://127.0.0.1:${port}/`;
 *   const [one, two] = yield* Multi([client.fetch(url), client.fetch(url)]);
 *   assertEquals([one.code, two.text()], [200, "hello"]);
 *   client.close();
 *   yield* server.shutdown();
 * });
 * ```
 */
export abstract class AsyncHTTPClient extends Configurable {
  static readonly #shared = new WeakMap<IOLoop, Map<ConfigurableClass, AsyncHTTPClient>>();

  #ioLoop = IOLoop.current();
  #defaults: ResolvedOptions = resolveDefaults({}, DEFAULT_MAX_BUFFER_SIZE);
  #closed = false;

  /** Returns {@linkcode AsyncHTTPClient}. */
  static override configurableBase(): ConfigurableClass {
    return AsyncHTTPClient;
  }

  /** Returns {@linkcode SimpleAsyncHTTPClient}. */
  static override configurableDefault(): ConfigurableClass {
    return SimpleAsyncHTTPClient;
  }

  /**
   * Returns the client of the loop and of this class; with `forceInstance` a new one, whose
   * options are put over those that were configured.
   */
  static override create<C extends Configurable>(
    this: ConfigurableClass<C>,
    options: ConfigurableOptions<C> = {},
  ): C {
    const { forceInstance = false, ...rest } = options as AsyncHTTPClientOptions;
    const make = super.create as (this: ConfigurableClass<C>, options: unknown) => C;
    if (forceInstance) return make.call(this, rest);
    const loop = rest.ioLoop ?? IOLoop.current();
    let clients = AsyncHTTPClient.#shared.get(loop);
    if (clients === undefined) AsyncHTTPClient.#shared.set(loop, clients = new Map());
    let client = clients.get(this);
    if (client === undefined) {
      client = make.call(this, rest) as unknown as AsyncHTTPClient;
      clients.set(this, client);
    }
    return client as unknown as C;
  }

  /** The loop it belongs to. */
  get ioLoop(): IOLoop {
    return this.#ioLoop;
  }

  /** What requests leave open. */
  get defaults(): ResolvedOptions {
    return this.#defaults;
  }

  /** Takes the options that every client has. */
  override initialize(options: AsyncHTTPClientOptions): void {
    const { ioLoop, defaults, maxBufferSize = DEFAULT_MAX_BUFFER_SIZE } = options;
    if (ioLoop !== undefined) this.#ioLoop = ioLoop;
    this.#defaults = resolveDefaults(defaults ?? {}, options.maxBodySize ?? maxBufferSize);
  }

  /**
   * Fetches a URL, or what a request says.
   *
   * The Future fails with {@linkcode HTTPClientError}: with the status when it is no success,
   * unless `raiseError` is false; with 599 when there is no whole answer.
   * {@linkcode HTTPTimeoutError} and {@linkcode HTTPStreamClosedError} are kinds of it.
   * When TLS refuses the server, it fails with the error of TLS, `Deno.errors.InvalidData`.
   * Cancelling the Future, or the coroutine that waits for it, gives the request up.
   *
   * A `callback` is called with the response in any case; its `error` is set if the fetch
   * failed.
   *
   * @throws {TypeError} when the request cannot be sent as it is, or when there are options
   *   beside an {@linkcode HTTPRequest}.
   * @throws {RangeError} when a number is out of range.
   * @throws {Error} when the client was closed.
   */
  fetch(
    request: string | URL | HTTPRequest,
    options: FetchOptions | FetchCallback = {},
    callback?: FetchCallback,
  ): Future<HTTPResponse> {
    if (typeof options === "function") return this.fetch(request, {}, options);
    if (this.#closed) throw new Error("Cannot fetch: the client was closed");
    const { raiseError = true, ...rest } = options;
    const original = request instanceof HTTPRequest ? request : new HTTPRequest(request, rest);
    if (original === request && Object.keys(rest).length > 0) {
      throw new TypeError(
        `Cannot fetch: the options ${Object.keys(rest).join(", ")} belong into the HTTPRequest`,
      );
    }
    const resolved = resolveRequest(original, this.#defaults, this.#ioLoop.time());
    let givingUp = false;
    const future = new Future<HTTPResponse>((error) => {
      givingUp = true;
      cancel?.(error);
      givingUp = false;
    });
    const cancel = this.fetchImpl(resolved, (response) => {
      if (givingUp) return;
      if (response.error === null || response._errorIsStatus && !raiseError) {
        futureSetResultUnlessCancelled(future, response);
      } else futureSetExceptionUnlessCancelled(future, response.error);
    });
    if (this.#ioLoop._tracer !== null) {
      this.#ioLoop._tracer._note(future, `fetch ${resolved.url.host}${resolved.url.pathname}`);
    }
    if (resolved.signal !== null) cancelWith(future, resolved.signal);
    if (callback !== undefined) this.#callBack(future, original, callback);
    return future;
  }

  /**
   * Fetches as {@linkcode fetch} does, and is done when the head of the answer is there, with
   * whatever status: the body is read from the result. `requestTimeout` is for the body too.
   *
   * @throws as {@linkcode fetch} does.
   *
   * @example A body piece by piece
   * ```ts
   * import { IOLoop } from "@waterspout/waterspout/ioloop";
   * import { AsyncHTTPClient, HTTPHeaders, HTTPServer } from "@waterspout/waterspout/http";
   * import { assertEquals } from "@std/assert";
   *
   * await new IOLoop().run(async () => {
   *   const server = new HTTPServer(({ connection }) => {
   *     connection.writeHeaders({ code: 200 }, new HTTPHeaders(), "x".repeat(100_000));
   *     connection.finish();
   *   });
   *   server.listen(0, "127.0.0.1");
   *   const { port } = server.addresses[0] as Deno.NetAddr;
   *   const client = AsyncHTTPClient.create();
   *   const response = await client.stream(`http://127.0.0.1:${port}/`);
   *   let size = 0;
   *   for await (const piece of response) size += piece.length;
   *   assertEquals([response.code, size], [200, 100_000]);
   *   client.close();
   *   await server.shutdown();
   * });
   * ```
   */
  stream(
    request: string | URL | HTTPRequest,
    options: HTTPRequestOptions = {},
  ): Future<StreamedResponse> {
    const opened = new Future<StreamedResponse>((error) => void fetching.cancel(error));
    const body = new BodyStream((stream) => opened._settle(1, stream));
    const callbacks = { headerCallback: body.takeLine, streamingCallback: body.takePiece };
    const fetching = request instanceof HTTPRequest
      ? this.fetch(new HTTPRequest(request.url, { ...request, ...options, ...callbacks }), {
        raiseError: false,
      })
      : this.fetch(request, { ...options, ...callbacks, raiseError: false });
    fetching._observe(); // whoever reads the body is told
    body.follow(fetching);
    fetching._listen({
      _settled: () => {
        if (!fetching._fulfilled) opened._settle(2, fetching._value);
      },
    });
    return opened;
  }

  /**
   * Carries out a request, and calls `callback` once with the response, whatever came of it.
   * May return what gives the request up: then `callback` need not be called any more. For
   * those who implement a client.
   */
  abstract fetchImpl(
    request: ResolvedRequest,
    callback: (response: HTTPResponse) => void,
  ): CancelFetch | void;

  /** Frees what it holds; the shared client of a loop makes room for another one. */
  close(): void {
    this.#closed = true;
    const clients = AsyncHTTPClient.#shared.get(this.#ioLoop);
    for (const [type, client] of clients ?? []) {
      if (client === this) clients!.delete(type);
    }
  }

  #callBack(future: Future<HTTPResponse>, request: HTTPRequest, callback: FetchCallback): void {
    const run = wrap(() => callback(responseOf(future, request)));
    future._listen({ _settled: () => this.#ioLoop.addCallback(run) });
  }
}

/** Is called with the response, or with one that says why there is none. */
export type FetchCallback = (response: HTTPResponse) => unknown;

/**
 * Fetches over HTTP/1.1, with a pool of connections for each origin.
 *
 * @example A client of its own
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { HTTPServer, SimpleAsyncHTTPClient } from "@waterspout/waterspout/http";
 * import { HTTPHeaders } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(async () => {
 *   const server = new HTTPServer(({ connection }) => {
 *     connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "2" }), "ok");
 *     connection.finish();
 *   });
 *   server.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const client = new SimpleAsyncHTTPClient({ maxClients: 2, defaults: { userAgent: "me" } });
 *   const response = await client.fetch(`http://127.0.0.1:${port}/`);
 *   assertEquals(response.text(), "ok");
 *   client.close();
 *   await server.shutdown();
 * });
 * ```
 */
export class SimpleAsyncHTTPClient extends AsyncHTTPClient {
  #host: ClientHost;

  /** Takes the options. */
  constructor(options: AsyncHTTPClientOptions = {}) {
    super();
    super.initialize(options);
    this.#host = new ClientHost(this.ioLoop, options);
  }

  /** Takes the options, in place of those of the constructor. */
  override initialize(options: AsyncHTTPClientOptions): void {
    super.initialize(options);
    this.#host.close();
    this.#host = new ClientHost(this.ioLoop, options);
  }

  /** See {@linkcode AsyncHTTPClient.fetchImpl}. */
  override fetchImpl(
    request: ResolvedRequest,
    callback: (response: HTTPResponse) => void,
  ): CancelFetch {
    framingOf(request); // refuses what cannot be sent
    const work = this.#host.fetch(request);
    work._listen({ _settled: () => callback(responseOf(work, request.original)) });
    return (reason) => void work.cancel(reason);
  }

  /**
   * Closes all connections. What is in progress or in the queue fails with
   * {@linkcode CancelledError}.
   */
  override close(): void {
    super.close();
    this.#host.close();
  }

  /** Shows what is in progress where the client is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    const { active, waiting, idle } = this.#host.pool;
    return `SimpleAsyncHTTPClient { ${active} active, ${waiting} waiting, ${idle} idle }`;
  }
}

/**
 * Fetches one URL in a loop of its own, for scripts.
 *
 * @throws what {@linkcode AsyncHTTPClient.fetch} fails with.
 *
 * @example Nobody listens there
 * ```ts
 * import { fetchOnce, HTTPClientError } from "@waterspout/waterspout/http";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => fetchOnce("http://127.0.0.1:1/"), HTTPClientError, "599");
 * ```
 */
export async function fetchOnce(
  url: string | URL | HTTPRequest,
  options: FetchOptions = {},
): Promise<HTTPResponse> {
  const loop = new IOLoop();
  try {
    return await loop.run(function* (): CoroutineGenerator<HTTPResponse> {
      const client = new SimpleAsyncHTTPClient({ ioLoop: loop, keepAlive: false });
      try {
        return yield* client.fetch(url, options);
      } finally {
        client.close();
      }
    });
  } finally {
    loop.close();
  }
}

/** What a callback is told of a fetch that is done. */
function responseOf(done: Future<HTTPResponse>, request: HTTPRequest): HTTPResponse {
  if (done._fulfilled) return done._value as HTTPResponse;
  const cause = done._value;
  if (cause instanceof HTTPClientError && cause.response !== null) return cause.response;
  const error = cause instanceof Error ? cause : new Error(`It failed: ${cause}`, { cause });
  return new HTTPResponse(request, NO_ANSWER, new HTTPHeaders(), { error, reason: error.message });
}

function cancelWith(future: Future<unknown>, signal: AbortSignal): void {
  const abort = () => void future.cancel(signal.reason);
  signal.addEventListener("abort", abort);
  future._listen({ _settled: () => signal.removeEventListener("abort", abort) });
  if (signal.aborted) abort();
}
