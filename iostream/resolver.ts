import { lookup } from "node:dns";
import { Configurable, type ConfigurableClass, errorCode, Future } from "../ioloop/mod.ts";
import { type AddressFamily, familyOf } from "./ip_address.ts";

/** Is one address that a name stands for. */
export interface ResolvedAddress {
  /** The family of {@linkcode hostname}. */
  readonly family: AddressFamily;
  /** The IP address. */
  readonly hostname: string;
  /** The port that was asked for, or the one that takes its place. */
  readonly port: number;
}

/**
 * Turns host names into addresses. `Resolver.create()` makes the implementation that was
 * configured; by default that is {@linkcode DefaultResolver}. An implementation overrides
 * {@linkcode resolve}.
 *
 * @example A resolver that knows one name
 * ```ts
 * import { Future } from "@waterspout/waterspout/ioloop";
 * import { type ResolvedAddress, Resolver } from "@waterspout/waterspout/iostream";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * class Home extends Resolver {
 *   override resolve(host: string, port: number): Future<ResolvedAddress[]> {
 *     if (host !== "home") return Future.failed(new Deno.errors.NotFound(`Cannot resolve ${host}`));
 *     return Future.resolved([{ family: "ipv4", hostname: "127.0.0.1", port }]);
 *   }
 * }
 * Resolver.configure(Home);
 * const resolver = Resolver.create();
 * assertInstanceOf(resolver, Home);
 * assertEquals((await resolver.resolve("home", 80))[0]?.hostname, "127.0.0.1");
 * Resolver.configure(null);
 * ```
 */
export abstract class Resolver extends Configurable {
  /** Returns {@linkcode Resolver}. */
  static override configurableBase(): ConfigurableClass {
    return Resolver;
  }

  /** Returns {@linkcode DefaultResolver}. */
  static override configurableDefault(): ConfigurableClass {
    return DefaultResolver;
  }

  /**
   * Returns the addresses that `host` stands for, the preferred ones first: at least one, all
   * of `family` if that is given. It fails with an error of the kind the system gives, one of
   * `Deno.errors`; with `Deno.errors.NotFound` when there is no address.
   */
  abstract resolve(
    host: string,
    port: number,
    family?: AddressFamily,
  ): Future<ResolvedAddress[]>;

  /** Frees what it holds; does nothing unless it is overridden. */
  close(): void {}
}

/**
 * Asks the system, which also knows the names in `/etc/hosts`. What is an address already is
 * returned without a look-up.
 *
 * It fails with `Deno.errors.NotFound` when there is no such name or no address of the family,
 * `Deno.errors.TimedOut` when no name server answered, `Deno.errors.NotCapable` without net
 * permission for the name. Cancelling drops the answer; the system's look-up goes on.
 *
 * @example An address stands for itself
 * ```ts
 * import { DefaultResolver } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await new DefaultResolver().resolve("::1", 80), [
 *   { family: "ipv6", hostname: "::1", port: 80 },
 * ]);
 * ```
 */
export class DefaultResolver extends Resolver {
  /** See {@linkcode Resolver.resolve}. */
  override resolve(
    host: string,
    port: number,
    family?: AddressFamily,
  ): Future<ResolvedAddress[]> {
    const own = familyOf(host);
    if (own !== null) {
      return family === undefined || family === own
        ? Future.resolved([{ family: own, hostname: host, port }])
        : Future.failed(notFound(host, family));
    }
    if (host === "") return Future.failed(notFound("an empty name"));
    const future = new Future<ResolvedAddress[]>();
    const version = family === undefined ? 0 : family === "ipv4" ? 4 : 6;
    lookup(host, { all: true, family: version }, (error, found) => {
      if (error !== null && error !== undefined) future._settle(2, asPlatformError(host, error));
      else if (found.length === 0) future._settle(2, notFound(host, family));
      else future._settle(1, found.map(({ address }) => toAddress(address, port)));
    });
    return future;
  }
}

/** Is where {@linkcode OverrideResolver} sends a name: to a host, or to a host and port. */
export type Override = string | readonly [host: string, port: number];

/** Options of {@linkcode OverrideResolver}, when it is made by `Resolver.configure`. */
export interface OverrideResolverOptions {
  /** Resolves what {@linkcode mapping} leaves; by default a {@linkcode DefaultResolver}. */
  resolver?: Resolver;
  /** See {@linkcode OverrideResolver}. */
  mapping?: Readonly<Record<string, Override>>;
}

/**
 * Puts a table of its own before another resolver: for tests against a local server, or to
 * send the traffic for one host elsewhere.
 *
 * A key is `"host:port:ipv4"` or `"host:port:ipv6"`, which is looked at when that family is
 * asked for, `"host:port"` or `"host"`; the most specific one counts. A value is a host, or
 * `[host, port]`; the resolver behind it gets that.
 *
 * @example Send a name home
 * ```ts
 * import { DefaultResolver, OverrideResolver } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * const resolver = new OverrideResolver(new DefaultResolver(), {
 *   "example.com": "127.0.0.1",
 *   "example.com:443": ["127.0.0.1", 8443],
 * });
 * const [plain] = await resolver.resolve("example.com", 80);
 * const [secure] = await resolver.resolve("example.com", 443);
 * assertEquals([plain?.port, secure?.port], [80, 8443]);
 * ```
 */
export class OverrideResolver extends Resolver {
  #resolver: Resolver | null; // null: made when it is needed
  #mapping: ReadonlyMap<string, Override>;

  /** Takes the resolver behind it, which it closes when it is closed, and the table. */
  constructor(
    resolver: Resolver | null = null,
    mapping: Readonly<Record<string, Override>> = {},
  ) {
    super();
    this.#resolver = resolver;
    this.#mapping = new Map(Object.entries(mapping));
  }

  /** Takes the same as options. */
  override initialize({ resolver, mapping }: OverrideResolverOptions): void {
    if (resolver !== undefined) this.#resolver = resolver;
    if (mapping !== undefined) this.#mapping = new Map(Object.entries(mapping));
  }

  /** See {@linkcode Resolver.resolve}. */
  override resolve(
    host: string,
    port: number,
    family?: AddressFamily,
  ): Future<ResolvedAddress[]> {
    const override = this.#find(host, port, family);
    const [toHost, toPort] = typeof override === "string" ? [override, port] : override;
    this.#resolver ??= new DefaultResolver();
    return this.#resolver.resolve(toHost, toPort, family);
  }

  /** Closes the resolver behind it. */
  override close(): void {
    this.#resolver?.close();
  }

  #find(host: string, port: number, family: AddressFamily | undefined): Override {
    const mapping = this.#mapping;
    return (family === undefined ? undefined : mapping.get(`${host}:${port}:${family}`)) ??
      mapping.get(`${host}:${port}`) ?? mapping.get(host) ?? [host, port];
  }
}

function toAddress(hostname: string, port: number): ResolvedAddress {
  return { family: familyOf(hostname)!, hostname, port };
}

function notFound(what: string, family?: AddressFamily): Error {
  const kind = family === undefined ? "address" : `${family} address`;
  return new Deno.errors.NotFound(`Cannot resolve ${what}: it has no ${kind}`);
}

function asPlatformError(host: string, cause: Error): Error {
  const code = errorCode(cause);
  switch (code) {
    case "EPERM":
      return new Deno.errors.NotCapable(
        `Cannot resolve ${host}: it requires net access, run again with the --allow-net flag`,
        { cause },
      );
    case "EAI_AGAIN":
    case "ETIMEOUT":
      return new Deno.errors.TimedOut(`Cannot resolve ${host}: no name server answered`, { cause });
    default:
      return new Deno.errors.NotFound(`Cannot resolve ${host}: it has no address (${code})`, {
        cause,
      });
  }
}
