/**
 * The numbers in the first bytes of a frame, RFC 6455 5.2.
 *
 * @module
 */

/** Bit of the first byte: this frame is the last of its message. */
export const FIN = 0x80;

/** First reserved bit of the first byte: the message is compressed (RFC 7692). */
export const RSV1 = 0x40;

/** Second reserved bit of the first byte; no extension here uses it. */
export const RSV2 = 0x20;

/** Third reserved bit of the first byte; no extension here uses it. */
export const RSV3 = 0x10;

/** All reserved bits of the first byte. */
export const RSV_MASK = 0x70;

/** The bits of the first byte that hold the opcode. */
export const OPCODE_MASK = 0x0f;

/** What a frame is. Everything from `CLOSE` on is a control frame. */
export const Opcode = {
  /** A further piece of the message that is under way. */
  CONTINUATION: 0x0,
  /** A text message, or its first piece. */
  TEXT: 0x1,
  /** A binary message, or its first piece. */
  BINARY: 0x2,
  /** The start, or the answer, of the closing handshake. */
  CLOSE: 0x8,
  /** Asks the peer for a pong. */
  PING: 0x9,
  /** Answers a ping, or tells that one is alive. */
  PONG: 0xa,
} as const;

/** The most payload bytes that a control frame may have, RFC 6455 5.5. */
export const MAX_CONTROL_PAYLOAD = 125;
