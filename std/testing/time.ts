/**
 * A clock that a test moves by hand.
 *
 * @module
 */

/** Tells that the fake time was asked for something it cannot do. */
export class TimeError extends Error {
  /** Makes an error that says with `message` what was wrong. */
  constructor(message: string) {
    super(message);
    this.name = "TimeError";
  }
}

/** Options of {@linkcode FakeTime}. */
export interface FakeTimeOptions {
  /**
   * How fast the fake time follows the real one; at 0 it stands still.
   *
   * @default {0}
   */
  advanceRate: number;
  /**
   * After how many milliseconds of real time the fake time follows.
   *
   * @default {10}
   */
  advanceFrequency?: number;
}

/** Options of {@linkcode FakeTime.delay}. */
export interface DelayOptions {
  /** Ends the wait early, with an error. */
  signal?: AbortSignal;
}

interface Timer {
  readonly id: number;
  readonly due: number;
  readonly run: () => void;
  /** Milliseconds from one run to the next; 0 for a timeout. */
  readonly period: number;
}

type Callback = (...args: unknown[]) => unknown;

const real = {
  Date: globalThis.Date,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
};
const realAbortSignalTimeout = AbortSignal.timeout;

/** The one that the globals obey; there is at most one at a time. */
let current: FakeTime | undefined;

/** Replaces `Date` and the timers of the global scope until it is restored. */
export class FakeTime {
  readonly #start: number;
  #now: number;
  #lastId = 0;
  // By `due`, then by age. What was cleared stays until its time comes, as in the
  // real one, so that `next()` stops there too.
  readonly #queue: Timer[] = [];
  readonly #live = new Set<number>();
  readonly #advance: ReturnType<typeof setInterval> | undefined;

  /** Starts at `start`, which is now when left out; ends an earlier fake time. */
  constructor(
    start?: number | string | Date | null,
    options?: FakeTimeOptions,
  ) {
    current?.restore();
    this.#start = typeof start === "number"
      ? Math.floor(start)
      : new real.Date(start ?? real.Date.now()).getTime();
    if (Number.isNaN(this.#start)) {
      throw new TimeError(`Cannot fake time: invalid start ${start}`);
    }
    this.#now = this.#start;
    current = this;
    this.#install();
    const rate = Math.max(0, options?.advanceRate ?? 0);
    const frequency = Math.max(0, options?.advanceFrequency || 10);
    this.#advance = rate > 0
      ? real.setInterval(() => this.tick(rate * frequency), frequency)
      : undefined;
  }

  /** Restores the real time. */
  static restore(): void {
    active().restore();
  }

  /** Runs `callback` in real time, and until its promise settles. */
  static async restoreFor<T, Args extends unknown[]>(
    callback: (...args: Args) => Promise<T> | T,
    ...args: Args
  ): Promise<T> {
    const time = active();
    uninstall();
    try {
      return await callback(...args);
    } finally {
      time.#install();
    }
  }

  /** The milliseconds since 1970; set, it runs what comes due on the way. */
  get now(): number {
    return this.#now;
  }
  set now(value: number) {
    if (value < this.#now) {
      throw new RangeError(
        `Cannot move time backwards: it is ${this.#now}, got ${value}`,
      );
    }
    for (;;) {
      const timer = this.#queue[0];
      if (!timer || timer.due > value) break;
      this.#queue.shift();
      if (!this.#live.has(timer.id)) continue;
      this.#now = timer.due;
      if (timer.period === 0) this.#live.delete(timer.id);
      else this.#enqueue({ ...timer, due: timer.due + timer.period });
      timer.run();
    }
    this.#now = value;
  }

  /** The milliseconds since 1970 at which this time started. */
  get start(): number {
    return this.#start;
  }

  /** Settles after `ms` milliseconds of real time. */
  async delay(ms: number, options: DelayOptions = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const timer = real.setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, ms);
      function abort(): void {
        real.clearTimeout(timer);
        reject(signal?.reason);
      }
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Runs the microtasks that wait. */
  async runMicrotasks(): Promise<void> {
    await this.delay(0);
  }

  /** Lets `ms` milliseconds pass. */
  tick(ms = 0): void {
    this.now += ms;
  }

  /** Runs the microtasks that wait, then lets `ms` milliseconds pass. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.now += ms;
  }

  /** Goes to the time of the next timer; gives whether there is one. */
  next(): boolean {
    const timer = this.#queue[0];
    if (timer) this.now = timer.due;
    return timer !== undefined;
  }

  /** Runs the microtasks that wait, then goes to the time of the next timer. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Goes on until no timer is left. */
  runAll(): void {
    while (this.#queue.length > 0) this.next();
  }

  /** Goes on until no timer is left, with the microtasks before each timer. */
  async runAllAsync(): Promise<void> {
    while (this.#queue.length > 0) await this.nextAsync();
  }

  /** Restores the real time. */
  restore(): void {
    if (current !== this) {
      throw new TimeError("Cannot restore time: time already restored");
    }
    current = undefined;
    uninstall();
    real.clearInterval(this.#advance);
  }

  /** Restores the real time. */
  [Symbol.dispose](): void {
    this.restore();
  }

  #install(): void {
    const clear = (id?: number) => void this.#live.delete(id ?? 0);
    Object.assign(globalThis, {
      Date: new Proxy(real.Date, {
        apply: () => new real.Date(this.#now).toString(),
        construct: (target, args, newTarget) =>
          Reflect.construct(
            target,
            args.length ? args : [this.#now],
            newTarget,
          ),
        get: (target, key) => key === "now" ? () => this.#now : Reflect.get(target, key),
      }),
      setTimeout: (callback: Callback, delay = 0, ...args: unknown[]) =>
        this.#add(() => callback(...args), Math.max(0, Math.floor(delay)), 0),
      setInterval: (callback: Callback, delay = 0, ...args: unknown[]) => {
        const period = Math.max(1, Math.floor(delay));
        return this.#add(() => callback(...args), period, period);
      },
      clearTimeout: clear,
      clearInterval: clear,
    });
    AbortSignal.timeout = (delay) => {
      const controller = new AbortController();
      const reason = new DOMException("Signal timed out.", "TimeoutError");
      this.#add(() => controller.abort(reason), delay, 0);
      return controller.signal;
    };
  }

  #add(run: () => void, delay: number, period: number): number {
    const id = ++this.#lastId;
    this.#live.add(id);
    this.#enqueue({ id, due: this.#now + delay, run, period });
    return id;
  }

  #enqueue(timer: Timer): void {
    const later = this.#queue.findIndex((other) => other.due > timer.due);
    this.#queue.splice(later < 0 ? this.#queue.length : later, 0, timer);
  }
}

function active(): FakeTime {
  if (!current) throw new TimeError("Cannot restore time: time is not faked");
  return current;
}

function uninstall(): void {
  Object.assign(globalThis, real);
  AbortSignal.timeout = realAbortSignalTimeout;
}
