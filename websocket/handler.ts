import { _enterOwner, isThenable } from "../ioloop/future.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError, Future } from "../ioloop/mod.ts";
import { Coroutine } from "../gen/mod.ts";
import { isGenerator } from "../gen/coroutine.ts";
import type { CookieOptions } from "../web/mod.ts";
import {
  type HeaderValue,
  HTTPError,
  type PathArgument,
  RequestHandler,
  type Writable,
} from "../web/mod.ts";
import { CloseCode } from "./close_code.ts";
import {
  MAX_MESSAGE_SIZE,
  MAX_WRITE_BUFFER,
  PING_INTERVAL,
  type WriteBufferPolicy,
} from "./connection.ts";
import type { CompressionOptions } from "./deflate_extension.ts";
import { WebSocketClosedError, WriteBufferFullError } from "./errors.ts";
import {
  decideHandshake,
  type HandshakeRefused,
  isSameOrigin,
  refuseVersion,
} from "./handshake.ts";
import type { PreparedMessage, WriteMessageOptions } from "./prepared_message.ts";
import { type WebSocketAcceptor, type WebSocketProtocol, WebSocketProtocol13 } from "./protocol.ts";

/**
 * Serves a WebSocket: subclass it and write `onMessage`, and `open` and `onClose` if needed.
 * They may be plain, `async` or generators; the next message comes when the last was dealt
 * with. Coroutines that it starts are cancelled when the connection ends.
 *
 * @example Echo
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application } from "@waterspout/waterspout/web";
 * import { WebSocketHandler } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * class Echo extends WebSocketHandler {
 *   override onMessage(message: string | Uint8Array): void {
 *     this.writeMessage(message);
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/echo", Echo]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`);
 *   const echoed = new Promise<string>((resolve) => {
 *     socket.onopen = () => socket.send("hello");
 *     socket.onmessage = ({ data }) => {
 *       socket.onclose = () => resolve(data);
 *       socket.close();
 *     };
 *   });
 *   assertEquals(yield* Future.from(echoed), "hello");
 *   yield* server.shutdown();
 * });
 * ```
 */
export class WebSocketHandler extends RequestHandler implements WebSocketAcceptor {
  #protocol: WebSocketProtocol | null = null; // there after the handshake
  #closeListeners: Set<() => void> | null = null;

  /**
   * The ms between two pings, 0 for none; from the setting `websocketPingInterval`.
   *
   * @default {30000}
   */
  get pingInterval(): number {
    return this.#setting("websocketPingInterval") ?? PING_INTERVAL;
  }

  /**
   * The ms in which the client must answer a ping, at most {@linkcode pingInterval}, which it
   * is by default; from the setting `websocketPingTimeout`. A client that does not is closed
   * with 1000, `ping timed out`. 0: it need not.
   */
  get pingTimeout(): number {
    return this.#setting("websocketPingTimeout") ?? this.pingInterval;
  }

  /**
   * The most bytes of a message, from the setting `websocketMaxMessageSize`; a larger one
   * closes the connection with 1009.
   *
   * @default {10485760}
   */
  get maxMessageSize(): number {
    return this.#setting("websocketMaxMessageSize") ?? MAX_MESSAGE_SIZE;
  }

  /**
   * How many bytes may wait for the client before {@linkcode writeBufferPolicy} takes effect;
   * from the setting `websocketMaxWriteBufferSize`.
   *
   * @default {1048576}
   */
  get maxWriteBufferSize(): number {
    return this.#setting("websocketMaxWriteBufferSize") ?? MAX_WRITE_BUFFER;
  }

  /**
   * What becomes of a message when too many bytes wait; from the setting
   * `websocketWriteBufferPolicy`.
   *
   * @default {"wait"}
   */
  get writeBufferPolicy(): WriteBufferPolicy {
    return this.#setting("websocketWriteBufferPolicy") ?? "wait";
  }

  /** The connection, once there is one; null before. */
  get wsConnection(): WebSocketProtocol | null {
    return this.#protocol;
  }

  /** The subprotocol that was agreed on; null for none. */
  get selectedSubprotocol(): string | null {
    return this.#protocol?.selectedSubprotocol ?? null;
  }

  /** The code of the client's close frame; null until one came, or if it held none. */
  get closeCode(): number | null {
    return this.#protocol?.closeCode ?? null;
  }

  /** The reason of the client's close frame; null until one came. */
  get closeReason(): string | null {
    return this.#protocol?.closeReason ?? null;
  }

  /** Whether the connection is closing or closed; then nothing can be written. */
  get closing(): boolean {
    return this.#protocol?.isClosing() ?? false;
  }

  /** How many bytes wait to be taken by the kernel. */
  get bufferedAmount(): number {
    return this.#protocol?.bufferedAmount ?? 0;
  }

  /** Is called when the connection is open, with the groups of the route; override it. */
  open(..._pathArgs: PathArgument[]): unknown {
    return undefined;
  }

  /** Is called with each message, text or bytes; must be overridden. */
  onMessage(_message: string | Uint8Array): unknown {
    throw new Error("Cannot handle a message: onMessage is not overridden");
  }

  /** Is called once when a connection that was open has ended, for whatever reason; override it. */
  onClose(): void {}

  /** Is called before {@linkcode onClose} with what the client's close frame held; override it. */
  onWsConnectionClose(_code: number | null, _reason: string | null): void {}

  /** Is called with the data of a ping, which was answered already; override it. */
  onPing(_data: Uint8Array): void {}

  /** Is called with the data of a pong; override it. */
  onPong(_data: Uint8Array): void {}

  /**
   * Tells whether a page of `origin` may connect; by default only one of the same host and
   * port. Not asked when the client sent no Origin: then it is no browser.
   */
  checkOrigin(origin: string): boolean {
    return isSameOrigin(origin, this.request.host);
  }

  /** Chooses one of the subprotocols that the client offers, or none (null); override it. */
  selectSubprotocol(_subprotocols: readonly string[]): string | null {
    return null;
  }

  /**
   * Says how messages are compressed (permessage-deflate, RFC 7692) if the client offers to;
   * null, the default: they are not. Override it.
   */
  getCompressionOptions(): CompressionOptions | null {
    return null;
  }

  /** Makes the protocol that the connection is to speak; null if there is none for it. */
  getWebsocketProtocol(): WebSocketProtocol | null {
    return new WebSocketProtocol13(this, false, {
      pingInterval: this.pingInterval,
      pingTimeout: this.pingTimeout,
      maxMessageSize: this.maxMessageSize,
      maxWriteBufferSize: this.maxWriteBufferSize,
      writeBufferPolicy: this.writeBufferPolicy,
      compressionOptions: this.getCompressionOptions(),
    });
  }

  /**
   * Sends a message: text, bytes, or a record as JSON. The Future is done when the kernel has
   * it, and fails with {@linkcode WebSocketClosedError} if the connection closes before; with
   * {@linkcode WriteBufferFullError} if too many bytes wait already, and
   * {@linkcode writeBufferPolicy} is not to wait.
   *
   * @throws {WebSocketClosedError} when the connection is closed or closing.
   * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
   */
  writeMessage(
    message: Writable | PreparedMessage,
    options?: WriteMessageOptions,
  ): Future<void> {
    return this.#open().writeMessage(message, options);
  }

  /**
   * Sends a ping with up to 125 bytes of data.
   *
   * @throws {RangeError} when it is more.
   * @throws {WebSocketClosedError} when the connection is closed or closing.
   */
  ping(data: string | Uint8Array = ""): void {
    this.#open().writePing(typeof data === "string" ? encoder.encode(data) : data);
  }

  /**
   * Closes the connection, with a code and reason for the client: a reason alone means 1000.
   * A client that does not answer in 5 s is dropped. A second call does nothing.
   *
   * @throws {RangeError} when the code may not be sent, or the reason is over 123 bytes.
   */
  close(code?: number, reason?: string): void {
    this.#protocol?.close(code, reason);
  }

  /** Sets TCP_NODELAY, which is on by default: a small message does not wait for a larger one. */
  setNoDelay(value: boolean): void {
    this.#open().setNoDelay(value);
  }

  /** Has `listener` called once when the connection ends, before {@linkcode onClose}. */
  addCloseListener(listener: () => void): void {
    (this.#closeListeners ??= new Set()).add(listener);
  }

  /** Takes back {@linkcode addCloseListener}. */
  removeCloseListener(listener: () => void): void {
    this.#closeListeners?.delete(listener);
  }

  /**
   * See {@linkcode RequestHandler.setStatus}.
   *
   * @throws {Error} after the handshake.
   */
  override setStatus(code: number, reason?: string): void {
    this.#checkAnswer();
    super.setStatus(code, reason);
  }

  /**
   * See {@linkcode RequestHandler.setHeader}.
   *
   * @throws {Error} after the handshake.
   */
  override setHeader(name: string, value: HeaderValue): void {
    this.#checkAnswer();
    super.setHeader(name, value);
  }

  /**
   * See {@linkcode RequestHandler.addHeader}.
   *
   * @throws {Error} after the handshake.
   */
  override addHeader(name: string, value: HeaderValue): void {
    this.#checkAnswer();
    super.addHeader(name, value);
  }

  /**
   * See {@linkcode RequestHandler.clearHeader}.
   *
   * @throws {Error} after the handshake.
   */
  override clearHeader(name: string): void {
    this.#checkAnswer();
    super.clearHeader(name);
  }

  /**
   * See {@linkcode RequestHandler.clear}.
   *
   * @throws {Error} after the handshake.
   */
  override clear(): void {
    this.#checkAnswer();
    super.clear();
  }

  /**
   * See {@linkcode RequestHandler.setCookie}.
   *
   * @throws {Error} after the handshake.
   */
  override setCookie(name: string, value: string | Uint8Array, options?: CookieOptions): void {
    this.#checkAnswer();
    super.setCookie(name, value, options);
  }

  /**
   * See {@linkcode RequestHandler.write}.
   *
   * @throws {Error} after the handshake.
   */
  override write(chunk: Writable): void {
    this.#checkAnswer();
    super.write(chunk);
  }

  /**
   * See {@linkcode RequestHandler.flush}.
   *
   * @throws {Error} after the handshake.
   */
  override flush(): Future<void> {
    this.#checkAnswer();
    return super.flush();
  }

  /**
   * See {@linkcode RequestHandler.finish}.
   *
   * @throws {Error} after the handshake.
   */
  override finish(chunk?: Writable): Future<void> {
    this.#checkAnswer();
    return super.finish(chunk);
  }

  /** Answers the handshake. */
  override get(): void {
    const { request } = this;
    const decision = decideHandshake({
      method: request.method,
      minorVersion: request.version === "HTTP/1.1" ? 1 : 0,
      header: (name) => request.headers.get(name),
    });
    if (!decision.ok) return this.#refuse(decision);
    const origin = request.headers.get("Origin");
    if (origin !== null && !this.checkOrigin(origin)) {
      throw new HTTPError(403, `Cross origin websockets not allowed: ${origin}`);
    }
    const protocol = this.getWebsocketProtocol();
    if (protocol === null) this.#refuse(refuseVersion());
    else protocol.acceptConnection(this);
  }

  /** Is told by the protocol that the connection is open. @ignore */
  _opened(protocol: WebSocketProtocol): Future<unknown> | null {
    this.#protocol = protocol;
    return this.#call(
      this.open as Method,
      this.pathKwargs === null ? this.pathArgs : [this.pathKwargs],
    );
  }

  /** Takes a message from the connection. @ignore */
  receive(message: string | Uint8Array): Future<unknown> | null {
    return this.#call(this.onMessage, [message]);
  }

  /** Takes a ping from the connection. @ignore */
  receivePing(data: Uint8Array): void {
    this.#call(this.onPing, [data]);
  }

  /** Takes a pong from the connection. @ignore */
  receivePong(data: Uint8Array): void {
    this.#call(this.onPong, [data]);
  }

  /** Is told that the connection ended. @ignore */
  receiveEnd(): void {
    this._endWork(new CancelledError("the WebSocket closed"));
    if (this.#protocol === null) return;
    for (const listener of this.#closeListeners ?? []) this.#call(listener, []);
    this.#closeListeners = null;
    this.#call(this.onWsConnectionClose, [this.closeCode, this.closeReason]);
    this.#call(this.onConnectionClose, []);
    this.#call(this.onClose, []);
  }

  #setting<T>(name: string): T | undefined {
    return this.settings[name] as T | undefined;
  }

  #checkAnswer(): void {
    if (this.#protocol !== null) {
      throw new Error("Cannot change the answer: it was the handshake");
    }
  }

  #open(): WebSocketProtocol {
    if (this.#protocol === null) {
      throw new WebSocketClosedError("Cannot write: the WebSocket is not open yet");
    }
    return this.#protocol;
  }

  #refuse({ status, headers, reason }: HandshakeRefused): void {
    this.setStatus(status);
    for (const name in headers) this.setHeader(name, headers[name]!);
    this.setHeader("Content-Type", "text/plain; charset=UTF-8");
    this.finish(`Cannot open a WebSocket: ${reason}`);
  }

  // Calls a method of the subclass; what it returned and is not done yet is returned. A
  // failure is logged and closes the connection.
  #call(method: Method, args: readonly unknown[]): Future<unknown> | null {
    const former = _enterOwner(this);
    try {
      const result = method.apply(this, args as never[]);
      if (result === undefined) return null;
      const work = isGenerator(result)
        ? new Coroutine(result, method).run()
        : isThenable(result)
        ? Future.from(result)
        : null;
      if (work === null) return null;
      const watched = new Future<unknown>();
      work._listen({
        _settled: () => {
          if (!work._fulfilled && !isDropped(work._value)) this.#failed(work._value);
          watched._settle(1, undefined);
        },
      });
      return watched.done() ? null : watched;
    } catch (error) {
      this.#failed(error);
      return null;
    } finally {
      _enterOwner(former);
    }
  }

  #failed(error: unknown): void {
    const over = error instanceof CancelledError || error instanceof WebSocketClosedError;
    try {
      if (!over) this.logException(error);
    } catch (failure) {
      appLog.error("Uncaught exception in logException: {error}", {
        error: describeError(failure),
      });
    }
    this.#protocol?.close(CloseCode.INTERNAL_ERROR);
  }
}

type Method = (...args: never[]) => unknown;

// The policy was to drop, or to close, which has begun: waiting for such a write is no failure.
function isDropped(error: unknown): boolean {
  return error instanceof WriteBufferFullError;
}

const encoder = new TextEncoder();
