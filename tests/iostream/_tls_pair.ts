// Two ends of a TLS connection over loopback, by each of the two ways in which TLS is done.
import { type Future, IOLoop } from "../../ioloop/mod.ts";
import {
  type IOStreamOptions,
  SSLIOStream,
  type SSLIOStreamOptions,
  type SslOptions,
} from "../../iostream/mod.ts";
import { authority, localhost } from "./_certificates.ts";

/** Who does the TLS of each end: Deno itself, or `node:tls`. */
export interface Engines {
  readonly client: "Deno" | "node:tls";
  readonly server: "Deno" | "node:tls";
}

/** All there are, by name. */
export const ENGINES: readonly (readonly [string, Engines])[] = [
  ["Deno to Deno", { client: "Deno", server: "Deno" }],
  ["Deno to node:tls", { client: "Deno", server: "node:tls" }],
  ["node:tls to Deno", { client: "node:tls", server: "Deno" }],
  ["node:tls to node:tls", { client: "node:tls", server: "node:tls" }],
];

/** How the ends differ from a server for localhost and a client that trusts it. */
export interface TlsPairOptions {
  readonly server?: SslOptions;
  readonly client?: SslOptions;
  /** Where the client thinks that it connects to. */
  readonly hostname?: string;
  /** Of both streams. */
  readonly streams?: IOStreamOptions & Pick<SSLIOStreamOptions, "handshakeTimeout">;
}

/** A connection that is being made. */
export interface TlsAttempt {
  readonly connected: Future<SSLIOStream>;
  readonly server: SSLIOStream;
}

/** Connects to a server of one connection; the handshake is not waited for. */
export async function startTlsPair(
  { client, server }: Engines,
  options: TlsPairOptions = {},
): Promise<TlsAttempt> {
  const serverOptions = { ...localhost, ...options.server };
  const { cert, key, alpnProtocols = [] } = serverOptions;
  const address = { hostname: "127.0.0.1", port: 0 };
  const listener = server === "Deno"
    ? Deno.listenTls({ ...address, cert, key, alpnProtocols: [...alpnProtocols] })
    : Deno.listen(address);
  const { port } = listener.addr;
  const connected = SSLIOStream.connect({ hostname: options.hostname ?? "localhost", port }, {
    ...options.streams,
    sslOptions: {
      caCerts: authority.cert,
      ...(client === "Deno" ? {} : { minVersion: "TLSv1.3" }), // which Deno's cannot set
      ...options.client,
    },
  });
  const conn: Deno.Conn = await listener.accept();
  listener.close();
  const stream = new SSLIOStream(conn, {
    ...options.streams,
    serverSide: true,
    sslOptions: serverOptions,
  });
  return { connected, server: stream };
}

/** Connects a client, which comes first, and a server. */
export async function tlsPair(
  engines: Engines,
  options: TlsPairOptions = {},
): Promise<[SSLIOStream, SSLIOStream]> {
  const { connected, server } = await startTlsPair(engines, options);
  const client = await connected;
  return [client, await server.waitForHandshake()];
}

/** Runs `body` in a loop of its own, ten seconds at most. */
export function inLoop(body: () => PromiseLike<void>): Promise<void> {
  return new IOLoop().run(async () => await body(), { timeout: 10_000 });
}

/** Runs `body` with what {@linkcode tlsPair} makes, and closes both. */
export function withTlsPair(
  engines: Engines,
  body: (client: SSLIOStream, server: SSLIOStream) => PromiseLike<void>,
  options: TlsPairOptions = {},
): Promise<void> {
  return inLoop(async () => {
    const [client, server] = await tlsPair(engines, options);
    try {
      await body(client, server);
    } finally {
      client.close();
      server.close();
    }
  });
}
