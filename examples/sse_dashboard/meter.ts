import { type CoroutineGenerator, locks } from "@waterspout/waterspout/gen";
import { type Future, IOLoop, PeriodicCallback } from "@waterspout/waterspout/ioloop";

const MAX_SAMPLES = 60;

/** Is what the dashboard shows. */
export interface Sample {
  /** Counts up from 1. */
  readonly id: number;
  /** How many look at the dashboard. */
  readonly viewers: number;
  /** How many requests came since the last sample. */
  readonly requests: number;
  /** By how many ms the loop was late. */
  readonly lag: number;
  /** The memory of the process, in MB. */
  readonly memory: number;
}

/** Measures the process it is in, periodically, and keeps the last minute. */
export class Meter {
  readonly #news = new locks.Condition();
  readonly #loop = IOLoop.current();
  readonly #period: number;
  readonly #periodic: PeriodicCallback;
  #samples: Sample[] = [];
  #lastId = 0;
  #viewers = 0;
  #requests = 0;
  #last: number;

  /** Takes a sample every `period` ms, until it is stopped. */
  constructor(period: number) {
    this.#period = period;
    this.#last = this.#loop.time();
    this.#periodic = new PeriodicCallback(() => this.#measure(), period);
    this.#periodic.start();
  }

  /** How many follow it. */
  get viewers(): number {
    return this.#viewers;
  }

  /** Counts a request. */
  count(): void {
    this.#requests++;
  }

  /** Gives what there is behind the sample `after` to `show`, and then each new one, for ever. */
  *follow(after: number, show: (sample: Sample) => Future<void>): CoroutineGenerator {
    // Who is ahead of us knew the process before it was restarted.
    let seen = after > this.#lastId ? 0 : after;
    this.#viewers++;
    try {
      for (;;) {
        for (const sample of this.#samples) {
          if (sample.id <= seen) continue;
          yield* show(sample); // a client that is slow misses samples, and holds back nobody
          seen = sample.id;
        }
        if (seen === this.#lastId) yield* this.#news.wait();
      }
    } finally {
      this.#viewers--; // the client left: the coroutine was cancelled
    }
  }

  /** Takes no more samples. */
  stop(): void {
    this.#periodic.stop();
  }

  #measure(): void {
    const now = this.#loop.time();
    const sample = {
      id: ++this.#lastId,
      viewers: this.#viewers,
      requests: this.#requests,
      lag: Math.max(0, Math.round(10 * (now - this.#last - this.#period)) / 10),
      memory: Math.round(Deno.memoryUsage().rss / 1e5) / 10,
    };
    this.#requests = 0;
    this.#last = now;
    this.#samples = [...this.#samples.slice(1 - MAX_SAMPLES), sample];
    this.#news.notifyAll();
  }
}
