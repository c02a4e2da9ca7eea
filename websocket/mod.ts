/**
 * WebSockets (RFC 6455) with compression (RFC 7692): the handler that serves them, the client,
 * rooms and topics, and beneath them a codec that owns no socket. Stands on `web/`.
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
export { WebSocketHandler } from "./handler.ts";
export { type ConnectCallback, websocketConnect } from "./connect.ts";
export type {
  HandshakeOptions,
  WebSocketConnectOptions,
  WebSocketRequest,
} from "./connect_options.ts";
export { type ClientConnectionParts, WebSocketClientConnection } from "./client_connection.ts";
export { PreparedMessage, type WriteMessageOptions } from "./prepared_message.ts";
export { type BroadcastOptions, Room, type RoomMember } from "./room.ts";
export { Topics, type TopicsOptions } from "./topics.ts";
export type { Backplane, BackplaneListener } from "./backplane.ts";
export {
  RedisBackplane,
  type RedisBackplaneOptions,
  type RedisPublisher,
  type RedisSubscriber,
} from "./redis_backplane.ts";
export {
  type HandshakeResult,
  type PingTimes,
  type WebSocketAcceptor,
  WebSocketProtocol,
  WebSocketProtocol13,
} from "./protocol.ts";
export {
  WebSocketConnection,
  type WebSocketConnectionOptions,
  type WebSocketParams,
  type WebSocketReceiver,
  type WriteBufferPolicy,
} from "./connection.ts";
export type { Message, MessageCallback } from "./_inbox.ts";
export { canReceiveCloseCode, canSendCloseCode, CloseCode } from "./close_code.ts";
export {
  WebSocketClosedError,
  WebSocketError,
  type WebSocketErrorOptions,
  WebSocketHandshakeError,
  type WebSocketHandshakeErrorOptions,
  WriteBufferFullError,
} from "./errors.ts";
export {
  acceptDeflate,
  type AcceptedDeflate,
  type CompressionOptions,
  type DeflateAgreement,
  type DeflateDirection,
  type ExtensionOffer,
  offerDeflate,
  parseExtensions,
  readDeflateAnswer,
} from "./deflate_extension.ts";
export {
  type HandshakeAnswer,
  type HandshakeOffer,
  handshakeRequest,
  makeKey,
  parseWebSocketUrl,
  readHandshakeAnswer,
} from "./client_handshake.ts";
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
