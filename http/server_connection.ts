import type { Future } from "../ioloop/mod.ts";
import type { IOStream } from "../iostream/mod.ts";
import { ConnectionHost } from "./_connection_host.ts";
import { type HTTP1ConnectionParameters, limitsOf } from "./connection_parameters.ts";
import type { HTTPServerConnectionDelegate } from "./delegates.ts";

/** Says who is at the other end of a stream, where the stream itself does not. */
export interface HTTP1ConnectionContext {
  /** The address of the peer; by default what the stream says, else `0.0.0.0`. */
  remoteIp?: string;
  /**
   * What requests say of themselves.
   *
   * @default {"http"}
   */
  protocol?: "http" | "https";
}

/**
 * Serves requests on one stream, one after the other; what `HTTPServer` does with each
 * connection, for a stream that comes from elsewhere.
 *
 * @example Serve one end of a pair
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 * import { HTTP1ServerConnection, HTTPHeaders } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const [client, server] = yield* IOStream.pair();
 *   const connection = new HTTP1ServerConnection(server);
 *   connection.startServing({
 *     startRequest: (_connection, answer) => ({
 *       headersReceived() {},
 *       dataReceived() {},
 *       finish() {
 *         answer.writeHeaders({ code: 204 }, new HTTPHeaders());
 *         answer.finish();
 *       },
 *       onConnectionClose() {},
 *     }),
 *     onClose() {},
 *   });
 *   client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
 *   const answer = new TextDecoder().decode(yield* client.readUntilClose());
 *   assertEquals(answer, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
 *   yield* connection.close();
 * });
 * ```
 */
export class HTTP1ServerConnection {
  readonly #stream: IOStream;
  readonly #parameters: HTTP1ConnectionParameters;
  readonly #context: HTTP1ConnectionContext;
  #host: ConnectionHost | null = null; // there once it serves

  /** Takes the stream, which is the connection's from {@linkcode startServing} on. */
  constructor(
    stream: IOStream,
    parameters: HTTP1ConnectionParameters = {},
    context: HTTP1ConnectionContext = {},
  ) {
    this.#stream = stream;
    this.#parameters = parameters;
    this.#context = context;
  }

  /**
   * Serves requests until the connection ends, and gives each to `delegate`.
   *
   * @throws {Error} when it serves already.
   */
  startServing(delegate: HTTPServerConnectionDelegate): void {
    if (this.#host !== null) throw new Error("Cannot start serving: it was started already");
    const stream = this.#stream;
    this.#host = new ConnectionHost({
      begin: (connection) => delegate.startRequest(connection, connection),
      handle: () => undefined,
      ended: (connection) => delegate.onClose(connection),
    }, limitsOf(this.#parameters, stream.maxBufferSize));
    const { remoteIp = peerAddress(stream), protocol = "http" } = this.#context;
    this.#host.serve(stream, remoteIp, protocol);
  }

  /** Closes the connection at once; the Future is done when that is done. */
  close(): Future<void> {
    const host = this.#host;
    if (host === null) {
      this.#stream.close();
      return this.#stream._whenWritten();
    }
    host.close();
    return host.empty();
  }
}

/** The address at the other end of a stream; `0.0.0.0` when it has none. */
export function peerAddress({ conn }: IOStream): string {
  const address = conn !== null && "remoteAddr" in conn ? conn.remoteAddr as Deno.Addr : null;
  return address !== null && "hostname" in address ? address.hostname : "0.0.0.0";
}
