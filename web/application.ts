import { VERSION } from "../ioloop/mod.ts";
import {
  type HTTPMessageDelegate,
  HTTPServer,
  type HTTPServerOptions,
  type HTTPServerRequest,
} from "../http/mod.ts";
import { ErrorHandler } from "./error_handler.ts";
import { logAccess } from "./_access_line.ts";
import type { FinishedHandler, HandlerApplication } from "./handler_application.ts";
import type { CookieOptions } from "./_set_cookie.ts";
import type { HandlerClass } from "./request_handler.ts";
import { type Route, type RouteMatch, RouteTable, URLSpec } from "./routing.ts";
import type { CookieSecret } from "./signed_value.ts";
import { StaticFileHandler } from "./static_file_handler.ts";

const DEFAULT_FIELDS = `Server: Waterspout/${VERSION}\r\n` +
  "Content-Type: text/html; charset=UTF-8\r\n";

/** Holds the settings of an Application; own keys are welcome. */
export interface ApplicationSettings {
  /**
   * Whether error pages show the stack.
   *
   * @default {false}
   */
  serveTraceback?: boolean;
  /** Is called instead of {@linkcode Application.logRequest} for each finished request. */
  logFunction?: (handler: FinishedHandler) => void;
  /** The handler of requests that no route matches; by default it answers 404. */
  defaultHandlerClass?: HandlerClass;
  /** What the `initialize` of that handler is given. */
  defaultHandlerArgs?: unknown;
  /** The directory of the files below `staticUrlPrefix`, of `/favicon.ico` and `/robots.txt`. */
  staticPath?: string;
  /**
   * Where the files of `staticPath` are served.
   *
   * @default {"/static/"}
   */
  staticUrlPrefix?: string;
  /** The handler of these files. */
  staticHandlerClass?: HandlerClass;
  /** Further options for the `initialize` of that handler. */
  staticHandlerArgs?: Record<string, unknown>;
  /**
   * What signs cookies: a long random text, or several by number, of which the setting
   * `keyVersion` names the one that signs.
   */
  cookieSecret?: CookieSecret;
  /** Which of several keys signs cookies. */
  keyVersion?: number;
  /** Where one signs in; see {@linkcode authenticated}. */
  loginUrl?: string;
  /**
   * Whether requests that change something must carry the token of their client's cookie; see
   * {@linkcode RequestHandler.checkXsrfCookie}.
   *
   * @default {false}
   */
  xsrfCookies?: boolean;
  /**
   * How that token is written: 1 plain, 2 masked anew in each page.
   *
   * @default {2}
   */
  xsrfCookieVersion?: 1 | 2;
  /** Options of that cookie. */
  xsrfCookieKwargs?: CookieOptions;
  /**
   * The name of that cookie.
   *
   * @default {"_xsrf"}
   */
  xsrfCookieName?: string;
  /** A setting of the program's own. */
  [key: string]: unknown;
}

interface HostRoutes {
  readonly host: RegExp;
  readonly table: RouteTable;
}

/**
 * Maps requests to handlers, and holds the settings that they share.
 *
 * @example Serve
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 *
 * class Main extends RequestHandler {
 *   override get(): void {
 *     this.write("Hello, world");
 *   }
 * }
 *
 * const loop = new IOLoop();
 * const server = new Application([["/", Main]]).listen(0, "127.0.0.1");
 * loop.addCallback(() => {
 *   server.stop();
 *   loop.stop();
 * });
 * await loop.start();
 * ```
 */
export class Application implements HandlerApplication {
  /** The settings it was made with. */
  readonly settings: Readonly<ApplicationSettings>;

  readonly #table: RouteTable;
  readonly #hosts: HostRoutes[] = [];
  readonly #named = new Map<string, URLSpec>();
  readonly #fallback: URLSpec;
  #streams = false; // some handlers take bodies as they arrive
  #dateField = "";
  #defaultFields = "";

  /**
   * Takes the routes, in the order in which they are tried, and the settings.
   *
   * @throws {TypeError} when a route has no handler class; see {@linkcode URLSpec}.
   */
  constructor(handlers: readonly Route[] = [], settings: ApplicationSettings = {}) {
    this.settings = settings;
    this.#table = this.#makeTable([...handlers, ...staticRoutes(settings)]);
    this.#fallback = new URLSpec(
      /.*/,
      settings.defaultHandlerClass ?? ErrorHandler,
      settings.defaultHandlerClass === undefined
        ? { statusCode: 404 }
        : settings.defaultHandlerArgs,
    );
  }

  /**
   * Adds routes for the hosts that match the pattern; they are tried before the others. Case
   * and port do not count. A string is matched from the first to the last character.
   */
  addHandlers(hostPattern: string | RegExp, handlers: readonly Route[]): void {
    const source = typeof hostPattern === "string"
      ? `^(?:${hostPattern.replace(/^\^/, "").replace(/\$$/, "")})$`
      : hostPattern;
    this.#hosts.push({ host: new RegExp(source, "i"), table: this.#makeTable(handlers) });
  }

  /** Makes an HTTP server for this application that listens on `port`; see `TCPServer.listen`. */
  listen(port: number, address?: string, options: HTTPServerOptions = {}): HTTPServer {
    const server = new HTTPServer(this, options);
    server.listen(port, address);
    return server;
  }

  /**
   * Makes a path of the route with that name, its groups filled with `args`.
   *
   * @throws {Error} when there is no such route.
   */
  reverseUrl(name: string, ...args: readonly unknown[]): string {
    const spec = this.#named.get(name);
    if (spec === undefined) throw new Error(`Cannot reverse ${name}: no route has that name`);
    return spec.reverse(...args);
  }

  /**
   * Writes the access log line of a finished request: `200 GET / (127.0.0.1) 1.23ms`, as info
   * below status 400, warning below 500, else error.
   */
  logRequest(handler: FinishedHandler): void {
    if (this.settings.logFunction !== undefined) {
      this.settings.logFunction(handler);
      return;
    }
    logAccess(handler.getStatus(), handler.request);
  }

  /** Makes the handler of a request and lets it answer; called by the server. */
  handleRequest(request: HTTPServerRequest): void {
    const { spec, groups, named } = this.#find(request);
    new spec.handlerClass(this, request, spec.kwargs)._execute(groups, named);
  }

  /**
   * Makes the handler of a request whose body is to be streamed to it; called by the server.
   * Returns null for another one.
   */
  beginRequest(request: HTTPServerRequest): HTTPMessageDelegate | null {
    if (!this.#streams) return null;
    const { spec, groups, named } = this.#find(request);
    if (!spec.handlerClass.STREAM_REQUEST_BODY) return null;
    return new spec.handlerClass(this, request, spec.kwargs)._stream(groups, named);
  }

  /** See {@linkcode HandlerApplication}. @ignore */
  _staticUrl(path: string, options: Readonly<Record<string, unknown>>): string {
    const handler =
      (this.settings.staticHandlerClass ?? StaticFileHandler) as typeof StaticFileHandler;
    return handler.makeStaticUrl(this.settings, path, options);
  }

  /** See {@linkcode HandlerApplication}. @ignore */
  _defaultFields(dateField: string): string {
    if (dateField !== this.#dateField) {
      this.#dateField = dateField;
      this.#defaultFields = DEFAULT_FIELDS + dateField;
    }
    return this.#defaultFields;
  }

  #find(request: HTTPServerRequest): RouteMatch {
    return (this.#hosts.length === 0 ? null : this.#findByHost(request)) ??
      this.#table.find(request.path) ?? this.#fallback.match(request.path)!;
  }

  #findByHost(request: HTTPServerRequest): ReturnType<RouteTable["find"]> {
    const host = request.hostName;
    for (const routes of this.#hosts) {
      const match = routes.host.test(host) ? routes.table.find(request.path) : null;
      if (match !== null) return match;
    }
    return null;
  }

  #makeTable(routes: readonly Route[]): RouteTable {
    const specs = routes.map((route) => route instanceof URLSpec ? route : new URLSpec(...route));
    for (const spec of specs) {
      if (spec.name !== undefined) this.#named.set(spec.name, spec);
      this.#streams ||= spec.handlerClass.STREAM_REQUEST_BODY === true;
    }
    return new RouteTable(specs);
  }
}

function staticRoutes(settings: ApplicationSettings): Route[] {
  const path = settings.staticPath;
  if (path === undefined) return [];
  const prefix = settings.staticUrlPrefix ?? "/static/";
  const handler = settings.staticHandlerClass ?? StaticFileHandler;
  const args = { ...settings.staticHandlerArgs, path };
  const escaped = prefix.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return [
    [`${escaped}(.*)`, handler, args],
    ["/(favicon\\.ico)", handler, args],
    ["/(robots\\.txt)", handler, args],
  ];
}
