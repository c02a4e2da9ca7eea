// A template is text with tags in it: {{ expression }}, {% operator rest %}, {# comment #}.
// Where a tag holds code, strings and objects in it may hold what else would end it.
import { expressionFault, scan, type TagEnd, type Token } from "./_javascript.ts";
import { ParseError } from "./errors.ts";

/** Text between tags. */
export interface Text {
  readonly kind: "text";
  readonly text: string;
}

/** `{{ code }}`. */
export interface ExpressionTag extends CodeOfTag {
  readonly kind: "expression";
}

/** `{% operator rest %}`; where the rest is no code, it has no tokens. */
export interface DirectiveTag extends CodeOfTag {
  readonly kind: "directive";
  readonly operator: string;
}

/** What stands in a tag, without blanks around it. */
export interface CodeOfTag {
  readonly line: number;
  readonly text: string;
  /** Their places count from the start of `text`. */
  readonly tokens: readonly Token[];
}

/** A part of a template. */
export type Part = Text | ExpressionTag | DirectiveTag;

/** Operators with code behind them; that of `else` is `if` and a condition. */
const CODE_OPERATORS = new Set(
  ("apply autoescape catch elif else except for if module raw set while").split(" "),
);

const OPERATOR_REGEXP = /\s*([a-zA-Z_]*)\s*/y;

/**
 * Divides a template into its parts.
 *
 * @throws {ParseError} when a tag has no end, or is empty.
 */
export function* divide(source: string, filename: string): Generator<Part, void, unknown> {
  const counter = new LineCounter(source);
  let at = 0;
  for (;;) {
    const open = findTag(source, at);
    if (open > at) yield { kind: "text", text: source.slice(at, open) };
    if (open === source.length) return;
    const opening = source.slice(open, open + 2);
    const start = open + 2;
    if (source[start] === "!") {
      yield { kind: "text", text: opening };
      at = start + 1;
      continue;
    }
    const line = counter.lineAt(open);
    if (opening === "{#") at = endOf(source, start, "#}", line, filename) + 2;
    else {
      const part = opening === "{{"
        ? readExpression(source, start, line, filename)
        : readDirective(source, start, line, filename);
      at = part.end;
      if (part.tag !== null) yield part.tag;
    }
  }
}

/** Returns the code of a tag from its token `from` on. */
export function rest({ line, text, tokens }: CodeOfTag, from: number): CodeOfTag {
  const start = tokens[from]?.start ?? text.length;
  return {
    line,
    text: text.slice(start),
    tokens: tokens.slice(from).map((token) => ({
      ...token,
      start: token.start - start,
      end: token.end - start,
    })),
  };
}

/** @throws {ParseError} when the code is no expression. */
export function checkExpression(code: CodeOfTag, filename: string): void {
  const fault = expressionFault(code.text);
  if (fault !== null) {
    throw new ParseError(`Cannot use ${JSON.stringify(code.text)}: ${fault}`, filename, code.line);
  }
}

interface Read<T> {
  readonly tag: T;
  readonly end: number;
}

function readExpression(
  source: string,
  start: number,
  line: number,
  filename: string,
): Read<ExpressionTag> {
  const { end, code } = readCode(source, start, "}}", line, filename);
  if (code.text === "") throw new ParseError("Empty expression {{ }}", filename, line);
  return { tag: { kind: "expression", ...code }, end };
}

function readDirective(
  source: string,
  start: number,
  line: number,
  filename: string,
): Read<DirectiveTag | null> {
  OPERATOR_REGEXP.lastIndex = start;
  const operator = OPERATOR_REGEXP.exec(source)![1]!;
  const behind = OPERATOR_REGEXP.lastIndex;
  if (CODE_OPERATORS.has(operator)) {
    const { end, code } = readCode(source, behind, "%}", line, filename);
    return { tag: { kind: "directive", operator, ...code }, end };
  }
  const end = endOf(source, behind, "%}", line, filename);
  const text = source.slice(behind, end).trim();
  if (operator === "" && text === "") {
    throw new ParseError("Empty directive {% %}", filename, line);
  }
  const tag = operator === "comment"
    ? null
    : { kind: "directive" as const, operator, line, text, tokens: [] };
  return { tag, end: end + 2 };
}

function readCode(
  source: string,
  start: number,
  stop: TagEnd,
  line: number,
  filename: string,
): { readonly end: number; readonly code: CodeOfTag } {
  const found = scan(source, start, stop);
  if (found.end === -1) {
    const why = found.fault === null ? "" : `: ${found.fault}`;
    throw new ParseError(`Missing end of tag ${stop}${why}`, filename, line);
  }
  const whole = source.slice(start, found.end);
  const text = whole.trim();
  const shift = start + whole.length - whole.trimStart().length;
  const tokens = found.tokens.map((token) => ({
    ...token,
    start: token.start - shift,
    end: token.end - shift,
  }));
  return { end: found.end + 2, code: { line, text, tokens } };
}

function endOf(
  source: string,
  start: number,
  closing: string,
  line: number,
  filename: string,
): number {
  const end = source.indexOf(closing, start);
  if (end === -1) throw new ParseError(`Missing end of tag ${closing}`, filename, line);
  return end;
}

/** Returns where the next tag begins; of more than two braces in a row the last two count. */
function findTag(source: string, from: number): number {
  let at = from;
  for (;;) {
    at = source.indexOf("{", at);
    if (at === -1) return source.length;
    const next = source[at + 1];
    if (next === "%" || next === "#") return at;
    if (next === "{" && source[at + 2] !== "{") return at;
    at++;
  }
}

/** Counts the lines up to places that only go on. */
class LineCounter {
  readonly #source: string;
  #line = 1;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  lineAt(place: number): number {
    for (;;) {
      const newline = this.#source.indexOf("\n", this.#at);
      if (newline === -1 || newline >= place) return this.#line;
      this.#line++;
      this.#at = newline + 1;
    }
  }
}
