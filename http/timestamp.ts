/**
 * Formats a time as HTTP dates are written (IMF-fixdate, RFC 9110 5.6.7); milliseconds are cut off.
 *
 * @example Format a time
 * ```ts
 * import { formatTimestamp } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatTimestamp(1359312200503), "Sun, 27 Jan 2013 18:43:20 GMT");
 * ```
 *
 * @param time Milliseconds since the epoch, or a date.
 * @throws {TypeError} if `time` is neither of these.
 * @throws {RangeError} if no date has this time.
 */
export function formatTimestamp(time: number | Date): string {
  if (typeof time !== "number" && !(time instanceof Date)) {
    throw new TypeError(
      `Cannot format timestamp: expected a number or a Date, got ${typeof time}`,
    );
  }
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    throw new RangeError("Cannot format timestamp: it is not a valid time");
  }
  return date.toUTCString();
}
