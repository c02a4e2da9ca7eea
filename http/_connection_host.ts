import { Future, type IOLoop, type Timeout } from "../ioloop/mod.ts";
import type { IOStream } from "../iostream/mod.ts";
import { AnswerHeads } from "./answer_heads.ts";
import type { Upgraded } from "./connection.ts";
import type { HTTPMessageDelegate } from "./delegates.ts";
import type { HTTPServerRequest } from "./request.ts";
import { RequestParser } from "./request_parser.ts";
import {
  type ConnectionLimits,
  ServerConnection,
  type ServerConnectionHost,
} from "./_server_connection.ts";
import { formatTimestamp } from "./timestamp.ts";

const LONGEST_SWEEP_MS = 1000;
const SHORTEST_SWEEP_MS = 10;

/** Is given the requests of a {@linkcode ConnectionHost}. */
export interface RequestTaker {
  /** See {@linkcode ServerConnectionHost.begin}; null: all requests are handled whole. */
  begin:
    | ((connection: ServerConnection, request: HTTPServerRequest) => HTTPMessageDelegate | null)
    | null;
  /** See {@linkcode ServerConnectionHost.handle}. */
  handle(request: HTTPServerRequest): unknown;
  /** Is told of a connection that is served no more. */
  ended(connection: ServerConnection): void;
}

/** Holds the connections of a server, and what they have in common. */
export class ConnectionHost implements ServerConnectionHost {
  readonly limits: ConnectionLimits;
  readonly heads: AnswerHeads = new AnswerHeads();
  readonly precision: number;
  readonly delegates: boolean;
  parser: RequestParser;
  now = 0;
  dateField = "";
  closing = false;

  readonly #taker: RequestTaker;
  readonly #connections = new Set<ServerConnection>();
  readonly #upgraded = new Set<Upgraded>();
  #loop: IOLoop | null = null; // of the connections
  #late = false; // the last sweep was, and judged nobody
  #sweep: Timeout | null = null; // there while there are connections
  #whenEmpty: Future<void>[] = [];
  readonly #upgradedEnded = (upgraded: Upgraded): void => {
    this.#upgraded.delete(upgraded);
    this.#checkEmpty();
  };

  constructor(taker: RequestTaker, limits: ConnectionLimits) {
    this.#taker = taker;
    this.limits = limits;
    this.delegates = taker.begin !== null;
    this.parser = new RequestParser(limits);
    const { idleConnectionTimeout, headerTimeout, bodyTimeout, writeTimeout } = limits;
    const shortest = Math.min(idleConnectionTimeout, headerTimeout, bodyTimeout, writeTimeout);
    this.precision = Math.max(SHORTEST_SWEEP_MS, Math.min(shortest / 8, LONGEST_SWEEP_MS));
  }

  /** How many connections there are, upgraded ones included. */
  get size(): number {
    return this.#connections.size + this.#upgraded.size;
  }

  /** Serves a stream. */
  serve(stream: IOStream, remoteIp: string, protocol: "http" | "https"): ServerConnection {
    this.#loop = stream.ioLoop;
    if (this.#sweep === null) this.#startSweep();
    const connection = new ServerConnection(stream, this, remoteIp, protocol);
    this.#connections.add(connection);
    return connection;
  }

  /** Closes all connections; with an `error` what they have not sent is lost. */
  close(error: unknown = null): void {
    for (const connection of [...this.#connections]) connection.close(error);
    for (const upgraded of [...this.#upgraded]) upgraded.close();
  }

  /** Lets each connection end with what is in progress. */
  endAll(): void {
    this.closing = true;
    for (const connection of [...this.#connections]) connection.shutdown();
    for (const upgraded of [...this.#upgraded]) upgraded.shutdown();
  }

  /** Is done when there are no connections. */
  empty(): Future<void> {
    const future = new Future<void>();
    this.#whenEmpty.push(future);
    this.#checkEmpty();
    return future;
  }

  begin(connection: ServerConnection, request: HTTPServerRequest): HTTPMessageDelegate | null {
    return this.#taker.begin!(connection, request);
  }

  handle(request: HTTPServerRequest): unknown {
    return this.#taker.handle(request);
  }

  forget(connection: ServerConnection, upgraded?: Upgraded): void {
    this.#connections.delete(connection);
    if (upgraded !== undefined) {
      this.#upgraded.add(upgraded);
      upgraded.onEnd = this.#upgradedEnded;
      if (this.closing) upgraded.shutdown();
    }
    this.#taker.ended(connection);
    this.#checkEmpty();
  }

  // One timer looks after all connections: a request costs no timer of its own, only the
  // note of a deadline. It runs while there are connections, and keeps the date.
  //
  // One that comes late was held up, by a handler or because the whole process stood still, and
  // so was what the clients sent and took meanwhile: they are judged by the next one.
  #startSweep(): void {
    const loop = this.#loop!;
    this.now = loop.time();
    this.dateField = `Date: ${formatTimestamp(Date.now())}\r\n`;
    const due = this.now + this.precision;
    this.#sweep = loop.callLater(this.precision, () => {
      this.#startSweep();
      this.#late = !this.#late && this.now - due > this.precision;
      if (this.#late) return;
      for (const connection of this.#connections) connection._checkTimes(this.now);
      const { writeTimeout } = this.limits;
      for (const upgraded of this.#upgraded) upgraded.checkTimes(this.now, writeTimeout);
    });
  }

  #checkEmpty(): void {
    if (this.size > 0) return;
    if (this.#sweep !== null) this.#loop!.removeTimeout(this.#sweep);
    this.#sweep = null;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const future of waiting) future._settle(1, undefined);
  }
}
