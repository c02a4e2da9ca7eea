import type { HTTPServerApp, ShutdownResult } from "../http/mod.ts";
import type { ForkOptions } from "./fork_processes.ts";
import { _serveUntilSignal, type RunServerOptions } from "./run_server.ts";

/** Options of {@linkcode serve}. */
export interface ServeOptions extends Omit<RunServerOptions, "reusePort">, ForkOptions {
  /**
   * In how many processes; null, or not above 0: one for each processor.
   *
   * @default {1}
   */
  numProcesses?: number | null;
}

/**
 * Serves an application in one process or in several until SIGTERM or SIGINT, as
 * {@linkcode runServer} does, and returns how many connections were cut: a program that only
 * serves is this call.
 *
 * With another number of processes than one, this one becomes the parent of so many that share
 * the port; see `forkProcesses`. In the parent it never returns, in the others when they have
 * drained. That works on Linux, with `--unstable-net`.
 *
 * @throws what `runServer`, `TCPServer.bind` and `TCPServer.start` throw.
 *
 * @example
 * ```ts
 * import { Application, serve } from "@waterspout/waterspout";
 * import { assertEquals } from "@std/assert";
 *
 * const { cut } = await serve(new Application(), {
 *   port: 0,
 *   onListen: () => Deno.kill(Deno.pid, "SIGTERM"), // an orchestrator does that
 * });
 * assertEquals(cut, 0);
 * ```
 */
export async function serve(
  app: HTTPServerApp,
  {
    port = 8888,
    address = "127.0.0.1",
    numProcesses = 1,
    maxRestarts = 100,
    denoFlags,
    ...options
  }: ServeOptions = {},
): Promise<ShutdownResult> {
  return await _serveUntilSignal(app, options, (server) => {
    server.bind(port, address);
    return server.start(numProcesses, {
      maxRestarts,
      ...(denoFlags === undefined ? {} : { denoFlags }),
    });
  });
}
