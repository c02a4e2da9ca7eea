/**
 * Says what is wrong with a template, and where.
 *
 * @example Find the place
 * ```ts
 * import { ParseError, Template } from "@waterspout/waterspout/web";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => new Template("\n{{ 1 + }}", { name: "a.html" }), ParseError);
 * assertEquals([error.filename, error.lineno], ["a.html", 2]);
 * ```
 */
export class ParseError extends Error {
  /** The name of the template, or null. */
  readonly filename: string | null;
  /** The line in it, counted from 1, or 0. */
  readonly lineno: number;

  /** Takes what is wrong, to which the place is added. */
  constructor(
    message: string,
    filename: string | null = null,
    lineno = 0,
    options?: ErrorOptions,
  ) {
    super(filename === null ? message : `${message} at ${filename}:${lineno}`, options);
    this.name = "ParseError";
    this.filename = filename;
    this.lineno = lineno;
  }
}
