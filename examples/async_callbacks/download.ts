// Each step names the one that follows it. What is easily forgotten in this style: a callback is
// not called if the connection ends before, so the close callback is where failures arrive, and
// one function ends it all, once.
import { HTTPHeaders } from "@waterspout/waterspout/http";
import type { IOLoop } from "@waterspout/waterspout/ioloop";
import { type IOStream, TCPClient } from "@waterspout/waterspout/iostream";

const MAX_HEAD = 64 * 1024;
const CONNECT_TIMEOUT = 5000; // ms

/** What a download calls. */
export interface DownloadCallbacks {
  /** Is called with status and fields. */
  onHead(status: number, headers: HTTPHeaders): void;
  /** Is called with each piece of the body. */
  onPiece(piece: Uint8Array): void;
  /** Is called once, at the end: with null, or with what went wrong. */
  onEnd(error: unknown): void;
}

/** Gets a URL by HTTP/1.0, in which a body has a length or goes on to the end. */
export function download(loop: IOLoop, url: URL, callbacks: DownloadCallbacks): void {
  const client = new TCPClient();
  const connecting = client.connect(url.hostname, Number(url.port || 80), {
    timeout: CONNECT_TIMEOUT,
  });
  loop.addFuture(connecting, (connected) => {
    client.close();
    const error = connected.exception();
    if (error !== null) callbacks.onEnd(error);
    else new Download(connected.result(), callbacks).start(url);
  });
}

class Download {
  readonly #stream: IOStream;
  readonly #callbacks: DownloadCallbacks;
  #ended = false;

  constructor(stream: IOStream, callbacks: DownloadCallbacks) {
    this.#stream = stream;
    this.#callbacks = callbacks;
  }

  start(url: URL): void {
    this.#stream.setCloseCallback(() => this.#closed());
    this.#stream.write(`GET ${url.pathname}${url.search} HTTP/1.0\r\nHost: ${url.host}\r\n\r\n`);
    this.#stream.readUntil("\r\n\r\n", { maxBytes: MAX_HEAD }, (head) => this.#takeHead(head));
  }

  #takeHead(head: Uint8Array): void {
    const [line = "", ...fields] = new TextDecoder("latin1").decode(head).trimEnd().split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1]);
    if (Number.isNaN(status)) return this.#end(new Error(`Cannot download: got ${line}`));
    const headers = new HTTPHeaders();
    for (const field of fields) headers.parseLine(field);
    const length = headers.get("Content-Length");
    if (length !== null && !/^\d{1,15}$/.test(length)) {
      return this.#end(new Error(`Cannot download: the length is ${length}`));
    }
    this.#callbacks.onHead(status, headers);

    const streamingCallback = this.#callbacks.onPiece;
    if (length === null) {
      this.#stream.setCloseCallback(null); // the end is what we wait for now
      this.#stream.readUntilClose({ streamingCallback }, () => this.#end(this.#stream.error));
    } else this.#stream.readBytes(Number(length), { streamingCallback }, () => this.#end(null));
  }

  #closed(): void {
    this.#end(this.#stream.error ?? new Error("Cannot download: the connection ended early"));
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.setCloseCallback(null);
    this.#stream.close();
    this.#callbacks.onEnd(error);
  }
}
