import type { LoggingOptionValues } from "./logging_option_values.ts";
import { defineLoggingOptions } from "./logging_options.ts";
import { OptionParser, type ParseOptions } from "./option_parser.ts";
import type { DefinedOption, OptionSpec } from "./option_types.ts";

/** Holds the values of {@linkcode options}, of which each module knows those it defines. */
export type GlobalOptionValues = LoggingOptionValues & Record<string, unknown>;

/**
 * The options of this program: those of the logs, see {@linkcode defineLoggingOptions}, and what
 * its modules add by {@linkcode define}.
 *
 * @example
 * ```ts
 * import { options } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { values } = options.define("database", { default: "app.db" });
 * options.parseCommandLine(["--database=test.db", "--logging=none"]);
 * assertEquals(values.database, "test.db");
 * ```
 */
export const options: OptionParser<GlobalOptionValues> = defineLoggingOptions(
  new OptionParser<Record<string, unknown>>(),
);

/**
 * Defines an option of this program, as {@linkcode OptionParser.define} does. What it returns
 * are the {@linkcode options}, whose `values` have the type of this one too.
 *
 * @throws {OptionsError} as that does.
 *
 * @example
 * ```ts
 * import { define, parseCommandLine } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { values } = define("port", { default: 8888, help: "where to listen" });
 * parseCommandLine(["--port=80", "--logging=none"]); // without arguments: those of the program
 * assertEquals(values.port, 80);
 * ```
 */
export function define<const Name extends string, Spec extends OptionSpec = Record<never, never>>(
  name: Name,
  spec?: Spec,
): OptionParser<GlobalOptionValues & DefinedOption<Name, Spec>> {
  return options._define(name, spec, define);
}

/**
 * Takes {@linkcode options} from the command line and returns the rest; see
 * {@linkcode OptionParser.parseCommandLine}.
 *
 * @throws {OptionsError} as that does.
 */
export function parseCommandLine(args?: readonly string[], how?: ParseOptions): string[] {
  return options.parseCommandLine(args, how);
}

/**
 * Takes {@linkcode options} from a file; see {@linkcode OptionParser.parseConfigFile}.
 *
 * @throws {OptionsError} as that does.
 */
export function parseConfigFile(path: string | URL, how?: ParseOptions): Promise<void> {
  return options.parseConfigFile(path, how);
}

/** Prints what {@linkcode options} there are; by default to standard error. */
export function printHelp(write?: (text: string) => void): void {
  options.printHelp(write);
}

/** Adds what is called when the {@linkcode options} have been parsed. */
export function addParseCallback(fn: () => unknown): void {
  options.addParseCallback(fn);
}
