// The life of one test on a loop: the loop runs from the first call to the end, so that whatever
// the test starts goes on while it waits. The first error there is, wherever it comes from,
// fails the test; those that follow are logged.
import { Coroutine, type CoroutineGenerator } from "../gen/mod.ts";
import { describeError } from "../ioloop/errors.ts";
import { _enterOwner } from "../ioloop/future.ts";
import {
  appLog,
  CancelledError,
  Future,
  type FutureOwner,
  type FutureScope,
  IOLoop,
  TimeoutError,
} from "../ioloop/mod.ts";

// The runtime's own: tests that make time stand still have limits too.
const { setTimeout, clearTimeout } = globalThis;

const CLEANUP_MS = 1000; // for what a test does in `finally` when its time is over

const runs = new WeakMap<object, TestRun>();

/** Runs the functions of a test. */
export class TestRun implements FutureOwner, FutureScope {
  /** The loop that they run on. */
  readonly loop: IOLoop;

  #started: Promise<void> | null = null; // until the end of the loop
  #ending = false;
  readonly #errors: unknown[] = [];
  readonly #failed = Promise.withResolvers<never>();
  readonly #children = new Set<Future<unknown>>(); // coroutines that wait
  #childless: (() => void) | null = null; // there while the end of the last one is waited for

  /** Starts the loop; `test` is the `this` of the functions, if there is one. */
  constructor(loop: IOLoop, test: object | null = null) {
    this.loop = loop;
    this.#failed.promise.catch(() => {}); // a test that has ended does not look
    if (loop.handleCallbackException === IOLoop.prototype.handleCallbackException) {
      loop.handleCallbackException = (_callback, error) => this.fail(error);
    }
    if (test !== null) runs.set(test, this);
    this.#start();
  }

  /** Returns the run of a test that has begun. */
  static of(test: unknown): TestRun | undefined {
    return typeof test === "object" && test !== null ? runs.get(test) : undefined;
  }

  /** Coroutines that the functions start belong to the test. */
  get _scope(): FutureScope {
    return this;
  }

  _add(coroutine: Future<unknown>): void {
    this.#children.add(coroutine);
  }

  _delete(coroutine: Future<unknown>): void {
    this.#children.delete(coroutine);
    if (this.#children.size === 0) this.#childless?.();
  }

  /** Settles with the first error, when there is one. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Notes an error: the first one fails the test. */
  fail(error: unknown): void {
    if (error instanceof CancelledError || this.#errors.includes(error)) return;
    this.#errors.push(error);
    if (this.#errors.length === 1) this.#failed.reject(error);
    else {appLog.error("Exception in test after the first: {error}", {
        error: describeError(error),
      });}
  }

  /**
   * Calls a function in the loop, runs the work that it returns, and returns the result of that.
   *
   * @param anyway Whether errors of others are of no concern to it.
   * @throws {TimeoutError} after `timeout` ms; a generator gets that at its yield first.
   * @throws the first error of the test.
   */
  async call(fn: () => unknown, timeout: number, anyway = false): Promise<unknown> {
    this.#start();
    const work = new Work(timeout);
    this.loop.addCallback(() => {
      const former = _enterOwner(this);
      try {
        work.begin(fn);
      } finally {
        _enterOwner(former);
      }
    });
    const timer = setTimeout(() => work.expire(), timeout);
    try {
      return await (anyway ? work.done : Promise.race([work.done, this.#failed.promise]));
    } finally {
      clearTimeout(timer);
      work.end();
    }
  }

  /**
   * Cancels the coroutines that are left, and closes the loop with all its sources.
   *
   * @throws the first error of the test.
   */
  async end(): Promise<void> {
    for (const child of [...this.#children]) child.cancel("the test is over");
    if (this.#children.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#childless = resolve;
      const timer = setTimeout(resolve, CLEANUP_MS);
      await promise;
      clearTimeout(timer);
    }
    this.#ending = true;
    this.loop.stop();
    await this.#started;
    this.loop.close({ allSources: true });
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  #start(): void {
    if (this.loop.running) return;
    this.#started = this.loop.start().then(() => {
      if (!this.#ending) this.fail(new Error("Cannot go on with the test: its loop was stopped"));
    });
  }
}

// Work that has a time. Its end is what it returned or threw, or that its time was over.
class Work {
  readonly #timeout: number;
  readonly #done = Promise.withResolvers<unknown>();
  #future: Future<unknown> | null = null; // there once it began
  #generator: Watched<unknown> | null = null;
  #expiry: TimeoutError | null = null;
  #cleanupTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeout: number) {
    this.#timeout = timeout;
    this.#done.promise.catch(() => {}); // another error may have come first
  }

  get done(): Promise<unknown> {
    return this.#done.promise;
  }

  begin(fn: () => unknown): void {
    try {
      const result = fn();
      if (isGenerator(result)) {
        this.#generator = new Watched(result);
        this.#future = new Coroutine(this.#generator as unknown as CoroutineGenerator<unknown>)
          .run();
      } else this.#future = Future.from(result);
    } catch (error) {
      this.#future = Future.failed(error);
    }
    const future = this.#future;
    future._listen({
      _settled: () => {
        if (this.#expiry !== null) this.#done.reject(this.#expiry);
        else if (future._fulfilled) this.#done.resolve(future._value);
        else this.#done.reject(future._value);
      },
    });
  }

  expire(): void {
    const waiting = this.#generator === null ? "" : `, and waits for ${this.#generator.waiting()}`;
    const error = new TimeoutError(
      `Cannot end the test: it took longer than ${this.#timeout} ms${waiting}`,
    );
    this.#expiry = error;
    const future = this.#future;
    if (future instanceof Coroutine) {
      const failed = Future.failed(error);
      failed._observe();
      if (future._waitInstead(failed)) {
        this.#cleanupTimer = setTimeout(() => this.#done.reject(error), CLEANUP_MS);
        return;
      }
    }
    this.#done.reject(error);
  }

  end(): void {
    clearTimeout(this.#cleanupTimer);
    this.#future?.cancel("the test failed");
  }
}

// A generator of which one can tell what it yielded last.
class Watched<T> {
  readonly #generator: Generator<unknown, T, unknown>;
  #last: unknown;

  constructor(generator: Generator<unknown, T, unknown>) {
    this.#generator = generator;
  }

  waiting(): string {
    return Deno.inspect(this.#last, { depth: 1, breakLength: Infinity });
  }

  next(sent: unknown): IteratorResult<unknown, T> {
    return this.#note(this.#generator.next(sent));
  }

  throw(error: unknown): IteratorResult<unknown, T> {
    return this.#note(this.#generator.throw(error));
  }

  #note(step: IteratorResult<unknown, T>): IteratorResult<unknown, T> {
    this.#last = step.value;
    return step;
  }
}

function isGenerator(value: unknown): value is Generator<unknown, unknown, unknown> {
  return Object.prototype.toString.call(value) === "[object Generator]";
}
