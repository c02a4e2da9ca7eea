// The routes of an Application. Those whose pattern is literal text are found by map, whatever
// their number; the others are tried in order. The first that matches wins in either case: a
// literal route stays in line if one before it might take its requests.
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

interface Table {
  readonly literals: ReadonlyMap<string, Found>;
  readonly others: readonly Rule[];
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
    const { literals, others } = this.#table ??= makeTable(this.rules);
    const literal = literals.get(request.path);
    if (literal !== undefined) return literal;
    for (const { matcher, target, targetKwargs } of others) {
      const match = matcher.match(request);
      if (match === null) continue;
      if (isHandlerClass(target)) return foundHandler(matcher, target, targetKwargs, match);
      const found = target instanceof ApplicationRouter
        ? target.find(request)
        : this.#findByTarget(target, request, { ...match, targetKwargs });
      if (found !== null) return found;
    }
    return null;
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

function makeTable(rules: readonly Rule[]): Table {
  const literals = new Map<string, Found>();
  const others: Rule[] = [];
  for (const rule of rules) {
    const { matcher, target, targetKwargs } = rule;
    const path = matcher instanceof PathMatches ? matcher.literal : null;
    if (path === null || !isHandlerClass(target)) others.push(rule);
    else if (others.some((other) => mayTake(other, path))) others.push(rule);
    else if (!literals.has(path)) {
      literals.set(
        path,
        foundHandler(matcher, target, targetKwargs, (matcher as PathMatches).matchPath(path)!),
      );
    }
  }
  return { literals, others };
}

function mayTake({ matcher }: Rule, path: string): boolean {
  return !(matcher instanceof PathMatches) || matcher.matchPath(path) !== null;
}
