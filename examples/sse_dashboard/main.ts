/**
 * A page with live numbers of the server it comes from.
 *
 * It teaches server-sent events: `this.sse()` begins the stream, the browser comes back by itself
 * when the connection is lost and says which event was the last, and the coroutine that sends is
 * cancelled when the page is closed.
 *
 * Run it with `deno run -P=serve examples/sse_dashboard/main.ts` and open http://127.0.0.1:8888/;
 * `curl -N http://127.0.0.1:8888/events` shows what the page gets.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Application, RequestHandler, StaticFileHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { announce } from "../serve_tcp.ts";
import { Meter } from "./meter.ts";

const RETRY = 500; // ms after which a browser comes back

class EventsHandler extends RequestHandler {
  #meter!: Meter;

  override initialize({ meter }: { meter: Meter }): void {
    this.#meter = meter;
  }

  override *get(): CoroutineGenerator {
    const events = this.sse({ retry: RETRY });
    const after = Number(events.lastEventId ?? 0);
    yield* this.#meter.follow(
      Number.isInteger(after) ? after : 0,
      (sample) => events.send(sample, { event: "sample", id: sample.id }),
    );
  }
}

/** Makes the application. */
export function makeDashboard(meter: Meter): Application {
  const path = fileURLToPath(new URL("./static", import.meta.url));
  return new Application([
    ["/events", EventsHandler, { meter }],
    ["/(.*)", StaticFileHandler, { path, defaultFilename: "index.html" }],
  ], {
    requestObserver: {
      begin() {
        meter.count();
        return { run: (serve) => serve(), end() {} };
      },
    },
  });
}

if (import.meta.main) {
  const { values: { port, address, period } } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
      period: { type: "string", default: "1000" }, // ms between two samples
    },
  });
  enablePrettyLogging();
  const meter = new Meter(Number(period));
  await runServer(makeDashboard(meter), {
    port: Number(port),
    address,
    grace: 200, // the streams would go on for ever
    onListen: announce("The dashboard"),
  });
  meter.stop();
}
