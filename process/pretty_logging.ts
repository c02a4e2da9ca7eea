import {
  configureSync,
  getConfig,
  type LoggerConfig,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";

/** Options of {@linkcode enablePrettyLogging}. */
export interface PrettyLoggingOptions {
  /**
   * The lowest level that is shown.
   *
   * @default {"info"}
   */
  level?: "debug" | "info" | "warning" | "error";
  /** Where lines go; by default standard error. */
  write?: (line: string) => void;
  /** Whether the head of a line is coloured by its level; by default on a terminal. */
  color?: boolean;
}

const COLORS: Readonly<Record<LogLevel, number>> = {
  trace: 90,
  debug: 34,
  info: 32,
  warning: 33,
  error: 31,
  fatal: 31,
};

/**
 * Shows what the framework logs, a line for each message, such as
 * `[I 261121 18:35:01] 200 GET / (127.0.0.1) 0.41ms`; further lines of a message are indented.
 * It keeps what else was configured for `@logtape/logtape`; but whenever LogTape is configured
 * anew, it disposes of the sinks that hold something open, such as a file.
 */
export function enablePrettyLogging(
  { level = "info", write = writeError, color = Deno.stderr.isTerminal() }: PrettyLoggingOptions =
    {},
): void {
  const former = getConfig();
  const others = (former?.loggers ?? []).filter((logger) => nameOf(logger) !== "waterspout");
  // Without a logger of its own LogTape tells of every configuration, on the console.
  const meta: LoggerConfig<string, string>[] =
    others.some((logger) => nameOf(logger) === "logtape.meta")
      ? []
      : [{ category: ["logtape", "meta"], lowestLevel: "warning" }];
  const own: LoggerConfig<string, string> = {
    category: ["waterspout"],
    sinks: ["waterspout"],
    lowestLevel: level,
  };
  configureSync({
    ...former,
    reset: true,
    sinks: { ...former?.sinks, waterspout: (record) => write(formatRecord(record, color)) },
    loggers: [...meta, ...others, own],
  });
}

function nameOf({ category }: LoggerConfig<string, string>): string {
  return [category].flat().join(".");
}

function formatRecord(record: LogRecord, color: boolean): string {
  const time = new Date(record.timestamp);
  const two = (n: number) => String(n % 100).padStart(2, "0");
  const date = two(time.getFullYear()) + two(time.getMonth() + 1) + two(time.getDate());
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  const head = `[${record.level[0]!.toUpperCase()} ${date} ${clock}]`;
  const body = record.message
    .map((part) => typeof part === "string" ? part : Deno.inspect(part))
    .join("");
  const colored = color ? `\x1b[${COLORS[record.level]}m${head}\x1b[0m` : head;
  return `${colored} ${body.replaceAll("\n", "\n    ")}\n`;
}

const encoder = new TextEncoder();

function writeError(line: string): void {
  Deno.stderr.writeSync(encoder.encode(line));
}
