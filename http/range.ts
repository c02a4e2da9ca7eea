import { trimBlanks } from "./_blanks.ts";

const RANGE_REGEXP = /^(\d*)-(\d*)$/;

/**
 * Reads a Range field that asks for one range of bytes.
 *
 * @example Read ranges
 * ```ts
 * import { parseRequestRange } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseRequestRange("bytes=0-499"), [0, 500]);
 * assertEquals(parseRequestRange("bytes=500-"), [500, null]);
 * assertEquals(parseRequestRange("bytes=-500"), [-500, null]);
 * assertEquals(parseRequestRange("bytes=0-0,2-2"), null);
 * ```
 *
 * @returns start and end, the end exclusive; a negative start counts from the end of the content, and
 * `[null, 0]` asks for its last 0 bytes. The end may be before the start: such a range is for the caller
 * to refuse. `null` if the field is to be ignored: another unit, several ranges, or none (RFC 9110 14.2).
 */
export function parseRequestRange(
  header: string,
): [start: number | null, end: number | null] | null {
  const equals = header.indexOf("=");
  if (
    equals === -1 || trimBlanks(header, 0, equals).toLowerCase() !== "bytes"
  ) return null;
  const match = RANGE_REGEXP.exec(trimBlanks(header, equals + 1));
  if (match === null) return null;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return null;
    return Number(last) === 0 ? [null, 0] : [-Number(last), null];
  }
  const start = Number(first);
  if (last === "") return [start, null];
  return [start, Number(last) + 1];
}

/**
 * Formats a Content-Range field.
 *
 * @param start First byte, or `null` for 0.
 * @param end End of the range, exclusive, or `null` for `total`.
 * @param total Size of the whole content.
 */
export function getContentRange(
  start: number | null,
  end: number | null,
  total: number,
): string {
  return `bytes ${start ?? 0}-${(end ?? total) - 1}/${total}`;
}
