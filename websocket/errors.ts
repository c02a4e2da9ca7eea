/**
 * What is thrown when a WebSocket fails.
 *
 * @module
 */
import { CloseCode } from "./close_code.ts";

/** Options of {@linkcode WebSocketError}. */
export interface WebSocketErrorOptions extends ErrorOptions {
  /**
   * The close code that tells the peer of this failure.
   *
   * @default {1002}
   */
  code?: number;
}

/**
 * A failure of a WebSocket: the peer broke the protocol, a limit was passed,
 * or a handshake was refused.
 */
export class WebSocketError extends Error {
  /** The close code that tells the peer of this failure. */
  readonly code: number;

  /** Takes the message, what caused it, and the close code to send. */
  constructor(message: string, options: WebSocketErrorOptions = {}) {
    super(message, options);
    this.name = "WebSocketError";
    this.code = options.code ?? CloseCode.PROTOCOL_ERROR;
  }
}

/**
 * Thrown by an operation that needs an open WebSocket when it is closed or
 * closing. Its `code` is 1006, "ended without a close frame", unless told.
 */
export class WebSocketClosedError extends WebSocketError {
  /** Takes the message, what caused it, and the code it was closed with. */
  constructor(message: string, options: WebSocketErrorOptions = {}) {
    super(message, { code: CloseCode.ABNORMAL, ...options });
    this.name = "WebSocketClosedError";
  }
}
