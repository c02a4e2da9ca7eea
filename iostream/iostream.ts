// Two classes, because each makes the other: a plain stream becomes a secure one by
// `startTls()`, and a secure one is a plain one whose transport does TLS.
import type { X509Certificate } from "node:crypto";
import { Future, genLog, IOLoop } from "../ioloop/mod.ts";
import type { Timeout, Transport } from "../ioloop/mod.ts";
import { Handover } from "./_handover.ts";
import { checkServerName, disableDelay, isTlsConn, secure } from "./_secure.ts";
import { handshakeTimeoutError, type TlsSession, type TlsTransport } from "./_tls_transport.ts";
import { abortableConnect } from "./_abortable_connect.ts";
import { BaseIOStream, type IOStreamOptions, type StreamCallback } from "./base_iostream.ts";
import { StreamClosedError } from "./errors.ts";
import { type SslContext, type SslOptions, sslOptionsToContext } from "./ssl_options.ts";

export type { IOStreamOptions } from "./base_iostream.ts";

/** Where to connect to: a TCP port, or a Unix socket by its path. */
export type Address =
  | {
    /**
     * A name or an IP address.
     *
     * @default {"127.0.0.1"}
     */
    readonly hostname?: string;
    /** The port. */
    readonly port: number;
  }
  | {
    /** The path of a Unix socket. */
    readonly path: string;
  };

/** Options of {@linkcode IOStream.connect}. */
export interface ConnectOptions {
  /** The name that the certificate of a TLS server must be for, if not that of the address. */
  serverHostname?: string | undefined;
  /** Gives the attempt up when it is aborted; `stream.error` is its reason then. */
  signal?: AbortSignal | undefined;
}

/** Options of {@linkcode IOStream.startTls}. */
export interface StartTlsOptions {
  /** The name that the certificate of the server must be for; a client needs it. */
  serverHostname?: string | undefined;
}

/** Options of {@linkcode SSLIOStream}. */
export interface SSLIOStreamOptions extends IOStreamOptions {
  /**
   * How it is secured. A server needs a certificate. With a `Deno.TlsConn` there is nothing to
   * say any more: only what that could do as well is let pass, and has no effect.
   */
  sslOptions?: SslOptions | SslContext;
  /**
   * Whether it is the server's side of the connection. A server logs a handshake that fails; a
   * client learns of it by `connect` or `waitForHandshake`.
   *
   * @default {false}
   */
  serverSide?: boolean;
  /** The name that the certificate of the server must be for; `connect` knows it already. */
  serverHostname?: string | undefined;
  /**
   * How long the handshake may take, in ms. Then the stream closes with
   * {@linkcode TimeoutError}.
   *
   * @default {60000}
   */
  handshakeTimeout?: number;
}

interface Attempt {
  readonly future: Future<unknown>;
  readonly abort: AbortController;
}

/**
 * Reads and writes a socket without blocking, with limits and back-pressure.
 *
 * It is made of a connection (a `Deno.TcpConn`, a `Deno.UnixConn`, or any other
 * {@linkcode Transport}), which it owns: closing the stream closes the connection. Or it is
 * made with null, and {@linkcode connect} makes the connection.
 *
 * @example A line over a real socket
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const [one, other] = yield* IOStream.pair();
 *   one.write("hello\n");
 *   const line = yield* other.readUntil("\n");
 *   assertEquals(new TextDecoder().decode(line), "hello\n");
 *   one.close();
 *   other.close();
 * });
 * ```
 */
export class IOStream extends BaseIOStream {
  #connected: boolean; // or on the way to be
  #attempt: Attempt | null = null; // while it is on the way

  /** Takes over `conn`; with null, {@linkcode connect} is to be called. */
  constructor(conn: Transport | null, options: IOStreamOptions = {}) {
    super(conn, options);
    this.#connected = conn !== null;
  }

  /** Connects two streams over a loopback socket; for tests and examples. */
  static pair(options: IOStreamOptions = {}): Future<[IOStream, IOStream]> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname, port } = listener.addr as Deno.NetAddr;
    const both = Promise.all([
      Deno.connect({ hostname, port }),
      listener.accept(),
    ])
      .finally(() => listener.close());
    return Future.from(
      both.then((
        [one, other],
      ) => [new IOStream(one, options), new IOStream(other, options)]),
    );
  }

  /**
   * Makes a stream and connects it. The Future fails with the platform's error, such as
   * `Deno.errors.ConnectionRefused`; cancelling it gives the attempt up.
   */
  static connect(
    address: Address,
    options: IOStreamOptions = {},
  ): Future<IOStream> {
    const stream = new this(null, { ...options, ioLoop: options.ioLoop ?? IOLoop.current() });
    const connecting = stream.connect(address);
    const future = new Handover<IOStream>((error) => void connecting.cancel(error));
    connecting._listen({
      _settled: ({ _fulfilled: done }) => {
        if (done) future.deliver(stream);
        else if (!connecting.cancelled()) future._settle(2, stream.error);
      },
    });
    return future;
  }

  /**
   * Connects the stream. What was written before leaves once it is up; a read may wait
   * already. If it fails, `error` is the platform's error, the close callback is called and
   * the Future fails with {@linkcode StreamClosedError}. Cancelling the Future closes the stream.
   *
   * @example Nobody listens there
   * ```ts
   * import { IOLoop } from "@waterspout/waterspout/ioloop";
   * import { IOStream } from "@waterspout/waterspout/iostream";
   * import { assert, assertRejects } from "@std/assert";
   *
   * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
   * const { hostname, port } = listener.addr;
   * listener.close();
   * await new IOLoop().run(async () => {
   *   const stream = new IOStream(null);
   *   await assertRejects(async () => await stream.connect({ hostname, port }));
   *   assert(stream.error instanceof Deno.errors.ConnectionRefused);
   * });
   * ```
   *
   * @throws {Error} when the stream has a connection, or was told to connect before.
   * @throws {StreamClosedError} when it is closed.
   */
  connect(
    address: Address,
    options: ConnectOptions | StreamCallback<this> = {},
    callback?: StreamCallback<this>,
  ): Future<this> {
    if (typeof options === "function") return this.connect(address, {}, options);
    if (this.closed()) throw new StreamClosedError(this.error);
    if (this.#connected) throw new Error("Cannot connect: the stream was connected before");
    this.#connected = true;
    const abort = new AbortController();
    const future = new Future<this>((error) => {
      this.#attempt = null; // so that close() leaves the Future alone
      this.close(error);
      abort.abort();
    });
    this.#attempt = { future, abort };
    if (callback !== undefined) this._callBack(future, callback);
    this.#open(address, options, abort.signal);
    return future;
  }

  /**
   * Goes over to TLS on the connection, as protocols with a STARTTLS command do; `serverSide`
   * says who sends the certificate. This stream is dead from then on; its limits and its close
   * callback are those of the new one. The Future is done after the handshake and fails with
   * the TLS error, such as `Deno.errors.InvalidData`. Cancelling it closes the connection.
   *
   * @throws {Error} when the stream is not open or not idle: a read or a write is pending, or
   *   bytes have come that nobody read. (A server may have got the first bytes of the
   *   handshake.)
   * @throws {TypeError} when the options do not fit (see {@linkcode sslOptionsToContext}), or
   *   a client gives no `serverHostname` to verify.
   */
  startTls(
    serverSide: boolean,
    sslOptions: SslOptions | SslContext = {},
    { serverHostname }: StartTlsOptions = {},
  ): Future<SSLIOStream> {
    const context = sslOptionsToContext(sslOptions, { serverSide });
    if (!serverSide) checkServerName(context, serverHostname);
    const { conn } = this;
    const { transport, options, closeCallback } = this._detach(
      serverSide ? isHandshake : undefined,
    );
    disableDelay(conn!);
    const stream = new SSLIOStream(transport, {
      ...options,
      sslOptions: context,
      serverSide,
      serverHostname,
    });
    stream.setCloseCallback(closeCallback);
    const shaking = stream.waitForHandshake();
    const future = new Handover<SSLIOStream>((error) => {
      shaking.cancel(error);
      stream.close(error);
    });
    shaking._listen({
      _settled: ({ _fulfilled: done, _value: value }) => {
        if (done) future.deliver(stream);
        else if (!shaking.cancelled()) future._settle(2, value);
      },
    });
    return future;
  }

  /** See {@linkcode BaseIOStream.close}. An attempt to connect is given up. */
  override close(error: unknown = null): void {
    super.close(error);
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.abort.abort();
    attempt?.future._settle(2, new StreamClosedError(this.error));
  }

  /**
   * Makes the connection for {@linkcode connect}: what the stream is to read and write. A
   * subclass may put something around it. `signal` is aborted when it is not wanted any more.
   */
  protected _open(
    address: Address,
    options: { readonly serverHostname?: string | undefined; readonly signal: AbortSignal },
  ): Promise<Transport> {
    return "path" in address
      ? Deno.connect({ transport: "unix", path: address.path })
      : abortableConnect(address, options.signal);
  }

  async #open(
    address: Address,
    { serverHostname, signal }: ConnectOptions,
    attempted: AbortSignal,
  ): Promise<void> {
    const giveUp = () => this.close(signal!.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      signal?.throwIfAborted();
      this._attach(await this._open(address, { serverHostname, signal: attempted }));
      this.#attempt?.future._settle(1, this);
      this.#attempt = null;
    } catch (error) {
      this.close(error);
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }
}

/**
 * Is a stream over TLS.
 *
 * It is made of a `Deno.TlsConn`, of a plain connection that is to be secured, or with null,
 * and then {@linkcode connect} makes the connection. Reads and writes wait for the handshake,
 * which begins by itself. A client verifies the certificate of its server, and that it is for
 * the name that it connects to.
 *
 * A stream that ends without the peer having said so (a close_notify) closes with
 * `Deno.errors.UnexpectedEof`: what came may be cut short. TCP_NODELAY is set, other than on
 * a `Deno.TlsConn`, which has no such thing.
 *
 * @example A peer that speaks no TLS
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 * import { assertInstanceOf } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const [plain, other] = yield* IOStream.pair();
 *   const starting = plain.startTls(false, {}, { serverHostname: "localhost" });
 *   other.write("220 in plain text\r\n");
 *   try {
 *     yield* starting;
 *   } catch (error) {
 *     assertInstanceOf(error, Deno.errors.InvalidData);
 *   }
 *   other.close();
 * });
 * ```
 */
export class SSLIOStream extends IOStream {
  readonly #context: SslContext | null; // null: the connection has TLS of its own
  readonly #serverSide: boolean;
  readonly #serverHostname: string | undefined;
  readonly #handshakeTimeout: number;
  #session: TlsSession | null = null; // there once the handshake is done
  #waiting: Future<this> | null = null;
  #limit: Timeout | null = null; // while the handshake is in progress

  /**
   * Takes over `conn` and starts the handshake; with null, {@linkcode connect} is to be called.
   *
   * @throws {TypeError} when the options do not fit (see {@linkcode sslOptionsToContext}), or
   *   there is no `serverHostname` to verify.
   */
  constructor(conn: Transport | null, options: SSLIOStreamOptions = {}) {
    const { sslOptions, serverSide = false, serverHostname, handshakeTimeout = 60_000 } = options;
    const context = sslOptions === undefined && conn !== null && isTlsConn(conn)
      ? null
      : sslOptionsToContext(sslOptions ?? {}, { serverSide });
    const transport = conn === null ? null : secure(conn, context, serverHostname);
    super(transport, options);
    this.#context = context;
    this.#serverSide = serverSide;
    this.#serverHostname = serverHostname;
    this.#handshakeTimeout = handshakeTimeout;
    if (transport !== null) {
      this.#shakeHands(transport).catch((error) => this.close(error));
    }
  }

  /** Makes a stream and connects it; see {@linkcode IOStream.connect}. */
  static override connect(
    address: Address,
    options: SSLIOStreamOptions = {},
  ): Future<SSLIOStream> {
    return super.connect(address, options) as Future<SSLIOStream>;
  }

  /**
   * The application protocol that both sides agreed on; null when they did not, and before the
   * handshake.
   */
  get alpnProtocol(): string | null {
    return this.#session?.alpnProtocol ?? null;
  }

  /**
   * The certificate of the peer. A server has it if it asked for one by `clientCert` and got
   * it; it is valid then. A client has it where the platform's own TLS does not do: with
   * `rejectUnauthorized: false`, a certificate of its own, `minVersion`, `ciphers`, or on
   * something else than a TCP connection. Null elsewhere, and before the handshake.
   */
  get peerCertificate(): X509Certificate | null {
    return this.#session?.peerCertificate ?? null;
  }

  /**
   * Waits for the handshake, after which {@linkcode alpnProtocol} and
   * {@linkcode peerCertificate} are known; at once if it is done. If it fails, the Future fails
   * with the TLS error, which is also `error`. Cancelling the Future ends the waiting.
   *
   * @throws {Error} when somebody waits already.
   */
  waitForHandshake(callback?: StreamCallback<this>): Future<this> {
    if (this.#waiting !== null) {
      throw new Error("Cannot wait for the handshake: somebody waits already");
    }
    const future = new Future<this>(() => this.#waiting = null);
    if (this.closed()) future._settle(2, this.#closedBy());
    else if (this.#session !== null) future._settle(1, this);
    else this.#waiting = future;
    if (callback !== undefined) this._callBack(future, callback);
    return future;
  }

  /** See {@linkcode BaseIOStream.close}. */
  override close(error: unknown = null): void {
    super.close(error);
    if (!this.closed()) return;
    this.#handshakeEnded();
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?._settle(2, this.#closedBy());
  }

  /** See {@linkcode IOStream.connect}: the handshake belongs to it. */
  protected override async _open(
    address: Address,
    options: { readonly serverHostname?: string | undefined; readonly signal: AbortSignal },
  ): Promise<Transport> {
    const context = this.#context!;
    const name = options.serverHostname ?? this.#serverHostname ?? nameIn(address);
    if (!context.serverSide) checkServerName(context, name);
    const plain = await super._open(address, options);
    const { signal } = options;
    if (signal.aborted) { // too late to keep the connection from being made
      plain.close();
      throw signal.reason;
    }
    const transport = secure(plain, context, name);
    const giveUp = () => transport.close();
    signal.addEventListener("abort", giveUp);
    try {
      await this.#shakeHands(transport);
      return transport;
    } catch (error) {
      if (!signal.aborted) transport.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** See {@linkcode BaseIOStream._isExpected}: the TLS of a peer is its own affair. */
  protected override _isExpected(error: unknown): boolean {
    return error instanceof Deno.errors.InvalidData ||
      error instanceof Deno.errors.UnexpectedEof ||
      this.#session === null || super._isExpected(error);
  }

  async #shakeHands(transport: TlsTransport): Promise<void> {
    if (this.#handshakeTimeout < Infinity) {
      this.#limit = this.ioLoop.callLater(this.#handshakeTimeout, () => {
        this.#limit = null;
        this.close(handshakeTimeoutError(transport.peer, this.#handshakeTimeout));
      });
    }
    try {
      this.#session = await transport.handshake();
    } catch (error) {
      if (this.#serverSide) log(error);
      throw error;
    } finally {
      this.#handshakeEnded();
    }
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?._settle(1, this);
  }

  #handshakeEnded(): void {
    if (this.#limit !== null) this.ioLoop.removeTimeout(this.#limit);
    this.#limit = null;
  }

  #closedBy(): unknown {
    return this.error ?? new StreamClosedError();
  }
}

/**
 * Tells whether a failed handshake was logged: whoever waited for it need not do so again.
 *
 * @ignore
 */
export function _wasLogged(error: unknown): boolean {
  return error instanceof Error && logged.has(error);
}

const logged = new WeakSet<Error>();

// Without stack: it is the peer's mistake. One that came and went is not worth a line.
function log(error: unknown): void {
  if (!(error instanceof Error)) return;
  logged.add(error);
  const write = error instanceof Deno.errors.InvalidData ? genLog.warn : genLog.debug;
  write.call(genLog, "{error}", { error: error.message });
}

// RFC 8446 5.1: the type of a record that carries a handshake.
function isHandshake(bytes: Uint8Array): boolean {
  return bytes[0] === 22;
}

function nameIn(address: Address): string | undefined {
  return "path" in address ? undefined : address.hostname ?? "127.0.0.1";
}
