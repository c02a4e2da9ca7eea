import { assertAlmostEquals, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { fitLine } from "../../bench/_line_fit.ts";
import { faultsOf, type SoakEnd, type SoakSample, trendOf } from "../../bench/_soak_verdict.ts";

const MB = 1024 * 1024;

/** Samples of an hour, one each 10 s, with the live memory that `live` gives. */
function hour(live: (seconds: number) => number): SoakSample[] {
  return Array.from({ length: 361 }, (_, at) => ({
    at: at * 10,
    resident: 200 * MB,
    live: live(at * 10),
  }));
}

function end(samples: readonly SoakSample[], changes: Partial<SoakEnd> = {}): SoakEnd {
  const files = { before: 20, after: 20 };
  return { samples, unexpected: 0, errors: 0, files, left: 0, ...changes };
}

Deno.test("fitLine() gives the line that points lie on", () => {
  assertEquals(fitLine([[0, 1], [1, 3], [2, 5]]), { slope: 2, intercept: 1, slopeError: 0 });
  assertEquals(fitLine([[0, 1], [1, 3]]), { slope: 2, intercept: 1, slopeError: 0 });
});

Deno.test("fitLine() gives the line with the least squares of differences", () => {
  const { slope, intercept, slopeError } = fitLine([[1, 1], [2, 2], [3, 2]]);
  assertAlmostEquals(slope, 1 / 2);
  assertAlmostEquals(intercept, 2 / 3);
  assertAlmostEquals(slopeError, Math.sqrt(1 / 12)); // squares of 1/6, 1/3, 1/6, over 1, over 2
});

Deno.test("fitLine() refuses points that no line, or any, goes through", () => {
  for (const points of [[], [[1, 1]], [[1, 1], [1, 2]]] as [number, number][][]) {
    assertThrows(() => fitLine(points), RangeError, "Cannot fit a line");
  }
});

Deno.test("trendOf() looks at the second half alone", () => {
  const samples = hour((seconds) => seconds < 1800 ? seconds * 1000 : 10 * MB);
  const { slope, rise } = trendOf(samples, "live");
  assertAlmostEquals(slope, 0, 1);
  assertAlmostEquals(rise, 0, 1);
});

Deno.test("trendOf() gives what an hour brings, and what this half hour brought", () => {
  const { slope, rise } = trendOf(hour((seconds) => 10 * MB + seconds * 1000), "live");
  assertAlmostEquals(slope, 3_600_000, 1);
  assertAlmostEquals(rise, 1_800_000, 1);
});

Deno.test("faultsOf() finds none where memory comes and goes", () => {
  assertEquals(faultsOf(end(hour((seconds) => 20 * MB + MB * Math.sin(seconds)))), []);
});

Deno.test("faultsOf() finds memory that grows, however slowly it began", () => {
  const [fault, ...others] = faultsOf(end(hour((seconds) => 10 * MB + seconds * 3000)));
  assertMatch(fault!, /^live memory does not level off: 5\.15 MB more .* 10\.30 in an hour/);
  assertEquals(others, []);
});

Deno.test("faultsOf() finds errors, files and connections that are left", () => {
  const flat = hour(() => 10 * MB);
  const files = { before: 20, after: 22 };
  assertEquals(faultsOf(end(flat, { unexpected: 2, errors: 1, files, left: 3 })), [
    "2 unexpected errors of clients",
    "1 errors in the log of the server",
    "22 open files at the end, 20 before the load",
    "3 connections, WebSockets and handlers are left",
  ]);
});

Deno.test("faultsOf() finds no fault in fewer open files than before", () => {
  assertEquals(faultsOf(end(hour(() => 10 * MB), { files: { before: 20, after: 19 } })), []);
});
