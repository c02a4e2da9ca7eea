import { showLogs } from "./_show_logs.ts";
import type { LoggingOptionValues } from "./logging_option_values.ts";
import type { OptionParser } from "./option_parser.ts";

/**
 * Defines `--logging`, `--log-to-stderr`, `--log-file-prefix`, `--log-file-max-size`,
 * `--log-file-num-backups`, `--log-rotate-when`, `--log-rotate-interval` and
 * `--log-rotate-mode`, and lets `enablePrettyLogging` heed them when they have been parsed.
 * {@linkcode options} has them.
 *
 * @throws {OptionsError} when one is defined already.
 *
 * @example
 * ```ts
 * import { defineLoggingOptions, OptionParser } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = defineLoggingOptions(new OptionParser());
 * parser.parseCommandLine(["--logging=none"]);
 * assertEquals(parser.values.logging, "none");
 * ```
 */
export function defineLoggingOptions<Values extends object>(
  options: OptionParser<Values>,
): OptionParser<Values & LoggingOptionValues> {
  const group = "logging";
  const defined = options
    .define("logging", {
      default: "info" as string | null,
      help: "the lowest level that is shown; none leaves logging as it is",
      metavar: "debug|info|warning|error|none",
      group,
    })
    .define("log-to-stderr", {
      type: Boolean,
      help: "write to standard error; by default if nothing else gets the lines",
      group,
    })
    .define("log-file-prefix", {
      type: String,
      metavar: "PATH",
      help: "write to this file; several processes put their numbers behind it",
      group,
    })
    .define("log-file-max-size", {
      default: 100_000_000,
      type: "int",
      help: "the bytes after which the file begins anew",
      group,
    })
    .define("log-file-num-backups", {
      default: 10,
      type: "int",
      help: "how many former files are kept",
      group,
    })
    .define("log-rotate-when", {
      default: "midnight",
      metavar: "S|M|H|D|W0-W6|midnight",
      help: "when the file begins anew, if by time",
      group,
    })
    .define("log-rotate-interval", {
      default: 1,
      type: "int",
      help: "after how many of these",
      group,
    })
    .define("log-rotate-mode", {
      default: "size",
      metavar: "size|time",
      help: "what the file begins anew by",
      group,
    });
  options.addParseCallback(() => showLogs(defined.values));
  return defined as unknown as OptionParser<Values & LoggingOptionValues>;
}
