import { Future, IOLoop } from "../ioloop/mod.ts";
import { type Data, type IOStream, StreamClosedError } from "../iostream/mod.ts";
import {
  type AnswerStartLine,
  formatTimestamp,
  type HTTPConnection,
  HTTPHeaders,
  HTTPOutputError,
  type HTTPServerRequest,
} from "../http/mod.ts";

const encoder = new TextEncoder();

/** Is where an answer goes that becomes a Response. */
export class FetchConnection implements HTTPConnection {
  readonly remoteIp: string;
  readonly localAddress: string;
  readonly protocol: "http" | "https";
  readonly peerCertificate = null;
  onClose: (() => void) | null = null;
  /** The request that is answered, once it is made. */
  request: HTTPServerRequest | null = null;

  readonly #response: Future<Response>;
  readonly #method: string;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null; // of the body
  #announced = -1; // bytes that Content-Length still promises; -1: no promise
  #waiting: Future<void>[] = []; // for the reader
  #state: "due" | "streaming" | "over" = "due";

  /** Settles `response` with the answer to `request`. */
  constructor(request: Request, remoteIp: string, response: Future<Response>) {
    const url = new URL(request.url);
    this.remoteIp = remoteIp;
    this.localAddress = url.host;
    this.protocol = url.protocol === "https:" ? "https" : "http";
    this.#method = request.method;
    this.#response = response;
    request.signal.addEventListener("abort", () => this.#left(request.signal.reason));
  }

  get dateField(): string {
    return `Date: ${formatTimestamp(Date.now())}\r\n`;
  }

  time(): number {
    return IOLoop.current().time();
  }

  writeHeaders(
    { code, reason }: AnswerStartLine,
    headers: HTTPHeaders,
    chunk: Data | null = null,
    callback?: () => unknown,
  ): Future<void> {
    this.#check("due", "write the head of the answer");
    const body = this.#body(code);
    const length = headers.get("Content-Length");
    if (length !== null && !/^\d+$/.test(length)) {
      throw new TypeError(
        `Cannot write the head of the answer: its Content-Length is ${JSON.stringify(length)}`,
      );
    }
    if (length !== null && body !== null) this.#announced = Number(length);
    this.#state = "streaming";
    this.#response._settle(1, responseOf(code, reason, headers, body));
    return chunk === null ? this.#taken(callback) : this.write(chunk, callback);
  }

  write(chunk: Data, callback?: () => unknown): Future<void> {
    this.#check("streaming", "write a body");
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    if (this.#announced >= 0 && (this.#announced -= bytes.length) < 0) {
      this.#fail("Cannot write the body: it is longer than its Content-Length");
    }
    if (bytes.length > 0) this.#controller?.enqueue(bytes.slice());
    return this.#taken(callback);
  }

  finish(): void {
    this.#check("streaming", "finish the answer");
    if (this.#announced > 0) {
      this.#fail(
        `Cannot finish the answer: ${this.#announced} bytes of its Content-Length are missing`,
      );
    }
    this.#state = "over";
    this.onClose = null;
    this.#controller?.close();
    this.#controller = null;
  }

  _respond(code: number, line: string, fields: string, body: Data, length: number): void {
    this.#check("due", "answer");
    const headers = HTTPHeaders.parse(fields);
    const bodiless = [204, 304].includes(code);
    if (!bodiless) headers.set("Content-Length", String(length));
    const reason = line.trimEnd().slice("HTTP/1.1 200 ".length);
    const sent = bodiless || this.#method === "HEAD" ? null : new Uint8Array(bytesOf(body));
    this.#state = "over";
    this.onClose = null;
    this.#response._settle(1, responseOf(code, reason, headers, sent));
  }

  written(): Future<void> {
    return this.#taken(undefined);
  }

  setBodyTimeout(): void {}

  setMaxBodySize(): void {}

  abort(error: unknown = new StreamClosedError()): void {
    this.onClose = null;
    this.#end(error);
  }

  detach(): IOStream {
    throw new HTTPOutputError("Cannot change the protocol: a Fetch response has no connection");
  }

  #body(code: number): ReadableStream<Uint8Array> | null {
    if (this.#method === "HEAD" || code === 204 || code === 304) return null;
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const future of waiting) future.setResult();
      },
      cancel: (reason) => this.#left(reason),
    });
  }

  #taken(callback: (() => unknown) | undefined): Future<void> {
    const future = new Future<void>();
    if (this.#controller === null || this.#controller.desiredSize! > 0) future.setResult();
    else {
      future._observe();
      this.#waiting.push(future);
    }
    if (callback !== undefined) IOLoop.current().addFuture(future, () => callback());
    return future;
  }

  #left(reason: unknown): void {
    if (this.#state === "over") return;
    const { onClose } = this;
    this.onClose = null;
    this.request?._clientLeft();
    this.#controller = null; // it is cancelled: nothing more may be said to it
    this.#end(reason);
    onClose?.();
  }

  #end(error: unknown): void {
    this.#state = "over";
    this.#controller?.error(error);
    this.#controller = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const future of waiting) future._settle(2, new StreamClosedError(error));
    this.#response._settle(2, error);
  }

  #fail(message: string): never {
    const error = new HTTPOutputError(message);
    this.abort(error);
    throw error;
  }

  #check(state: "due" | "streaming", action: string): void {
    if (this.#state === state) return;
    if (this.#state === "over") throw new StreamClosedError();
    throw new Error(`Cannot ${action}: the head was ${state === "due" ? "" : "not "}written`);
  }
}

function responseOf(
  code: number,
  reason: string | undefined,
  headers: HTTPHeaders,
  body: BodyInit | null,
): Response {
  if (code < 200) {
    const message = "Cannot change the protocol: a Fetch response has no connection";
    return new Response(message, { status: 501 });
  }
  const init: ResponseInit = { status: code, headers: headers.toFetchHeaders() };
  if (reason !== undefined) init.statusText = reason;
  return new Response(body, init);
}

function bytesOf(data: Data): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}
