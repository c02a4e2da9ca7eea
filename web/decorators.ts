import type { HandlerMethod } from "./asynchronous.ts";
import { HTTPError } from "./errors.ts";
import type { RequestHandler } from "./request_handler.ts";

/** Is the second argument of a decorator of a method. */
// deno-lint-ignore no-explicit-any -- methods of any class and type
export type MethodContext = ClassMethodDecoratorContext<any, any>;

/**
 * Makes a method of a handler for those who are signed in. Anybody else is sent to the login URL
 * with GET and HEAD, and gets 403 otherwise. The login URL is given the argument `next`, the page
 * that was asked for: in full when it names a host. If it has a query already, it is left as it is.
 *
 * Like the others here it serves as a decorator (`@authenticated *get() {}`) and as a plain
 * function (`override get = authenticated(function* () {})`).
 *
 * @example Only for members
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, authenticated, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Members extends RequestHandler {
 *   @authenticated
 *   override get(): void {
 *     this.write(`Hello, ${this.currentUser}`);
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const app = new Application([["/members", Members]], { loginUrl: "/login" });
 *   const server = app.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const url = `http://127.0.0.1:${port}/members`;
 *   const response = yield* Future.from(fetch(url, { redirect: "manual" }));
 *   assertEquals(response.headers.get("Location"), "/login?next=%2Fmembers");
 *   yield* Future.from(response.text());
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export function authenticated<M extends HandlerMethod>(method: M, _context?: MethodContext): M {
  return wrap(method, (handler) => {
    if (handler.currentUser) return true;
    if (!isReading(handler)) throw new HTTPError(403);
    const login = handler.getLoginUrl();
    const here = /^[a-z]+:/i.test(login) ? handler.request.fullUrl() : handler.request.uri;
    handler.redirect(login.includes("?") ? login : `${login}?next=${encodeURIComponent(here)}`);
    return false;
  });
}

/**
 * Makes a method of a handler whose path ends in a slash: without it GET and HEAD are redirected,
 * with 301, and other methods get 404.
 */
export function addSlash<M extends HandlerMethod>(method: M, _context?: MethodContext): M {
  return wrap(method, (handler) => {
    const { path } = handler.request;
    return path.endsWith("/") || moveTo(handler, `${path}/`);
  });
}

/**
 * Makes a method of a handler whose path does not end in a slash: with one GET and HEAD are
 * redirected, with 301, and other methods get 404. The path `/` stays.
 */
export function removeSlash<M extends HandlerMethod>(method: M, _context?: MethodContext): M {
  return wrap(method, (handler) => {
    const { path } = handler.request;
    const bare = withoutSlashes(path);
    return bare === path || bare === "" || moveTo(handler, bare);
  });
}

// Returns a method that runs `method` where `admits` says so.
function wrap<M extends HandlerMethod>(method: M, admits: (handler: RequestHandler) => boolean): M {
  const run = function (this: RequestHandler, ...args: unknown[]): unknown {
    return admits(this) ? method.apply(this, args) : undefined;
  };
  Object.defineProperty(run, "name", { value: method.name, configurable: true });
  return run as M;
}

function isReading({ request: { method } }: RequestHandler): boolean {
  return method === "GET" || method === "HEAD";
}

// A pattern would begin anew at each slash of a path that is full of them.
function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === "/") end--;
  return path.slice(0, end);
}

function moveTo(handler: RequestHandler, path: string): false {
  if (!isReading(handler)) throw new HTTPError(404);
  // In a Location field, a path with two slashes in front would name another host.
  const { query } = handler.request;
  const target = path.replace(/^\/{2,}/, "/") + (query === "" ? "" : `?${query}`);
  handler.redirect(target, { permanent: true });
  return false;
}
