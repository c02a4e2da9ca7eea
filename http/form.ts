import { HTTPInputError } from "./errors.ts";
import type { HTTPHeaders } from "./headers.ts";
import { type HTTPFile, type ParseMultipartConfig, parseMultipartFormData } from "./multipart.ts";
import { parseHeader } from "./parse_header.ts";
import { parseQsBytes } from "./query_string.ts";

/** How request bodies are parsed. */
export interface ParseBodyConfig {
  /** How `multipart/form-data` is parsed. */
  multipart?: ParseMultipartConfig;
  /**
   * Arguments in an urlencoded body at most: each takes some hundred times the memory of the
   * two bytes it can be sent in.
   *
   * @default {10000}
   */
  maxArguments?: number;
}

const MAX_ARGUMENTS = 10_000; // Go: 10,000; PHP, Django and Node's qs: 1,000
const AMPERSAND = 0x26;

let defaultConfig: ParseBodyConfig = {};

/** Sets what {@linkcode parseBodyArguments} goes by when it is given no config. */
export function setParseBodyConfig(config: ParseBodyConfig): void {
  defaultConfig = config;
}

/**
 * Adds the arguments and files in a body to `args` and `files`; a body of another type adds nothing.
 *
 * @example Read a form
 * ```ts
 * import { parseBodyArguments, utf8 } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const args: Record<string, Uint8Array[]> = {};
 * parseBodyArguments("application/x-www-form-urlencoded", utf8("a=b&c="), args, {});
 * assertEquals(args, { a: [utf8("b")], c: [utf8("")] });
 * ```
 *
 * @param contentType Value of the Content-Type field.
 * @param headers Where a Content-Encoding shows that the body was not decoded.
 * @throws {HTTPInputError} if the body is not what its type says, still encoded, or holds too many arguments; then nothing was added.
 */
export function parseBodyArguments(
  contentType: string,
  body: Uint8Array,
  args: Record<string, Uint8Array[]>,
  files: Record<string, HTTPFile[]>,
  headers?: HTTPHeaders | null,
  config: ParseBodyConfig = defaultConfig,
): void {
  if (!FORM_TYPE_REGEXP.test(contentType)) return;
  const [type, params] = parseHeader(contentType);
  switch (type.toLowerCase()) {
    case "application/x-www-form-urlencoded":
      checkDecoded(headers);
      checkCount(body, config.maxArguments ?? MAX_ARGUMENTS);
      for (
        const [name, values] of Object.entries(
          parseQsBytes(body, { keepBlankValues: true }),
        )
      ) {
        args[name] = (args[name] ?? []).concat(values);
      }
      return;
    case "multipart/form-data":
      checkDecoded(headers);
      if (params["boundary"] === undefined) {
        throw new HTTPInputError("Cannot parse form: it has no boundary");
      }
      parseMultipartFormData(
        params["boundary"],
        body,
        args,
        files,
        config.multipart,
      );
  }
}

const FORM_TYPE_REGEXP = /^[ \t]*(?:application\/x-www-form-urlencoded|multipart\/form-data)/i;

function checkCount(body: Uint8Array, maxArguments: number): void {
  let count = 0;
  for (let at = 0; at !== -1; count++) {
    if (count === maxArguments && at < body.length) {
      throw new HTTPInputError(`Cannot parse form: it has more than ${maxArguments} arguments`);
    }
    const next = body.indexOf(AMPERSAND, at);
    at = next === -1 ? -1 : next + 1;
  }
}

function checkDecoded(headers: HTTPHeaders | null | undefined): void {
  const encoding = headers?.get("Content-Encoding") ?? null;
  if (encoding !== null) {
    throw new HTTPInputError(
      `Cannot parse form: its Content-Encoding ${encoding} was not undone`,
    );
  }
}
