/** What happens to white space in the text of a template; see {@linkcode filterWhitespace}. */
export type WhitespaceMode = "all" | "single" | "oneline";

const RUN_REGEXP = /\s+/g;
const BLANKS_REGEXP = /[\t ]+/g;

/** Whether there is such a mode. */
export function isWhitespaceMode(mode: string): mode is WhitespaceMode {
  return mode === "all" || mode === "single" || mode === "oneline";
}

/**
 * Treats white space as `mode` says: `all` leaves it, `single` makes one newline of a run that
 * holds one, and one blank of other blanks and tabs, `oneline` makes one blank of every run.
 *
 * @throws {TypeError} when there is no such mode.
 *
 * @example Filter
 * ```ts
 * import { filterWhitespace } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(filterWhitespace("single", "a \t b \n\n  c"), "a b\nc");
 * assertEquals(filterWhitespace("oneline", "a \t b \n\n  c"), "a b c");
 * ```
 */
export function filterWhitespace(mode: WhitespaceMode, text: string): string {
  if (!isWhitespaceMode(mode)) {
    throw new TypeError(
      `Cannot filter white space: expected "all", "single" or "oneline", got ${Deno.inspect(mode)}`,
    );
  }
  if (mode === "all") return text;
  if (mode === "oneline") return text.replace(RUN_REGEXP, " ");
  return text.replace(
    RUN_REGEXP,
    (run) => run.includes("\n") ? "\n" : run.replace(BLANKS_REGEXP, " "),
  );
}
