import type { X509Certificate } from "node:crypto";
import { TimeoutError } from "../ioloop/mod.ts";
import type { Transport } from "../ioloop/mod.ts";

/** Is what a handshake arrived at. */
export interface TlsSession {
  /** The application protocol that both sides speak; null when they did not agree on one. */
  readonly alpnProtocol: string | null;
  /** The certificate of the peer; null when it sent none, or when the engine does not show it. */
  readonly peerCertificate: X509Certificate | null;
}

/** Is a transport that a handshake makes secure; reads and writes before it wait for it. */
export interface TlsTransport extends Transport {
  /** Who is on the other side, in words. */
  readonly peer: string;
  /**
   * Does the handshake; further calls return the same promise. It fails with what
   * {@linkcode handshakeError} makes, or with `Deno.errors.Interrupted` when the transport
   * is closed meanwhile.
   */
  handshake(): Promise<TlsSession>;
}

/**
 * Says with whom a handshake failed, and why. Deno's class stays; what `node:` gives is
 * `Deno.errors.InvalidData`, or `UnexpectedEof` when the peer is gone.
 */
export function handshakeError(peer: string, cause: unknown): Error {
  const { name, message, code } = cause as Error & { code?: unknown };
  const eof = name === "UnexpectedEof" || name === "Error" && code === "ECONNRESET";
  const why = eof
    ? "it closed the connection during the handshake"
    : NOT_TLS_REGEXP.test(message)
    ? `it does not speak TLS (${message})`
    : message;
  const text = `Cannot set up TLS with ${peer}: ${why}`;
  if (eof) return new Deno.errors.UnexpectedEof(text, { cause });
  if (cause instanceof TypeError) return new TypeError(text, { cause });
  const type = Deno.errors[name as keyof typeof Deno.errors] ?? Deno.errors.InvalidData;
  return new type(text, { cause });
}

/** Says why TLS could not go on after the handshake, of what `node:` says about it. */
export function sessionError(peer: string, cause: Error): Error {
  const text = `Cannot go on with TLS with ${peer}: ${cause.message}`;
  return new Deno.errors.InvalidData(text, { cause });
}

/** Says that a handshake took too long. */
export function handshakeTimeoutError(peer: string, ms: number): TimeoutError {
  return new TimeoutError(`Cannot set up TLS with ${peer}: it took longer than ${ms} ms`);
}

/** Says that a transport was closed while something was in flight. */
export function interrupted(action: string): Error {
  return new Deno.errors.Interrupted(`Cannot ${action}: the connection was closed meanwhile`);
}

// What a first byte that is none of a TLS record is called.
const NOT_TLS_REGEXP = /InvalidContentType|wrong version number/;
