import type { Future } from "../ioloop/mod.ts";
import type { IOStream } from "../iostream/mod.ts";
import { HTTPHeaders, type HTTPServerRequest, type Upgraded } from "../http/mod.ts";
import type { Writable } from "../web/mod.ts";
import { WebSocketConnection, type WebSocketParams, type WebSocketReceiver } from "./connection.ts";
import { acceptDeflate, type DeflateAgreement } from "./deflate_extension.ts";
import { WebSocketClosedError } from "./errors.ts";
import { FIN, OPCODE_MASK, RSV1, RSV2, RSV3, RSV_MASK } from "./frame.ts";
import { computeAcceptValue, parseSubprotocols } from "./handshake.ts";
import { messageData, PreparedMessage, type WriteMessageOptions } from "./prepared_message.ts";

/** Is a handler as the protocol sees it: `WebSocketHandler` is one. */
export interface WebSocketAcceptor extends WebSocketReceiver {
  /** The handshake. */
  readonly request: HTTPServerRequest;
  /** Chooses one of the subprotocols that the client offers, or none. */
  selectSubprotocol(subprotocols: readonly string[]): string | null;
  /** Answers with 101 and these fields, and gives its stream away. @ignore */
  _switchProtocols(fields: HTTPHeaders, upgraded: Upgraded): IOStream;
  /** Is told that the connection is open; messages wait for what it returns. @ignore */
  _opened(protocol: WebSocketProtocol): Future<unknown> | null;
}

/** What the handshake came to, besides the stream. */
export interface HandshakeResult {
  /** The subprotocol that was agreed on; null, the default: none. */
  subprotocol?: string | null;
  /** The compression that was agreed on; null, the default: none. */
  deflate?: DeflateAgreement | null;
}

/** Is a version of the WebSocket protocol, as a handler or a client uses it. */
export abstract class WebSocketProtocol {
  /** The code of the peer's close frame; null until one came, or if it held none. */
  abstract get closeCode(): number | null;

  /** The reason of the peer's close frame; null until one came. */
  abstract get closeReason(): string | null;

  /** The subprotocol that was agreed on; null for none. */
  abstract get selectedSubprotocol(): string | null;

  /** How many bytes wait to be taken by the kernel. */
  abstract get bufferedAmount(): number;

  /** Answers the handshake that `handler` was asked for, which must be a valid one. */
  abstract acceptConnection(handler: WebSocketAcceptor): void;

  /** Sends a message; see `WebSocketHandler.writeMessage`. */
  abstract writeMessage(
    message: Writable | PreparedMessage,
    options?: WriteMessageOptions,
  ): Future<void>;

  /** Sends a ping with up to 125 bytes of data. */
  abstract writePing(data: Uint8Array): void;

  /** Begins the closing handshake. */
  abstract close(code?: number, reason?: string): void;

  /** Tells whether the closing handshake began, or the connection ended. */
  abstract isClosing(): boolean;

  /** Starts to ping in its interval. */
  abstract startPinging(): void;

  /** Sets TCP_NODELAY. */
  abstract setNoDelay(value: boolean): void;

  /** Ends the connection without a word: its peer has gone. */
  abstract onConnectionClose(): void;
}

/** Says when the last ping was, for {@linkcode WebSocketProtocol13.pingSleepTime}. */
export interface PingTimes {
  /** When the last ping was sent, in ms. */
  lastPingTime: number;
  /** The ms between two pings. */
  interval: number;
  /** The time now, in ms. */
  now: number;
}

/** Is version 13 of the protocol, RFC 6455: the one that there is. */
export class WebSocketProtocol13 extends WebSocketProtocol {
  /** First byte of a frame: it is the last one of its message. */
  static readonly FIN: number = FIN;
  /** First byte of a frame: the message is compressed. */
  static readonly RSV1: number = RSV1;
  /** First byte of a frame: reserved. */
  static readonly RSV2: number = RSV2;
  /** First byte of a frame: reserved. */
  static readonly RSV3: number = RSV3;
  /** First byte of a frame: all reserved bits. */
  static readonly RSV_MASK: number = RSV_MASK;
  /** First byte of a frame: the bits of the opcode. */
  static readonly OPCODE_MASK: number = OPCODE_MASK;

  readonly #handler: WebSocketReceiver;
  readonly #client: boolean;
  readonly #params: WebSocketParams;
  #connection: WebSocketConnection | null = null; // there from begin()
  #selectedSubprotocol: string | null = null;

  /** Takes who receives messages, whether this is a client's end, and limits and times. */
  constructor(handler: WebSocketReceiver, maskOutgoing: boolean, params: WebSocketParams = {}) {
    super();
    this.#handler = handler;
    this.#client = maskOutgoing;
    this.#params = params;
  }

  /** Computes the Sec-WebSocket-Accept for a key; see {@linkcode computeAcceptValue}. */
  static computeAcceptValue(key: string): string {
    return computeAcceptValue(key);
  }

  /**
   * Tells how many ms there are until the next ping, 0 when it is due.
   *
   * @example Pinged six seconds ago
   * ```ts
   * import { WebSocketProtocol13 } from "@waterspout/waterspout/websocket";
   * import { assertEquals } from "@std/assert";
   *
   * const times = { lastPingTime: 1000, interval: 10_000, now: 7000 };
   * assertEquals(WebSocketProtocol13.pingSleepTime(times), 4000);
   * ```
   */
  static pingSleepTime({ lastPingTime, interval, now }: PingTimes): number {
    return Math.max(0, lastPingTime + interval - now);
  }

  /** The code of the peer's close frame; null until one came, or if it held none. */
  override get closeCode(): number | null {
    return this.#connection?.closeCode ?? null;
  }

  /** The reason of the peer's close frame; null until one came. */
  override get closeReason(): string | null {
    return this.#connection?.closeReason ?? null;
  }

  /** The subprotocol that was agreed on; null for none. */
  override get selectedSubprotocol(): string | null {
    return this.#selectedSubprotocol;
  }

  /** How many bytes wait to be taken by the kernel. */
  override get bufferedAmount(): number {
    return this.#connection?.bufferedAmount ?? 0;
  }

  /** Whether messages are compressed, both ways. */
  get compressed(): boolean {
    return this.#connection?.compressed ?? false;
  }

  /**
   * Answers the handshake of `handler` and opens the connection.
   *
   * @throws {Error} when the subprotocol it selects was not offered.
   */
  override acceptConnection(handler: WebSocketAcceptor): void {
    const { headers } = handler.request;
    const fields = new HTTPHeaders({
      "Upgrade": "websocket",
      "Connection": "Upgrade",
      "Sec-WebSocket-Accept": computeAcceptValue(headers.get("Sec-WebSocket-Key") ?? ""),
    });
    const subprotocol = select(handler, parseSubprotocols(headers.get("Sec-WebSocket-Protocol")));
    if (subprotocol !== null) fields.set("Sec-WebSocket-Protocol", subprotocol);
    const options = this.#params.compressionOptions ?? null;
    const accepted = options === null
      ? null
      : acceptDeflate(headers.get("Sec-WebSocket-Extensions"), options);
    if (accepted !== null) fields.set("Sec-WebSocket-Extensions", accepted.response);
    const connection = this.#connect({ subprotocol, deflate: accepted?.agreement ?? null });
    connection.start(handler._switchProtocols(fields, connection));
    if (connection.closing) return; // the client left before: to the handler it never came
    const work = handler._opened(this);
    this.startPinging();
    if (work === null) connection.startReading();
    else work._listen({ _settled: () => connection.startReading() });
  }

  /** Begins on a stream on which the handshake is done; messages are read from then on. */
  begin(stream: IOStream, result: HandshakeResult = {}): void {
    const connection = this.#connect(result);
    connection.start(stream);
    this.startPinging();
    connection.startReading();
  }

  /** See {@linkcode WebSocketHandler.writeMessage}. */
  override writeMessage(
    message: Writable | PreparedMessage,
    { binary = message instanceof Uint8Array }: WriteMessageOptions = {},
  ): Future<void> {
    const connection = this.#open();
    return message instanceof PreparedMessage
      ? connection.sendPrepared(message)
      : connection.send(messageData(message, binary), binary);
  }

  /** See {@linkcode WebSocketConnection.ping}. */
  override writePing(data: Uint8Array): void {
    this.#open().ping(data);
  }

  /** See {@linkcode WebSocketConnection.sendClose}. */
  override close(code?: number, reason?: string): void {
    this.#connection?.sendClose(code, reason);
  }

  /** Tells whether the closing handshake began, or the connection ended. */
  override isClosing(): boolean {
    return this.#connection?.closing ?? false;
  }

  /** Starts to ping, if there is an interval; does nothing when it has started already. */
  override startPinging(): void {
    this.periodicPing();
  }

  /** See {@linkcode WebSocketConnection.startPinging}. */
  periodicPing(): void {
    this.#connection?.startPinging(this.#params);
  }

  /** Sets TCP_NODELAY. */
  override setNoDelay(value: boolean): void {
    this.#connection?.setNoDelay(value);
  }

  /** Ends the connection without a word: its peer has gone. */
  override onConnectionClose(): void {
    this.#connection?.close();
  }

  #connect({ subprotocol = null, deflate = null }: HandshakeResult): WebSocketConnection {
    if (this.#connection !== null) throw new Error("Cannot connect: it was connected before");
    const connection = new WebSocketConnection(this.#handler, {
      ...this.#params,
      client: this.#client,
      deflate,
    });
    this.#selectedSubprotocol = subprotocol;
    return this.#connection = connection;
  }

  #open(): WebSocketConnection {
    if (this.#connection === null) {
      throw new WebSocketClosedError("Cannot write: the WebSocket is not open yet");
    }
    return this.#connection;
  }
}

function select(handler: WebSocketAcceptor, offered: readonly string[]): string | null {
  const selected = handler.selectSubprotocol(offered);
  if (selected === null || offered.includes(selected)) return selected;
  throw new Error(`Cannot select the subprotocol ${selected}: the client offers ${offered}`);
}
