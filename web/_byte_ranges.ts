// What of a file a Range field asks for (RFC 9110 14.1 and 14.2). Several ranges are sent as
// multipart/byteranges, if that pays: a client may ask for the same bytes again and again.
import { getContentRange, parseRequestRange } from "../http/mod.ts";

/** Is the bytes [start, end) of a file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const MAX_RANGES = 16; // more say that somebody plays, or wants nearly everything
const PART_SIZE = 200; // bytes that the head of a part takes, about

/**
 * Returns the ranges that the field asks for, empty when the file has none of them, null when
 * all of the file should be sent.
 */
export function selectRanges(field: string, size: number): readonly ByteRange[] | null {
  const ranges: ByteRange[] = [];
  const [unit, list = ""] = splitOnce(field);
  const parts = list.split(",");
  if (parts.length > MAX_RANGES) return null;
  for (const part of parts) {
    const range = parseRequestRange(`${unit}=${part.trim()}`);
    if (range === null) return null;
    const [first, last] = range;
    const start = first === null ? 0 : first < 0 ? Math.max(0, size + first) : first;
    const end = Math.min(last ?? size, size);
    if (start < end) ranges.push({ start, end });
  }
  if (ranges.length < 2) return ranges;
  const total = ranges.reduce((sum, { start, end }) => sum + end - start + PART_SIZE, 0);
  return total < size ? ranges : null;
}

/** Returns what stands in front of a range in a body of several. */
export function partHead(
  boundary: string,
  contentType: string,
  { start, end }: ByteRange,
  size: number,
): string {
  return `\r\n--${boundary}\r\nContent-Type: ${contentType}\r\n` +
    `Content-Range: ${getContentRange(start, end, size)}\r\n\r\n`;
}

function splitOnce(field: string): [unit: string, list: string | undefined] {
  const equals = field.indexOf("=");
  return equals === -1 ? [field, undefined] : [field.slice(0, equals), field.slice(equals + 1)];
}
