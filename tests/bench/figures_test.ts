import { assertEquals } from "@std/assert";
import { median, ratio, spread } from "../../bench/_figures.ts";

Deno.test("median() gives the value in the middle of those that are known", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, null, 1, 2, 3]), 2.5);
  assertEquals(median([10, 9]), 9.5);
  assertEquals(median([null]), null);
  assertEquals(median([]), null);
});

Deno.test("spread() gives how far values lie apart, beside their median", () => {
  assertEquals(spread([8, 10, 14]), 0.6);
  assertEquals(spread([5]), 0);
  assertEquals(spread([null]), 0);
  assertEquals(spread([0, 0]), 0);
});

Deno.test("ratio() is not known where a value is not, or is nothing", () => {
  assertEquals(ratio(1, 4), 0.25);
  assertEquals(ratio(0, 4), 0);
  assertEquals(ratio(null, 4), null);
  assertEquals(ratio(4, null), null);
  assertEquals(ratio(4, 0), null);
});
