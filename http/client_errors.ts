import { HTTPClientError } from "./client_response.ts";

const NO_ANSWER = 599;

/** Says that a request took longer than it may; the message tells in which phase. */
export class HTTPTimeoutError extends HTTPClientError {
  /** Takes what took too long. */
  constructor(message: string, options: ErrorOptions = {}) {
    super(NO_ANSWER, message, options);
    this.name = "HTTPTimeoutError";
  }
}

/**
 * Says that a connection ended before the answer did, or that what came was no answer; then
 * `cause` says what was wrong with it.
 */
export class HTTPStreamClosedError extends HTTPClientError {
  /** Takes what happened. */
  constructor(message: string, options: ErrorOptions = {}) {
    super(NO_ANSWER, message, options);
    this.name = "HTTPStreamClosedError";
  }
}
