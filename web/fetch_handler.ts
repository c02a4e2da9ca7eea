import { convertYielded } from "../gen/mod.ts";
import { Future, IOLoop } from "../ioloop/mod.ts";
import {
  type HTTPConnection,
  HTTPInputError,
  type HTTPMessageDelegate,
  HTTPServerRequest,
  RequestParser,
} from "../http/mod.ts";
import { FetchConnection } from "./_fetch_connection.ts";

/** Is what {@linkcode toFetchHandler} takes: an Application, or another application of a server. */
export interface FetchableApp {
  /** Handles a request whose body is there. */
  handleRequest(request: HTTPServerRequest): unknown;
  /** Returns who takes a request as it arrives; null: it is handled whole. */
  beginRequest?(request: HTTPServerRequest): HTTPMessageDelegate | null;
}

/** Options of {@linkcode toFetchHandler}. */
export interface FetchHandlerOptions {
  /**
   * The most bytes of a body that is collected; more is answered with 413.
   *
   * @default {104857600}
   */
  maxBodySize?: number;
}

/** Is what `Deno.serve` tells a handler besides the request. */
export interface FetchInfo {
  /** Where the request came from. */
  readonly remoteAddr?: Deno.Addr;
}

/** A function as `Deno.serve` takes it. */
export type FetchHandler = (request: Request, info?: FetchInfo) => Promise<Response>;

/**
 * Makes a Fetch handler of an application: to run it under `Deno.serve`, at a host of
 * functions, or in a test without a socket. What handlers write with `flush` streams, and
 * `request.signal` tells them that the client left. There are no WebSockets: an upgrade is
 * answered with 501.
 *
 * Handlers wait in the current loop, which is started if it does not run.
 *
 * @example Ask an application without a socket
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, RequestHandler, toFetchHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Hello extends RequestHandler {
 *   override get(): void {
 *     this.write("hello");
 *   }
 * }
 *
 * const handler = toFetchHandler(new Application([["/", Hello]]));
 * const response = await handler(new Request("http://localhost/"));
 * assertEquals(await response.text(), "hello");
 * IOLoop.current().stop();
 * ```
 */
export function toFetchHandler(
  app: FetchableApp,
  { maxBodySize = 104857600 }: FetchHandlerOptions = {},
): FetchHandler {
  return async (request, info = {}) => {
    const loop = IOLoop.current();
    if (!loop.running) loop.start();
    const response = new Future<Response>();
    const address = info.remoteAddr;
    const remoteIp = address !== undefined && "hostname" in address ? address.hostname : "0.0.0.0";
    const connection = new FetchConnection(request, remoteIp, response);
    let asked: HTTPServerRequest;
    try {
      asked = requestOf(request, connection, loop.time());
      const delegate = app.beginRequest?.(asked) ?? null;
      if (delegate !== null) stream(delegate, asked, request);
      else {
        asked.body = await collect(request, maxBodySize);
        follow(app.handleRequest(asked), connection);
      }
    } catch (error) {
      if (!(error instanceof HTTPInputError)) throw error;
      return new Response(null, { status: error.status });
    }
    return await response;
  };
}

// The head goes through the parser, as one from a socket does: an application never sees a
// request that a server would refuse.
function requestOf(
  request: Request,
  connection: FetchConnection,
  started: number,
): HTTPServerRequest {
  const url = new URL(request.url);
  let head = `${request.method} ${url.pathname}${url.search} HTTP/1.1\r\n`;
  if (!request.headers.has("Host")) head += `Host: ${url.host}\r\n`;
  for (const [name, value] of request.headers) {
    if (name !== "transfer-encoding" && name !== "expect") head += `${name}: ${value}\r\n`;
  }
  const bytes = Uint8Array.from(`${head}\r\n`, (char) => char.charCodeAt(0));
  const parser = new RequestParser({ maxHeaderSize: bytes.length });
  parser.parse(bytes, 0, bytes.length);
  return connection.request = new HTTPServerRequest(parser.head, connection, started);
}

async function collect(request: Request, limit: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > limit) {
      throw new HTTPInputError(`Cannot read request: its body is larger than ${limit} bytes`, {
        status: 413,
      });
    }
    pieces.push(piece);
  }
  return pieces.length === 1
    ? pieces[0]!
    : new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

// Gives the body to a delegate as it comes, which may answer before it is there.
async function stream(
  delegate: HTTPMessageDelegate,
  asked: HTTPServerRequest,
  request: Request,
): Promise<void> {
  try {
    const { method, uri, version, headers } = asked;
    await wait(delegate.headersReceived({ method, path: uri, version }, headers));
    for await (const piece of request.body ?? []) await wait(delegate.dataReceived(piece));
    follow(delegate.finish(), asked.connection);
  } catch (error) {
    delegate.onConnectionClose();
    asked.connection.abort(error);
  }
}

async function wait(work: unknown): Promise<void> {
  if (work !== undefined && work !== null) await convertYielded(work);
}

// A failure fails the Response or, when that is under way, its body.
function follow(work: unknown, connection: HTTPConnection): void {
  if (work === undefined || work === null) return;
  const future = convertYielded(work);
  future._listen({
    _settled: () => {
      if (!future._fulfilled) connection.abort(future._value);
    },
  });
}
