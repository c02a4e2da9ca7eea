// A Future is settled once, by whoever runs the operation, and read by any number
// of listeners. Two kinds of these:
//
// - Internal listeners (`_listen`) are told inside the settling call. They only do
//   book-keeping: open a gate, count down, settle another Future. No user code.
// - User callbacks (`addDoneCallback`, `then`) run in a microtask of their own, so
//   that `setResult` never runs foreign code under the feet of its caller.
//
// A coroutine is its own Future: gen/coroutine.ts has the subclass.
import { CancelledError, describeError } from "./errors.ts";
import { _addCallSite } from "./error_stack.ts";
import { appLog } from "./log.ts";

const State = { PENDING: 0, FULFILLED: 1, FAILED: 2, CANCELLED: 3 } as const;
type State = typeof State[keyof typeof State];

/**
 * Is told, inside the settling call, that a Future is done. It must not throw and must
 * not run user code.
 */
export interface FutureListener {
  /** Takes the Future that is done. */
  _settled(future: Future<unknown>): void;
}

/**
 * Stands for whoever creates Futures at the moment: a coroutine while its generator runs,
 * a request while its handler is called.
 */
export interface FutureOwner {
  /** Where coroutines that are started meanwhile belong; null: nowhere. */
  readonly _scope: FutureScope | null;
  /** Whether it was cancelled; then `_checkpoint` is asked. */
  readonly _cancelled?: boolean;
  /**
   * Is called in a `yield*` that is about to wait for `future`, and throws if that must not
   * be. `below` is the function that the generator called.
   */
  _checkpoint?(future: Future<unknown>, below: (...args: never[]) => unknown): void;
}

/** Holds the coroutines that end with it, such as those of one request. */
export interface FutureScope {
  /** Takes in a coroutine that waits for the first time. */
  _add(coroutine: Future<unknown>): void;
  /** Lets go a coroutine that ended. */
  _delete(coroutine: Future<unknown>): void;
}

const MAX_READY = 1000; // ready steps in a row before the loop gets a turn

let owner: FutureOwner | null = null;
let readySteps = 0; // since the first owner entered

/**
 * Makes `next` the owner of Futures that are created from now on and returns the former
 * one; the coroutine runner calls it around each step.
 *
 * @ignore
 */
export function _enterOwner(next: FutureOwner | null): FutureOwner | null {
  const former = owner;
  if (former === null) readySteps = 0;
  owner = next;
  return former;
}

/**
 * Counts a step that a ready value answers, and tells whether the next one may follow it
 * at once. Nested coroutines share the count: together they must not keep the loop.
 *
 * @ignore
 */
export function _mayGoOn(): boolean {
  return ++readySteps < MAX_READY;
}

/**
 * Tells who owns a Future that would be created now.
 *
 * @ignore
 */
export function _currentOwner(): FutureOwner | null {
  return owner;
}

/**
 * Holds the result of work that ends later.
 *
 * It can be awaited, yielded (`yield`) and, with a typed result, delegated to (`yield*`).
 * A failure that nobody looks at is logged once.
 *
 * @example Settle and read
 * ```ts
 * import { Future } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * const future = new Future<number>();
 * queueMicrotask(() => future.setResult(42));
 * assertEquals(await future, 42);
 * assertEquals(future.result(), 42);
 * ```
 */
export class Future<T> implements PromiseLike<T> {
  #state: State = State.PENDING;
  #value: unknown = undefined; // the result, or the error once FAILED or CANCELLED
  #listeners: FutureListener | FutureListener[] | null = null;
  #observed = false; // somebody will see a failure
  #onCancel: ((error: CancelledError) => void) | null;

  /**
   * Who created it: a coroutine cancels what it waits for only if it owns it.
   *
   * @ignore
   */
  readonly _owner: FutureOwner | null = owner;

  /**
   * Makes a pending Future. `onCancel` is called once if the Future is cancelled, to stop
   * the operation behind it; it must not throw.
   */
  constructor(onCancel: ((error: CancelledError) => void) | null = null) {
    this.#onCancel = onCancel;
  }

  /** Makes a Future that follows a promise, a thenable, or is done with a plain value. */
  static from<T>(value: T | PromiseLike<T>): Future<T> {
    if (value instanceof Future) return value;
    const future = new Future<T>();
    if (isThenable(value)) {
      Promise.resolve(value).then(
        (result) => future._settle(State.FULFILLED, result),
        (error) => future._settle(State.FAILED, error),
      );
    } else future.setResult(value);
    return future;
  }

  /** Makes a Future that is done with `value`. */
  static resolved<T>(value: T): Future<T> {
    const future = new Future<T>();
    future.#state = State.FULFILLED;
    future.#value = value;
    return future;
  }

  /** Makes a Future that failed with `error`. */
  static failed<T = never>(error: unknown): Future<T> {
    const future = new Future<T>();
    future._settle(State.FAILED, error);
    return future;
  }

  /** Tells whether it has a result, has failed or was cancelled. */
  done(): boolean {
    return this.#state !== State.PENDING;
  }

  /** Tells whether it is not done yet. */
  running(): boolean {
    return this.#state === State.PENDING;
  }

  /** Tells whether it ended by {@linkcode cancel}. */
  cancelled(): boolean {
    return this.#state === State.CANCELLED;
  }

  /**
   * Returns the result.
   *
   * @throws the error it failed with.
   * @throws {Error} when it is not done: nothing blocks here.
   */
  result(): T {
    if (this.#state === State.FULFILLED) return this.#value as T;
    if (this.#state === State.PENDING) {
      throw new Error("Cannot read the result: the Future is not done");
    }
    this.#observed = true;
    throw this.#value;
  }

  /**
   * Returns the error it failed with, or null when it has a result.
   *
   * @throws {Error} when it is not done.
   */
  exception(): unknown {
    if (this.#state === State.PENDING) {
      throw new Error("Cannot read the exception: the Future is not done");
    }
    this.#observed = true;
    return this.#state === State.FULFILLED ? null : this.#value;
  }

  /**
   * Settles it with a result.
   *
   * @throws {Error} when it is done already.
   */
  setResult(value: T): void {
    if (!this._settle(State.FULFILLED, value)) throw alreadyDone();
  }

  /**
   * Settles it with a failure.
   *
   * @throws {Error} when it is done already.
   */
  setException(error: unknown): void {
    if (!this._settle(State.FAILED, error)) throw alreadyDone();
  }

  /**
   * Calls `fn` with this Future once it is done, in order of adding, never inside
   * `setResult` nor inside this call. An error that `fn` throws is logged.
   */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    this._listen(new DoneCallback(fn, this));
  }

  /**
   * Cancels the work behind it: the Future fails with {@linkcode CancelledError} that
   * carries `reason`. Returns false when it was done already.
   */
  cancel(reason?: unknown): boolean {
    if (this.#state !== State.PENDING) return false;
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    const hook = this.#onCancel;
    this.#onCancel = null;
    hook?.(error);
    return this._settle(State.CANCELLED, error);
  }

  /** Registers callbacks as a promise does; makes `await future` work. */
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve, reject) => this._listen(new PromiseSettler(resolve, reject)))
      .then(onFulfilled, onRejected);
  }

  /** Calls `fn` with the error when it fails, as a promise does. */
  catch<B>(fn: (error: unknown) => B | PromiseLike<B>): Promise<T | B> {
    return this.then(null, fn);
  }

  /** What it stands for, in words, for who looks at those who wait for it. @ignore */
  get _what(): string {
    return "a Future";
  }

  /** Makes `yield* future` the typed form of `yield future`. */
  [Symbol.iterator](): Iterator<Future<T>, T, unknown> {
    return new FutureIterator(this);
  }

  /** Shows the state where the Future is printed. */
  [Symbol.for("Deno.customInspect")](inspect: typeof Deno.inspect): string {
    const name = this.constructor.name;
    switch (this.#state) {
      case State.PENDING:
        return `${name} { pending }`;
      case State.FULFILLED:
        return `${name} { ${inspect(this.#value)} }`;
      case State.FAILED:
        return `${name} { failed: ${inspect(this.#value)} }`;
      default:
        return `${name} { cancelled }`;
    }
  }

  /**
   * Settles it unless it is done, and tells whether it did. States are 1 (result),
   * 2 (failure) and 3 (cancelled).
   *
   * @ignore
   */
  _settle(state: 1 | 2 | 3, value: unknown): boolean {
    if (this.#state !== State.PENDING) return false;
    this.#state = state;
    this.#value = value;
    this.#onCancel = null;
    const listeners = this.#listeners;
    this.#listeners = null;
    if (listeners !== null) {
      this.#observed = true;
      tell(this, listeners);
    } else if (state === State.FAILED && !this.#observed) watchFailure(this);
    return true;
  }

  /**
   * Turns a result into a cancellation, for subclasses whose results must not get lost: if
   * nobody has read it, whoever cancels the Future may take it back.
   *
   * @ignore
   */
  protected _revoke(error: CancelledError): void {
    this.#state = State.CANCELLED;
    this.#value = error;
  }

  /**
   * Adds an internal listener; told at once when the Future is done.
   *
   * @ignore
   */
  _listen(listener: FutureListener): void {
    if (this.#state !== State.PENDING) {
      this.#observed = true;
      listener._settled(this);
    } else if (this.#listeners === null) this.#listeners = listener;
    else if (Array.isArray(this.#listeners)) this.#listeners.push(listener);
    else this.#listeners = [this.#listeners, listener];
  }

  /**
   * Removes an internal listener that need not be told any more, and that will not see a
   * failure.
   *
   * @ignore
   */
  _unlisten(listener: FutureListener): void {
    if (this.#listeners === listener) this.#listeners = null;
    else if (Array.isArray(this.#listeners)) {
      const at = this.#listeners.indexOf(listener);
      if (at >= 0) this.#listeners.splice(at, 1);
      if (this.#listeners.length === 0) this.#listeners = null;
    }
  }

  /**
   * Whether it has a result: the one look the coroutine runner takes at a ready value.
   *
   * @ignore
   */
  get _fulfilled(): boolean {
    return this.#state === State.FULFILLED;
  }

  /**
   * The result or the error, whichever there is.
   *
   * @ignore
   */
  get _value(): unknown {
    return this.#value;
  }

  /**
   * Whether somebody will see a failure.
   *
   * @ignore
   */
  get _observed(): boolean {
    return this.#observed;
  }

  /**
   * Marks a failure as seen, so that it is not logged.
   *
   * @ignore
   */
  _observe(): void {
    this.#observed = true;
  }
}

/** Tells whether `value` is a {@linkcode Future}. */
export function isFuture(value: unknown): value is Future<unknown> {
  return value instanceof Future;
}

/** Tells whether `value` has a `then` method. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Copies the outcome of `a` to `b`, unless `b` is done by then. */
export function chainFuture<T>(a: Future<T>, b: Future<T>): void {
  a._listen({
    _settled: () =>
      b._settle(
        a._fulfilled ? State.FULFILLED : a.cancelled() ? State.CANCELLED : State.FAILED,
        a._value,
      ),
  });
}

/** Settles `future` with a result, unless it was cancelled. Throws when it is done otherwise. */
export function futureSetResultUnlessCancelled<T>(future: Future<T>, value: T): void {
  if (!future.cancelled()) future.setResult(value);
}

/**
 * Settles `future` with a failure or, if it was cancelled, logs the error: nobody else would
 * see it. Throws when it is done otherwise.
 */
export function futureSetExceptionUnlessCancelled(future: Future<unknown>, error: unknown): void {
  if (!future.cancelled()) future.setException(error);
  else {
    appLog.error("Exception after Future was cancelled: {error}", {
      error: describeError(error),
    });
  }
}

/**
 * Calls `fn` with `future` at once if it is done, else as `addDoneCallback` does. What `fn`
 * throws at once goes to the caller.
 */
export function futureAddDoneCallback<T>(
  future: Future<T>,
  fn: (future: Future<T>) => void,
): void {
  if (future.done()) fn(future);
  else future.addDoneCallback(fn);
}

// Futures that follow each other settle inside each other. From MAX_SETTLING on the next one
// is told when these are done, so that a long chain does not need a deep stack.
const MAX_SETTLING = 200;
let settling = 0;
let postponed: [Future<unknown>, FutureListener | FutureListener[]][] = [];

function tell(future: Future<unknown>, listeners: FutureListener | FutureListener[]): void {
  if (settling === MAX_SETTLING) {
    postponed.push([future, listeners]);
    return;
  }
  settling++;
  try {
    if (Array.isArray(listeners)) {
      for (const listener of listeners) listener._settled(future);
    } else listeners._settled(future);
  } finally {
    settling--;
    if (settling === 0 && postponed.length > 0) tellPostponed();
  }
}

function tellPostponed(): void {
  while (postponed.length > 0) {
    const batch = postponed;
    postponed = [];
    for (const [future, listeners] of batch) tell(future, listeners);
  }
}

function alreadyDone(): Error {
  return new Error("Cannot settle a Future that is done");
}

// A promise brings `fn` its own turn among the microtasks, and the async context in which it
// was added.
class DoneCallback<T> implements FutureListener {
  readonly #call: () => void;

  constructor(fn: (future: Future<T>) => void, future: Future<T>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#call = resolve;
    promise.then(() => {
      try {
        fn(future);
      } catch (error) {
        appLog.error("Exception in callback of a Future: {error}", {
          error: describeError(error),
        });
      }
    });
  }

  _settled(): void {
    this.#call();
  }
}

class PromiseSettler<T> implements FutureListener {
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(resolve: (value: T) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  _settled(future: Future<unknown>): void {
    if (future._fulfilled) this.#resolve(future._value as T);
    else this.#reject(future._value);
  }
}

/**
 * Throws `error` out of the `yield*` that called `below`, whose place then belongs to the
 * error's stack.
 *
 * @ignore
 */
export function _throwAtYield(error: unknown, below: (...args: never[]) => unknown): never {
  if (!(error instanceof CancelledError)) _addCallSite(error, below);
  throw error;
}

// What `yield*` drives: it offers the pending Future once, and ends with what the
// runner sends back. A done Future ends at once, without a step of the runner, but after
// many of these in a row it is offered too, so that the runner gives way.
class FutureIterator<T> implements Iterator<Future<T>, T, unknown> {
  readonly #future: Future<T>;
  #offered = false;

  constructor(future: Future<T>) {
    this.#future = future;
  }

  next(sent?: unknown): IteratorResult<Future<T>, T> {
    if (this.#offered) return { done: true, value: sent as T };
    this.#offered = true;
    const future = this.#future;
    if (owner !== null && owner._cancelled) owner._checkpoint!(future, this.next);
    if (!future.done() || !_mayGoOn()) return { done: false, value: future };
    if (!future._fulfilled) {
      future._observe();
      _throwAtYield(future._value, this.next);
    }
    return { done: true, value: future.result() };
  }

  throw(error: unknown): IteratorResult<Future<T>, T> {
    _throwAtYield(error, this.throw);
  }

  return(value: T): IteratorResult<Future<T>, T> {
    return { done: true, value };
  }
}

// Failures without a listener are looked at again once the runtime has gone round:
// code that gets hold of the Future in the same stretch of work still counts.
let suspects: Future<unknown>[] = [];

function watchFailure(future: Future<unknown>): void {
  if (suspects.push(future) === 1) setImmediate(reportSuspects);
}

function reportSuspects(): void {
  const batch = suspects;
  suspects = [];
  for (const future of batch) {
    if (future._observed || future._value instanceof CancelledError) continue;
    appLog.error("Future exception was never retrieved: {error}", {
      error: describeError(future._value),
    });
  }
}
