import { coroutine, type CoroutineGenerator } from "../gen/mod.ts";
import { CancelledError, Future, IOLoop, type Timeout, TimeoutError } from "../ioloop/mod.ts";
import {
  type IOStream,
  type SslContext,
  type SslOptions,
  sslOptionsToContext,
  StreamClosedError,
  TCPClient,
} from "../iostream/mod.ts";
import {
  encodeUsernamePassword,
  HTTPHeaders,
  HTTPInputError,
  openClientStream,
  type ProxyAddress,
} from "../http/mod.ts";
import { asciiText } from "./_utf8.ts";
import { WebSocketClientConnection } from "./client_connection.ts";
import {
  type HandshakeAnswer,
  type HandshakeOffer,
  handshakeRequest,
  makeKey,
  parseWebSocketUrl,
  readHandshakeAnswer,
} from "./client_handshake.ts";
import type {
  HandshakeOptions,
  WebSocketConnectOptions,
  WebSocketRequest,
} from "./connect_options.ts";
import { WebSocketHandshakeError } from "./errors.ts";

const CONNECT_TIMEOUT = 20_000;
const MAX_HEAD_SIZE = 65536; // interim heads included

/** Is called with the connection. */
export type ConnectCallback = (connection: WebSocketClientConnection) => unknown;

type Settings = WebSocketConnectOptions & { readonly url: URL };

/**
 * Connects to a WebSocket server. The Future fails
 *
 * - with what connecting failed with, such as `Deno.errors.ConnectionRefused`;
 * - with {@linkcode HTTPClientError} when the server answers with a status from 300 on:
 *   redirects are not followed;
 * - with {@linkcode WebSocketHandshakeError} when it answers anything else that is no
 *   WebSocket, or what was not offered;
 * - with `TimeoutError` after `connectTimeout`.
 *
 * Cancelling it closes the connection.
 *
 * @example Ask and read the answer
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application } from "@waterspout/waterspout/web";
 * import { websocketConnect, WebSocketHandler } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * class Echo extends WebSocketHandler {
 *   override onMessage(message: string | Uint8Array): void {
 *     this.writeMessage(message);
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/echo", Echo]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const connection = yield* websocketConnect(`ws://127.0.0.1:${port}/echo`);
 *   connection.writeMessage("hello");
 *   assertEquals(yield* connection.readMessage(), "hello");
 *   connection.close();
 *   assertEquals(yield* connection.readMessage(), null); // the server has closed it, too
 *   yield* server.shutdown();
 * });
 * ```
 *
 * @param target The URL, or a request that says more; then there is no `connectTimeout` among
 * the options.
 * @throws {TypeError} when it is no `ws:` or `wss:` URL, or an option does not fit.
 * @throws {RangeError} when a number is out of its range.
 */
export function websocketConnect(
  target: string | URL | WebSocketRequest,
  options: WebSocketConnectOptions | ConnectCallback = {},
  callback?: ConnectCallback,
): Future<WebSocketClientConnection> {
  if (typeof options === "function") return websocketConnect(target, {}, options);
  const request = typeof target === "string" || target instanceof URL ? { url: target } : target;
  if (request === target && options.connectTimeout !== undefined) {
    throw new TypeError("Cannot connect: with a request, connectTimeout belongs to the request");
  }
  const url = parseWebSocketUrl(request.url);
  const settings: Settings = { ...request, ...options, url };
  const offer: HandshakeOffer = {
    url,
    key: makeKey(),
    headers: fieldsOf(settings),
    subprotocols: options.subprotocols ?? [],
    compression: options.compressionOptions ?? null,
  };
  const head = handshakeRequest(offer);
  const context = url.protocol === "wss:" ? sslOptionsToContext(tlsOf(settings)) : null;
  proxyOf(settings); // an option that does not fit is told at once
  const loop = options.ioLoop ?? IOLoop.current();
  const opening = new Opening(open({ request, settings, offer, head, context, loop }));
  opening.limit(loop, settings);
  if (callback !== undefined) loop.addFuture(opening, () => callback(opening.result()));
  return opening;
}

interface Attempt {
  readonly request: WebSocketRequest;
  readonly settings: Settings;
  readonly offer: HandshakeOffer;
  readonly head: string;
  readonly context: SslContext | null;
  readonly loop: IOLoop;
}

const open = coroutine(
  function* (attempt: Attempt): CoroutineGenerator<WebSocketClientConnection> {
    const { request, settings, offer, head, loop } = attempt;
    const stream = yield* openStream(attempt);
    try {
      stream._writeLatin1(head);
      const { headers, ...handshake } = yield* readAnswer(stream, offer);
      return new WebSocketClientConnection({
        loop,
        stream,
        request,
        headers,
        handshake,
        params: settings,
        onMessageCallback: settings.onMessageCallback ?? null,
      });
    } catch (error) {
      stream.close(error);
      throw error;
    }
  },
);

function* openStream({ settings, context, loop }: Attempt): CoroutineGenerator<IOStream> {
  const { url, resolver, networkInterface, allowIpv6 = true, unixSocket } = settings;
  const client = new TCPClient(resolver === undefined ? {} : { resolver });
  try {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port) || (url.protocol === "wss:" ? 443 : 80);
    return yield* openClientStream(client, host, port, {
      ioLoop: loop,
      tls: context,
      proxy: proxyOf(settings),
      unixSocket: unixSocket ?? null,
      sourceIp: networkInterface ?? null,
      family: allowIpv6 ? undefined : "ipv4",
    });
  } finally {
    client.close();
  }
}

function* readAnswer(
  stream: IOStream,
  offer: HandshakeOffer,
): CoroutineGenerator<HandshakeAnswer> {
  try {
    for (let size = 0;;) {
      const bytes = yield* stream.readUntilRegex(/\n\r?\n/, { maxBytes: MAX_HEAD_SIZE });
      size += bytes.length;
      if (size > MAX_HEAD_SIZE) {
        throw new HTTPInputError(`its answer exceeds ${MAX_HEAD_SIZE} bytes`);
      }
      const head = latin1(bytes);
      if (!INTERIM_REGEXP.test(head)) return readHandshakeAnswer(head, offer);
    }
  } catch (cause) {
    if (!(cause instanceof StreamClosedError || cause instanceof HTTPInputError)) throw cause;
    throw new WebSocketHandshakeError(
      `Cannot open a WebSocket to ${offer.url.href}: ${cause.message}`,
      { cause },
    );
  }
}

// The result of an attempt. Who gives it up before the connection was looked at, closes it: the
// coroutine that waits for it is resumed in a microtask of its own, and may be cancelled between.
class Opening extends Future<WebSocketClientConnection> {
  #untaken = false; // there is a connection, and nobody has looked at it
  readonly #work: Future<WebSocketClientConnection>;

  constructor(work: Future<WebSocketClientConnection>) {
    super((error) => work.cancel(error));
    this.#work = work;
    work._listen({
      _settled: () => {
        if (!work._fulfilled) this._settle(work.cancelled() ? 3 : 2, work._value);
        else if (this.done()) work.result().protocol.onConnectionClose();
        else {
          this.#untaken = true;
          this._settle(1, work.result());
        }
      },
    });
  }

  limit(loop: IOLoop, { url, connectTimeout = CONNECT_TIMEOUT, signal }: Settings): void {
    if (this.done()) return;
    const abort = () => this.cancel(signal!.reason);
    let timeout: Timeout | null = null;
    if (connectTimeout > 0 && connectTimeout < Infinity) {
      timeout = loop._callLater(connectTimeout, () => {
        const what = `Cannot connect to ${url.href}: it took longer than ${connectTimeout} ms`;
        this._settle(2, new TimeoutError(what));
        this.#work.cancel();
      });
    }
    signal?.addEventListener("abort", abort);
    this._listen({
      _settled: () => {
        if (timeout !== null) loop.removeTimeout(timeout);
        signal?.removeEventListener("abort", abort);
      },
    });
    if (signal?.aborted) abort();
  }

  override cancel(reason?: unknown): boolean {
    if (!this.#untaken) return super.cancel(reason);
    const connection = this.result();
    this._revoke(reason instanceof CancelledError ? reason : new CancelledError(reason));
    connection.protocol.onConnectionClose();
    return true;
  }

  override result(): WebSocketClientConnection {
    this.#untaken = false;
    return super.result();
  }

  override get _value(): unknown {
    this.#untaken = false;
    return super._value;
  }
}

function fieldsOf({ headers, userAgent, authUsername, authPassword }: Settings): HTTPHeaders {
  const fields = new HTTPHeaders(headers);
  if (userAgent) fields.setDefault("User-Agent", userAgent);
  if (typeof authUsername === "string") {
    const credentials = encodeUsernamePassword(authUsername, authPassword ?? "").toBase64();
    fields.setDefault("Authorization", `Basic ${credentials}`);
  }
  return fields;
}

function proxyOf(
  { proxyHost, proxyPort, proxyUsername, proxyPassword, proxyAuthMode, unixSocket }:
    HandshakeOptions,
): ProxyAddress | null {
  if (!proxyHost && !proxyPort) return null;
  if (!proxyHost || !proxyPort || unixSocket) {
    throw new TypeError(
      "Cannot connect: a proxy needs proxyHost and proxyPort, and reaches no unixSocket",
    );
  }
  return {
    host: proxyHost,
    port: proxyPort,
    username: proxyUsername ?? null,
    password: proxyPassword ?? "",
    authMode: proxyAuthMode ?? "basic",
  };
}

function tlsOf(
  { sslOptions, validateCert = true, caCerts, clientCert, clientKey }: HandshakeOptions,
): SslOptions | SslContext {
  if (sslOptions) return sslOptions;
  return {
    ...(validateCert ? {} : { rejectUnauthorized: false }),
    ...(caCerts ? { caCerts } : {}),
    ...(clientCert ? pemOrPath("cert", clientCert) : {}),
    ...(clientKey ? pemOrPath("key", clientKey) : {}),
  };
}

function pemOrPath(name: "cert" | "key", text: string): SslOptions {
  return { [text.includes("-----BEGIN ") ? name : `${name}File`]: text };
}

function latin1(bytes: Uint8Array): string {
  return asciiText(bytes, 0, bytes.length); // which reads any byte as the character of its number
}

// RFC 9110 15.2: interim answers are skipped, other than 101.
const INTERIM_REGEXP = /^HTTP\/1\.\d 1(?!01)\d\d/;
