/**
 * Close codes, and which of them may cross the wire.
 *
 * @module
 */

/** Why a connection ends: RFC 6455 7.4.1 and the IANA registry. */
export const CloseCode = {
  /** The purpose is fulfilled. */
  NORMAL: 1000,
  /** The server shuts down, or the page was left. */
  GOING_AWAY: 1001,
  /** The peer broke the rules of framing. */
  PROTOCOL_ERROR: 1002,
  /** A kind of message that this end does not take. */
  UNSUPPORTED_DATA: 1003,
  /** Never sent: the close frame that came held no code. */
  NO_STATUS: 1005,
  /** Never sent: the connection ended without a close frame. */
  ABNORMAL: 1006,
  /** Text, or a close reason, that is not UTF-8. */
  INVALID_PAYLOAD: 1007,
  /** Refused by a rule of the application. */
  POLICY_VIOLATION: 1008,
  /** A message over the limit. */
  MESSAGE_TOO_BIG: 1009,
  /** The server did not take an extension that the client needs. */
  MANDATORY_EXTENSION: 1010,
  /** An unexpected failure at the end that closes. */
  INTERNAL_ERROR: 1011,
  /** The service starts anew; come back later. */
  SERVICE_RESTART: 1012,
  /** Overload; come back later. */
  TRY_AGAIN_LATER: 1013,
  /** A gateway got a bad answer from behind. */
  BAD_GATEWAY: 1014,
  /** Never sent: the TLS handshake failed. */
  TLS_HANDSHAKE: 1015,
} as const;

/**
 * Tells whether a close frame from the peer may hold `code`: one that is
 * registered for the wire, or one of the ranges 3000 to 3999 (libraries) and
 * 4000 to 4999 (applications). 1004 has no meaning yet; 1005, 1006 and 1015
 * stand for what no peer could have sent.
 *
 * @param code The 16-bit code as it came.
 * @returns Whether it is allowed; if not, the answer is 1002.
 */
export function canReceiveCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= CloseCode.NORMAL && code <= CloseCode.BAD_GATEWAY &&
    (code < 1004 || code > CloseCode.ABNORMAL);
}

/**
 * Tells whether this end may send `code`: an integer that a peer would take.
 *
 * @example Which codes may be sent
 * ```ts
 * import { canSendCloseCode, CloseCode } from "@waterspout/waterspout/websocket";
 * import { assert, assertEquals } from "@std/assert";
 *
 * assert(canSendCloseCode(CloseCode.GOING_AWAY));
 * assert(canSendCloseCode(4000));
 * assertEquals(canSendCloseCode(CloseCode.ABNORMAL), false);
 * ```
 *
 * @param code What the caller wants to send; need not be an integer.
 * @returns Whether it is allowed.
 */
export function canSendCloseCode(code: number): boolean {
  return Number.isInteger(code) && canReceiveCloseCode(code);
}
