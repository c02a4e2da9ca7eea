import { IOLoop, VERSION } from "../ioloop/mod.ts";
import {
  type HTTPMessageDelegate,
  HTTPServer,
  type HTTPServerOptions,
  type HTTPServerPeer,
  type HTTPServerRequest,
} from "../http/mod.ts";
import type { BindSocketsOptions } from "../iostream/mod.ts";
import { CallbackDelegate } from "../http/callback_delegate.ts";
import { collectUIMethods, collectUIModules } from "./_ui_settings.ts";
import { ErrorHandler } from "./error_handler.ts";
import { logAccess } from "./_access_line.ts";
import { ApplicationRouter, type Found } from "./_application_router.ts";
import { feedDelegate } from "./_feed_delegate.ts";
import type { FinishedHandler, HandlerApplication } from "./handler_application.ts";
import { AnyMatches, DefaultHostMatches, escapePattern, HostMatches } from "./matcher.ts";
import type { CookieOptions } from "./_set_cookie.ts";
import type { PageModuleClass, UIMethod } from "./page_module.ts";
import type { HandlerClass, RequestHandler } from "./request_handler.ts";
import { ObservedDelegate } from "./_observed_delegate.ts";
import type { RequestObservation, RequestObserver } from "./request_observer.ts";
import { ReversibleRouter, type Route, Router, Rule, type RuleRouter } from "./routing.ts";
import { _startReloader } from "./reloader.ts";
import type { CookieSecret } from "./signed_value.ts";
import { StaticFileHandler } from "./static_file_handler.ts";
import type { BaseLoader, WhitespaceMode } from "./template/mod.ts";
import { GZipContentEncoding, type OutputTransformClass } from "./transforms.ts";

const SERVER_FIELD = `Server: Waterspout/${VERSION}\r\n`;
const MAX_KEPT_TYPES = 16; // more are put together for each answer

/** Holds the settings of an Application; own keys are welcome. */
export interface ApplicationSettings {
  /**
   * Whether the program is being worked on: turns `autoreload` and `serveTraceback` on,
   * `compiledTemplateCache` and `staticHashCache` off. Each may be set otherwise.
   *
   * @default {false}
   */
  debug?: boolean;
  /**
   * Whether the program starts anew when one of its files changes, from
   * {@linkcode Application.listen} on: its modules, or what is in `templatePath`. Needs `process/`
   * to be imported; see `autoreload` there.
   *
   * @default {false}
   */
  autoreload?: boolean;
  /** The host that requests count as made to when it comes to `addHandlers`; see there. */
  defaultHost?: string;
  /** What answers go through on their way out, in this order. */
  transforms?: readonly OutputTransformClass[];
  /**
   * Whether answers are compressed for clients that take it; see {@linkcode GZipContentEncoding}.
   *
   * @default {false}
   */
  compressResponse?: boolean;
  /** Is the older name of `compressResponse`. */
  gzip?: boolean;
  /**
   * Whether error pages show the stack.
   *
   * @default {false}
   */
  serveTraceback?: boolean;
  /** Is told of each request that a handler serves; see the module `telemetry` for one. */
  requestObserver?: RequestObserver;
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
  /**
   * Whether the versions of static files are kept while these do not change.
   *
   * @default {true}
   */
  staticHashCache?: boolean;
  /** Further options for the `initialize` of that handler. */
  staticHandlerArgs?: Record<string, unknown>;
  /**
   * What signs cookies: a long random text, or several by number, of which the setting
   * `keyVersion` names the one that signs.
   */
  cookieSecret?: CookieSecret;
  /** Which of several keys signs cookies. */
  keyVersion?: number;
  /** The ms between two pings of a WebSocket, 30,000 by default; 0 for none. */
  websocketPingInterval?: number;
  /** The ms in which a pong must come; by default the interval. */
  websocketPingTimeout?: number;
  /** The most bytes of a message to a WebSocket, 10 MiB by default. */
  websocketMaxMessageSize?: number;
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
  /** Modules for `{% module %}`: classes by name, the namespace of a module, or several of these. */
  uiModules?: object;
  /**
   * Functions that templates can call, in the same forms; they are given the handler first.
   * Their names begin with a lower-case letter.
   */
  uiMethods?: object;
  /**
   * The function of the templates' namespace that expressions are given to, or null for none.
   *
   * @default {"xhtmlEscape"}
   */
  autoescape?: string | null;
  /**
   * Whether templates are compiled once, and not for each request that uses them.
   *
   * @default {true}
   */
  compiledTemplateCache?: boolean;
  /** The directory of templates; by default that of the program. */
  templatePath?: string;
  /** The loader of templates; it makes path, `autoescape` and `templateWhitespace` void. */
  templateLoader?: BaseLoader;
  /** What happens to white space in templates; by default it depends on the name of the file. */
  templateWhitespace?: WhitespaceMode;
  /** The key and secret of this program at Google; see `GoogleOAuth2Mixin`. */
  googleOauth?: { key: string; secret: string };
  /** The key of this program at Twitter; see `TwitterMixin`. */
  twitterConsumerKey?: string;
  /** The secret that goes with it. */
  twitterConsumerSecret?: string;
  /** The ID of this program at Facebook; see `FacebookGraphMixin`. */
  facebookApiKey?: string;
  /** The secret that goes with it. */
  facebookSecret?: string;
  /** A setting of the program's own. */
  [key: string]: unknown;
}

/** Options of {@linkcode Application.listen}: those of the server, and of its socket. */
export interface ApplicationListenOptions extends HTTPServerOptions, BindSocketsOptions {}

/** Options of {@linkcode Application.getHandlerDelegate}. */
export interface HandlerDelegateOptions {
  /** What the handler's `initialize` is given. */
  initOptions?: unknown;
  /** The unnamed groups of the path, still encoded. */
  pathArgs?: readonly (string | null)[];
  /** The named groups of the path, still encoded. */
  pathKwargs?: Readonly<Record<string, string>>;
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
export class Application<S extends ApplicationSettings = ApplicationSettings>
  extends ReversibleRouter
  implements HandlerApplication {
  /** The settings it was made with. */
  readonly settings: Readonly<S & ApplicationSettings>;
  /** The host that requests count as made to when it comes to {@linkcode addHandlers}. */
  defaultHost: string | null;
  /** What answers go through on their way out. */
  readonly transforms: OutputTransformClass[];
  /** What templates can call, by name: the functions of the setting. */
  readonly uiMethods: Readonly<Record<string, UIMethod>>;
  /** The UI modules by name: the built-in ones, and those of the setting. */
  readonly uiModules: Readonly<Record<string, PageModuleClass>>;
  /** The routes for all hosts. */
  readonly wildcardRouter: RuleRouter;
  /** The routes of {@linkcode addHandlers}, then those for all hosts. */
  readonly defaultRouter: RuleRouter;

  readonly #wildcard: ApplicationRouter;
  readonly #default: ApplicationRouter;
  readonly #ownRouting: boolean; // a subclass does it otherwise
  readonly #observer: RequestObserver | null;
  #early: boolean | null = null; // some requests are begun before their bodies are there
  #last: HTTPServerRequest | null = null; // the request that was looked up last,
  #lastFound: Found | null = null; // and who answers it
  #dateField = "";
  readonly #fieldsByType = new Map<string, string>(); // of that date

  /**
   * Takes the routes, in the order in which they are tried, and the settings.
   *
   * @throws {TypeError} when a route has no handler class; see {@linkcode URLSpec}.
   */
  constructor(handlers: readonly Route[] = [], settings: S = {} as S) {
    super();
    const { defaultHost, transforms, ...rest } = settings;
    this.settings = withDebug(rest) as S & ApplicationSettings;
    this.defaultHost = defaultHost ?? null;
    this.transforms = [...transforms ?? []];
    if (settings.compressResponse ?? settings.gzip) this.transforms.push(GZipContentEncoding);
    this.uiMethods = collectUIMethods(settings.uiMethods);
    this.uiModules = collectUIModules(settings.uiModules);
    const start = (request: HTTPServerRequest, found: Found) => this.#startHandler(request, found);
    this.#wildcard = new ApplicationRouter(start, [...handlers, ...staticRoutes(settings)]);
    this.#default = new ApplicationRouter(start, [new Rule(new AnyMatches(), this.#wildcard)]);
    this.#ownRouting = this.findHandler !== Application.prototype.findHandler ||
      this.startRequest !== Router.prototype.startRequest;
    this.#observer = settings.requestObserver ?? null;
    this.wildcardRouter = this.#wildcard;
    this.defaultRouter = this.#default;
  }

  /**
   * Adds routes for the hosts that match the pattern, case and port aside; a string is matched
   * from the first to the last character. They are tried before those for all hosts, in the
   * order of adding. Requests to other hosts that no other route takes may use them too, while
   * {@linkcode defaultHost} matches the pattern and no proxy says, by X-Real-Ip, that it
   * forwarded them.
   */
  addHandlers(hostPattern: string | RegExp, handlers: readonly Route[]): void {
    const matcher = new HostMatches(hostPattern);
    this.#default._insert(this.#default.rules.length - 1, [matcher, handlers]);
    const fallback = new DefaultHostMatches(this, matcher.hostPattern);
    this.#wildcard.addRules([[fallback, handlers]]);
    this.#early = null;
  }

  /** Adds what answers go through on their way out. */
  addTransform(transformClass: OutputTransformClass): void {
    this.transforms.push(transformClass);
  }

  /**
   * Makes an HTTP server for this application that listens on `port`. The options are those of
   * the server and of `TCPServer.listen`.
   */
  listen(port: number, address?: string, options: ApplicationListenOptions = {}): HTTPServer {
    const server = new HTTPServer(this, options);
    server.listen(port, address, options);
    if (this.settings.autoreload) _startReloader(server, this.settings.templatePath);
    return server;
  }

  /**
   * Makes a path of the route with that name, its groups filled with `args`.
   *
   * @throws {Error} when there is no such route.
   */
  override reverseUrl(name: string, ...args: readonly unknown[]): string {
    const path = this.#default.reverseUrl(name, ...args);
    if (path === null) throw new Error(`Cannot reverse ${name}: no route has that name`);
    return path;
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

  /** Returns who is told of a request as it arrives; override it for another kind of routing. */
  override findHandler(request: HTTPServerRequest): HTTPMessageDelegate {
    const found = this.#find(request);
    return found.delegate ?? this.#startHandler(request, found);
  }

  /** Makes a handler of that class, and returns who is told of the request as it arrives. */
  getHandlerDelegate(
    request: HTTPServerRequest,
    handlerClass: HandlerClass,
    { initOptions, pathArgs = [], pathKwargs }: HandlerDelegateOptions = {},
  ): HTTPMessageDelegate {
    return this.#startHandler(request, {
      route: null,
      handlerClass,
      kwargs: initOptions,
      pathArgs,
      pathKwargs: pathKwargs ?? null,
      delegate: null,
    });
  }

  /** Answers a request whose body is there; called by the server. */
  handleRequest(request: HTTPServerRequest): unknown {
    if (this.#ownRouting) return feedDelegate(this.findHandler(request), request);
    const found = request === this.#last ? this.#lastFound! : this.#find(request);
    this.#last = this.#lastFound = null;
    if (found.delegate !== null) return feedDelegate(found.delegate, request);
    this.#execute(request, found);
    return undefined;
  }

  /**
   * Returns who is told of a request as it arrives, null if its handler needs the body first;
   * called by the server.
   */
  beginRequest(request: HTTPServerRequest): HTTPMessageDelegate | null {
    if (this.#ownRouting) {
      const { connection } = request;
      return this.startRequest === Router.prototype.startRequest
        ? this.findHandler(request)
        : this.startRequest(connection as unknown as HTTPServerPeer, connection);
    }
    if (!(this.#early ??= this.#default.early || takesEarly(this.settings.defaultHandlerClass))) {
      return null;
    }
    const found = this.#find(request);
    if (found.delegate !== null) return found.delegate;
    if (found.handlerClass!.STREAM_REQUEST_BODY) return this.#startHandler(request, found);
    this.#last = request;
    this.#lastFound = found;
    return null;
  }

  /** See {@linkcode HandlerApplication}. @ignore */
  _staticUrl(path: string, options: Readonly<Record<string, unknown>>): string {
    const handler =
      (this.settings.staticHandlerClass ?? StaticFileHandler) as typeof StaticFileHandler;
    return handler.makeStaticUrl(this.settings, path, options);
  }

  /** See {@linkcode HandlerApplication}. @ignore */
  _fieldsOfType(contentType: string, dateField: string): string {
    if (dateField !== this.#dateField) {
      this.#dateField = dateField;
      this.#fieldsByType.clear();
    }
    let fields = this.#fieldsByType.get(contentType);
    if (fields === undefined) {
      fields = `${SERVER_FIELD}Content-Type: ${contentType}\r\n${dateField}`;
      if (this.#fieldsByType.size < MAX_KEPT_TYPES) this.#fieldsByType.set(contentType, fields);
    }
    return fields;
  }

  #find(request: HTTPServerRequest): Found {
    const router = this.#default.rules.length === 1 ? this.#wildcard : this.#default;
    const found = router.find(request) ?? this.#unmatched();
    const tracer = IOLoop.current(false)?._tracer ?? null;
    if (tracer !== null) tracer._routed(request, found.route);
    return found;
  }

  #unmatched(): Found {
    const { defaultHandlerClass, defaultHandlerArgs } = this.settings;
    return {
      route: null,
      handlerClass: defaultHandlerClass ?? ErrorHandler,
      kwargs: defaultHandlerClass === undefined ? { statusCode: 404 } : defaultHandlerArgs,
      pathArgs: [],
      pathKwargs: null,
      delegate: null,
    };
  }

  #startHandler(request: HTTPServerRequest, found: Found): HTTPMessageDelegate {
    const handlerClass = found.handlerClass!;
    if (!handlerClass.STREAM_REQUEST_BODY) {
      return new CallbackDelegate(request, (request) => this.#execute(request, found));
    }
    const handler = new handlerClass(this, request, found.kwargs);
    const delegate = handler._stream(found.pathArgs, found.pathKwargs);
    const observation = this.#observe(handler, found.route);
    return observation === null ? delegate : new ObservedDelegate(delegate, observation);
  }

  #execute(request: HTTPServerRequest, found: Found): void {
    const { kwargs, pathArgs, pathKwargs } = found;
    const handler = new found.handlerClass!(this, request, kwargs);
    if (this.#observer === null) handler._execute(pathArgs, pathKwargs);
    else {
      const observation = this.#observe(handler, found.route)!;
      observation.run(() => handler._execute(pathArgs, pathKwargs));
    }
  }

  #observe(handler: RequestHandler, route: string | null): RequestObservation | null {
    const observation = this.#observer?.begin(handler.request, route) ?? null;
    if (observation !== null) handler._whenEnded(() => observation.end(handler._sentStatus));
    return observation;
  }
}

function takesEarly(handlerClass: HandlerClass | undefined): boolean {
  return handlerClass?.STREAM_REQUEST_BODY === true;
}

function withDebug(settings: ApplicationSettings): ApplicationSettings {
  if (!settings.debug) return settings;
  return {
    autoreload: true,
    serveTraceback: true,
    compiledTemplateCache: false,
    staticHashCache: false,
    ...settings,
  };
}

function staticRoutes(settings: ApplicationSettings): Route[] {
  const path = settings.staticPath;
  if (path === undefined) return [];
  const prefix = settings.staticUrlPrefix ?? "/static/";
  const handler = settings.staticHandlerClass ?? StaticFileHandler;
  const args = { ...settings.staticHandlerArgs, path };
  return [
    [`${escapePattern(prefix)}(.*)`, handler, args],
    ["/(favicon\\.ico)", handler, args],
    ["/(robots\\.txt)", handler, args],
  ];
}
