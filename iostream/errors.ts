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
  /** What was looked for, in words. */
  readonly what: string;
  /** How many bytes had come. */
  readonly received: number;
  /** The limit, in bytes. */
  readonly maxBytes: number;

  /** Takes what was looked for, in words, how many bytes had come, and the limit. */
  constructor(what: string, received: number, maxBytes: number) {
    super(
      `Cannot read until ${what}: ${received} bytes came and it is not within the first ${maxBytes}`,
    );
    this.name = "UnsatisfiableReadError";
    this.what = what;
    this.received = received;
    this.maxBytes = maxBytes;
  }
}

/** Says that a buffer of a stream reached its limit. */
export class StreamBufferFullError extends Error {
  /** Which buffer it was. */
  readonly buffer: "read" | "write";
  /** The size that it would have had, in bytes. */
  readonly size: number;
  /** The limit, in bytes. */
  readonly limit: number;

  /** Takes which buffer it was, the size it would have had, and the limit. */
  constructor(buffer: "read" | "write", size: number, limit: number) {
    super(`Cannot hold ${size} bytes in the ${buffer} buffer: its limit is ${limit}`);
    this.name = "StreamBufferFullError";
    this.buffer = buffer;
    this.size = size;
    this.limit = limit;
  }
}
