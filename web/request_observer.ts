import type { HTTPServerRequest } from "../http/mod.ts";

/** Is told of each request that a handler of an Application serves; for traces and metrics. */
export interface RequestObserver {
  /**
   * Begins to observe a request. `route` is the pattern that its path matched, null when none
   * did.
   */
  begin(request: HTTPServerRequest, route: string | null): RequestObservation;
}

/** Is the observation of one request. */
export interface RequestObservation {
  /** Calls `serve`, which starts the handler: in a context of the observer's, if it has one. */
  run(serve: () => void): void;
  /** Is told how it ended: the status that was sent, null when the client left before. */
  end(status: number | null): void;
}
