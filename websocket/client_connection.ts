import { type Future, genLog, type IOLoop } from "../ioloop/mod.ts";
import type { IOStream, StreamCallback } from "../iostream/mod.ts";
import type { HTTPHeaders } from "../http/mod.ts";
import type { Writable } from "../web/mod.ts";
import { Inbox, type Message, type MessageCallback } from "./_inbox.ts";
import { CloseCode } from "./close_code.ts";
import type { WebSocketParams } from "./connection.ts";
import type { WebSocketRequest } from "./connect_options.ts";
import type { PreparedMessage, WriteMessageOptions } from "./prepared_message.ts";
import { type HandshakeResult, WebSocketProtocol13 } from "./protocol.ts";

/** What a {@linkcode WebSocketClientConnection} is made of, once the handshake is done. */
export interface ClientConnectionParts {
  /** The loop of the stream. */
  readonly loop: IOLoop;
  /** The stream, behind the head of the answer. */
  readonly stream: IOStream;
  /** What was asked for. */
  readonly request: WebSocketRequest;
  /** The header fields of the answer. */
  readonly headers: HTTPHeaders;
  /** What was agreed on. */
  readonly handshake: HandshakeResult;
  /** Limits and times. */
  readonly params: WebSocketParams;
  /** Is given the messages; null: they are read. */
  readonly onMessageCallback: MessageCallback | null;
}

/**
 * Is the client's end of a WebSocket: `websocketConnect` makes it.
 *
 * Messages are read one by one, by {@linkcode readMessage} or in a `for await` loop. One that
 * nobody reads is held back, and then nothing more is read from the server. Close the
 * connection when you are done: one that is only forgotten is logged.
 *
 * @example All messages until the server closes
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application } from "@waterspout/waterspout/web";
 * import { websocketConnect, WebSocketHandler } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * class Countdown extends WebSocketHandler {
 *   override open(): void {
 *     for (const count of ["2", "1", "0"]) this.writeMessage(count);
 *     this.close();
 *   }
 * }
 *
 * await new IOLoop().run(async () => {
 *   const server = new Application([["/", Countdown]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const connection = await websocketConnect(`ws://127.0.0.1:${port}/`);
 *   const seen = [];
 *   for await (const message of connection) seen.push(message);
 *   assertEquals(seen, ["2", "1", "0"]);
 *   await server.shutdown();
 * });
 * ```
 */
export class WebSocketClientConnection implements AsyncIterable<string | Uint8Array>, Disposable {
  /** What was asked for. */
  readonly request: WebSocketRequest;
  /** The header fields of the server's answer. */
  readonly headers: HTTPHeaders;
  /** The connection itself. */
  readonly protocol: WebSocketProtocol13;

  readonly #inbox: Inbox;
  readonly #loop: IOLoop;
  #closeListeners: Set<() => void> | null = null;

  /** Is made by `websocketConnect`. @ignore */
  constructor(parts: ClientConnectionParts) {
    const inbox = new Inbox(parts.loop, parts.onMessageCallback);
    const protocol = new WebSocketProtocol13(inbox, true, parts.params);
    this.request = parts.request;
    this.headers = parts.headers;
    this.protocol = protocol;
    this.#loop = parts.loop;
    this.#inbox = inbox;
    inbox.belongTo(this, () => protocol.close(CloseCode.INTERNAL_ERROR));
    // A callback goes on without it.
    if (parts.onMessageCallback === null) forgotten.register(this, protocol, this);
    protocol.begin(parts.stream, parts.handshake);
  }

  /** The subprotocol that the server chose; null for none. */
  get selectedSubprotocol(): string | null {
    return this.protocol.selectedSubprotocol;
  }

  /** The code of the server's close frame; null until one came, or if it held none. */
  get closeCode(): number | null {
    return this.protocol.closeCode;
  }

  /** The reason of the server's close frame; null until one came. */
  get closeReason(): string | null {
    return this.protocol.closeReason;
  }

  /** Whether the connection is closing or closed; then nothing can be written. */
  get closing(): boolean {
    return this.protocol.isClosing();
  }

  /** How many bytes wait to be taken by the kernel. */
  get bufferedAmount(): number {
    return this.protocol.bufferedAmount;
  }

  /**
   * Reads the next message; null when the connection has ended and all messages were read. A
   * read that is cancelled leaves the message to the next one.
   *
   * @throws {Error} when another read is pending, or `onMessageCallback` is given the messages.
   */
  readMessage(callback?: StreamCallback<Message>): Future<Message> {
    const future = this.#inbox.read();
    if (callback !== undefined) this.#loop.addFuture(future, () => callback(future.result()));
    return future;
  }

  /** Reads the messages until the connection ends. Leaving the loop early leaves it open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string | Uint8Array, void, void> {
    for (let message; (message = await this.readMessage()) !== null;) yield message;
  }

  /**
   * Sends a message: text, bytes, or a record as JSON. The Future is done when the kernel has
   * it, and fails with {@linkcode WebSocketClosedError} if the connection closes before; with
   * {@linkcode WriteBufferFullError} if too many bytes wait, and the policy is not to wait.
   *
   * @throws {WebSocketClosedError} when the connection is closed or closing.
   * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
   */
  writeMessage(message: Writable | PreparedMessage, options?: WriteMessageOptions): Future<void> {
    return this.protocol.writeMessage(message, options);
  }

  /**
   * Sends a ping with up to 125 bytes of data.
   *
   * @throws {RangeError} when it is more.
   * @throws {WebSocketClosedError} when the connection is closed or closing.
   */
  ping(data: string | Uint8Array = ""): void {
    this.protocol.writePing(typeof data === "string" ? encoder.encode(data) : data);
  }

  /** Is called with the data of a ping, which was answered already; override or replace it. */
  onPing(_data: Uint8Array): void {}

  /** Is called with the data of a pong; override or replace it. */
  onPong(_data: Uint8Array): void {}

  /**
   * Closes the connection, with a code and reason for the server: a reason alone means 1000.
   * A server that does not answer in 5 s is dropped. A second call does nothing.
   *
   * @throws {RangeError} when the code may not be sent, or the reason is over 123 bytes.
   */
  close(code?: number, reason?: string): void {
    this.protocol.close(code, reason);
  }

  /** Closes the connection where a `using` declaration of it ends. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Sets TCP_NODELAY, which is on by default. */
  setNoDelay(value: boolean): void {
    this.protocol.setNoDelay(value);
  }

  /** Has `listener` called once when the connection ends. */
  addCloseListener(listener: () => void): void {
    (this.#closeListeners ??= new Set()).add(listener);
  }

  /** Takes back {@linkcode addCloseListener}. */
  removeCloseListener(listener: () => void): void {
    this.#closeListeners?.delete(listener);
  }

  /** Is told that the connection ended. @ignore */
  _ended(): void {
    forgotten.unregister(this);
    const listeners = this.#closeListeners;
    this.#closeListeners = null;
    for (const listener of listeners ?? []) {
      try {
        listener();
      } catch (error) {
        this.#loop._report(listener, error);
      }
    }
  }
}

// Nobody can read from them any more, and the server would wait for ever.
const forgotten = new FinalizationRegistry<WebSocketProtocol13>((protocol) => {
  if (protocol.isClosing()) return;
  genLog.warn("Unclosed WebSocketClientConnection");
  protocol.close(CloseCode.GOING_AWAY);
});

const encoder = new TextEncoder();
