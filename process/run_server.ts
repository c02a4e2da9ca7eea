import { getConfig } from "@logtape/logtape";
import { genLog, IOLoop } from "../ioloop/mod.ts";
import {
  HTTPServer,
  type HTTPServerApp,
  type HTTPServerOptions,
  type ShutdownResult,
} from "../http/mod.ts";
import { Application } from "../web/mod.ts";
import { _startReloader } from "../web/reloader.ts";
import { onShutdown } from "./on_shutdown.ts";
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
   * Whether other processes share the port, such as those of `forkProcesses`; see
   * `BindSocketsOptions.reusePort`.
   *
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * The ms that answers in progress are given when the process is told to stop.
   *
   * @default {10000}
   */
  grace?: number;
  /** Is called once the server listens. */
  onListen?: (server: HTTPServer) => void;
}

/**
 * Serves an application until the process gets SIGINT or SIGTERM, then drains: it stops
 * accepting, finishes what is in progress within `grace` ms, and returns how many connections
 * were cut because they did not end by then. A second signal ends it at once.
 *
 * It runs the current loop, or the one of its option `ioLoop`: timeouts, PeriodicCallbacks and
 * further servers that were started on that loop before run with it. At the end it closes the
 * loop and every connection and listener that is registered there. What was given to
 * {@linkcode onShutdown} before is called when it has drained. Where logging was not configured,
 * warnings and errors go to standard error.
 *
 * @throws {Deno.errors.AddrInUse} when the port is taken; the message names it.
 * @throws {Deno.errors.NotCapable} without net permission; the message names the flag.
 * @throws {Error} when the loop runs already.
 * @throws {TypeError} for `reusePort` when Deno runs without `--unstable-net`.
 */
export async function runServer(
  app: HTTPServerApp,
  { port = 8888, address = "127.0.0.1", reusePort = false, ...options }: RunServerOptions = {},
): Promise<ShutdownResult> {
  return await _serveUntilSignal(app, options, (server) => {
    server.listen(port, address, { reusePort });
  });
}

/** Does what {@linkcode runServer} does; `open` makes the server listen. @ignore */
export async function _serveUntilSignal(
  app: HTTPServerApp,
  { grace = 10_000, onListen, ...options }: Omit<RunServerOptions, "port" | "address">,
  open: (server: HTTPServer) => PromiseLike<void> | void,
): Promise<ShutdownResult> {
  const loop = options.ioLoop ?? IOLoop.current();
  if (loop.running) throw new Error("Cannot run the server: its loop runs already");
  const server = new HTTPServer(app, { ...options, ioLoop: loop });
  try {
    await open(server);
  } catch (error) {
    server.stop(); // it may have bound its port
    throw error;
  }
  if (app instanceof Application && app.settings.autoreload) {
    _startReloader(server, app.settings.templatePath);
  }
  if (getConfig() === null) enablePrettyLogging({ level: "warning" }); // failures must be seen
  let result: ShutdownResult = { cut: 0 };
  const stop = () => {
    loop.addFuture(server.shutdown({ grace }), (future) => {
      result = future.result();
      const { cut } = result;
      if (cut > 0) genLog.warn("Cut {cut} connections that did not end in time", { cut });
      loop.stop();
    });
  };
  const ended = Promise.withResolvers<void>();
  const takeBack = onShutdown(() => {
    loop.addCallbackFromSignal(stop);
    return ended.promise;
  });
  loop.addCallback(() => onListen?.(server));
  try {
    await loop.start();
    loop.close({ allSources: true });
  } finally {
    takeBack();
    ended.resolve();
  }
  return result;
}
