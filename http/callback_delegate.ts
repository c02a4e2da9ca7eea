import type { HTTPMessageDelegate } from "./delegates.ts";
import { ByteCollector } from "./_byte_collector.ts";
import type { HTTPServerRequest } from "./request.ts";

/** Collects the body of a request, then hands the whole request on. */
export class CallbackDelegate implements HTTPMessageDelegate {
  readonly #request: HTTPServerRequest;
  readonly #handle: (request: HTTPServerRequest) => unknown;
  readonly #body = new ByteCollector(Infinity);

  constructor(request: HTTPServerRequest, handle: (request: HTTPServerRequest) => unknown) {
    this.#request = request;
    this.#handle = handle;
  }

  headersReceived(): void {}

  dataReceived(chunk: Uint8Array): void {
    this.#body.add(chunk, 0, chunk.length);
  }

  finish(): unknown {
    this.#request.body = this.#body.result();
    return this.#handle(this.#request);
  }

  onConnectionClose(): void {}
}
