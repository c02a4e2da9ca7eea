// There are two engines of TLS, and this file chooses:
//
// - Deno's own, on fresh sockets of Deno. A byte costs less than half of what it costs below
//   (500 against 200 MB/s), a small message there and back a third (50 against 180 us). But it
//   never lets go of a connection whose handshake is not over, or whose peer takes nothing,
//   before that peer does: so servers use it only on a listener that has it by itself.
// - `node:tls`, on any transport: one that was in use as plain text, a Unix socket, a pair in
//   memory. It alone can be the server on a connection that was accepted without TLS, ask a
//   client for its certificate, present one as a client, show that of a server without
//   checking it, and keep to a version or to ciphers.
import type { Transport } from "../ioloop/mod.ts";
import { DenoTls } from "./_deno_tls.ts";
import { NodeTls } from "./_node_tls.ts";
import type { TlsTransport } from "./_tls_transport.ts";
import type { SslContext } from "./ssl_options.ts";

/**
 * Secures a transport and owns it. A `Deno.TlsConn` is secure by itself and needs no context;
 * a client gives the name that its server must prove to have.
 *
 * @throws {TypeError} when context or name are missing, or the context comes too late.
 */
export function secure(
  plain: Transport,
  context: SslContext | null,
  serverName: string | undefined,
): TlsTransport {
  if (isTlsConn(plain)) {
    if (context !== null) checkUseless(context, "connection");
    return DenoTls.over(plain, addressOf(plain));
  }
  if (context === null) {
    throw new TypeError("Cannot secure a connection without TLS: sslOptions are missing");
  }
  if (!context.serverSide) checkServerName(context, serverName);
  disableDelay(plain);
  if (context.serverSide) return new NodeTls(plain, context, addressOf(plain));
  const peer = serverName ?? addressOf(plain);
  if (!isTcpConn(plain) || needsNode(context)) {
    return new NodeTls(plain, context, peer, serverName);
  }
  const options = {
    caCerts: [...context._caCerts],
    alpnProtocols: [...context._alpnProtocols],
    unsafelyDisableHostnameVerification: !context._checkHostname,
    ...(serverName === undefined ? {} : { hostname: serverName }),
  };
  return DenoTls.start(plain, options, peer);
}

/**
 * Checks that there is a name where one is to be verified.
 *
 * @throws {TypeError} when it is missing.
 */
export function checkServerName(context: SslContext, serverName: string | undefined): void {
  if (!context._checkHostname || serverName !== undefined && serverName !== "") return;
  throw new TypeError(
    "Cannot verify the name of the server: give serverHostname, or checkHostname: false",
  );
}

/**
 * Checks that a listener which has TLS of its own can do what `context` says.
 *
 * @throws {TypeError} when it cannot.
 */
export function checkListener(context: SslContext, listener: Deno.Listener): void {
  // Nothing else tells such a listener from another before it has accepted a connection.
  if (listener.constructor.name === "TlsListener") checkUseless(context, "listener");
}

// Better no server than one that does not ask for the certificates it was told to ask for.
function checkUseless(context: SslContext, what: string): void {
  if (!needsNode(context)) return;
  throw new TypeError(
    `Cannot apply sslOptions to a ${what} that has TLS of its own: give a plain ${what}`,
  );
}

function needsNode(context: SslContext): boolean {
  if (context._minVersion !== "TLSv1.2" || context._ciphers !== null) return true;
  return context.serverSide
    ? context._clientCert !== "none"
    : !context._rejectUnauthorized || context._cert !== undefined;
}

/** Tells whether it is a connection of Deno that has TLS by itself. */
export function isTlsConn(plain: Transport): plain is Deno.TlsConn {
  return "readable" in plain && "handshake" in plain; // our own have no web stream
}

function isTcpConn(plain: Transport): plain is Deno.TcpConn {
  return "readable" in plain && "setNoDelay" in plain;
}

/**
 * Sets TCP_NODELAY where there is such a thing: records are whole, and the last one of a
 * handshake would wait 40 ms for the one before it to be confirmed.
 */
export function disableDelay(plain: Transport): void {
  if (!("setNoDelay" in plain)) return;
  try {
    (plain as Deno.TcpConn).setNoDelay(true);
  } catch {
    // The peer is gone already; the handshake will tell.
  }
}

function addressOf(plain: Transport): string {
  const { remoteAddr } = plain as Transport & { remoteAddr?: Deno.Addr };
  return remoteAddr !== undefined && "hostname" in remoteAddr
    ? `${remoteAddr.hostname}:${remoteAddr.port}`
    : "the peer";
}
