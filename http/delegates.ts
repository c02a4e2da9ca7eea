import type { HTTPConnection } from "./connection.ts";
import type { HTTPHeaders } from "./headers.ts";
import type { RequestStartLine, ResponseStartLine } from "./start_line.ts";

/**
 * Is told of one message as it arrives. Either `finish` or `onConnectionClose` is called at the
 * end, never both. What a method throws, or what it returned fails with, is logged and ends the
 * connection.
 */
export interface HTTPMessageDelegate {
  /**
   * Takes the head. It may return what a coroutine may yield: then no body is read before
   * that is done.
   */
  headersReceived(startLine: RequestStartLine | ResponseStartLine, headers: HTTPHeaders): unknown;
  /**
   * Takes a piece of the body, never an empty one; its memory is the delegate's. It may return
   * what a coroutine may yield: the next piece comes when that is done.
   */
  dataReceived(chunk: Uint8Array): unknown;
  /** Is told that the message is complete. */
  finish(): unknown;
  /** Is told that the peer left, or broke the rules, before the message was complete. */
  onConnectionClose(): void;
}

/** Is one connection of a server, as its delegate sees it from the first request to the end. */
export interface HTTPServerPeer {
  /** The address of the peer; `0.0.0.0` when it has none. */
  readonly remoteIp: string;
  /** `http` or `https`. */
  readonly protocol: "http" | "https";
  /** Closes it at once. */
  close(): void;
}

/** Takes the requests of a server as they arrive, before their bodies. */
export interface HTTPServerConnectionDelegate {
  /** Returns who is told of a request that begins; its answer goes to `requestConn`. */
  startRequest(serverConn: HTTPServerPeer, requestConn: HTTPConnection): HTTPMessageDelegate;
  /** Is told that a connection ended on which a request had begun. */
  onClose(serverConn: HTTPServerPeer): void;
}
