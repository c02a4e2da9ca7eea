import { codeOf, expressionFault } from "./_javascript.ts";
import { compile, type CompiledTemplate } from "./_compiler.ts";
import type { TemplateFile } from "./_nodes.ts";
import { parse } from "./_parser.ts";
import { Program } from "./_program.ts";
import type { WhitespaceMode } from "./whitespace.ts";

/** What a template asks of the loader that it came from. */
export interface TemplateLoader {
  /** The function that expressions are given to, or null. */
  readonly autoescape: string | null;
  /** What all its templates can use. */
  readonly namespace: Readonly<Record<string, unknown>>;
  /** What happens to white space, or null: it depends on the name of the file. */
  readonly whitespace: WhitespaceMode | null;
  /** What its templates can import. */
  readonly modules: Readonly<Record<string, unknown>>;
  /** Returns the template of that name, as named in the template `parentPath`. */
  load(name: string, parentPath?: string): Template;
}

/** Options of a {@linkcode Template}; those that are left out come from its loader. */
export interface TemplateOptions {
  /**
   * What it is called in errors.
   *
   * @default {"<string>"}
   */
  name?: string;
  /** Where it finds the templates that it includes and extends, and what it imports. */
  loader?: TemplateLoader;
  /**
   * The function in the namespace that expressions are given to, or null for none.
   *
   * @default {"xhtmlEscape"}
   */
  autoescape?: string | null;
  /** What happens to white space: by default `single` for `.html` and `.js`, else `all`. */
  whitespace?: WhitespaceMode;
}

// It takes a byte order mark away.
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A text with holes, loops, conditions and parts of other texts, compiled to a function. The
 * expressions in it are JavaScript.
 *
 * @example Generate
 * ```ts
 * import { Template } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const template = new Template("{% for name of names %}<li>{{ name }}</li>{% end %}");
 * assertEquals(template.generate({ names: ["Ada", "<b>"] }), "<li>Ada</li><li>&lt;b&gt;</li>");
 * ```
 */
export class Template {
  /** What it is called in errors, and for what it includes. */
  readonly name: string;
  /**
   * What it was parsed to, for the compiler of templates that use it.
   *
   * @ignore
   */
  readonly _file: TemplateFile;

  readonly #loader: TemplateLoader | undefined;
  readonly #compiled: CompiledTemplate;
  readonly #program: Program;

  /**
   * Compiles text, or bytes in UTF-8.
   *
   * @throws {ParseError} when it is no template, or what it includes or extends is none.
   * @throws {TypeError} when the bytes are not UTF-8, or `autoescape` is no expression.
   */
  constructor(source: string | Uint8Array, options: TemplateOptions = {}) {
    const { name = "<string>", loader } = options;
    const autoescape = options.autoescape === undefined
      ? loader === undefined ? "xhtmlEscape" : loader.autoescape
      : options.autoescape;
    const whitespace = options.whitespace ?? loader?.whitespace ??
      (/\.(?:html|js)$/.test(name) ? "single" : "all");
    const fault = autoescape === null ? null : expressionFault(autoescape);
    if (fault !== null) {
      throw new TypeError(`Cannot escape with ${JSON.stringify(autoescape)}: ${fault}`);
    }
    this.name = name;
    this.#loader = loader;
    this._file = parse(typeof source === "string" ? source : decoder.decode(source), {
      name,
      whitespace,
      autoescape: autoescape === null ? null : codeOf(autoescape),
    });
    this.#compiled = compile(this._file, {
      load: (name, parentPath) => this.#load(name, parentPath),
      modules: loader?.modules ?? {},
    });
    this.#program = new Program(this.#compiled, name);
  }

  /** The JavaScript that it was compiled to, without the variables of its namespace. */
  get code(): string {
    return this.#compiled.code;
  }

  /**
   * Makes its output. What the namespace holds, and that of the loader, are variables in its
   * expressions. The stack of an error that is thrown in it shows the line of the template.
   */
  generate(namespace: object = {}): string {
    return this.#program.run(namespace, this.#loader?.namespace ?? NOTHING);
  }

  #load(name: string, parentPath: string): TemplateFile {
    if (this.#loader === undefined) throw new TypeError("the template has no loader");
    return this.#loader.load(name, parentPath)._file;
  }
}

const NOTHING = Object.freeze({});
