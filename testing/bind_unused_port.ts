/** Options of {@linkcode bindUnusedPort}. */
export interface BindUnusedPortOptions {
  /**
   * Whether other listeners may share the port. Needs `--unstable-net`; works on Linux only.
   *
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * The address to listen on.
   *
   * @default {"127.0.0.1"}
   */
  address?: string;
}

/** Is what {@linkcode bindUnusedPort} returns. */
export interface BoundPort {
  /** Listens on the port; yours to close. */
  readonly listener: Deno.TcpListener;
  /** The port. */
  readonly port: number;
}

/**
 * Listens on a port that nobody used.
 *
 * @throws {TypeError} for `reusePort` when Deno runs without `--unstable-net`.
 *
 * @example Listen for a moment
 * ```ts
 * import { bindUnusedPort } from "@waterspout/waterspout/testing";
 *
 * const { listener, port } = bindUnusedPort();
 * const [conn, accepted] = await Promise.all([Deno.connect({ port }), listener.accept()]);
 * conn.close();
 * accepted.close();
 * listener.close();
 * ```
 */
export function bindUnusedPort(
  { reusePort = false, address = "127.0.0.1" }: BindUnusedPortOptions = {},
): BoundPort {
  // Deno ends the process, and nothing can catch it, when the flag is missing.
  if (reusePort && !("listenDatagram" in Deno)) {
    throw new TypeError("Cannot share a port: reusePort needs deno run --unstable-net");
  }
  const listener = Deno.listen({ hostname: address, port: 0, reusePort });
  return { listener, port: listener.addr.port };
}
