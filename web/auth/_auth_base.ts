import { describeError } from "../../ioloop/errors.ts";
import { appLog, genLog } from "../../ioloop/mod.ts";
import { AsyncHTTPClient } from "../../http/mod.ts";
import { HTTPError } from "../errors.ts";
import { type HandlerClass, RequestHandler } from "../request_handler.ts";

/** Is what every mixin for signing in adds to a handler. */
export interface AuthHandler {
  /**
   * Returns the client that asks the provider, by default that of the loop; override it for
   * one with limits, proxies or certificates of its own.
   */
  getAuthHttpClient(): AsyncHTTPClient;
}

/** Is the class of a handler with what an interface adds. */
// deno-lint-ignore no-explicit-any -- what the compiler wants of a mixin
export type AuthHandlerClass<H> = new (...args: any[]) => RequestHandler & H;

/** Is what a class has besides its constructor. */
export type StaticFields<C> = Pick<C, keyof C>;

/**
 * Adds what the mixins share. The URL by which a user comes back holds the code or the tokens of
 * the sign-in, so errors are logged without its query; unless the program logs them in its own way.
 */
export function AuthBase(Base: HandlerClass): AuthHandlerClass<AuthHandler> {
  return class extends Base {
    getAuthHttpClient(): AsyncHTTPClient {
      return AsyncHTTPClient.create();
    }

    override logException(error: unknown): void {
      if (Base.prototype.logException !== RequestHandler.prototype.logException) {
        super.logException(error);
        return;
      }
      const { method, path, remoteIp } = this.request;
      const request = `${method} ${path} (${remoteIp})`;
      if (!(error instanceof HTTPError)) {
        appLog.error("Uncaught exception {request}\n{error}", {
          request,
          error: describeError(error),
        });
      } else if (error.logMessage !== undefined) {
        genLog.warn("{status} {request}: {message}", {
          status: error.statusCode,
          request,
          message: error.logMessage,
        });
      }
    }
  };
}
