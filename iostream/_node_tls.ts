// TLS by `node:tls`, on any transport. Two streams of node: stand behind each other:
//
//   owner <--read, write--> TLSSocket <--records--> Records <--> plain transport
//
// The TLSSocket takes whatever Records brings it, without end. So Records asks the transport
// for more only while somebody wants it: the handshake, or a read that is pending. That is
// the back-pressure.
//
//   HANDSHAKE --done--> OPEN --close(), failure--> CLOSED       HANDSHAKE --likewise--> CLOSED
//
// The end of the plain transport is no end of what it carries, which a close_notify says
// (RFC 8446 6.1). node: does not tell the two apart, and we want to: Records keeps the end of
// the transport to itself, and whoever reads on then gets an error.
import { Buffer } from "node:buffer";
import type { X509Certificate } from "node:crypto";
import { Duplex } from "node:stream";
import { connect, createServer, type TLSSocket } from "node:tls";
import type { Transport } from "../ioloop/mod.ts";
import {
  handshakeError,
  interrupted,
  sessionError,
  type TlsSession,
  type TlsTransport,
} from "./_tls_transport.ts";
import { isValidIp } from "./ip_address.ts";
import type { SslContext } from "./ssl_options.ts";

const FIRST_SIZE = 2048; // of a read of the transport; it doubles while reads fill it
const MAX_SIZE = 65536;
const MAX_WRITE = 65536; // bytes that are encrypted at a time
const FREE_MS = 1000; // for the last words, of a peer that has none or takes none

const State = { HANDSHAKE: 0, OPEN: 1, CLOSED: 2 } as const;
type State = typeof State[keyof typeof State];

type Callback = (error?: Error | null) => void;

/** Is TLS as `node:tls` does it, on any transport. */
export class NodeTls implements TlsTransport {
  readonly peer: string;
  readonly #context: SslContext;
  readonly #plain: Transport;
  readonly #records: Records;
  readonly #session = Promise.withResolvers<TlsSession>();
  #socket: TLSSocket | null = null; // there for a client, and for a server once it is OPEN
  #state: State = State.HANDSHAKE;
  #error: unknown = null; // why it is CLOSED; null when its owner closed it
  #ended = false; // the peer has said that it sends no more
  #ticketsDue = false; // nothing came since the handshake, and something will
  #rest: Uint8Array | null = null; // what the socket gave and nobody took; never empty
  #reader: PromiseWithResolvers<void> | null = null; // waits for something to happen
  #writer: PromiseWithResolvers<number> | null = null;
  #freeing: ReturnType<typeof setTimeout> | null = null; // while last words are exchanged

  /** Takes over a transport and starts the handshake; a client gives the name of its server. */
  constructor(plain: Transport, context: SslContext, peer: string, serverName = "") {
    this.peer = peer;
    this.#context = context;
    this.#plain = plain;
    this.#records = new Records(plain, {
      arrived: () => this.#arrived(),
      ended: () => this.#cutOff(),
      failed: (error) => this.#fail(error),
    });
    this.#session.promise.catch(() => {}); // handshake() tells
    if (context.serverSide) this.#accept();
    else this.#connect(serverName);
  }

  /** See {@linkcode TlsTransport.handshake}. */
  handshake(): Promise<TlsSession> {
    return this.#session.promise;
  }

  /** See {@linkcode Transport.read}. */
  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#state !== State.OPEN) await this.#whenOpen();
    if (buffer.length === 0) return 0;
    for (;;) {
      const chunk = this.#rest ?? this.#socket!.read() as Uint8Array | null;
      if (chunk !== null) {
        const count = Math.min(chunk.length, buffer.length);
        buffer.set(chunk.subarray(0, count));
        this.#rest = count < chunk.length ? chunk.subarray(count) : null;
        return count;
      }
      if (this.#ended) return null;
      if (this.#state === State.CLOSED) throw this.#error ?? interrupted("read");
      this.#reader = Promise.withResolvers();
      this.#records.wanted = true;
      await this.#reader.promise;
      this.#reader = null;
      this.#records.wanted = false;
    }
  }

  /** See {@linkcode Transport.write}. */
  async write(data: Uint8Array): Promise<number> {
    if (this.#state !== State.OPEN) await this.#whenOpen();
    if (data.length === 0) return 0;
    const piece = data.length > MAX_WRITE ? data.subarray(0, MAX_WRITE) : data;
    const writer = this.#writer = Promise.withResolvers<number>();
    this.#socket!.write(piece, (error) => {
      const failure = this.#error ?? this.#records.broken ?? error ?? null;
      if (failure !== null) writer.reject(failure);
      else writer.resolve(piece.length);
    });
    try {
      return await writer.promise;
    } finally {
      this.#writer = null;
    }
  }

  /** See {@linkcode Transport.closeWrite}. */
  async closeWrite(): Promise<void> {
    if (this.#state !== State.OPEN) await this.#whenOpen();
    await new Promise<void>((resolve, reject) => {
      this.#socket!.end((error?: Error | null) => {
        if (error) reject(this.#error ?? error);
        else resolve();
      });
    });
  }

  /** See {@linkcode Transport.close}. */
  close(): void {
    if (this.#state === State.CLOSED) {
      if (this.#error === null) throw new Deno.errors.BadResource("Cannot close: it is closed");
      return;
    }
    const politely = this.#state === State.OPEN && this.#writer === null;
    this.#close(null);
    if (!politely) {
      this.#free();
      return;
    }
    this.#freeing = setTimeout(() => this.#free(), FREE_MS);
    if (this.#socket!.writableEnded) this.#freeAfterTickets();
    else this.#socket!.end(() => this.#freeAfterTickets());
  }

  /** See {@linkcode Transport.ref}. */
  ref(): void {
    this.#plain.ref?.();
  }

  /** See {@linkcode Transport.unref}. */
  unref(): void {
    this.#plain.unref?.();
  }

  /** Sets TCP_NODELAY; ignored where the plain transport has no such thing. */
  setNoDelay(value: boolean): void {
    if ("setNoDelay" in this.#plain) (this.#plain as Deno.TcpConn).setNoDelay(value);
  }

  // A server is made for each connection, which costs less than a microsecond: only so it is
  // known whose handshake failed. It does what a TLSSocket alone does not, verify a client.
  #accept(): void {
    const context = this.#context;
    const server = createServer({
      cert: context._cert,
      key: context._key,
      minVersion: context._minVersion,
      ALPNProtocols: orUndefined(context._alpnProtocols),
      ca: orUndefined(context._caCerts),
      requestCert: context._clientCert !== "none",
      rejectUnauthorized: context._clientCert === "required",
      handshakeTimeout: 0, // the stream has its own
    });
    server.on("secureConnection", (socket) => this.#opened(socket));
    server.on("tlsClientError", (error, socket) => {
      this.#fail(asError(socket.authorizationError ?? error));
    });
    server.emit("connection", this.#records);
  }

  #connect(serverName: string): void {
    const context = this.#context;
    const verify = context._rejectUnauthorized;
    const socket = connect({
      socket: this.#records,
      host: serverName,
      servername: isValidIp(serverName) ? "" : serverName, // RFC 6066 3: no address
      cert: context._cert,
      key: context._key,
      minVersion: context._minVersion,
      ALPNProtocols: orUndefined(context._alpnProtocols),
      ca: verify && context._caCerts.length > 0 ? [...context._trusted] : undefined,
      rejectUnauthorized: verify,
      ...(context._checkHostname ? {} : { checkServerIdentity: () => undefined }),
    });
    this.#socket = socket;
    socket.on("error", (error) => this.#socketFailed(error));
    socket.once("secureConnect", () => this.#opened(socket));
  }

  #opened(socket: TLSSocket): void {
    if (this.#state === State.CLOSED) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    const refused = this.#refusal(socket);
    if (refused !== null) {
      this.#fail(new Error(refused));
      return;
    }
    this.#state = State.OPEN;
    this.#ticketsDue = !this.#context.serverSide && socket.getProtocol() === "TLSv1.3";
    this.#records.wanted = false;
    const wake = () => this.#reader?.resolve();
    socket.on("readable", wake);
    socket.on("end", () => {
      this.#ended = true;
      wake();
    });
    if (this.#context.serverSide) socket.on("error", (error) => this.#socketFailed(error));
    this.#session.resolve({
      alpnProtocol: socket.alpnProtocol || null,
      peerCertificate: certificateOf(socket),
    });
  }

  // What node: leaves to its caller.
  #refusal(socket: TLSSocket): string | null {
    const { _clientCert, _ciphers } = this.#context;
    const badClient = _clientCert === "optional" && !socket.authorized &&
      certificateOf(socket) !== null;
    if (badClient) return asError(socket.authorizationError).message;
    const { name } = socket.getCipher();
    if (_ciphers === null || _ciphers.has(name.toLowerCase())) return null;
    return `the cipher ${name} is not one of those that are allowed`;
  }

  // A server of TLS 1.3 sends tickets after the handshake (RFC 8446 4.6.1). If they arrive at a
  // socket that was closed, TCP resets the connection, and what was written may be lost.
  #freeAfterTickets(): void {
    if (this.#ticketsDue && !this.#ended) this.#records.wanted = true;
    else this.#free();
  }

  #arrived(): void {
    if (this.#state !== State.HANDSHAKE) this.#ticketsDue = false;
    if (this.#state === State.CLOSED) this.#free();
  }

  // The plain transport came to its end. What arrived before it, a close_notify perhaps, has
  // gone through the socket by the next macrotask.
  #cutOff(): void {
    if (this.#state === State.CLOSED) this.#free();
    setImmediate(() => {
      const missed = this.#state === State.HANDSHAKE || this.#reader !== null && !this.#ended;
      if (missed) this.#fail(new Deno.errors.UnexpectedEof("TLS ended without a close_notify"));
    });
  }

  #socketFailed(error: Error): void {
    this.#fail(this.#state === State.OPEN ? sessionError(this.peer, error) : error);
  }

  #fail(error: unknown): void {
    if (this.#state !== State.CLOSED) {
      this.#close(this.#state === State.HANDSHAKE ? handshakeError(this.peer, error) : error);
    }
    this.#free();
  }

  #close(error: unknown): void {
    this.#state = State.CLOSED;
    this.#error = error;
    this.#session.reject(error ?? interrupted("set up TLS"));
    this.#reader?.resolve();
    this.#writer?.reject(error ?? interrupted("write"));
  }

  #free(): void {
    if (this.#freeing !== null) clearTimeout(this.#freeing);
    this.#freeing = null;
    this.#socket?.destroy();
    this.#records.destroy();
  }

  async #whenOpen(): Promise<void> {
    await this.#session.promise;
    if (this.#state === State.CLOSED) throw this.#error ?? interrupted("use the connection");
  }
}

/** Is told what happens below. */
interface RecordsOwner {
  /** Bytes have come, which the TLSSocket will get. */
  arrived(): void;
  /** There are no more; told again whenever more is wanted. */
  ended(): void;
  /** Reading failed. */
  failed(error: unknown): void;
}

/** Is a transport as a stream of node:, which is read only while that is wanted. */
class Records extends Duplex {
  /** Why the peer takes no more; null while it does. What it sent can still be read. */
  broken: unknown = null;
  readonly #plain: Transport;
  readonly #owner: RecordsOwner;
  #wanted = true;
  #asked = false; // the TLSSocket waits for bytes
  #reading = false;
  #over = false;
  #size = FIRST_SIZE;

  constructor(plain: Transport, owner: RecordsOwner) {
    super({ allowHalfOpen: true });
    this.#plain = plain;
    this.#owner = owner;
  }

  /** Says whether to read on. */
  set wanted(value: boolean) {
    this.#wanted = value;
    if (value) this.#pull();
  }

  override _read(): void {
    this.#asked = true;
    this.#pull();
  }

  // TLS has words of its own to write. That nobody takes them must not keep us from reading,
  // as a failure told to the TLSSocket would.
  override _write(data: Uint8Array, _encoding: string, callback: Callback): void {
    this.#writeAll(data).catch((error) => this.broken = error).then(() => callback());
  }

  override _final(callback: Callback): void {
    this.#plain.closeWrite().then(() => callback(), () => callback()); // the peer is gone
  }

  override _destroy(_error: Error | null, callback: Callback): void {
    try {
      this.#plain.close();
    } catch {
      // It was closed by somebody else; closed is what it shall be.
    }
    callback();
  }

  #pull(): void {
    if (!this.#wanted || this.destroyed) return;
    if (this.#over) this.#owner.ended();
    else if (this.#asked && !this.#reading) this.#readMore();
  }

  #readMore(): void {
    this.#reading = true;
    const buffer = new Uint8Array(this.#size);
    this.#plain.read(buffer).then((count) => {
      this.#reading = false;
      if (count !== null) this.#arrived(buffer, count);
      else {
        this.#over = true;
        this.#pull();
      }
    }, (error) => {
      if (!this.destroyed) this.#owner.failed(error);
    });
  }

  #arrived(buffer: Uint8Array<ArrayBuffer>, count: number): void {
    if (!this.destroyed) this.#owner.arrived();
    if (this.destroyed) return;
    this.#size = count === buffer.length ? Math.min(2 * count, MAX_SIZE) : FIRST_SIZE;
    this.#asked = false;
    this.push(Buffer.from(buffer.buffer, 0, count));
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    if (this.broken !== null) return;
    let at = 0;
    while (at < data.length) at += await this.#plain.write(at === 0 ? data : data.subarray(at));
  }
}

function certificateOf(socket: TLSSocket): X509Certificate | null {
  return socket.getPeerX509Certificate() ?? null;
}

// The types say Error, and it is a code.
function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function orUndefined(list: readonly string[]): string[] | undefined {
  return list.length > 0 ? [...list] : undefined;
}
