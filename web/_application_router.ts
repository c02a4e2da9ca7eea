// The routes of an Application. Those whose pattern is literal text are found by map, and so are
// those that begin with literal text up to a slash, such as /story/:id, by that text; the others
// are tried for every path. The first that matches wins in any case: a literal route stays in line
// if one before it might take its requests, and what is found by its beginning keeps its place
// among those that are tried anyway.
import type { HTTPMessageDelegate, HTTPServerRequest } from "../http/mod.ts";
import { type Matcher, type MatchResult, PathMatches } from "./matcher.ts";
import type { HandlerClass } from "./request_handler.ts";
import {
  isHandlerClass,
  ReversibleRuleRouter,
  type Route,
  Rule,
  type RuleTarget,
  type TargetParams,
} from "./routing.ts";

/** Is who answers a request: a handler, or somebody who is told of it as it arrives. */
export interface Found extends MatchResult {
  readonly route: string | null; // the pattern of the path
  readonly handlerClass: HandlerClass | null;
  readonly kwargs: unknown;
  readonly delegate: HTTPMessageDelegate | null;
}

/** Makes the delegate of a handler. */
export type HandlerStarter = (request: HTTPServerRequest, found: Found) => HTTPMessageDelegate;

interface Placed {
  readonly rule: Rule;
  readonly place: number; // in the order of the rules
}

/** Finds the handlers of an Application; see the top of this file. */
export class ApplicationRouter extends ReversibleRuleRouter {
  readonly #start: HandlerStarter;
  #table: Table | null = null;

  constructor(start: HandlerStarter, rules: readonly Route[]) {
    super();
    this.#start = start;
    this.addRules(rules);
  }

  override processRule(rule: Rule): Rule {
    if (!Array.isArray(rule.target)) return super.processRule(rule);
    const nested = new ApplicationRouter(this.#start, rule.target);
    return super.processRule(new Rule(rule.matcher, nested, rule.targetKwargs, rule.name));
  }

  override findHandler(request: HTTPServerRequest): HTTPMessageDelegate | null {
    const found = this.find(request);
    return found === null ? null : found.delegate ?? this.#start(request, found);
  }

  override getTargetDelegate(
    target: RuleTarget,
    request: HTTPServerRequest,
    params: TargetParams,
  ): HTTPMessageDelegate | null {
    if (!isHandlerClass(target)) return super.getTargetDelegate(target, request, params);
    return this.#start(request, foundHandler(null, target, params.targetKwargs, params));
  }

  override _insert(index: number, rule: Route): void {
    super._insert(index, rule);
    this.#table = null;
  }

  /** Whether some requests may have to be begun before their bodies are there. */
  get early(): boolean {
    return this.rules.some(({ target }) => {
      if (isHandlerClass(target)) return target.STREAM_REQUEST_BODY === true;
      return target instanceof ApplicationRouter ? target.early : true;
    });
  }

  /** Returns who answers a request. */
  find(request: HTTPServerRequest): Found | null {
    const table = this.#table ??= new Table(this.rules);
    return table.literals.get(request.path) ??
      table.first(request.path, (rule) => this.#findByRule(rule, request));
  }

  #findByRule({ matcher, target, targetKwargs }: Rule, request: HTTPServerRequest): Found | null {
    const match = matcher.match(request);
    if (match === null) return null;
    if (isHandlerClass(target)) return foundHandler(matcher, target, targetKwargs, match);
    return target instanceof ApplicationRouter
      ? target.find(request)
      : this.#findByTarget(target, request, { ...match, targetKwargs });
  }

  #findByTarget(
    target: RuleTarget,
    request: HTTPServerRequest,
    params: TargetParams,
  ): Found | null {
    const delegate = this.getTargetDelegate(target, request, params);
    return delegate === null ? null : {
      ...params,
      route: null,
      handlerClass: null,
      kwargs: null,
      delegate,
    };
  }
}

function foundHandler(
  matcher: Matcher | null,
  handlerClass: HandlerClass,
  kwargs: unknown,
  match: MatchResult,
): Found {
  const route = matcher instanceof PathMatches ? matcher.pattern : null;
  const { pathArgs, pathKwargs } = match;
  return { route, handlerClass, kwargs, pathArgs, pathKwargs, delegate: null };
}

class Table {
  readonly literals = new Map<string, Found>();
  readonly #byPrefix = new Map<string, Placed[]>();
  readonly #anywhere: Placed[] = [];
  #deepest = 0; // slashes of a prefix behind its first: a path may have thousands

  constructor(rules: readonly Rule[]) {
    rules.forEach((rule, place) => this.#add(rule, place));
  }

  /** Asks the rules that may be for `path` in their order, and returns the first answer. */
  first<T>(path: string, ask: (rule: Rule) => T | null): T | null {
    const lists = this.#listsFor(path);
    const heads = lists.map(() => 0);
    for (;;) {
      let next = -1; // the list whose head comes first
      let due: Placed | null = null;
      for (let at = 0; at < lists.length; at++) {
        const head = lists[at]![heads[at]!];
        if (head !== undefined && (due === null || head.place < due.place)) {
          due = head;
          next = at;
        }
      }
      if (due === null) return null;
      heads[next]!++;
      const answer = ask(due.rule);
      if (answer !== null) return answer;
    }
  }

  #listsFor(path: string): readonly (readonly Placed[])[] {
    const lists = [this.#anywhere];
    let end = path.indexOf("/", 1);
    for (let depth = 0; end > 0 && depth < this.#deepest; depth++) {
      const list = this.#byPrefix.get(path.slice(0, end + 1));
      if (list !== undefined) lists.push(list);
      end = path.indexOf("/", end + 1);
    }
    return lists;
  }

  #add(rule: Rule, place: number): void {
    const { matcher, target, targetKwargs } = rule;
    const byPath = matchesAsWritten(matcher) ? matcher : null;
    const path = byPath?.literal ?? null;
    if (path !== null && isHandlerClass(target)) {
      if (this.literals.has(path)) return;
      if (this.first(path, (other) => mayTake(other, path) ? other : null) === null) {
        const match = byPath!.matchPath(path)!;
        this.literals.set(path, foundHandler(matcher, target, targetKwargs, match));
        return;
      }
    }
    const prefix = byPath?.prefix ?? null;
    if (prefix === null) {
      this.#anywhere.push({ rule, place });
      return;
    }
    this.#deepest = Math.max(this.#deepest, prefix.split("/").length - 2);
    const placed = this.#byPrefix.get(prefix);
    if (placed !== undefined) placed.push({ rule, place });
    else this.#byPrefix.set(prefix, [{ rule, place }]);
  }
}

function mayTake({ matcher }: Rule, path: string): boolean {
  return !matchesAsWritten(matcher) || matcher.matchPath(path) !== null;
}

// Whether nothing but the pattern decides: a class of one's own may look at more.
function matchesAsWritten(matcher: Matcher): matcher is PathMatches {
  const { match, matchPath } = PathMatches.prototype;
  return matcher instanceof PathMatches && matcher.match === match &&
    matcher.matchPath === matchPath;
}
