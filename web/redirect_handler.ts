import { RequestHandler } from "./request_handler.ts";

/** Options of a {@linkcode RedirectHandler}, the third element of its route. */
export interface RedirectHandlerOptions {
  /** Where to; `{0}` and `{name}` stand for the groups of the route. */
  url: string;
  /**
   * Whether the status is 301 instead of 302.
   *
   * @default {true}
   */
  permanent?: boolean;
}

/**
 * Redirects to a URL that may hold groups of the route. The query of the request goes along.
 *
 * @example Swap two parts of a path
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, RedirectHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const app = new Application([["/(.*)/of/(.*)", RedirectHandler, { url: "/{1}/{0}" }]]);
 *   const server = app.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const url = `http://127.0.0.1:${port}/page/of/book`;
 *   const response: Response = yield fetch(url, { redirect: "manual" });
 *   assertEquals(response.headers.get("Location"), "/book/page");
 *   yield response.body?.cancel();
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export class RedirectHandler extends RequestHandler {
  #url = "";
  #permanent = true;

  /** Takes where to. */
  override initialize({ url, permanent = true }: RedirectHandlerOptions): void {
    this.#url = url;
    this.#permanent = permanent;
  }

  /** Redirects. */
  override get(): void {
    this.redirect(this.#withQuery(this.#target()), { permanent: this.#permanent });
  }

  /** Redirects. */
  override head(): void {
    this.get();
  }

  // A group that begins with a slash must not turn a path into the name of another host.
  #target(): string {
    const groups = this.pathKwargs ?? Object.fromEntries(this.pathArgs.entries());
    const target = this.#url.replace(/\{(\w+)\}/g, (placeholder, name) => {
      const value = groups[name];
      if (value === undefined) {
        throw new Error(`Cannot redirect to ${this.#url}: the route has no group ${placeholder}`);
      }
      return encodeURIComponent(value ?? "").replaceAll("%2F", "/");
    });
    return this.#url.startsWith("//") ? target : target.replace(/^\/{2,}/, "/");
  }

  #withQuery(url: string): string {
    const { query } = this.request;
    if (query === "") return url;
    const [location, ...fragment] = url.split("#");
    const joint = location!.includes("?") ? "&" : "?";
    return [`${location}${joint}${query}`, ...fragment].join("#");
  }
}
