import { assertEquals } from "@std/assert";
import { getContentRange, parseRequestRange } from "../../http/range.ts";

Deno.test("parseRequestRange() gives an exclusive end and a negative start for a suffix", () => {
  assertEquals(parseRequestRange("bytes=1-2"), [1, 3]);
  assertEquals(parseRequestRange(" Bytes = 0-0 "), [0, 1]);
  assertEquals(parseRequestRange("bytes=6-"), [6, null]);
  assertEquals(parseRequestRange("bytes=-6"), [-6, null]);
  assertEquals(parseRequestRange("bytes=-0"), [null, 0]);
  assertEquals(parseRequestRange("bytes=10-3"), [10, 4]);
});

Deno.test("parseRequestRange() ignores what is not one range of bytes", () => {
  for (
    const header of [
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "foo=42",
      "bytes=1-2,6-10",
      "bytes=a-",
      "bytes=1--2",
      "bytes=+1-2",
      "bytes=1",
    ]
  ) assertEquals(parseRequestRange(header), null, header);
});

Deno.test("getContentRange() gives an inclusive end", () => {
  assertEquals(getContentRange(null, null, 4), "bytes 0-3/4");
  assertEquals(getContentRange(1, 3, 4), "bytes 1-2/4");
  assertEquals(getContentRange(1, null, 4), "bytes 1-3/4");
});
