/**
 * Is what the names in a pattern stand for: `PathParams<"/story/:id/:part">` has the fields `id`
 * and `part`, both text. Of a pattern that is not known when types are checked any name may be asked.
 */
export type PathParams<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string>>
  : { readonly [Name in PathNames<Pattern>]: string };

/** Is one of the names in a pattern. */
export type PathNames<Pattern extends string> = Pattern extends `${string}/:${infer Rest}`
  ? NameAt<Rest> | PathNames<Rest>
  : never;

/** Is the name that a text begins with. It ends at one of the characters that usually follow. */
export type NameAt<Rest extends string> = Rest extends
  `${infer Name}${"/" | "." | "-" | "," | ";" | "@" | "~"}${string}` ? NameAt<Name>
  : Rest;
