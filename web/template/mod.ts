/**
 * Templates: text with expressions, loops, conditions, blocks and includes, compiled to
 * functions. Knows no stream and no loop.
 *
 * ```ts
 * import { Template } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const template = new Template("{% if n === 1 %}one page{% else %}{{ n }} pages{% end %}");
 * assertEquals(template.generate({ n: 3 }), "3 pages");
 * ```
 *
 * @module
 */
export { BaseLoader, DictLoader, Loader, type LoaderOptions } from "./loader.ts";
export { ParseError } from "./errors.ts";
export { Template, type TemplateLoader, type TemplateOptions } from "./template.ts";
export { filterWhitespace, type WhitespaceMode } from "./whitespace.ts";
