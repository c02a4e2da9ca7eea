import type { HTTPServerRequest } from "../http/mod.ts";

/** Is what a matcher read from a request: arguments for whoever answers it, still encoded. */
export interface MatchResult {
  /** The unnamed groups of the path; null for one that took no part. */
  readonly pathArgs: readonly (string | null)[];
  /** The named groups of the path; null when the pattern has none. */
  readonly pathKwargs: Readonly<Record<string, string | undefined>> | null;
}

const NO_ARGS: readonly (string | null)[] = [];
const MATCHES: MatchResult = { pathArgs: NO_ARGS, pathKwargs: null };
const META_REGEXP = /[\\^$.*+?()[\]{}|]/;
const PARAMETER_REGEXP = /(?<=\/):([A-Za-z_]\w*)/g;
const PREFIX_REGEXP = /^(?:\/(?:[^\\^$.*+?()[\]{}|/]|\\[^a-zA-Z0-9/])*)+\/(?![?*+{])/;
const FLAT_GROUP_REGEXP = /\((?:[^()[\]\\]|\\.|\[[^()[\]\\]*\])*\)/g;

/** Decides whether a {@linkcode Rule} is for a request. */
export abstract class Matcher {
  /** Returns what it read from the request; null when the rule is not for it. */
  abstract match(request: HTTPServerRequest): MatchResult | null;

  /** Makes a path that it matches; null when it has none. */
  reverse(..._args: readonly unknown[]): string | null {
    return null;
  }
}

/** Matches every request. */
export class AnyMatches extends Matcher {
  /** Matches. */
  override match(): MatchResult {
    return MATCHES;
  }
}

/**
 * Matches requests to a host. Case and port do not count; a string is matched from the first
 * to the last character of the name.
 */
export class HostMatches extends Matcher {
  /** The pattern, anchored. */
  readonly hostPattern: RegExp;

  /** Takes the pattern. */
  constructor(hostPattern: string | RegExp) {
    super();
    this.hostPattern = typeof hostPattern === "string"
      ? new RegExp(`^(?:${unanchored(hostPattern)})$`, "i")
      : new RegExp(hostPattern.source, hostPattern.flags.replace(/[giy]/g, "") + "i");
  }

  /** Matches if the host does. */
  override match(request: HTTPServerRequest): MatchResult | null {
    return this.hostPattern.test(request.hostName) ? MATCHES : null;
  }
}

/**
 * Matches requests to whatever host while the application's `defaultHost` fits the pattern;
 * those that a proxy forwarded, with X-Real-Ip, named the host they wanted.
 */
export class DefaultHostMatches extends Matcher {
  /** The pattern. */
  readonly hostPattern: RegExp;
  readonly #application: { readonly defaultHost: string | null };

  /** Takes the application whose default host it is, and the pattern. */
  constructor(application: { readonly defaultHost: string | null }, hostPattern: RegExp) {
    super();
    this.#application = application;
    this.hostPattern = hostPattern;
  }

  /** Matches if the default host does. */
  override match(request: HTTPServerRequest): MatchResult | null {
    const { defaultHost } = this.#application;
    if (defaultHost === null || !this.hostPattern.test(defaultHost)) return null;
    return request.headers.has("X-Real-Ip") ? null : MATCHES;
  }
}

/**
 * Matches requests by their path.
 *
 * A string is a regular expression that is matched from the first to the last character;
 * `(?P<name>...)` is taken for `(?<name>...)`. One with `:name` at the start of a part, such as
 * `/story/:id`, and without groups, is no expression but text, in which each name stands for a
 * part. A RegExp is anchored at the start only.
 *
 * @example Three ways to write a pattern
 * ```ts
 * import { PathMatches } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new PathMatches("/story/([0-9]+)").matchPath("/story/42")?.pathArgs, ["42"]);
 * const named = new PathMatches("/story/:id");
 * assertEquals({ ...named.matchPath("/story/42")?.pathKwargs }, { id: "42" });
 * assertEquals(named.matchPath("/story/42/x"), null);
 * assertEquals(new PathMatches(/\/story/).matchPath("/story/42/x")?.pathArgs, []);
 * assertEquals(named.reverse(7), "/story/7");
 * ```
 */
export class PathMatches extends Matcher {
  /** The pattern as it was given. */
  readonly pattern: string;
  /** The pattern, anchored. */
  readonly regex: RegExp;
  /** The path, if the pattern is literal text. */
  readonly literal: string | null;
  /** The text, up to a slash, that all paths begin with that it can match; null if it has none. */
  readonly prefix: string | null;
  readonly #source: string;

  /**
   * Takes the pattern.
   *
   * @throws {TypeError} when it mixes named and unnamed groups.
   * @throws {SyntaxError} when it is not a regular expression.
   */
  constructor(pathPattern: string | RegExp) {
    super();
    const source = sourceOf(pathPattern);
    this.pattern = typeof pathPattern === "string" ? pathPattern : pathPattern.source;
    this.#source = unanchored(source);
    this.regex = typeof pathPattern === "string"
      ? new RegExp(`^(?:${this.#source})$`)
      : new RegExp(`^(?:${source})`, pathPattern.flags.replace(/[gy]/g, ""));
    const groups = new RegExp(`${this.regex.source}|`).exec("")!;
    if (groups.groups !== undefined && Object.keys(groups.groups).length < groups.length - 1) {
      throw new TypeError(`Cannot route ${pathPattern}: it mixes named and unnamed groups`);
    }
    this.literal = typeof pathPattern === "string" ? literalOf(this.#source) : null;
    this.prefix = typeof pathPattern === "string" ? prefixOf(this.#source) : null;
  }

  /** Matches if the path of the request does. */
  override match(request: HTTPServerRequest): MatchResult | null {
    return this.matchPath(request.path);
  }

  /** Matches a path. */
  matchPath(path: string): MatchResult | null {
    if (this.literal !== null) return path === this.literal ? MATCHES : null;
    const found = this.regex.exec(path);
    if (found === null) return null;
    if (found.groups !== undefined) return { pathArgs: NO_ARGS, pathKwargs: found.groups };
    if (found.length === 1) return MATCHES;
    return { pathArgs: found.slice(1).map((group) => group ?? null), pathKwargs: null };
  }

  /**
   * Makes a path of the pattern, its groups filled in order with `args`, encoded.
   *
   * @throws {TypeError} when the number of arguments is wrong, or the pattern cannot be
   *   reversed: it has nested groups, or classes outside of its groups.
   */
  override reverse(...args: readonly unknown[]): string {
    const parts = this.#source.split(/\([^()]*\)/);
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

function sourceOf(pattern: string | RegExp): string {
  if (typeof pattern !== "string") return pattern.source;
  if (pattern.includes("(")) return pattern.replaceAll("(?P<", "(?<");
  const parts = pattern.split(PARAMETER_REGEXP); // text, name, text, name, ..., text
  if (parts.length === 1) return pattern;
  return parts.map((part, i) => i % 2 === 0 ? escapePattern(part) : `(?<${part}>[^/]+)`).join("");
}

/** Returns the pattern of a text that stands for itself. */
export function escapePattern(text: string): string {
  return text.replace(new RegExp(META_REGEXP, "g"), "\\$&");
}

function unanchored(source: string): string {
  return source.replace(/^\^/, "").replace(/\$$/, "");
}

// The text that a pattern stands for, null if it is more than text.
function literalOf(pattern: string): string | null {
  if (META_REGEXP.test(pattern.replace(/\\[^a-zA-Z0-9]/g, ""))) return null;
  return pattern.replace(/\\([^a-zA-Z0-9])/g, "$1");
}

// The text that a pattern begins with, up to a slash. With an alternative outside of groups there is
// another beginning; a slash with a quantifier need not be there.
function prefixOf(pattern: string): string | null {
  const [prefix] = PREFIX_REGEXP.exec(pattern) ?? [];
  if (prefix === undefined || /[|()]/.test(pattern.replace(FLAT_GROUP_REGEXP, ""))) return null;
  return literalOf(prefix);
}

function encodeArgument(value: unknown): string {
  const text = value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
  return encodeURIComponent(text);
}
