/**
 * Says what the values of an option are, and how text is read:
 *
 * - `String`;
 * - `Number`;
 * - `"int"`: a whole number; in lists `1:3` stands for 1, 2 and 3;
 * - `Boolean`: `false`, `f` and `0` are false, all else is true;
 * - `Date`: a local time, as `2026-11-21 18:35:01`, `2026-11-21 18:35`, `2026-11-21T18:35`,
 *   `20261121 18:35:01`, `20261121 18:35`, `2026-11-21`, `20261121`, `Sat Nov 21 18:35:01 2026`,
 *   or `18:35:01` and `18:35`, which are of 1 January 1900;
 * - `"duration"`: ms, as `1h30m` or `45s`; units are `w`, `d`, `h`, `m` or `min`, `s` or `sec`,
 *   `ms`, `us`, and these in full; a number alone is of seconds;
 * - a class, whose constructor takes the text;
 * - a function that returns the value.
 */
export type OptionType<T = unknown> =
  | StringConstructor
  | NumberConstructor
  | BooleanConstructor
  | DateConstructor
  | "int"
  | "duration"
  // deno-lint-ignore no-explicit-any -- a class may take further arguments
  | (new (text: string, ...rest: any[]) => T)
  | ((text: string) => T);

/** Describes an option; see {@linkcode OptionParser.define}. */
export interface OptionSpec {
  /** The value until another one is given; for `multiple` a list. */
  default?: unknown;
  /** What the values are; by default what `default` is, without that strings. */
  type?: OptionType;
  /** Says in the help what it is for. */
  help?: string;
  /** Stands for the value in the help. */
  metavar?: string;
  /**
   * Whether the value is a list; as text, one with commas.
   *
   * @default {false}
   */
  multiple?: boolean;
  /** Under which it stands in the help; by default the file that defines it. */
  group?: string;
  /** Is called with the value whenever one is given. */
  // deno-lint-ignore no-explicit-any -- it is called with values of the option's type
  callback?: (value: any) => unknown;
}

/** Is the value that {@linkcode OptionType} stands for. */
export type OptionTypeValue<T> = T extends StringConstructor ? string
  : T extends NumberConstructor | "int" | "duration" ? number
  : T extends BooleanConstructor ? boolean
  : T extends DateConstructor ? Date
  : T extends new (text: string, ...rest: never[]) => infer V ? V
  : T extends (text: string) => infer V ? V
  : unknown;

/** Is one value of an option that is so described, of a list an item. */
export type OptionItem<S> = S extends { type: infer T } ? OptionTypeValue<T>
  : S extends { multiple: true } ? string
  : S extends { default: infer D } ? NonNullable<D> extends never ? string : NonNullable<D>
  : string;

/** Is the type of the value of an option that is so described; null where it has none. */
export type OptionValue<S> = S extends { multiple: true } ? readonly OptionItem<S>[]
  : S extends { default: infer D } ? OptionItem<S> | Extract<D, null>
  : OptionItem<S> | null;

/** Is an option's name as code writes it: `my-name` and `my_name` are `myName`. */
export type OptionKey<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${OptionKey<Head>}${Capitalize<OptionKey<Tail>>}`
  : Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<OptionKey<Tail>>}`
  : Name;

/** Is the record of an option of that name, as {@linkcode OptionParser.values} has it. */
export type DefinedOption<Name extends string, Spec> = {
  [Key in OptionKey<Name>]: OptionValue<Spec>;
};
