// A Fetch handler is a function of a Request that returns a Response. Bodies stream both
// ways: a piece of the request's is taken when the handler's stream wants one, and a piece of
// the response's is read when the one before is in the kernel.
import { Coroutine, type CoroutineGenerator, moment } from "../gen/mod.ts";
import { type Executor, Future, VERSION } from "../ioloop/mod.ts";
import { StreamClosedError } from "../iostream/mod.ts";
import { HTTPHeaders, type HTTPMessageDelegate, type HTTPServerRequest } from "../http/mod.ts";
import { logAccess } from "./_access_line.ts";

/** A function as `Deno.serve` and Fetch frameworks know it. */
export type FetchFunction = (request: Request) => Response | PromiseLike<Response>;

/** Options of {@linkcode FetchContainer}. */
export interface FetchContainerOptions {
  /** Calls the handler; without it, it is called right away. */
  executor?: Executor;
}

const FRAMING_FIELDS = ["Transfer-Encoding", "Connection", "Keep-Alive"];

/**
 * Serves a Fetch handler, such as a Hono application: as the application of a server, or in a
 * route by way of {@linkcode FallbackHandler}. `request.signal` is aborted when the client
 * leaves before the answer is finished, and only then.
 *
 * What the handler throws is logged and answered with 500.
 *
 * @example A handler as it stands in many frameworks
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { HTTPServer } from "@waterspout/waterspout/http";
 * import { FetchContainer } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const container = new FetchContainer((request) => new Response(new URL(request.url).pathname));
 * await new IOLoop().run(function* () {
 *   const server = new HTTPServer(container);
 *   server.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/hello`));
 *   assertEquals(yield* Future.from(response.text()), "/hello");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export class FetchContainer {
  readonly #handler: FetchFunction;
  readonly #executor: Executor | null;

  /** Takes the handler. */
  constructor(handler: FetchFunction, { executor }: FetchContainerOptions = {}) {
    this.#handler = handler;
    this.#executor = executor ?? null;
  }

  /** Answers a request whose body is there. */
  handleRequest(request: HTTPServerRequest): Future<void> {
    return this.#serve(request, request.body.length > 0 ? request.body.slice() : null);
  }

  /** Takes a request as it arrives; called by the server. */
  beginRequest(request: HTTPServerRequest): HTTPMessageDelegate {
    return new StreamedRequest(request, (body) => this.#serve(request, body));
  }

  #serve(request: HTTPServerRequest, body: BodyInit | null): Future<void> {
    return new Coroutine(this.#answer(request, body)).run();
  }

  *#answer(request: HTTPServerRequest, body: BodyInit | null): CoroutineGenerator {
    const { signal } = request;
    let status = 500;
    try {
      const asked = request.toFetchRequest(body);
      const response = yield* Future.from(
        this.#executor === null
          ? this.#handler(asked)
          : this.#executor.submit(this.#handler as (asked: Request) => Response, asked),
      );
      status = response.status;
      yield* answerWith(request, response);
    } catch (error) {
      if (!(error instanceof StreamClosedError) || !signal.aborted) throw error;
    } finally {
      logAccess(status, request);
    }
  }
}

/** Makes a Fetch request of one of the server; see {@linkcode HTTPServerRequest.toFetchRequest}. */
export function toRequest(request: HTTPServerRequest): Request {
  return request.toFetchRequest();
}

// The body of a request as a stream; the handler starts with the head.
class StreamedRequest implements HTTPMessageDelegate {
  readonly #request: HTTPServerRequest;
  readonly #serve: (body: BodyInit | null) => Future<void>;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #wanted: Future<void> | null = null; // there while the stream is full
  #work: Future<void> | null = null;

  constructor(request: HTTPServerRequest, serve: (body: BodyInit | null) => Future<void>) {
    this.#request = request;
    this.#serve = serve;
  }

  headersReceived(): void {
    const { headers } = this.#request;
    const hasBody = headers.has("Transfer-Encoding") || headers.get("Content-Length", "0") !== "0";
    this.#work = this.#serve(hasBody ? this.#stream() : null);
    this.#work._observe(); // finish() hands it to the server
  }

  dataReceived(chunk: Uint8Array): unknown {
    const controller = this.#controller;
    if (controller === null) return undefined; // nobody reads it any more
    controller.enqueue(chunk);
    if (controller.desiredSize! > 0) return undefined;
    return this.#wanted = new Future();
  }

  finish(): unknown {
    this.#controller?.close();
    this.#controller = null;
    return this.#work;
  }

  onConnectionClose(): void {
    this.#controller?.error(new StreamClosedError());
    this.#end();
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#want(),
      cancel: () => this.#end(),
    });
  }

  #want(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    wanted?.setResult();
  }

  #end(): void {
    this.#controller = null;
    this.#want();
  }
}

function* answerWith(request: HTTPServerRequest, response: Response): CoroutineGenerator {
  const { connection } = request;
  const headers = new HTTPHeaders(response.headers);
  for (const name of FRAMING_FIELDS) headers.delete(name);
  if (!headers.has("Content-Type") && response.body !== null) {
    headers.set("Content-Type", "text/html; charset=UTF-8");
  }
  if (!headers.has("Server")) headers.set("Server", `Waterspout/${VERSION}`);
  if (!headers.has("Date")) headers.parseLine(connection.dateField.trimEnd());
  const startLine = {
    code: response.status,
    reason: response.statusText === "" ? undefined : response.statusText,
  };
  if (response.body === null || request.method === "HEAD") {
    const mayHaveBody = response.status >= 200 && ![204, 304].includes(response.status);
    if (response.body === null && mayHaveBody && !headers.has("Content-Length")) {
      headers.set("Content-Length", "0");
    }
    yield response.body?.cancel();
    connection.writeHeaders(startLine, headers);
    connection.finish();
    return;
  }
  const reader = response.body.getReader();
  try {
    let piece = yield* Future.from(reader.read());
    let next = reader.read();
    // A body that is there already is whole after its first piece: then its length is known.
    const ended = Future.from(next);
    yield moment;
    if (!headers.has("Content-Length") && ended.done() && ended.result().done) {
      headers.set("Content-Length", String(piece.value?.length ?? 0));
    }
    connection.writeHeaders(startLine, headers);
    while (!piece.done) {
      yield* connection.write(piece.value);
      piece = yield* Future.from(next);
      if (!piece.done) next = reader.read();
    }
    connection.finish();
  } catch (error) {
    reader.cancel(error).catch(() => {}); // what it says then is nobody's business any more
    if (!(error instanceof StreamClosedError)) connection.abort(error);
    throw error;
  }
}
