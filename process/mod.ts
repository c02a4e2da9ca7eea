/**
 * What a process needs around its server: start, graceful stop, logs that people read.
 *
 * ```ts
 * import { enablePrettyLogging } from "@waterspout/waterspout/process";
 * import { genLog } from "@waterspout/waterspout/ioloop";
 * import { assertMatch } from "@std/assert";
 *
 * const lines: string[] = [];
 * enablePrettyLogging({ write: (line) => lines.push(line), color: false });
 * genLog.info("ready");
 * assertMatch(lines[0]!, /^\[I \d{6} [\d:]{8}\] ready\n$/);
 * ```
 *
 * @module
 */
export { enablePrettyLogging, type PrettyLoggingOptions } from "./pretty_logging.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
