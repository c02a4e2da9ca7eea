// LogTape has one configuration for the process. What was configured stays: to that are added our
// sinks, named for the category whose messages they get, and whatever we added before is taken
// out first.
import {
  type Config,
  configureSync,
  getConfig,
  type LoggerConfig,
  type LogLevel,
  type LogRecord,
  type Sink,
} from "@logtape/logtape";
import { ownTask } from "./_task.ts";
import { RotatingFile, type Rotation, SizeRotation, TimeRotation } from "./_rotating_file.ts";
import { LogFormatter } from "./log_formatter.ts";
import type { LoggingOptionValues } from "./logging_option_values.ts";

type AnyConfig = Config<string, string>;
type AnyLogger = LoggerConfig<string, string>;

/** Says more than the options do. */
export interface LogSettings {
  /** Whose messages: those of this category, and of the categories below it. */
  readonly category?: readonly string[];
  /** Takes lines in place of standard error, whatever else gets them. */
  readonly write?: ((line: string) => void) | undefined;
  /** Writes the lines. */
  readonly formatter?: LogFormatter | undefined;
}

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warning",
  warning: "warning",
  error: "error",
  critical: "fatal",
  fatal: "fatal",
};

/**
 * Lets log messages go where the options say.
 *
 * @throws {TypeError} for a level, a mode of rotation or a time of it that there is not.
 */
export function showLogs(
  options: Readonly<LoggingOptionValues>,
  { category = ["waterspout"], write, formatter }: LogSettings = {},
): void {
  const level = levelOf(options.logging);
  if (level === null) return;
  const name = `waterspout:${category.join(".")}`;
  const former = withoutOwn(getConfig(), name);
  const mine = former.loggers.find((logger) => isCategory(logger, category));
  const own: Record<string, Sink> = {};
  const { logFilePrefix, logToStderr } = options;
  if (logFilePrefix !== null && logFilePrefix !== "") {
    own[`${name}:file`] = fileSink(logFilePrefix, options);
  }
  const alone = Object.keys(own).length === 0 &&
    !former.loggers.some((logger) => gets(logger, category));
  if (write !== undefined || (logToStderr ?? alone)) {
    own[`${name}:stderr`] = lineSink(write ?? writeError, formatter ?? new LogFormatter());
  }
  configureSync({
    ...former,
    reset: true,
    sinks: { ...former.sinks, ...own },
    loggers: [
      ...former.loggers.filter((logger) => logger !== mine),
      ...metaLogger(former.loggers),
      {
        ...mine,
        category: [...category],
        sinks: [...mine?.sinks ?? [], ...Object.keys(own)],
        lowestLevel: level,
      },
    ],
  });
}

function levelOf(logging: string | null): LogLevel | null {
  const name = logging?.toLowerCase() ?? "none";
  if (name === "none") return null;
  const level = LEVELS[name];
  if (level === undefined) {
    throw new TypeError(
      `Cannot show logs: expected debug, info, warning, error or none as level, got ${logging}`,
    );
  }
  return level;
}

// The configuration without what we added to it under that name.
function withoutOwn(config: AnyConfig | null, name: string): AnyConfig {
  const isOwn = (sink: string) => sink.startsWith(`${name}:`);
  return {
    ...config,
    sinks: Object.fromEntries(
      Object.entries(config?.sinks ?? {}).filter(([sink]) => !isOwn(sink)),
    ),
    loggers: (config?.loggers ?? []).map((logger) => ({
      ...logger,
      ...(logger.sinks === undefined ? {} : { sinks: logger.sinks.filter((sink) => !isOwn(sink)) }),
    })),
  };
}

function isCategory(logger: AnyLogger, category: readonly string[]): boolean {
  return partsOf(logger).join(".") === category.join(".");
}

// Whether a logger gives messages of that category to a sink.
function gets(logger: AnyLogger, category: readonly string[]): boolean {
  const parts = partsOf(logger);
  return (logger.sinks ?? []).length > 0 && parts.every((part, at) => part === category[at]);
}

function partsOf({ category }: AnyLogger): string[] {
  return [category].flat();
}

// Without a logger of its own LogTape tells of every configuration, on the console.
function metaLogger(loggers: readonly AnyLogger[]): AnyLogger[] {
  const category = ["logtape", "meta"];
  if (loggers.some((logger) => isCategory(logger, category))) return [];
  return [{ category, lowestLevel: "warning" }];
}

function lineSink(write: (line: string) => void, formatter: LogFormatter): Sink {
  return (record) => write(`${formatter.format(record)}\n`);
}

function fileSink(prefix: string, options: Readonly<LoggingOptionValues>): Sink {
  const task = ownTask();
  const path = task === null ? prefix : `${prefix}.${task.id}`;
  const file = new RotatingFile(path, rotationOf(options));
  const formatter = new LogFormatter({ color: false });
  const sink = (record: LogRecord) => file.write(`${formatter.format(record)}\n`);
  return Object.assign(sink, { [Symbol.dispose]: () => file[Symbol.dispose]() });
}

function rotationOf(
  {
    logRotateMode,
    logRotateWhen,
    logRotateInterval,
    logFileMaxSize,
    logFileNumBackups,
  }: Readonly<LoggingOptionValues>,
): Rotation {
  switch (logRotateMode) {
    case "size":
      return new SizeRotation(logFileMaxSize, logFileNumBackups);
    case "time":
      return new TimeRotation(logRotateWhen, logRotateInterval, logFileNumBackups);
    default:
      throw new TypeError(
        `Cannot rotate logs: expected size or time as mode, got ${logRotateMode}`,
      );
  }
}

const encoder = new TextEncoder();

function writeError(line: string): void {
  Deno.stderr.writeSync(encoder.encode(line));
}
