import type { X509Certificate } from "node:crypto";
import type { Data, IOStream } from "../iostream/mod.ts";
import type { Future } from "../ioloop/mod.ts";
import type { HTTPHeaders } from "./headers.ts";

/** Is the first line of an answer: what is left out is the registered phrase, and our version. */
export interface AnswerStartLine {
  /** Status code of three digits. */
  readonly code: number;
  /** Instead of the registered phrase; it may be empty. */
  readonly reason?: string | undefined;
  /** Is ignored: the answer is always of the server's own version. */
  readonly version?: string;
}

/** Is a certificate, as `node:crypto` shows it. */
export type PeerCertificate = X509Certificate;

/** Is what took over a connection, as the server sees it: a WebSocket, for one. */
export interface Upgraded {
  /** Ends its protocol in the way that tells the peer; then the stream closes. */
  shutdown(): void;
  /** Closes at once. */
  close(): void;
  /** Closes it if its peer took nothing of what waits for it for `writeTimeout` ms. */
  checkTimes(now: number, writeTimeout: number): void;
  /** Is to be called with it, once, when it has ended; set by the server. */
  onEnd: ((upgraded: Upgraded) => void) | null;
}

/**
 * Is what an application writes its answer to: one head, pieces of a body, the end. One
 * answer belongs to each request.
 */
export interface HTTPConnection {
  /** The address of the peer; `0.0.0.0` when it has none. */
  readonly remoteIp: string;
  /** The address the client reached, as in a URL: `127.0.0.1:8888`. */
  readonly localAddress: string;
  /** `http` or `https`. */
  readonly protocol: "http" | "https";
  /** The certificate of the peer, where TLS asked for one and got it; else null. */
  readonly peerCertificate: PeerCertificate | null;
  /** The field line `Date: ...` of now, give or take a second, with its CRLF. */
  readonly dateField: string;
  /** Returns the time in ms on the scale of the loop. */
  time(): number;

  /**
   * Writes the head of an answer that is streamed, and a first piece of its body. Without a
   * Content-Length the body is chunked (RFC 9112 7.1) or, for an HTTP/1.0 client, ends with the
   * connection. Answers to HEAD, and with status 1xx, 204 or 304, have no body. The Future is
   * done when it is in the kernel; then `callback` is called.
   *
   * @throws {Error} when a head was written already.
   * @throws {TypeError} when a line holds a control character, or the Content-Length is not a
   *   number.
   */
  writeHeaders(
    startLine: AnswerStartLine,
    headers: HTTPHeaders,
    chunk?: Data | null,
    callback?: () => unknown,
  ): Future<void>;

  /**
   * Writes a piece of the body. The Future is done when it is in the kernel; then `callback`
   * is called.
   *
   * @throws {HTTPOutputError} when it is more than Content-Length said; the connection closes.
   * @throws {StreamClosedError} when the client is gone.
   */
  write(chunk: Data, callback?: () => unknown): Future<void>;

  /**
   * Ends the answer.
   *
   * @throws {HTTPOutputError} when it is less than Content-Length said; the connection closes.
   */
  finish(): void;

  /**
   * Writes a whole answer. `line` is the status line and `fields` the field lines, in latin-1,
   * each with its CRLF, without those that frame the answer (Content-Length, Connection);
   * `length` is the length of `body` in bytes.
   *
   * @ignore
   */
  _respond(code: number, line: string, fields: string, body: Data, length: number): void;

  /** Returns a Future that is done when all that was written is in the kernel. */
  written(): Future<void>;

  /**
   * Sets the ms for the rest of this request's body; for a delegate whose `headersReceived` is
   * at work, and later.
   */
  setBodyTimeout(ms: number): void;

  /** Sets the most bytes of this request's body; for a delegate's `headersReceived`. */
  setMaxBodySize(bytes: number): void;

  /** Sets who is called if the client leaves before the answer is finished. */
  onClose: (() => void) | null;

  /** Gives up a request whose answer cannot be finished: the connection closes. */
  abort(error?: unknown): void;

  /**
   * Hands over the stream; the connection does nothing more with it. The bytes that came
   * behind the request are still in it. `upgraded` is told when the server
   * shuts down.
   */
  detach(upgraded?: Upgraded): IOStream;
}
