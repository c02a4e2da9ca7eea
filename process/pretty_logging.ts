import { configureSync, getConfig, type LogLevel, type LogRecord } from "@logtape/logtape";

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

const OWN = "waterspout";
const META = "logtape.meta"; // would tell, without a logger of its own, of every configuration

/**
 * Shows what the framework logs, a line for each message, such as
 * `[I 261121 18:35:01] 200 GET / (127.0.0.1) 0.41ms`; further lines of a message are indented.
 * It keeps what else was configured for `@logtape/logtape`.
 */
export function enablePrettyLogging(
  { level = "info", write = writeError, color = Deno.stderr.isTerminal() }: PrettyLoggingOptions =
    {},
): void {
  const former = getConfig();
  const loggers = (former?.loggers ?? []).filter(({ category }) =>
    ![OWN, META].includes([category].flat().join("."))
  );
  const meta = former?.loggers.find(({ category }) => [category].flat().join(".") === META);
  configureSync({
    ...former,
    reset: true,
    sinks: { ...former?.sinks, waterspout: (record) => write(formatRecord(record, color)) },
    loggers: [
      meta ?? { category: ["logtape", "meta"], lowestLevel: "warning" },
      ...loggers,
      { category: ["waterspout"], sinks: ["waterspout"], lowestLevel: level },
    ],
  });
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
