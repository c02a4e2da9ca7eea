/**
 * Streams: buffered, limited, non-blocking reading and writing on any connection, and the
 * TCP server that makes them. Stands on `ioloop/` and `gen/`.
 *
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 *
 * await new IOLoop().run(function* () {
 *   const [one, other] = yield* IOStream.pair();
 *   one.write("ping");
 *   yield* other.readBytes(4);
 *   one.close();
 *   other.close();
 * });
 * ```
 *
 * @module
 */
export {
  type Data,
  IOStream,
  type IOStreamOptions,
  type ReadBytesOptions,
  type ReadUntilOptions,
  type StreamConsumer,
} from "./iostream.ts";
export { TCPServer, type TCPServerOptions } from "./tcp_server.ts";
export { StreamBufferFullError, StreamClosedError, UnsatisfiableReadError } from "./errors.ts";
export type { Transport } from "../ioloop/mod.ts";
