import type {
  HTTPHeaders,
  HTTPMessageDelegate,
  RequestStartLine,
  ResponseStartLine,
} from "../http/mod.ts";
import type { RequestObservation } from "./request_observer.ts";

/** Runs each step of a delegate inside of an observation. */
export class ObservedDelegate implements HTTPMessageDelegate {
  readonly #delegate: HTTPMessageDelegate;
  readonly #observation: RequestObservation;

  constructor(delegate: HTTPMessageDelegate, observation: RequestObservation) {
    this.#delegate = delegate;
    this.#observation = observation;
  }

  headersReceived(startLine: RequestStartLine | ResponseStartLine, headers: HTTPHeaders): unknown {
    return this.#run(() => this.#delegate.headersReceived(startLine, headers));
  }

  dataReceived(chunk: Uint8Array): unknown {
    return this.#run(() => this.#delegate.dataReceived(chunk));
  }

  finish(): unknown {
    return this.#run(() => this.#delegate.finish());
  }

  onConnectionClose(): void {
    this.#delegate.onConnectionClose();
  }

  #run(step: () => unknown): unknown {
    let result: unknown;
    this.#observation.run(() => {
      result = step();
    });
    return result;
  }
}
