import { HTTPInputError } from "./errors.ts";

const DEFAULT_MAX_EVENT_SIZE = 1_048_576;

/** Is one event of an event stream. */
export interface ServerSentEvent {
  /** What kind of event it is; `message` unless the server says something else. */
  readonly type: string;
  /** The data, its lines joined by LF. */
  readonly data: string;
  /** What the server said last of where it stands: the value for Last-Event-ID. */
  readonly lastEventId: string;
}

/** Options of {@linkcode ServerSentEventParser}. */
export interface ServerSentEventOptions {
  /**
   * The most characters of an event, and of a line.
   *
   * @default {1048576}
   */
  maxEventSize?: number;
}

/**
 * Takes events out of the bytes of an event stream (`text/event-stream`), cut anywhere.
 *
 * @example A stream in two pieces
 * ```ts
 * import { ServerSentEventParser } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const encode = (text: string) => new TextEncoder().encode(text);
 * const parser = new ServerSentEventParser();
 * assertEquals(parser.push(encode("event: tick\nid: 7\nda")), []);
 * assertEquals(parser.push(encode("ta: one\ndata: two\n\n")), [
 *   { type: "tick", data: "one\ntwo", lastEventId: "7" },
 * ]);
 * ```
 */
export class ServerSentEventParser {
  readonly #maxEventSize: number;
  readonly #decoder = new TextDecoder(); // drops a byte order mark
  #line = ""; // that has no end yet
  #afterCr = false; // an LF that comes next belongs to the line end before
  #type = "";
  #data: string | null = null;
  #lastEventId = "";
  #retry: number | null = null;
  #refused = false;

  /** Makes a parser that stands before a stream. */
  constructor({ maxEventSize = DEFAULT_MAX_EVENT_SIZE }: ServerSentEventOptions = {}) {
    this.#maxEventSize = maxEventSize;
  }

  /** The ms after which the server wants to be asked again, if it said so; else null. */
  get retry(): number | null {
    return this.#retry;
  }

  /**
   * Takes the next bytes and returns the events that they complete.
   *
   * @throws {HTTPInputError} when an event is too large, and on every call after it.
   */
  push(bytes: Uint8Array): ServerSentEvent[] {
    if (this.#refused) this.#refuse();
    const events: ServerSentEvent[] = [];
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return events;
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    this.#afterCr = text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop()!;
    for (const line of lines) {
      this.#takeLine(this.#line + line, events);
      this.#line = "";
    }
    this.#line += rest;
    this.#check(this.#line.length);
    return events;
  }

  #takeLine(line: string, events: ServerSentEvent[]): void {
    this.#check(line.length);
    if (line === "") {
      if (this.#data !== null) {
        const type = this.#type === "" ? "message" : this.#type;
        events.push({ type, data: this.#data, lastEventId: this.#lastEventId });
      }
      this.#type = "";
      this.#data = null;
      return;
    }
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const at = line[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon === -1 ? "" : line.slice(at);
    switch (name) {
      case "data":
        this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
        this.#check(this.#data.length);
        break;
      case "event":
        this.#type = value;
        break;
      case "id":
        if (!value.includes("\0")) this.#lastEventId = value;
        break;
      case "retry":
        if (/^\d+$/.test(value) && Number.isSafeInteger(+value)) this.#retry = Number(value);
        break;
    }
  }

  #check(size: number): void {
    if (size > this.#maxEventSize) this.#refuse();
  }

  #refuse(): never {
    this.#refused = true;
    throw new HTTPInputError(
      `Cannot read event stream: an event is larger than ${this.#maxEventSize} characters`,
    );
  }
}

/**
 * Reads the events of a streamed body, as `AsyncHTTPClient.stream()` gives it. An event that
 * the end of the stream cut off is dropped.
 *
 * @throws {HTTPInputError} when an event is too large.
 *
 * @example Events of a body
 * ```ts
 * import { readServerSentEvents } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * async function* body() {
 *   yield new TextEncoder().encode("data: 1\n\ndata: 2\n\ndata: 3");
 * }
 * const seen: string[] = [];
 * for await (const { data } of readServerSentEvents(body())) seen.push(data);
 * assertEquals(seen, ["1", "2"]);
 * ```
 */
export async function* readServerSentEvents(
  body: AsyncIterable<Uint8Array>,
  options: ServerSentEventOptions = {},
): AsyncGenerator<ServerSentEvent, void, void> {
  const parser = new ServerSentEventParser(options);
  for await (const piece of body) yield* parser.push(piece);
}
