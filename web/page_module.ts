/** Is one path or text, several, or none. */
export type ModuleFiles = string | readonly string[] | null;

/** Is what a page asks of a module in it; {@linkcode UIModule} is the class to extend. */
export interface PageModule {
  /** Returns the HTML of one use. */
  render(...args: readonly unknown[]): string | Uint8Array;
  /** Returns a script for the page. */
  embeddedJavascript(): string | null;
  /** Returns files of scripts for the page. */
  javascriptFiles(): ModuleFiles;
  /** Returns styles for the page. */
  embeddedCss(): string | null;
  /** Returns files of styles for the page. */
  cssFiles(): ModuleFiles;
  /** Returns HTML for the head of the page. */
  htmlHead(): string | null;
  /** Returns HTML for the end of the body of the page. */
  htmlBody(): string | null;
}

/** Is the class of a module; it is given the handler of the page. */
// deno-lint-ignore no-explicit-any -- the handler, whose type stands above this one
export type PageModuleClass = new (handler: any) => PageModule;

/** Is a function that templates may call; it is given the handler of the page first. */
// deno-lint-ignore no-explicit-any -- the handler, as above; templates give any arguments
export type UIMethod = (handler: any, ...args: any[]) => unknown;
