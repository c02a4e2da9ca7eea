import { coroutine, type CoroutineGenerator, sleep } from "@waterspout/waterspout/gen";
import {
  CancelledError,
  Future,
  type IOLoop,
  PeriodicCallback,
  type Timeout,
} from "@waterspout/waterspout/ioloop";
import type { Schedule } from "./schedule.ts";

const MAX_SLEEP = 3_600_000; // a clock that was set meanwhile is noticed within the hour

/** Is a piece of work; one that has to wait is a generator function. */
export type Job = () => CoroutineGenerator | void;

/** Holds what is to be done later, so that all of it can be stopped. */
export class Tasks {
  readonly #loop: IOLoop;
  readonly #now: () => number;
  readonly #periodic: PeriodicCallback[] = [];
  readonly #timeouts = new Set<Timeout>();
  readonly #running = new Set<Future<void>>();

  /** Makes it empty; `now` tells the time of day, in ms since the epoch. */
  constructor(loop: IOLoop, now: () => number = Date.now) {
    this.#loop = loop;
    this.#now = now;
  }

  /** Does `job` every `ms`; a period in which the last run is still at work is skipped. */
  every(ms: number, job: Job): void {
    const periodic = new PeriodicCallback(() => this.#start(job), ms, { ioLoop: this.#loop });
    this.#periodic.push(periodic);
    periodic.start();
  }

  /** Does `job` once, in `ms`. */
  after(ms: number, job: Job): void {
    const timeout = this.#loop.callLater(ms, () => {
      this.#timeouts.delete(timeout);
      return this.#start(job); // the loop logs what it fails with
    });
    this.#timeouts.add(timeout);
  }

  /** Does `job` whenever the schedule says so; one that failed is tried again the next time. */
  cron(schedule: Schedule, job: Job): void {
    this.#start(() => this.#follow(schedule, job));
  }

  /**
   * Ends all of it: nothing begins any more, what is at work is cancelled, and its `finally`
   * blocks are waited for.
   */
  *stop(): CoroutineGenerator {
    for (const periodic of this.#periodic.splice(0)) periodic.stop();
    for (const timeout of this.#timeouts) this.#loop.removeTimeout(timeout);
    this.#timeouts.clear();
    const running = [...this.#running];
    for (const future of running) future.cancel("the tasks are stopped");
    yield* Future.from(Promise.allSettled(running));
  }

  #start(job: Job): Future<void> {
    const future = coroutine(function* () {
      const work = job();
      if (work) yield* work;
    })();
    this.#running.add(future);
    this.#loop.addFuture(future, () => this.#running.delete(future));
    return future;
  }

  *#follow(schedule: Schedule, job: Job): CoroutineGenerator {
    for (;;) {
      const due = schedule.next(this.#now());
      if (due === null) return;
      for (let left; (left = due - this.#now()) > 0;) yield* sleep(Math.min(left, MAX_SLEEP));
      try {
        const work = job();
        if (work) yield* work;
      } catch (error) {
        if (error instanceof CancelledError) throw error;
        this.#loop.handleCallbackException(job, error);
      }
    }
  }
}
