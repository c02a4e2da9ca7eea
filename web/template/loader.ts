import { isAbsolute, join, posix, relative, resolve } from "node:path";
import { Template, type TemplateLoader } from "./template.ts";
import type { WhitespaceMode } from "./whitespace.ts";

/** Options of a loader. */
export interface LoaderOptions {
  /**
   * The function in the namespace that expressions are given to, or null for none.
   *
   * @default {"xhtmlEscape"}
   */
  autoescape?: string | null;
  /**
   * What all its templates can use.
   *
   * @default {{}}
   */
  namespace?: Readonly<Record<string, unknown>>;
  /** What happens to white space; by default it depends on the name of the file. */
  whitespace?: WhitespaceMode;
  /**
   * What its templates can import, by the name they import.
   *
   * @default {{}}
   */
  modules?: Readonly<Record<string, unknown>>;
}

/**
 * Finds templates by name and keeps them. Subclass it to take them from elsewhere: write
 * `createTemplate`, and `resolvePath` if names are not paths.
 */
export abstract class BaseLoader implements TemplateLoader {
  /** The function that expressions are given to, or null. */
  readonly autoescape: string | null;
  /** What all its templates can use. */
  readonly namespace: Readonly<Record<string, unknown>>;
  /** What happens to white space, or null: it depends on the name of the file. */
  readonly whitespace: WhitespaceMode | null;
  /** What its templates can import. */
  readonly modules: Readonly<Record<string, unknown>>;

  readonly #templates = new Map<string, Template | null>(); // null: it is being made

  /** Takes what its templates have in common. */
  constructor(options: LoaderOptions = {}) {
    const { autoescape = "xhtmlEscape", namespace = {}, whitespace = null, modules = {} } = options;
    this.autoescape = autoescape;
    this.namespace = namespace;
    this.whitespace = whitespace;
    this.modules = modules;
  }

  /** Forgets the templates, so that they are made anew. */
  reset(): void {
    this.#templates.clear();
  }

  /**
   * Returns the name under which a template is kept. Without a slash in front, it is relative
   * to the template `parentPath`, if that has a name.
   */
  resolvePath(name: string, parentPath?: string): string {
    if (parentPath === undefined || /^[</]/.test(parentPath) || name.startsWith("/")) return name;
    return posix.join(posix.dirname(parentPath), name);
  }

  /**
   * Returns a template.
   *
   * @throws {ParseError} when it is none.
   * @throws {Error} when it includes or extends itself, or there is none of that name.
   */
  load(name: string, parentPath?: string): Template {
    const path = this.resolvePath(name, parentPath);
    const known = this.#templates.get(path);
    if (known === null) throw new Error("it includes or extends itself");
    return known ?? this.#make(path);
  }

  /** Makes the template of that name. */
  abstract createTemplate(name: string): Template;

  #make(path: string): Template {
    this.#templates.set(path, null);
    try {
      const template = this.createTemplate(path);
      this.#templates.set(path, template);
      return template;
    } catch (error) {
      this.#templates.delete(path);
      throw error;
    }
  }
}

/**
 * Takes templates from the files of a directory, and of those below it. A file is read when it
 * is first needed.
 *
 * @example Load a file
 * ```ts
 * import { Loader } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${directory}/hello.html`, "Hello, {{ name }}");
 *
 * assertEquals(new Loader(directory).load("hello.html").generate({ name: "Ada" }), "Hello, Ada");
 * await Deno.remove(directory, { recursive: true });
 * ```
 */
export class Loader extends BaseLoader {
  /** The directory, as an absolute path. */
  readonly root: string;

  /** Takes the directory. */
  constructor(rootDirectory: string, options?: LoaderOptions) {
    super(options);
    this.root = resolve(rootDirectory);
  }

  /**
   * Returns the path of a template below the directory. Without a slash in front, it is
   * relative to the template `parentPath`.
   *
   * @throws {TypeError} when it is outside of the directory.
   */
  override resolvePath(name: string, parentPath?: string): string {
    const path = posix.normalize(super.resolvePath(name, parentPath)).replace(/^\/+/, "");
    if (!isBelow(this.root, join(this.root, path))) throw outside(name);
    return path;
  }

  /**
   * Reads and compiles the file of that path.
   *
   * @throws {Deno.errors.NotFound} when there is none.
   * @throws {TypeError} when a link leads outside of the directory.
   */
  override createTemplate(name: string): Template {
    const path = Deno.realPathSync(join(this.root, name));
    if (!isBelow(Deno.realPathSync(this.root), path)) throw outside(name);
    return new Template(Deno.readFileSync(path), { name, loader: this });
  }
}

/**
 * Takes templates from a record.
 *
 * @example Extend
 * ```ts
 * import { DictLoader } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const loader = new DictLoader({
 *   "base.html": "<title>{% block title %}Home{% end %}</title>",
 *   "about.html": '{% extends "base.html" %}{% block title %}About{% end %}',
 * });
 * assertEquals(loader.load("about.html").generate(), "<title>About</title>");
 * ```
 */
export class DictLoader extends BaseLoader {
  /** The templates by name. */
  readonly templates: Readonly<Record<string, string | Uint8Array>>;

  /** Takes the templates by name. */
  constructor(templates: Readonly<Record<string, string | Uint8Array>>, options?: LoaderOptions) {
    super(options);
    this.templates = templates;
  }

  /**
   * Compiles the template of that name.
   *
   * @throws {Error} when there is none.
   */
  override createTemplate(name: string): Template {
    if (!Object.hasOwn(this.templates, name)) {
      throw new Error(`Cannot load ${name}: there is no such template`);
    }
    return new Template(this.templates[name]!, { name, loader: this });
  }
}

function isBelow(root: string, path: string): boolean {
  const below = relative(root, path);
  return below !== "" && !/^\.\.(?:$|[\\/])/.test(below) && !isAbsolute(below);
}

function outside(name: string): TypeError {
  return new TypeError(`Cannot load ${name}: it is outside of the directory of templates`);
}
