// What text means to an option of each type, and which values are of that type.
import { readDate, readDuration } from "./_option_times.ts";
import type { OptionType } from "./option_types.ts";

/** Knows the values of one type. */
export interface ValueKind {
  /** Its name, for messages. */
  readonly name: string;
  /** Whether `1:3` in a list stands for 1, 2 and 3. */
  readonly ranges: boolean;
  /** Whether the option's name alone means true. */
  readonly flag: boolean;
  /** Returns the value that text stands for, null when it stands for none. */
  read(text: string): unknown;
  /** Tells whether a value is one of this type. */
  fits(value: unknown): boolean;
}

const FALSE_REGEXP = /^(false|0|f)$/i;
const CLASS_REGEXP = /^class\b/;

const STRING: ValueKind = kind("a string", (text) => text, (value) => typeof value === "string");
const NUMBER: ValueKind = kind("a number", readNumber, (value) => typeof value === "number");
const INT: ValueKind = { ...kind("an integer", readInt, Number.isInteger), ranges: true };
const DATE: ValueKind = kind("a date", readDate, (value) => value instanceof Date);
const DURATION: ValueKind = {
  ...kind("a duration", readDuration, (value) => typeof value === "number"),
  name: "a duration such as 1h30m",
};
const BOOLEAN: ValueKind = {
  ...kind("a boolean", (text) => !FALSE_REGEXP.test(text), (value) => typeof value === "boolean"),
  flag: true,
};

/** Returns what an option of that type takes. */
export function valueKind(type: OptionType): ValueKind {
  switch (type) {
    case String:
      return STRING;
    case Number:
      return NUMBER;
    case Boolean:
      return BOOLEAN;
    case Date:
      return DATE;
    case "int":
      return INT;
    case "duration":
      return DURATION;
  }
  return isClass(type) ? ofClass(type) : ofFunction(type as (text: string) => unknown);
}

/** Returns the type of a default; without one, or of a list, that is text. */
export function typeOf(value: unknown): OptionType {
  if (value === undefined || value === null || Array.isArray(value)) return String;
  return (value as { constructor: OptionType }).constructor;
}

function kind(
  name: string,
  read: (text: string) => unknown,
  fits: (value: unknown) => boolean,
): ValueKind {
  return { name, read, fits, ranges: false, flag: false };
}

function isClass(type: OptionType): type is new (text: string) => unknown {
  return CLASS_REGEXP.test(Function.prototype.toString.call(type));
}

function ofClass(type: new (text: string) => unknown): ValueKind {
  return kind(`a ${type.name}`, (text) => new type(text), (value) => value instanceof type);
}

// What a function makes, nobody knows: what code sets is taken as it is.
function ofFunction(type: (text: string) => unknown): ValueKind {
  return kind(`what ${type.name || "its type"} takes`, type, () => true);
}

function readNumber(text: string): number | null {
  const value = text.trim() === "" ? NaN : Number(text);
  return Number.isNaN(value) ? null : value;
}

function readInt(text: string): number | null {
  const value = Number(text);
  return /^\s*[-+]?\d+\s*$/.test(text) && Number.isSafeInteger(value) ? value : null;
}
