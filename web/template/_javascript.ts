// The JavaScript inside tags. It is the engine that parses it; what is needed here is less:
// where a tag ends, which may be written in a string or an object, and which names an
// expression takes from outside. A list of tokens is enough for both. A name that is taken
// for one from outside without being one (a parameter of an arrow function) does no harm:
// it is looked up, and hidden by the inner one.

/** A token; white space and comments are none. */
export interface Token {
  readonly kind: "name" | "punctuator" | "literal";
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly depth: number; // how many brackets are open around it
}

/** A piece of JavaScript, and the names that it may take from outside. */
export interface Code {
  readonly text: string;
  readonly names: readonly string[];
}

/** What ends the code of a tag. */
export type TagEnd = "}}" | "%}";

/** Where the code ends, -1 if it does not, what it is made of, and what keeps it from ending. */
export interface Scan {
  readonly end: number;
  readonly tokens: readonly Token[];
  readonly fault: string | null;
}

const BLANK_REGEXP = /\s+/y;
const NAME_REGEXP = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER_REGEXP = /\.?\d[\w.]*/y;
const STRING_REGEXP = /"(?:[^"\\\n\r]|\\[^])*"|'(?:[^'\\\n\r]|\\[^])*'/y;
const REGEXP_REGEXP = /\/(?:[^/\\[\n\r]|\\.|\[(?:[^\]\\\n\r]|\\.)*\])+\/[\p{ID_Continue}$]*/uy;
const PUNCTUATOR_REGEXP =
  /\.\.\.|=>|[=!]==?|>>>=?|(?:\*\*|<<|>>|&&|\|\||\?\?)=?|\+\+|--|\?\.(?!\d)|[-+*/%&|^<>]=?|[^]/y;
const ASSIGNMENT_REGEXP = /^(?:>>>|\*\*|<<|>>|&&|\|\||\?\?|[-+*/%&|^])?=$/;

// What these end is a value, so that a slash behind it divides.
const VALUE_END_REGEXP = /^(?:\)|\]|\}|\+\+|--)$/;

const OPENING: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };

/** Words of the language, which are no names. */
const WORDS = new Set(
  ("await break case catch class const continue debugger default delete do else enum export " +
    "extends false finally for function if implements import in instanceof interface let new " +
    "null package private protected public return static super switch this throw true try " +
    "typeof var void while with yield undefined NaN Infinity").split(" "),
);

/** Words with a value behind them: there a slash begins a regular expression. */
const PREFIX_WORDS = new Set(
  "await case delete do else in instanceof new of return throw typeof void yield".split(" "),
);

/** Looks for the end of a tag from `start`, its code, and the tokens of that. */
export function scan(source: string, start: number, stop: TagEnd): Scan {
  const scanner = new Scanner(source, start);
  const end = scanner.code(stop) ? scanner.at : -1;
  return { end, tokens: scanner.tokens, fault: scanner.fault };
}

/** Returns a piece of JavaScript with its names; where it is wrong, those up to there. */
export function codeOf(text: string): Code {
  return { text, names: namesOf(scan(`${text}%}`, 0, "%}").tokens) };
}

class Scanner {
  readonly tokens: Token[] = [];
  at: number;
  fault: string | null = null;
  readonly #source: string;
  #depth = 0;

  constructor(source: string, start: number) {
    this.#source = source;
    this.at = start;
  }

  /** Goes on to `stop`, which it leaves for the caller, or returns false. */
  code(stop: TagEnd | "}"): boolean {
    const source = this.#source;
    const open: string[] = [];
    while (this.at < source.length) {
      // Behind a percent sign there is a value; no brace can follow it.
      if (source.startsWith(stop, this.at) && (open.length === 0 || stop === "%}")) return true;
      if (this.#take(BLANK_REGEXP) !== null || this.#comment(stop)) continue;
      const start = this.at;
      const char = source[start]!;
      if (char === "`") {
        if (!this.#template()) return false;
      } else if (char === '"' || char === "'") {
        if (this.#take(STRING_REGEXP) === null) return this.#fail("a string is not closed");
        this.#add("literal", start);
      } else if (char === "/" && this.#valueFollows()) {
        if (this.#take(REGEXP_REGEXP) === null) {
          return this.#fail("a regular expression is not closed");
        }
        this.#add("literal", start);
      } else if (this.#take(NAME_REGEXP) !== null) {
        this.#add("name", start);
      } else if (this.#take(NUMBER_REGEXP) !== null) {
        this.#add("literal", start);
      } else {
        const text = this.#take(PUNCTUATOR_REGEXP)!;
        const opening = OPENING[text];
        if (opening === undefined) {
          this.#add("punctuator", start);
          if (text === "(" || text === "[" || text === "{") {
            open.push(text);
            this.#depth++;
          }
        } else if (open.at(-1) === opening) {
          open.pop();
          this.#depth--;
          this.#add("punctuator", start);
        } else if (source.startsWith(stop, start)) {
          this.at = start; // a bracket is open: the engine will say so
          return true;
        } else if (text === "}" && open.length === 0) {
          return this.#fail('a "}" closes nothing');
        } else this.#add("punctuator", start);
      }
    }
    return this.#fail(null);
  }

  #template(): boolean {
    const source = this.#source;
    const start = this.at++;
    while (this.at < source.length) {
      const char = source[this.at];
      if (char === "`") {
        this.at++;
        this.#add("literal", start);
        return true;
      }
      if (char === "\\") this.at += 2;
      else if (source.startsWith("${", this.at)) {
        this.at += 2;
        this.#depth++;
        // What stands in front of a hole must not make a property of its first name.
        this.tokens.push(
          { kind: "punctuator", text: "(", start, end: start, depth: this.#depth },
        );
        if (!this.code("}")) return false;
        this.#depth--;
        this.at++;
      } else this.at++;
    }
    return this.#fail("a template literal is not closed");
  }

  // One that goes to the end of the line ends where its tag does, at the latest.
  #comment(stop: string): boolean {
    const source = this.#source;
    if (source.startsWith("/*", this.at)) {
      const end = source.indexOf("*/", this.at + 2);
      this.at = end === -1 ? source.length : end + 2;
      return true;
    }
    if (!source.startsWith("//", this.at)) return false;
    while (
      this.at < source.length && source[this.at] !== "\n" && !source.startsWith(stop, this.at)
    ) this.at++;
    return true;
  }

  #valueFollows(): boolean {
    const last = this.tokens.at(-1);
    if (last === undefined) return true;
    if (last.kind === "name") return PREFIX_WORDS.has(last.text);
    return last.kind === "punctuator" && !VALUE_END_REGEXP.test(last.text);
  }

  #take(regexp: RegExp): string | null {
    regexp.lastIndex = this.at;
    const text = regexp.exec(this.#source)?.[0] ?? null;
    if (text !== null) this.at = regexp.lastIndex;
    return text;
  }

  #add(kind: Token["kind"], start: number): void {
    const text = this.#source.slice(start, this.at);
    this.tokens.push({ kind, text, start, end: this.at, depth: this.#depth });
  }

  #fail(fault: string | null): false {
    this.fault ??= fault;
    return false;
  }
}

/** Returns the names that these tokens may take from outside, each once. */
export function namesOf(tokens: readonly Token[]): string[] {
  const names = new Set<string>();
  for (let i = 0; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    if (kind !== "name" || WORDS.has(text)) continue;
    const before = tokens[i - 1]?.text;
    if (before === "." || before === "?.") continue;
    const isKey = (before === "{" || before === ",") && tokens[i + 1]?.text === ":";
    if (!isKey) names.add(text);
  }
  return [...names];
}

/** Whether a name can be that of a variable. */
export function isName(text: string): boolean {
  NAME_REGEXP.lastIndex = 0;
  const match = NAME_REGEXP.exec(text);
  return match !== null && match[0] === text && !WORDS.has(text);
}

/** Returns the names that a target binds, `a`, `[a, b]` or `{ a, b: c = 1 }`; none of `a.b`. */
export function targetsOf(tokens: readonly Token[]): string[] {
  const first = tokens[0];
  if (first === undefined) return [];
  if (first.kind === "name") {
    return tokens.length === 1 && !WORDS.has(first.text) ? [first.text] : [];
  }
  if (first.text !== "[" && first.text !== "{") return [];
  return elements(tokens.slice(1, -1), first.depth + 1).flatMap((element) => {
    const colon = first.text === "{" ? indexAt(element, ":", first.depth + 1) : -1;
    const target = element.slice(element[0]?.text === "..." ? 1 : colon + 1);
    const assigned = indexAt(target, "=", first.depth + 1);
    return targetsOf(assigned === -1 ? target : target.slice(0, assigned));
  });
}

/** Returns the names that the targets of a list without brackets bind, `a, b`. */
export function listedTargets(tokens: readonly Token[]): string[] {
  return elements(tokens, 0).flatMap(targetsOf);
}

/** Returns the names that assignments bind, `a = 1`, `[a, b] = c`, `a = 1, b = 2`, `a = b = 1`. */
export function assignedBy(tokens: readonly Token[]): string[] {
  return elements(tokens, 0).flatMap((element) => {
    const names: string[] = [];
    let start = 0;
    for (let i = 0; i < element.length && element[i]!.text !== "=>"; i++) {
      if (!isAssignment(element[i]!)) continue;
      names.push(...targetsOf(element.slice(start, i)));
      start = i + 1;
    }
    return names;
  });
}

/** Returns the index of the first assignment outside of brackets, or -1. */
export function indexOfAssignment(tokens: readonly Token[]): number {
  return tokens.findIndex(isAssignment);
}

/** Returns the index of the first of these tokens with that text and depth, or -1. */
export function indexAt(tokens: readonly Token[], text: string, depth = 0): number {
  return tokens.findIndex((token) => token.text === text && token.depth === depth);
}

function isAssignment({ text, depth, kind }: Token): boolean {
  return depth === 0 && kind === "punctuator" && ASSIGNMENT_REGEXP.test(text);
}

// What commas of that depth divide; nothing behind a last one.
function elements(tokens: readonly Token[], depth: number): Token[][] {
  const found: Token[][] = [];
  let start = 0;
  for (let i = 0; i <= tokens.length; i++) {
    const token = tokens[i];
    if (token !== undefined && (token.text !== "," || token.depth !== depth)) continue;
    if (i > start) found.push(tokens.slice(start, i));
    start = i + 1;
  }
  return found;
}

/** Returns what is wrong with an expression, or null. */
export function expressionFault(text: string): string | null {
  // What closes one kind of bracket and opens it again cannot do it with another kind.
  return syntaxFault(`void (${text}\n)`) ?? syntaxFault(`[${text}\n]`);
}

/** Returns what is wrong with the variable of a loop, or null. */
export function patternFault(text: string): string | null {
  return syntaxFault(`for (let ${text}\n of []) ;`) ?? syntaxFault(`try {} catch (${text}\n) {}`);
}

function syntaxFault(statement: string): string | null {
  try {
    new Function(`"use strict"; ${statement}`);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
