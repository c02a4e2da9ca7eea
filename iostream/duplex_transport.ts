// A stream of `node:` as a transport. Deno connects faster without it, but cannot choose the
// address that it connects from; a socket of `node:net` can.
//
// The stream reads ahead, up to its high-water mark, and what it has is copied out: it is in
// paused mode, so it stops there while nobody reads. A piece that did not fit into the
// buffer of the reader stays as the rest.
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { errorCode, type Transport } from "../ioloop/mod.ts";

/** Reads and writes a `Duplex` of `node:stream` as it would a `Deno.Conn`, and owns it. */
export class DuplexTransport<D extends Duplex = Duplex> implements Transport {
  /** The stream. */
  protected readonly duplex: D;
  #rest: Uint8Array | null = null; // what was read and not taken; never empty
  #reader: PromiseWithResolvers<void> | null = null; // waits for something to happen
  #writer: PromiseWithResolvers<number> | null = null;
  #error: unknown = null;
  #ended = false; // the peer sends no more
  #closed = false;

  /** Takes over a stream that nobody listens to; it should allow half-open connections. */
  constructor(duplex: D) {
    this.duplex = duplex;
    const wake = () => this.#reader?.resolve();
    duplex.on("readable", wake);
    duplex.on("end", () => {
      this.#ended = true;
      wake();
    });
    duplex.on("error", (error) => this.#fail(asPlatformError(error)));
    duplex.on("close", () => this.#fail(interrupted("use the connection")));
  }

  /** See {@linkcode Transport.read}. */
  async read(buffer: Uint8Array): Promise<number | null> {
    this.#mustBeOpen("read");
    if (this.#reader !== null) throw new Deno.errors.Busy("Cannot read: another read is pending");
    if (buffer.length === 0) return 0;
    for (;;) {
      const chunk = this.#rest ?? this.duplex.read() as Uint8Array | null;
      if (chunk !== null) {
        const count = Math.min(chunk.length, buffer.length);
        buffer.set(chunk.subarray(0, count));
        this.#rest = count < chunk.length ? chunk.subarray(count) : null;
        return count;
      }
      if (this.#ended) return null;
      if (this.#error !== null) throw this.#error;
      this.#reader = Promise.withResolvers();
      try {
        await this.#reader.promise;
      } finally {
        this.#reader = null;
      }
      if (this.#closed) throw interrupted("read");
    }
  }

  /** See {@linkcode Transport.write}. */
  async write(data: Uint8Array): Promise<number> {
    this.#mustBeOpen("write");
    if (this.#writer !== null) throw new Deno.errors.Busy("Cannot write: another write is pending");
    if (this.#error !== null) throw this.#error;
    if (data.length === 0) return 0;
    const writer = this.#writer = Promise.withResolvers<number>();
    this.duplex.write(data, (error) => {
      if (error !== null && error !== undefined) writer.reject(asPlatformError(error));
      else writer.resolve(data.length);
    });
    try {
      return await writer.promise;
    } finally {
      this.#writer = null;
    }
  }

  /** See {@linkcode Transport.close}. */
  close(): void {
    this.#mustBeOpen("close");
    this.#closed = true;
    this.#reader?.resolve();
    this.#writer?.reject(interrupted("write"));
    this.duplex.destroy();
  }

  /** See {@linkcode Transport.closeWrite}. */
  async closeWrite(): Promise<void> {
    this.#mustBeOpen("close the writing side");
    if (this.#error !== null) throw this.#error;
    await new Promise<void>((resolve, reject) => {
      this.duplex.end((error?: Error | null) => {
        if (error !== null && error !== undefined) reject(asPlatformError(error));
        else resolve();
      });
    });
  }

  // The first error is the reason; what follows from it is not.
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#error ??= error;
    this.#reader?.resolve();
    this.#writer?.reject(this.#error);
  }

  #mustBeOpen(action: string): void {
    if (this.#closed) {
      throw new Deno.errors.BadResource(`Cannot ${action}: the connection is closed`);
    }
  }
}

/** Is a connection that was made by `node:net`. */
export class SocketTransport extends DuplexTransport<Socket> {
  /** The address of this end. */
  get localAddr(): Deno.NetAddr {
    const { localAddress = "", localPort = 0 } = this.duplex;
    return { transport: "tcp", hostname: localAddress, port: localPort };
  }

  /** The address of the peer. */
  get remoteAddr(): Deno.NetAddr {
    const { remoteAddress = "", remotePort = 0 } = this.duplex;
    return { transport: "tcp", hostname: remoteAddress, port: remotePort };
  }

  /** Sets TCP_NODELAY. */
  setNoDelay(value: boolean = true): void {
    this.duplex.setNoDelay(value);
  }
}

/** Is where a connection starts; port 0: any. */
export interface SourceAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Connects from a given address; gives up when `signal` is aborted. */
export function connectFrom(
  source: SourceAddress,
  { hostname, port }: { readonly hostname: string; readonly port: number },
  signal: AbortSignal,
): Promise<SocketTransport> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port,
      localAddress: source.hostname,
      localPort: source.port,
      allowHalfOpen: true,
    });
    const abort = () => socket.destroy(signal.reason);
    const failed = (error: Error) => {
      signal.removeEventListener("abort", abort);
      reject(error === signal.reason ? error : asPlatformError(error, source));
    };
    signal.addEventListener("abort", abort);
    socket.once("error", failed);
    socket.once("connect", () => {
      signal.removeEventListener("abort", abort);
      socket.off("error", failed);
      resolve(new SocketTransport(socket));
    });
  });
}

// `node:` gives codes, Deno has a class for each; callers know the classes.
function asPlatformError(cause: Error, source?: SourceAddress): unknown {
  const code = errorCode(cause);
  // The polyfill says EINVAL for an address that is not of this machine.
  const badSource = source !== undefined &&
    (code === "EINVAL" || code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT");
  if (badSource) {
    return new Deno.errors.AddrNotAvailable(
      `Cannot connect from ${source.hostname}: it is not an address of this machine`,
      { cause },
    );
  }
  const type = ERRORS[code ?? ""];
  return type === undefined ? cause : new type(cause.message, { cause });
}

const ERRORS: Readonly<Record<string, new (message: string, options: ErrorOptions) => Error>> = {
  EACCES: Deno.errors.PermissionDenied,
  EADDRINUSE: Deno.errors.AddrInUse,
  ECONNABORTED: Deno.errors.ConnectionAborted,
  ECONNREFUSED: Deno.errors.ConnectionRefused,
  ECONNRESET: Deno.errors.ConnectionReset,
  ENETUNREACH: Deno.errors.NetworkUnreachable,
  ENOTCONN: Deno.errors.NotConnected,
  EPIPE: Deno.errors.BrokenPipe,
  ETIMEDOUT: Deno.errors.TimedOut,
};

function interrupted(action: string): Error {
  return new Deno.errors.Interrupted(`Cannot ${action}: the connection was closed meanwhile`);
}
