// The public face of a connection on which one exchange is made at a time, over the client's
// connection or over the server's. Both of these read on their own; here somebody says when,
// by readResponse(). So each message goes to a Turn, which lets it wait for its delegate.
import { convertYielded, type MaybeYieldable } from "../gen/mod.ts";
import { describeError } from "../ioloop/errors.ts";
import { appLog, Future, genLog, type Timeout } from "../ioloop/mod.ts";
import { type Data, type IOStream, StreamClosedError } from "../iostream/mod.ts";
import { ClientConnection, type Exchange } from "./_client_connection.ts";
import { ConnectionHost } from "./_connection_host.ts";
import type { RequestFraming } from "./_request_head.ts";
import type { ConnectionLimits, ServerConnection } from "./_server_connection.ts";
import type { AnswerStartLine } from "./connection.ts";
import { type HTTP1ConnectionParameters, limitsOf } from "./connection_parameters.ts";
import type { HTTPMessageDelegate } from "./delegates.ts";
import { HTTPInputError, HTTPOutputError } from "./errors.ts";
import { DecompressionError } from "./gzip_decompressor.ts";
import type { HTTPHeaders } from "./headers.ts";
import { type HTTP1ConnectionContext, peerAddress } from "./server_connection.ts";
import { parseRequestStartLine, type RequestStartLine } from "./start_line.ts";

const CHUNKED_METHODS = new Set(["POST", "PUT", "PATCH"]);
const NOT_LATIN1_REGEXP = /[^\0-\xff]/;

/** What a {@linkcode HTTP1Connection} writes first: a request or an answer. */
export type MessageStartLine = Omit<RequestStartLine, "version"> | AnswerStartLine;

/** Is one of the two sides. */
interface Side {
  readResponse(delegate: HTTPMessageDelegate): Future<boolean>;
  writeHeaders(startLine: MessageStartLine, headers: HTTPHeaders): void;
  write(chunk: Data): void;
  finish(): void;
  setBodyTimeout(ms: number): void;
  setMaxBodySize(bytes: number): void;
  detach(): IOStream;
  onClose: (() => unknown) | null;
}

/**
 * Speaks HTTP/1.1 on a stream, as a client or as a server: one exchange after the other, each
 * of them a head, a body and the same from the other side. What the client and the server of
 * this package do by themselves, for those who want to do it by hand.
 *
 * @example Both sides
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { IOStream } from "@waterspout/waterspout/iostream";
 * import { HTTP1Connection, HTTPHeaders } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   const [near, far] = yield* IOStream.pair();
 *   const client = new HTTP1Connection(near, true);
 *   const server = new HTTP1Connection(far, false);
 *   client.writeHeaders({ method: "GET", path: "/" }, new HTTPHeaders({ Host: "x" }));
 *   client.finish();
 *   const served = server.readResponse({
 *     headersReceived() {},
 *     dataReceived() {},
 *     finish() {
 *       server.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "2" }), "ok");
 *       server.finish();
 *     },
 *     onConnectionClose() {},
 *   });
 *   let body = "";
 *   const again = yield* client.readResponse({
 *     headersReceived() {},
 *     dataReceived(chunk) {
 *       body += new TextDecoder().decode(chunk);
 *     },
 *     finish() {},
 *     onConnectionClose() {},
 *   });
 *   assertEquals([body, again, yield* served], ["ok", true, true]);
 *   client.close();
 *   server.close();
 * });
 * ```
 */
export class HTTP1Connection {
  /** The stream. */
  readonly stream: IOStream;
  readonly #side: Side;

  /** Takes the stream, which is the connection's from now on. */
  constructor(
    stream: IOStream,
    isClient: boolean,
    parameters: HTTP1ConnectionParameters = {},
    context: HTTP1ConnectionContext = {},
  ) {
    this.stream = stream;
    const limits = limitsOf(parameters, stream.maxBufferSize);
    this.#side = isClient
      ? new ClientSide(stream, limits, parameters)
      : new ServerSide(stream, limits, context);
  }

  /**
   * Reads the other side's next message: a client an answer, behind interim ones, a server a
   * request. The Future is done when the exchange is, so on a server when the request was
   * answered; it tells whether the connection may be used again. It never fails: what the
   * delegate throws is logged, and so is what was wrong with the message.
   *
   * @throws {Error} when a message is read already.
   */
  readResponse(delegate: HTTPMessageDelegate): Future<boolean> {
    return this.#side.readResponse(delegate);
  }

  /** Sets who is called if the other side leaves before the exchange is over; null: nobody. */
  setCloseCallback(fn: (() => unknown) | null = null): void {
    this.#side.onClose = fn;
  }

  /**
   * Writes the head of a message, and a first piece of its body. Without a Content-Length an
   * answer is chunked, and so are requests with POST, PUT or PATCH. The Future is done when it
   * is in the kernel; then `callback` is called.
   *
   * @throws {TypeError} when a line cannot be sent, or the Content-Length is not a number.
   */
  writeHeaders(
    startLine: MessageStartLine,
    headers: HTTPHeaders,
    chunk: Data | null = null,
    callback?: () => unknown,
  ): Future<void> {
    this.#side.writeHeaders(startLine, headers);
    if (chunk !== null) return this.write(chunk, callback);
    return this.#toKernel(callback);
  }

  /**
   * Writes a piece of the body. The Future is done when it is in the kernel; then `callback`
   * is called.
   *
   * @throws {HTTPOutputError} when it is more than Content-Length said; the connection closes.
   * @throws {StreamClosedError} when the connection is closed.
   */
  write(chunk: Data, callback?: () => unknown): Future<void> {
    this.#side.write(chunk);
    return this.#toKernel(callback);
  }

  /**
   * Ends the message.
   *
   * @throws {HTTPOutputError} when it is less than Content-Length said; the connection closes.
   */
  finish(): void {
    this.#side.finish();
  }

  /** Sets the ms for the rest of the body that is read, from `headersReceived` on. */
  setBodyTimeout(ms: number): void {
    this.#side.setBodyTimeout(ms);
  }

  /** Sets the most bytes of the body that is read; for `headersReceived`. */
  setMaxBodySize(bytes: number): void {
    this.#side.setMaxBodySize(bytes);
  }

  /** Hands over the stream, with what came and was not read; the connection is done. */
  detach(): IOStream {
    return this.#side.detach();
  }

  /** Closes the stream. */
  close(): void {
    this.stream.close();
  }

  #toKernel(callback: (() => unknown) | undefined): Future<void> {
    const future = this.stream._whenWritten();
    if (callback !== undefined) this.stream._callBack(future, callback);
    return future;
  }
}

/** Lets a message wait for the delegate that is to get it. */
class Turn implements HTTPMessageDelegate {
  readonly #delegate = new Future<HTTPMessageDelegate>();
  readonly #finished: () => void;
  readonly #closed: () => void;

  /** `finished` is called behind the delegate's `finish`, `closed` behind its other end. */
  constructor(finished: () => void, closed: () => void) {
    this.#finished = finished;
    this.#closed = closed;
  }

  /** Gives the message to `delegate`. */
  take(delegate: HTTPMessageDelegate): void {
    this.#delegate._settle(1, delegate);
  }

  headersReceived(...head: Parameters<HTTPMessageDelegate["headersReceived"]>): unknown {
    if (this.#delegate.done()) return this.#delegate.result().headersReceived(...head);
    return this.#delegate.then((delegate) => {
      const work = delegate.headersReceived(...head);
      return isNothing(work) ? undefined : convertYielded(work as MaybeYieldable);
    });
  }

  dataReceived(chunk: Uint8Array): unknown {
    return this.#delegate.result().dataReceived(chunk);
  }

  finish(): unknown {
    const work = this.#delegate.result().finish();
    this.#finished();
    return work;
  }

  onConnectionClose(): void {
    try {
      if (this.#delegate.done()) this.#delegate.result().onConnectionClose();
    } finally {
      this.#closed();
    }
  }
}

class ClientSide implements Side {
  onClose: (() => unknown) | null = null;
  readonly #connection: ClientConnection;
  readonly #limits: ConnectionLimits;
  readonly #headerTimeout: number;
  #exchange: ClientExchange | null = null; // in progress

  constructor(stream: IOStream, limits: ConnectionLimits, parameters: HTTP1ConnectionParameters) {
    this.#connection = new ClientConnection(stream, limits);
    this.#limits = limits;
    this.#headerTimeout = parameters.headerTimeout ?? Infinity; // a client sets it for itself
  }

  readResponse(delegate: HTTPMessageDelegate): Future<boolean> {
    const { stream } = this.#connection;
    if (stream.closed()) {
      delegate.onConnectionClose();
      return Future.resolved(false);
    }
    return (this.#exchange ?? this.#begin("GET")).read(delegate, this.#headerTimeout);
  }

  writeHeaders(startLine: MessageStartLine, headers: HTTPHeaders): void {
    if (!("method" in startLine)) throw new TypeError("Cannot write the head: a method is missing");
    const { method, path } = startLine;
    const line = `${method} ${path} HTTP/1.1`;
    try {
      parseRequestStartLine(line);
    } catch (cause) {
      throw new TypeError(`Cannot write the head: ${JSON.stringify(line)} is no request line`, {
        cause,
      });
    }
    const framing = framingOf(method, headers);
    let fields = headers.toBlock();
    if (framing.chunked && !headers.has("Transfer-Encoding")) {
      fields += "Transfer-Encoding: chunked\r\n";
    }
    const closes = this.#limits.noKeepAlive ||
      headers.get("Connection", "").toLowerCase() === "close";
    if (closes && !headers.has("Connection")) fields += "Connection: close\r\n";
    const head = `${line}\r\n${fields}\r\n`;
    if (NOT_LATIN1_REGEXP.test(head)) {
      throw new TypeError("Cannot write the head: a character is beyond latin-1");
    }
    if (this.#exchange === null) this.#begin(method);
    else this.#exchange.method = method;
    this.#connection.writeHead(head, framing, closes);
  }

  write(chunk: Data): void {
    this.#connection.write(chunk);
  }

  finish(): void {
    this.#connection.finishRequest();
  }

  setBodyTimeout(ms: number): void {
    this.#exchange?.setBodyTimeout(ms);
  }

  setMaxBodySize(bytes: number): void {
    if (this.#exchange !== null) this.#exchange.maxBodySize = bytes;
  }

  detach(): IOStream {
    const stream = this.#connection.detach();
    this.#exchange?.over(false);
    return stream;
  }

  #begin(method: string): ClientExchange {
    const exchange = new ClientExchange(this.#connection, method, this.#limits, (whole) => {
      this.#exchange = null;
      if (!whole) this.onClose?.();
    });
    this.#exchange = exchange;
    this.#connection.begin(exchange);
    return exchange;
  }
}

class ClientExchange implements Exchange {
  method: string;
  maxBodySize: number;
  readonly decompress: boolean;
  readonly delegate: HTTPMessageDelegate;
  readonly #connection: ClientConnection;
  readonly #bodyTimeout: number;
  readonly #turn: Turn;
  readonly #ended: (whole: boolean) => void;
  #reading: Future<boolean> | null = null;
  #timer: Timeout | null = null;

  constructor(
    connection: ClientConnection,
    method: string,
    { decompress, maxBodySize, bodyTimeout }: ConnectionLimits,
    ended: (whole: boolean) => void,
  ) {
    this.#connection = connection;
    this.method = method;
    this.decompress = decompress;
    this.maxBodySize = maxBodySize;
    this.#bodyTimeout = bodyTimeout;
    this.#ended = ended;
    this.#turn = new Turn(() => this.#finished(), () => {});
    this.delegate = {
      headersReceived: (...head) => {
        this.setBodyTimeout(this.#bodyTimeout);
        return this.#turn.headersReceived(...head);
      },
      dataReceived: (chunk) => this.#turn.dataReceived(chunk),
      finish: () => this.#turn.finish(),
      onConnectionClose: () => this.#turn.onConnectionClose(),
    };
  }

  read(delegate: HTTPMessageDelegate, headerTimeout: number): Future<boolean> {
    if (this.#reading !== null) throw new Error("Cannot read: a message is read already");
    const reading = this.#reading = new Future<boolean>();
    this.#limitTime(headerTimeout, "head");
    this.#turn.take(delegate);
    return reading;
  }

  setBodyTimeout(ms: number): void {
    this.#limitTime(ms, "body");
  }

  /** The server's word that it wants the body: whoever waits for that sends it anyway. */
  continued(): void {}

  failed(error: unknown): void {
    this.#log(error);
    this.over(false);
  }

  /** Ends it; a second call does nothing. */
  over(reusable: boolean): void {
    this.#limitTime(Infinity, "body");
    const first = this.#reading?._settle(1, reusable) ?? true;
    if (first) this.#ended(reusable);
  }

  #finished(): void {
    this.over(this.#connection.reusable);
  }

  #limitTime(ms: number, part: "head" | "body"): void {
    const { stream } = this.#connection;
    const loop = stream.ioLoop;
    if (this.#timer !== null) loop.removeTimeout(this.#timer);
    this.#timer = ms === Infinity ? null : loop.callLater(ms, () => {
      this.#timer = null;
      genLog.info("Timeout reading {part} from {ip}", { part, ip: peerAddress(stream) });
      stream.close();
    });
  }

  #log(error: unknown): void {
    if (error instanceof StreamClosedError || error instanceof HTTPOutputError) return;
    if (error instanceof HTTPInputError || error instanceof DecompressionError) {
      genLog.info("Malformed HTTP message from {ip}: {error}", {
        ip: peerAddress(this.#connection.stream),
        error: error.message,
      });
    } else {
      appLog.error("Uncaught exception of a delegate: {error}", { error: describeError(error) });
    }
  }
}

class ServerSide implements Side {
  onClose: (() => unknown) | null = null;
  readonly #stream: IOStream;
  readonly #limits: ConnectionLimits;
  readonly #context: HTTP1ConnectionContext;
  #connection: ServerConnection | null = null; // there once something is read
  #turn: Turn | null = null; // of a request that came, or of the one that is waited for
  #came = false; // that request
  #reading: Future<boolean> | null = null;

  constructor(stream: IOStream, limits: ConnectionLimits, context: HTTP1ConnectionContext) {
    this.#stream = stream;
    this.#limits = limits;
    this.#context = context;
  }

  readResponse(delegate: HTTPMessageDelegate): Future<boolean> {
    if (this.#reading !== null) throw new Error("Cannot read: a message is read already");
    if (this.#stream.closed() || this.#connection?.over === true) {
      delegate.onConnectionClose();
      return Future.resolved(false);
    }
    const reading = this.#reading = new Future<boolean>();
    this.#turn ??= this.#newTurn();
    this.#turn.take(delegate);
    if (this.#connection === null) this.#serve();
    return reading;
  }

  writeHeaders(startLine: MessageStartLine, headers: HTTPHeaders): void {
    if (!("code" in startLine)) throw new TypeError("Cannot write the head: a code is missing");
    this.#mustServe().writeHeaders(startLine, headers);
  }

  write(chunk: Data): void {
    this.#mustServe().write(chunk);
  }

  finish(): void {
    const connection = this.#mustServe();
    const reading = this.#reading;
    this.#reading = null; // so that the next request, which may be there, finds nobody
    this.#turn = null;
    this.#came = false;
    try {
      connection.finish();
    } finally {
      reading?._settle(1, !connection.over);
    }
  }

  setBodyTimeout(ms: number): void {
    this.#connection?.setBodyTimeout(ms);
  }

  setMaxBodySize(bytes: number): void {
    this.#connection?.setMaxBodySize(bytes);
  }

  detach(): IOStream {
    this.#connection?.detach();
    this.#over();
    return this.#stream;
  }

  #serve(): void {
    const stream = this.#stream;
    const host = new ConnectionHost({
      begin: (connection) => {
        connection.onClose = () => this.onClose?.();
        this.#turn ??= this.#newTurn();
        this.#came = true;
        return this.#turn;
      },
      handle: () => undefined,
      ended: () => this.#ended(),
    }, this.#limits);
    const { remoteIp = peerAddress(stream), protocol = "http" } = this.#context;
    this.#connection = host.serve(stream, remoteIp, protocol);
  }

  #newTurn(): Turn {
    return new Turn(() => {}, () => this.#over());
  }

  // A delegate that waits for a request is told as well that none will come.
  #ended(): void {
    const turn = this.#turn;
    this.#turn = null;
    if (turn !== null && !this.#came) turn.onConnectionClose();
    this.#over();
  }

  #over(): void {
    const reading = this.#reading;
    this.#reading = null;
    reading?._settle(1, false);
  }

  #mustServe(): ServerConnection {
    if (this.#connection !== null) return this.#connection;
    throw new Error("Cannot answer: no request was read");
  }
}

function framingOf(method: string, headers: HTTPHeaders): RequestFraming {
  const length = headers.get("Content-Length");
  if (length !== null && !/^\d+$/.test(length)) {
    throw new TypeError(`Cannot write the head: its Content-Length is ${JSON.stringify(length)}`);
  }
  const coding = headers.get("Transfer-Encoding");
  if (coding !== null && (coding.toLowerCase() !== "chunked" || length !== null)) {
    throw new TypeError(`Cannot write the head: its Transfer-Encoding is ${coding}`);
  }
  const chunked = coding !== null || length === null && CHUNKED_METHODS.has(method);
  return { length: length === null ? -1 : Number(length), chunked };
}

function isNothing(work: unknown): work is null | undefined {
  return work === null || work === undefined;
}
