import { Buffer } from "node:buffer";
import { CR, DASH, HTAB, LF, SP } from "./_bytes.ts";
import { HTTPInputError } from "./errors.ts";
import { HTTPHeaders } from "./headers.ts";
import { parseHeader } from "./parse_header.ts";

/** A file that came in a form. */
export interface HTTPFile {
  /** Name as sent; it may hold anything, slashes too. */
  readonly filename: string;
  /** Content, a view into the body of the request. */
  readonly body: Uint8Array;
  /** Type as sent, `application/unknown` if none was. */
  readonly contentType: string;
}

/** How `multipart/form-data` is parsed. */
export interface ParseMultipartConfig {
  /**
   * With `false` every such body is refused.
   *
   * @default {true}
   */
  enabled?: boolean;
  /**
   * Parts in a body at most.
   *
   * @default {100}
   */
  maxParts?: number;
  /**
   * Bytes in the header of a part at most.
   *
   * @default {10240}
   */
  maxPartHeaderSize?: number;
}

const MAX_BOUNDARY_LENGTH = 70; // RFC 2046 5.1.1; it also keeps the search linear

const HEADER_END = Buffer.from("\r\n\r\n");

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Is what the header of a part says: it is a value, or a file if it has a file name. */
export interface PartHead {
  /** The name of the field. */
  readonly name: string;
  /** The name of the file as sent, or empty; it may hold anything, slashes too. */
  readonly filename: string;
  /** The type as sent, `application/unknown` if none was. */
  readonly contentType: string;
}

interface Part extends PartHead {
  readonly body: Uint8Array;
}

/**
 * Adds the values and files in a `multipart/form-data` body (RFC 7578) to `args` and `files`.
 *
 * Values and contents are views into `data`. What comes before the first boundary and after the
 * last one is passed over. The time it takes is linear in the length.
 *
 * @example Read a form
 * ```ts
 * import { type HTTPFile, parseMultipartFormData, utf8 } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const files: Record<string, HTTPFile[]> = {};
 * parseMultipartFormData(
 *   "1234",
 *   utf8('--1234\r\nContent-Disposition: form-data; name="a"; filename="b.txt"\r\n\r\nFoo\r\n--1234--\r\n'),
 *   {},
 *   files,
 * );
 * assertEquals(files.a![0]!.filename, "b.txt");
 * assertEquals(files.a![0]!.body, utf8("Foo"));
 * ```
 *
 * @param boundary As in the Content-Type field, with or without its quotes.
 * @throws {HTTPInputError} if anything is wrong with `data` or a limit of `config` is passed; then nothing was added.
 */
export function parseMultipartFormData(
  boundary: string | Uint8Array,
  data: Uint8Array,
  args: Record<string, Uint8Array[]>,
  files: Record<string, HTTPFile[]>,
  config: ParseMultipartConfig = {},
): void {
  const { enabled = true, maxParts = 100, maxPartHeaderSize = 10_240 } = config;
  if (!enabled) fail("this server does not accept it");
  const parts: Part[] = [];
  for (
    const part of splitParts(
      Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      dashBoundary(boundary),
    )
  ) {
    if (parts.length === maxParts) fail(`it has more than ${maxParts} parts`);
    parts.push(readPart(part, maxPartHeaderSize));
  }
  for (const { name, filename, contentType, body } of parts) {
    if (filename === "") (args[name] ??= []).push(body);
    else (files[name] ??= []).push({ filename, body, contentType });
  }
}

/** Gives the boundary with the dashes that come before it. @ignore */
export function dashBoundary(boundary: string | Uint8Array): Buffer {
  const text = typeof boundary === "string" ? boundary : Buffer.from(boundary).toString("latin1");
  const bare = text.replace(/^"(.*)"$/, "$1");
  if (bare === "" || bare.length > MAX_BOUNDARY_LENGTH) {
    fail(`its boundary must have 1 to ${MAX_BOUNDARY_LENGTH} bytes`);
  }
  return Buffer.from(`--${bare}`, "latin1");
}

/** Gives each part with the CRLF that ends it, which belongs to the boundary behind it. */
function* splitParts(
  data: Buffer,
  boundary: Buffer,
): Generator<Buffer, void, unknown> {
  let line = nextBoundaryLine(data, boundary, 0);
  while (!line.isLast) {
    const next = nextBoundaryLine(data, boundary, line.end);
    yield data.subarray(line.end, next.start);
    line = next;
  }
}

/** A line that begins with the boundary. */
interface BoundaryLine {
  start: number;
  end: number; // just after its CRLF, or after the dashes if it is the last one
  isLast: boolean;
}

/** Looks for the next boundary line; one that has more on it than blanks is content. */
function nextBoundaryLine(
  data: Buffer,
  boundary: Buffer,
  from: number,
): BoundaryLine {
  for (let start = from;; start++) {
    start = data.indexOf(boundary, start);
    if (start === -1) fail("its final boundary is missing");
    if (start !== 0 && (data[start - 2] !== CR || data[start - 1] !== LF)) {
      continue;
    }
    let end = start + boundary.length;
    if (data[end] === DASH && data[end + 1] === DASH) {
      return { start, end: end + 2, isLast: true };
    }
    while (data[end] === SP || data[end] === HTAB) end++;
    if (data[end] === CR && data[end + 1] === LF) {
      return { start, end: end + 2, isLast: false };
    }
  }
}

function readPart(part: Buffer, maxHeaderSize: number): Part {
  const headerEnd = part.subarray(0, maxHeaderSize + HEADER_END.length).indexOf(
    HEADER_END,
  );
  if (headerEnd === -1) {
    fail(`a part has no header, or one above ${maxHeaderSize} bytes`);
  }
  const head = readPartHead(part.subarray(0, headerEnd));
  const bodyStart = headerEnd + HEADER_END.length;
  // With an empty body, the CRLF behind the header may be the one before the boundary.
  const bodyEnd = Math.max(bodyStart, part.length - 2);
  return {
    ...head,
    body: new Uint8Array(
      part.buffer,
      part.byteOffset + bodyStart,
      bodyEnd - bodyStart,
    ),
  };
}

/** Reads the header of a part. @ignore */
export function readPartHead(bytes: Uint8Array): PartHead {
  const headers = readHeaders(bytes);
  const [disposition, params] = parseHeader(
    headers.get("Content-Disposition", ""),
  );
  if (disposition.toLowerCase() !== "form-data") {
    fail("the disposition of a part is not form-data");
  }
  const { name, filename = "" } = params;
  if (name === undefined) fail("a part has no name");
  return { name, filename, contentType: headers.get("Content-Type", "application/unknown") };
}

/** Reads the fields in the header of a part, which browsers write in UTF-8. */
function readHeaders(bytes: Uint8Array): HTTPHeaders {
  try {
    return HTTPHeaders.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new HTTPInputError(
      "Cannot parse form: the header of a part is malformed",
      { cause },
    );
  }
}

function fail(why: string): never {
  throw new HTTPInputError(`Cannot parse form: ${why}`);
}
