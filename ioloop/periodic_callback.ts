import { _isWork, _toFuture } from "./converter.ts";
import { IOLoop } from "./ioloop.ts";
import type { Timeout } from "./timeout_heap.ts";

/** Options of {@linkcode PeriodicCallback}. */
export interface PeriodicCallbackOptions {
  /**
   * By which part of its length each period varies at random, centred on the nominal one:
   * 0.1 is 10 %.
   *
   * @default {0}
   */
  jitter?: number;
  /** The loop; by default the one that is current in `start()`. */
  ioLoop?: IOLoop;
}

/**
 * Calls a function periodically. Periods do not drift; runs that would overlap, because the
 * function or the coroutine it started takes longer than a period, are skipped.
 *
 * @example Three ticks
 * ```ts
 * import { IOLoop, PeriodicCallback } from "@waterspout/waterspout/ioloop";
 *
 * const loop = new IOLoop();
 * let ticks = 0;
 * const periodic = new PeriodicCallback(() => {
 *   if (++ticks < 3) return;
 *   periodic.stop();
 *   loop.stop();
 * }, 2);
 * periodic.start();
 * await loop.start();
 * ```
 */
export class PeriodicCallback {
  /** What is called; a coroutine or promise that it returns is waited for. */
  readonly callback: () => unknown;
  /** The period in ms. */
  readonly callbackTime: number;
  /** See {@linkcode PeriodicCallbackOptions.jitter}. */
  readonly jitter: number;
  readonly #ioLoop: IOLoop | undefined;
  #loop: IOLoop | null = null; // there while it runs
  #timeout: Timeout | null = null; // there unless a run is in progress
  #next = 0;
  #atWork = false; // a run is in progress, maybe one of an earlier series

  /**
   * Makes a stopped PeriodicCallback with a period of `callbackTime` ms.
   *
   * @throws {RangeError} when `callbackTime` is not above 0, or `jitter` not from 0 to 1.
   */
  constructor(
    callback: () => unknown,
    callbackTime: number,
    { jitter = 0, ioLoop }: PeriodicCallbackOptions = {},
  ) {
    if (!(callbackTime > 0)) {
      throw new RangeError(
        `Cannot make a PeriodicCallback: its period must be above 0 ms, got ${callbackTime}`,
      );
    }
    if (!(jitter >= 0 && jitter <= 1)) {
      throw new RangeError(
        `Cannot make a PeriodicCallback: its jitter must be from 0 to 1, got ${jitter}`,
      );
    }
    this.callback = callback;
    this.callbackTime = callbackTime;
    this.jitter = jitter;
    this.#ioLoop = ioLoop;
  }

  /** Starts it: the first call comes after one period. Does nothing while it runs. */
  start(): void {
    if (this.#loop !== null) return;
    this.#loop = this.#ioLoop ?? IOLoop.current();
    this.#next = this.#loop.time();
    this.#schedule();
  }

  /** Stops it; a run in progress goes on to its end. */
  stop(): void {
    if (this.#timeout !== null) this.#loop?.removeTimeout(this.#timeout);
    this.#timeout = null;
    this.#loop = null;
  }

  /** Tells whether it was started and not stopped. */
  isRunning(): boolean {
    return this.#loop !== null;
  }

  readonly #run = (): void => {
    const loop = this.#loop!;
    this.#timeout = null;
    if (this.#atWork) return this.#schedule();
    this.#atWork = true;
    try {
      const result = this.callback();
      if (_isWork(result)) {
        const future = _toFuture(result);
        future._listen({
          _settled: () => {
            if (!future._fulfilled) loop._report(this.callback, future._value);
            this.#afterRun(loop);
          },
        });
        return;
      }
    } catch (error) {
      loop._report(this.callback, error);
    }
    this.#afterRun(loop);
  };

  // A stop() during the run, or a stop() and start(), ends or replaces this series.
  #afterRun(loop: IOLoop): void {
    this.#atWork = false;
    if (this.#loop === loop && this.#timeout === null) this.#schedule();
  }

  #schedule(): void {
    const loop = this.#loop!;
    const now = loop.time();
    const period = this.callbackTime *
      (1 + this.jitter * (Math.random() - 0.5));
    // A clock that went back must not give two calls in one period.
    if (this.#next > now) this.#next += period;
    else this.#next += (Math.floor((now - this.#next) / period) + 1) * period;
    this.#timeout = loop.callAt(this.#next, this.#run);
  }
}
