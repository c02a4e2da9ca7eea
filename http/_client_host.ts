import { coroutine } from "../gen/mod.ts";
import { CancelledError, type Future, type IOLoop, type Timeout } from "../ioloop/mod.ts";
import {
  type IOStream,
  type Override,
  OverrideResolver,
  Resolver,
  type SslContext,
  type SslOptions,
  sslOptionsToContext,
  TCPClient,
} from "../iostream/mod.ts";
import type { ClientConnection, ClientConnectionLimits } from "./_client_connection.ts";
import { Fetch, type FetchHost, isForwarded } from "./_fetch.ts";
import { type Place, Pool } from "./connection_pool.ts";
import type { ResolvedRequest } from "./client_request.ts";
import type { HTTPResponse } from "./client_response.ts";
import { openClientStream, type ProxyAddress } from "./client_stream.ts";

/** What a client reads into memory unless it is told otherwise. */
export const DEFAULT_MAX_BUFFER_SIZE = 104857600;

const MAX_CONTEXTS = 100; // TLS set-ups that are kept for requests with the same options
const KEEP_ALIVE_MARGIN_MS = 1000; // by which a connection goes before its server drops it
const CHUNK_SIZE = 65536;

/** See `AsyncHTTPClientOptions`. */
export interface ClientHostOptions {
  readonly maxClients?: number;
  readonly maxClientsPerOrigin?: number;
  readonly keepAlive?: boolean;
  readonly maxIdlePerOrigin?: number;
  readonly maxIdle?: number;
  readonly idleTimeout?: number;
  readonly hostnameMapping?: Readonly<Record<string, Override>>;
  readonly resolver?: Resolver;
  readonly maxBufferSize?: number;
  readonly maxHeaderSize?: number;
}

/** Holds what the fetches of a client share: the pool, the way to servers, TLS set-ups. */
export class ClientHost implements FetchHost {
  readonly ioLoop: IOLoop;
  readonly pool: Pool<ClientConnection>;
  readonly limits: ClientConnectionLimits;
  readonly keepAlive: boolean;

  readonly #idleTimeout: number;
  readonly #maxBufferSize: number;
  readonly #resolver: Resolver | undefined;
  readonly #hostnameMapping: Readonly<Record<string, Override>> | undefined;
  readonly #contexts = new Map<string, SslContext>();
  readonly #fetches = new Set<Future<HTTPResponse>>();
  #ownResolver: Resolver | null = null; // to be closed
  #tcpClient: TCPClient | null = null;
  #expiry: Timeout | null = null; // of idle connections; there while there are some
  #closed = false;

  constructor(ioLoop: IOLoop, {
    maxClients = 10,
    maxClientsPerOrigin = Infinity,
    keepAlive = true,
    maxIdlePerOrigin = maxClients,
    maxIdle = Math.max(100, maxClients),
    idleTimeout = 30_000,
    hostnameMapping,
    resolver,
    maxBufferSize = DEFAULT_MAX_BUFFER_SIZE,
    maxHeaderSize = 65536,
  }: ClientHostOptions) {
    checkCount("maxClients", maxClients, 1);
    checkCount("maxClientsPerOrigin", maxClientsPerOrigin, 1);
    checkCount("maxIdlePerOrigin", maxIdlePerOrigin, 0);
    checkCount("maxIdle", maxIdle, 0);
    this.ioLoop = ioLoop;
    this.keepAlive = keepAlive;
    this.limits = { maxHeaderSize, chunkSize: CHUNK_SIZE };
    this.pool = new Pool({
      maxActive: maxClients,
      maxActivePerKey: maxClientsPerOrigin,
      maxIdle,
      maxIdlePerKey: maxIdlePerOrigin,
    });
    this.#idleTimeout = idleTimeout;
    this.#maxBufferSize = maxBufferSize;
    this.#hostnameMapping = hostnameMapping;
    this.#resolver = resolver;
  }

  /** Starts a fetch. */
  fetch(request: ResolvedRequest): Future<HTTPResponse> {
    const work = carryOut(this, request);
    if (work.done()) return work;
    this.#fetches.add(work);
    work._listen({ _settled: () => this.#fetches.delete(work) });
    return work;
  }

  /** Closes all connections, and cancels what is in progress. */
  close(): void {
    this.#closed = true;
    const reason = new CancelledError("the client was closed");
    for (const fetch of [...this.#fetches]) fetch.cancel(reason);
    for (const connection of this.pool.clear()) connection.close();
    this.#armExpiry();
    this.#tcpClient?.close();
    this.#ownResolver?.close();
  }

  keyOf(request: ResolvedRequest): string {
    const { url, unixSocket, proxyHost, networkInterface, allowIpv6 } = request;
    const tls = url.protocol === "https:" ? tlsKey(request) : "";
    if (
      tls === "" && unixSocket === null && proxyHost === null && networkInterface === null &&
      allowIpv6
    ) return url.origin;
    const where = isForwarded(request) ? "" : url.origin; // a proxy's connection is for all
    const proxy = proxyHost === null ? null : proxyKey(request);
    return JSON.stringify([where, tls, unixSocket, proxy, networkInterface, allowIpv6]);
  }

  open(request: ResolvedRequest): Future<IOStream> {
    const { url, unixSocket, proxyHost, networkInterface, allowIpv6 } = request;
    const secure = url.protocol === "https:";
    const forwarded = isForwarded(request);
    const host = forwarded ? proxyHost! : url.hostname.replace(/^\[|\]$/g, "");
    const port = forwarded
      ? request.proxyPort!
      : url.port === ""
      ? secure ? 443 : 80
      : Number(url.port);
    return openClientStream(this.#client(), host, port, {
      ioLoop: this.ioLoop,
      maxBufferSize: this.#maxBufferSize,
      tls: secure ? this.#contextOf(request) : null,
      proxy: proxyHost === null || forwarded ? null : proxyOf(request),
      unixSocket,
      family: allowIpv6 ? undefined : "ipv4",
      sourceIp: networkInterface,
    });
  }

  leave(place: Place<ClientConnection>, connection: ClientConnection | null): void {
    let kept: ClientConnection | null = null;
    let expires = 0;
    if (connection !== null) {
      const keeps = this.keepAlive && !this.#closed && connection.reusable;
      const time = keeps
        ? Math.min(this.#idleTimeout, connection.keepAliveTimeout - KEEP_ALIVE_MARGIN_MS)
        : 0;
      if (time > 0) {
        kept = connection;
        expires = this.ioLoop.time() + time;
        connection.onIdleClose = () => this.#forget(connection);
        connection.ref(false);
      } else connection.close();
    }
    const { granted, closed } = this.pool.leave(place, kept, expires);
    for (const next of granted) next.onGranted?.();
    for (const each of closed) each.close();
    if (kept !== null && this.#expiry === null) this.#armExpiry();
  }

  #forget(connection: ClientConnection): void {
    this.pool.forget(connection);
    if (this.pool.idle === 0) this.#armExpiry();
  }

  // One timer for all idle connections: a request that uses one does not touch it.
  #armExpiry(): void {
    if (this.#expiry !== null) this.ioLoop.removeTimeout(this.#expiry);
    this.#expiry = null;
    const next = this.pool.nextExpiry();
    if (next === Infinity) return;
    const delay = Math.max(0, next - this.ioLoop.time());
    this.#expiry = this.ioLoop.callLater(delay, () => {
      this.#expiry = null;
      for (const connection of this.pool.expire(this.ioLoop.time())) connection.close();
      if (this.#expiry === null) this.#armExpiry();
    });
  }

  #client(): TCPClient {
    if (this.#tcpClient !== null) return this.#tcpClient;
    let resolver = this.#resolver;
    if (resolver === undefined) resolver = this.#ownResolver = Resolver.create<Resolver>();
    if (this.#hostnameMapping !== undefined) {
      resolver = new OverrideResolver(resolver, this.#hostnameMapping);
    }
    return this.#tcpClient = new TCPClient({ resolver });
  }

  #contextOf(request: ResolvedRequest): SslContext {
    const { sslOptions } = request;
    if (sslOptions !== null) return sslOptionsToContext(sslOptions);
    const key = tlsKey(request);
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = sslOptionsToContext(tlsOptions(request));
      if (this.#contexts.size >= MAX_CONTEXTS) this.#contexts.clear();
      this.#contexts.set(key, context);
    }
    return context;
  }
}

const carryOut = coroutine(function fetch(host: ClientHost, request: ResolvedRequest) {
  return new Fetch(host, request).run();
});

function proxyOf(request: ResolvedRequest): ProxyAddress {
  return {
    host: request.proxyHost!,
    port: request.proxyPort!,
    username: request.proxyUsername,
    password: request.proxyPassword,
    authMode: request.proxyAuthMode,
  };
}

// A tunnel belongs to whoever had it opened. To a proxy that forwards, each request says who
// asks.
function proxyKey(request: ResolvedRequest): unknown[] {
  const { host, port, username, password, authMode } = proxyOf(request);
  return isForwarded(request) ? [host, port] : [host, port, username, password, authMode];
}

function tlsOptions({ validateCert, caCerts, clientKey, clientCert }: ResolvedRequest): SslOptions {
  const options: SslOptions = {};
  if (!validateCert) options.rejectUnauthorized = false;
  if (caCerts !== null) options.caCerts = caCerts;
  if (clientKey !== null) options[isPem(clientKey) ? "key" : "keyFile"] = clientKey;
  if (clientCert !== null) options[isPem(clientCert) ? "cert" : "certFile"] = clientCert;
  return options;
}

// Empty for what is usual.
function tlsKey(request: ResolvedRequest): string {
  const { sslOptions, validateCert, caCerts, clientKey, clientCert } = request;
  if (sslOptions !== null) return `#${numberOf(sslOptions)}`;
  if (validateCert && caCerts === null && clientKey === null && clientCert === null) return "";
  return JSON.stringify([validateCert, caCerts, clientKey, clientCert]);
}

const numbers = new WeakMap<object, number>();
let lastNumber = 0;

function numberOf(object: object): number {
  let number = numbers.get(object);
  if (number === undefined) numbers.set(object, number = ++lastNumber);
  return number;
}

function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

function checkCount(name: string, value: number, least: number): void {
  if (value >= least) return;
  throw new RangeError(`Cannot make a client: ${name} must be ${least} or more, got ${value}`);
}
