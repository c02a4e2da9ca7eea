import { getConfig } from "@logtape/logtape";
import { genLog, IOLoop } from "../ioloop/mod.ts";
import { HTTPServer, type HTTPServerApp, type HTTPServerOptions } from "../http/mod.ts";
import { enablePrettyLogging } from "./pretty_logging.ts";

/** Options of {@linkcode runServer}. */
export interface RunServerOptions extends HTTPServerOptions {
  /**
   * The port; 0 picks a free one.
   *
   * @default {8888}
   */
  port?: number;
  /**
   * The address to listen on.
   *
   * @default {"127.0.0.1"}
   */
  address?: string;
  /**
   * The ms that answers in progress are given when the process is told to stop.
   *
   * @default {10000}
   */
  grace?: number;
  /** Is called once the server listens. */
  onListen?: (server: HTTPServer) => void;
}

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/**
 * Serves an application until the process gets SIGINT or SIGTERM, then drains: it stops
 * accepting, finishes what is in progress within `grace` ms, and returns. A second signal ends
 * it at once.
 *
 * It runs the current loop, or the one of its option `ioLoop`: timeouts, PeriodicCallbacks and
 * further servers that were started on that loop before run with it. At the end it closes the
 * loop and every connection and listener that is registered there. Where logging was not
 * configured, warnings and errors go to standard error.
 *
 * @throws {Deno.errors.AddrInUse} when the port is taken; the message names it.
 * @throws {Deno.errors.NotCapable} without net permission; the message names the flag.
 * @throws {Error} when the loop runs already.
 */
export async function runServer(
  app: HTTPServerApp,
  { port = 8888, address = "127.0.0.1", grace = 10_000, onListen, ...options }: RunServerOptions =
    {},
): Promise<void> {
  const loop = options.ioLoop ?? IOLoop.current();
  if (loop.running) throw new Error("Cannot run the server: its loop runs already");
  const server = new HTTPServer(app, { ...options, ioLoop: loop });
  server.listen(port, address);
  if (getConfig() === null) enablePrettyLogging({ level: "warning" }); // failures must be seen
  const stop = () => {
    // From here on the signals do what they do by themselves: the second one ends the process.
    for (const signal of SIGNALS) loop.removeSignalHandler(signal);
    loop.addFuture(server.shutdown({ grace }), (future) => {
      const { cut } = future.result();
      if (cut > 0) genLog.warn("Cut {cut} connections that did not end in time", { cut });
      loop.stop();
    });
  };
  for (const signal of SIGNALS) loop.addSignalHandler(signal, stop);
  loop.addCallback(() => onListen?.(server));
  await loop.start();
  loop.close({ allSources: true });
}
