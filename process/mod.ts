/**
 * What a process needs around its server: start, graceful stop, several processes on one port,
 * other programs, logs that people read.
 *
 * ```ts
 * import { enablePrettyLogging } from "@waterspout/waterspout/process";
 * import { genLog } from "@waterspout/waterspout/ioloop";
 * import { assertMatch } from "@std/assert";
 *
 * const lines: string[] = [];
 * enablePrettyLogging({ write: (line) => lines.push(line), color: false });
 * genLog.info("ready");
 * assertMatch(lines[0]!, /^\[I \d{6} [\d:]{8} \S+:\d+\] ready\n$/);
 * ```
 *
 * @module
 */
export { enablePrettyLogging, type PrettyLoggingOptions } from "./pretty_logging.ts";
export { defineLoggingOptions } from "./logging_options.ts";
export type { LoggingOptionValues } from "./logging_option_values.ts";
export {
  LogFormatter,
  type LogFormatterOptions,
  type LoggedMessage,
  type LogLevelName,
} from "./log_formatter.ts";
export {
  addParseCallback,
  define,
  type GlobalOptionValues,
  options,
  parseCommandLine,
  parseConfigFile,
  printHelp,
} from "./options.ts";
export { OptionParser, type OptionParserOptions, type ParseOptions } from "./option_parser.ts";
export type {
  DefinedOption,
  OptionItem,
  OptionKey,
  OptionSpec,
  OptionType,
  OptionTypeValue,
  OptionValue,
} from "./option_types.ts";
export { OptionsError } from "./options_error.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
export { serve, type ServeOptions } from "./serve.ts";
export { loopPage, type LoopPageOptions } from "./loop_page.ts";
export { onShutdown, type ShutdownFunction } from "./on_shutdown.ts";
export { type ForkOptions, forkProcesses, taskId } from "./fork_processes.ts";
export * as autoreload from "./autoreload.ts";
export { cpuCount } from "./cpu_count.ts";
export {
  Subprocess,
  type SubprocessOptions,
  type SubprocessStdio,
  type WaitForExitOptions,
} from "./subprocess.ts";
export { CalledProcessError } from "./errors.ts";
