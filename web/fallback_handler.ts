import type { HTTPServerRequest } from "../http/mod.ts";
import { RequestHandler } from "./request_handler.ts";

/** Options of a {@linkcode FallbackHandler}, the third element of its route. */
export interface FallbackHandlerOptions {
  /** Who answers: a function of the request or, such as a `FetchContainer`, what a server takes. */
  fallback:
    | ((request: HTTPServerRequest) => unknown)
    | { handleRequest(request: HTTPServerRequest): unknown };
}

/**
 * Leaves requests of a route to somebody else, who writes the answer to
 * `request.connection`; `prepare` may be overridden to look at the request before.
 *
 * @example Two kinds of handlers in one application
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, FallbackHandler, FetchContainer } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const fallback = new FetchContainer(() => Response.json({ from: "fetch" }));
 *   const app = new Application([["/api/.*", FallbackHandler, { fallback }]]);
 *   const server = app.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/api/x`));
 *   assertEquals(yield* Future.from(response.json()), { from: "fetch" });
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export class FallbackHandler extends RequestHandler {
  #fallback: (request: HTTPServerRequest) => unknown = () => {};

  /** Takes who answers. */
  override initialize({ fallback }: FallbackHandlerOptions): void {
    this.#fallback = typeof fallback === "function"
      ? fallback
      : (request) => fallback.handleRequest(request);
  }

  /** Hands the request on; {@linkcode onFinish} is called at once. */
  override prepare(): void {
    this._handOver(this.#fallback);
  }
}
