/** What {@linkcode HTTPInputError} and {@linkcode HTTPOutputError} take besides a message. */
export interface HTTPMessageErrorOptions extends ErrorOptions {
  /**
   * Status code that answers the fault.
   *
   * @default {400}
   */
  status?: number;
}

/**
 * The peer broke the rules of HTTP.
 *
 * @example Answer with the status that fits
 * ```ts
 * import { HTTPInputError } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new HTTPInputError("Cannot read request head: it is too large", { status: 431 }).status, 431);
 * assertEquals(new HTTPInputError("Cannot read chunk: size is not a number").status, 400);
 * ```
 */
export class HTTPInputError extends Error {
  /** Status code to answer with before the connection closes. */
  readonly status: number;

  /** Makes an error about what came in; `options.status` is 400 unless given. */
  constructor(message: string, options: HTTPMessageErrorOptions = {}) {
    super(message, options);
    this.name = "HTTPInputError";
    this.status = options.status ?? 400;
  }
}

/** This side broke the rules of HTTP: its own code wrote a message that cannot be sent. */
export class HTTPOutputError extends Error {
  /** Makes an error about what was to go out. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HTTPOutputError";
  }
}
