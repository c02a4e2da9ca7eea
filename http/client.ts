import { coroutine, withTimeout } from "../gen/mod.ts";
import type { CoroutineGenerator } from "../gen/mod.ts";
import { CancelledError, type Future, IOLoop, TimeoutError, VERSION } from "../ioloop/mod.ts";
import { type Data, IOStream, StreamClosedError } from "../iostream/mod.ts";
import { ByteCollector } from "./_byte_collector.ts";
import { latin1 } from "./_latin1.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import { HTTPInputError } from "./errors.ts";
import { HTTPHeaders, type HTTPHeadersInit } from "./headers.ts";
import { parseResponseStartLine, type ResponseStartLine } from "./start_line.ts";
import { utf8 } from "./unicode.ts";

const MAX_HEADER_SIZE = 65536;
const NO_ANSWER = 599;

/** Options of {@linkcode AsyncHTTPClient.fetch}. */
export interface FetchOptions {
  /**
   * The method.
   *
   * @default {"GET"}
   */
  method?: string;
  /** Header fields to send. */
  headers?: HTTPHeadersInit;
  /** The body to send; text goes out as UTF-8. */
  body?: Data;
  /**
   * The ms for the whole request; 0 for no limit.
   *
   * @default {20000}
   */
  requestTimeout?: number;
  /**
   * The most bytes of the answer's body.
   *
   * @default {104857600}
   */
  maxBodySize?: number;
  /**
   * Whether a status of 400 or more is an error.
   *
   * @default {true}
   */
  raiseError?: boolean;
}

/** Is an answer, whole. */
export interface HTTPResponse {
  /** The status. */
  readonly code: number;
  /** The reason phrase. */
  readonly reason: string;
  /** The header fields. */
  readonly headers: HTTPHeaders;
  /** The body. */
  readonly body: Uint8Array;
  /** The URL that answered. */
  readonly effectiveUrl: string;
  /** The ms that the request took. */
  readonly requestTime: number;
}

/** Says that a request failed: with a status of 400 or more, or (599) without an answer. */
export class HTTPClientError extends Error {
  /** The status; 599 when there was no answer. */
  readonly code: number;
  /** The answer, if there was one. */
  readonly response: HTTPResponse | null;

  /** Takes the status, what it means, and the answer or the cause. */
  constructor(
    code: number,
    message: string,
    { response = null, cause }: { response?: HTTPResponse | null; cause?: unknown } = {},
  ) {
    super(`HTTP ${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.name = "HTTPClientError";
    this.code = code;
    this.response = response;
  }
}

/**
 * Fetches `http:` URLs, one connection for each request. A fetch that is cancelled, or whose
 * coroutine is, closes its connection.
 *
 * @example Two at once
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Multi } from "@waterspout/waterspout/gen";
 * import { AsyncHTTPClient } from "@waterspout/waterspout/http";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Main extends RequestHandler {
 *   override get(): void {
 *     this.write("hello");
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Main]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const client = new AsyncHTTPClient();
 *   const url = `http://127.0.0.1:${port}/`;
 *   const [one, two] = yield* Multi([client.fetch(url), client.fetch(url)]);
 *   assertEquals([one.code, two.body.length], [200, 5]);
 *   yield* server.shutdown();
 * });
 * ```
 */
export class AsyncHTTPClient {
  readonly #exchange = coroutine(exchange);

  /**
   * Fetches a URL. A redirect is not followed: its 3xx is the answer.
   *
   * The Future fails with {@linkcode HTTPClientError} when the status is 400 or more (unless
   * `raiseError` is false), and with code 599 when the server cannot be reached, answers what
   * is not HTTP, or takes longer than `requestTimeout`.
   *
   * @throws {TypeError} when the URL is not an `http:` one, or a header cannot be sent.
   */
  fetch(url: string | URL, options: FetchOptions = {}): Future<HTTPResponse> {
    const target = new URL(url);
    if (target.protocol !== "http:") {
      throw new TypeError(`Cannot fetch ${target.href}: expected an http: URL`);
    }
    const { requestTimeout = 20_000, raiseError = true } = options;
    const head = requestHead(target, options);
    return coroutine(function* (this: AsyncHTTPClient) {
      let response: HTTPResponse;
      try {
        const work = this.#exchange(target, head, options);
        response = yield* requestTimeout === 0 ? work : withTimeout(requestTimeout, work);
      } catch (error) {
        throw error instanceof CancelledError ? error : noAnswer(error);
      }
      if (raiseError && response.code >= 400) {
        throw new HTTPClientError(response.code, response.reason, { response });
      }
      return response;
    }).call(this);
  }
}

function* exchange(
  url: URL,
  head: string,
  { method = "GET", body = "", maxBodySize = 104857600 }: FetchOptions,
): CoroutineGenerator<HTTPResponse> {
  const loop = IOLoop.current();
  const began = loop.time();
  const stream = yield* IOStream.connect({
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || 80,
  });
  try {
    stream._writeLatin1(head);
    if (body.length > 0) stream.write(body);
    let line: ResponseStartLine;
    let headers: HTTPHeaders;
    do {
      const bytes = yield* stream.readUntil("\r\n\r\n", { maxBytes: MAX_HEADER_SIZE });
      const text = latin1(bytes, 0, bytes.length);
      const firstEnd = text.indexOf("\r\n");
      line = parseResponseStartLine(text.slice(0, firstEnd));
      headers = HTTPHeaders.parse(text.slice(firstEnd + 2));
    } while (line.code < 200); // RFC 9110 15.2: interim answers are skipped
    const { code, reason } = line;
    const bodiless = method === "HEAD" || code === 204 || code === 304;
    const received = bodiless ? NO_BODY : yield* readBody(stream, headers, maxBodySize);
    const requestTime = loop.time() - began;
    return { code, reason, headers, body: received, effectiveUrl: url.href, requestTime };
  } finally {
    stream.close();
  }
}

// RFC 9112 6.3
function* readBody(
  stream: IOStream,
  headers: HTTPHeaders,
  maxBodySize: number,
): CoroutineGenerator<Uint8Array> {
  const encoding = headers.get("Transfer-Encoding");
  const length = headers.get("Content-Length");
  if (encoding !== null) {
    if (length !== null || encoding.toLowerCase() !== "chunked") {
      throw new HTTPInputError(`Cannot read answer: its Transfer-Encoding is ${encoding}`);
    }
    return yield* readChunks(stream, maxBodySize);
  }
  if (length === null) {
    const collector = new ByteCollector(Infinity);
    try {
      for (;;) collect(collector, yield* stream.readBytes(65536, { partial: true }), maxBodySize);
    } catch (error) {
      if (error instanceof StreamClosedError && error.realError === null) {
        return collector.result();
      }
      throw error;
    }
  }
  if (!/^\d+$/.test(length) || Number(length) > maxBodySize) {
    throw new HTTPInputError(`Cannot read answer: its Content-Length is ${length}`);
  }
  return yield* stream.readBytes(Number(length));
}

function* readChunks(stream: IOStream, maxBodySize: number): CoroutineGenerator<Uint8Array> {
  const decoder = new ChunkedDecoder();
  const collector = new ByteCollector(Infinity);
  while (!decoder.done) {
    const bytes = yield* stream.readBytes(65536, { partial: true });
    let at = 0;
    while (at < bytes.length && !decoder.done) {
      at = decoder.next(bytes, at, bytes.length);
      collect(collector, bytes.subarray(decoder.pieceStart, decoder.pieceEnd), maxBodySize);
    }
  }
  return collector.result();
}

function collect(collector: ByteCollector, piece: Uint8Array, maxBodySize: number): void {
  if (collector.length + piece.length > maxBodySize) {
    throw new HTTPInputError(`Cannot read answer: its body is larger than ${maxBodySize} bytes`);
  }
  collector.add(piece, 0, piece.length);
}

function requestHead(url: URL, { method = "GET", headers, body }: FetchOptions): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) {
    throw new TypeError(`Cannot fetch: ${JSON.stringify(method)} is no method`);
  }
  const fields = new HTTPHeaders(headers);
  fields.setDefault("Host", url.host);
  fields.setDefault("User-Agent", `Waterspout/${VERSION}`);
  fields.set("Connection", "close");
  if (body !== undefined) fields.set("Content-Length", String(utf8(body).length));
  return `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${fields.toBlock()}\r\n`;
}

function noAnswer(cause: unknown): HTTPClientError {
  const what = cause instanceof TimeoutError
    ? "Timeout during request"
    : cause instanceof Error
    ? cause.message
    : String(cause);
  return new HTTPClientError(NO_ANSWER, what, { cause });
}

const NO_BODY = new Uint8Array(0);
