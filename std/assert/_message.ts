import { diff } from "node:util";

/** Gives `value` as text: whole, one entry on each line, keys in order. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
  });
}

/** Gives what stands after a sentence: the caller's `message`, or a full stop. */
export function ending(message: string | undefined): string {
  return message ? `: ${message}` : ".";
}

/** Gives the lines in which two values differ: `-` is actual, `+` expected. */
export function difference(actual: string, expected: string): string {
  // The diff of node:util says 1 for a line only in its first argument, -1 for
  // one only in its second.
  const marks = { "1": "-", "0": " ", "-1": "+" };
  const lines = diff(actual.split("\n"), expected.split("\n"))
    .map(([side, line]) => `${marks[`${side}`]}   ${line}`);
  return `\n\n    [Diff] Actual / Expected\n\n\n${lines.join("\n")}\n`;
}
