import { genLog, IOLoop } from "../ioloop/mod.ts";
import { HTTPServer, type HTTPServerApp, type HTTPServerOptions } from "../http/mod.ts";

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
 * @throws {Deno.errors.AddrInUse} when the port is taken; the message names it.
 */
export async function runServer(
  app: HTTPServerApp,
  { port = 8888, address = "127.0.0.1", grace = 10_000, onListen, ...options }: RunServerOptions =
    {},
): Promise<void> {
  const loop = options.ioLoop ?? new IOLoop();
  const server = new HTTPServer(app, { ...options, ioLoop: loop });
  server.listen(port, address);
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
