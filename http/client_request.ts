import { type Future, VERSION } from "../ioloop/mod.ts";
import { type Data, isValidIp, type SslContext, type SslOptions } from "../iostream/mod.ts";
import { HTTPHeaders, type HTTPHeadersInit } from "./headers.ts";
import { utf8 } from "./unicode.ts";
import { urlUnescape } from "./url_escape.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const METHODS_WITH_BODY = new Set(["POST", "PUT", "PATCH"]);
const METHOD_REGEXP = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const AUTH_MODES = new Set(["basic", "digest"]);

/**
 * Writes a piece of a request's body. The Future is done when the server takes more: who waits
 * for it holds little in memory.
 */
export type BodyWriter = (chunk: Data) => Future<void>;

/** How a server or proxy is told who asks. */
export type AuthMode = "basic" | "digest";

/**
 * Keeps the cookies of a client (RFC 6265). A `CookieJar` of the package `tough-cookie` is one.
 */
export interface CookieJar {
  /** Returns the value of a Cookie field for a request to `url`; it may be empty. */
  getCookieStringSync(url: string): string;
  /** Takes the value of a Set-Cookie field of an answer from `url`. */
  setCookieSync(cookie: string, url: string, options: { ignoreError: boolean }): unknown;
}

/**
 * Options of a request. What is left out is taken from the client's `defaults`, then from the
 * defaults below. Times are in ms.
 */
export interface HTTPRequestOptions {
  /**
   * The method; another one than GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS needs
   * `allowNonstandardMethods`.
   *
   * @default {"GET"}
   */
  method?: string | undefined;
  /** Header fields to send. */
  headers?: HTTPHeadersInit | undefined;
  /** The body; text goes out as UTF-8. POST, PUT and PATCH need one, others may not have one. */
  body?: Data | null | undefined;
  /**
   * Writes the body piece by piece, instead of `body`; may be a generator function. It is sent
   * in chunks, unless `headers` hold its Content-Length. It is called again when the request
   * has to be sent again, as after a redirect.
   */
  bodyProducer?: ((write: BodyWriter) => unknown) | null | undefined;
  /**
   * Whether unknown methods are sent, and bodies with methods that have none, or none with
   * those that need one.
   *
   * @default {false}
   */
  allowNonstandardMethods?: boolean | undefined;
  /** The user's name; one in the URL counts more. */
  authUsername?: string | null | undefined;
  /**
   * The user's password.
   *
   * @default {""}
   */
  authPassword?: string | undefined;
  /**
   * How name and password are sent. With `"digest"` (RFC 7616) the request is sent twice.
   *
   * @default {"basic"}
   */
  authMode?: AuthMode | undefined;
  /**
   * The time to look up the name, to connect and to set up TLS; 0 for no limit.
   *
   * @default {20000}
   */
  connectTimeout?: number | undefined;
  /**
   * The time for all of it, redirects included; 0 for no limit. It begins when the request
   * leaves the queue; in there it waits no longer than the smaller one of the two times.
   *
   * @default {20000}
   */
  requestTimeout?: number | undefined;
  /** The value of If-Modified-Since: a time in ms, or a `Date`. */
  ifModifiedSince?: number | Date | null | undefined;
  /** The value of User-Agent, by default name and version of this package. */
  userAgent?: string | undefined;
  /** When the request was made, on the scale of the loop's time; by default now. */
  startTime?: number | undefined;
  /**
   * Whether redirects are followed.
   *
   * @default {true}
   */
  followRedirects?: boolean | undefined;
  /**
   * How many of them; the answer behind the last one is returned as it is.
   *
   * @default {5}
   */
  maxRedirects?: number | undefined;
  /**
   * Whether answers are asked for in gzip and decompressed; deflate and br are understood too.
   *
   * @default {true}
   */
  decompressResponse?: boolean | undefined;
  /** Is another name of `decompressResponse`. */
  useGzip?: boolean | undefined;
  /** The address of this machine to connect from. */
  networkInterface?: string | null | undefined;
  /**
   * Is given the body piece by piece; that of the response is empty then. Nothing more is read
   * before the work that it returns is done. It does not see answers that are redirects.
   */
  streamingCallback?: ((chunk: Uint8Array) => unknown) | null | undefined;
  /**
   * Is given the head of the answer line by line, each with its CRLF: the status line, the
   * fields, the empty line. It does not see answers that are redirects.
   */
  headerCallback?: ((line: string) => void) | null | undefined;
  /** The host of an HTTP proxy; needs `proxyPort`. */
  proxyHost?: string | null | undefined;
  /** The port of the proxy. */
  proxyPort?: number | null | undefined;
  /** The name to tell the proxy. */
  proxyUsername?: string | null | undefined;
  /**
   * The password to tell the proxy.
   *
   * @default {""}
   */
  proxyPassword?: string | undefined;
  /**
   * How the proxy is told.
   *
   * @default {"basic"}
   */
  proxyAuthMode?: AuthMode | undefined;
  /**
   * Whether the certificate of an `https:` server must be valid.
   *
   * @default {true}
   */
  validateCert?: boolean | undefined;
  /** Authorities to trust besides those of the runtime, as a path or as PEM. */
  caCerts?: string | null | undefined;
  /** The key of `clientCert`, as a path or as PEM. */
  clientKey?: string | null | undefined;
  /** The certificate to show to the server, as a path or as PEM. */
  clientCert?: string | null | undefined;
  /** Says how TLS is set up, in place of the four options before. */
  sslOptions?: SslOptions | SslContext | null | undefined;
  /**
   * Whether IPv6 addresses are used.
   *
   * @default {true}
   */
  allowIpv6?: boolean | undefined;
  /**
   * Whether the body is sent only when the server says that it wants it (RFC 9110 10.1.1).
   *
   * @default {false}
   */
  expect100Continue?: boolean | undefined;
  /** The path of a Unix socket to connect to, in place of the host and port of the URL. */
  unixSocket?: string | null | undefined;
  /** Cancels the fetch when it is aborted; the error has its reason. */
  signal?: AbortSignal | null | undefined;
  /**
   * Cookies of the client: those for the URL are sent, those of the answers are kept. Without
   * a jar, there are none.
   */
  cookieJar?: CookieJar | null | undefined;
  /** The most bytes of a body, decompressed; by default as the client says. */
  maxBodySize?: number | undefined;
}

/** Is all of a request with nothing left open; for those who implement a client. */
export interface ResolvedRequest extends ResolvedOptions {
  /** Without user name and password. */
  readonly url: URL;
  /** The request that was made, and that the response names. */
  readonly original: HTTPRequest;
  /** The fields to send. */
  readonly headers: HTTPHeaders;
  /** The body; null when there is none, or a `bodyProducer`. */
  readonly body: Uint8Array | null;
}

/** Is {@linkcode HTTPRequestOptions} with the defaults in their places. */
export type ResolvedOptions = {
  readonly [K in Exclude<keyof HTTPRequestOptions, "headers" | "body" | "useGzip">]-?: Exclude<
    HTTPRequestOptions[K],
    undefined
  >;
};

/** Has the options as properties. */
export interface HTTPRequest extends Omit<HTTPRequestOptions, "headers"> {}

/**
 * Is a request to be fetched, once or several times: a fetch does not change it. Options that
 * are not given are `undefined` in it, and the client fills them in.
 *
 * @example Fetch the same twice
 * ```ts
 * import { HTTPRequest } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new HTTPRequest("http://example.org/", { headers: { Accept: "text/plain" } });
 * assertEquals([request.method, request.headers.get("accept")], ["GET", "text/plain"]);
 * ```
 */
export class HTTPRequest {
  /** What is asked for. */
  url: string;
  /** The fields to send. */
  headers: HTTPHeaders;
  /** The method. */
  method: string;

  /**
   * Takes the URL and the options; header fields are copied.
   *
   * @throws {TypeError} when a header field cannot be sent.
   */
  constructor(url: string | URL, { headers, method = "GET", ...options }: HTTPRequestOptions = {}) {
    this.url = String(url);
    this.headers = new HTTPHeaders(headers);
    this.method = method;
    Object.assign(this, options);
  }
}

const DEFAULTS: ResolvedOptions = {
  method: "GET",
  bodyProducer: null,
  allowNonstandardMethods: false,
  authUsername: null,
  authPassword: "",
  authMode: "basic",
  connectTimeout: 20_000,
  requestTimeout: 20_000,
  ifModifiedSince: null,
  userAgent: `Waterspout/${VERSION}`,
  startTime: 0,
  followRedirects: true,
  maxRedirects: 5,
  decompressResponse: true,
  networkInterface: null,
  streamingCallback: null,
  headerCallback: null,
  proxyHost: null,
  proxyPort: null,
  proxyUsername: null,
  proxyPassword: "",
  proxyAuthMode: "basic",
  validateCert: true,
  caCerts: null,
  clientKey: null,
  clientCert: null,
  sslOptions: null,
  allowIpv6: true,
  expect100Continue: false,
  unixSocket: null,
  signal: null,
  cookieJar: null,
  maxBodySize: 104857600,
};

/** Puts a client's defaults over those of {@linkcode HTTPRequestOptions}. */
export function resolveDefaults(
  { headers: _headers, body: _body, useGzip, ...defaults }: HTTPRequestOptions,
  maxBodySize: number,
): ResolvedOptions {
  const decompressResponse = useGzip ?? DEFAULTS.decompressResponse;
  return { ...DEFAULTS, maxBodySize, decompressResponse, ...given(defaults) };
}

/**
 * Fills in what `request` leaves open.
 *
 * @throws {TypeError} when it cannot be sent as it is.
 * @throws {RangeError} when a number is out of range.
 */
export function resolveRequest(
  request: HTTPRequest,
  defaults: ResolvedOptions,
  now: number,
): ResolvedRequest {
  const url = readUrl(request.url);
  const resolved: Writable<ResolvedRequest> & { useGzip?: boolean } = {
    ...defaults,
    ...given(request as HTTPRequestOptions),
    url,
    original: request,
    headers: request.headers,
    body: utf8(request.body),
  };
  if (resolved.useGzip !== undefined && request.decompressResponse === undefined) {
    resolved.decompressResponse = resolved.useGzip;
  }
  if (resolved.startTime === 0) resolved.startTime = now;
  if (url.username !== "") {
    resolved.authUsername = urlUnescape(url.username, { plus: false });
    resolved.authPassword = urlUnescape(url.password, { plus: false });
    url.username = url.password = "";
  }
  check(resolved);
  return resolved;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function given<T extends object>(options: T): Given<T> {
  const result = {} as Given<T>;
  for (const key in options) {
    const value = options[key];
    if (value !== undefined) result[key] = value as Given<T>[typeof key];
  }
  return result;
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new TypeError(`Cannot fetch ${JSON.stringify(text)}: it is no URL`);
  if (url.protocol === "http:" || url.protocol === "https:") return url;
  throw new TypeError(`Cannot fetch ${url.href}: expected an http: or https: URL`);
}

function check(request: ResolvedRequest): void {
  checkBody(request);
  if (!AUTH_MODES.has(request.authMode)) fail(`unknown authMode ${quote(request.authMode)}`);
  if (!AUTH_MODES.has(request.proxyAuthMode)) {
    fail(`unknown proxyAuthMode ${quote(request.proxyAuthMode)}`);
  }
  if ((request.proxyHost === null) !== (request.proxyPort === null)) {
    fail("a proxy needs proxyHost and proxyPort");
  }
  if (request.proxyHost !== null && request.unixSocket !== null) {
    fail("a Unix socket is not reached through a proxy");
  }
  if (request.networkInterface !== null && !isValidIp(request.networkInterface)) {
    fail(`the networkInterface ${quote(request.networkInterface)} is not an IP address`);
  }
  for (const name of ["connectTimeout", "requestTimeout", "maxRedirects", "maxBodySize"] as const) {
    if (request[name] >= 0) continue;
    throw new RangeError(`Cannot fetch: ${name} must be 0 or more, got ${request[name]}`);
  }
}

function checkBody({ method, body, bodyProducer, allowNonstandardMethods }: ResolvedRequest): void {
  if (!METHOD_REGEXP.test(method)) fail(`${quote(method)} is no method`);
  if (body !== null && bodyProducer !== null) fail("there are both body and bodyProducer");
  if (allowNonstandardMethods) return;
  if (!METHODS.has(method)) {
    fail(`the method ${method} is unknown; allowNonstandardMethods would let it pass`);
  }
  const has = body !== null || bodyProducer !== null;
  if (METHODS_WITH_BODY.has(method) && !has) {
    fail(`the method ${method} needs a body; allowNonstandardMethods would let it pass`);
  }
  if (!METHODS_WITH_BODY.has(method) && has) {
    fail(`the method ${method} has no body; allowNonstandardMethods would let it pass`);
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function fail(why: string): never {
  throw new TypeError(`Cannot fetch: ${why}`);
}
