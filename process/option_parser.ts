import { basename, dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { readConfigFile } from "./_config_file.ts";
import { optionFlag, optionKey } from "./_option_name.ts";
import { typeOf, type ValueKind, valueKind } from "./_option_values.ts";
import type { DefinedOption, OptionSpec } from "./option_types.ts";
import { OptionsError } from "./options_error.ts";

const HELP_WIDTH = 79;
const HELP_COLUMN = 35; // where descriptions begin

/** Options of {@linkcode OptionParser}. */
export interface OptionParserOptions {
  /** Where the help goes; by default to standard error. */
  write?: (text: string) => void;
  /** Is called behind the help that was asked for; by default it ends the process. */
  exit?: (code: number) => void;
}

/** Options of {@linkcode OptionParser.parseCommandLine}. */
export interface ParseOptions {
  /**
   * Whether nothing more will be parsed: then the parse callbacks are called.
   *
   * @default {true}
   */
  final?: boolean;
}

/**
 * Holds the options of a program: their names and types, defaults, and what the command line and
 * config files say.
 *
 * A name may be written `my-name`, `my_name` or `myName`, wherever it stands; in the results it
 * is `myName`, in the help `--my-name`. `define` returns the parser as one whose `values` have
 * the option's type.
 *
 * Most programs use the parser {@linkcode options}, which has those of the logs.
 *
 * @example
 * ```ts
 * import { OptionParser } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new OptionParser()
 *   .define("port", { default: 8888, help: "where to listen" })
 *   .define("idle-time", { type: "duration", default: 60_000 })
 *   .define("host", { multiple: true });
 * const rest = parser.parseCommandLine(["--port=80", "--host=a,b", "--idle-time=1h30m", "run"]);
 *
 * const { port, host, idleTime } = parser.values;
 * assertEquals([port, host, idleTime], [80, ["a", "b"], 5_400_000]);
 * assertEquals(rest, ["run"]);
 * ```
 */
export class OptionParser<Values extends object = Record<never, never>> {
  /** The values by name, to read and to set as with {@linkcode set}. */
  readonly values: Values = Object.create(null);

  readonly #options = new Map<string, Option>(); // by key
  readonly #parseCallbacks: (() => unknown)[] = [];
  readonly #write: (text: string) => void;

  /** Makes a parser that knows `--help`. */
  constructor({ write = writeError, exit = Deno.exit }: OptionParserOptions = {}) {
    this.#write = write;
    this.define("help", {
      type: Boolean,
      help: "show this help and exit",
      group: "",
      callback: (wanted: boolean) => {
        if (!wanted) return;
        this.printHelp();
        exit(0);
      },
    });
  }

  /**
   * Defines an option.
   *
   * @throws {OptionsError} when there is one of that name, however that is written.
   * @throws {OptionsError} when the default is not of the type.
   */
  define<const Name extends string, Spec extends OptionSpec = Record<never, never>>(
    name: Name,
    spec?: Spec,
  ): OptionParser<Values & DefinedOption<Name, Spec>> {
    return this._define(name, spec, this.define);
  }

  /** Does what {@linkcode define} does, in the name of who called `below`. @ignore */
  _define<const Name extends string, Spec extends OptionSpec>(
    name: Name,
    spec: Spec | undefined,
    below: (...args: never[]) => unknown,
  ): OptionParser<Values & DefinedOption<Name, Spec>> {
    const key = optionKey(name);
    const former = this.#options.get(key);
    if (former !== undefined) {
      throw new OptionsError(
        `Cannot define option ${name}: it was defined already${
          former.group === "" ? "" : ` in ${former.group}`
        }`,
      );
    }
    const option = new Option(key, spec ?? {}, spec?.group ?? callerFile(below));
    this.#options.set(key, option);
    Object.defineProperty(this.values, key, {
      get: () => option.value,
      set: (value) => option.set(value),
      enumerable: true,
    });
    return this as unknown as OptionParser<Values & DefinedOption<Name, Spec>>;
  }

  /** Tells whether there is such an option. */
  has(name: string): boolean {
    return this.#options.has(optionKey(name));
  }

  /**
   * Returns the value of an option: the one that was given last, else the default; null, or for a
   * list an empty one, where there is none.
   *
   * @throws {OptionsError} when there is no such option.
   */
  get<Key extends keyof Values & string>(name: Key): Values[Key];
  /** Returns the value of an option whose name may be written in any way. */
  get(name: string): unknown;
  get(name: string): unknown {
    return this.#find(name).value;
  }

  /**
   * Sets the value of an option; null is of every type.
   *
   * @throws {OptionsError} when there is no such option, or the value is not of its type.
   */
  set(name: string, value: unknown): void {
    this.#find(name).set(value);
  }

  /** Goes through the names of the options. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.#options.keys();
  }

  /** Returns names and values. */
  items(): [string, unknown][] {
    return [...this.#options].map(([key, { value }]) => [key, value]);
  }

  /** Returns the values by name. */
  asDict(): Record<string, unknown> {
    return Object.fromEntries(this.items());
  }

  /** Returns the names of all groups; without one of its own an option's is the file's. */
  groups(): Set<string> {
    return new Set([...this.#options.values()].map(({ group }) => group));
  }

  /**
   * Returns the values of a group by name: with the group `"application"`, for one, the settings
   * of an Application can be options.
   */
  groupDict(group: string): Record<string, unknown> {
    const members = [...this.#options].filter(([, option]) => option.group === group);
    return Object.fromEntries(members.map(([key, { value }]) => [key, value]));
  }

  /**
   * Takes the options from the front of a command line, as `--name=value`, or as `--name` if
   * they are booleans, and returns the rest: it begins with what is no option, or behind `--`.
   *
   * @throws {OptionsError} when an option is unknown, for which the help is printed too; when
   *   there is no value, or one that is not of the option's type.
   */
  parseCommandLine(
    args: readonly string[] = Deno.args,
    { final = true }: ParseOptions = {},
  ): string[] {
    let at = 0;
    for (; at < args.length; at++) {
      const arg = args[at]!;
      if (!arg.startsWith("-") || arg === "-") break;
      if (arg === "--") {
        at++;
        break;
      }
      this.#takeArgument(arg);
    }
    if (final) this.runParseCallbacks();
    return args.slice(at);
  }

  /**
   * Takes the options from a file: JSON, which in `.jsonc` may have comments, or a module whose
   * exports are the values. Strings are read as on the command line, also for lists; names that
   * are no options are ignored. A module is run only once in a process.
   *
   * @throws {OptionsError} when the file cannot be understood; the message names it and the place.
   * @throws {OptionsError} when a value is not of its option's type.
   * @throws {Deno.errors.NotFound} when there is no such file.
   */
  async parseConfigFile(path: string | URL, { final = true }: ParseOptions = {}): Promise<void> {
    for (const [name, value] of Object.entries(await readConfigFile(path))) {
      try {
        this.#options.get(optionKey(name))?.configure(value);
      } catch (error) {
        if (!(error instanceof OptionsError)) throw error;
        throw new OptionsError(`Cannot use config file ${path}: ${error.message}`, {
          cause: error,
        });
      }
    }
    if (final) this.runParseCallbacks();
  }

  /** Prints what options there are, by group. */
  printHelp(write: (text: string) => void = this.#write): void {
    write(`Usage: ${programName()} [OPTIONS]\n\nOptions:\n\n`);
    for (const group of [...this.groups()].sort()) {
      if (group !== "") write(`\n${shortPath(group)} options:\n\n`);
      const members = [...this.#options.values()].filter((option) => option.group === group);
      members.sort((a, b) => a.flag < b.flag ? -1 : 1);
      for (const option of members) write(helpOf(option));
    }
    write("\n");
  }

  /** Adds what is called when the options have been parsed. */
  addParseCallback(fn: () => unknown): void {
    this.#parseCallbacks.push(fn);
  }

  /** Calls the parse callbacks, in the order of adding. */
  runParseCallbacks(): void {
    for (const fn of this.#parseCallbacks) fn();
  }

  /**
   * Sets an option while `body` runs, and until the promise is done that it returns; then the
   * former value is back. For tests.
   *
   * @throws {OptionsError} as {@linkcode set} does.
   */
  mock<T>(name: string, value: unknown, body: () => T): T {
    const option = this.#find(name);
    const former = option.given;
    option.set(value);
    const restore = () => option.restore(former);
    let result: T;
    try {
      result = body();
    } catch (error) {
      restore();
      throw error;
    }
    if (!isThenable(result)) {
      restore();
      return result;
    }
    return Promise.resolve(result).finally(restore) as T;
  }

  #takeArgument(arg: string): void {
    const [, name, value] = /^-+([^=]*)(?:=(.*))?$/s.exec(arg)!;
    const option = this.#options.get(optionKey(name!));
    if (option === undefined) {
      this.printHelp();
      throw new OptionsError(`Cannot parse ${arg}: there is no option --${name}`);
    }
    if (value !== undefined) option.parse(value);
    else if (option.kind.flag) option.parse("true");
    else throw new OptionsError(`Cannot parse ${arg}: the option needs a value, ${arg}=...`);
  }

  #find(name: string): Option {
    const option = this.#options.get(optionKey(name));
    if (option === undefined) {
      throw new OptionsError(`Cannot find option ${name}: it is not defined`);
    }
    return option;
  }
}

// What was given; undefined: nothing.
type Given = { readonly value: unknown } | undefined;

class Option {
  readonly flag: string;
  readonly group: string;
  readonly kind: ValueKind;
  readonly spec: OptionSpec;
  given: Given;

  readonly #multiple: boolean;
  readonly #default: unknown;

  constructor(key: string, spec: OptionSpec, group: string) {
    this.flag = `--${optionFlag(key)}`;
    this.spec = spec;
    this.group = group;
    this.#multiple = spec.multiple ?? false;
    this.kind = valueKind(spec.type ?? typeOf(spec.default));
    this.#default = spec.default ?? (this.#multiple ? [] : null);
    this.#check(this.#default);
  }

  get value(): unknown {
    return this.given === undefined ? this.#default : this.given.value;
  }

  /** Takes text. */
  parse(text: string): void {
    this.#give(this.#multiple ? this.#readList(text) : this.#read(text));
  }

  /** Takes a value. */
  set(value: unknown): void {
    this.#check(value);
    this.#give(value);
  }

  /** Takes what a config file says: text is read, unless it is the value. */
  configure(value: unknown): void {
    const isValue = this.kind === valueKind(String) && !this.#multiple;
    if (typeof value === "string" && !isValue) this.parse(value);
    else this.set(value);
  }

  /** Takes back what was given. */
  restore(given: Given): void {
    this.given = given;
    this.spec.callback?.(this.value);
  }

  /** The default as the help shows it, empty for none. */
  get defaultText(): string {
    const value = this.#default;
    if (value === null) return "";
    return Array.isArray(value) ? value.map(textOf).join(",") : textOf(value);
  }

  #give(value: unknown): void {
    this.given = { value };
    this.spec.callback?.(value);
  }

  #readList(text: string): unknown[] {
    return text.split(",").flatMap((part) => {
      const [, low, high] = (this.kind.ranges ? /^([^:]*):([^:]+)$/.exec(part) : null) ?? [];
      if (low === undefined) return [this.#read(part, text)];
      const first = this.#read(low, text) as number;
      const count = (this.#read(high!, text) as number) - first + 1;
      return Array.from({ length: Math.max(0, count) }, (_, index) => first + index);
    });
  }

  // Reads all of what was given, or a part.
  #read(text: string, whole = text): unknown {
    let value: unknown;
    let cause: unknown;
    try {
      value = this.kind.read(text);
    } catch (error) {
      cause = error;
    }
    if (cause === undefined && value !== null) return value;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    throw new OptionsError(
      `Cannot parse ${this.flag}=${whole}: expected ${this.kind.name}${why}`,
      cause === undefined ? {} : { cause },
    );
  }

  #check(value: unknown): void {
    if (this.#multiple) {
      if (Array.isArray(value) && value.every((item) => this.#fits(item))) return;
      throw this.#wrongType(value, `a list, each of it ${this.kind.name}`);
    }
    if (!this.#fits(value)) throw this.#wrongType(value, this.kind.name);
  }

  #fits(value: unknown): boolean {
    return value === null || value === undefined || this.kind.fits(value);
  }

  #wrongType(value: unknown, expected: string): OptionsError {
    return new OptionsError(
      `Cannot set option ${this.flag}: expected ${expected}, got ${Deno.inspect(value)}`,
    );
  }
}

function helpOf({ flag, spec, defaultText }: Option): string {
  const head = spec.metavar === undefined ? flag : `${flag}=${spec.metavar}`;
  const note = defaultText === "" ? "" : ` (default ${defaultText})`;
  const lines = wrapText(((spec.help ?? "") + note).trim(), HELP_WIDTH - HELP_COLUMN);
  const indent = " ".repeat(HELP_COLUMN);
  const beside = head.length < HELP_COLUMN - 2 ? lines.shift() ?? "" : "";
  const first = `  ${head.padEnd(HELP_COLUMN - 2)}${beside}`.trimEnd();
  return [first, ...lines.map((line) => indent + line)].map((line) => `${line}\n`).join("");
}

function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

// The path of the file that called `below`; the address of one that is elsewhere.
function callerFile(below: (...args: never[]) => unknown): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, below);
  const [, address] = /^\s+at (?:.*\()?((?:file|https?|jsr|npm|data):.*?):\d+:\d+\)?$/m
    .exec(holder.stack ?? "") ?? [];
  if (address === undefined) return "";
  return address.startsWith("file:") ? fileURLToPath(address) : address;
}

function programName(): string {
  return basename(new URL(Deno.mainModule).pathname);
}

// A file of the program is named from the program's directory on.
function shortPath(group: string): string {
  if (!Deno.mainModule.startsWith("file:")) return group;
  const directory = dirname(fileURLToPath(Deno.mainModule));
  return group.startsWith(directory) ? relative(directory, group) : group;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

const encoder = new TextEncoder();

function writeError(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text));
}
