/**
 * A monitor of its own memory, which does things periodically, once, and by the clock.
 *
 * It teaches the three ways to do something later: `PeriodicCallback`, `callLater`, and a
 * coroutine that sleeps until a schedule as cron has them is due (`schedule.ts`). `tasks.ts`
 * holds them together, so that Ctrl-C stops all of them and waits for what is at work.
 *
 * Run it with `deno run --allow-env examples/scheduled_tasks/main.ts --report "0-59/5 * * * *"`;
 * it reports every five minutes then.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { type CoroutineGenerator, sleep } from "@waterspout/waterspout/gen";
import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
import { enablePrettyLogging } from "@waterspout/waterspout/process";
import { print } from "../serve_tcp.ts";
import { Schedule } from "./schedule.ts";
import { Tasks } from "./tasks.ts";

const BURST = 3; // measurements that make one sample
const BURST_GAP = 5; // ms between them
const MAX_SAMPLES = 10_000; // should nobody ask for a report

/** Collects samples, and forgets them with each report. */
class Monitor {
  #samples: number[] = [];

  *sample(): CoroutineGenerator {
    let largest = 0;
    for (let count = 0; count < BURST; count++) {
      largest = Math.max(largest, Deno.memoryUsage().rss);
      yield* sleep(BURST_GAP);
    }
    if (this.#samples.length < MAX_SAMPLES) this.#samples.push(largest);
  }

  report(title: string): void {
    const samples = this.#samples.splice(0);
    const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
    const range = samples.length === 0
      ? ""
      : `, ${megabytes(Math.min(...samples))} to ${megabytes(Math.max(...samples))}`;
    print(`${title}: ${samples.length} samples${range}`);
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      sample: { type: "string", default: "1000" }, // ms between two samples
      first: { type: "string", default: "5000" }, // ms until the first report
      report: { type: "string", default: "* * * * *" }, // when the others are due
    },
  });
  const schedule = new Schedule(values.report);
  enablePrettyLogging();
  const loop = new IOLoop();
  await loop.run(function* () {
    const stopped = new Future<void>();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      loop.addSignalHandler(signal, () => stopped.done() || stopped.setResult());
    }
    const monitor = new Monitor();
    const tasks = new Tasks(loop);
    tasks.every(Number(values.sample), () => monitor.sample());
    tasks.after(Number(values.first), () => monitor.report("The first report"));
    tasks.cron(schedule, () => monitor.report(new Date().toISOString().slice(0, 16)));
    print("Taking samples (Ctrl-C ends it)");
    yield* stopped;
    yield* tasks.stop();
    monitor.report("Stopped");
  });
  loop.close();
}
