import type { Transport } from "../ioloop/mod.ts";
import {
  handshakeError,
  interrupted,
  type TlsSession,
  type TlsTransport,
} from "./_tls_transport.ts";

/**
 * Is TLS as Deno does it, on a socket of Deno.
 *
 * Deno ends a connection politely: it finishes the handshake, and writes what is left, behind
 * the back of whoever closed it. So the descriptor of a peer that stands still, in the
 * handshake or under a write, is free only when the peer goes.
 */
export class DenoTls implements TlsTransport {
  readonly peer: string;
  readonly #plain: Transport | null; // becomes part of #conn
  readonly #opening: Promise<Deno.TlsConn>;
  #conn: Deno.TlsConn | null = null; // there once the handshake is done
  #session: Promise<TlsSession> | null = null;
  #closed = false;

  /** Takes over a connection that was made with TLS, by a listener for one. */
  static over(conn: Deno.TlsConn, peer: string): DenoTls {
    return new DenoTls(null, Promise.resolve(conn), peer);
  }

  /** Takes over a fresh connection, as its client. */
  static start(conn: Deno.TcpConn, options: Deno.StartTlsOptions, peer: string): DenoTls {
    return new DenoTls(conn, Deno.startTls(conn, options), peer);
  }

  private constructor(plain: Transport | null, opening: Promise<Deno.TlsConn>, peer: string) {
    this.#plain = plain;
    this.#opening = opening;
    this.peer = peer;
    opening.catch(() => {}); // handshake() tells
  }

  /** See {@linkcode TlsTransport.handshake}. */
  handshake(): Promise<TlsSession> {
    return this.#session ??= this.#shakeHands();
  }

  /** See {@linkcode Transport.read}. */
  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn?.read(buffer) ?? this.#whenOpen((conn) => conn.read(buffer));
  }

  /** See {@linkcode Transport.write}. */
  write(data: Uint8Array): Promise<number> {
    return this.#conn?.write(data) ?? this.#whenOpen((conn) => conn.write(data));
  }

  /** See {@linkcode Transport.closeWrite}. */
  closeWrite(): Promise<void> {
    return this.#whenOpen((conn) => conn.closeWrite());
  }

  /** See {@linkcode Transport.close}. */
  close(): void {
    if (this.#closed) throw new Deno.errors.BadResource("Cannot close: it is closed already");
    this.#closed = true;
    if (this.#conn !== null) {
      this.#conn.close();
      return;
    }
    // By then somebody else may have closed it; closed is what it shall be.
    this.#opening.catch(() => this.#plain).then((conn) => conn?.close()).catch(() => {});
  }

  /** See {@linkcode Transport.ref}. */
  ref(): void {
    this.#conn?.ref();
  }

  /** See {@linkcode Transport.unref}; of no use before the handshake is done. */
  unref(): void {
    this.#conn?.unref();
  }

  async #whenOpen<T>(use: (conn: Deno.TlsConn) => Promise<T>): Promise<T> {
    await this.handshake();
    return await use(this.#conn!);
  }

  async #shakeHands(): Promise<TlsSession> {
    try {
      const conn = await this.#opening;
      const { alpnProtocol } = await conn.handshake();
      if (this.#closed) throw interrupted("set up TLS");
      this.#conn = conn;
      return { alpnProtocol, peerCertificate: null };
    } catch (error) {
      throw this.#closed ? interrupted("set up TLS") : handshakeError(this.peer, error);
    }
  }
}
