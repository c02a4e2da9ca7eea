/**
 * An echo server: whatever a client sends comes back.
 *
 * It teaches a connection's life: `handleStream` is a coroutine per connection, a partial read
 * takes what there is, and waiting for the write is the back-pressure: a client that sends
 * and does not read is not read either. No client can make it hold more than one chunk.
 *
 * Run it with `deno run -P=serve examples/echo_server/main.ts`, then `nc 127.0.0.1 7000`.
 *
 * @module
 */
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { type IOStream, TCPServer } from "@waterspout/waterspout/iostream";
import { readPlace, serveTcp } from "../serve_tcp.ts";

const CHUNK = 16 * 1024;

/** Sends back what comes. */
export class EchoServer extends TCPServer {
  override *handleStream(stream: IOStream): CoroutineGenerator {
    for (;;) { // ends with StreamClosedError when the client hangs up
      const bytes = yield* stream.readBytes(CHUNK, { partial: true });
      yield* stream.write(bytes);
    }
  }
}

if (import.meta.main) await serveTcp(new EchoServer({ maxConnections: 1000 }), readPlace(7000));
