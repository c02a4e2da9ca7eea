// A template becomes one function: what it includes and extends is written into it, so that
// included files see local variables. Its body is the same for every namespace; which names
// come from there stands in front of it (see _program.ts).
//
// Before whatever can throw, the number of its place is stored in a local variable; that is
// how an error tells its place although several files are in one function.
import type { Code } from "./_javascript.ts";
import type { Block, Branch, Import, Node, TemplateFile } from "./_nodes.ts";
import { ParseError } from "./errors.ts";

/** The body of a template's function, and what it needs. */
export interface CompiledTemplate {
  readonly code: string;
  /** What may come from outside, sorted. */
  readonly names: readonly string[];
  /** What is assigned, so that it needs a variable in any case. */
  readonly assigned: ReadonlySet<string>;
  /** The functions that `_tt_escape0` and so on stand for. */
  readonly escapes: readonly string[];
  /** What was imported, `_tt_imports[0]`. */
  readonly imports: readonly unknown[];
  /** The places, by number. */
  readonly places: readonly string[];
}

/** How the compiler gets at other files. */
export interface CompilerContext {
  /** Returns the file of that name, as named in the file `parentPath`. */
  load(name: string, parentPath: string): TemplateFile;
  /** What can be imported. */
  readonly modules: Readonly<Record<string, unknown>>;
}

/** @throws {ParseError} when a file or a module that it needs is not there. */
export function compile(file: TemplateFile, context: CompilerContext): CompiledTemplate {
  return new Compiler(context).compile(file);
}

/** A block, and the file that it stands in. */
interface OwnedBlock {
  readonly block: Block;
  readonly file: TemplateFile;
}

type Blocks = Map<string, OwnedBlock>;

/** A loop around what is being written. */
interface Loop {
  /** What a `break` has to name, if it has to skip an `else`. */
  readonly label: string | null;
  readonly line: number;
}

const UNKNOWN_PLACE = -1;

class Compiler {
  readonly #context: CompilerContext;
  readonly #lines: string[] = [];
  readonly #names = new Set<string>();
  readonly #assigned = new Set<string>();
  readonly #escapes: string[] = [];
  readonly #imports: unknown[] = [];
  readonly #places: string[] = [];

  #indent = 1;
  #counter = 0; // for names of our own
  #output = "_tt_out"; // the variable that output is added to
  #loops: Loop[] = [];
  #place = UNKNOWN_PLACE; // the one stored last, where that is sure
  #file!: TemplateFile; // the one that is being written
  #via: string[] = []; // where that is included, outermost first
  #blocks!: Blocks; // by name, those of the last child

  constructor(context: CompilerContext) {
    this.#context = context;
  }

  compile(file: TemplateFile): CompiledTemplate {
    this.#page(file);
    return {
      code: this.#lines.join("\n"),
      names: [...this.#names].sort(),
      assigned: this.#assigned,
      escapes: this.#escapes,
      imports: this.#imports,
      places: this.#places,
    };
  }

  // Writes a file, or what it extends with its blocks.
  #page(file: TemplateFile): void {
    const family = this.#family(file);
    const { 0: parent, length } = family;
    if (length > 1 || this.#blocks === undefined) {
      const outer = this.#blocks;
      this.#blocks = new Map();
      for (const member of family) this.#findBlocks(member, member.body);
      this.#body(parent!);
      this.#blocks = outer;
    } else this.#body(file);
  }

  /** Returns a file and those that it extends, the outermost first. */
  #family(file: TemplateFile): TemplateFile[] {
    const family = [file];
    for (let child = file; child.parent !== null; child = family[0]!) {
      family.unshift(this.#load("extend", child.parent.name, child, child.parent.line));
    }
    return family;
  }

  // An included file that extends another one has blocks of its own; see #page.
  #findBlocks(file: TemplateFile, nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.kind === "block") this.#blocks.set(node.name, { block: node, file });
      if (node.kind === "include") {
        const included = this.#load("include", node.name, file, node.line);
        if (included.parent === null) this.#findBlocks(included, included.body);
      } else for (const body of bodiesOf(node)) this.#findBlocks(file, body);
    }
  }

  #body(file: TemplateFile): void {
    const outer = this.#file;
    this.#file = file;
    this.#nodes(file.body);
    this.#file = outer;
  }

  #nodes(nodes: readonly Node[]): void {
    let text = "";
    for (const node of nodes) {
      if (node.kind === "text") text += node.text;
      else {
        this.#text(text);
        text = "";
        this.#node(node);
      }
    }
    this.#text(text);
  }

  #text(text: string): void {
    if (text !== "") this.#write(`${this.#output} += ${JSON.stringify(text)};`);
  }

  #node(node: Exclude<Node, { readonly kind: "text" }>): void {
    switch (node.kind) {
      case "print": {
        const print = node.isEscaped ? this.#escape() : "_tt_text";
        this.#mark(node.line);
        this.#write(`${this.#output} += ${print}(${this.#use(node.code)});`);
        return;
      }
      case "apply":
        return this.#apply(node);
      case "block":
        return this.#block(node);
      case "include":
        return this.#include(node);
      case "if":
        return this.#if(node.branches);
      case "for":
      case "while":
        return this.#loop(node);
      case "try":
        return this.#try(node);
      case "set":
        for (const name of node.targets) this.#assigned.add(name);
        this.#mark(node.line);
        this.#write(`(${this.#use(node.code)});`);
        return;
      case "import":
        for (const item of node.imports) this.#import(item, node.line);
        return;
      case "jump":
        return this.#jump(node);
    }
  }

  #apply({ line, code, body }: Node & { kind: "apply" }): void {
    const outer = this.#output;
    const output = this.#own("out");
    this.#nest("{", () => {
      this.#write(`let ${output} = "";`);
      this.#output = output;
      this.#nodes(body);
      this.#output = outer;
      this.#mark(line);
      this.#write(`${outer} += _tt_text((${this.#use(code)})(${output}));`);
    });
    this.#write("}");
  }

  // It cannot contain itself: of two blocks of one name the inner one is found last.
  #block({ name, line }: Block): void {
    const { block, file } = this.#blocks.get(name)!;
    if (file === this.#file) this.#nodes(block.body);
    else this.#through(file, line, () => this.#nodes(block.body));
  }

  #include({ name, line }: Node & { kind: "include" }): void {
    const file = this.#load("include", name, this.#file, line);
    this.#through(file, line, () => this.#page(file));
  }

  #if(branches: readonly Branch[]): void {
    branches.forEach(({ line, condition, body }, i) => {
      if (condition === null) this.#nest("} else {", () => this.#nodes(body));
      else if (i === 0) {
        this.#mark(line);
        this.#nest(`if (${this.#use(condition)}) {`, () => this.#nodes(body));
      } else {
        this.#nest(`} else if (${this.#marked(line, condition)}) {`, () => this.#nodes(body));
      }
    });
    this.#write("}");
  }

  #loop(node: Node & { kind: "for" | "while" }): void {
    const { line } = node;
    const label = node.otherwise === null ? null : this.#own("end");
    const write = () => {
      this.#loops.push({ label, line });
      if (node.kind === "for") {
        // The items are found where the variable, which may hide one of the same name, is not.
        const item = this.#own("item");
        this.#mark(line);
        this.#nest(`for (const ${item} of (${this.#use(node.items)})) {`, () => {
          this.#write(`let ${this.#use(node.pattern)} = ${item};`);
          this.#nodes(node.body);
          this.#mark(line); // the next item may be what fails
        });
      } else {
        this.#nest(
          `while (${this.#marked(line, node.condition)}) {`,
          () => this.#nodes(node.body),
        );
      }
      this.#write("}");
      this.#loops.pop();
      if (node.otherwise !== null) this.#nodes(node.otherwise);
    };
    if (label === null) return write();
    this.#nest(`${label}: {`, write);
    this.#write("}");
  }

  #jump({ word, line }: Node & { kind: "jump" }): void {
    const loop = this.#loops.at(-1);
    if (loop === undefined) {
      throw new ParseError(`Misplaced ${word}: expected a loop`, this.#file.name, line);
    }
    if (word === "continue") this.#mark(loop.line);
    this.#write(word === "break" && loop.label !== null ? `break ${loop.label};` : `${word};`);
  }

  #try({ body, handler, otherwise, cleanup }: Node & { kind: "try" }): void {
    if (cleanup === null) {
      this.#attempt(body, handler!, otherwise);
      return;
    }
    this.#nest("try {", () => {
      if (handler === null) this.#nodes(body);
      else this.#attempt(body, handler, otherwise);
    });
    // The place of the error that may be on its way must not get lost.
    const place = this.#own("place");
    this.#nest("} finally {", () => {
      this.#write(`const ${place} = _tt_place;`);
      this.#nodes(cleanup);
      this.#write(`_tt_place = ${place};`);
    });
    this.#write("}");
  }

  #attempt(
    body: readonly Node[],
    handler: { readonly pattern: Code | null; readonly body: readonly Node[] },
    otherwise: readonly Node[] | null,
  ): void {
    const label = otherwise === null ? null : this.#own("end");
    const pattern = handler.pattern === null ? "" : `(${this.#use(handler.pattern)}) `;
    const write = () => {
      this.#nest("try {", () => this.#nodes(body));
      this.#nest(`} catch ${pattern}{`, () => {
        this.#nodes(handler.body);
        if (label !== null) this.#write(`break ${label};`);
      });
      this.#write("}");
      if (otherwise !== null) this.#nodes(otherwise);
    };
    if (label === null) return write();
    this.#nest(`${label}: {`, write);
    this.#write("}");
  }

  #import({ module, member, name }: Import, line: number): void {
    const { modules } = this.#context;
    if (!Object.hasOwn(modules, module)) {
      throw new ParseError(`Cannot import ${module}: unknown module`, this.#file.name, line);
    }
    let value: unknown = modules[module];
    if (member !== null) {
      if (typeof value !== "object" || value === null || !(member in value)) {
        throw new ParseError(`Cannot import ${member}: not in ${module}`, this.#file.name, line);
      }
      value = (value as Record<string, unknown>)[member];
    }
    this.#names.add(name);
    this.#assigned.add(name);
    this.#write(`${name} = _tt_imports[${this.#imports.push(value) - 1}];`);
  }

  #escape(): string {
    const { autoescape } = this.#file;
    if (autoescape === null) return "_tt_text";
    const text = this.#use(autoescape);
    if (!this.#escapes.includes(text)) this.#escapes.push(text);
    return `_tt_escape${this.#escapes.indexOf(text)}`;
  }

  // Runs `write` in another file, which is reached from a line of this one.
  #through(file: TemplateFile, line: number, write: () => void): void {
    const outer = this.#file;
    this.#via.push(`${outer.name}:${line}`);
    this.#file = file;
    write();
    this.#file = outer;
    this.#via.pop();
  }

  #load(action: string, name: string, file: TemplateFile, line: number): TemplateFile {
    try {
      return this.#context.load(name, file.name);
    } catch (cause) {
      if (cause instanceof ParseError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ParseError(`Cannot ${action} ${name}: ${why}`, file.name, line, { cause });
    }
  }

  // A comment at the end of the code must not hide what follows it.
  #use({ text, names }: Code): string {
    for (const name of names) this.#names.add(name);
    return /\/\/|<!--|-->/.test(text) ? `${text}\n` : text;
  }

  #mark(line: number): void {
    const place = this.#placeOf(line);
    if (place === this.#place) return;
    this.#write(`_tt_place = ${place};`);
    this.#place = place;
  }

  #marked(line: number, code: Code): string {
    return `_tt_place = ${this.#placeOf(line)}, (${this.#use(code)})`;
  }

  #placeOf(line: number): number {
    const via = this.#via.length === 0 ? "" : ` (via ${this.#via.toReversed().join(", ")})`;
    const text = `${this.#file.name}:${line}${via}`;
    const known = this.#places.indexOf(text);
    return known === -1 ? this.#places.push(text) - 1 : known;
  }

  #own(what: string): string {
    return `_tt_${what}${++this.#counter}`;
  }

  // Writes what opens a block of statements and, deeper, what is in it.
  #nest(head: string, write: () => void): void {
    this.#write(head);
    this.#indent++;
    this.#place = UNKNOWN_PLACE;
    write();
    this.#place = UNKNOWN_PLACE;
    this.#indent--;
  }

  #write(line: string): void {
    this.#lines.push("  ".repeat(this.#indent) + line);
  }
}

/** Returns the bodies of a node, as they stand in its file. */
function bodiesOf(node: Node): (readonly Node[])[] {
  switch (node.kind) {
    case "apply":
    case "block":
      return [node.body];
    case "if":
      return node.branches.map(({ body }) => body);
    case "for":
    case "while":
      return [node.body, node.otherwise ?? []];
    case "try":
      return [node.body, node.handler?.body ?? [], node.otherwise ?? [], node.cleanup ?? []];
    default:
      return [];
  }
}
