import type { HTTPServerRequest } from "../http/mod.ts";
import type { PageModuleClass, UIMethod } from "./page_module.ts";
import type { OutputTransformClass } from "./transforms.ts";

/** Is what the access log needs to know of a handler. */
export interface FinishedHandler {
  /** The request. */
  readonly request: HTTPServerRequest;
  /** Returns the status of the answer. */
  getStatus(): number;
}

/** Is what a handler sees of its application. */
export interface HandlerApplication {
  /** The settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What answers go through on their way out. */
  readonly transforms: readonly OutputTransformClass[];
  /** What templates can call, by name; each is given the handler first. */
  readonly uiMethods: Readonly<Record<string, UIMethod>>;
  /** The UI modules by name. */
  readonly uiModules: Readonly<Record<string, PageModuleClass>>;
  /** Makes a path of a named route. */
  reverseUrl(name: string, ...args: readonly unknown[]): string;
  /** Writes the access log line of a finished request. */
  logRequest(handler: FinishedHandler): void;
  /** The URL of a static file; the options are those of the static handler's class. @ignore */
  _staticUrl(path: string, options: Readonly<Record<string, unknown>>): string;
  /** The fields of an answer whose handler set none but its type, at that date. @ignore */
  _fieldsOfType(contentType: string, dateField: string): string;
}
