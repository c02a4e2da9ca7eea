// LogTape routes records by a configuration of the whole process, and replacing that closes
// the sinks of whoever configured it. But the logger of a category is one object, shared by
// all who asked for it: for the time of the body its own methods stand aside for ours. That
// works with any configuration, or none, and leaves nothing behind.
import { getLogger } from "@logtape/logtape";
import type { Logger } from "../ioloop/mod.ts";

/** A level of a log message. */
export type LogLevel = "trace" | "debug" | "info" | "warning" | "error" | "fatal";

/** Options of {@linkcode expectLog}. */
export interface ExpectLogOptions {
  /**
   * Whether it is an error that nothing matched.
   *
   * @default {true}
   */
  required?: boolean;
  /** The level that a message must have to match; without it any level does. */
  level?: LogLevel;
}

/** Tells what {@linkcode expectLog} saw. */
export interface ExpectLogResult {
  /** The messages that matched, in their order, with their properties filled in. */
  readonly matched: readonly string[];
  /** Whether one of them came with the stack of an error. */
  readonly loggedStack: boolean;
}

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warning",
  warning: "warning",
  error: "error",
  fatal: "fatal",
};

const STACK_REGEXP = /\n\s+at /;

/**
 * Runs `body`, waits for what it returns, and hides the messages of one logger that match
 * `regex`. Others are logged as ever, also those of loggers below it.
 *
 * `logger` is a logger or its category. Messages are looked at whatever level is configured,
 * even when LogTape was not configured at all; they must be strings, as in
 * `log.error("{name} failed", { name })`.
 *
 * @throws {Error} when nothing matched, unless `required` is false.
 * @throws what `body` throws.
 *
 * @example A message is expected
 * ```ts
 * import { expectLog } from "@waterspout/waterspout/testing";
 * import { appLog } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * const { matched } = await expectLog(appLog, /^Cannot find/, () => {
 *   appLog.error("Cannot find {what}", { what: "the file" });
 * });
 * assertEquals(matched, ["Cannot find the file"]);
 * ```
 */
export async function expectLog(
  logger: Logger | string | readonly string[],
  regex: RegExp | string,
  body: () => unknown,
  { required = true, level }: ExpectLogOptions = {},
): Promise<ExpectLogResult> {
  const log = isCategory(logger) ? getLogger(logger) : logger;
  const matched: string[] = [];
  let loggedStack = false;
  const restore = intercept(log, (text, itsLevel) => {
    if (level !== undefined && itsLevel !== level) return false;
    if (text.search(regex) < 0) return false;
    matched.push(text);
    loggedStack ||= STACK_REGEXP.test(text);
    return true;
  });
  try {
    await body();
  } finally {
    restore();
  }
  if (required && matched.length === 0) {
    throw new Error(`Cannot find the log message that was expected: nothing matched ${regex}`);
  }
  return { matched, loggedStack };
}

function isCategory(
  logger: Logger | string | readonly string[],
): logger is string | readonly string[] {
  return typeof logger === "string" || Array.isArray(logger);
}

// Puts `hides` before the methods of `logger`; the function that it returns takes it away.
function intercept(
  logger: Logger,
  hides: (text: string, level: LogLevel) => boolean,
): () => void {
  const former = Object.getOwnPropertyDescriptors(logger);
  const methods = logger as unknown as Record<string, (...args: unknown[]) => unknown>;
  const replace = (name: string, value: unknown) =>
    Object.defineProperty(logger, name, { value, configurable: true });

  replace("isEnabledFor", () => true);
  for (const [name, level] of Object.entries(LEVELS)) {
    const log = methods[name];
    if (log === undefined) continue;
    replace(name, (...args: unknown[]) => {
      const [message, properties] = args;
      if (typeof message === "string" && hides(fillIn(message, properties), level)) return;
      return log.apply(logger, args);
    });
  }

  return () => {
    for (const name of ["isEnabledFor", ...Object.keys(LEVELS)]) {
      if (Object.hasOwn(former, name)) Object.defineProperty(logger, name, former[name]!);
      else delete methods[name];
    }
  };
}

function fillIn(template: string, properties: unknown): string {
  const values = properties as Record<string, unknown> | undefined;
  return template.replace(/\{(\w+)\}/g, (placeholder, name) => {
    const value = values?.[name];
    if (value === undefined) return placeholder;
    if (value instanceof Error) return value.stack ?? String(value);
    return typeof value === "string" ? value : Deno.inspect(value);
  });
}
