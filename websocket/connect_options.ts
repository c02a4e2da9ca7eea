import type { IOLoop } from "../ioloop/mod.ts";
import type { Resolver, SslContext, SslOptions } from "../iostream/mod.ts";
import type { HTTPHeadersInit } from "../http/mod.ts";
import type { MessageCallback } from "./_inbox.ts";
import type { WebSocketParams } from "./connection.ts";

/** What the HTTP request of a handshake may say; the `HTTPRequest` of `http/` does. */
export interface HandshakeOptions {
  /** Header fields to send, besides those of the handshake. */
  headers?: HTTPHeadersInit | undefined;
  /**
   * The ms until the handshake must be done; 0 for no limit.
   *
   * @default {20000}
   */
  connectTimeout?: number | undefined;
  /** The name for basic authentication; that of the URL, if it has one, is used without it. */
  authUsername?: string | null | undefined;
  /** The password that goes with it. */
  authPassword?: string | null | undefined;
  /** The User-Agent to send. */
  userAgent?: string | null | undefined;
  /** The host of an HTTP proxy, which is asked for a tunnel (CONNECT); needs `proxyPort`. */
  proxyHost?: string | null | undefined;
  /** The port of the proxy. */
  proxyPort?: number | null | undefined;
  /** The name for the proxy; without it the proxy is not told who asks. */
  proxyUsername?: string | null | undefined;
  /** The password that goes with it. */
  proxyPassword?: string | null | undefined;
  /**
   * How name and password are sent to the proxy.
   *
   * @default {"basic"}
   */
  proxyAuthMode?: "basic" | "digest" | undefined;
  /** The path of a Unix socket to connect to, in place of the host and port of the URL. */
  unixSocket?: string | null | undefined;
  /** The address of this machine to connect from. */
  networkInterface?: string | null | undefined;
  /**
   * Whether IPv6 is used.
   *
   * @default {true}
   */
  allowIpv6?: boolean | undefined;
  /** How a `wss:` connection is secured; the four that follow are ignored with it. */
  sslOptions?: SslOptions | SslContext | null | undefined;
  /**
   * Whether the server's certificate must be valid.
   *
   * @default {true}
   */
  validateCert?: boolean | undefined;
  /** Authorities to trust besides, as a path or as PEM. */
  caCerts?: string | null | undefined;
  /** The certificate to show to the server, as a path or as PEM. */
  clientCert?: string | null | undefined;
  /** The key of `clientCert`, as a path or as PEM. */
  clientKey?: string | null | undefined;
  /** Gives the attempt to connect up when it is aborted. */
  signal?: AbortSignal | null | undefined;
}

/** Says what to connect to; the `HTTPRequest` of `http/` is one. */
export interface WebSocketRequest extends HandshakeOptions {
  /** A `ws:` or `wss:` URL. */
  readonly url: string | URL;
}

/** Options of {@linkcode websocketConnect}. */
export interface WebSocketConnectOptions extends HandshakeOptions, WebSocketParams {
  /** The subprotocols to offer, the preferred one first. */
  subprotocols?: readonly string[];
  /**
   * Is given every message, and null at the end; then `readMessage` is not used. The next
   * message comes when the work that it returns, if any, is done.
   */
  onMessageCallback?: MessageCallback;
  /** Resolves the server's name; by default `Resolver.create()`. */
  resolver?: Resolver;
  /** The loop; by default the current one. */
  ioLoop?: IOLoop;
}
