import type { RequestHandler } from "./request_handler.ts";

/** Is a method of a handler of any kind. */
// deno-lint-ignore no-explicit-any -- which handler and which arguments is the route's business
export type HandlerMethod = (this: any, ...args: any[]) => unknown;

/**
 * Makes a method of a handler that does not finish the answer when it returns: a callback that
 * it starts calls `finish()` later. What the method or such a callback throws becomes the
 * answer, as an error of the method would. If it returns a Future, a promise or a generator,
 * the answer is finished when that is done.
 *
 * It serves as a decorator (`@asynchronous get() {}`) and as a plain function
 * (`override get = asynchronous(function () {})`). Handlers that are written as coroutines don't
 * need it.
 *
 * @example Finish in a callback
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, asynchronous, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Later extends RequestHandler {
 *   @asynchronous
 *   override get(): void {
 *     IOLoop.current().callLater(5, () => this.finish("later"));
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Later]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/`));
 *   assertEquals(yield* Future.from(response.text()), "later");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export function asynchronous<M extends HandlerMethod>(
  method: M,
  context: ClassMethodDecoratorContext,
): M;
/** Makes such a method of a function. */
export function asynchronous(method: HandlerMethod): HandlerMethod;
export function asynchronous(method: HandlerMethod): HandlerMethod {
  const run = function (this: RequestHandler, ...args: unknown[]): unknown {
    return this._runAsynchronous(method, args);
  };
  Object.defineProperty(run, "name", { value: method.name, configurable: true });
  return run;
}
