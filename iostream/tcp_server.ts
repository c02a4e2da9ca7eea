import { convertYielded } from "../gen/mod.ts";
import { _isWork } from "../ioloop/converter.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError, genLog, IOLoop } from "../ioloop/mod.ts";
import type { SourceChannel, Timeout } from "../ioloop/mod.ts";
import { StreamClosedError } from "./errors.ts";
import { IOStream } from "./iostream.ts";

const ACCEPT_RETRY_MS = 100; // after running out of descriptors: time for others to close

/** Options of {@linkcode TCPServer}. */
export interface TCPServerOptions {
  /** See `IOStreamOptions.maxBufferSize`. */
  maxBufferSize?: number;
  /** See `IOStreamOptions.readChunkSize`. */
  readChunkSize?: number;
  /** The loop; by default the one that is current when the server starts to listen. */
  ioLoop?: IOLoop;
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
  readonly #listeners = new Map<Deno.Listener, SourceChannel<Deno.Listener>>();
  readonly #retries = new Set<Timeout>();
  #loop: IOLoop | null = null; // there once it listens

  /** Makes a server that does not listen yet. */
  constructor(options: TCPServerOptions = {}) {
    this.#options = options;
  }

  /** What it listens on. */
  get addresses(): Deno.Addr[] {
    return [...this.#listeners.keys()].map((listener) => listener.addr);
  }

  /** The loop that it listens in; the current one before it listens. */
  get ioLoop(): IOLoop {
    return this.#loop ?? this.#options.ioLoop ?? IOLoop.current();
  }

  /**
   * Starts to accept connections on `port` (0 picks a free one) of `address`, by default of
   * all interfaces. May be called several times.
   *
   * @throws {Deno.errors.AddrInUse} when the port is taken; the message names it.
   * @throws {Deno.errors.NotCapable} without net permission; the message names the flag.
   * @throws {RangeError} when `port` is not from 0 to 65535.
   */
  listen(port: number, address?: string): void {
    this.addListener(listenOn(port, address));
  }

  /** Starts to accept connections on a listener, and owns it. */
  addListener(listener: Deno.Listener): void {
    this.#loop ??= this.#options.ioLoop ?? IOLoop.current();
    const channel = this.#loop.addHandler(
      listener,
      () => this.#accept(listener),
      IOLoop.READ,
    );
    this.#listeners.set(listener, channel);
  }

  /** Stops accepting; open connections stay. A second call does nothing. */
  stop(): void {
    for (const timeout of this.#retries) this.#loop!.removeTimeout(timeout);
    this.#retries.clear();
    for (const listener of this.#listeners.keys()) {
      this.#loop!.removeHandler(listener);
      listener.close();
    }
    this.#listeners.clear();
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

  #accept(listener: Deno.Listener): void {
    const channel = this.#listeners.get(listener)!;
    let conn: Deno.Conn | undefined;
    try {
      conn = channel.take();
    } catch (error) {
      this.#acceptFailed(channel, error);
      return;
    }
    if (conn === undefined) return;
    const stream = new IOStream(conn, { ...this.#options, ioLoop: this.#loop! });
    try {
      stream.setNoDelay(true); // a flush is a whole answer: nothing to gain by waiting
    } catch {
      // The peer is gone already; the stream will tell.
    }
    this.#handle(stream, conn.remoteAddr);
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

  // A peer that hung up before it was accepted is none of our business. Without descriptors
  // every accept fails at once: wait, instead of spinning.
  #acceptFailed(channel: SourceChannel<Deno.Listener>, error: unknown): void {
    if (error instanceof Deno.errors.ConnectionAborted) return;
    genLog.error("Cannot accept a connection: {error}", {
      error: describeError(error),
    });
    channel.want(IOLoop.NONE);
    const retry = this.#loop!.callLater(ACCEPT_RETRY_MS, () => {
      this.#retries.delete(retry);
      channel.want(IOLoop.READ);
    });
    this.#retries.add(retry);
  }

  #logFailure(error: unknown): void {
    if (error instanceof CancelledError || error instanceof StreamClosedError) {
      return;
    }
    appLog.error("Exception in callback {name}: {error}", {
      name: `${this.constructor.name}.handleStream`,
      error: describeError(error),
    });
  }
}

function listenOn(port: number, address?: string): Deno.TcpListener {
  try {
    return Deno.listen({ port, hostname: address ?? "::" });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new Deno.errors.AddrInUse(
        `Cannot listen on port ${port} of ${address ?? "all interfaces"}: it is in use`,
        { cause: error },
      );
    }
    const noIpv6 = address === undefined &&
      !(error instanceof Deno.errors.NotCapable);
    if (noIpv6) return listenOn(port, "0.0.0.0");
    throw error;
  }
}
