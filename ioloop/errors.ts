/**
 * Says that something did not happen in its time. One class for loop, coroutines,
 * locks, queues and streams.
 */
export class TimeoutError extends Error {
  /** Takes what timed out, in words. */
  constructor(message = "Timed out", options?: ErrorOptions) {
    super(message, options);
    this.name = "TimeoutError";
  }
}

/**
 * Is what a cancelled {@linkcode Future} fails with, and what is thrown into a cancelled
 * coroutine at its yield.
 */
export class CancelledError extends Error {
  /** What was given to `cancel(reason)`. */
  readonly reason: unknown;

  /** Takes the reason that was given to `cancel`. */
  constructor(reason?: unknown) {
    super(
      reason === undefined
        ? "Cancelled"
        : `Cancelled: ${reason instanceof Error ? reason.message : describeReason(reason)}`,
      reason instanceof Error ? { cause: reason } : undefined,
    );
    this.name = "CancelledError";
    this.reason = reason;
  }
}

function describeReason(reason: unknown): string {
  return typeof reason === "string" ? reason : describeError(reason);
}

/** Says that a coroutine yielded, or a function returned, what cannot be waited for. */
export class BadYieldError extends Error {
  /** Takes the value, so that the message can show it. */
  constructor(value: unknown) {
    super(
      `Cannot wait for ${
        Deno.inspect(value, { depth: 1, breakLength: Infinity })
      }: expected a Future, promise, generator, YieldPoint, null, or an array or record of these`,
    );
    this.name = "BadYieldError";
  }
}

const MAX_CAUSES = 5; // that are shown, and errors of an AggregateError: some are circular

/**
 * Says what went wrong in one line or, for an error, with its stack and those of the errors
 * that led to it. It never throws.
 */
export function describeError(error: unknown): string {
  return describe(error, MAX_CAUSES);
}

function describe(error: unknown, causes: number): string {
  try {
    if (!(error instanceof Error)) return Deno.inspect(error);
    const text = error.stack ?? String(error);
    if (causes === 0) return text;
    const parts: unknown[] = error instanceof AggregateError ? error.errors.slice(0, causes) : [];
    if (error.cause !== undefined) parts.push(error.cause);
    return [text, ...parts.map((part) => `Caused by ${describe(part, causes - 1)}`)].join("\n");
  } catch {
    return "an error that cannot be shown"; // a getter of it throws
  }
}
