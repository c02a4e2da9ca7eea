/** Says that a stream is closed, or closed before an operation ended; `cause` says why. */
export class StreamClosedError extends Error {
  /** Why the stream closed: its `error`, null for a clean end. */
  readonly realError: unknown;

  /** Takes why the stream closed. */
  constructor(realError: unknown = null) {
    super(
      realError === null
        ? "Stream is closed"
        : `Stream is closed: ${realError instanceof Error ? realError.message : String(realError)}`,
      realError === null ? undefined : { cause: realError },
    );
    this.name = "StreamClosedError";
    this.realError = realError;
  }
}

/** Says that a read could not end within its `maxBytes`. */
export class UnsatisfiableReadError extends Error {
  /** The limit, in bytes. */
  readonly maxBytes: number;

  /** Takes what was looked for, in words, and the limit. */
  constructor(what: string, maxBytes: number) {
    super(`Cannot read until ${what}: it is not within ${maxBytes} bytes`);
    this.name = "UnsatisfiableReadError";
    this.maxBytes = maxBytes;
  }
}

/** Says that a buffer of a stream reached its limit. */
export class StreamBufferFullError extends Error {
  /** The limit, in bytes. */
  readonly limit: number;

  /** Takes which buffer it was, `"read"` or `"write"`, the size it would have, and the limit. */
  constructor(which: "read" | "write", size: number, limit: number) {
    super(
      `Cannot hold ${size} bytes in the ${which} buffer: its limit is ${limit}`,
    );
    this.name = "StreamBufferFullError";
    this.limit = limit;
  }
}
