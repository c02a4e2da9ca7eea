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

/** What a {@linkcode WebSocketHandshakeError} knows of the answer. */
export interface WebSocketHandshakeErrorOptions extends WebSocketErrorOptions {
  /** The status of the answer; null if none came. */
  status?: number | null;
}

/** The answer to a client's handshake is not one that a WebSocket may begin with. */
export class WebSocketHandshakeError extends WebSocketError {
  /** The status of the answer; null if none came. */
  readonly status: number | null;

  /** Takes the message, and what is known of the answer. */
  constructor(message: string, options: WebSocketHandshakeErrorOptions = {}) {
    super(message, options);
    this.name = "WebSocketHandshakeError";
    this.status = options.status ?? null;
  }
}

/**
 * Says that a message was not sent: more bytes wait for the peer than `maxWriteBufferSize`
 * allows.
 */
export class WriteBufferFullError extends WebSocketError {
  /** How many bytes waited. */
  readonly bufferedAmount: number;

  /** Takes how many bytes waited, and how many may. */
  constructor(bufferedAmount: number, limit: number) {
    super(`Cannot write: ${bufferedAmount} bytes wait already, at most ${limit} may`, {
      code: CloseCode.POLICY_VIOLATION,
    });
    this.name = "WriteBufferFullError";
    this.bufferedAmount = bufferedAmount;
  }
}
