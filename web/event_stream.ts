import { type Future, PeriodicCallback } from "../ioloop/mod.ts";
import { type HTTPServerRequest, jsonEncode } from "../http/mod.ts";

/** Options of `RequestHandler.sse`. */
export interface EventStreamOptions {
  /** The ms after which a client that lost its connection should come back. */
  retry?: number;
  /**
   * The ms between two comments that keep the connection open where it is quiet, and let a client
   * that is gone be noticed; 0 for none.
   *
   * @default {15000}
   */
  heartbeat?: number;
}

/** Options of {@linkcode EventStream.send}. */
export interface EventOptions {
  /** The type of the event; `message` for clients if there is none. */
  event?: string;
  /** Its id, which a client that lost its connection sends as Last-Event-ID. */
  id?: string | number;
  /** The ms after which a client that lost its connection should come back. */
  retry?: number;
}

/** Is the part of a handler that an {@linkcode EventStream} uses. */
export interface EventStreamHandler {
  /** The request. */
  readonly request: HTTPServerRequest;
  /** Whether nothing can be written any more. */
  readonly finished: boolean;
  /** Sets a header field. */
  setHeader(name: string, value: string): void;
  /** Adds to the answer. */
  write(chunk: string): void;
  /** Sends what was written. */
  flush(): Future<void>;
  /** Calls `fn` once nothing can be written any more. @ignore */
  _whenEnded(fn: () => void): void;
}

/**
 * An answer of server-sent events (WHATWG HTML, 9.2), which a browser reads with `EventSource`.
 *
 * @example Events until the client leaves
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Ticks extends RequestHandler {
 *   override *get(): CoroutineGenerator {
 *     const events = this.sse();
 *     const first = Number(events.lastEventId ?? 0) + 1;
 *     yield* events.send({ tick: first }, { event: "tick", id: first });
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/ticks", Ticks]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const headers = { "Last-Event-ID": "41" };
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/ticks`, { headers }));
 *   const text = yield* Future.from(response.text());
 *   assertEquals(text, 'event: tick\nid: 42\ndata: {"tick":42}\n\n');
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 */
export class EventStream {
  /** The id of the last event that the client saw before it lost its connection, or null. */
  readonly lastEventId: string | null;

  readonly #handler: EventStreamHandler;

  /** Begins the answer; called by `RequestHandler.sse`. */
  constructor(
    handler: EventStreamHandler,
    { retry, heartbeat = 15_000 }: EventStreamOptions = {},
  ) {
    this.#handler = handler;
    this.lastEventId = handler.request.headers.get("Last-Event-ID") || null;
    handler.setHeader("Content-Type", "text/event-stream");
    handler.setHeader("Cache-Control", "no-cache");
    handler.setHeader("X-Accel-Buffering", "no"); // nginx would collect events before it sends them
    if (retry !== undefined) handler.write(`retry: ${wholeNumber("retry", retry)}\n\n`);
    handler.flush();
    if (heartbeat > 0) this.#beat(heartbeat);
  }

  /**
   * Sends an event. Text is sent as it is, line by line; anything else as JSON. The Future is done
   * when the kernel has it: wait for it, and a slow client slows the sender.
   *
   * @throws {TypeError} when type or id hold a line break, or the id a NUL.
   * @throws {StreamClosedError} when the client left.
   */
  send(data: unknown, { event, id, retry }: EventOptions = {}): Future<void> {
    let text = "";
    if (event !== undefined) text += `event: ${oneLine("event", event)}\n`;
    if (id !== undefined) text += `id: ${oneLine("id", String(id))}\n`;
    if (retry !== undefined) text += `retry: ${wholeNumber("retry", retry)}\n`;
    text += lines("data: ", typeof data === "string" ? data : jsonEncode(data));
    this.#handler.write(`${text}\n`);
    return this.#handler.flush();
  }

  /** Sends a comment, which clients skip. */
  comment(text: string): Future<void> {
    this.#handler.write(`${lines(": ", text)}\n`);
    return this.#handler.flush();
  }

  #beat(ms: number): void {
    const beats = new PeriodicCallback(() => {
      if (!this.#handler.finished) this.comment("");
    }, ms);
    beats.start();
    this.#handler._whenEnded(() => beats.stop());
  }
}

function lines(prefix: string, text: string): string {
  return text.split(/\r\n|\r|\n/).map((line) => `${prefix}${line}\n`).join("");
}

function oneLine(name: string, text: string): string {
  if (!/[\r\n\0]/.test(text)) return text;
  throw new TypeError(`Cannot send the event: its ${name} holds a line break or NUL`);
}

function wholeNumber(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`Cannot send the event: expected a whole number of ms as ${name}`);
}
