import { type CancelledError, Future } from "../ioloop/mod.ts";
import type { HTTPResponse } from "./client_response.ts";
import { HTTPHeaders } from "./headers.ts";
import { parseResponseStartLine, type ResponseStartLine } from "./start_line.ts";

/**
 * Is an answer whose body is read while it arrives: `for await` gives its pieces. While a piece
 * is at work, nothing more is read from the server than a buffer holds. Leaving the loop early
 * gives the rest up.
 *
 * See {@linkcode AsyncHTTPClient.stream}.
 */
export interface StreamedResponse extends AsyncIterable<Uint8Array> {
  /** The status. */
  readonly code: number;
  /** The reason phrase. */
  readonly reason: string;
  /** The header fields. */
  readonly headers: HTTPHeaders;
  /** Is done with the body: the response without it, or why the body is not whole. */
  readonly finished: Future<HTTPResponse>;
  /** Gives the rest of the body up; does nothing once there is none. */
  cancel(reason?: unknown): void;
}

/** Stands between a fetch that gives pieces and whoever asks for them. */
export class BodyStream implements StreamedResponse {
  #line: ResponseStartLine | null = null; // there once the head is
  readonly headers: HTTPHeaders = new HTTPHeaders();
  readonly #opened: (stream: StreamedResponse) => void;
  #finished: Future<HTTPResponse> | null = null;
  #piece: Uint8Array | null = null; // that nobody asked for yet
  #taken: Future<void> | null = null; // done when the next one is asked for
  #asking: Future<Uint8Array | null> | null = null;

  /** `opened` is called with this when the head is there. */
  constructor(opened: (stream: StreamedResponse) => void) {
    this.#opened = opened;
  }

  get code(): number {
    return this.#line!.code;
  }

  get reason(): string {
    return this.#line!.reason;
  }

  get finished(): Future<HTTPResponse> {
    return this.#finished!;
  }

  /** Takes a line of the head. */
  readonly takeLine = (line: string): void => {
    if (this.#line === null) this.#line = parseResponseStartLine(line.trimEnd());
    else if (line !== "\r\n") this.headers.parseLine(line);
    else this.#opened(this);
  };

  /** Takes a piece of the body; the Future is done when there is room for another one. */
  readonly takePiece = (piece: Uint8Array): Future<void> => {
    this.#taken = new Future();
    if (this.#asking === null) this.#piece = piece;
    else this.#answer(piece);
    return this.#taken;
  };

  /** Follows the fetch that gives lines and pieces. */
  follow(fetching: Future<HTTPResponse>): void {
    this.#finished = fetching;
    fetching._listen({ _settled: () => this.#asking !== null && this.#end() });
  }

  cancel(reason?: unknown): void {
    this.#finished!.cancel(reason as CancelledError);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (let piece; (piece = await this.#next()) !== null;) yield piece;
    } finally {
      this.cancel();
    }
  }

  #next(): Future<Uint8Array | null> {
    if (this.#asking !== null) throw new Error("Cannot read the body: somebody reads it already");
    const asking = this.#asking = new Future<Uint8Array | null>();
    const piece = this.#piece;
    this.#piece = null;
    if (piece !== null) this.#answer(piece);
    else {
      this.#taken?._settle(1, undefined);
      if (this.#finished!.done()) this.#end();
    }
    return asking;
  }

  #answer(piece: Uint8Array | null): void {
    const asking = this.#asking;
    this.#asking = null;
    asking!._settle(1, piece);
  }

  #end(): void {
    const finished = this.#finished!;
    if (finished._fulfilled) this.#answer(null);
    else {
      const asking = this.#asking;
      this.#asking = null;
      asking!._settle(2, finished._value);
    }
  }
}
