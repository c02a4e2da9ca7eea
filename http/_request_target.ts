// The four forms of a request-target (RFC 9112 3.2).

const SCHEME_REGEXP = /^https?:\/\//i;

// RFC 3986 3.2: host and port, no userinfo. The comma, which a registered name may
// hold, is left out: it is how proxies join two Host fields.
const AUTHORITY_REGEXP = /^(?:\[[0-9a-f:.]+\]|(?:[\w.~!$&'()*+;=-]|%[0-9a-f]{2})*)(?::\d*)?$/i;

// RFC 9110 9.3.6: CONNECT names host and port.
const CONNECT_REGEXP = /^(?:\[[^\]]+\]|[^:]+):\d+$/;

/** A request-target, taken apart. */
export interface RequestTarget {
  path: string;
  query: string;
  /** Host and port that the target names itself; it outranks the Host field (RFC 9112 3.2.2). */
  authority: string | null;
}

/** Tells whether `text` is a host, with or without a port; an empty one is. */
export function isAuthority(text: string): boolean {
  return AUTHORITY_REGEXP.test(text);
}

/**
 * Takes a target apart that is not in the usual origin-form, `/path?query`.
 *
 * @returns `null` when the target has none of the forms, or one that does not go with `method`.
 */
export function readUncommonTarget(
  method: string,
  target: string,
): RequestTarget | null {
  if (method === "CONNECT") {
    return CONNECT_REGEXP.test(target) && isAuthority(target)
      ? { path: target, query: "", authority: target }
      : null;
  }
  if (target === "*") {
    return method === "OPTIONS" ? { path: target, query: "", authority: null } : null;
  }
  const scheme = SCHEME_REGEXP.exec(target);
  if (scheme === null) return null;
  const rest = target.slice(scheme[0].length);
  const authorityEnd = rest.search(/[/?]|$/);
  const authority = rest.slice(0, authorityEnd);
  // RFC 9110 4.2.1: http and https need a host.
  if (
    authority === "" || authority.startsWith(":") || !isAuthority(authority)
  ) return null;
  const [path, query] = splitQuery(rest.slice(authorityEnd));
  // RFC 9112 3.2.4: OPTIONS for the server as a whole is spelled so in absolute-form.
  if (path === "") {
    return {
      path: method === "OPTIONS" && query === "" ? "*" : "/",
      query,
      authority,
    };
  }
  return { path, query, authority };
}

function splitQuery(target: string): [path: string, query: string] {
  const mark = target.indexOf("?");
  return mark === -1 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
}
