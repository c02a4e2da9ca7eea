/**
 * WebSockets (RFC 6455): the handler that serves them, and beneath it a codec that owns no
 * socket. Stands on `web/`.
 *
 * ```ts
 * import { FrameDecoder, FrameEvent } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = new FrameDecoder({ masked: false });
 * decoder.next(Uint8Array.of(0x81, 2, 0x48, 0x69), 0, 4);
 * assertEquals([decoder.event, decoder.text], [FrameEvent.TEXT, "Hi"]);
 * ```
 *
 * @module
 */
export { WebSocketHandler, type WriteMessageOptions } from "./handler.ts";
export { WebSocketConnection, type WebSocketReceiver } from "./connection.ts";
export { canReceiveCloseCode, canSendCloseCode, CloseCode } from "./close_code.ts";
export { WebSocketClosedError, WebSocketError, type WebSocketErrorOptions } from "./errors.ts";
export {
  FIN,
  MAX_CONTROL_PAYLOAD,
  Opcode,
  OPCODE_MASK,
  RSV1,
  RSV2,
  RSV3,
  RSV_MASK,
} from "./frame.ts";
export { FrameDecoder, type FrameDecoderOptions, FrameEvent } from "./frame_decoder.ts";
export {
  encodeClose,
  encodeFrame,
  frameHeaderSize,
  type FrameOptions,
  writeFrameHeader,
} from "./frame_encoder.ts";
export {
  computeAcceptValue,
  decideHandshake,
  type HandshakeAccepted,
  type HandshakeRefused,
  type HandshakeRequest,
  isSameOrigin,
  isValidKey,
  parseSubprotocols,
  WEBSOCKET_VERSION,
} from "./handshake.ts";
export { maskInPlace, readMask, rotateMask, websocketMask } from "./mask.ts";
