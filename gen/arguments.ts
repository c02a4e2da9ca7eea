/** Holds the arguments of a callback that was called with more than one. */
export class Arguments {
  /** The arguments in their order. */
  readonly args: readonly unknown[];
  /** Is always empty: JavaScript has no keyword arguments. */
  readonly kwargs: Record<string, never> = {};

  /** Takes the arguments. */
  constructor(args: readonly unknown[]) {
    this.args = args;
  }

  /** Makes `const [args, kwargs] = result` work. */
  *[Symbol.iterator](): Generator<
    readonly unknown[] | Record<string, never>,
    void,
    unknown
  > {
    yield this.args;
    yield this.kwargs;
  }
}

/** Turns the arguments of a callback into one result. @ignore */
export function _singleResult(args: readonly unknown[]): unknown {
  return args.length > 1 ? new Arguments(args) : args[0];
}
