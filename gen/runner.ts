import { ExceptionStackContext, Future } from "../ioloop/mod.ts";
import { _enterHere } from "../ioloop/stack_context.ts";
import { _singleResult } from "./arguments.ts";
import { KeyTable } from "./_key_table.ts";
import { LeakedCallbackError } from "./errors.ts";
import type { YieldPoint } from "./yield_point.ts";

/** Is what a {@linkcode Runner} asks of its coroutine. */
export interface RunnerCoroutine extends Future<unknown> {
  /** Turns what was yielded into a Future. @ignore */
  _convert(value: unknown): Future<unknown>;
  /** Lets it wait for `future` in place of what it waits for; false if it does not wait. @ignore */
  _waitInstead(future: Future<unknown>): boolean;
}

/**
 * Is what a `YieldPoint` sees of the coroutine that yielded it: a table of keys, each with
 * a result that comes later. Keys are any values; arrays are compared by content.
 *
 * From the first `YieldPoint` that it yields, a coroutine is also told of the errors that are
 * thrown in callbacks which it started: they come out of its current yield.
 */
export class Runner {
  readonly #coroutine: RunnerCoroutine;
  readonly #keys = new KeyTable();
  #watches: Watch[] = []; // yield points that were not ready when last looked at
  #pollQueued = false;
  readonly #context = new ExceptionStackContext((error) => this.handleException(error));

  /** Makes the table of a coroutine, whose code runs at the moment. */
  constructor(coroutine: RunnerCoroutine) {
    this.#coroutine = coroutine;
    _enterHere(this.#context);
  }

  /** Looks again at the yield points that were not ready; the coroutine goes on if one is. */
  run(): void {
    this.#watches = this.#watches.filter((watch) => !watch.look());
  }

  /**
   * Lets the coroutine wait for `yieldable` in place of what it waits for, and tells whether
   * the result is there already. Does nothing to a coroutine that does not wait.
   */
  handleYield(yieldable: unknown): boolean {
    const future = this.#coroutine._convert(yieldable);
    this.#coroutine._waitInstead(future);
    return future.done();
  }

  /**
   * Throws `error` at the yield at which the coroutine waits. Returns false if it does not
   * wait: then the error is somebody else's.
   */
  handleException(error: unknown): boolean {
    const failed = Future.failed(error);
    failed._observe(); // who gets a false has the error still
    return this.#coroutine._waitInstead(failed);
  }

  /**
   * Registers a key whose result will be waited for.
   *
   * @throws {KeyReuseError} when the key is pending already.
   */
  registerCallback(key: unknown): void {
    this.#keys.register(key);
  }

  /**
   * Tells whether the result for a key is there.
   *
   * @throws {UnknownKeyError} when the key was not registered.
   */
  isReady(key: unknown): boolean {
    return this.#keys.get(key).ready;
  }

  /**
   * Sets the result for a key and lets the coroutine go on if it waits for it. Does nothing
   * when the coroutine has ended or forgot the key.
   */
  setResult(key: unknown, result: unknown): void {
    if (this.#coroutine.done() || !this.#keys.set(key, result)) return;
    if (this.#watches.length === 0 || this.#pollQueued) return;
    this.#pollQueued = true; // callbacks of one stretch of work are looked at together
    queueMicrotask(() => {
      this.#pollQueued = false;
      this.run();
    });
  }

  /**
   * Returns the result for a key and forgets the key.
   *
   * @throws {UnknownKeyError} when the key was not registered.
   */
  popResult(key: unknown): unknown {
    return this.#keys.take(key).result;
  }

  /**
   * Returns a function whose call sets the result for a registered key: `undefined`, its
   * argument or, if it gets several, {@linkcode Arguments}.
   */
  resultCallback(key: unknown): (...args: unknown[]) => void {
    return (...args) => this.setResult(key, _singleResult(args));
  }

  /** Starts a yield point and returns the Future of its result. @ignore */
  _watch(point: YieldPoint<unknown>): Future<unknown> {
    point.start(this);
    const watch = new Watch(point);
    if (!watch.look()) this.#watches.push(watch);
    return watch;
  }

  /** The error for keys that were never waited for, if there are any. @ignore */
  _leak(): LeakedCallbackError | null {
    const keys = this.#keys.pending;
    return keys.length > 0 ? new LeakedCallbackError(keys) : null;
  }

  /** The coroutine has ended: what it starts no more belongs to it. @ignore */
  _closeContext(): void {
    this.#context.deactivate();
  }
}

class Watch extends Future<unknown> {
  readonly #point: YieldPoint<unknown>;

  constructor(point: YieldPoint<unknown>) {
    super((error) => point._cancel(error));
    this.#point = point;
  }

  // Settles it if the point is ready, and tells whether it is done.
  look(): boolean {
    if (this.done()) return true;
    try {
      if (!this.#point.isReady()) return false;
      this._settle(1, this.#point.getResult());
    } catch (error) {
      this._settle(2, error);
    }
    return true;
  }
}
