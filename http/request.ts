import { HTTPHeaders } from "./headers.ts";
import { parseCookie } from "./cookie.ts";
import { parseBodyArguments } from "./form.ts";
import type { HTTPFile } from "./multipart.ts";
import { parseQsBytes } from "./query_string.ts";
import type { RequestHead } from "./request_head.ts";
import { splitHostAndPort } from "./url.ts";
import type { HTTPConnection } from "./connection.ts";

/** Arguments by name: text names, each with its values as bytes. */
export type ArgumentValues = Record<string, Uint8Array[]>;

/** Is who sent a request, and how. */
export interface RequestPeer {
  /** The address of the client. */
  readonly remoteIp: string;
  /** `http` or `https`. */
  readonly protocol: "http" | "https";
}

const NO_BODY = new Uint8Array(0);

/**
 * Is one request as the server read it. What a handler does not ask for is never made:
 * header fields, arguments, cookies and files come into being on first use.
 */
export class HTTPServerRequest {
  /** What the answer is written to. */
  readonly connection: HTTPConnection;
  /** The body, whole; empty when there is none. */
  body: Uint8Array = NO_BODY;

  readonly #head: RequestHead;
  readonly #started: number;
  #peer: RequestPeer; // the connection, or who a proxy says it is
  #headers: HTTPHeaders | null = null;
  #queryArguments: ArgumentValues | null = null;
  #form: { arguments: ArgumentValues; files: Record<string, HTTPFile[]> } | null = null;
  #cookies: Readonly<Record<string, string>> | null = null;

  /** Is made by the connection; `started` is when its head was there, on the loop's scale. */
  constructor(connection: HTTPConnection, head: RequestHead, started: number) {
    this.#peer = this.connection = connection;
    this.#head = head;
    this.#started = started;
  }

  /** The method as sent, such as `GET`. */
  get method(): string {
    return this.#head.method;
  }

  /** The request-target as sent. */
  get uri(): string {
    return this.#head.target;
  }

  /** The path of the target, not decoded. */
  get path(): string {
    return this.#head.path;
  }

  /** The query of the target without its `?`. */
  get query(): string {
    return this.#head.query;
  }

  /** `HTTP/1.0` or `HTTP/1.1`. */
  get version(): "HTTP/1.0" | "HTTP/1.1" {
    return this.#head.minorVersion === 0 ? "HTTP/1.0" : "HTTP/1.1";
  }

  /** The header fields. */
  get headers(): HTTPHeaders {
    return this.#headers ??= HTTPHeaders.fromBlock(this.#head.fields);
  }

  /** The authority that was asked; `127.0.0.1` when an HTTP/1.0 client named none. */
  get host(): string {
    return this.#head.host ?? "127.0.0.1";
  }

  /** The host without its port, in lower case. */
  get hostName(): string {
    return splitHostAndPort(this.host.toLowerCase())[0];
  }

  /** Whether the client asks to change the protocol. */
  get upgrade(): boolean {
    return this.#head.upgrade;
  }

  /** The address of the peer; `0.0.0.0` when it has none. */
  get remoteIp(): string {
    return this.#peer.remoteIp;
  }

  /** `http` or `https`. */
  get protocol(): "http" | "https" {
    return this.#peer.protocol;
  }

  /** The arguments of the query, then those of the body. */
  get arguments(): ArgumentValues {
    const all: ArgumentValues = Object.create(null);
    for (const values of [this.queryArguments, this.bodyArguments]) {
      for (const name in values) all[name] = (all[name] ?? []).concat(values[name]!);
    }
    return all;
  }

  /** The arguments of the query. */
  get queryArguments(): ArgumentValues {
    return this.#queryArguments ??= parseQsBytes(this.query, { keepBlankValues: true });
  }

  /**
   * The arguments of an urlencoded or multipart body.
   *
   * @throws {HTTPInputError} when the body is not what its Content-Type says.
   */
  get bodyArguments(): ArgumentValues {
    return this.#parseBody().arguments;
  }

  /**
   * The files of a multipart body.
   *
   * @throws {HTTPInputError} when the body is not what its Content-Type says.
   */
  get files(): Record<string, HTTPFile[]> {
    return this.#parseBody().files;
  }

  /** The cookies; malformed ones are left out. */
  get cookies(): Readonly<Record<string, string>> {
    return this.#cookies ??= parseCookie(this.headers.getList("Cookie").join("; "));
  }

  /** Returns the URL that was asked for. */
  fullUrl(): string {
    return `${this.protocol}://${this.host}${this.#head.path}${
      this.query === "" ? "" : `?${this.query}`
    }`;
  }

  /** Returns the ms from its head to now. */
  requestTime(): number {
    return this.connection.time() - this.#started;
  }

  /** Shows the request without its header fields and body: they may hold secrets. */
  toString(): string {
    return `HTTPServerRequest(protocol=${this.protocol}, host=${this.host}, ` +
      `method=${this.method}, uri=${this.uri}, version=${this.version}, ` +
      `remoteIp=${this.remoteIp})`;
  }

  /** Sets who the client is, when that is known better. @ignore */
  _identify(peer: RequestPeer): void {
    this.#peer = peer;
  }

  #parseBody(): { arguments: ArgumentValues; files: Record<string, HTTPFile[]> } {
    if (this.#form !== null) return this.#form;
    const form = {
      arguments: Object.create(null) as ArgumentValues,
      files: Object.create(null) as Record<string, HTTPFile[]>,
    };
    const type = this.headers.get("Content-Type", "");
    if (this.body.length > 0) {
      parseBodyArguments(type, this.body, form.arguments, form.files, this.headers);
    }
    this.#form = form;
    return form;
  }
}
