import { HTTPError } from "./errors.ts";
import { RequestHandler } from "./request_handler.ts";

/** Answers every method with one status, that of its option `statusCode`. */
export class ErrorHandler extends RequestHandler {
  #statusCode = 404;

  /** Takes the status. */
  override initialize({ statusCode }: { statusCode: number }): void {
    this.#statusCode = statusCode;
  }

  /** Refuses nothing: a form that goes nowhere is answered with the status too. */
  override checkXsrfCookie(): void {}

  /** Answers with the status. */
  override prepare(): never {
    throw new HTTPError(this.#statusCode);
  }
}
