/**
 * HTTP/1.1: parsers, headers, cookies, forms, the server and the client. The parsing half knows
 * no stream and no loop; server and client stand on `iostream/`.
 *
 * @example Parse a head without a connection
 * ```ts
 * import { RequestParser } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new RequestParser();
 * const bytes = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
 * assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
 * assertEquals(parser.head.method, "GET");
 * ```
 *
 * @module
 */
export type { AnswerHeads } from "./answer_heads.ts";
export { ChunkedDecoder, type ChunkedDecoderOptions } from "./chunked_decoder.ts";
export type { AnswerStartLine, HTTPConnection, PeerCertificate, Upgraded } from "./connection.ts";
export { parseCookie } from "./cookie.ts";
export { encodeUsernamePassword } from "./credentials.ts";
export { HTTPInputError, type HTTPMessageErrorOptions, HTTPOutputError } from "./errors.ts";
export { GzipCompressor } from "./gzip_compressor.ts";
export { parseBodyArguments, type ParseBodyConfig, setParseBodyConfig } from "./form.ts";
export { DecompressionError, GzipDecompressor } from "./gzip_decompressor.ts";
export { HTTPHeaders, type HTTPHeadersInit } from "./headers.ts";
export { jsonDecode, jsonEncode } from "./json.ts";
export { linkify, type LinkifyOptions } from "./linkify.ts";
export {
  type HTTPFile,
  type ParseMultipartConfig,
  parseMultipartFormData,
  type PartHead,
} from "./multipart.ts";
export {
  MultipartDecoder,
  type MultipartDecoderOptions,
  type MultipartSink,
} from "./multipart_decoder.ts";
export { encodeHeader, parseHeader } from "./parse_header.ts";
export { parseQsBytes, type ParseQsOptions } from "./query_string.ts";
export { getContentRange, parseRequestRange } from "./range.ts";
export {
  type ArgumentValues,
  HTTPServerRequest,
  type HTTPServerRequestOptions,
  type RequestPeer,
} from "./request.ts";
export { RequestHead } from "./request_head.ts";
export { RequestParser, type RequestParserOptions } from "./request_parser.ts";
export { formatResponseHead, statusLine } from "./response_head.ts";
export {
  HTTPServer,
  type HTTPServerApp,
  type HTTPServerOptions,
  type ShutdownOptions,
  type ShutdownResult,
} from "./server.ts";
export { type HTTP1ConnectionContext, HTTP1ServerConnection } from "./server_connection.ts";
export type { HTTP1ConnectionParameters } from "./connection_parameters.ts";
export type {
  HTTPMessageDelegate,
  HTTPServerConnectionDelegate,
  HTTPServerPeer,
} from "./delegates.ts";
export { squeeze } from "./squeeze.ts";
export {
  parseRequestStartLine,
  parseResponseStartLine,
  type RequestStartLine,
  type ResponseStartLine,
} from "./start_line.ts";
export { reasonPhrase, responses } from "./status.ts";
export { formatTimestamp } from "./timestamp.ts";
export { nativeStr, recursiveUnicode, toBasestring, toUnicode, utf8 } from "./unicode.ts";
export { qsToQsl, splitHostAndPort, type UrlArguments, urlConcat } from "./url.ts";
export {
  urlEscape,
  type UrlEscapeOptions,
  urlUnescape,
  type UrlUnescapeOptions,
} from "./url_escape.ts";
export { xhtmlEscape, xhtmlUnescape } from "./xhtml.ts";
export {
  AsyncHTTPClient,
  type AsyncHTTPClientOptions,
  type CancelFetch,
  type FetchCallback,
  fetchOnce,
  type FetchOptions,
  SimpleAsyncHTTPClient,
} from "./client.ts";
export { HTTPStreamClosedError, HTTPTimeoutError } from "./client_errors.ts";
export {
  type AuthMode,
  type BodyWriter,
  type CookieJar,
  HTTPRequest,
  type HTTPRequestOptions,
  type ResolvedOptions,
  type ResolvedRequest,
} from "./client_request.ts";
export {
  HTTPClientError,
  type HTTPClientErrorOptions,
  HTTPResponse,
  type HTTPResponseOptions,
  type TimeInfo,
} from "./client_response.ts";
export type { StreamedResponse } from "./streamed_response.ts";
export {
  readServerSentEvents,
  type ServerSentEvent,
  type ServerSentEventOptions,
  ServerSentEventParser,
} from "./server_sent_events.ts";
export { type ClientStreamOptions, openClientStream, type ProxyAddress } from "./client_stream.ts";
export {
  AnswerHead,
  type BodyFraming,
  ResponseParser,
  type ResponseParserOptions,
} from "./response_parser.ts";
export { HTTP1Connection, type MessageStartLine } from "./http1_connection.ts";
export * as escape from "./escape.ts";
