import { isDeepStrictEqual } from "node:util";
import { linkify, type LinkifyOptions } from "../http/mod.ts";
import type { HTTPServerRequest } from "../http/mod.ts";
import type { Locale } from "./locale.ts";
import type { ModuleFiles, PageModule } from "./page_module.ts";
import type { RequestHandler } from "./request_handler.ts";

/**
 * Is a part of pages that brings its scripts and styles along: templates use it with
 * `{% module Name(args) %}`, the setting `uiModules` gives it its name. All uses of a module in
 * a page share one instance.
 *
 * @example A part of a page
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, DictLoader, RequestHandler, UIModule } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Entry extends UIModule {
 *   override render(title: string): string {
 *     return this.renderString("entry.html", { title });
 *   }
 *   override embeddedCss(): string {
 *     return ".entry { margin: 1em }";
 *   }
 * }
 *
 * class Main extends RequestHandler {
 *   override get(): void {
 *     this.render("main.html", { titles: ["One"] });
 *   }
 * }
 *
 * const templateLoader = new DictLoader({
 *   "main.html": "<head></head>{% for title of titles %}{% module Entry(title) %}{% end %}",
 *   "entry.html": '<p class="entry">{{ title }}</p>',
 * });
 *
 * await new IOLoop().run(function* () {
 *   const app = new Application([["/", Main]], { templateLoader, uiModules: { Entry } });
 *   const server = app.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/`));
 *   assertEquals(
 *     yield* Future.from(response.text()),
 *     '<head><style type="text/css">\n.entry { margin: 1em }\n</style>\n</head><p class="entry">One</p>',
 *   );
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export abstract class UIModule implements PageModule {
  /** The handler of the page. */
  readonly handler: RequestHandler;

  /** Is made once for each page that uses it. */
  constructor(handler: RequestHandler) {
    this.handler = handler;
  }

  /** The request. */
  get request(): HTTPServerRequest {
    return this.handler.request;
  }

  /** What templates can call: the `uiMethods`, bound to the handler, and the modules. */
  get ui(): Readonly<Record<string, unknown>> {
    return this.handler.ui;
  }

  /** The locale of the reader. */
  get locale(): Locale {
    return this.handler.locale;
  }

  /** Who is signed in. */
  // deno-lint-ignore no-explicit-any -- what a user is, is the program's business
  get currentUser(): any {
    return this.handler.currentUser;
  }

  /** Returns the HTML of one use; override it. It stands in the page as it is. */
  // deno-lint-ignore no-explicit-any -- a module says which arguments it takes
  abstract render(...args: any[]): string | Uint8Array;

  /** Returns a script for the page, or null; override it. */
  embeddedJavascript(): string | null {
    return null;
  }

  /** Returns files of scripts for the page, below the setting `staticPath`; override it. */
  javascriptFiles(): ModuleFiles {
    return null;
  }

  /** Returns styles for the page, or null; override it. */
  embeddedCss(): string | null {
    return null;
  }

  /** Returns files of styles for the page, below the setting `staticPath`; override it. */
  cssFiles(): ModuleFiles {
    return null;
  }

  /** Returns HTML for the end of the head of the page, or null; override it. */
  htmlHead(): string | null {
    return null;
  }

  /** Returns HTML for the end of the body of the page, or null; override it. */
  htmlBody(): string | null {
    return null;
  }

  /** Returns the output of a template. */
  renderString(path: string, args: object = {}): string {
    return this.handler.renderString(path, args);
  }
}

/** What a template that is used as a module needs of the page; see {@linkcode TemplateModule}. */
export interface ModuleResources {
  /** A script. */
  embeddedJavascript?: string | null;
  /** Files of scripts. */
  javascriptFiles?: ModuleFiles;
  /** Styles. */
  embeddedCss?: string | null;
  /** Files of styles. */
  cssFiles?: ModuleFiles;
  /** HTML for the end of the head. */
  htmlHead?: string | null;
  /** HTML for the end of the body. */
  htmlBody?: string | null;
}

/**
 * Is a template that is a module: `{% module Template("entry.html", { title }) %}`. It says what
 * it needs of the page with `{{ setResources({ cssFiles: "entry.css" }) }}`, always the same.
 */
export class TemplateModule extends UIModule {
  readonly #resources = new Map<string, ModuleResources>(); // by template, in order of use

  /**
   * Returns the output of a template.
   *
   * @throws {Error} when it asks for other resources than before.
   */
  override render(path: string, args: object = {}): string {
    const setResources = (resources: ModuleResources) => {
      const known = this.#resources.get(path);
      if (known === undefined) this.#resources.set(path, resources);
      else if (!isDeepStrictEqual(known, resources)) {
        throw new Error(`Cannot set resources of ${path}: it has set others before`);
      }
      return "";
    };
    return this.renderString(path, { setResources, ...args });
  }

  /** Returns the scripts of the templates. */
  override embeddedJavascript(): string {
    return this.#all("embeddedJavascript").join("\n");
  }

  /** Returns the files of scripts of the templates. */
  override javascriptFiles(): readonly string[] {
    return this.#all("javascriptFiles");
  }

  /** Returns the styles of the templates. */
  override embeddedCss(): string {
    return this.#all("embeddedCss").join("\n");
  }

  /** Returns the files of styles of the templates. */
  override cssFiles(): readonly string[] {
    return this.#all("cssFiles");
  }

  /** Returns what the templates put into the head. */
  override htmlHead(): string {
    return this.#all("htmlHead").join("");
  }

  /** Returns what the templates put at the end of the body. */
  override htmlBody(): string {
    return this.#all("htmlBody").join("");
  }

  #all(name: keyof ModuleResources): string[] {
    return [...this.#resources.values()].flatMap((resources) => resources[name] ?? []);
  }
}

/** Is the module `linkify(text, options)`. */
export class LinkifyModule extends UIModule {
  /** Returns the text with links. */
  override render(text: string, options?: LinkifyOptions): string {
    return linkify(text, options);
  }
}

/** Is the module `xsrfFormHtml()`. */
export class XsrfFormHtmlModule extends UIModule {
  /** Returns the hidden input. */
  override render(): string {
    return this.handler.xsrfFormHtml();
  }
}
