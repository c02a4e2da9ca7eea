import type { HandlerClass } from "./request_handler.ts";

/**
 * Makes a handler class take bodies as they arrive: `dataReceived` gets each piece, `prepare` is
 * called before the first one and the verb's method behind the last. `request.body` and its
 * arguments stay empty. In `prepare`, `request.connection.setMaxBodySize(bytes)` and
 * `setBodyTimeout(ms)` change the limits of this request.
 *
 * It serves as a decorator (`@streamRequestBody class Upload ...`) and as a plain function;
 * `static STREAM_REQUEST_BODY = true` does the same.
 *
 * @example Count the bytes of an upload
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, RequestHandler, streamRequestBody } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * @streamRequestBody
 * class Upload extends RequestHandler {
 *   #length = 0;
 *   override dataReceived(chunk: Uint8Array): void {
 *     this.#length += chunk.length;
 *   }
 *   override put(): void {
 *     this.write(`${this.#length}`);
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Upload]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const request = fetch(`http://127.0.0.1:${port}/`, { method: "PUT", body: "12345" });
 *   const response = yield* Future.from(request);
 *   assertEquals(yield* Future.from(response.text()), "5");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export function streamRequestBody<C extends HandlerClass>(
  handlerClass: C,
  _context?: ClassDecoratorContext<C>,
): C {
  handlerClass.STREAM_REQUEST_BODY = true;
  return handlerClass;
}
