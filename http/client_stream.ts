import { coroutine, type CoroutineGenerator } from "../gen/mod.ts";
import { CancelledError, Future } from "../ioloop/mod.ts";
import {
  type AddressFamily,
  type IOStream,
  type IOStreamOptions,
  type SslContext,
  type SslOptions,
  sslOptionsToContext,
  type TCPClient,
} from "../iostream/mod.ts";
import { HTTPClientError } from "./client_response.ts";
import { basicCredentials } from "./credentials.ts";
import { answerChallenge, parseChallenge } from "./digest_auth.ts";
import { type AnswerHead, ResponseParser } from "./response_parser.ts";

const MAX_TUNNEL_HEAD = 65536; // bytes of a proxy's answer to CONNECT, interim heads included

/** Says which HTTP proxy stands between, and who asks it. */
export interface ProxyAddress {
  /** Its host. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Who asks; without it the proxy is not told. */
  readonly username?: string | null;
  /**
   * The password.
   *
   * @default {""}
   */
  readonly password?: string;
  /**
   * How name and password are sent.
   *
   * @default {"basic"}
   */
  readonly authMode?: "basic" | "digest";
}

/** Options of {@linkcode openClientStream}. */
export interface ClientStreamOptions extends IOStreamOptions {
  /** Secures the stream; without it, it is plain. */
  tls?: SslOptions | SslContext | null;
  /** The proxy that is asked for a tunnel (CONNECT). */
  proxy?: ProxyAddress | null;
  /** The path of a Unix socket to connect to; `host` is only what TLS verifies then. */
  unixSocket?: string | null;
  /** The one family of addresses to connect to. */
  family?: AddressFamily | undefined;
  /** The address of this machine to connect from. */
  sourceIp?: string | null;
}

/**
 * Opens a stream to a server as the HTTP client does: it looks the name up, connects, asks the
 * proxy if there is one, and sets up TLS. Cancelling closes what there is by then.
 *
 * It fails with the error of the platform, or with {@linkcode HTTPClientError} (599) when the
 * proxy refuses.
 *
 * @throws {TypeError} when the options do not fit together.
 *
 * @example Nobody listens there
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { TCPClient } from "@waterspout/waterspout/iostream";
 * import { openClientStream } from "@waterspout/waterspout/http";
 * import { bindUnusedPort } from "@waterspout/waterspout/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const { listener, port } = bindUnusedPort();
 * listener.close();
 * await new IOLoop().run(async () => {
 *   const client = new TCPClient();
 *   const opening = openClientStream(client, "127.0.0.1", port);
 *   await assertRejects(() => opening.then(), Deno.errors.ConnectionRefused);
 *   client.close();
 * });
 * ```
 */
export function openClientStream(
  client: TCPClient,
  host: string,
  port: number,
  options: ClientStreamOptions = {},
): Future<IOStream> {
  const opening = new Opening((error) => void work.cancel(error));
  const work = open(client, host, port, options);
  work._listen({
    _settled: () => {
      if (work._fulfilled) opening.deliver(work._value as IOStream);
      else opening._settle(work.cancelled() ? 3 : 2, work._value);
    },
  });
  return opening;
}

// Whoever waits for it is resumed in a microtask of its own, and may be cancelled between: then
// nobody gets the stream, and it is closed.
class Opening extends Future<IOStream> {
  #untaken = false; // it has a stream, and nobody has read it

  deliver(stream: IOStream): void {
    this.#untaken = true;
    if (!this._settle(1, stream)) stream.close();
  }

  override cancel(reason?: unknown): boolean {
    if (!this.done() || !this.#untaken) return super.cancel(reason);
    const stream = this.result();
    this._revoke(reason instanceof CancelledError ? reason : new CancelledError(reason));
    stream.close();
    return true;
  }

  override result(): IOStream {
    this.#untaken = false;
    return super.result();
  }

  override get _value(): unknown {
    this.#untaken = false;
    return super._value;
  }
}

const open = coroutine(
  function* openClientStream(
    client: TCPClient,
    host: string,
    port: number,
    { tls = null, proxy = null, unixSocket = null, family, sourceIp = null, ...stream }:
      ClientStreamOptions,
  ): CoroutineGenerator<IOStream> {
    const context = tls === null ? null : sslOptionsToContext(tls);
    const options = {
      ...stream,
      ...(family === undefined ? {} : { family }),
      ...(sourceIp === null ? {} : { sourceIp }),
    };
    if (unixSocket === null && proxy === null) {
      const opened = yield* context === null
        ? client.connect(host, port, options)
        : client.connect(host, port, { ...options, sslOptions: context });
      opened.setNoDelay(true);
      return opened;
    }
    const plain = unixSocket === null
      ? yield* openTunnel(
        () => client.connect(proxy!.host, proxy!.port, options),
        host,
        port,
        proxy!,
      )
      : yield* client.connectUnix(unixSocket, stream);
    if (context === null) return plain;
    try {
      return yield* plain.startTls(false, context, { serverHostname: host });
    } catch (error) {
      plain.close(error);
      throw error;
    }
  },
);

// A proxy that asks who we are may close the connection behind its 407: the second attempt
// has one of its own.
function* openTunnel(
  connect: () => Future<IOStream>,
  host: string,
  port: number,
  proxy: ProxyAddress,
): CoroutineGenerator<IOStream> {
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const { username = null, password = "", authMode = "basic" } = proxy;
  let credentials = username !== null && authMode === "basic"
    ? basicCredentials(username, password)
    : null;
  for (let attempt = 1;; attempt++) {
    const stream = yield* connect();
    let opened = false;
    try {
      stream.setNoDelay(true);
      const answer = yield* askForTunnel(stream, authority, credentials);
      opened = answer.code >= 200 && answer.code < 300;
      if (opened) return stream;
      const challenge = answer.code === 407 && username !== null && authMode === "digest"
        ? parseChallenge(answer.headers.getList("Proxy-Authenticate"))
        : null;
      if (challenge === null || attempt > 1) throw refused(proxy, authority, answer);
      const asked = { method: "CONNECT", uri: authority, body: null };
      credentials = answerChallenge(challenge, username!, password, asked);
    } finally {
      if (!opened) stream.close();
    }
  }
}

function* askForTunnel(
  stream: IOStream,
  authority: string,
  credentials: string | null,
): CoroutineGenerator<AnswerHead> {
  const field = credentials === null ? "" : `Proxy-Authorization: ${credentials}\r\n`;
  stream.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${field}\r\n`);
  const parser = new ResponseParser({ maxHeaderSize: MAX_TUNNEL_HEAD });
  for (let skipped = 0;; skipped += parser.size) {
    // What follows the head belongs to the tunnel: it must stay in the stream.
    const bytes = yield* stream.readUntilRegex(/\n\r?\n/, { maxBytes: MAX_TUNNEL_HEAD });
    parser.parse(bytes, 0, bytes.length, skipped);
    if (parser.head.code >= 200) return parser.head;
  }
}

function refused(
  { host, port }: ProxyAddress,
  authority: string,
  { code, reason }: AnswerHead,
): HTTPClientError {
  return new HTTPClientError(
    599,
    `Cannot open a tunnel to ${authority}: the proxy ${host}:${port} answered ${code} ${reason}`,
  );
}
