import {
  assignedBy,
  type Code,
  indexAt,
  indexOfAssignment,
  isName,
  listedTargets,
  namesOf,
  patternFault,
  targetsOf,
  type Token,
} from "./_javascript.ts";
import type { Branch, Import, Node, TemplateFile } from "./_nodes.ts";
import {
  checkExpression,
  type CodeOfTag,
  type DirectiveTag,
  divide,
  type Part,
  rest,
} from "./_tags.ts";
import { ParseError } from "./errors.ts";
import { filterWhitespace, isWhitespaceMode, type WhitespaceMode } from "./whitespace.ts";

/** What a template is parsed with. */
export interface ParserOptions {
  readonly name: string;
  readonly whitespace: WhitespaceMode;
  readonly autoescape: Code | null;
}

/** Operators that divide the body of a block, and the blocks in which they may stand. */
const DIVIDERS: Readonly<Record<string, readonly string[] | undefined>> = {
  elif: ["if"],
  else: ["if", "for", "while", "try"],
  catch: ["try"],
  except: ["try"],
  finally: ["try"],
};

const OFF_WORDS = ["null", "None"];

const MODULE_REGEXP = /^[\p{ID_Start}$_][\p{ID_Continue}$.]*\s*\(/u;
const IMPORT_REGEXP = /^(?:from\s+(\S+)\s+import\s+)?([^]+)$/;
const IMPORT_ITEM_REGEXP = /^\s*(\S+?)(?:\s+as\s+(\S+))?\s*$/;

/** Where a node stands. */
interface Place {
  /** The operator of the block around it; null at the top. */
  readonly block: DirectiveTag | null;
  readonly isInLoop: boolean;
}

/** A body, and what ended it: a divider, `end`, or null at the end of the file. */
interface Body {
  readonly nodes: readonly Node[];
  readonly end: DirectiveTag | null;
}

/**
 * Parses a template.
 *
 * @throws {ParseError} when it is none.
 */
export function parse(source: string, options: ParserOptions): TemplateFile {
  return new Parser(source, options).parse();
}

class Parser {
  readonly #name: string;
  readonly #parts: Iterator<Part>;
  #whitespace: WhitespaceMode;
  #autoescape: Code | null;
  #parent: TemplateFile["parent"] = null;

  constructor(source: string, { name, whitespace, autoescape }: ParserOptions) {
    this.#name = name;
    this.#whitespace = whitespace;
    this.#autoescape = autoescape;
    this.#parts = divide(source, name);
  }

  parse(): TemplateFile {
    const { nodes: body } = this.#body({ block: null, isInLoop: false });
    return { name: this.#name, body, autoescape: this.#autoescape, parent: this.#parent };
  }

  #body(place: Place): Body {
    const nodes: Node[] = [];
    for (;;) {
      const { value: part, done } = this.#parts.next();
      if (done) {
        if (place.block === null) return { nodes, end: null };
        throw this.#error(`Missing {% end %} of ${place.block.operator}`, place.block);
      }
      if (part.kind === "text") nodes.push({ kind: "text", text: this.#filter(part.text) });
      else if (part.kind === "expression") {
        nodes.push({ kind: "print", line: part.line, code: this.#code(part), isEscaped: true });
      } else if (part.operator === "end" || Object.hasOwn(DIVIDERS, part.operator)) {
        this.#checkEnd(part, place.block);
        return { nodes, end: part };
      } else {
        const node = this.#directive(part, place);
        if (node !== null) nodes.push(node);
      }
    }
  }

  #checkEnd(tag: DirectiveTag, block: DirectiveTag | null): void {
    const { operator } = tag;
    if (operator === "end") {
      if (block === null) throw this.#error("Extra {% end %}", tag);
      return;
    }
    const owners = DIVIDERS[operator]!;
    if (block === null || !owners.includes(block.operator)) {
      const where = block === null ? "" : ` in ${block.operator}`;
      throw this.#error(`Misplaced ${operator}${where}: expected ${owners.join(" or ")}`, tag);
    }
  }

  // Returns null for what leaves nothing in the body.
  #directive(tag: DirectiveTag, place: Place): Node | null {
    const { line, text } = tag;
    switch (tag.operator) {
      case "apply": {
        const code = this.#code(tag);
        const { nodes: body } = this.#body({ block: tag, isInLoop: false });
        return { kind: "apply", line, code, body };
      }
      case "autoescape":
        this.#autoescape = this.#escapeFunction(tag);
        return null;
      case "block": {
        const name = this.#fileName(tag);
        const { nodes: body } = this.#body({ ...place, block: tag });
        return { kind: "block", line, name, body };
      }
      case "break":
      case "continue":
        if (!place.isInLoop) throw this.#error(`Misplaced ${tag.operator}: expected a loop`, tag);
        return { kind: "jump", line, word: tag.operator };
      case "extends":
        this.#parent = { name: this.#fileName(tag), line };
        return null;
      case "for":
        return this.#for(tag, place);
      case "from":
      case "import":
        return { kind: "import", line, imports: this.#imports(tag) };
      case "if":
        return this.#if(tag, place);
      case "include":
        return { kind: "include", line, name: this.#fileName(tag) };
      case "module":
        return this.#module(tag);
      case "raw":
        return { kind: "print", line, code: this.#code(tag), isEscaped: false };
      case "set":
        return this.#set(tag);
      case "try":
        return this.#try(tag, place);
      case "while": {
        const condition = this.#code(tag);
        return { kind: "while", line, condition, ...this.#loop(tag, place) };
      }
      case "whitespace":
        if (!isWhitespaceMode(text)) {
          throw this.#error(`Unknown whitespace mode ${JSON.stringify(text)}`, tag);
        }
        this.#whitespace = text;
        return null;
      default:
        throw this.#error(
          `Unknown operator ${JSON.stringify(tag.operator || text.split(/\s/, 1)[0])}`,
          tag,
        );
    }
  }

  #if(tag: DirectiveTag, { isInLoop }: Place): Node {
    const branches: Branch[] = [];
    let condition: Code | null = this.#code(tag);
    let { line } = tag;
    for (;;) {
      const { nodes, end } = this.#body({ block: tag, isInLoop });
      branches.push({ line, condition, body: nodes });
      if (end!.operator === "end") return { kind: "if", branches };
      if (condition === null) throw this.#error(`Misplaced ${end!.operator}: behind else`, end!);
      ({ line } = end!);
      condition = this.#nextCondition(end!);
    }
  }

  // What stands behind `elif` or `else`; null for `else` alone.
  #nextCondition(tag: DirectiveTag): Code | null {
    if (tag.operator === "elif") return this.#code(tag);
    if (tag.text === "") return null;
    if (tag.tokens[0]?.text !== "if") {
      throw this.#error(`Cannot use ${JSON.stringify(tag.text)} behind else`, tag);
    }
    return this.#code(rest(tag, 1), "else if");
  }

  #for(tag: DirectiveTag, place: Place): Node {
    const { line, text, tokens } = tag;
    const at = tokens.findIndex((token, i) =>
      i > 0 && token.depth === 0 && token.kind === "name" && /^(?:of|in)$/.test(token.text)
    );
    if (at === -1) throw this.#error("Cannot loop: expected {% for name of items %}", tag);
    const written = text.slice(0, tokens[at]!.start).trim();
    const bound = tokens.slice(0, at);
    const isList = indexAt(bound, ",") !== -1;
    const pattern = isList ? `[${written}]` : written;
    const fault = patternFault(pattern);
    if (fault !== null) {
      throw this.#error(`Cannot use ${JSON.stringify(written)} as a variable: ${fault}`, tag);
    }
    const targets = listedTargets(bound);
    const items = this.#code(rest(tag, at + 1), "for");
    return {
      kind: "for",
      line,
      pattern: {
        text: pattern,
        names: this.#names(bound, tag).filter((name) => !targets.includes(name)),
      },
      items,
      ...this.#loop(tag, place),
    };
  }

  // A `break` in the `else` of a loop leaves the loop around it.
  #loop(
    tag: DirectiveTag,
    { isInLoop }: Place,
  ): { readonly body: readonly Node[]; readonly otherwise: readonly Node[] | null } {
    const { nodes: body, end: divider } = this.#body({ block: tag, isInLoop: true });
    if (divider!.operator === "end") return { body, otherwise: null };
    this.#wantNothing(divider!);
    const { nodes: otherwise, end } = this.#body({ block: tag, isInLoop });
    if (end!.operator !== "end") throw this.#error(`Misplaced ${end!.operator}`, end!);
    return { body, otherwise };
  }

  #try(tag: DirectiveTag, { isInLoop }: Place): Node {
    this.#wantNothing(tag);
    const parts: { body: readonly Node[]; tag: DirectiveTag }[] = [];
    let divider = tag;
    for (;;) {
      const { nodes: body, end } = this.#body({ block: tag, isInLoop });
      parts.push({ body, tag: divider });
      if (end!.operator === "end") break;
      divider = end!;
    }
    // In the order in which they may stand.
    const [attempt, ...others] = parts;
    const take = (...operators: string[]) =>
      operators.includes(others[0]?.tag.operator ?? "") ? others.shift()! : null;
    const handler = take("catch", "except");
    const otherwise = handler === null ? null : take("else");
    const cleanup = take("finally");
    if (others.length > 0) {
      throw this.#error(`Misplaced ${others[0]!.tag.operator}`, others[0]!.tag);
    }
    if (handler === null && cleanup === null) {
      throw this.#error("Incomplete try: expected catch or finally", tag);
    }
    if (otherwise !== null) this.#wantNothing(otherwise.tag);
    if (cleanup !== null) this.#wantNothing(cleanup.tag);
    return {
      kind: "try",
      body: attempt!.body,
      handler: handler && { pattern: this.#catchPattern(handler.tag), body: handler.body },
      otherwise: otherwise && otherwise.body,
      cleanup: cleanup && cleanup.body,
    };
  }

  #catchPattern(tag: DirectiveTag): Code | null {
    if (tag.text === "") return null;
    const fault = patternFault(tag.text);
    if (fault !== null) {
      throw this.#error(`Cannot use ${JSON.stringify(tag.text)} as a variable: ${fault}`, tag);
    }
    const bound = targetsOf(tag.tokens);
    const names = this.#names(tag.tokens, tag).filter((name) => !bound.includes(name));
    return { text: tag.text, names };
  }

  #set(tag: DirectiveTag): Node {
    const { line, text, tokens } = tag;
    const at = indexOfAssignment(tokens);
    if (at === -1) throw this.#error("Cannot set: expected {% set name = value %}", tag);
    const comma = indexAt(tokens, ",");
    const isList = comma !== -1 && comma < at; // a, b = c
    const list = isList ? `[${text.slice(0, tokens[at - 1]!.end)}]` : "";
    const code = isList ? { ...tag, text: `${list} ${text.slice(tokens[at]!.start)}` } : tag;
    const targets = isList
      ? [...listedTargets(tokens.slice(0, at)), ...assignedBy(tokens.slice(at + 1))]
      : assignedBy(tokens);
    return { kind: "set", line, code: this.#code(code), targets };
  }

  #module(tag: DirectiveTag): Node {
    if (!MODULE_REGEXP.test(tag.text)) {
      throw this.#error("Cannot use a module: expected {% module Name(...) %}", tag);
    }
    const { text, names } = this.#code(tag);
    const outside = tag.tokens[0]!.text;
    const isOutside = tag.tokens.slice(1).some(({ text }) => text === outside);
    return {
      kind: "print",
      line: tag.line,
      code: {
        text: `_tt_modules.${text}`,
        names: ["_tt_modules", ...names.filter((name) => name !== outside || isOutside)],
      },
      isEscaped: false,
    };
  }

  #imports(tag: DirectiveTag): Import[] {
    const [, module, list] = IMPORT_REGEXP.exec(
      tag.operator === "from" ? `from ${tag.text}` : tag.text,
    ) ?? [];
    if (list === undefined || (tag.operator === "from" && module === undefined)) {
      throw this.#error(`Cannot import: expected {% ${IMPORT_FORMS[tag.operator]} %}`, tag);
    }
    return list.split(",").map((item) => {
      const [, taken = "", alias = taken] = IMPORT_ITEM_REGEXP.exec(item) ?? [];
      if (!isName(alias)) {
        throw this.#error(`Cannot import ${JSON.stringify(item.trim())}: expected a name`, tag);
      }
      this.#checkName(alias, tag);
      return { module: module ?? taken, member: module === undefined ? null : taken, name: alias };
    });
  }

  #escapeFunction(tag: DirectiveTag): Code | null {
    if (tag.text === "") throw this.#error("Missing name of autoescape", tag);
    return OFF_WORDS.includes(tag.text) ? null : this.#code(tag);
  }

  #code(tag: CodeOfTag, operator = (tag as DirectiveTag).operator): Code {
    if (tag.text === "") throw this.#error(`Missing expression of ${operator}`, tag);
    checkExpression(tag, this.#name);
    // In a call, what a comma divides would be two arguments.
    const text = indexAt(tag.tokens, ",") === -1 ? tag.text : `(${tag.text}\n)`;
    return { text, names: this.#names(tag.tokens, tag) };
  }

  #names(tokens: readonly Token[], tag: CodeOfTag): string[] {
    const names = namesOf(tokens);
    for (const name of names) this.#checkName(name, tag);
    return names;
  }

  #checkName(name: string, tag: CodeOfTag): void {
    if (name.startsWith("_tt") || name === "arguments" || name === "eval") {
      throw this.#error(`Cannot use the name ${name}: it is reserved`, tag);
    }
  }

  #fileName(tag: DirectiveTag): string {
    const name = tag.text.replace(/^(["'])(.*)\1$/s, "$2");
    if (name === "") throw this.#error(`Missing name of ${tag.operator}`, tag);
    return name;
  }

  #wantNothing(tag: DirectiveTag): void {
    if (tag.text !== "") {
      throw this.#error(`Cannot use ${JSON.stringify(tag.text)} behind ${tag.operator}`, tag);
    }
  }

  #filter(text: string): string {
    return text.includes("<pre>") ? text : filterWhitespace(this.#whitespace, text);
  }

  #error(message: string, { line }: { readonly line: number }): ParseError {
    return new ParseError(message, this.#name, line);
  }
}

const IMPORT_FORMS: Readonly<Record<string, string>> = {
  import: "import module",
  from: "from module import name",
};
