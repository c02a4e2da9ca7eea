// A page that draws what a loop does, in any application. It shows paths, peers and the names of
// functions to whoever may open it, so it is for this machine alone unless told otherwise: the
// connection comes from it, no proxy forwarded the request, and the page was asked for by a name
// of this machine, which keeps out a foreign name that was made to lead here (DNS rebinding).
// Pages of other origins cannot read along: the WebSocket checks the origin.
import { IOLoop } from "../ioloop/mod.ts";
import { type HTTPHeaders, type HTTPServerRequest, splitHostAndPort } from "../http/mod.ts";
import { HTTPError, RequestHandler, type Route } from "../web/mod.ts";
import { WebSocketHandler } from "../websocket/mod.ts";
import type { TraceBatch, TraceEvent } from "../ioloop/mod.ts";
import page from "./loop_page/page.html" with { type: "text" };
import script from "./loop_page/page.js" with { type: "text" };
import style from "./loop_page/page.css" with { type: "text" };

const MAX_VIEWERS = 8; // each costs a busy loop some 0.3 % of its time
const EVERY_MS = 100;
const MAX_EVENTS = 400; // of a batch; some 20 KB of JSON, made in 0.15 ms
const MAX_UNREAD = 256 * 1024; // bytes that a viewer may be behind
const MAX_MESSAGE = 125; // bytes; the page sends nothing
const PATH_REGEXP = /^(?:\/[\w~-]+)+$/;
const FORWARDED = ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"];

/** Options of {@linkcode loopPage}. */
export interface LoopPageOptions {
  /**
   * Where the page is.
   *
   * @default {"/_loop"}
   */
  path?: string;
  /**
   * Tells whether a request may see the loop; it takes the place of the rule that only this
   * machine may. Others get 403.
   */
  allow?: (request: HTTPServerRequest) => boolean;
}

interface Shared {
  readonly allow: (request: HTTPServerRequest) => boolean;
  readonly folder: string; // of what the page needs, relative to the page
  readonly viewers: Set<LoopSocketHandler>;
}

/**
 * Returns the routes of a page that shows what the loop does, live: the steps of its turns, the
 * way of each connection, the coroutines and what they wait for, slow callbacks. The loop is
 * traced while somebody has the page open, and not more than ten times in a second with 400
 * records; nothing is recorded otherwise. `trace.json` below the page is
 * the last ten thousand records in Chrome's format.
 *
 * Only a browser of this machine may open it, directly and by a name such as `localhost`, unless
 * `allow` says otherwise.
 *
 * @throws {TypeError} when `path` is not made of `/` and plain names.
 *
 * @example In an application
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { SimpleAsyncHTTPClient } from "@waterspout/waterspout/http";
 * import { Application } from "@waterspout/waterspout/web";
 * import { loopPage } from "@waterspout/waterspout/process";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([...loopPage()]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const client = new SimpleAsyncHTTPClient();
 *   const { body } = yield* client.fetch(`http://127.0.0.1:${port}/_loop`);
 *   assertStringIncludes(new TextDecoder().decode(body), "<title>The loop</title>");
 *   client.close();
 *   yield* server.shutdown();
 * });
 * ```
 */
export function loopPage({ path = "/_loop", allow = isLocal }: LoopPageOptions = {}): Route[] {
  if (!PATH_REGEXP.test(path)) {
    throw new TypeError(`Cannot make the loop's page: no path for it is ${JSON.stringify(path)}`);
  }
  const folder = path.slice(path.lastIndexOf("/") + 1);
  const shared: Shared = { allow, folder, viewers: new Set() };
  return [
    [path, LoopPageHandler, shared],
    [`${path}/(page\\.css|page\\.js)`, LoopFileHandler, shared],
    [`${path}/trace\\.json`, LoopTraceHandler, shared],
    [`${path}/socket`, LoopSocketHandler, shared],
  ];
}

class GuardedHandler extends RequestHandler {
  protected shared!: Shared;

  override initialize(shared: Shared): void {
    this.shared = shared;
  }

  override prepare(): void {
    guard(this.shared, this.request);
    this.setHeader("Cache-Control", "no-store");
    this.setHeader("X-Content-Type-Options", "nosniff");
  }
}

class LoopPageHandler extends GuardedHandler {
  override get(): void {
    this.setHeader("Content-Type", "text/html; charset=UTF-8");
    this.setHeader(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    this.write(page.replaceAll("{folder}", this.shared.folder));
  }
}

class LoopFileHandler extends GuardedHandler {
  override get(name: string): void {
    const isStyle = name === "page.css";
    this.setHeader("Content-Type", `text/${isStyle ? "css" : "javascript"}; charset=UTF-8`);
    this.write(isStyle ? style : script);
  }
}

class LoopTraceHandler extends GuardedHandler {
  override get(): void {
    this.setHeader("Content-Type", "application/json");
    this.setHeader("Content-Disposition", 'attachment; filename="loop_trace.json"');
    this.write(IOLoop.current().trace.export());
  }
}

class LoopSocketHandler extends WebSocketHandler {
  #shared!: Shared;
  #end: (() => void) | null = null; // ends the subscription; there while it is open
  #missed = false; // a batch was not sent, as the viewer does not keep up

  override initialize(shared: Shared): void {
    this.#shared = shared;
  }

  override get maxMessageSize(): number {
    return MAX_MESSAGE;
  }

  override prepare(): void {
    guard(this.#shared, this.request);
    if (this.#shared.viewers.size >= MAX_VIEWERS) {
      throw new HTTPError(503, `Cannot show the loop: ${MAX_VIEWERS} look at it already`);
    }
  }

  // What the trace itself sends must not be traced.
  override _switchProtocols(
    ...args: Parameters<WebSocketHandler["_switchProtocols"]>
  ): ReturnType<WebSocketHandler["_switchProtocols"]> {
    const stream = super._switchProtocols(...args);
    IOLoop.current().trace.ignore(stream);
    return stream;
  }

  override open(): void {
    const loop = IOLoop.current();
    const began = loop.time();
    this.#shared.viewers.add(this);
    this.#end = loop.trace.subscribe((batch) => this.#send(batch, loop.time() - began, began), {
      every: EVERY_MS,
      limit: MAX_EVENTS,
    });
    this.writeMessage({ now: 0, cut: false, events: [] });
  }

  override onMessage(): void {
    this.close(1008, "nothing is expected");
  }

  override onClose(): void {
    this.#shared.viewers.delete(this);
    this.#end?.();
  }

  #send({ events, cut }: TraceBatch, now: number, began: number): void {
    if (this.closing) return;
    if (this.bufferedAmount > MAX_UNREAD) {
      this.#missed = true;
      return;
    }
    this.writeMessage({
      now: micros(now),
      cut: cut || this.#missed,
      events: events.map((event) => row(event, began)),
    });
    this.#missed = false;
  }
}

// In this order the page takes it apart again.
function row(event: TraceEvent, began: number): unknown[] {
  const { name, at, ms, turn, connection, request, coroutine, parent, count, what } = event;
  const times = [micros(at - began), micros(ms)];
  return [name, ...times, turn, connection, request, coroutine, parent, count, what];
}

// Milliseconds with three digits: JSON would give some ten more that say nothing.
function micros(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function guard({ allow }: Shared, request: HTTPServerRequest): void {
  if (!allow(request)) {
    throw new HTTPError(403, "Cannot show the loop: only this machine may see it");
  }
}

function isLocal({ connection, headers, host }: HTTPServerRequest): boolean {
  return isLoopback(connection.remoteIp) && !wasForwarded(headers) && isLocalName(host);
}

function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(address) || address === "::1";
}

function wasForwarded(headers: HTTPHeaders): boolean {
  return FORWARDED.some((name) => headers.has(name));
}

function isLocalName(host: string): boolean {
  const [name] = splitHostAndPort(host.toLowerCase());
  const bare = name.startsWith("[") ? name.slice(1, -1) : name;
  return isLoopback(bare) || bare === "localhost" || bare.endsWith(".localhost");
}
