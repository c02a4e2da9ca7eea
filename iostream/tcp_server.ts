import { convertYielded } from "../gen/mod.ts";
import { _isWork } from "../ioloop/converter.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError, Future, IOLoop } from "../ioloop/mod.ts";
import type { Timeout } from "../ioloop/mod.ts";
import { checkListener, isTlsConn } from "./_secure.ts";
import { Acceptor } from "./acceptor.ts";
import { bindSockets, type BindSocketsOptions } from "./bind_sockets.ts";
import { bindUnixSocket, type BindUnixSocketOptions } from "./bind_unix_socket.ts";
import { StreamClosedError } from "./errors.ts";
import { _wasLogged, IOStream, SSLIOStream } from "./iostream.ts";
import { _processStarter, type ProcessStarter, type StartOptions } from "./process_starter.ts";
import { type SslContext, type SslOptions, sslOptionsToContext } from "./ssl_options.ts";

export type { StartOptions } from "./process_starter.ts";

/** Options of {@linkcode TCPServer}. */
export interface TCPServerOptions {
  /**
   * How connections are secured: then every stream is an {@linkcode SSLIOStream}, and handled
   * while its handshake goes on. Without it, only those of a `Deno.TlsListener` are.
   */
  sslOptions?: SslOptions | SslContext;
  /** See `SSLIOStreamOptions.handshakeTimeout`. */
  handshakeTimeout?: number;
  /** See `IOStreamOptions.maxBufferSize`. */
  maxBufferSize?: number;
  /** See `IOStreamOptions.readChunkSize`. */
  readChunkSize?: number;
  /**
   * The most connections that are open at a time. While there are so many, the server does
   * not accept: others wait in the kernel's backlog. Each listener but the one that brought
   * the last of them may hold one more connection back, which is served when its turn comes.
   *
   * @default {Infinity}
   */
  maxConnections?: number;
  /** The loop; by default the one that is current when the server starts to listen. */
  ioLoop?: IOLoop;
}

/** Options of {@linkcode TCPServer.drain}. */
export interface DrainOptions {
  /**
   * The ms that open connections are given to end by themselves.
   *
   * @default {10000}
   */
  timeout?: number;
}

/** Says what {@linkcode TCPServer.drain} did. */
export interface DrainResult {
  /** How many connections were cut because they did not end in time. */
  readonly cut: number;
}

/**
 * Accepts connections and gives each to {@linkcode handleStream}, which a subclass overrides.
 *
 * @example An echo server
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream, TCPServer } from "@waterspout/waterspout/iostream";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class EchoServer extends TCPServer {
 *   override *handleStream(stream: IOStream): CoroutineGenerator {
 *     stream.write(yield* stream.readUntil("\n"));
 *     stream.close();
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new EchoServer();
 *   server.listen(0, "127.0.0.1");
 *   const { hostname, port } = server.addresses[0] as Deno.NetAddr;
 *   const client = yield* IOStream.connect({ hostname, port });
 *   client.write("hello\n");
 *   assertEquals(new TextDecoder().decode(yield* client.readUntilClose()), "hello\n");
 *   server.stop();
 * });
 * ```
 */
export class TCPServer {
  readonly #options: TCPServerOptions;
  readonly #sslContext: SslContext | null;
  readonly #maxConnections: number;
  readonly #acceptors = new Map<Deno.Listener, Acceptor>();
  readonly #open = new Map<Deno.Conn, IOStream>(); // until the descriptor is free
  readonly #closeWatched = this.#watched(closeOfClass);
  #bound: Binding[] = []; // by bind(), until start()
  #started = false;
  #paused = false; // exactly while there are #maxConnections
  #drains: Drain[] = [];
  #loop: IOLoop | null = null; // there once it listens

  /**
   * Makes a server that does not listen yet.
   *
   * @throws {RangeError} when `maxConnections` is neither a whole number from 1 nor Infinity.
   * @throws {TypeError} and others when `sslOptions` do not fit or a file of theirs cannot be
   *   read; see {@linkcode sslOptionsToContext}.
   */
  constructor(options: TCPServerOptions = {}) {
    const { maxConnections = Infinity, sslOptions } = options;
    if (!(maxConnections === Infinity || Number.isInteger(maxConnections) && maxConnections > 0)) {
      throw new RangeError(
        `Cannot make a server: maxConnections must be a whole number from 1, got ${maxConnections}`,
      );
    }
    this.#options = options;
    this.#sslContext = sslOptions === undefined
      ? null
      : sslOptionsToContext(sslOptions, { serverSide: true });
    this.#maxConnections = maxConnections;
  }

  /** What it listens on. */
  get addresses(): Deno.Addr[] {
    return [...this.#acceptors.keys()].map((listener) => listener.addr);
  }

  /** How many of the connections that it accepted are open. */
  get connectionCount(): number {
    return this.#open.size;
  }

  /** The loop that it listens in; the current one before it listens. */
  get ioLoop(): IOLoop {
    return this.#loop ?? this.#options.ioLoop ?? IOLoop.current();
  }

  /**
   * Starts to accept connections on `port` (0 picks a free one) of `address`, by default of
   * all interfaces; see {@linkcode bindSockets}. May be called several times.
   *
   * @throws {Deno.errors.AddrInUse} when the port is taken; the message names it.
   * @throws {Deno.errors.NotCapable} without net permission; the message names the flag.
   * @throws {RangeError} when `port` is not from 0 to 65535.
   * @throws {TypeError} when the options do not fit; see {@linkcode bindSockets}.
   */
  listen(port: number, address: string | null = null, options: BindSocketsOptions = {}): void {
    this.addListeners(bindSockets(port, address, options));
  }

  /**
   * Starts to accept connections on a Unix socket; see {@linkcode bindUnixSocket}, also for
   * what it throws.
   */
  listenUnix(path: string, options: BindUnixSocketOptions = {}): void {
    this.addListener(bindUnixSocket(path, options));
  }

  /** Starts to accept connections on listeners, and owns them. */
  addListeners(listeners: readonly Deno.Listener[]): void {
    for (const listener of listeners) this.addListener(listener);
  }

  /**
   * Starts to accept connections on a listener, and owns it.
   *
   * @throws {Error} when the listener is registered in the loop already.
   * @throws {TypeError} when it has TLS of its own, which cannot do what `sslOptions` say.
   */
  addListener(listener: Deno.Listener): void {
    if (this.#sslContext !== null) checkListener(this.#sslContext, listener);
    this.#loop ??= this.#options.ioLoop ?? IOLoop.current();
    const acceptor = new Acceptor(this.#loop, listener, (conn) => this.#accept(conn));
    this.#acceptors.set(listener, acceptor);
    if (this.#paused) acceptor.pause();
  }

  /**
   * Takes a port as {@linkcode listen} does, and throws what it throws, but accepts nothing
   * before {@linkcode start}; after that it is the same as `listen`. Connections that come
   * meanwhile wait in the kernel's backlog; those that come before several processes are
   * started are refused then.
   */
  bind(port: number, address: string | null = null, options: BindSocketsOptions = {}): void {
    if (this.#started) {
      this.listen(port, address, options);
      return;
    }
    // One of several processes learns its port in start().
    const later = (_processStarter()?.ports() ?? null) !== null;
    const listeners = later ? [] : bindSockets(port, address, options);
    this.#bound.push({ port, address, options, listeners });
  }

  /**
   * Starts to accept connections on what was bound: in this process or, with another number
   * than one, in so many of their own (null, or not above 0: one for each processor), which
   * share the ports. What becomes of these says `forkProcesses` of `process/`; it must have
   * been imported from somewhere.
   *
   * The Future is done in the processes that accept connections, and so at once with a single
   * one. In the process that started others it never is, and that process ends with them: what
   * is for those that serve stands behind `await server.start(4)`.
   *
   * @throws {Error} when it was called before; for several processes, when the server listens
   *   already, `process/` was not imported, or this is not Linux.
   * @throws {RangeError} when a number is not whole.
   * @throws {TypeError} for several processes when Deno runs without `--unstable-net`.
   */
  start(numProcesses: number | null = 1, options: StartOptions = {}): Future<void> {
    if (this.#started) throw new Error("Cannot start the server: it was started already");
    if (numProcesses === 1) {
      this.#acceptBound((binding) => this.#listenersOf(binding));
      return Future.resolved(undefined);
    }
    const starter = _processStarter();
    if (starter === null) {
      throw new Error("Cannot start the server in several processes: import process/ to do that");
    }
    if (this.#acceptors.size > 0) {
      throw new Error(
        "Cannot start the server in several processes: it listens in this one; use bind()",
      );
    }
    starter.check(numProcesses, options);
    const ports = starter.ports();
    if (ports === null) return this.#lead(starter, numProcesses, options);
    const joined = starter.start(numProcesses, ports, options);
    let taken = 0; // of the ports that were 0
    this.#acceptBound(({ port, address, options }) =>
      bindSockets(port === 0 ? ports[taken++] ?? 0 : port, address, {
        ...options,
        reusePort: true,
      })
    );
    return joined;
  }

  /** Stops accepting; open connections stay. A second call does nothing. */
  stop(): void {
    for (const [listener, acceptor] of this.#acceptors) {
      acceptor.close();
      closeQuietly(listener);
    }
    this.#acceptors.clear();
    this.#freeBound();
    this.#started = false;
  }

  /**
   * Stops accepting and waits until every connection has ended, but no longer than `timeout`
   * ms: then what is left is cut, with what was written and has not left. Cancelling it cuts
   * nothing; the server stays stopped.
   */
  drain({ timeout = 10_000 }: DrainOptions = {}): Future<DrainResult> {
    this.stop();
    if (this.#open.size === 0) return Future.resolved({ cut: 0 });
    const loop = this.ioLoop;
    const drain: Drain = {
      cut: 0,
      future: new Future(() => this.#endDrain(drain)),
      timeout: loop.callLater(timeout, () => {
        drain.cut = this.#open.size;
        this.#cutAll();
      }),
    };
    this.#drains.push(drain);
    return drain.future;
  }

  /**
   * Is called with each new connection; may be a generator or async method. What it throws
   * is logged, other than `StreamClosedError` and `CancelledError`: peers come and go. The
   * stream is not closed when it ends or throws.
   */
  handleStream(_stream: IOStream, _address: Deno.Addr): unknown {
    throw new Error(
      "Cannot handle a connection: handleStream is not overridden",
    );
  }

  #acceptBound(listen: (binding: Binding) => readonly Deno.Listener[]): void {
    const bound = this.#bound;
    this.#bound = [];
    this.#started = true;
    for (const binding of bound) this.addListeners(listen(binding));
  }

  // The listeners of this process must go: the kernel would deal connections to them.
  #lead(starter: ProcessStarter, count: number | null, options: StartOptions): Future<void> {
    const ports = this.#bound
      .filter(({ port }) => port === 0)
      .map(({ listeners }) => (listeners[0]!.addr as Deno.NetAddr).port);
    this.#started = true;
    this.#freeBound();
    return starter.start(count, ports, options);
  }

  #listenersOf({ port, address, options, listeners }: Binding): readonly Deno.Listener[] {
    return listeners.length > 0 ? listeners : bindSockets(port, address, options);
  }

  #freeBound(): void {
    for (const { listeners } of this.#bound) listeners.forEach(closeQuietly);
    this.#bound = [];
  }

  #accept(conn: Deno.Conn): void {
    const tracer = this.ioLoop._tracer;
    if (tracer !== null) tracer._accepted(conn.remoteAddr);
    const stream = this.#makeStream(conn);
    this.#watch(conn, stream);
    this.#handle(stream, conn.remoteAddr);
  }

  // The one place where a connection becomes a stream.
  #makeStream(conn: Deno.Conn): IOStream {
    const options = { ...this.#options, ioLoop: this.#loop! };
    if (this.#sslContext !== null) options.sslOptions = this.#sslContext;
    const stream = this.#sslContext !== null || isTlsConn(conn)
      ? new SSLIOStream(conn, { ...options, serverSide: true })
      : new IOStream(conn, options);
    try {
      stream.setNoDelay(true); // a flush is a whole answer: nothing to gain by waiting
    } catch {
      // The peer is gone already; the stream will tell.
    }
    return stream;
  }

  // A connection counts until it is closed itself, not its stream: a stream that lingers
  // still has a descriptor, and one may hand its connection over to another stream. So
  // `close` of its class stands aside for one that tells, the same for all connections.
  #watch(conn: Deno.Conn, stream: IOStream): void {
    this.#open.set(conn, stream);
    conn.close = Object.hasOwn(conn, "close") ? this.#watched(conn.close) : this.#closeWatched;
    if (this.#open.size >= this.#maxConnections && !this.#paused) {
      this.#paused = true;
      for (const acceptor of this.#acceptors.values()) acceptor.pause();
    }
  }

  #watched(close: (this: Deno.Conn) => void): (this: Deno.Conn) => void {
    const forget = (conn: Deno.Conn) => this.#forget(conn);
    return function () {
      forget(this);
      close.call(this);
    };
  }

  #forget(conn: Deno.Conn): void {
    if (!this.#open.delete(conn)) return;
    if (this.#paused && this.#open.size < this.#maxConnections) {
      this.#paused = false;
      for (const acceptor of this.#acceptors.values()) acceptor.resume();
    }
    if (this.#open.size === 0) {
      for (const drain of [...this.#drains]) {
        this.#endDrain(drain);
        drain.future._settle(1, { cut: drain.cut });
      }
    }
  }

  #endDrain(drain: Drain): void {
    this.#drains.splice(this.#drains.indexOf(drain), 1);
    this.ioLoop.removeTimeout(drain.timeout);
  }

  #cutAll(): void {
    // The error keeps the streams from lingering on peers that may never read.
    const error = new StreamClosedError("cut by the server, which is closing");
    for (const [conn, stream] of [...this.#open]) {
      stream.close(error);
      if (this.#open.has(conn)) conn.close(); // the stream lingers, or gave it away
    }
  }

  #handle(stream: IOStream, address: Deno.Addr): void {
    try {
      const work = this.handleStream(stream, address);
      if (!_isWork(work)) return;
      const future = convertYielded(work);
      future._listen({
        _settled: () => {
          if (!future._fulfilled) this.#logFailure(future._value);
        },
      });
    } catch (error) {
      this.#logFailure(error);
    }
  }

  #logFailure(error: unknown): void {
    const expected = error instanceof CancelledError || error instanceof StreamClosedError ||
      _wasLogged(error);
    if (expected) return;
    appLog.error("Exception in callback {name}: {error}", {
      name: `${this.constructor.name}.handleStream`,
      error: describeError(error),
    });
  }
}

// What bind() was told, and what it took: nothing yet in one of several processes.
interface Binding {
  readonly port: number;
  readonly address: string | null;
  readonly options: BindSocketsOptions;
  readonly listeners: readonly Deno.Listener[];
}

interface Drain {
  cut: number;
  readonly future: Future<DrainResult>;
  readonly timeout: Timeout;
}

function closeQuietly(listener: Deno.Listener): void {
  try {
    listener.close();
  } catch {
    // Somebody else closed it; closed is what it shall be.
  }
}

function closeOfClass(this: Deno.Conn): void {
  (Object.getPrototypeOf(this) as Deno.Conn).close.call(this);
}
