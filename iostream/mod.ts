/**
 * Streams: buffered, limited, non-blocking reading and writing on sockets and pipes, plain and
 * over TLS, and the TCP server and client that make them. Stands on `ioloop/` and `gen/`.
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
  BaseIOStream,
  type Data,
  type DetachedTransport,
  type IOStreamOptions,
  type ReadBytesOptions,
  type ReadIntoOptions,
  type ReadOptions,
  type ReadUntilCloseOptions,
  type ReadUntilOptions,
  type StreamCallback,
  type StreamConsumer,
} from "./base_iostream.ts";
export {
  type Address,
  type ConnectOptions,
  IOStream,
  SSLIOStream,
  type SSLIOStreamOptions,
  type StartTlsOptions,
} from "./iostream.ts";
export {
  SslContext,
  type SslContextOptions,
  type SslOptions,
  sslOptionsToContext,
} from "./ssl_options.ts";
export { PipeIOStream, type WebPipe } from "./pipe_iostream.ts";
export {
  type DrainOptions,
  type DrainResult,
  type StartOptions,
  TCPServer,
  type TCPServerOptions,
} from "./tcp_server.ts";
export {
  TCPClient,
  type TCPClientOptions,
  type TCPConnectOptions,
  type UnixConnectOptions,
} from "./tcp_client.ts";
export {
  DefaultResolver,
  type Override,
  OverrideResolver,
  type OverrideResolverOptions,
  type ResolvedAddress,
  Resolver,
} from "./resolver.ts";
export { bindSockets, type BindSocketsOptions } from "./bind_sockets.ts";
export { bindUnixSocket, type BindUnixSocketOptions } from "./bind_unix_socket.ts";
export { addAcceptHandler } from "./acceptor.ts";
export { type AddressFamily, isValidIp } from "./ip_address.ts";
export { StreamBufferFullError, StreamClosedError, UnsatisfiableReadError } from "./errors.ts";
export type { Transport } from "../ioloop/mod.ts";
