// A router finds who answers a request: RuleRouter by rules, each a matcher and a target. What
// an Application is made of, handlers and the tables that find them fast, stands in
// _application_router.ts.
import { genLog } from "../ioloop/mod.ts";
import {
  type HTTPConnection,
  type HTTPHeaders,
  type HTTPMessageDelegate,
  type HTTPServerConnectionDelegate,
  type HTTPServerPeer,
  HTTPServerRequest,
  type RequestStartLine,
  type ResponseStartLine,
  statusLine,
} from "../http/mod.ts";
import { CallbackDelegate } from "../http/callback_delegate.ts";
import { Matcher, type MatchResult, PathMatches } from "./matcher.ts";
import type { PathParams } from "./path_params.ts";
import type { HandlerClass } from "./request_handler.ts";

/** Answers requests that are there whole, or begins with them before: a `FetchContainer` does. */
export interface RequestTaker {
  /** Answers a request whose body is there. */
  handleRequest(request: HTTPServerRequest): unknown;
  /** Returns who is told of a request as it arrives; null: it is handled when it is there. */
  beginRequest?(request: HTTPServerRequest): HTTPMessageDelegate | null;
}

/**
 * Is who answers the requests of a rule: a function that is given each, another router, rules of
 * its own, a delegate, a container and, inside of an Application, a handler class.
 */
export type RuleTarget =
  | HandlerClass
  | Router
  | RequestTaker
  | HTTPServerConnectionDelegate
  | ((request: HTTPServerRequest) => unknown)
  | readonly Route[];

/** Is a rule, or its parts: matcher or pattern of the path, target, options of a handler, name. */
export type Route =
  | Rule
  // deno-lint-ignore no-explicit-any -- the options belong to the handler's initialize()
  | readonly [Matcher | string | RegExp, RuleTarget, any?, string?];

/** Says what {@linkcode RuleRouter.getTargetDelegate} may hand on. */
export interface TargetParams extends MatchResult {
  /** The options of the rule. */
  readonly targetKwargs: unknown;
}

/** Finds who answers a request. It can be given to an `HTTPServer`, or be the target of a rule. */
export abstract class Router implements HTTPServerConnectionDelegate {
  /** Returns who is told of the request as it arrives; null when it knows nobody. */
  abstract findHandler(request: HTTPServerRequest): HTTPMessageDelegate | null;

  /** Takes a request of a server; what nobody answers is 404. */
  startRequest(_serverConn: HTTPServerPeer, requestConn: HTTPConnection): HTTPMessageDelegate {
    return new RoutingDelegate(this, requestConn);
  }

  /** Is told that a connection ended on which a request had begun. */
  onClose(_serverConn: HTTPServerPeer): void {}
}

/** Is a router that can make the paths of its routes. */
export abstract class ReversibleRouter extends Router {
  /** Makes a path of the route with that name; null when there is none. */
  abstract reverseUrl(name: string, ...args: readonly unknown[]): string | null;
}

/** Says which requests go where. */
export class Rule {
  /** Decides which requests. */
  readonly matcher: Matcher;
  /** Who answers them. */
  readonly target: RuleTarget;
  /** The options of a handler class. */
  readonly targetKwargs: unknown;
  /** The name for `reverseUrl`. */
  readonly name: string | undefined;

  /** Takes the parts. */
  constructor(matcher: Matcher, target: RuleTarget, targetKwargs: unknown = {}, name?: string) {
    this.matcher = matcher;
    this.target = target;
    this.targetKwargs = targetKwargs;
    this.name = name;
  }

  /** Makes a path that the rule matches; null when its matcher has none. */
  reverse(...args: readonly unknown[]): string | null {
    return this.matcher.reverse(...args);
  }
}

/**
 * Finds who answers by rules, of which the first that matches and knows somebody wins.
 *
 * @example Functions by host and path
 * ```ts
 * import { HTTPServerRequest } from "@waterspout/waterspout/http";
 * import { HostMatches, RuleRouter } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: string[] = [];
 * const router = new RuleRouter([
 *   [new HostMatches("api\\.example"), [["/users", () => seen.push("users")]]],
 *   ["/.*", () => seen.push("page")],
 * ]);
 * for (const host of ["api.example", "www.example"]) {
 *   const request = new HTTPServerRequest({ uri: "/users", host });
 *   router.findHandler(request)!.finish();
 * }
 * assertEquals(seen, ["users", "page"]);
 * ```
 */
export class RuleRouter extends Router {
  readonly #rules: Rule[] = [];

  /** Takes the rules, in the order in which they are tried. */
  constructor(rules: readonly Route[] = []) {
    super();
    this.addRules(rules);
  }

  /** The rules, in the order in which they are tried. */
  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** Adds rules behind the others. */
  addRules(rules: readonly Route[]): void {
    for (const rule of rules) this._insert(this.#rules.length, rule);
  }

  /**
   * Is given each rule that is added, and returns the one to use; override it. The constructor
   * calls it too, before the fields of a subclass are made.
   */
  processRule(rule: Rule): Rule {
    if (!Array.isArray(rule.target)) return rule;
    return new Rule(rule.matcher, new RuleRouter(rule.target), rule.targetKwargs, rule.name);
  }

  /** Asks the rules in turn. */
  override findHandler(request: HTTPServerRequest): HTTPMessageDelegate | null {
    for (const { matcher, target, targetKwargs } of this.#rules) {
      const match = matcher.match(request);
      if (match === null) continue;
      const delegate = this.getTargetDelegate(target, request, { ...match, targetKwargs });
      if (delegate !== null) return delegate;
    }
    return null;
  }

  /** Returns who is told of a request for this target; null when the target knows nobody. */
  getTargetDelegate(
    target: RuleTarget,
    request: HTTPServerRequest,
    _params: TargetParams,
  ): HTTPMessageDelegate | null {
    if (target instanceof Router) return target.findHandler(request);
    if (isHandlerClass(target)) {
      throw new TypeError(`Cannot route ${request.path}: ${target.name} needs an Application`);
    }
    if (typeof target === "function") return new CallbackDelegate(request, target);
    if ("handleRequest" in target) {
      return target.beginRequest?.(request) ??
        new CallbackDelegate(request, (request) => target.handleRequest(request));
    }
    const { connection } = request;
    return (target as HTTPServerConnectionDelegate).startRequest(
      connection as unknown as HTTPServerPeer,
      connection,
    );
  }

  /** Adds a rule in front of the one at `index`. @ignore */
  _insert(index: number, rule: Route): void {
    this.#rules.splice(index, 0, this.processRule(toRule(rule)));
  }
}

/** Finds who answers by rules, and makes the paths of those that have names. */
export class ReversibleRuleRouter extends RuleRouter implements ReversibleRouter {
  /** The rules that have a name. */
  get namedRules(): Readonly<Record<string, Rule>> {
    const named: Record<string, Rule> = Object.create(null);
    for (const rule of this.rules) if (rule.name !== undefined) named[rule.name] = rule;
    return named;
  }

  /** Warns of a name that is taken: of two rules with one name the later counts. */
  override processRule(rule: Rule): Rule {
    const { name } = rule;
    if (name !== undefined && this.rules.some((other) => other.name === name)) {
      genLog.warn("Multiple handlers named {name}; replacing previous value", { name });
    }
    return super.processRule(rule);
  }

  /** Makes a path of a rule with that name, here or in a router that is a target. */
  reverseUrl(name: string, ...args: readonly unknown[]): string | null {
    const rule = this.rules.findLast((rule) => rule.name === name);
    if (rule !== undefined) return rule.reverse(...args);
    for (const { target } of this.rules) {
      if (!isReversible(target)) continue;
      const url = target.reverseUrl(name, ...args);
      if (url !== null) return url;
    }
    return null;
  }
}

/**
 * Is the rule of an Application that maps a pattern of the path to a handler; see
 * {@linkcode PathMatches} for the patterns. Unnamed groups become the arguments of the handler's
 * method, named ones the fields of a single object.
 *
 * @example Groups
 * ```ts
 * import { RequestHandler, url } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const spec = url("/story/([0-9]+)", RequestHandler, {}, "story");
 * assertEquals(spec.match("/story/42")?.pathArgs, ["42"]);
 * assertEquals(spec.match("/story/42/x"), null);
 * assertEquals(spec.reverse(7), "/story/7");
 * ```
 */
export class URLSpec extends Rule {
  /** Matches by the pattern. */
  declare readonly matcher: PathMatches;
  /** The handler. */
  declare readonly target: HandlerClass;

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
    if (!isHandlerClass(handlerClass)) {
      throw new TypeError(
        `Cannot route ${pattern}: expected a handler class, got ${Deno.inspect(handlerClass)}`,
      );
    }
    super(new PathMatches(pattern), handlerClass, kwargs, name);
  }

  /** The pattern, anchored. */
  get regex(): RegExp {
    return this.matcher.regex;
  }

  /** The handler. */
  get handlerClass(): HandlerClass {
    return this.target;
  }

  /** What its `initialize` is given. */
  get kwargs(): unknown {
    return this.targetKwargs;
  }

  /** Matches a path; null when it does not fit. */
  match(path: string): MatchResult | null {
    return this.matcher.matchPath(path);
  }
}

/**
 * Makes a {@linkcode URLSpec}. A handler whose type names a pattern is taken for one that has the
 * same names.
 */
export function url<Pattern extends string, H extends HandlerClass>(
  pattern: Pattern | RegExp,
  handlerClass: PathParams<Pattern> extends InstanceType<H>["pathParams"] ? H : never,
  kwargs?: unknown,
  name?: string,
): URLSpec {
  return new URLSpec(pattern, handlerClass, kwargs, name);
}

/** Tells whether a target is a class of handlers. */
export function isHandlerClass(target: unknown): target is HandlerClass {
  return typeof target === "function" && "_execute" in (target.prototype ?? {});
}

function toRule(rule: Route): Rule {
  if (rule instanceof Rule) return rule;
  const [matcher, target, kwargs, name] = rule;
  if (typeof target !== "function" && (typeof target !== "object" || target === null)) {
    throw new TypeError(
      `Cannot route ${matcher}: expected a handler class or another target, got ${
        Deno.inspect(target)
      }`,
    );
  }
  return new Rule(
    matcher instanceof Matcher ? matcher : new PathMatches(matcher),
    target,
    kwargs,
    name,
  );
}

function isReversible(target: RuleTarget): target is ReversibleRouter {
  return target instanceof Router && "reverseUrl" in target;
}

// Takes a request of any server: the head says who is to be told of the rest.
class RoutingDelegate implements HTTPMessageDelegate {
  readonly #router: Router;
  readonly #connection: HTTPConnection;
  #delegate: HTTPMessageDelegate | null = null;

  constructor(router: Router, connection: HTTPConnection) {
    this.#router = router;
    this.#connection = connection;
  }

  headersReceived(startLine: RequestStartLine | ResponseStartLine, headers: HTTPHeaders): unknown {
    const connection = this.#connection;
    // Our own connections have the request already.
    const { request } = connection as { request?: HTTPServerRequest | null };
    const asked = request ?? requestOf(startLine as RequestStartLine, headers, connection);
    this.#delegate = this.#router.findHandler(asked) ?? notFound(asked);
    return this.#delegate.headersReceived(startLine, headers);
  }

  dataReceived(chunk: Uint8Array): unknown {
    return this.#delegate!.dataReceived(chunk);
  }

  finish(): unknown {
    return this.#delegate!.finish();
  }

  onConnectionClose(): void {
    this.#delegate?.onConnectionClose();
  }
}

function requestOf(
  { method, path, version }: RequestStartLine,
  headers: HTTPHeaders,
  connection: HTTPConnection,
): HTTPServerRequest {
  const modern = version !== "HTTP/1.0";
  return new HTTPServerRequest({
    method,
    uri: path,
    version: modern ? "HTTP/1.1" : "HTTP/1.0",
    headers,
    connection,
  });
}

function notFound(request: HTTPServerRequest): HTTPMessageDelegate {
  return new CallbackDelegate(request, ({ connection }) => {
    connection._respond(404, statusLine(404), "", "", 0);
  });
}
