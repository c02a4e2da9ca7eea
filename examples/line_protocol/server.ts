/**
 * A calculator that speaks lines.
 *
 * It teaches limits: `maxBytes` bounds what a client can make the server hold, and an idle
 * client is sent away after a while. What the lines mean is in `protocol.ts`, which knows no
 * socket and is tested without one.
 *
 * Run it with `deno run -P=serve examples/line_protocol/server.ts`, then
 * `deno run -P=serve examples/line_protocol/client.ts ADD 1 2`, or `nc 127.0.0.1 7001`.
 *
 * @module
 */
import { type CoroutineGenerator, withTimeout } from "@waterspout/waterspout/gen";
import { TimeoutError } from "@waterspout/waterspout/ioloop";
import { type IOStream, TCPServer, type TCPServerOptions } from "@waterspout/waterspout/iostream";
import { readPlace, serveTcp } from "../serve_tcp.ts";
import { compute, MAX_LINE, parseRequest, RefusedError } from "./protocol.ts";

/** Options of {@linkcode LineServer}. */
export interface LineServerOptions extends TCPServerOptions {
  /** The ms between two lines after which a client is sent away. */
  idleTimeout?: number;
}

/** Answers each line with a line. */
export class LineServer extends TCPServer {
  readonly #idleTimeout: number;

  constructor({ idleTimeout = 60_000, ...options }: LineServerOptions = {}) {
    super(options);
    this.#idleTimeout = idleTimeout;
  }

  override *handleStream(stream: IOStream): CoroutineGenerator {
    try {
      for (;;) {
        const bytes = yield* withTimeout(
          this.#idleTimeout,
          stream.readUntil("\n", { maxBytes: MAX_LINE }),
        );
        const line = new TextDecoder().decode(bytes).trimEnd();
        yield* withTimeout(this.#idleTimeout, stream.write(answer(line))); // nor may it not read
        if (line === "QUIT") break;
      }
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error; // StreamClosedError: it hung up
      stream.write("ERR too slow\n");
    } finally {
      stream.close(); // what was written still leaves
    }
  }
}

function answer(line: string): string {
  try {
    const request = parseRequest(line);
    return request.command === "QUIT" ? "OK\n" : `OK ${compute(request)}\n`;
  } catch (error) {
    if (error instanceof RefusedError) return `ERR ${error.message}\n`;
    throw error;
  }
}

if (import.meta.main) await serveTcp(new LineServer({ maxConnections: 1000 }), readPlace(7001));
