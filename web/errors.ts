import { reasonPhrase } from "../http/mod.ts";

/** Options of {@linkcode HTTPError}. */
export interface HTTPErrorOptions extends ErrorOptions {
  /** The reason phrase that is sent instead of the usual one. */
  reason?: string;
}

/**
 * Thrown in a handler, answers with a status. `logMessage` goes to the log and is not sent.
 *
 * @example Refuse
 * ```ts
 * import { HTTPError } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(String(new HTTPError(403, "no ticket")), "HTTPError: HTTP 403: Forbidden (no ticket)");
 * ```
 */
export class HTTPError extends Error {
  /** The status to answer with. */
  readonly statusCode: number;
  /** The reason phrase to send, if it is not the usual one. */
  readonly reason: string | undefined;
  /** What to log. */
  readonly logMessage: string | undefined;

  /** Takes the status, and what to log about it. */
  constructor(statusCode = 500, logMessage?: string, options: HTTPErrorOptions = {}) {
    const { reason, ...errorOptions } = options;
    const phrase = reason ?? reasonPhrase(statusCode);
    super(
      `HTTP ${statusCode}: ${phrase}${logMessage === undefined ? "" : ` (${logMessage})`}`,
      errorOptions,
    );
    this.name = "HTTPError";
    this.statusCode = statusCode;
    this.reason = reason;
    this.logMessage = logMessage;
  }

  /** Returns what to log, null if there is nothing. */
  getMessage(): string | null {
    return this.logMessage ?? null;
  }
}

/** Says that a request lacks an argument; answers with 400. */
export class MissingArgumentError extends HTTPError {
  /** The name of the argument. */
  readonly argName: string;

  /** Takes the name of the argument. */
  constructor(argName: string) {
    super(400, `Missing argument ${argName}`);
    this.name = "MissingArgumentError";
    this.argName = argName;
  }
}

/**
 * Says that an argument of a request is not of its type; answers with 400, and a reason phrase
 * with the name of the argument.
 */
export class InvalidArgumentError extends HTTPError {
  /** The name of the argument. */
  readonly argName: string;

  /** Takes the argument, and what was expected of it. */
  constructor(argName: string, value: string, expected: string, options: ErrorOptions = {}) {
    const shown = JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value);
    super(400, `Invalid argument ${argName}: expected ${expected}, got ${shown}`, {
      ...options,
      reason: `Invalid argument ${argName}`,
    });
    this.name = "InvalidArgumentError";
    this.argName = argName;
  }
}

/** Thrown in a handler, ends the request with the status and headers set so far. */
export class Finish extends Error {
  /** What is still to be written. */
  readonly chunk: string | Uint8Array | Record<string, unknown> | undefined;

  /** Takes what is still to be written. */
  constructor(chunk?: string | Uint8Array | Record<string, unknown>) {
    super("Finish");
    this.name = "Finish";
    this.chunk = chunk;
  }
}
