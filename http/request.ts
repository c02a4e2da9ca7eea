import { CancelledError, type Future } from "../ioloop/mod.ts";
import type { Data } from "../iostream/mod.ts";
import { HTTPInputError } from "./errors.ts";
import { HTTPHeaders } from "./headers.ts";
import { parseCookie } from "./cookie.ts";
import { parseBodyArguments } from "./form.ts";
import type { HTTPFile } from "./multipart.ts";
import { parseQsBytes } from "./query_string.ts";
import { NoConnection } from "./_no_connection.ts";
import { RequestHead } from "./request_head.ts";
import { RequestParser } from "./request_parser.ts";
import { splitHostAndPort } from "./url.ts";
import type { HTTPConnection, PeerCertificate } from "./connection.ts";

/** Arguments by name: text names, each with its values as bytes. */
export type ArgumentValues = Record<string, Uint8Array[]>;

/** Is who sent a request, and how. */
export interface RequestPeer {
  /** The address of the client. */
  readonly remoteIp: string;
  /** `http` or `https`. */
  readonly protocol: "http" | "https";
}

/** Options of a {@linkcode HTTPServerRequest} that is made by hand. */
export interface HTTPServerRequestOptions {
  /**
   * The method.
   *
   * @default {"GET"}
   */
  method?: string;
  /** The request-target, such as `/path?query`. */
  uri: string;
  /**
   * The version.
   *
   * @default {"HTTP/1.1"}
   */
  version?: "HTTP/1.0" | "HTTP/1.1";
  /** The header fields; a Host is added if there is none. */
  headers?: HTTPHeaders;
  /** The authority that was asked; by default what the Host field says, else `127.0.0.1`. */
  host?: string;
  /** The body. */
  body?: Uint8Array;
  /** What the answer is written to; without it there can be no answer. */
  connection?: HTTPConnection;
  /** Who sent it; by default what the connection says. */
  peer?: Partial<RequestPeer>;
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
  #abort: AbortController | null = null;
  #peer: RequestPeer; // the connection, or who a proxy says it is
  #headers: HTTPHeaders | null = null;
  #queryArguments: ArgumentValues | null = null;
  #form: { arguments: ArgumentValues; files: Record<string, HTTPFile[]> } | null = null;
  #cookies: Readonly<Record<string, string>> | null = null;

  /** Makes a request that no server read, for a test. */
  constructor(options: HTTPServerRequestOptions);
  /**
   * Is made by the connection; `started` is when the head was there, on the loop's scale.
   *
   * @ignore
   */
  constructor(head: RequestHead, connection: HTTPConnection, started: number);
  constructor(
    from: RequestHead | HTTPServerRequestOptions,
    connection: HTTPConnection | undefined = undefined,
    started = 0,
  ) {
    if (from instanceof RequestHead) {
      this.#head = from;
      this.#peer = this.connection = connection!;
      this.#started = started;
    } else {
      this.#head = headOf(from);
      this.connection = from.connection ?? new NoConnection();
      const { remoteIp, protocol } = this.connection;
      this.#peer = { remoteIp, protocol, ...from.peer };
      this.#started = this.connection.time();
      this.body = from.body ?? NO_BODY;
    }
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

  /** Whether there is an If-None-Match field. @ignore */
  get _conditional(): boolean {
    return this.#head.conditional;
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

  /** Is aborted when the client leaves before the answer is finished. */
  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  /** Tells whether the client knows HTTP/1.1. */
  supportsHttp11(): boolean {
    return this.version === "HTTP/1.1";
  }

  /** Writes to the answer; see {@linkcode HTTPConnection.write}. */
  write(chunk: Data, callback?: () => unknown): Future<void> {
    return this.connection.write(chunk, callback);
  }

  /** Ends the answer; see {@linkcode HTTPConnection.finish}. */
  finish(): void {
    this.connection.finish();
  }

  /**
   * Returns the certificate of the client, if the server asked for one by `clientCert` and got
   * it; with `binaryForm` in DER.
   */
  getSslCertificate(options: { binaryForm: true }): Uint8Array | null;
  /** Returns the certificate of the client. */
  getSslCertificate(options?: { binaryForm?: false }): PeerCertificate | null;
  getSslCertificate(
    { binaryForm = false }: { binaryForm?: boolean } = {},
  ): PeerCertificate | Uint8Array | null {
    const certificate = this.connection.peerCertificate;
    return certificate === null || !binaryForm ? certificate : new Uint8Array(certificate.raw);
  }

  /**
   * Makes a Fetch request with the same fields and `body`, by default what came. Its URL is put
   * together from protocol, Host and target; its signal is aborted as this one's is.
   */
  toFetchRequest(body: BodyInit | null = this.body.length > 0 ? this.body.slice() : null): Request {
    const { method, signal } = this;
    const init: RequestInit = { method, headers: this.headers.toFetchHeaders(), signal };
    if (method !== "GET" && method !== "HEAD") init.body = body;
    return new Request(this.fullUrl(), init);
  }

  /** Tells that the client has left; called by the connection. @ignore */
  _clientLeft(): void {
    this.#abort?.abort(new CancelledError("the client left"));
  }

  /** Lets go of the fields as they were taken apart, until somebody asks for them again. @ignore */
  _forgetHeaders(): void {
    this.#headers = null;
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

// By way of the parser: a request that a server would refuse can't be made.
function headOf(options: HTTPServerRequestOptions): RequestHead {
  const { method = "GET", uri, version = "HTTP/1.1", host } = options;
  const headers = options.headers?.copy() ?? new HTTPHeaders();
  if (host !== undefined) headers.set("Host", host);
  else if (!headers.has("Host") && version === "HTTP/1.1") headers.set("Host", "127.0.0.1");
  const text = `${method} ${uri} ${version}\r\n${headers.toBlock()}\r\n`;
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const parser = new RequestParser({ maxHeaderSize: bytes.length });
  const end = parser.parse(bytes, 0, bytes.length);
  const { head } = parser;
  if (end !== bytes.length || head.method !== method || head.target !== uri) {
    throw new HTTPInputError(`Cannot make a request of ${JSON.stringify(text)}`);
  }
  return head;
}
