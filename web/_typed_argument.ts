// Arguments of a request are text. What type they should have is said beside their name, and
// text that does not fit is the client's mistake.
import { InvalidArgumentError } from "./errors.ts";

/**
 * Is the type of an argument: `"int"` a whole number that is exact, `"number"` any finite one,
 * `"boolean"` true, 1, yes, on or their contraries, `"string"` text as it is; a list, one of its
 * members; a function, what it makes of the text: it throws for what it does not take.
 */
export type ArgumentType =
  | "string"
  | "int"
  | "number"
  | "boolean"
  | readonly string[]
  | ((text: string) => unknown);

/** Is a value of an {@linkcode ArgumentType}. */
export type ArgumentOf<T extends ArgumentType> = T extends "string" ? string
  : T extends "int" | "number" ? number
  : T extends "boolean" ? boolean
  : T extends readonly (infer Member)[] ? Member
  : T extends (text: string) => infer Value ? Value
  : never;

/** Asks for an argument of a type. */
export interface TypedArgument<T extends ArgumentType> {
  /** The type. */
  type: T;
  /** Whether white space around the value is taken away; true by default. */
  strip?: boolean;
}

/** Asks for an argument of a type, which may be missing. */
export interface OptionalTypedArgument<T extends ArgumentType, D> extends TypedArgument<T> {
  /** What is returned for one that is missing. */
  default: D;
}

const INT_REGEXP = /^[+-]?[0-9]+$/;
// Only one way leads through each text: with two, a long one would be gone through again and again.
const NUMBER_REGEXP = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;
const TRUE = ["true", "1", "yes", "on"];
const FALSE = ["false", "0", "no", "off"];

/** Tells whether the second argument of a getter asks for a type, and is no default. */
export function asksForType(value: unknown): value is TypedArgument<ArgumentType> {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "type")) return false;
  const { type } = value as { type: unknown };
  return typeof type === "function" || Array.isArray(type) ||
    type === "string" || type === "int" || type === "number" || type === "boolean";
}

/**
 * Returns the text as a value of the type.
 *
 * @throws {InvalidArgumentError} when it is none.
 */
export function convertArgument(name: string, text: string, type: ArgumentType): unknown {
  if (type === "string") return text;
  if (type === "int") {
    const value = INT_REGEXP.test(text) ? Number(text) : NaN;
    if (Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(name, text, "a whole number");
  }
  if (type === "number") {
    const value = NUMBER_REGEXP.test(text) ? Number(text) : NaN;
    if (Number.isFinite(value)) return value;
    throw new InvalidArgumentError(name, text, "a number");
  }
  if (type === "boolean") {
    const word = text.toLowerCase();
    if (TRUE.includes(word) || FALSE.includes(word)) return TRUE.includes(word);
    throw new InvalidArgumentError(name, text, "true or false");
  }
  if (typeof type === "function") return convertBy(type, name, text);
  if (type.includes(text)) return text;
  throw new InvalidArgumentError(name, text, `one of ${type.join(", ")}`);
}

function convertBy(convert: (text: string) => unknown, name: string, text: string): unknown {
  try {
    return convert(text);
  } catch (cause) {
    throw new InvalidArgumentError(name, text, `what ${convert.name || "it"} takes`, { cause });
  }
}
