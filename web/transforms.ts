import { gzipSync } from "node:zlib";
import { GzipCompressor, type HTTPHeaders, type HTTPServerRequest } from "../http/mod.ts";
import { acceptsEncoding } from "./_accepts_encoding.ts";

/** Is an answer on its way: status, header fields, the first piece of the body. */
export type FirstChunk = [status: number, headers: HTTPHeaders, chunk: Uint8Array];

/** Is a class whose instances change one answer each. */
export type OutputTransformClass = new (request: HTTPServerRequest) => OutputTransform;

/** Changes an answer on its way out; override what it should do. One is made for each request. */
export class OutputTransform {
  /** Takes the request that is answered. */
  constructor(_request: HTTPServerRequest) {}

  /** Changes the head and the first piece of the body, with `finishing` all of it. */
  transformFirstChunk(
    status: number,
    headers: HTTPHeaders,
    chunk: Uint8Array,
    _finishing: boolean,
  ): FirstChunk {
    return [status, headers, chunk];
  }

  /** Changes a further piece of the body, with `finishing` the last one, which may be empty. */
  transformChunk(chunk: Uint8Array, _finishing: boolean): Uint8Array {
    return chunk;
  }
}

const PLAIN_TYPES: readonly string[] = [
  "application/atom+xml",
  "application/javascript",
  "application/json",
  "application/x-javascript",
  "application/xhtml+xml",
  "application/xml",
  "image/svg+xml",
];

/**
 * Compresses answers for clients that take gzip. Short ones, ranges, those that are encoded
 * already and those of a type that does not shrink stay as they are. All say `Vary:
 * Accept-Encoding`. The setting `compressResponse` turns it on.
 *
 * A page with a secret in it, compressed beside text that an attacker chose, gives the secret
 * away by its length; the XSRF token is masked for that reason.
 */
export class GZipContentEncoding extends OutputTransform {
  /** The types that are compressed, besides `text/*`. */
  static CONTENT_TYPES: readonly string[] = PLAIN_TYPES;
  /** From 1, fast, to 9, small. */
  static GZIP_LEVEL = 6;
  /** The bytes below which a whole answer stays as it is. */
  static MIN_LENGTH = 1024;

  #active: boolean;
  #compressor: GzipCompressor | null = null; // there once the first of several pieces came

  /** Reads what the client takes. */
  constructor(request: HTTPServerRequest) {
    super(request);
    this.#active = acceptsEncoding(request.headers.get("Accept-Encoding", ""), "gzip");
  }

  /** Decides whether to compress, and says so in the head. */
  override transformFirstChunk(
    status: number,
    headers: HTTPHeaders,
    chunk: Uint8Array,
    finishing: boolean,
  ): FirstChunk {
    const vary = headers.get("Vary");
    if (vary === null) headers.set("Vary", "Accept-Encoding");
    else if (!/\baccept-encoding\b/i.test(vary)) headers.set("Vary", `${vary}, Accept-Encoding`);
    const { MIN_LENGTH } = this.#class;
    this.#active &&= !headers.has("Content-Encoding") && !headers.has("Content-Range") &&
      (!finishing || chunk.length >= MIN_LENGTH) && this.#shrinks(headers.get("Content-Type", ""));
    if (!this.#active) return [status, headers, chunk];
    headers.set("Content-Encoding", "gzip");
    const tag = headers.get("Etag");
    // RFC 9110 8.8.1: a strong tag is for one encoding.
    if (tag?.startsWith('"')) headers.set("Etag", `W/${tag}`);
    headers.delete("Content-Length");
    return [status, headers, this.transformChunk(chunk, finishing)];
  }

  /** Compresses a piece. */
  override transformChunk(chunk: Uint8Array, finishing: boolean): Uint8Array {
    if (!this.#active) return chunk;
    const { GZIP_LEVEL } = this.#class;
    if (this.#compressor === null && finishing) return gzipSync(chunk, { level: GZIP_LEVEL });
    const compressor = this.#compressor ??= new GzipCompressor(GZIP_LEVEL);
    return finishing ? compressor.finish(chunk) : compressor.compress(chunk);
  }

  get #class(): typeof GZipContentEncoding {
    return this.constructor as typeof GZipContentEncoding;
  }

  #shrinks(contentType: string): boolean {
    const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
    return type.startsWith("text/") || this.#class.CONTENT_TYPES.includes(type);
  }
}
