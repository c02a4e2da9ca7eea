// Two classes, because each holds the other: an answer whose status is no success is an error,
// and that error has the answer.
import type { HTTPRequest } from "./client_request.ts";
import type { HTTPHeaders } from "./headers.ts";
import { jsonDecode } from "./json.ts";
import { reasonPhrase } from "./status.ts";

/**
 * Tells how long each phase of a request took, in ms. They are those of the last hop, if there
 * were redirects.
 */
export interface TimeInfo {
  /** In the queue, for a place among the requests in progress. */
  readonly queue: number;
  /** To look up the name, to connect, to set up TLS; 0 on a connection that was there. */
  readonly connect: number;
  /** From then to the head of the answer. */
  readonly firstByte: number;
  /** All of it, from leaving the queue to the end of the answer. */
  readonly total: number;
}

/** What {@linkcode HTTPResponse} is made from. */
export interface HTTPResponseOptions {
  /** By default that of the request. */
  effectiveUrl?: string;
  /** By default the registered phrase. */
  reason?: string;
  /** The body. */
  body?: Uint8Array | undefined;
  /** Why there is no answer. */
  error?: Error | null;
  /** In ms. */
  requestTime?: number | undefined;
  /** On the scale of the loop's time. */
  startTime?: number | undefined;
  /** In ms. */
  timeInfo?: TimeInfo | undefined;
}

/**
 * Is an answer, whole.
 *
 * @example Read one
 * ```ts
 * import { HTTPHeaders, HTTPRequest, HTTPResponse } from "@waterspout/waterspout/http";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const request = new HTTPRequest("http://example.org/");
 * const body = new TextEncoder().encode('{"a":1}');
 * const response = new HTTPResponse(request, 404, new HTTPHeaders(), { body });
 * assertEquals(response.json(), { a: 1 });
 * assertThrows(() => response.rethrow(), Error, "HTTP 404: Not Found");
 * ```
 */
export class HTTPResponse {
  /** The request; the first one, if there were redirects. */
  readonly request: HTTPRequest;
  /** The status; 599 when there was no answer. */
  readonly code: number;
  /** The reason phrase. */
  readonly reason: string;
  /** The header fields. */
  readonly headers: HTTPHeaders;
  /** The URL that answered: the last one, if there were redirects. */
  readonly effectiveUrl: string;
  /** The body; empty if it was given to a `streamingCallback`. */
  readonly body: Uint8Array;
  /** Why the request failed; null when it did not. */
  readonly error: Error | null;
  /** The ms from leaving the queue to the end of the answer, without earlier redirects. */
  readonly requestTime: number;
  /** When the request left the queue, on the scale of the loop's time. */
  readonly startTime: number;
  /** How long each phase took. */
  readonly timeInfo: TimeInfo;
  /** Whether `error` is no more than the status. @ignore */
  readonly _errorIsStatus: boolean;

  /** Takes request, status and fields. A status that is no success makes an error. */
  constructor(
    request: HTTPRequest,
    code: number,
    headers: HTTPHeaders,
    {
      effectiveUrl = request.url,
      reason = reasonPhrase(code),
      body = EMPTY,
      error = null,
      requestTime = 0,
      startTime = 0,
      timeInfo = NO_TIME,
    }: HTTPResponseOptions = {},
  ) {
    this.request = request;
    this.code = code;
    this.reason = reason;
    this.headers = headers;
    this.effectiveUrl = effectiveUrl;
    this.body = body;
    this.requestTime = requestTime;
    this.startTime = startTime;
    this.timeInfo = timeInfo;
    const failed = code < 200 || code >= 300;
    this._errorIsStatus = error === null && failed;
    this.error = this._errorIsStatus
      ? new HTTPClientError(code, reason, { response: this })
      : error;
  }

  /** Is another name of {@linkcode body}. */
  get buffer(): Uint8Array {
    return this.body;
  }

  /** Throws the error, if there is one. */
  rethrow(): void {
    if (this.error !== null) throw this.error;
  }

  /** Decodes the body: UTF-8, with U+FFFD for what is none. */
  text(): string {
    return decoder.decode(this.body);
  }

  /**
   * Decodes the body as JSON.
   *
   * @throws {SyntaxError} when it is none.
   */
  json(): unknown {
    return jsonDecode(this.text());
  }

  /** Shows status, URL and size where the response is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return `HTTPResponse { ${this.code} ${this.reason}, ${this.effectiveUrl}, ` +
      `${this.body.length} bytes }`;
  }
}

/** Options of {@linkcode HTTPClientError}. */
export interface HTTPClientErrorOptions extends ErrorOptions {
  /** The answer, if there was one. */
  response?: HTTPResponse | null;
}

/**
 * Says that a request failed: with a status that is no success, or, with the code 599, without
 * an answer. `cause` says why there was none: an error of the platform, such as
 * `Deno.errors.ConnectionRefused`, or of this package, such as {@linkcode HTTPInputError}.
 *
 * @example Print one
 * ```ts
 * import { HTTPClientError } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new HTTPClientError(403).message, "HTTP 403: Forbidden");
 * ```
 */
export class HTTPClientError extends Error {
  /** The status; 599 when there was no answer. */
  readonly code: number;
  /** The answer, if there was one. */
  readonly response: HTTPResponse | null;

  /** Takes the status, what it means (by default the registered phrase), and the answer. */
  constructor(
    code: number,
    message: string = reasonPhrase(code),
    { response = null, ...options }: HTTPClientErrorOptions = {},
  ) {
    super(`HTTP ${code}: ${message}`, options);
    this.name = "HTTPClientError";
    this.code = code;
    this.response = response;
  }
}

const EMPTY = new Uint8Array(0);
const NO_TIME: TimeInfo = { queue: 0, connect: 0, firstByte: 0, total: 0 };
const decoder = new TextDecoder();
