// One instance serves one request. What a plain `get` does not use is not made: header
// fields, arguments, a scope for spawned coroutines, an AbortSignal come on first use.
//
//   prepare() --> get(), post(), ... --> finish() --> onFinish()
//
// Each of the first two may be plain, async or a generator. A handler whose work goes on
// after the method returned is told when its client leaves; its coroutine is cancelled if
// the method is safe (CANCEL_ON_DISCONNECT).
import { Buffer } from "node:buffer";
import { describeError } from "../ioloop/errors.ts";
import { _enterOwner, isThenable } from "../ioloop/future.ts";
import { convertYielded, Coroutine } from "../gen/mod.ts";
import { isGenerator } from "../gen/coroutine.ts";
import {
  appLog,
  CancelledError,
  ExceptionStackContext,
  Future,
  genLog,
  IOLoop,
} from "../ioloop/mod.ts";
import type { FutureOwner, FutureScope } from "../ioloop/mod.ts";
import { type IOStream, StreamClosedError } from "../iostream/mod.ts";
import {
  formatTimestamp,
  HTTPHeaders,
  HTTPInputError,
  type HTTPMessageDelegate,
  type HTTPServerRequest,
  jsonEncode,
  reasonPhrase,
  statusLine,
  type Upgraded,
  urlUnescape,
  xhtmlEscape,
} from "../http/mod.ts";
import type { HandlerApplication } from "./handler_application.ts";
import { entityTag, matchesEntityTag, withEntityTag } from "./_entity_tag.ts";
import { acceptedLanguages } from "./_accepted_languages.ts";
import {
  embedScripts,
  embedStyles,
  linkScripts,
  linkStyles,
  makeLoader,
  Page,
  templatePathOf,
} from "./_rendering.ts";
import { Finish, HTTPError, MissingArgumentError } from "./errors.ts";
import { getLocale, type Locale } from "./locale.ts";
import type { BaseLoader } from "./template/mod.ts";
import { EventStream, type EventStreamOptions } from "./event_stream.ts";
import type { FirstChunk, OutputTransform } from "./transforms.ts";
import type { PathParams } from "./path_params.ts";
import {
  type ArgumentOf,
  type ArgumentType,
  asksForType,
  convertArgument,
  type OptionalTypedArgument,
  type TypedArgument,
} from "./_typed_argument.ts";
import { type CookieOptions, formatSetCookie, isCookieName } from "./_set_cookie.ts";
import {
  type CookieSecret,
  createSignedValue,
  decodeSignedValue,
  getSignatureKeyVersion,
} from "./signed_value.ts";
import {
  decodeXsrfToken,
  encodeXsrfToken,
  makeXsrfToken,
  sameXsrfToken,
  type XsrfToken,
} from "./_xsrf.ts";

/** Is a class that extends {@linkcode RequestHandler}. */
// deno-lint-ignore no-explicit-any -- the options belong to the handler's initialize()
export type HandlerClass = (new (...args: any[]) => RequestHandler) & {
  /** See {@linkcode RequestHandler.STREAM_REQUEST_BODY}. */
  STREAM_REQUEST_BODY?: boolean;
};

/** Is what {@linkcode RequestHandler.write} takes: text, bytes, or a record that becomes JSON. */
export type Writable = string | Uint8Array | Readonly<Record<string, unknown>> | JSONRecord;

/** Is an object of any type but array, function and promise: they are no record. */
export type JSONRecord = object & {
  readonly [Symbol.iterator]?: never;
  readonly then?: never;
  readonly call?: never;
};

/**
 * Is what a verb's method may declare for a group of the route, text or null, and for all
 * named groups, an object. There are no numbers in a path: the method converts.
 */
export type PathArgument = string | object | null | undefined;

/** Is what a header value may be. */
export type HeaderValue = string | number | Date | Uint8Array;

/** Options of the argument getters. */
export interface ArgumentOptions {
  /**
   * Whether white space around the value is taken away.
   *
   * @default {true}
   */
  strip?: boolean;
}

/** Options of {@linkcode RequestHandler.getSignedCookie}. */
export interface SignedCookieOptions {
  /** The signed value, if not that of the request's cookie. */
  value?: string | Uint8Array | null;
  /**
   * The days after which it is no longer taken.
   *
   * @default {31}
   */
  maxAgeDays?: number;
  /**
   * The oldest format that is taken, 1 or 2.
   *
   * @default {1}
   */
  minVersion?: number;
}

/** Options of {@linkcode RequestHandler.setSignedCookie}. */
export interface SetSignedCookieOptions extends CookieOptions {
  /** The format, 1 or 2; 2 by default. */
  version?: number;
}

/** Options of {@linkcode RequestHandler.staticUrl}; others go to the static handler's class. */
export interface HandlerStaticUrlOptions {
  /** Whether it is a full URL; by default what the handler's property `includeHost` says. */
  includeHost?: boolean;
  /**
   * Whether the URL carries the version of the file.
   *
   * @default {true}
   */
  includeVersion?: boolean;
  /** An option of the static handler's own. */
  [option: string]: unknown;
}

/** Options of {@linkcode RequestHandler.redirect}. */
export interface RedirectOptions {
  /**
   * Whether the status is 301 instead of 302.
   *
   * @default {false}
   */
  permanent?: boolean;
  /** Another status from 300 to 399. */
  status?: number;
}

/** Options of {@linkcode RequestHandler.sendError} and {@linkcode RequestHandler.writeError}. */
export interface SendErrorOptions {
  /** The error behind it. */
  error?: unknown;
  /** The reason phrase, if not the usual one. */
  reason?: string | undefined;
}

/** Given as default, says that an argument is required: `getArgument(name, REQUIRED, options)`. */
export const REQUIRED: unique symbol = Symbol("required");

const VERBS: Readonly<Record<string, Verb | undefined>> = {
  GET: "get",
  HEAD: "head",
  POST: "post",
  DELETE: "delete",
  PATCH: "patch",
  PUT: "put",
  OPTIONS: "options",
};
type Verb = "get" | "head" | "post" | "delete" | "patch" | "put" | "options";

const UNKNOWN = Symbol("unknown");
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];
const NO_ARGS: readonly never[] = [];
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROL_REGEXP = /[\x00-\x08\x0e-\x1f]/g;
// deno-lint-ignore no-control-regex -- what a reason phrase must not hold
const BAD_REASON_REGEXP = /[\x00-\x08\x0a-\x1f\x7f<]|[^\x00-\xff]/;
// deno-lint-ignore no-control-regex -- latin-1 begins at NUL; headers refuse it themselves
const NOT_LATIN1_REGEXP = /[^\x00-\xff]/;
const PLAIN_VALUE_REGEXP = /^[!-~](?:[ -~]*[!-~])?$/;

const HTML_TYPE = "text/html; charset=UTF-8";
const JSON_TYPE = "application/json; charset=UTF-8";

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const jsonDecoder = new TextDecoder("utf-8", { fatal: true }); // RFC 8259 8.1: a BOM may be skipped
const YEAR = 365 * 86_400_000;

/**
 * Answers requests: subclass it and write a method for each verb, `get`, `post` and so on.
 * They may be plain, `async` or generators, and get the groups of the route as arguments. What
 * was written is sent when the method, and what it returned, is done.
 *
 * @example A generator handler
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { type CoroutineGenerator, sleep } from "@waterspout/waterspout/gen";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Hello extends RequestHandler {
 *   override *get(name: string): CoroutineGenerator {
 *     yield* sleep(1);
 *     this.write(`Hello, ${name}`);
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/hello/(.*)", Hello]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/hello/Ada`));
 *   assertEquals(yield* Future.from(response.text()), "Hello, Ada");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 *
 * Its type may name the pattern of its route, which types {@linkcode pathParams}; `url()` then
 * checks that the two agree.
 *
 * @example Typed names in a path
 * ```ts
 * import { RequestHandler, url } from "@waterspout/waterspout/web";
 *
 * class Story extends RequestHandler<"/story/:id"> {
 *   override get(): void {
 *     const id: string = this.pathParams.id;
 *     this.write(`Story ${id}`);
 *   }
 * }
 *
 * url("/story/:id", Story);
 * ```
 */
export class RequestHandler<Pattern extends string = string> implements FutureOwner {
  /** The methods that are answered other than with 405: by default those with a method here. */
  static SUPPORTED_METHODS: readonly string[] = Object.keys(VERBS);

  /**
   * Whether the handler's coroutine is cancelled when its client leaves: for all methods,
   * none, or those listed.
   *
   * @default {["GET", "HEAD", "OPTIONS"]}
   */
  static CANCEL_ON_DISCONNECT: boolean | readonly string[] = SAFE_METHODS;

  /**
   * The ms that a request may take from its head to its answer; null for no limit. Then the
   * coroutine of the handler is cancelled, whatever the method, and the client gets 503, or the
   * end of its connection if headers were sent. A streamed body counts too.
   */
  static timeout: number | null = null;

  /**
   * Whether the body is given to {@linkcode dataReceived} as it arrives, instead of being
   * collected; see {@linkcode streamRequestBody}.
   *
   * @default {false}
   */
  static STREAM_REQUEST_BODY: boolean = false;

  /** The application. */
  readonly application: HandlerApplication;
  /** The request. */
  readonly request: HTTPServerRequest;
  /** The unnamed groups of the route, decoded; null for one that took no part. */
  pathArgs: readonly (string | null)[] = NO_ARGS;
  /** The named groups of the route, decoded. */
  pathKwargs: Readonly<Record<string, string | null>> | null = null;

  readonly #options: unknown; // for initialize()
  #status = 200;
  #reason: string | undefined = undefined;
  #headers: HTTPHeaders | null = null; // null: the default fields, with #contentType
  #contentType = HTML_TYPE; // as long as #headers is null
  #chunk: string | Uint8Array | null = null; // what was written, while it is one piece
  #chunks: (string | Uint8Array)[] | null = null; // what was written, once it is more
  #headersWritten = false;
  #finished = false;
  #newCookies: Map<string, string> | null = null; // the Set-Cookie fields, by name
  #user: unknown = UNKNOWN; // what getCurrentUser() said
  #locale: Locale | null = null;
  #page: Page | null = null;
  #xsrf: XsrfToken | null = null; // of the cookie, or of the one that is set
  #xsrfText = "";
  #transforms: OutputTransform[] | null = null; // there once the headers were sent, if any
  #atEnd: (() => void)[] | null = null; // what is to be done once the answer has its end
  #work: Future<unknown> | null = null; // the coroutine of the method in progress
  #children: ChildScope | null = null;
  #asynchronous: Future<void> | null = null; // done when the answer is, whoever finishes it
  #abort: AbortController | null = null;
  #left: CancelledError | null = null; // set when the client left or its time was up; then #finished is true

  /** Is made by the application for each request. */
  constructor(
    application: HandlerApplication,
    request: HTTPServerRequest,
    options: unknown = undefined,
  ) {
    this.application = application;
    this.request = request;
    this.#options = options;
  }

  /** The named groups of the route, decoded. */
  get pathParams(): PathParams<Pattern> {
    return (this.pathKwargs ?? {}) as PathParams<Pattern>;
  }

  /** The settings of the application. */
  get settings(): Readonly<Record<string, unknown>> {
    return this.application.settings;
  }

  /** Is aborted when the client leaves before the answer is finished. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#left !== null) this.#abort.abort(this.#left);
    }
    return this.#abort.signal;
  }

  /** Whether nothing can be written any more: the answer was finished, or the client left. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Gets the third element of the route; override it. No output here. */
  initialize(_options: unknown): void {}

  /**
   * Is called before the verb's method; override it. It may be `async` or a generator. When it
   * finishes the answer or throws, the verb's method is not called.
   */
  prepare(): unknown {
    return undefined;
  }

  /**
   * Takes a piece of the body, with {@linkcode streamRequestBody}; override it. It may be `async`
   * or a generator: the next piece comes when it is done.
   */
  dataReceived(_chunk: Uint8Array): unknown {
    throw new Error("Cannot take a body piece by piece: dataReceived is not overridden");
  }

  /** Is called when the answer was handed over; override it. No output here. */
  onFinish(): void {}

  /** Is called when the client leaves before the answer is finished; override it. */
  onConnectionClose(): void {}

  /** Is called by {@linkcode clear} to set headers for every answer, errors included. */
  setDefaultHeaders(): void {}

  /** Answers GET; override it. */
  get(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /** Answers HEAD; override it. */
  head(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /** Answers POST; override it. */
  post(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /** Answers DELETE; override it. */
  delete(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /** Answers PATCH; override it. */
  patch(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /** Answers PUT; override it. */
  put(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /** Answers OPTIONS; override it. */
  options(..._pathArgs: PathArgument[]): unknown {
    throw new HTTPError(405);
  }

  /**
   * Sets the status. A reason phrase with control characters or `<` becomes `Unknown`.
   *
   * @throws {RangeError} when the code is not an integer from 100 to 999.
   */
  setStatus(code: number, reason?: string): void {
    if (!Number.isInteger(code) || code < 100 || code > 999) {
      throw new RangeError(`Cannot set the status: expected 100 to 999, got ${code}`);
    }
    this.#status = code;
    this.#reason = reason !== undefined && BAD_REASON_REGEXP.test(reason) ? "Unknown" : reason;
  }

  /** Returns the status. */
  getStatus(): number {
    return this.#status;
  }

  /**
   * Sets a header field, replacing its values.
   *
   * @throws {TypeError} when the name is not a token, the value holds control characters or
   *   characters beyond latin-1, or is of another type.
   */
  setHeader(name: string, value: HeaderValue): void {
    const text = headerText(name, value);
    // The one field that most answers set. Alone it costs no header fields.
    if (name === "Content-Type" && this.#headers === null && PLAIN_VALUE_REGEXP.test(text)) {
      this.#contentType = text;
    } else this.#fields().set(name, text);
  }

  /**
   * Adds a value to a header field.
   *
   * @throws {TypeError} as {@linkcode setHeader} does.
   */
  addHeader(name: string, value: HeaderValue): void {
    try {
      this.#fields().add(name, headerText(name, value));
    } catch (error) {
      throw error instanceof HTTPInputError ? new TypeError(error.message) : error;
    }
  }

  /** Takes a header field away. */
  clearHeader(name: string): void {
    this.#fields().delete(name);
  }

  /** Forgets what was written, and sets status and headers to the defaults. */
  clear(): void {
    this.#status = 200;
    this.#reason = undefined;
    this.#headers = null;
    this.#contentType = HTML_TYPE;
    this.#chunk = this.#chunks = null;
    this.setDefaultHeaders();
  }

  /**
   * Adds to the answer. A record is sent as JSON, with the Content-Type that says so.
   *
   * @throws {TypeError} for an array: a page elsewhere could read it as a script.
   * @throws {Error} when the answer was finished.
   * @throws {StreamClosedError} when the client left; thrown out of the method, it is not logged.
   */
  write(chunk: Writable): void {
    if (this.#finished) throw this.#tooLate("write");
    let piece: string | Uint8Array;
    if (typeof chunk === "string" || chunk instanceof Uint8Array) piece = chunk;
    else if (typeof chunk === "object" && chunk !== null && !Array.isArray(chunk)) {
      piece = jsonEncode(chunk);
      this.setHeader("Content-Type", JSON_TYPE);
    } else {
      throw new TypeError(
        `Cannot write ${Deno.inspect(chunk, { depth: 1 })}: expected text, bytes or a record`,
      );
    }
    if (this.#chunks !== null) this.#chunks.push(piece);
    else if (this.#chunk === null) this.#chunk = piece;
    else this.#chunks = [this.#chunk, piece];
  }

  /**
   * Sends the headers and what was written so far; the answer goes on. The Future is done
   * when the kernel has the bytes: wait for it before writing more. It fails with
   * `StreamClosedError` when the client is gone. A `callback` is called when it is done.
   */
  flush(callback?: () => unknown): Future<void> {
    const connection = this.request.connection;
    if (this.#headersWritten) {
      return connection.write(this.#transformed(this.#takeBody(), false), callback);
    }
    this.#addCookies();
    const [code, headers, chunk] = this.#transformFirst(this.#takeBody(), false);
    const reason = this.#reason ?? reasonPhrase(code);
    connection.writeHeaders({ code, reason }, headers);
    this.#headersWritten = true;
    return connection.write(chunk, callback);
  }

  /**
   * Adds any value to the answer as JSON, with the Content-Type that says so. An array is taken
   * too: browsers that another page could make read it as a script are gone.
   *
   * @throws {TypeError} when there is no JSON for it.
   * @throws {Error} when the answer was finished.
   */
  writeJson(value: unknown): void {
    const text = jsonEncode(value);
    this.setHeader("Content-Type", JSON_TYPE);
    this.write(text);
  }

  /**
   * Begins an answer of server-sent events. The method goes on, sends events, and is cancelled
   * when its client leaves; the answer ends when it returns.
   *
   * @throws {Error} when headers were sent already.
   */
  sse(options?: EventStreamOptions): EventStream {
    if (this.#headersWritten) throw new Error("Cannot send events: the headers were sent");
    return new EventStream(this, options);
  }

  /**
   * Ends the answer, after writing `chunk` if there is one. The Future is done when the kernel
   * has the bytes and fails with `StreamClosedError` when the client goes before that.
   *
   * @throws {Error} when it was finished already, or a status without body has one.
   * @throws {StreamClosedError} when the client left before.
   */
  finish(chunk?: Writable): Future<void> {
    if (this.#finished) throw this.#tooLate("finish");
    if (chunk !== undefined) this.write(chunk);
    this.#finish();
    return this.request.connection.written();
  }

  /**
   * Sends the client elsewhere: 302, 301 when `permanent`, or the given 3xx.
   *
   * @throws {Error} when headers were sent already.
   * @throws {RangeError} when the status is not a 3xx.
   */
  redirect(url: string, { permanent = false, status }: RedirectOptions = {}): void {
    if (this.#headersWritten) throw new Error("Cannot redirect: the headers were sent");
    const code = status ?? (permanent ? 301 : 302);
    if (!(code >= 300 && code <= 399)) {
      throw new RangeError(`Cannot redirect: expected a status from 300 to 399, got ${code}`);
    }
    this.setStatus(code);
    this.setHeader("Location", encodeURI(url).replaceAll("%25", "%"));
    this.finish();
  }

  /**
   * Answers with an error page. What was written, and the headers that were set, are dropped
   * first: set those that go with an error in {@linkcode writeError}. Once headers were sent,
   * only the connection can be closed.
   */
  sendError(status = 500, { error, reason }: SendErrorOptions = {}): void {
    if (this.#headersWritten) {
      genLog.error("Cannot send error response after headers written");
      if (!this.#finished) this.#giveUp(error);
      return;
    }
    this.clear();
    const allow = status === 405 ? this.#allowedMethods() : "";
    if (allow !== "") this.setHeader("Allow", allow);
    this.setStatus(status, reason ?? (error instanceof HTTPError ? error.reason : undefined));
    try {
      this.writeError(status, { error, reason: this.#reason });
    } catch (failure) {
      appLog.error("Uncaught exception in writeError: {error}", {
        error: describeError(failure),
      });
    }
    if (!this.#finished) this.finish();
  }

  /**
   * Writes the page for an error; override it. The default is a small HTML page or, where the
   * setting `serveTraceback` is on, text: the stack with the coroutines that waited and the lines
   * of templates, then the request.
   */
  writeError(status: number, { error }: SendErrorOptions): void {
    if (error !== undefined && this.settings["serveTraceback"]) {
      this.setHeader("Content-Type", "text/plain; charset=UTF-8");
      const { method, uri, version, headers } = this.request;
      const fields = [...headers.getAll()].map(([name, value]) => `${name}: ${value}\n`).join("");
      this.finish(`${describeError(error)}\n\n${method} ${uri} ${version}\n${fields}`);
      return;
    }
    const text = `${status}: ${xhtmlEscape(this.#reason ?? reasonPhrase(status))}`;
    this.finish(`<html><title>${text}</title><body>${text}</body></html>`);
  }

  /**
   * Logs what a handler threw; override it. An HTTPError with a message is a warning, any
   * other error goes to the application log with its stack.
   */
  logException(error: unknown): void {
    const request = `${this.request.method} ${this.request.uri} (${this.request.remoteIp})`;
    if (error instanceof HTTPError) {
      if (error.logMessage === undefined) return;
      genLog.warn("{status} {request}: {message}", {
        status: error.statusCode,
        request,
        message: error.logMessage,
      });
    } else {
      appLog.error("Uncaught exception {request}\n{summary}\n{error}", {
        request,
        summary: String(this.request),
        error: describeError(error),
      });
    }
  }

  /**
   * Returns the last value of an argument, of the body before the query. With a second
   * argument, whatever it is, that is returned for one that is missing.
   *
   * @throws {MissingArgumentError} without a default, when it is missing.
   * @throws {HTTPError} 400 when it is not UTF-8.
   */
  getArgument(name: string): string;
  /**
   * Returns the last value of an argument as a value of a type, and the default for one that is
   * missing.
   *
   * @throws {InvalidArgumentError} 400, when it is not of the type.
   */
  getArgument<T extends ArgumentType, D>(
    name: string,
    options: OptionalTypedArgument<T, D>,
  ): ArgumentOf<T> | D;
  /**
   * Returns the last value of an argument as a value of a type.
   *
   * @throws {MissingArgumentError} when it is missing.
   * @throws {InvalidArgumentError} 400, when it is not of the type.
   */
  getArgument<T extends ArgumentType>(name: string, options: TypedArgument<T>): ArgumentOf<T>;
  /** Returns the last value of an argument, or the default. */
  getArgument<D>(
    name: string,
    missing: D,
    options?: ArgumentOptions,
  ): string | (D extends typeof REQUIRED ? never : D);
  getArgument(name: string, ...rest: [missing?: unknown, options?: ArgumentOptions]): unknown {
    const values = this.request.bodyArguments[name] ?? this.request.queryArguments[name];
    return this.#lastArgument(name, values, rest);
  }

  /** Returns all values of an argument, those of the query first. */
  getArguments(name: string, options?: ArgumentOptions): string[] {
    return this.getQueryArguments(name, options).concat(this.getBodyArguments(name, options));
  }

  /**
   * Returns the last value of an argument of the query; see {@linkcode getArgument}.
   *
   * @throws {MissingArgumentError} without a default, when it is missing.
   */
  getQueryArgument(name: string): string;
  /**
   * Returns the last value of an argument of the query as a value of a type, and the default for one that is
   * missing.
   *
   * @throws {InvalidArgumentError} 400, when it is not of the type.
   */
  getQueryArgument<T extends ArgumentType, D>(
    name: string,
    options: OptionalTypedArgument<T, D>,
  ): ArgumentOf<T> | D;
  /**
   * Returns the last value of an argument of the query as a value of a type.
   *
   * @throws {MissingArgumentError} when it is missing.
   * @throws {InvalidArgumentError} 400, when it is not of the type.
   */
  getQueryArgument<T extends ArgumentType>(name: string, options: TypedArgument<T>): ArgumentOf<T>;
  /** Returns the last value of an argument of the query, or the default. */
  getQueryArgument<D>(
    name: string,
    missing: D,
    options?: ArgumentOptions,
  ): string | (D extends typeof REQUIRED ? never : D);
  getQueryArgument(name: string, ...rest: [missing?: unknown, options?: ArgumentOptions]): unknown {
    return this.#lastArgument(name, this.request.queryArguments[name], rest);
  }

  /** Returns all values of an argument of the query. */
  getQueryArguments(name: string, options?: ArgumentOptions): string[] {
    return this.#decodeArguments(name, this.request.queryArguments[name], options);
  }

  /**
   * Returns the last value of an argument of the body; see {@linkcode getArgument}.
   *
   * @throws {MissingArgumentError} without a default, when it is missing.
   */
  getBodyArgument(name: string): string;
  /**
   * Returns the last value of an argument of the body as a value of a type, and the default for one that is
   * missing.
   *
   * @throws {InvalidArgumentError} 400, when it is not of the type.
   */
  getBodyArgument<T extends ArgumentType, D>(
    name: string,
    options: OptionalTypedArgument<T, D>,
  ): ArgumentOf<T> | D;
  /**
   * Returns the last value of an argument of the body as a value of a type.
   *
   * @throws {MissingArgumentError} when it is missing.
   * @throws {InvalidArgumentError} 400, when it is not of the type.
   */
  getBodyArgument<T extends ArgumentType>(name: string, options: TypedArgument<T>): ArgumentOf<T>;
  /** Returns the last value of an argument of the body, or the default. */
  getBodyArgument<D>(
    name: string,
    missing: D,
    options?: ArgumentOptions,
  ): string | (D extends typeof REQUIRED ? never : D);
  getBodyArgument(name: string, ...rest: [missing?: unknown, options?: ArgumentOptions]): unknown {
    return this.#lastArgument(name, this.request.bodyArguments[name], rest);
  }

  /** Returns all values of an argument of the body. */
  getBodyArguments(name: string, options?: ArgumentOptions): string[] {
    return this.#decodeArguments(name, this.request.bodyArguments[name], options);
  }

  /**
   * Turns the bytes of an argument, or of a path group (`name` is null or the group's), into
   * text; override it for another encoding.
   *
   * @throws {HTTPError} 400 when they are not UTF-8.
   */
  decodeArgument(value: Uint8Array, name: string | null): string {
    try {
      return utf8Decoder.decode(value);
    } catch (cause) {
      throw new HTTPError(400, `Cannot decode ${name ?? "path"}: it is not UTF-8`, { cause });
    }
  }

  /**
   * Returns the body as JSON.
   *
   * @throws {HTTPError} 400 when it is none.
   */
  getJson<T = unknown>(): T {
    try {
      return JSON.parse(jsonDecoder.decode(this.request.body));
    } catch (cause) {
      throw new HTTPError(400, "Cannot read the body: it is not JSON", { cause });
    }
  }

  // Cookies

  /** The cookies of the request, by name. */
  get cookies(): Readonly<Record<string, string>> {
    return this.request.cookies;
  }

  /** Returns a cookie of the request, or `missing`, by default null. */
  getCookie<D = null>(name: string, missing: D = null as D): string | D {
    return this.request.cookies[name] ?? missing;
  }

  /**
   * Sets a cookie; a later call with the same name replaces it. It goes with the answer whatever
   * that is, an error page included.
   *
   * @throws {TypeError} when name, value or an option holds what a cookie cannot.
   */
  setCookie(name: string, value: string | Uint8Array, options: CookieOptions = {}): void {
    const text = typeof value === "string" ? value : utf8Decoder.decode(value);
    (this.#newCookies ??= new Map()).set(name, formatSetCookie(name, text, options));
  }

  /**
   * Makes the client forget a cookie; `domain` and `path` must be those that it was set with.
   *
   * @throws {TypeError} when the options hold `expires`, `expiresDays` or `maxAge`.
   */
  clearCookie(name: string, options: CookieOptions = {}): void {
    for (const option of ["expires", "expiresDays", "maxAge"] as const) {
      if (options[option] !== undefined) {
        throw new TypeError(`Cannot clear cookie ${name}: ${option} is not an option of that`);
      }
    }
    this.setCookie(name, "", { ...options, expires: Date.now() - YEAR });
  }

  /** Makes the client forget all cookies that it sent; see {@linkcode clearCookie}. */
  clearAllCookies(options: CookieOptions = {}): void {
    for (const name of Object.keys(this.cookies)) {
      if (isCookieName(name)) this.clearCookie(name, options);
    }
  }

  /**
   * Sets a cookie that the client can read but not make up: see {@linkcode createSignedValue}.
   * It ends after 30 days unless the options say otherwise; with `expiresDays: null` it ends
   * with the browser.
   *
   * @throws {Error} when the setting `cookieSecret` is missing.
   */
  setSignedCookie(
    name: string,
    value: string | Uint8Array,
    { version, expiresDays = 30, ...options }: SetSignedCookieOptions = {},
  ): void {
    this.setCookie(name, this.createSignedValue(name, value, version), { ...options, expiresDays });
  }

  /** Is the older name of {@linkcode setSignedCookie}. */
  setSecureCookie(
    name: string,
    value: string | Uint8Array,
    options?: SetSignedCookieOptions,
  ): void {
    this.setSignedCookie(name, value, options);
  }

  /**
   * Signs a value with the settings `cookieSecret` and `keyVersion`.
   *
   * @throws {Error} when the setting `cookieSecret` is missing.
   */
  createSignedValue(name: string, value: string | Uint8Array, version?: number): string {
    const keyVersion = this.settings["keyVersion"] as number | undefined;
    return createSignedValue(this.#cookieSecret(), name, value, { version, keyVersion });
  }

  /**
   * Returns what a signed cookie holds; null when the client sent none, or one that was forged
   * or has expired.
   *
   * @throws {Error} when the setting `cookieSecret` is missing.
   */
  getSignedCookie(
    name: string,
    { value = this.getCookie(name), maxAgeDays, minVersion }: SignedCookieOptions = {},
  ): Uint8Array | null {
    return decodeSignedValue(this.#cookieSecret(), name, value, { maxAgeDays, minVersion });
  }

  /** Is the older name of {@linkcode getSignedCookie}. */
  getSecureCookie(name: string, options?: SignedCookieOptions): Uint8Array | null {
    return this.getSignedCookie(name, options);
  }

  /** Returns which key a signed cookie says it was signed with; null when it does not say. */
  getSignedCookieKeyVersion(
    name: string,
    value: string | null = this.getCookie(name),
  ): number | null {
    return value === null ? null : getSignatureKeyVersion(value);
  }

  /** Is the older name of {@linkcode getSignedCookieKeyVersion}. */
  getSecureCookieKeyVersion(name: string, value?: string | null): number | null {
    return this.getSignedCookieKeyVersion(name, value);
  }

  // Users and security

  /**
   * Who is signed in: what {@linkcode getCurrentUser} returns, asked once, when it is first
   * needed. A `prepare` that has to wait for it may set it instead.
   */
  // deno-lint-ignore no-explicit-any -- what a user is, is the program's business
  get currentUser(): any {
    if (this.#user === UNKNOWN) this.#user = this.getCurrentUser();
    return this.#user;
  }
  // deno-lint-ignore no-explicit-any -- as above
  set currentUser(user: any) {
    this.#user = user;
  }

  /** Finds out who is signed in, for example from a signed cookie; override it. */
  getCurrentUser(): unknown {
    return null;
  }

  /**
   * Returns where one signs in; override it to make it depend on the request.
   *
   * @throws {Error} when the setting `loginUrl` is missing.
   */
  getLoginUrl(): string {
    return this.requireSetting("loginUrl", "authenticated") as string;
  }

  /**
   * The token that a form or a script sends back, for the request to be taken; see
   * {@linkcode checkXsrfCookie}. If the client has no cookie with it, one is set, for 30 days
   * where there is a {@linkcode currentUser}, else until the browser ends.
   */
  get xsrfToken(): string {
    if (this.#xsrfText !== "") return this.#xsrfText;
    const version = (this.settings["xsrfCookieVersion"] ?? 2) as number;
    const text = this.#xsrfText = encodeXsrfToken(this.#xsrfOfCookie(), version);
    if (this.#sentXsrf() === null) {
      const options: CookieOptions = {
        ...this.request.protocol === "https" ? { secure: true } : {},
        ...this.settings["xsrfCookieKwargs"] as CookieOptions | undefined,
      };
      if (!("expiresDays" in options) && this.currentUser) options.expiresDays = 30;
      this.setCookie(this.#xsrfName(), text, options);
    }
    return text;
  }

  /**
   * Refuses a request that another site may have caused: the argument `_xsrf`, or the field
   * X-Xsrftoken or X-Csrftoken, must hold the token of the cookie. With the setting
   * `xsrfCookies` it is called for all methods but GET, HEAD and OPTIONS; override it to leave
   * out handlers that are called by programs.
   *
   * @throws {HTTPError} 403.
   */
  checkXsrfCookie(): void {
    const { headers } = this.request;
    const text = this.getArgument("_xsrf", null) || headers.get("X-Xsrftoken") ||
      headers.get("X-Csrftoken");
    if (!text) throw new HTTPError(403, "'_xsrf' argument missing from POST");
    const token = decodeXsrfToken(text);
    if (token === null) throw new HTTPError(403, "'_xsrf' argument has invalid format");
    if (!sameXsrfToken(token, this.#xsrfOfCookie())) {
      throw new HTTPError(403, "XSRF cookie does not match POST argument");
    }
  }

  /** Returns the hidden input that makes a form carry the {@linkcode xsrfToken}. */
  xsrfFormHtml(): string {
    return `<input type="hidden" name="_xsrf" value="${xhtmlEscape(this.xsrfToken)}"/>`;
  }

  /**
   * Returns the URL of a file below the setting `staticPath`, with the version of the file in
   * it, so that browsers may keep it for long.
   *
   * @throws {Error} when the setting `staticPath` is missing.
   */
  staticUrl(path: string, { includeHost, ...options }: HandlerStaticUrlOptions = {}): string {
    this.requireSetting("staticPath", "staticUrl");
    const { protocol, host } = this.request;
    const { includeHost: always } = this as { includeHost?: unknown };
    const base = includeHost ?? always ? `${protocol}://${host}` : "";
    return base + this.application._staticUrl(path, options);
  }

  /** Makes a path of a named route; see `Application.reverseUrl`. */
  reverseUrl(name: string, ...args: readonly unknown[]): string {
    return this.application.reverseUrl(name, ...args);
  }

  /**
   * Returns a setting of the application.
   *
   * @throws {Error} when it is missing; `feature` is what needs it.
   */
  requireSetting(name: string, feature = "this feature"): unknown {
    const value = this.settings[name];
    if (!value) throw new Error(`Cannot use ${feature}: the application needs the setting ${name}`);
    return value;
  }

  // Templates and UI modules

  /** What templates can call: the setting `uiMethods`, bound to the handler, and the modules. */
  get ui(): Readonly<Record<string, unknown>> {
    return (this.#page ??= new Page(this)).ui;
  }

  /**
   * Finishes the answer with the output of a template; see {@linkcode renderString}. Scripts
   * that its modules need stand before `</body>`, styles before `</head>`.
   *
   * @returns what {@linkcode finish} does.
   * @throws {Error} when it was finished already, or the page has no place for what they need.
   * @throws {ParseError} when the template, or one that it uses, is none.
   */
  render(name: string, args: object = {}): Future<void> {
    if (this.#finished) throw this.#tooLate("render");
    return this.finish((this.#page ??= new Page(this)).render(name, args));
  }

  /** Returns the output of a template, given `args` and {@linkcode getTemplateNamespace}. */
  renderString(name: string, args: object = {}): string {
    return (this.#page ??= new Page(this)).renderString(name, args);
  }

  /**
   * Returns the names that every template sees: `handler`, `request`, `currentUser`, `locale`,
   * `_` and `pgettext` to translate, `staticUrl`, `xsrfFormHtml`, `reverseUrl`, the UI methods
   * and `modules`. Override it to add more; user and locale are found out by a look at them.
   */
  getTemplateNamespace(): Record<string, unknown> {
    return (this.#page ??= new Page(this)).namespace();
  }

  /** Returns the directory of templates, by default that of the program; override it. */
  getTemplatePath(): string {
    return templatePathOf(this.settings);
  }

  /**
   * Makes the loader of templates; override it for another one. It is called once for each
   * path that {@linkcode getTemplatePath} returns.
   */
  createTemplateLoader(path: string): BaseLoader {
    return makeLoader(path, this.settings);
  }

  /** Returns the elements that link to scripts; override it to bundle them. */
  renderLinkedJs(files: readonly string[]): string {
    return linkScripts(files, (path) => this.staticUrl(path));
  }

  /** Returns the element that holds scripts; override it. */
  renderEmbedJs(parts: readonly string[]): string {
    return embedScripts(parts);
  }

  /** Returns the elements that link to styles; override it to bundle them. */
  renderLinkedCss(files: readonly string[]): string {
    return linkStyles(files, (path) => this.staticUrl(path));
  }

  /** Returns the element that holds styles; override it. */
  renderEmbedCss(parts: readonly string[]): string {
    return embedStyles(parts);
  }

  // Locale

  /**
   * The locale of the reader: what {@linkcode getUserLocale} returns, else that of the
   * browser, found when it is first needed. A `prepare` that has to wait for it may set it.
   */
  get locale(): Locale {
    return this.#locale ??= this.getUserLocale() ?? this.getBrowserLocale();
  }
  set locale(locale: Locale) {
    this.#locale = locale;
  }

  /** Finds the locale that the user chose, for example in the profile; override it. */
  getUserLocale(): Locale | null {
    return null;
  }

  /** Returns the supported locale that the browser wants most, else `missing`. */
  getBrowserLocale(missing = "en_US"): Locale {
    const languages = acceptedLanguages(this.request.headers.get("Accept-Language") ?? "");
    return languages.length > 0 ? getLocale(...languages) : getLocale(missing);
  }

  // Entity tags

  /**
   * Returns the entity tag of the answer, null for none; override it. By default it is a hash of
   * what was written.
   */
  computeEtag(): string | null {
    return entityTag(this.#chunk = this.#takeBody());
  }

  /** Sets the field Etag to what {@linkcode computeEtag} returns. */
  setEtagHeader(): void {
    const tag = this.computeEtag();
    if (tag !== null) this.setHeader("Etag", tag);
  }

  /** Tells whether the client has what the field Etag stands for: If-None-Match lists it. */
  checkEtagHeader(): boolean {
    const tag = this.#fields().get("Etag");
    const field = this.request.headers.get("If-None-Match");
    return tag !== null && field !== null && matchesEntityTag(field, tag);
  }

  /**
   * Takes the connection over: nothing of HTTP happens on it afterwards, and its stream is
   * the caller's to read, write and close.
   *
   * @throws {Error} when the answer began.
   */
  detach(): IOStream {
    if (this.#headersWritten) throw new Error("Cannot detach: the headers were sent");
    this.#headersWritten = this.#finished = true;
    this.#ended();
    return this.request.connection.detach();
  }

  /**
   * Answers with 101, `fields` and the headers set so far, and takes the connection over for
   * `upgraded`.
   *
   * @ignore
   */
  _switchProtocols(fields: HTTPHeaders, upgraded: Upgraded): IOStream {
    if (this.#headersWritten) throw new Error("Cannot switch protocols: the headers were sent");
    const { connection } = this.request;
    const headers = this.#fields();
    for (const name of NO_BODY_FIELDS) headers.delete(name);
    headers.update(fields);
    this.#addCookies();
    this.#status = 101;
    this.#headersWritten = this.#finished = true;
    connection.writeHeaders({ code: 101 }, headers);
    this.#ended();
    const stream = connection.detach(upgraded);
    this.#logRequest();
    this.#headers = null; // a connection may live for hours, and nobody asks for them any more
    this.request._forgetHeaders();
    return stream;
  }

  /** Cancels the coroutines that the handler started. @ignore */
  _endWork(reason: CancelledError): void {
    this.#children?.cancel(reason);
  }

  /** Where coroutines that the handler starts belong: they end with the request. @ignore */
  get _scope(): FutureScope {
    return this.#children ??= new ChildScope();
  }

  /** Serves the request; called once by the application. @ignore */
  _execute(
    groups: readonly (string | null)[],
    named: Readonly<Record<string, string | undefined>> | null,
  ): void {
    this.#asOwner(() => {
      const verb = this.#setUp(groups, named);
      if (this.request.body.length > 0) void this.request.bodyArguments; // a bad one is 400 at once
      this.#checkXsrf();
      if (this.prepare === RequestHandler.prototype.prepare) this.#runMethod(verb);
      else this.#run(this.prepare, NO_ARGS, () => this.#runMethod(verb));
    });
  }

  /**
   * Serves a request whose body is yet to come; called once by the application.
   *
   * @ignore
   */
  _stream(
    groups: readonly (string | null)[],
    named: Readonly<Record<string, string | undefined>> | null,
  ): HTTPMessageDelegate {
    let verb: Verb | undefined;
    return {
      headersReceived: () => {
        const prepared = new Future<void>();
        this.#asOwner(() => {
          verb = this.#setUp(groups, named);
          this.#checkXsrf();
          this.request.connection.onClose = () => this.#clientLeft();
          this.#run(this.prepare, NO_ARGS, () => prepared.setResult());
        });
        return prepared;
      },
      dataReceived: (chunk) => {
        if (this.#finished) return undefined;
        const taken = new Future<void>();
        this.#asOwner(() =>
          this.#run(this.dataReceived as Method, [chunk], () => taken.setResult())
        );
        return taken;
      },
      finish: () => this.#asOwner(() => this.#runMethod(verb!)),
      onConnectionClose: () => {
        if (!this.#finished) this.#clientLeft();
      },
    };
  }

  /** Leaves the request to `fallback`; this handler is done with it. @ignore */
  _handOver(fallback: (request: HTTPServerRequest) => unknown): void {
    this.#finished = true;
    this.#ended();
    const { connection } = this.request;
    const failed = (error: unknown) => {
      this.logException(error);
      try {
        connection._respond(500, statusLine(500), "", "", 0);
      } catch {
        connection.abort(error); // its answer had begun
      }
    };
    try {
      const work = fallback(this.request);
      if (isThenable(work) || isGenerator(work)) {
        const future = convertYielded(work) as Future<unknown>;
        future._listen({
          _settled: () => {
            if (!future._fulfilled) failed(future._value);
          },
        });
      }
    } catch (error) {
      failed(error);
    }
    this.onFinish();
  }

  #asOwner(step: () => void): void {
    const former = _enterOwner(this);
    try {
      step();
    } catch (error) {
      this.#failed(error);
    } finally {
      _enterOwner(former);
    }
  }

  #setUp(
    groups: readonly (string | null)[],
    named: Readonly<Record<string, string | undefined>> | null,
  ): Verb {
    const tracer = IOLoop.current(false)?._tracer ?? null;
    if (tracer !== null) tracer._handled(this.request, this);
    // Not in the constructor: the fields of a subclass are made after ours.
    if (this.setDefaultHeaders !== RequestHandler.prototype.setDefaultHeaders) this.clear();
    const { timeout } = this.constructor as typeof RequestHandler;
    if (timeout !== null) this.#startDeadline(timeout);
    this.initialize(this.#options);
    if (groups.length > 0) this.pathArgs = groups.map((group) => this.#decodePath(group, null));
    if (named !== null) this.#decodeNamed(named);
    return this.#verb();
  }

  #startDeadline(timeout: number): void {
    const loop = IOLoop.current();
    const deadline = loop.callLater(timeout, () => {
      if (this.#finished) return;
      const reason = new CancelledError(`it took longer than ${timeout} ms`);
      genLog.warn("{method} {uri} took longer than {timeout} ms", {
        method: this.request.method,
        uri: this.request.uri,
        timeout,
      });
      const work = this.#work;
      try {
        this.sendError(503, { error: reason });
      } catch (error) {
        this.#failed(error);
      }
      this.#finished = true;
      this.#left = reason; // what it writes from now on is in vain
      this.#abort?.abort(reason);
      work?.cancel(reason);
      this.#children?.cancel(reason);
    });
    this._whenEnded(() => loop.removeTimeout(deadline));
  }

  /** Calls `fn` once nothing can be written any more, whatever the reason. @ignore */
  _whenEnded(fn: () => void): void {
    (this.#atEnd ??= []).push(fn);
  }

  /** The status that was sent, null if none was. @ignore */
  get _sentStatus(): number | null {
    return this.#headersWritten ? this.#status : null;
  }

  #ended(): void {
    if (this.#atEnd === null) return;
    const callbacks = this.#atEnd;
    this.#atEnd = null;
    for (const callback of callbacks) callback();
  }

  #checkXsrf(): void {
    if (this.settings["xsrfCookies"] && !SAFE_METHODS.includes(this.request.method)) {
      this.checkXsrfCookie();
    }
  }

  /**
   * Calls a method whose answer is finished by a callback that it starts, and returns a Future
   * that is done when that has happened, or fails with what a callback throws.
   *
   * @ignore
   */
  _runAsynchronous(method: Method, args: readonly unknown[]): Future<void> {
    let work: Future<unknown> | null | undefined;
    const ended = this.#asynchronous = new Future<void>((reason) => work?.cancel(reason));
    new ExceptionStackContext((error) => {
      if (!ended._settle(2, error)) this.#failed(error);
      return true;
    }).run(() => {
      work = this.#start(method, args);
      if (work === null) return;
      IOLoop.current().addFuture(work, (work) => {
        work.result();
        if (!this.#finished) this.finish();
      });
    });
    return ended;
  }

  #runMethod(verb: Verb): void {
    if (this.#finished) return;
    const args = this.pathKwargs === null ? this.pathArgs : [this.pathKwargs];
    this.#run(this[verb] as Method, args, () => {
      if (!this.#finished) this.#finish();
    });
  }

  // Calls a method and goes on with `next` when it, and what it returned, is done.
  #run(method: Method, args: readonly unknown[], next: () => void): void {
    const work = this.#start(method, args);
    if (work === null) {
      next();
      return;
    }
    if (work.done()) {
      work.result();
      next();
      return;
    }
    this.#work = work;
    // Once it finished, the connection may be at work on the next request.
    if (!this.#finished) this.request.connection.onClose = () => this.#clientLeft();
    work._listen({ _settled: () => queueMicrotask(() => this.#goOn(work, next)) });
  }

  // Calls a method and returns what there is to wait for, if it is not done.
  #start(method: Method, args: readonly unknown[]): Future<unknown> | null {
    const result = args.length === 0 ? method.call(this) : method.apply(this, args as unknown[]);
    if (result === undefined) return null;
    if (isGenerator(result)) return new Coroutine(result, method).run();
    if (isThenable(result)) return Future.from(result);
    throw new TypeError(
      `Cannot use what ${method.name} returned, ${Deno.inspect(result)}: ` +
        "expected undefined, a generator, a promise or a Future",
    );
  }

  #goOn(work: Future<unknown>, next: () => void): void {
    this.#work = null;
    this.#asOwner(() => {
      work.result();
      next();
    });
  }

  #clientLeft(): void {
    if (this.#finished) return;
    const reason = this.#left = new CancelledError("the client left");
    this.#ended();
    this.#finished = true;
    this.#abort?.abort(reason);
    const { CANCEL_ON_DISCONNECT: rule } = this.constructor as typeof RequestHandler;
    const cancels = typeof rule === "boolean" ? rule : rule.includes(this.request.method);
    const work = this.#work;
    if (cancels) work?.cancel(reason);
    // Its children end after it: one of them may be what it shields.
    if (work !== null) work._listen({ _settled: () => this.#children?.close(null) });
    else if (this.#children !== null) queueMicrotask(() => this.#children!.close(null));
    try {
      this.onConnectionClose();
    } catch (error) {
      this.logException(error);
    }
  }

  // A client that left is no mistake of the handler: this error ends it without a log line.
  #tooLate(action: string): Error {
    if (this.#left !== null) return new StreamClosedError(this.#left);
    return new Error(`Cannot ${action}: the answer was finished`);
  }

  #failed(error: unknown): void {
    if (error instanceof Finish) {
      if (!this.#finished) this.finish(error.chunk);
      return;
    }
    if (error instanceof CancelledError && this.#finished) return;
    if (error instanceof StreamClosedError && this.#finished) return;
    try {
      const known = error instanceof HTTPInputError
        ? new HTTPError(error.status, error.message, { cause: error })
        : error;
      this.logException(known);
      if (this.#finished) return;
      const status = known instanceof HTTPError ? known.statusCode : 500;
      this.sendError(status, { error: known });
    } catch (failure) {
      appLog.error("Cannot answer with an error: {error}", { error: describeError(failure) });
      if (!this.#finished) this.#giveUp(failure);
    }
  }

  #giveUp(error: unknown): void {
    this.#finished = true;
    this.#ended();
    this.request.connection.abort(error);
  }

  #verb(): Verb {
    const { method } = this.request;
    const supported = (this.constructor as typeof RequestHandler).SUPPORTED_METHODS;
    if (!supported.includes(method)) throw new HTTPError(405);
    return VERBS[method] ?? (method.toLowerCase() as Verb);
  }

  #allowedMethods(): string {
    return (this.constructor as typeof RequestHandler).SUPPORTED_METHODS
      .filter((method) => {
        const verb = VERBS[method] ?? (method.toLowerCase() as Verb);
        return this[verb] !== RequestHandler.prototype[verb];
      })
      .join(", ");
  }

  #fields(): HTTPHeaders {
    return this.#headers ??= HTTPHeaders.fromBlock(this.#defaultBlock());
  }

  #defaultBlock(): string {
    return this.application._fieldsOfType(this.#contentType, this.request.connection.dateField);
  }

  #finish(): void {
    if (this.#headersWritten) {
      const connection = this.request.connection;
      this.#finished = true;
      const last = this.#transformed(this.#takeBody(), true);
      if (last.length > 0) connection.write(last);
      connection.finish();
    } else this.#sendWhole();
    this.#afterFinish();
  }

  #sendWhole(): void {
    const tagged = this.#status === 200 && this.#tag();
    if (this.#newCookies !== null) this.#addCookies();
    let body = this.#takeBody();
    if (this.application.transforms.length > 0) {
      [this.#status, this.#headers, body] = this.#transformFirst(body, true);
    }
    const status = this.#status;
    if (status < 200 || status === 204 || status === 304) {
      if (body.length > 0) throw new Error(`Cannot send a body with status ${status}`);
      const headers = this.#fields();
      for (const name of NO_BODY_FIELDS) headers.delete(name);
    }
    const connection = this.request.connection;
    const headers = this.#headers;
    headers?.delete("Transfer-Encoding"); // framing is the connection's business
    this.#headersWritten = this.#finished = true;
    if (headers !== null && (headers.has("Content-Length") || headers.has("Connection"))) {
      if (!headers.has("Content-Length")) {
        headers.set("Content-Length", String(byteLength(body)));
      }
      try {
        connection.writeHeaders({ code: status, reason: this.#reason }, headers);
      } catch (error) {
        this.#headersWritten = this.#finished = error instanceof StreamClosedError;
        throw error;
      }
      connection.write(body);
      connection.finish();
      return;
    }
    const block = headers !== null
      ? headers.toBlock()
      : tagged
      ? withEntityTag(this.#defaultBlock(), body)
      : this.#defaultBlock();
    const line = statusLine(status, this.#reason);
    connection._respond(status, line, block, body, byteLength(body));
  }

  // Gives the answer its entity tag, and makes it a 304 if the client has it. Returns whether the
  // tag is still to be put behind the default fields: making header fields for it would cost more.
  #tag(): boolean {
    const { request } = this;
    if (request.method !== "GET" && request.method !== "HEAD") return false;
    if (
      this.#headers === null && this.#newCookies === null && !request._conditional &&
      this.application.transforms.length === 0 &&
      this.computeEtag === RequestHandler.prototype.computeEtag
    ) return true;
    if (!this.#fields().has("Etag")) this.setEtagHeader();
    if (request._conditional && this.checkEtagHeader()) {
      this.#status = 304;
      this.#chunk = this.#chunks = null;
    }
    return false;
  }

  #transformFirst(
    body: string | Uint8Array,
    finishing: boolean,
  ): [status: number, headers: HTTPHeaders, body: string | Uint8Array] {
    const { transforms } = this.application;
    if (transforms.length === 0) return [this.#status, this.#fields(), body];
    this.#transforms = transforms.map((Transform) => new Transform(this.request));
    let answer: FirstChunk = [this.#status, this.#fields(), toBytes(body)];
    for (const transform of this.#transforms) {
      answer = transform.transformFirstChunk(...answer, finishing);
    }
    return answer;
  }

  #transformed(body: string | Uint8Array, finishing: boolean): string | Uint8Array {
    if (this.#transforms === null) return body;
    return this.#transforms.reduce(
      (chunk, transform) => transform.transformChunk(chunk, finishing),
      toBytes(body),
    );
  }

  #addCookies(): void {
    if (this.#newCookies === null) return;
    const headers = this.#fields();
    for (const field of this.#newCookies.values()) headers.add("Set-Cookie", field);
    this.#newCookies = null;
  }

  #cookieSecret(): CookieSecret {
    return this.requireSetting("cookieSecret", "signed cookies") as CookieSecret;
  }

  #xsrfName(): string {
    return (this.settings["xsrfCookieName"] ?? "_xsrf") as string;
  }

  #sentXsrf(): XsrfToken | null {
    return decodeXsrfToken(this.getCookie(this.#xsrfName(), ""));
  }

  // A client without a cookie is given a new token, once.
  #xsrfOfCookie(): XsrfToken {
    return this.#xsrf ??= this.#sentXsrf() ?? makeXsrfToken();
  }

  #afterFinish(): void {
    this.#ended();
    this.#asynchronous?._settle(1, undefined);
    this.#logRequest();
    try {
      this.onFinish();
    } catch (error) {
      this.logException(error);
    }
    if (this.#children !== null) queueMicrotask(() => this.#children!.close(this.#work));
  }

  // A log that fails must not end what comes behind it.
  #logRequest(): void {
    try {
      this.application.logRequest(this);
    } catch (error) {
      this.logException(error);
    }
  }

  // What was written, as one piece.
  #takeBody(): string | Uint8Array {
    const chunks = this.#chunks;
    const body = chunks === null ? this.#chunk ?? "" : joinChunks(chunks);
    this.#chunk = this.#chunks = null;
    return body;
  }

  #lastArgument(
    name: string,
    values: readonly Uint8Array[] | undefined,
    rest: [missing?: unknown, options?: ArgumentOptions],
  ): unknown {
    const [first, options] = rest;
    const typed = asksForType(first) ? first : null;
    if (values !== undefined && values.length > 0) {
      const text = this.#decodeArguments(name, values.slice(-1), typed ?? options)[0]!;
      return typed === null ? text : convertArgument(name, text, typed.type);
    }
    const required = typed === null
      ? rest.length === 0 || first === REQUIRED
      : !Object.hasOwn(typed, "default");
    if (required) throw new MissingArgumentError(name);
    return typed === null ? first : (typed as OptionalTypedArgument<ArgumentType, unknown>).default;
  }

  #decodeArguments(
    name: string,
    values: readonly Uint8Array[] = [],
    { strip = true }: ArgumentOptions = {},
  ): string[] {
    return values.map((value) => {
      const text = this.decodeArgument(value, name).replace(CONTROL_REGEXP, " ");
      return strip ? text.trim() : text;
    });
  }

  #decodeNamed(named: Readonly<Record<string, string | undefined>>): void {
    const decoded: Record<string, string | null> = Object.create(null);
    for (const name in named) decoded[name] = this.#decodePath(named[name] ?? null, name);
    this.pathKwargs = decoded;
  }

  #decodePath(group: string | null, name: string | null): string | null {
    if (group === null || !group.includes("%")) return group;
    return this.decodeArgument(urlUnescape(group, { encoding: null, plus: false }), name);
  }
}

type Method = (...args: unknown[]) => unknown;

const NO_BODY_FIELDS = [
  "Content-Encoding",
  "Content-Language",
  "Content-Length",
  "Content-Type",
  "Transfer-Encoding",
] as const;

// Holds the coroutines that a handler started: they end with its request.
class ChildScope implements FutureScope {
  readonly #children = new Set<Future<unknown>>();

  _add(coroutine: Future<unknown>): void {
    this.#children.add(coroutine);
  }

  _delete(coroutine: Future<unknown>): void {
    this.#children.delete(coroutine);
  }

  /** Cancels all of them. */
  cancel(reason: CancelledError): void {
    for (const child of [...this.#children]) child.cancel(reason);
  }

  /** Cancels those that the request leaves behind; `work` is the handler's own coroutine. */
  close(work: Future<unknown> | null): void {
    if (work !== null) {
      work._listen({ _settled: () => this.close(null) });
      return;
    }
    if (this.#children.size > 0) this.cancel(new CancelledError("its request ended"));
  }
}

function headerText(name: string, value: HeaderValue): string {
  if (typeof value === "string") {
    if (!NOT_LATIN1_REGEXP.test(value)) return value;
    throw new TypeError(`Cannot set header ${name}: a character of its value is beyond latin-1`);
  }
  if (typeof value === "number" && Number.isInteger(value)) return String(value);
  if (value instanceof Date) return formatTimestamp(value);
  if (value instanceof Uint8Array) return String.fromCharCode(...value);
  throw new TypeError(
    `Cannot set header ${name}: expected text, bytes, an integer or a Date, got ${
      Deno.inspect(value)
    }`,
  );
}

const encoder = new TextEncoder();

function joinChunks(chunks: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (chunks.every((chunk) => typeof chunk === "string")) return chunks.join("");
  const parts = chunks.map(toBytes);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}

function byteLength(data: string | Uint8Array): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}
