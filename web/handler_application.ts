import type { RequestHandler } from "./request_handler.ts";

/** Is what a handler sees of its application. */
export interface HandlerApplication {
  /** The settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Makes a path of a named route. */
  reverseUrl(name: string, ...args: readonly unknown[]): string;
  /** Writes the access log line of a finished request. */
  logRequest(handler: RequestHandler): void;
  /** The fields of an answer whose handler set none; `dateField` is the current one. @ignore */
  _defaultFields(dateField: string): string;
}
