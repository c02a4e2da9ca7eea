// One fetch, from the queue to the last answer. It is a coroutine: each hop takes a place in
// the pool, gets or makes a connection, sends the request and has the answer collected; then
// the place is given back, with the connection if it is still good.
//
//   hop: queue -> connect -> request and answer     answer -> next hop: a redirect, a challenge
//
// A hop is repeated, once, when a connection from the pool turns out to be dead: the server
// closed it while the request was on its way. That is only for requests that may be sent twice
// (RFC 9110 9.2.2, RFC 9112 9.3.1), and before any byte of the answer.
import { convertYielded, type CoroutineGenerator, type MaybeYieldable } from "../gen/mod.ts";
import { CancelledError, Future, genLog, type IOLoop } from "../ioloop/mod.ts";
import { type Data, type IOStream, StreamClosedError } from "../iostream/mod.ts";
import { ByteCollector } from "./_byte_collector.ts";
import {
  ClientConnection,
  type ClientConnectionLimits,
  type Exchange,
} from "./_client_connection.ts";
import { answerChallenge, parseChallenge } from "./digest_auth.ts";
import type { Place, Pool } from "./connection_pool.ts";
import { redirectOf } from "./_redirect.ts";
import {
  basicAuthorization,
  formatRequestHead,
  framingOf,
  waitsForContinue,
} from "./_request_head.ts";
import { HTTPStreamClosedError, HTTPTimeoutError } from "./client_errors.ts";
import type { ResolvedRequest } from "./client_request.ts";
import { HTTPClientError, HTTPResponse } from "./client_response.ts";
import { basicCredentials } from "./credentials.ts";
import type { HTTPMessageDelegate } from "./delegates.ts";
import { HTTPInputError } from "./errors.ts";
import { DecompressionError } from "./gzip_decompressor.ts";
import type { HTTPHeaders } from "./headers.ts";
import type { RequestStartLine, ResponseStartLine } from "./start_line.ts";

const MAX_SKIPPED = 65536; // bytes of a redirect's body; beyond them a new connection is cheaper

/** RFC 9110 9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

/** Is the client, as a fetch sees it. */
export interface FetchHost {
  readonly ioLoop: IOLoop;
  readonly pool: Pool<ClientConnection>;
  readonly limits: ClientConnectionLimits;
  /** Whether connections are kept. */
  readonly keepAlive: boolean;
  /** What the connections for a request must have in common. */
  keyOf(request: ResolvedRequest): string;
  /** Opens a stream for a request. */
  open(request: ResolvedRequest): Future<IOStream>;
  /** Gives a place back, with the connection that was used. */
  leave(place: Place<ClientConnection>, connection: ClientConnection | null): void;
}

/** Says who asks, where that takes more than the request itself. */
interface Credentials {
  readonly authorization: string | null;
  readonly proxyAuthorization: string | null;
}

/** Is what follows an answer that is not the last one. */
interface Next extends Credentials {
  readonly request: ResolvedRequest;
}

/** Carries out one request. */
export class Fetch {
  readonly #host: FetchHost;
  readonly #first: ResolvedRequest;
  #deadline = Infinity; // for all of it, from when it left the queue

  constructor(host: FetchHost, request: ResolvedRequest) {
    this.#host = host;
    this.#first = request;
  }

  /** Is the coroutine; it fails with what the fetch shall fail with. */
  *run(): CoroutineGenerator<HTTPResponse> {
    let request = this.#first;
    let credentials = credentialsOf(request);
    for (;;) {
      const hop = new Hop(this.#host, request, credentials);
      yield* this.#carryOut(hop);
      if (hop.next === null) return hop.response();
      ({ request } = hop.next);
      credentials = hop.next;
    }
  }

  *#carryOut(hop: Hop): CoroutineGenerator<void> {
    const host = this.#host;
    const { request } = hop;
    const place = host.pool.enter(host.keyOf(request));
    let connection: ClientConnection | null = null;
    try {
      if (!place.granted) yield* this.#queue(place, request);
      hop.left(host.ioLoop.time());
      if (this.#deadline === Infinity && request.requestTimeout > 0) {
        this.#deadline = hop.leftAt + request.requestTimeout;
      }
      connection = place.connection;
      if (connection !== null && connection.reusable) {
        if (yield* this.#tryKept(hop, connection)) return;
      }
      connection?.close();
      connection = null;
      connection = yield* this.#connect(request);
      yield* this.#exchange(hop, connection);
    } finally {
      hop.over();
      host.leave(place, connection);
    }
  }

  // Whether a connection from the pool did it; if not, another one may.
  *#tryKept(hop: Hop, connection: ClientConnection): CoroutineGenerator<boolean> {
    try {
      yield* this.#exchange(hop, connection);
      return true;
    } catch (error) {
      const died = error instanceof HTTPStreamClosedError && !connection.answerBegan;
      if (!died || !mayRepeat(hop.request)) throw error;
      hop.again();
      return false;
    }
  }

  *#queue(place: Place<ClientConnection>, request: ResolvedRequest): CoroutineGenerator<void> {
    const gate = new Future<void>();
    place.onGranted = () => gate._settle(1, undefined);
    const limit = Math.min(this.#timeLeft(), smallest(request));
    yield* this.#within(limit, "in request queue", gate);
  }

  *#connect(request: ResolvedRequest): CoroutineGenerator<ClientConnection> {
    const limit = Math.min(this.#timeLeft(), request.connectTimeout || Infinity);
    const opening = this.#host.open(request); // what it throws is the caller's mistake
    try {
      const stream = yield* this.#within(limit, "while connecting", opening);
      return new ClientConnection(stream, this.#host.limits);
    } catch (error) {
      throw connectError(error, request);
    }
  }

  *#exchange(hop: Hop, connection: ClientConnection): CoroutineGenerator<void> {
    const loop = this.#host.ioLoop;
    const limit = this.#timeLeft();
    const timer = limit === Infinity ? null : loop.callLater(
      limit,
      () => connection.close(new HTTPTimeoutError("Timeout during request")),
    );
    try {
      hop.start(connection);
      yield* hop.done;
    } finally {
      if (timer !== null) loop.removeTimeout(timer);
    }
  }

  #timeLeft(): number {
    return this.#deadline === Infinity
      ? Infinity
      : Math.max(0, this.#deadline - this.#host.ioLoop.time());
  }

  *#within<T>(ms: number, phase: string, work: Future<T>): CoroutineGenerator<T> {
    if (ms === Infinity) return yield* work;
    const loop = this.#host.ioLoop;
    let late: HTTPTimeoutError | null = null;
    const timer = loop.callLater(ms, () => {
      late = new HTTPTimeoutError(`Timeout ${phase}`);
      work.cancel(late);
    });
    try {
      return yield* work;
    } catch (error) {
      throw late ?? error;
    } finally {
      loop.removeTimeout(timer);
    }
  }
}

/** Is one request on one connection, and its answer. */
class Hop implements HTTPMessageDelegate, Exchange {
  readonly delegate: HTTPMessageDelegate = this;
  readonly request: ResolvedRequest;
  /** Is done when the answer was taken. */
  done: Future<void>;
  /** What follows the answer; null: it is the last one. */
  next: Next | null = null;
  leftAt = 0;

  readonly method: string;
  readonly decompress: boolean;
  readonly maxBodySize: number;

  readonly #host: FetchHost;
  readonly #credentials: Credentials;
  #connection: ClientConnection | null = null;
  #cancelled = false;
  #holdsBody = false; // until the server wants it
  #producing: Future<unknown> | null = null;

  #enteredAt: number;
  #connectedAt = 0;
  #headAt = 0;
  #line: ResponseStartLine = NO_LINE;
  #headers: HTTPHeaders | null = null;
  #skipped = 0; // bytes of a body that nobody wants
  #piece: Uint8Array | null = null; // the body so far, if it is one piece
  #pieces: ByteCollector | null = null; // if it is more

  constructor(host: FetchHost, request: ResolvedRequest, credentials: Credentials) {
    this.#host = host;
    this.request = request;
    this.method = request.method;
    this.decompress = request.decompressResponse;
    this.maxBodySize = request.maxBodySize;
    this.#credentials = credentials;
    this.#enteredAt = host.ioLoop.time();
    this.done = this.#newFuture();
  }

  /** Notes when it left the queue. */
  left(now: number): void {
    this.leftAt = now;
  }

  /** Stands before another attempt. */
  again(): void {
    this.over();
    this.done = this.#newFuture();
  }

  /** Ends what may still be at work. */
  over(): void {
    const producing = this.#producing;
    this.#producing = null;
    producing?.cancel();
  }

  /** Sends the request; `done` follows. */
  start(connection: ClientConnection): void {
    const { request } = this;
    this.#connection = connection;
    this.#connectedAt = this.#host.ioLoop.time();
    const framing = framingOf(request);
    const { authorization, proxyAuthorization } = this.#credentials;
    const closes = !this.#host.keepAlive ||
      /(?:^|[\s,])close(?:$|[\s,])/i.test(request.headers.get("Connection", ""));
    const target = targetOf(request);
    const surroundings = { target, authorization, proxyAuthorization, closes };
    const head = formatRequestHead(request, framing, surroundings);
    connection.begin(this);
    connection.writeHead(head, framing, closes);
    if (waitsForContinue(request)) this.#holdsBody = true;
    else this.#sendBody();
  }

  /** The response, once `done` is. */
  response(): HTTPResponse {
    const now = this.#host.ioLoop.time();
    const { original, url } = this.request;
    const { code, reason } = this.#line;
    const body = this.#pieces?.result() ?? this.#piece ?? undefined;
    return new HTTPResponse(original, code, this.#headers!, {
      effectiveUrl: url.href,
      reason,
      body,
      startTime: this.leftAt,
      requestTime: now - this.leftAt,
      timeInfo: {
        queue: this.leftAt - this.#enteredAt,
        connect: this.#connectedAt - this.leftAt,
        firstByte: this.#headAt - this.#connectedAt,
        total: now - this.leftAt,
      },
    });
  }

  /** Takes the head, and decides whether it is the last one. */
  headersReceived(startLine: RequestStartLine | ResponseStartLine, headers: HTTPHeaders): void {
    const line = startLine as ResponseStartLine;
    const { request } = this;
    this.#headAt = this.#host.ioLoop.time();
    this.#line = line;
    this.#headers = headers;
    if (line.code === 101) {
      throw new HTTPInputError("Cannot read answer: nobody asked for another protocol");
    }
    const { cookieJar, headerCallback, url } = request;
    if (cookieJar !== null) {
      for (const cookie of headers.getList("Set-Cookie")) {
        cookieJar.setCookieSync(cookie, url.href, { ignoreError: true });
      }
    }
    this.next = this.#nextAfter(line.code, headers);
    if (this.next === null && headerCallback !== null) tellHead(line, headers, headerCallback);
  }

  /** Takes a piece of the body. */
  dataReceived(chunk: Uint8Array): unknown {
    const { streamingCallback } = this.request;
    if (this.next !== null) this.#skip(chunk.length);
    else if (streamingCallback !== null) return streamingCallback(chunk);
    else if (this.#pieces !== null) this.#pieces.add(chunk, 0, chunk.length);
    else if (this.#piece === null) this.#piece = chunk;
    else {
      this.#pieces = new ByteCollector(Infinity);
      this.#pieces.add(this.#piece, 0, this.#piece.length);
      this.#pieces.add(chunk, 0, chunk.length);
    }
  }

  /** The answer is whole. */
  finish(): void {
    this.done._settle(1, undefined);
  }

  /** The answer is not whole; {@linkcode failed} says why. */
  onConnectionClose(): void {}

  /** The server wants the body. */
  continued(): void {
    if (!this.#holdsBody) return;
    this.#holdsBody = false;
    this.#sendBody();
  }

  /** There will be no whole answer. */
  failed(error: unknown, where: string): void {
    if (!this.#cancelled) this.done._settle(2, asClientError(error, where));
  }

  #newFuture(): Future<void> {
    return new Future<void>((error) => {
      this.#cancelled = true; // so that failed() leaves the Future alone
      this.#connection?.close(error);
    });
  }

  // A long body would cost more than a new connection.
  #skip(length: number): void {
    this.#skipped += length;
    if (this.#skipped <= MAX_SKIPPED) return;
    this.finish();
    this.#connection!.close();
  }

  #nextAfter(code: number, headers: HTTPHeaders): Next | null {
    if (code < 300) return null;
    const { request } = this;
    const redirected = redirectOf(request, { code, locations: headers.getList("Location") });
    if (redirected !== null) return { request: redirected, ...credentialsOf(redirected) };
    const { authorization, proxyAuthorization } = this.#credentials;
    if (code === 401 && authorization === null && request.authMode === "digest") {
      const { authUsername, authPassword } = request;
      const answer = this.#answer(headers, "WWW-Authenticate", authUsername, authPassword);
      if (answer !== null) return { request, authorization: answer, proxyAuthorization };
    }
    // Only a proxy may ask for the proxy's password: what answers through a tunnel is none.
    if (
      code === 407 && proxyAuthorization === null && request.proxyAuthMode === "digest" &&
      isForwarded(request)
    ) {
      const { proxyUsername, proxyPassword } = request;
      const answer = this.#answer(headers, "Proxy-Authenticate", proxyUsername, proxyPassword);
      if (answer !== null) return { request, authorization, proxyAuthorization: answer };
    }
    return null;
  }

  // The answer to a challenge; each is given once, so a wrong password ends in the 401.
  #answer(
    headers: HTTPHeaders,
    field: string,
    username: string | null,
    password: string,
  ): string | null {
    const challenge = username === null ? null : parseChallenge(headers.getList(field));
    if (challenge === null) return null;
    const { method, body } = this.request;
    const asked = { method, uri: targetOf(this.request), body };
    return answerChallenge(challenge, username!, password, asked);
  }

  #sendBody(): void {
    const connection = this.#connection!;
    const { body, bodyProducer } = this.request;
    if (bodyProducer !== null) {
      this.#produce(bodyProducer, connection);
      return;
    }
    if (body !== null) connection.write(body);
    connection.finishRequest();
  }

  #produce(producer: (write: (chunk: Data) => Future<void>) => unknown, to: ClientConnection) {
    const write = (chunk: Data) => {
      to.write(chunk);
      return to.stream.drain();
    };
    try {
      const work = producer(write);
      if (work === undefined || work === null) {
        to.finishRequest();
        return;
      }
      const producing = this.#producing = convertYielded(work as MaybeYieldable);
      producing._listen({ _settled: () => this.#produced(producing, to) });
    } catch (error) {
      to.close(error);
    }
  }

  #produced(producing: Future<unknown>, to: ClientConnection): void {
    if (this.#producing !== producing) return; // nobody waits for it any more
    this.#producing = null;
    if (!producing._fulfilled) {
      to.close(producing._value);
      return;
    }
    try {
      to.finishRequest();
    } catch {
      // It was too short: the connection closed with the error.
    }
  }
}

const NO_LINE: ResponseStartLine = { version: "HTTP/1.1", code: 599, reason: "" };

function smallest({ connectTimeout, requestTimeout }: ResolvedRequest): number {
  return Math.min(connectTimeout || Infinity, requestTimeout || Infinity);
}

// A body that is produced may not come out the same again.
function mayRepeat({ method, bodyProducer }: ResolvedRequest): boolean {
  return IDEMPOTENT.has(method) && bodyProducer === null;
}

/** Whether the request goes to a proxy, which is to send it on. */
export function isForwarded({ url, proxyHost }: ResolvedRequest): boolean {
  return proxyHost !== null && url.protocol === "http:";
}

function targetOf(request: ResolvedRequest): string {
  const { url } = request;
  const path = `${url.pathname}${url.search}`;
  return isForwarded(request) ? `${url.origin}${path}` : path; // RFC 9112 3.2.2
}

function credentialsOf(request: ResolvedRequest): Credentials {
  const { proxyUsername, proxyPassword, proxyAuthMode } = request;
  const tellsProxy = isForwarded(request) && proxyUsername !== null && proxyAuthMode === "basic";
  return {
    authorization: basicAuthorization(request),
    proxyAuthorization: tellsProxy ? basicCredentials(proxyUsername, proxyPassword) : null,
  };
}

function tellHead(
  { version, code, reason }: ResponseStartLine,
  headers: HTTPHeaders,
  tell: (line: string) => void,
): void {
  tell(`${version} ${code} ${reason}\r\n`);
  for (const [name, value] of headers.getAll()) tell(`${name}: ${value}\r\n`);
  tell("\r\n");
}

// What the peer or the network did becomes an error of the client. What the caller's own
// functions threw stays what it is.
function asClientError(error: unknown, where: string): unknown {
  if (error instanceof StreamClosedError) {
    const why = error.realError instanceof Error ? `: ${error.realError.message}` : "";
    return new HTTPStreamClosedError(`Stream closed ${where}${why}`, { cause: error });
  }
  if (error instanceof HTTPInputError || error instanceof DecompressionError) {
    return new HTTPStreamClosedError(error.message, { cause: error });
  }
  return error ?? new CancelledError();
}

// The error of a handshake names the peer already. It is logged as the server's side logs its own.
function connectError(error: unknown, request: ResolvedRequest): unknown {
  if (error instanceof HTTPClientError || error instanceof CancelledError) return error;
  const { url, unixSocket } = request;
  if (error instanceof Deno.errors.InvalidData) {
    genLog.warn("Cannot fetch from {origin}: {error}", {
      origin: url.origin,
      error: error.message,
    });
    return error;
  }
  const port = url.port === "" ? url.protocol === "https:" ? ":443" : ":80" : "";
  const why = error instanceof Error ? error.message : String(error);
  return new HTTPClientError(
    599,
    `Cannot connect to ${unixSocket ?? `${url.host}${port}`}: ${why}`,
    { cause: error },
  );
}
