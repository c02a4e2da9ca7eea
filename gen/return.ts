/**
 * Thrown in a coroutine, ends it with `value`, as `return value` does; for code that is
 * ported from where generators could not return one.
 */
export class Return extends Error {
  /** The result of the coroutine. */
  readonly value: unknown;

  /** Takes the result. */
  constructor(value?: unknown) {
    super("Return");
    this.name = "Return";
    this.value = value;
  }
}
