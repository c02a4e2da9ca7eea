import { _enterOwner, isThenable } from "../ioloop/future.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError, Future } from "../ioloop/mod.ts";
import { Coroutine } from "../gen/mod.ts";
import { isGenerator } from "../gen/coroutine.ts";
import { HTTPHeaders, jsonEncode } from "../http/mod.ts";
import {
  type HeaderValue,
  HTTPError,
  type PathArgument,
  RequestHandler,
  type Writable,
} from "../web/mod.ts";
import { CloseCode } from "./close_code.ts";
import { WebSocketConnection, type WebSocketReceiver } from "./connection.ts";
import { WebSocketClosedError } from "./errors.ts";
import { computeAcceptValue, decideHandshake, isSameOrigin } from "./handshake.ts";

const MAX_MESSAGE_SIZE = 10 * 1024 * 1024;

/** Options of {@linkcode WebSocketHandler.writeMessage}. */
export interface WriteMessageOptions {
  /** Whether it goes out as a binary frame; by default bytes do, text and records do not. */
  binary?: boolean;
}

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
export class WebSocketHandler extends RequestHandler implements WebSocketReceiver {
  /** The subprotocol that was agreed on; null for none. */
  selectedSubprotocol: string | null = null;

  #connection: WebSocketConnection | null = null; // there after the handshake

  /**
   * The most bytes of a message; a larger one closes the connection with 1009.
   *
   * @default {10485760}
   */
  get maxMessageSize(): number {
    return (this.settings["websocketMaxMessageSize"] as number | undefined) ?? MAX_MESSAGE_SIZE;
  }

  /** The code of the client's close frame; null until one came, or if it held none. */
  get closeCode(): number | null {
    return this.#connection?.closeCode ?? null;
  }

  /** The reason of the client's close frame; null until one came. */
  get closeReason(): string | null {
    return this.#connection?.closeReason ?? null;
  }

  /** Whether the connection is closing or closed; then nothing can be written. */
  get closing(): boolean {
    return this.#connection?.closing ?? false;
  }

  /** How many bytes wait to be taken by the kernel. */
  get bufferedAmount(): number {
    return this.#connection?.bufferedAmount ?? 0;
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
   * Sends a message: text, bytes, or a record as JSON. The Future is done when the kernel has
   * it, and fails with {@linkcode WebSocketClosedError} if the connection closes before.
   *
   * @throws {WebSocketClosedError} when the connection is closed or closing.
   * @throws {TypeError} when bytes that are no UTF-8 shall go as text.
   */
  writeMessage(
    message: Writable,
    { binary = message instanceof Uint8Array }: WriteMessageOptions = {},
  ): Future<void> {
    const data = typeof message === "string" || message instanceof Uint8Array
      ? message
      : jsonEncode(message);
    const text = data instanceof Uint8Array && !binary ? utf8Decoder.decode(data) : data;
    return this.#open().send(text, binary);
  }

  /**
   * Sends a ping with up to 125 bytes of data.
   *
   * @throws {RangeError} when it is more.
   * @throws {WebSocketClosedError} when the connection is closed or closing.
   */
  ping(data: string | Uint8Array = ""): void {
    this.#open().ping(typeof data === "string" ? encoder.encode(data) : data);
  }

  /**
   * Closes the connection, with a code and reason for the client: a reason alone means 1000.
   * A client that does not answer in 5 s is dropped. A second call does nothing.
   *
   * @throws {RangeError} when the code may not be sent, or the reason is over 123 bytes.
   */
  close(code?: number, reason?: string): void {
    this.#connection?.sendClose(code, reason);
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

  /** Answers the handshake. */
  override get(): void {
    const { request } = this;
    const decision = decideHandshake({
      method: request.method,
      minorVersion: request.version === "HTTP/1.1" ? 1 : 0,
      header: (name) => request.headers.get(name),
    });
    if (!decision.ok) {
      this.setStatus(decision.status);
      for (const name in decision.headers) this.setHeader(name, decision.headers[name]!);
      this.setHeader("Content-Type", "text/plain; charset=UTF-8");
      this.finish(`Cannot open a WebSocket: ${decision.reason}`);
      return;
    }
    const origin = request.headers.get("Origin");
    if (origin !== null && !this.checkOrigin(origin)) {
      throw new HTTPError(403, `Cross origin websockets not allowed: ${origin}`);
    }
    this.#selectSubprotocol(decision.subprotocols);
    this.#accept(decision.key);
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
    if (this.#connection !== null) this.#call(this.onClose, []);
  }

  #checkAnswer(): void {
    if (this.#connection !== null) {
      throw new Error("Cannot change the answer: it was the handshake");
    }
  }

  #open(): WebSocketConnection {
    if (this.#connection === null) {
      throw new WebSocketClosedError("Cannot write: the WebSocket is not open yet");
    }
    return this.#connection;
  }

  #selectSubprotocol(offered: readonly string[]): void {
    const selected = this.selectSubprotocol(offered);
    if (selected === null) return;
    if (!offered.includes(selected)) {
      throw new Error(`Cannot select the subprotocol ${selected}: the client offers ${offered}`);
    }
    this.selectedSubprotocol = selected;
  }

  #accept(key: string): void {
    const fields = new HTTPHeaders({
      "Upgrade": "websocket",
      "Connection": "Upgrade",
      "Sec-WebSocket-Accept": computeAcceptValue(key),
    });
    if (this.selectedSubprotocol !== null) {
      fields.set("Sec-WebSocket-Protocol", this.selectedSubprotocol);
    }
    const connection = new WebSocketConnection(this, this.maxMessageSize);
    connection.start(this._switchProtocols(fields, connection));
    if (connection.closing) return; // the client left before: to the subclass it never came
    this.#connection = connection;
    const args = this.pathKwargs === null ? this.pathArgs : [this.pathKwargs];
    const work = this.#call(this.open as Method, args);
    if (work === null) connection.startReading();
    else work._listen({ _settled: () => connection.startReading() });
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
          if (!work._fulfilled) this.#failed(work._value);
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
    this.#connection?.sendClose(CloseCode.INTERNAL_ERROR);
  }
}

type Method = (...args: never[]) => unknown;

const encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
