// Making a page: its template is rendered with the names that the handler gives it, then the
// modules in it are asked for their scripts and styles, which are put into the page.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type HTTPServerRequest, xhtmlEscape } from "../http/mod.ts";
import type { HandlerApplication } from "./handler_application.ts";
import { isAbsolute } from "./is_absolute.ts";
import type { Locale } from "./locale.ts";
import type { ModuleFiles, PageModule } from "./page_module.ts";
import { type BaseLoader, Loader, type LoaderOptions } from "./template/mod.ts";

/** What is needed of the handler of a page. */
export interface PageHandler {
  readonly application: HandlerApplication;
  readonly request: HTTPServerRequest;
  readonly currentUser: unknown;
  readonly locale: Locale;
  createTemplateLoader(path: string): BaseLoader;
  getTemplateNamespace(): object;
  getTemplatePath(): string;
  renderEmbedCss(parts: readonly string[]): string;
  renderEmbedJs(parts: readonly string[]): string;
  renderLinkedCss(files: readonly string[]): string;
  renderLinkedJs(files: readonly string[]): string;
  reverseUrl(name: string, ...args: readonly unknown[]): string;
  staticUrl(path: string, options?: object): string;
  xsrfFormHtml(): string;
}

type LoadersByPath = Map<string, BaseLoader>;

// Handlers that make loaders in another way have loaders of their own.
const loaders = new WeakMap<HandlerApplication, WeakMap<object, LoadersByPath>>();

/** The page of one request, made when it is first needed. */
export class Page {
  readonly #handler: PageHandler;
  readonly #modules = new Map<string, PageModule>(); // those in use
  #ui: Record<string, unknown> | null = null;
  #reset: BaseLoader | null = null; // the loader that was reset for this page

  constructor(handler: PageHandler) {
    this.#handler = handler;
  }

  /** What templates can call: the methods, bound to the handler, and the modules. */
  get ui(): Record<string, unknown> {
    return this.#ui ??= this.#makeUI();
  }

  /** Returns the names that a template of the page sees; what costs is found when it is used. */
  namespace(): Record<string, unknown> {
    const handler = this.#handler;
    const namespace = {
      handler,
      request: handler.request,
      get currentUser() {
        return handler.currentUser;
      },
      get locale() {
        return handler.locale;
      },
      get _() {
        const { locale } = handler;
        return locale.translate.bind(locale);
      },
      get pgettext() {
        const { locale } = handler;
        return locale.pgettext.bind(locale);
      },
      staticUrl: handler.staticUrl.bind(handler),
      xsrfFormHtml: handler.xsrfFormHtml.bind(handler),
      reverseUrl: handler.reverseUrl.bind(handler),
    };
    // Not assigned: a method may have the name of a getter.
    return Object.defineProperties(namespace, Object.getOwnPropertyDescriptors(this.ui));
  }

  /** Returns the output of a template. */
  renderString(name: string, args: object): string {
    const namespace = { __proto__: this.#handler.getTemplateNamespace(), ...args };
    return this.#loader().load(name).generate(namespace);
  }

  /** Returns the output of a template, with what its modules need put into it. */
  render(name: string, args: object): string {
    const handler = this.#handler;
    let html = this.renderString(name, args);
    const modules = [...this.#modules.values()];
    if (modules.length === 0) return html;
    const files = modules.flatMap((module) => listOf(module.javascriptFiles()));
    const scripts = modules.flatMap((module) => module.embeddedJavascript() || []);
    const bodies = modules.flatMap((module) => module.htmlBody() || []);
    const cssFiles = modules.flatMap((module) => listOf(module.cssFiles()));
    const styles = modules.flatMap((module) => module.embeddedCss() || []);
    const heads = modules.flatMap((module) => module.htmlHead() || []);
    html = insert(html, "</head>", [
      cssFiles.length > 0 ? handler.renderLinkedCss(cssFiles) : "",
      styles.length > 0 ? handler.renderEmbedCss(styles) : "",
      heads.join(""),
    ]);
    return insert(html, "</body>", [
      files.length > 0 ? handler.renderLinkedJs(files) : "",
      scripts.length > 0 ? handler.renderEmbedJs(scripts) : "",
      bodies.join(""),
    ]);
  }

  #makeUI(): Record<string, unknown> {
    const handler = this.#handler;
    const { uiMethods, uiModules } = handler.application;
    const ui: Record<string, unknown> = {};
    for (const [name, method] of Object.entries(uiMethods)) {
      ui[name] = (...args: unknown[]) => method(handler, ...args);
    }
    ui["modules"] = ui["_tt_modules"] = new Proxy(uiModules, {
      get: (_, name) => (...args: unknown[]) => this.#module(String(name)).render(...args),
    });
    return ui;
  }

  #module(name: string): PageModule {
    const known = this.#modules.get(name);
    if (known !== undefined) return known;
    const { uiModules } = this.#handler.application;
    if (!Object.hasOwn(uiModules, name)) {
      const names = Object.keys(uiModules).join(", ");
      throw new Error(`Cannot use module ${name}: expected one of ${names}`);
    }
    const module = new uiModules[name]!(this.#handler);
    this.#modules.set(name, module);
    return module;
  }

  #loader(): BaseLoader {
    const handler = this.#handler;
    const { application, createTemplateLoader } = handler;
    let own = loaders.get(application);
    if (own === undefined) loaders.set(application, own = new WeakMap());
    let byPath = own.get(createTemplateLoader);
    if (byPath === undefined) own.set(createTemplateLoader, byPath = new Map());
    const path = handler.getTemplatePath();
    let loader = byPath.get(path);
    if (loader === undefined) byPath.set(path, loader = handler.createTemplateLoader(path));
    const { compiledTemplateCache, debug } = application.settings;
    if (!(compiledTemplateCache ?? !debug) && loader !== this.#reset) {
      loader.reset();
      this.#reset = loader;
    }
    return loader;
  }
}

/** Returns the directory of templates that the settings say: by default that of the program. */
export function templatePathOf({ templatePath }: HandlerApplication["settings"]): string {
  if (typeof templatePath === "string") return templatePath;
  const { mainModule } = Deno;
  return mainModule.startsWith("file:") ? dirname(fileURLToPath(mainModule)) : ".";
}

/** Returns the loader that the settings say, or one for the directory. */
export function makeLoader(path: string, settings: HandlerApplication["settings"]): BaseLoader {
  const { templateLoader, autoescape, templateWhitespace: whitespace } = settings;
  if (templateLoader !== undefined && templateLoader !== null) return templateLoader as BaseLoader;
  const options: Record<string, unknown> = {};
  if (autoescape !== undefined) options["autoescape"] = autoescape;
  if (whitespace !== undefined && whitespace !== null) options["whitespace"] = whitespace;
  return new Loader(path, options as LoaderOptions);
}

/** Returns elements that link to scripts, each file once. */
export function linkScripts(files: readonly string[], toUrl: (path: string) => string): string {
  return linksOf(files, toUrl)
    .map((url) => `<script src="${url}" type="text/javascript"></script>`)
    .join("");
}

/** Returns an element with scripts. */
export function embedScripts(parts: readonly string[]): string {
  return `<script type="text/javascript">\n//<![CDATA[\n${parts.join("\n")}\n//]]>\n</script>`;
}

/** Returns elements that link to styles, each file once. */
export function linkStyles(files: readonly string[], toUrl: (path: string) => string): string {
  return linksOf(files, toUrl)
    .map((url) => `<link href="${url}" type="text/css" rel="stylesheet"/>`)
    .join("");
}

/** Returns an element with styles. */
export function embedStyles(parts: readonly string[]): string {
  return `<style type="text/css">\n${parts.join("\n")}\n</style>`;
}

function linksOf(files: readonly string[], toUrl: (path: string) => string): string[] {
  const urls = [...new Set(files)].map((file) => isAbsolute(file) ? file : toUrl(file));
  return urls.map(xhtmlEscape);
}

function listOf(files: ModuleFiles): readonly string[] {
  if (files === null || files === "") return [];
  return typeof files === "string" ? [files] : files;
}

// A head ends at its first end tag, a body at its last one.
function insert(html: string, tag: "</head>" | "</body>", parts: readonly string[]): string {
  const text = parts.filter((part) => part !== "").map((part) => `${part}\n`).join("");
  if (text === "") return html;
  const at = tag === "</head>" ? html.indexOf(tag) : html.lastIndexOf(tag);
  if (at === -1) throw new Error(`Cannot add what the modules of the page need: it has no ${tag}`);
  return html.slice(0, at) + text + html.slice(at);
}
