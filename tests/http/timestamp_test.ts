import { assertEquals, assertThrows } from "@std/assert";
import { formatTimestamp } from "../../http/timestamp.ts";

Deno.test("formatTimestamp() gives IMF-fixdate for milliseconds and dates", () => {
  const expected = "Sun, 27 Jan 2013 18:43:20 GMT";
  assertEquals(formatTimestamp(1359312200503), expected);
  assertEquals(formatTimestamp(new Date(1359312200503)), expected);
  assertEquals(formatTimestamp(0), "Thu, 01 Jan 1970 00:00:00 GMT");
});

Deno.test("formatTimestamp() refuses other types and impossible times", () => {
  for (const time of ["2013", null, undefined, {}, 1n]) {
    assertThrows(() => formatTimestamp(time as unknown as number), TypeError);
  }
  for (const time of [NaN, Infinity, new Date(NaN)]) {
    assertThrows(() => formatTimestamp(time), RangeError);
  }
});
