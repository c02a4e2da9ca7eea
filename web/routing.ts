// Routes whose pattern is literal text are found by map, whatever their number; the others
// are tried in order. The first route that matches wins, in either case: a literal one that
// an earlier pattern also matches is left out of the map when the table is built.
import type { HandlerClass } from "./request_handler.ts";

/** Is a route as an Application takes it: pattern, handler, its options, its name. */
// deno-lint-ignore no-explicit-any -- the options belong to the handler's initialize()
export type Route = readonly [string | RegExp, HandlerClass, any?, string?] | URLSpec;

/** Is what a route made of a path. */
export interface RouteMatch {
  /** The route. */
  readonly spec: URLSpec;
  /** The unnamed groups, still encoded; null for one that took no part. */
  readonly groups: readonly (string | null)[];
  /** The named groups, still encoded; null when the pattern has none. */
  readonly named: Readonly<Record<string, string>> | null;
}

const NO_GROUPS: readonly (string | null)[] = [];
const META_REGEXP = /[\\^$.*+?()[\]{}|]/;

/**
 * Maps a path pattern to a handler.
 *
 * A string is matched from the first to the last character of the path; `(?P<name>...)` is
 * taken for `(?<name>...)`. A RegExp is anchored at the start only. Unnamed groups become the
 * positional arguments of the handler's method, named ones the fields of a single object.
 *
 * @example Groups
 * ```ts
 * import { RequestHandler, url } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const spec = url("/story/([0-9]+)", RequestHandler, {}, "story");
 * assertEquals(spec.match("/story/42")?.groups, ["42"]);
 * assertEquals(spec.match("/story/42/x"), null);
 * assertEquals(spec.reverse(7), "/story/7");
 * ```
 */
export class URLSpec {
  /** The pattern, anchored. */
  readonly regex: RegExp;
  /** The handler. */
  readonly handlerClass: HandlerClass;
  /** What its `initialize` is given. */
  readonly kwargs: unknown;
  /** The name for `reverseUrl`. */
  readonly name: string | undefined;
  /** The path, if the pattern is literal text. */
  readonly literal: string | null;
  readonly #source: string;

  /**
   * Takes the parts of a route.
   *
   * @throws {TypeError} when the handler is not a class that extends `RequestHandler`, or the
   *   pattern mixes named and unnamed groups.
   * @throws {SyntaxError} when the pattern is not a regular expression.
   */
  constructor(
    pattern: string | RegExp,
    handlerClass: HandlerClass,
    kwargs: unknown = undefined,
    name?: string,
  ) {
    if (typeof handlerClass !== "function" || !("_execute" in (handlerClass.prototype ?? {}))) {
      throw new TypeError(
        `Cannot route ${pattern}: expected a handler class, got ${Deno.inspect(handlerClass)}`,
      );
    }
    const source = (typeof pattern === "string" ? pattern : pattern.source)
      .replaceAll("(?P<", "(?<");
    this.#source = source;
    const bare = source.replace(/^\^/, "").replace(/\$$/, "");
    this.regex = typeof pattern === "string"
      ? new RegExp(`^(?:${bare})$`)
      : new RegExp(`^(?:${source})`, pattern.flags.replace(/[gy]/g, ""));
    const groups = new RegExp(`${this.regex.source}|`).exec("")!;
    if (groups.groups !== undefined && Object.keys(groups.groups).length < groups.length - 1) {
      throw new TypeError(`Cannot route ${pattern}: it mixes named and unnamed groups`);
    }
    this.handlerClass = handlerClass;
    this.kwargs = kwargs;
    this.name = name;
    this.literal = typeof pattern === "string" ? literalOf(bare) : null;
  }

  /** Matches a path; null when it does not fit. */
  match(path: string): RouteMatch | null {
    if (this.literal !== null) {
      return path === this.literal ? { spec: this, groups: NO_GROUPS, named: null } : null;
    }
    const found = this.regex.exec(path);
    if (found === null) return null;
    if (found.groups !== undefined) {
      return { spec: this, groups: NO_GROUPS, named: found.groups };
    }
    return { spec: this, groups: found.slice(1).map((group) => group ?? null), named: null };
  }

  /**
   * Makes a path of the pattern, its groups filled in order with `args`, encoded.
   *
   * @throws {TypeError} when the number of arguments is wrong, or the pattern cannot be
   *   reversed: it has nested groups, or classes outside of its groups.
   */
  reverse(...args: readonly unknown[]): string {
    const parts = this.#source.replace(/^\^/, "").replace(/\$$/, "").split(/\([^()]*\)/);
    const literals = parts.map(literalOf);
    if (literals.includes(null)) {
      throw new TypeError(`Cannot reverse ${this.#source}: it is more than text and flat groups`);
    }
    if (args.length !== parts.length - 1) {
      throw new TypeError(
        `Cannot reverse ${this.#source}: it has ${parts.length - 1} groups, got ${args.length}`,
      );
    }
    return literals.map((part, i) => i === 0 ? part : encodeArgument(args[i - 1]) + part).join("");
  }
}

/** Makes a {@linkcode URLSpec}. */
export function url(
  pattern: string | RegExp,
  handlerClass: HandlerClass,
  kwargs?: unknown,
  name?: string,
): URLSpec {
  return new URLSpec(pattern, handlerClass, kwargs, name);
}

/** Finds the route for a path. */
export class RouteTable {
  readonly #literals = new Map<string, RouteMatch>();
  readonly #patterns: URLSpec[] = [];

  /** Takes the routes, in the order in which they are tried. */
  constructor(routes: readonly URLSpec[]) {
    for (const spec of routes) {
      const path = spec.literal;
      if (path === null) this.#patterns.push(spec);
      else if (this.find(path) === null) this.#literals.set(path, spec.match(path)!);
    }
  }

  /** Returns the first route that matches, or null. */
  find(path: string): RouteMatch | null {
    const literal = this.#literals.get(path);
    if (literal !== undefined) return literal;
    for (const spec of this.#patterns) {
      const match = spec.match(path);
      if (match !== null) return match;
    }
    return null;
  }
}

// The text that a pattern stands for, null if it is more than text.
function literalOf(pattern: string): string | null {
  if (META_REGEXP.test(pattern.replace(/\\[^a-zA-Z0-9]/g, ""))) return null;
  return pattern.replace(/\\([^a-zA-Z0-9])/g, "$1");
}

function encodeArgument(value: unknown): string {
  const text = value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
  return encodeURIComponent(text);
}
