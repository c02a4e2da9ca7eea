import { getLogger } from "@logtape/logtape";
import { describeError } from "../ioloop/errors.ts";
import { formatTime, unknownTimeCode } from "./_format_time.ts";

/** Is a level of a log message. */
export type LogLevelName = "trace" | "debug" | "info" | "warning" | "error" | "fatal";

/** Is what was logged, as `@logtape/logtape` gives it to a sink. */
export interface LoggedMessage {
  /** The category of the logger. */
  readonly category: readonly string[];
  /** The level. */
  readonly level: LogLevelName;
  /** When, in ms since the epoch. */
  readonly timestamp: number;
  /** The message in pieces: text, and values between that stand for properties. */
  readonly message: readonly unknown[];
  /** The message as it was written. */
  readonly rawMessage: unknown;
  /** What came with it; an `error` that the message does not show is added to that. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Where it was logged, when the configuration of LogTape says `captureSourceLocation`. */
  readonly sourceLocation?: { readonly file: string; readonly line: number };
}

/** Options of {@linkcode LogFormatter}. */
export interface LogFormatterOptions {
  /**
   * What a line is made of. Stand-ins are `{color}` and `{endColor}`, between which it has the
   * colour of its level, `{level}`, which is a letter, `{levelName}`, `{time}`, `{category}`,
   * `{message}`, and `{place}`, the file and the line that logged it, as `web:12`; without it a
   * line takes about 20 us less. It is left out where it cannot be told.
   *
   * @default {"{color}[{level} {time} {place}]{endColor} {message}"}
   */
  format?: string;
  /**
   * How the time is written, with the codes `%Y %y %m %d %H %M %S %f %j %a %b %z %%` of strftime.
   *
   * @default {"%y%m%d %H:%M:%S"}
   */
  dateFormat?: string;
  /**
   * Whether lines have colours: on a terminal, `"always"`, or with false never.
   *
   * @default {true}
   */
  color?: boolean | "always";
  /** The colours of the levels, as numbers that follow `ESC [` on a terminal. */
  colors?: Readonly<Partial<Record<LogLevelName, number>>>;
}

const FORMAT = "{color}[{level} {time} {place}]{endColor} {message}";
const DATE_FORMAT = "%y%m%d %H:%M:%S";

const COLORS: Readonly<Record<LogLevelName, number>> = {
  trace: 90,
  debug: 34,
  info: 32,
  warning: 33,
  error: 31,
  fatal: 35,
};

// The methods that log at a level, of loggers and of those that `with()` gives.
const plainLogger = getLogger([]);
const LOGGERS = [plainLogger, plainLogger.with({})].map(
  (logger) => Object.getPrototypeOf(logger) as typeof plainLogger,
);
const METHODS = new Map<LogLevelName, (keyof typeof plainLogger)[]>([
  ["trace", ["trace"]],
  ["debug", ["debug"]],
  ["info", ["info"]],
  ["warning", ["warn", "warning"]],
  ["error", ["error"]],
  ["fatal", ["fatal"]],
]);

const FRAME_REGEXP = /([^/\\]+?)(?:\.[cm]?[jt]sx?)?:(\d+):\d+\)?$/;
const FILE_REGEXP = /([^/\\]+?)(?:\.[cm]?[jt]sx?)?(?:\?.*)?$/;

/**
 * Writes log records as lines, such as `[I 130428 18:35:01 web:12] 200 GET / (127.0.0.1) 0.41ms`.
 * Further lines of a message are indented by four, so that who reads a file can tell where a
 * message begins. It never fails: bytes that are no UTF-8 are escaped, and what cannot be shown
 * is said to be so.
 *
 * @example
 * ```ts
 * import { LogFormatter } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * const formatter = new LogFormatter({ format: "{time} {levelName} {message}", dateFormat: "%Y" });
 * const line = formatter.format({
 *   category: ["app"],
 *   level: "warning",
 *   timestamp: Date.UTC(2026, 6, 1),
 *   message: ["two\nlines"],
 *   rawMessage: "two\nlines",
 *   properties: {},
 * });
 * assertEquals(line, "2026 warning two\n    lines");
 * ```
 */
export class LogFormatter {
  readonly #format: string;
  readonly #dateFormat: string;
  readonly #colors: Readonly<Partial<Record<LogLevelName, number>>> | null;
  readonly #accessPlaces = new Map<LogLevelName, string>();
  #second = -1; // the one that was written last
  #time = "";

  /**
   * Takes how lines look.
   *
   * @throws {TypeError} when `dateFormat` has a code that is not known.
   */
  constructor(
    { format = FORMAT, dateFormat = DATE_FORMAT, color = true, colors = COLORS }:
      LogFormatterOptions = {},
  ) {
    const code = unknownTimeCode(dateFormat);
    if (code !== null) throw new TypeError(`Cannot format times: ${code} is not known`);
    this.#format = format;
    this.#dateFormat = dateFormat;
    const colored = color === "always" || color && !Deno.noColor && Deno.stderr.isTerminal();
    this.#colors = colored ? colors : null;
  }

  /** Writes a record as a line, without the end of the line. */
  format(record: LoggedMessage): string {
    const color = this.#colors?.[record.level];
    const line = this.#format.replace(/ ?\{(\w+)\}/g, (placeholder, name: string) => {
      const blank = placeholder.startsWith(" ") ? " " : "";
      switch (name) {
        case "color":
          return blank + (color === undefined ? "" : `\x1b[${color}m`);
        case "endColor":
          return blank + (color === undefined ? "" : "\x1b[0m");
        case "level":
          return blank + record.level[0]!.toUpperCase();
        case "levelName":
          return blank + record.level;
        case "time":
          return blank + this.#timeOf(record.timestamp);
        case "category":
          return blank + record.category.join(".");
        case "message":
          return blank + messageOf(record);
        case "place": {
          const place = this.#placeOf(record);
          return place === null ? "" : blank + place;
        }
        default:
          return placeholder;
      }
    });
    return line.includes("\n") ? line.trimEnd().replaceAll("\n", "\n    ") : line;
  }

  // The framework's own lines of requests, which are most, have one place for each level.
  #placeOf({ category, level, rawMessage, sourceLocation }: LoggedMessage): string | null {
    if (sourceLocation !== undefined) return nameOf(sourceLocation);
    const isAccessLine = rawMessage === "{line}" && category.length === 2 &&
      category[1] === "access" && category[0] === "waterspout";
    const known = isAccessLine ? this.#accessPlaces.get(level) : undefined;
    if (known !== undefined) return known;
    const place = callPlace(level);
    if (isAccessLine && place !== null) this.#accessPlaces.set(level, place);
    return place;
  }

  // Most lines are of the second of the one before.
  #timeOf(timestamp: number): string {
    if (this.#dateFormat.includes("%f")) return formatTime(new Date(timestamp), this.#dateFormat);
    const second = Math.floor(timestamp / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#time = formatTime(new Date(timestamp), this.#dateFormat);
    }
    return this.#time;
  }
}

function messageOf(record: LoggedMessage): string {
  try {
    const text = record.message.map(show).join("");
    const { error } = record.properties;
    if (!(error instanceof Error) || record.message.includes(error)) return text;
    return `${text}\n${describeError(error)}`;
  } catch (error) {
    return `Cannot show the message ${JSON.stringify(String(record.rawMessage))}: ${
      describeError(error)
    }`;
  }
}

function show(part: unknown): string {
  if (typeof part === "string") return part;
  if (part instanceof Uint8Array) return showBytes(part);
  return part instanceof Error ? describeError(part) : Deno.inspect(part);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function showBytes(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    const escaped = Array.from(
      bytes,
      (byte) =>
        byte >= 0x20 && byte < 0x7f
          ? String.fromCharCode(byte)
          : `\\x${byte.toString(16).padStart(2, "0")}`,
    );
    return `"${escaped.join("")}"`;
  }
}

function nameOf({ file, line }: NonNullable<LoggedMessage["sourceLocation"]>): string | null {
  const [, name] = FILE_REGEXP.exec(file) ?? [];
  return name === undefined ? null : `${name}:${line}`;
}

// Whoever called the method of the logger. A stack of that one frame is an eighth of the work of a
// whole one; it is empty when the method is not among the callers.
function callPlace(level: LogLevelName): string | null {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  try {
    for (const logger of LOGGERS) {
      for (const method of METHODS.get(level) ?? []) {
        const holder: { stack?: string } = {};
        Error.captureStackTrace(holder, logger[method] as () => void);
        const [, file, line] = FRAME_REGEXP.exec(holder.stack!) ?? [];
        if (file !== undefined) return `${file}:${line}`;
      }
    }
    return null;
  } finally {
    Error.stackTraceLimit = limit;
  }
}
