import { showLogs } from "./_show_logs.ts";
import { LogFormatter } from "./log_formatter.ts";
import type { LoggingOptionValues } from "./logging_option_values.ts";
import { options as globalOptions } from "./options.ts";

/** Options of {@linkcode enablePrettyLogging}. */
export interface PrettyLoggingOptions {
  /**
   * The lowest level that is shown; by default what the options say, which is info at first.
   */
  level?: "debug" | "info" | "warning" | "error";
  /** Where lines go, whatever else gets them; by default what the options say. */
  write?: (line: string) => void;
  /**
   * Whether the head of a line is coloured by its level: on a terminal, `"always"`, or with false
   * never.
   *
   * @default {true}
   */
  color?: boolean | "always";
  /** The parser whose options count; by default the one of the program. */
  options?: { readonly values: Readonly<LoggingOptionValues> };
  /**
   * The category whose messages are shown, with those below it: `[]` is all there are.
   *
   * @default {"waterspout"}
   */
  logger?: string | readonly string[];
}

/**
 * Shows what the framework logs, a line for each message, such as
 * `[I 261121 18:35:01 main:12] ready`, with the file and the line that logged it; further lines of a
 * message are indented.
 *
 * Lines go where the options say, see {@linkcode defineLoggingOptions}: to standard error, unless
 * they go to a file, or LogTape was configured to give them to somebody. Where the options say
 * that logging is `none`, and `level` does not say otherwise, nothing happens. A call replaces
 * what a former one did.
 *
 * What else was configured for `@logtape/logtape` stays; but whenever LogTape is configured
 * anew, it disposes of the sinks that hold something open, such as a file.
 *
 * @throws {TypeError} when the options have a level, a mode of rotation or a time of it that
 *   there is not.
 */
export function enablePrettyLogging(
  { level, write, color, options = globalOptions, logger = "waterspout" }: PrettyLoggingOptions =
    {},
): void {
  const { values } = options;
  showLogs(level === undefined ? values : { ...values, logging: level }, {
    category: [logger].flat(),
    write,
    formatter: color === undefined ? undefined : new LogFormatter({ color }),
  });
}
