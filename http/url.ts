import { urlEscape } from "./url_escape.ts";

/** Arguments for {@linkcode urlConcat}: a record, where a list gives a name several times, or pairs. */
export type UrlArguments =
  | Readonly<Record<string, string | number | readonly (string | number)[]>>
  | Iterable<readonly [name: string, value: string | number]>;

/**
 * Appends arguments to the query of a URL.
 *
 * The query that is there stays as written, but for a bare name, which becomes `name=`, and empty
 * parts, which go. The fragment stays behind the query.
 *
 * @example Add to a query
 * ```ts
 * import { urlConcat } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(urlConcat("http://example.com/foo?a=b", { c: "d e" }), "http://example.com/foo?a=b&c=d+e");
 * assertEquals(urlConcat("/foo#bar", [["a", 1], ["a", 2]]), "/foo?a=1&a=2#bar");
 * ```
 *
 * @param args With `null` the URL comes back as it is.
 */
export function urlConcat(
  url: string,
  args: UrlArguments | null | undefined,
): string {
  if (args === null || args === undefined) return url;
  const hash = url.indexOf("#");
  const beforeHash = hash === -1 ? url : url.slice(0, hash);
  const fragment = hash === -1 ? "" : url.slice(hash);
  const mark = beforeHash.indexOf("?");
  const base = mark === -1 ? beforeHash : beforeHash.slice(0, mark);
  const query = mark === -1 ? "" : beforeHash.slice(mark + 1);

  const parts = query.split("&").filter((part) => part !== "").map((part) =>
    part.includes("=") ? part : `${part}=`
  );
  for (const [name, value] of pairsOf(args)) {
    parts.push(`${urlEscape(name)}=${urlEscape(String(value))}`);
  }
  return parts.length === 0 ? base + fragment : `${base}?${parts.join("&")}${fragment}`;
}

function pairsOf(
  args: UrlArguments,
): Iterable<readonly [string, string | number]> {
  if (Symbol.iterator in args) {
    return args as Iterable<readonly [string, string | number]>;
  }
  return qsToQsl(
    Object.fromEntries(
      Object.entries(args).map((
        [name, value],
      ) => [name, typeof value === "object" ? value : [value]]),
    ),
  );
}

/**
 * Parts the port from a host; IPv6 addresses keep their brackets.
 *
 * @example Take an authority apart
 * ```ts
 * import { splitHostAndPort } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(splitHostAndPort("[::1]:8080"), ["[::1]", 8080]);
 * assertEquals(splitHostAndPort("example.com"), ["example.com", null]);
 * ```
 *
 * @returns host and port; the port is `null` if there is none.
 */
export function splitHostAndPort(
  netloc: string,
): [host: string, port: number | null] {
  const match = /^(\[[^\]]*\]|[^:]+):(\d+)$/.exec(netloc);
  return match === null ? [netloc, null] : [match[1]!, Number(match[2])];
}

/** Gives a pair for every value in a record of lists, as a parsed query is. */
export function* qsToQsl<T>(
  qs: Readonly<Record<string, readonly T[]>>,
): Generator<[name: string, value: T], void, unknown> {
  for (const [name, values] of Object.entries(qs)) {
    for (const value of values) yield [name, value];
  }
}
