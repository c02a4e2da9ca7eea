import { IOLoop } from "../ioloop/mod.ts";

// Macrotasks at one moment of fake time; a loop that needs more never comes to rest.
const MAX_ROUNDS = 10_000;

/** Options of {@linkcode fakeLoop}. */
export interface FakeLoopOptions {
  /**
   * What `loop.time()` is at first, in ms.
   *
   * @default {0}
   */
  start?: number;
}

/** Is what {@linkcode fakeLoop} returns. */
export interface FakeLoop {
  /** The loop; the current one, as every new loop is. */
  readonly loop: IOLoop;
  /**
   * Moves the clock on by `ms`: stops at every deadline on the way, in their order, and goes
   * on when the turns and microtasks that follow have come to rest. With 0 it waits for just
   * that. Sockets are real: what they bring is not waited for.
   *
   * @throws {RangeError} when `ms` is below 0.
   * @throws {Error} when the loop does not come to rest.
   */
  readonly tick: (ms: number) => Promise<void>;
}

/**
 * Makes a loop whose time stands still until the test moves it, so that timeouts, `sleep`,
 * `withTimeout` and `PeriodicCallback` are tested at once and exactly.
 *
 * @example An hour in no time
 * ```ts
 * import { fakeLoop } from "@waterspout/waterspout/testing";
 * import { sleep } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const { loop, tick } = fakeLoop();
 * const done = loop.run(function* () {
 *   yield* sleep(3_600_000);
 *   return loop.time();
 * });
 * await tick(3_600_000);
 * assertEquals(await done, 3_600_000);
 * ```
 */
export function fakeLoop({ start = 0 }: FakeLoopOptions = {}): FakeLoop {
  const clock = new Clock(start);
  const loop = new ClockLoop(clock);
  return { loop, tick: (ms) => clock.advance(ms) };
}

interface Alarm {
  readonly at: number;
  readonly ring: () => void;
}

class Clock {
  #now: number;
  #looked = false; // since the last round

  /** The one timer of the loop. */
  alarm: Alarm | null = null;

  constructor(start: number) {
    this.#now = start;
  }

  now(): number {
    this.#looked = true;
    return this.#now;
  }

  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`Cannot move the clock by ${ms} ms: it only goes forward`);
    const end = this.#now + ms;
    let rounds = await this.#rest(0);
    while (this.alarm !== null && this.alarm.at <= end) {
      const { at, ring } = this.alarm;
      this.alarm = null;
      if (at > this.#now) rounds = 0;
      this.#now = at;
      ring();
      rounds = await this.#rest(rounds);
    }
    this.#now = end;
  }

  // A loop looks at its clock in every turn. When nobody looked from one macrotask to the
  // next, with all the microtasks between them, the loop is idle.
  async #rest(rounds: number): Promise<number> {
    do {
      if (rounds++ > MAX_ROUNDS) {
        throw new Error(`Cannot move the clock: the loop does not come to rest at ${this.#now} ms`);
      }
      this.#looked = false;
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (this.#looked);
    return rounds;
  }
}

class ClockLoop extends IOLoop {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    super({ timeFunc: () => clock.now() });
    this.#clock = clock;
  }

  protected override setTimer(delay: number, fire: () => void): unknown {
    return this.#clock.alarm = { at: this.#clock.now() + delay, ring: fire };
  }

  protected override clearTimer(): void {
    this.#clock.alarm = null;
  }
}
