import { errorCode } from "../ioloop/mod.ts";
import { type AddressFamily, familyOf } from "./ip_address.ts";

const MAX_TRIES = 16; // of port 0 with two sockets: the second one may find the port taken

/** Options of {@linkcode bindSockets}. */
export interface BindSocketsOptions {
  /** The one family to listen in; without it both, where there are both. */
  family?: AddressFamily;
  /**
   * How many connections may wait in the kernel to be accepted.
   *
   * @default {128}
   */
  backlog?: number;
  /**
   * Whether several listeners, also those of other processes, share the port; the kernel
   * deals the connections out. Needs `--unstable-net`; works on Linux only.
   *
   * @default {false}
   */
  reusePort?: boolean;
}

/**
 * Listens on `port` (0 picks a free one, the same for all listeners) of `address`, by default
 * or with `""` of all interfaces.
 *
 * All interfaces are one listener that takes connections of both families, where the system
 * has IPv6; `family: "ipv6"` leaves it so, because Deno cannot keep IPv4 out of it.
 * `"localhost"` is a listener for each family, or for the one there is. Any other name is
 * one listener, on the first address that the system knows for it.
 *
 * @throws {Deno.errors.AddrInUse} when the port is taken; the message names it.
 * @throws {Deno.errors.AddrNotAvailable} when the address is not one of this machine.
 * @throws {Deno.errors.NotCapable} without net permission; the message names the flag.
 * @throws {RangeError} when `port` is not from 0 to 65535, or `backlog` not from 1.
 * @throws {TypeError} when `address` is not of the `family`; for `reusePort` when Deno runs
 *   without `--unstable-net`.
 *
 * @example One port for both families
 * ```ts
 * import { bindSockets } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * const listeners = bindSockets(0, "localhost");
 * const ports = listeners.map((listener) => (listener.addr as Deno.NetAddr).port);
 * assertEquals(new Set(ports).size, 1);
 * for (const listener of listeners) listener.close();
 * ```
 */
export function bindSockets(
  port: number,
  address: string | null = null,
  { family, backlog = 128, reusePort = false }: BindSocketsOptions = {},
): Deno.Listener[] {
  if (!Number.isInteger(backlog) || backlog < 1) {
    throw new RangeError(`Cannot listen: backlog must be a whole number from 1, got ${backlog}`);
  }
  // Deno ends the process, and nothing can catch it, when the flag is missing.
  if (reusePort && !("listenDatagram" in Deno)) {
    throw new TypeError("Cannot share a port: reusePort needs deno run --unstable-net");
  }
  const listen: Listen = (port, hostname) =>
    listenOn({
      port,
      hostname,
      tcpBacklog: backlog,
      ...(reusePort ? { reusePort } : {}),
    });
  if (address === null || address === "") return [listenEverywhere(listen, port, family)];
  if (address === "localhost") return listenLocally(listen, port, family);
  const listener = listen(port, address);
  const bound = familyOf(listener.addr.hostname);
  if (family === undefined || bound === family) return [listener];
  listener.close();
  throw new TypeError(`Cannot listen on ${address}: it is not of the family ${family}`);
}

type AddressOptions = Deno.TcpListenOptions & { port: number; hostname: string };
type Listen = (port: number, hostname: string) => Deno.TcpListener;

function listenEverywhere(
  listen: Listen,
  port: number,
  family: AddressFamily | undefined,
): Deno.TcpListener {
  if (family === "ipv4") return listen(port, "0.0.0.0");
  try {
    return listen(port, "::");
  } catch (error) {
    if (family === "ipv6" || !meansNoFamily(error)) throw error;
    return listen(port, "0.0.0.0");
  }
}

function listenLocally(
  listen: Listen,
  port: number,
  family: AddressFamily | undefined,
): Deno.TcpListener[] {
  if (family !== undefined) return [listen(port, family === "ipv4" ? "127.0.0.1" : "::1")];
  for (let tries = 1;; tries++) {
    // By its name, because net permission may be given for just that.
    const first = listen(port, "localhost");
    const { hostname, port: picked } = first.addr;
    const other = familyOf(hostname) === "ipv4" ? "::1" : "127.0.0.1";
    if (!mayListen(other, picked)) return [first];
    try {
      return [first, listen(picked, other)];
    } catch (error) {
      if (meansNoFamily(error)) return [first];
      first.close();
      const taken = error instanceof Deno.errors.AddrInUse;
      if (port !== 0 || !taken || tries === MAX_TRIES) throw error;
    }
  }
}

function listenOn(options: AddressOptions): Deno.TcpListener {
  try {
    return Deno.listen(options);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    const { port, hostname } = options;
    const place = hostname === "::" || hostname === "0.0.0.0" ? "all interfaces" : hostname;
    throw new Deno.errors.AddrInUse(
      `Cannot listen on port ${port} of ${place}: it is in use`,
      { cause: error },
    );
  }
}

function mayListen(hostname: string, port: number): boolean {
  const host = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

// The system does not have the family, or no address of it: nothing else is wrong.
function meansNoFamily(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable || NO_FAMILY.has(errorCode(error) ?? "");
}

const NO_FAMILY = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL", "EPROTONOSUPPORT"]);
