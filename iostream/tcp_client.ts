import { coroutine } from "../gen/mod.ts";
import type { CoroutineGenerator } from "../gen/mod.ts";
import { Future, IOLoop, TimeoutError } from "../ioloop/mod.ts";
import type { Transport } from "../ioloop/mod.ts";
import { abortableConnect } from "./_abortable_connect.ts";
import { Handover } from "./_handover.ts";
import { type ConnectFunction, raceToConnect } from "./connect_race.ts";
import { connectFrom } from "./duplex_transport.ts";
import { IOStream, type IOStreamOptions, SSLIOStream } from "./iostream.ts";
import { type AddressFamily, familyOf } from "./ip_address.ts";
import { DefaultResolver, type ResolvedAddress, Resolver } from "./resolver.ts";
import { type SslContext, type SslOptions, sslOptionsToContext } from "./ssl_options.ts";

/** Options of {@linkcode TCPClient}. */
export interface TCPClientOptions {
  /** Resolves the names; by default `Resolver.create()`, which is closed with the client. */
  resolver?: Resolver;
}

/** Options of {@linkcode TCPClient.connectUnix}. */
export interface UnixConnectOptions extends IOStreamOptions {
  /** The ms that it may take; without it there is no limit but the system's. */
  timeout?: number;
}

/** Options of {@linkcode TCPClient.connect}. */
export interface TCPConnectOptions extends IOStreamOptions {
  /** The one family to connect in; by default that of `sourceIp`, or else both. */
  family?: AddressFamily;
  /** How the connection is secured; without it, it is not. The host must prove its name. */
  sslOptions?: SslOptions | SslContext;
  /** The address of this machine to connect from. */
  sourceIp?: string;
  /** The port to connect from, by default any; without a `sourceIp` it is one of loopback. */
  sourcePort?: number;
  /**
   * The ms that it may take, look-up and handshake included; without it there is no limit but
   * the system's, and a minute for the handshake.
   */
  timeout?: number;
}

/**
 * Connects to servers by name.
 *
 * Of a name with addresses of both families, those of the first one's family are tried one
 * after the other; the other family is tried beside them after 300 ms, or as soon as one
 * attempt failed. The first connection counts, the others are closed.
 *
 * @example A line there and back
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream, TCPClient, TCPServer } from "@waterspout/waterspout/iostream";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Echo extends TCPServer {
 *   override *handleStream(stream: IOStream): CoroutineGenerator {
 *     stream.write(yield* stream.readUntil("\n"));
 *     stream.close();
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Echo();
 *   server.listen(0, "localhost");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const client = new TCPClient();
 *   const stream = yield* client.connect("localhost", port, { timeout: 1000 });
 *   stream.write("hello\n");
 *   assertEquals(new TextDecoder().decode(yield* stream.readUntilClose()), "hello\n");
 *   client.close();
 *   server.stop();
 * });
 * ```
 */
export class TCPClient {
  readonly #resolver: Resolver;
  readonly #ownsResolver: boolean;
  #closed = false;

  /** Makes a client. */
  constructor({ resolver }: TCPClientOptions = {}) {
    this.#resolver = resolver ?? Resolver.create<Resolver>();
    this.#ownsResolver = resolver === undefined;
  }

  /**
   * Connects to a host, given by name or address. Cancelling gives up every attempt.
   *
   * It fails with what the resolver or, when every attempt failed, the last of them failed
   * with, such as `Deno.errors.NotFound` or `Deno.errors.ConnectionRefused`; with the TLS
   * error, such as `Deno.errors.InvalidData`, when the handshake fails; with
   * `Deno.errors.AddrNotAvailable` when `sourceIp` is not of this machine; with
   * `TimeoutError` after `timeout` ms.
   *
   * Deno grants net permission by name or by address. Where only the name is granted, Deno
   * looks it up itself; that is for the default resolver without `family` and `sourceIp`.
   *
   * @throws {RangeError} when `port` is not from 1, or `sourcePort` from 0, to 65535.
   * @throws {TypeError} when `sourceIp` is not an address, or not one of `family`; when
   *   `sslOptions` do not fit, see {@linkcode sslOptionsToContext}.
   * @throws {Error} when the client was closed.
   */
  connect(
    host: string,
    port: number,
    options: TCPConnectOptions & Required<Pick<TCPConnectOptions, "sslOptions">>,
  ): Future<SSLIOStream>;
  /** Connects to a host. */
  connect(host: string, port: number, options?: TCPConnectOptions): Future<IOStream>;
  connect(
    host: string,
    port: number,
    { family, sourceIp, sourcePort, timeout, sslOptions, ...options }: TCPConnectOptions = {},
  ): Future<IOStream> {
    this.#mustBeOpen();
    const context = sslOptions === undefined ? null : sslOptionsToContext(sslOptions);
    checkPort("to port", port, 1);
    if (sourcePort !== undefined) checkPort("from port", sourcePort, 0);
    const sourceFamily = sourceIp === undefined ? null : familyOf(sourceIp);
    if (sourceIp !== undefined && sourceFamily === null) {
      throw new TypeError(`Cannot connect from ${sourceIp}: it is not an IP address`);
    }
    if (family !== undefined && sourceFamily !== null && sourceFamily !== family) {
      throw new TypeError(`Cannot connect from ${sourceIp}: it is not of the family ${family}`);
    }
    const target = { host, port, family: family ?? sourceFamily ?? undefined };
    const connect = sourceIp === undefined && sourcePort === undefined
      ? connectAnyhow
      : connectBySource(sourceIp, sourcePort ?? 0);
    return deliver(
      () => open(this.#resolver, target, connect, context, options),
      `${host}:${port}`,
      timeout,
      options.ioLoop,
    );
  }

  /**
   * Connects to a Unix socket; a path that starts with NUL is a name in the abstract namespace
   * of Linux. It fails with the platform's error or, after `timeout` ms, with `TimeoutError`.
   * Cancelling gives it up.
   *
   * @throws {Error} when the client was closed.
   */
  connectUnix(
    path: string,
    { timeout, ...options }: UnixConnectOptions = {},
  ): Future<IOStream> {
    this.#mustBeOpen();
    return deliver(() => openUnix(path, options), path, timeout, options.ioLoop);
  }

  /** Ends the use of the client, and closes the resolver that it made. Streams stay open. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#ownsResolver) this.#resolver.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Error("Cannot connect: the client was closed");
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly family: AddressFamily | undefined;
}

const open = coroutine(
  function* connectTcp(
    resolver: Resolver,
    { host, port, family }: Target,
    connect: ConnectFunction,
    context: SslContext | null,
    options: IOStreamOptions,
  ): CoroutineGenerator<IOStream> {
    const loop = options.ioLoop ?? IOLoop.current();
    const found = yield* Future.from(resolver.resolve(host, port, family));
    const byName = connect === connectAnyhow && family === undefined &&
      resolver instanceof DefaultResolver && onlyNameIsGranted(host, port, found);
    const addresses = byName ? [{ family: found[0]!.family, hostname: host, port }] : found;
    const transport = yield* raceToConnect(addresses, connect, loop);
    return context === null
      ? new IOStream(transport, options)
      : yield* secured(transport, context, host, options);
  },
);

function* secured(
  transport: Transport,
  sslOptions: SslContext,
  serverHostname: string,
  options: IOStreamOptions,
): CoroutineGenerator<SSLIOStream> {
  const stream = new SSLIOStream(transport, { ...options, sslOptions, serverHostname });
  try {
    return yield* stream.waitForHandshake();
  } catch (error) {
    stream.close(error);
    throw error;
  }
}

const openUnix = coroutine(
  function* connectUnix(path: string, options: IOStreamOptions): CoroutineGenerator<IOStream> {
    const connected: Handover<Transport> = new Handover(() => {});
    Deno.connect({ transport: "unix", path }).then(
      (conn) => connected.deliver(conn),
      (error) => connected._settle(2, error),
    );
    return new IOStream(yield* connected, options);
  },
);

// Runs `work` within its time. What comes after it was given up is closed.
function deliver(
  work: () => Future<IOStream>,
  where: string,
  timeout: number | undefined,
  loop: IOLoop = IOLoop.current(),
): Future<IOStream> {
  const result: Handover<IOStream> = new Handover((error) => inner.cancel(error));
  const inner = work();
  const limit = timeout === undefined ? null : loop.callLater(timeout, () => {
    const error = new TimeoutError(`Cannot connect to ${where}: it took longer than ${timeout} ms`);
    result._settle(2, error);
    inner.cancel(error);
  });
  inner._listen({
    _settled: () => {
      if (limit !== null) loop.removeTimeout(limit);
      if (inner._fulfilled) result.deliver(inner._value as IOStream);
      else result._settle(inner.cancelled() ? 3 : 2, inner._value);
    },
  });
  return result;
}

const connectAnyhow: ConnectFunction = ({ hostname, port }, signal) =>
  abortableConnect({ hostname, port }, signal);

function connectBySource(sourceIp: string | undefined, port: number): ConnectFunction {
  return (address, signal) => {
    const hostname = sourceIp ?? (address.family === "ipv4" ? "127.0.0.1" : "::1");
    return connectFrom({ hostname, port }, address, signal);
  };
}

function onlyNameIsGranted(
  host: string,
  port: number,
  addresses: readonly ResolvedAddress[],
): boolean {
  if (addresses.every(({ hostname, port }) => isGranted(hostname, port))) return false;
  return isGranted(host, port);
}

function isGranted(hostname: string, port: number): boolean {
  const host = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

function checkPort(what: string, port: number, from: number): void {
  if (Number.isInteger(port) && port >= from && port <= 65535) return;
  throw new RangeError(`Cannot connect ${what} ${port}: expected a whole number to 65535`);
}
