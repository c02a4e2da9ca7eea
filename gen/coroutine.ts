// Runs a generator as a coroutine. The coroutine and the Future of its result are one object.
//
// Running it is a loop: a yielded Future that is done is answered at once, without a
// promise and without recursion; after a good many of these in a row (see `_mayGoOn`) it
// gives way for a turn. A pending one suspends it behind a gate, a promise whose reaction is the next
// step: promises are the cheapest way to come back in the async context (see
// AsyncLocalStorage) in which the coroutine ran when it was suspended, and the step never
// runs inside the call that settled the Future.
//
// Cancelling. What the coroutine waits on is cancelled if the coroutine created it (see
// FutureOwner), and when that has ended CancelledError is thrown into the generator. Not
// `generator.return()`: with a delegated generator whose `finally` yields, that would let
// the outer one go on behind its `yield*`. From then on it is unwinding:
//
//   RUNNING --cancel--> UNWINDING --generator ends--> done, as cancelled
//
// `finally` blocks may yield while it unwinds. Each such wait is shielded; together they
// have CLEANUP_MS. Code that swallows the error gets it again at its next yield. A yield
// looks the same from here whether it stands in a `finally` or behind a `catch` that
// swallowed, so the source of the function is looked at: see `mayCleanUp`. What that leaves
// open, such as a `catch` in a delegated generator, gets the error again when CLEANUP_MS are
// over.
//
// Coroutines that wake each other, or wait for promises that are done, go on in microtasks,
// which never let the runtime look at its sockets. After MAX_RESUMED of these they wait for a
// turn of the loop, which knows when to give way.
//
// Depth. A coroutine that is started inside of another one's step runs on the same stack.
// From MAX_DEPTH on it starts in a microtask, so that recursion is limited by memory alone.
import { _setConverter } from "../ioloop/converter.ts";
import { describeError } from "../ioloop/errors.ts";
import { _tidyStack } from "../ioloop/error_stack.ts";
import { _currentOwner, _enterOwner, _mayGoOn, isThenable } from "../ioloop/future.ts";
import { appLog, BadYieldError, CancelledError, Future, IOLoop } from "../ioloop/mod.ts";
import { _comeBack, _here, _inUse, _resume } from "../ioloop/stack_context.ts";
import type { FutureListener, FutureOwner, FutureScope, Timeout } from "../ioloop/mod.ts";
import { mayCleanUp } from "./_cleanup_scan.ts";
import { Follower } from "./_follower.ts";
import { Gather } from "./_gather.ts";
import { Return } from "./return.ts";
import { Runner } from "./runner.ts";
import { YieldPoint } from "./yield_point.ts";
import type { CoroutineGenerator, Yielded } from "./types.ts";

const MAX_RETHROWS = 100; // times that a coroutine may swallow its cancellation
const CLEANUP_MS = 5000; // for all the waits of a coroutine that unwinds
const MAX_RESUMED = 256; // coroutines that go on before the loop gets a turn, some 0.1 ms
const MAX_DEPTH = 200; // coroutines that start inside each other, on a stack for some 2,000

/** Yielded, lets one turn of the loop go by; `yield` and `yield null` do the same. */
export const moment: null = null;

/** A function whose generator a coroutine runs; only its source and name are looked at. */
export type GeneratorSource = (...args: never[]) => unknown;

let depth = 0; // coroutines that are being started
let cancelling = 0; // calls of cancel() inside each other, by way of lists and races
const toCancel: [Coroutine<unknown>, CancelledError][] = []; // by the outermost of these
let resumed = 0; // coroutines that went on since some had to wait for a turn

/**
 * Is a running generator and the Future of its result in one. `coroutine` makes it; so do
 * `convertYielded` and yielding a generator.
 */
export class Coroutine<T> extends Future<T> implements FutureListener, FutureOwner {
  readonly #generator: CoroutineGenerator<T>;
  readonly #source: GeneratorSource | null;
  #waiting: Future<unknown> | null = null; // there exactly while it is suspended
  #open: (() => void) | null = null; // opens the gate; there once it was suspended
  #cancelError: CancelledError | null = null; // cancel() was called
  #unwinding = false; // #cancelError was thrown into the generator
  #overtime = false; // CLEANUP_MS are over
  #rethrows = 0;
  #cleanupTimer: Timeout | null = null;
  #loop: IOLoop | null = IOLoop.current(false); // its steps find it current, beside other loops
  #runner: Runner | null = null; // there once a YieldPoint was yielded

  /** Where it belongs; coroutines that it starts belong there too. @ignore */
  _scope: FutureScope | null;

  /**
   * Makes a coroutine of `generator` that does nothing until {@linkcode run}. `source` is the
   * function it came from, if that is known.
   */
  constructor(
    generator: CoroutineGenerator<T>,
    source: GeneratorSource | null = null,
  ) {
    super();
    this.#generator = generator;
    this.#source = source;
    this._scope = this._owner === null ? null : this._owner._scope;
  }

  /** Starts it: runs to the first yield that has to be waited for. Returns itself. */
  run(): this {
    if (depth === MAX_DEPTH) this.#suspend(afterMicrotask());
    else {
      const context = _inUse ? _here() : null;
      depth++;
      this.#step(undefined, false);
      depth--;
      if (this.#runner !== null) _comeBack(context); // the rest of this stretch is the caller's
    }
    return this;
  }

  /**
   * Cancels it: what it waits for is cancelled, then {@linkcode CancelledError} is thrown at
   * its yield. The Future is done when the generator has ended. Returns false when it was
   * done already.
   */
  override cancel(reason?: unknown): boolean {
    if (this.done()) return false;
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    if (cancelling === MAX_DEPTH) {
      toCancel.push([this as Coroutine<unknown>, error]);
      return true;
    }
    cancelling++;
    try {
      this.#cancelAll(error);
      if (cancelling === 1) {
        for (const [coroutine, why] of toCancel) coroutine.#cancelAll(why); // it may get longer
      }
    } finally {
      if (--cancelling === 0) toCancel.length = 0;
    }
    return true;
  }

  #cancelAll(error: CancelledError): void {
    let next: Future<unknown> | null = this as Coroutine<unknown>;
    while (next instanceof Coroutine) next = next.#cancelOne(error); // not by recursion
    next?.cancel(error);
  }

  // Returns what is to be cancelled next: what it waits for, if it created that.
  #cancelOne(error: CancelledError): Future<unknown> | null {
    if (this.#cancelError !== null || this.done()) return null;
    this.#cancelError = error;
    const waiting = this.#waiting;
    if (waiting === null) return null; // it runs: thrown at its next yield
    if (waiting._owner === this) return waiting;
    this.#stopWaiting(waiting);
    return null;
  }

  /** Takes it, and what it starts from here on, out of where it belongs: it is shielded. @ignore */
  _leaveScope(): void {
    this._scope?._delete(this as Future<unknown>);
    this._scope = null;
  }

  /** Whether {@linkcode _checkpoint} has something to say. @ignore */
  get _cancelled(): boolean {
    return this.#cancelError !== null;
  }

  /**
   * Is called where its generator, being cancelled, is about to wait for `future` by `yield*`,
   * and throws if it must not. `below` is the function that was called from there.
   *
   * @ignore
   */
  _checkpoint(future: Future<unknown>, below: (...args: never[]) => unknown): void {
    const own = this.#unwinding && !this.#overtime && calledFromStep(below);
    if (!this.#mustThrow(own)) return;
    if (future._owner === this) future.cancel(this.#cancelError);
    throw this.#cancelError;
  }

  /**
   * Lets it wait for `future` in place of what it waits for; false if it does not wait, or
   * only for the end of what was cancelled.
   *
   * @ignore
   */
  _waitInstead(future: Future<unknown>): boolean {
    const former = this.#waiting;
    if (former === null || this.#cancelError !== null) return false;
    former._unlisten(this);
    if (former._owner === this) former.cancel("something else is waited for");
    this.#waiting = future;
    future._listen(this);
    return true;
  }

  /** Lets it go on: what it waits for is done. @ignore */
  _settled(future: Future<unknown>): void {
    if (future === this.#waiting) this.#open!();
  }

  #step(sent: unknown, failed: boolean): void {
    const tracer = this.#loop === null ? null : this.#loop._tracer;
    if (tracer !== null) tracer._stepping(this as Future<unknown>, this.#source);
    const former = _enterOwner(this);
    try {
      do {
        if (this.#cancelError !== null && this.#mustThrow(false)) {
          sent = this.#cancelError;
          failed = true;
        }
        const { done, value } = failed ? this.#generator.throw(sent) : this.#generator.next(sent);
        if (done) return this.#returned(value);
        let future: Future<unknown>;
        if (value instanceof Future) future = value;
        else {
          try {
            future = this._convert(value);
          } catch (error) {
            sent = error;
            failed = true;
            continue;
          }
        }
        // Also what is done already is cancelled: an item that a queue gave goes back to it.
        if (this.#cancelError !== null && this.#mustNotWait(false)) {
          if (future._owner === this) future.cancel(this.#cancelError);
          continue;
        }
        if (!future.done()) return this.#suspend(future);
        failed = !future._fulfilled;
        if (failed) future._observe();
        sent = future._value;
      } while (_mayGoOn());
      const turn = new Future<unknown>();
      afterTurn(() => turn._settle(failed ? 2 : 1, sent));
      this.#suspend(turn);
    } catch (error) {
      this.#threw(error);
    } finally {
      _enterOwner(former);
      if (tracer !== null) tracer._stepped(this as Future<unknown>, this.#waiting);
    }
  }

  #suspend(future: Future<unknown>): void {
    if (this.#open === null) this._scope?._add(this as Future<unknown>);
    if (this.#unwinding && this.#cleanupTimer === null) this.#limitCleanup();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = future;
    this.#open = resolve;
    promise.then(() => this.#resume());
    future._listen(this);
  }

  #resume(): void {
    if (resumed++ === MAX_RESUMED) return this.#giveWay();
    const loop = this.#loop;
    const former = loop === null ? null : IOLoop._enter(loop);
    const slow = loop === null ? null : loop._slow;
    const began = slow === null ? 0 : performance.now();
    if (_inUse) this.#goOnInContexts();
    else this.#goOn();
    if (slow !== null) loop!._look(slow, this.#source ?? anonymous, began);
    if (loop !== null) IOLoop._enter(former);
  }

  #giveWay(): void {
    resumed = MAX_RESUMED; // all that follow wait too
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open = resolve;
    promise.then(() => this.#resume());
    afterTurn(() => {
      resumed = 0;
      resolve();
    }, this.#loop);
  }

  // What a context throws before the step comes out of the yield; what it throws behind it is
  // the loop's.
  #goOnInContexts(): void {
    let begun = false;
    let failure: unknown;
    try {
      _resume(() => {
        begun = true;
        this.#goOn();
      });
      if (begun) return;
      failure = new Error("Cannot go on in a stack context: entering it failed");
    } catch (error) {
      failure = error;
    }
    if (begun) (this.#loop ?? IOLoop.current())._report(this.#source ?? anonymous, failure);
    else {
      const waiting = this.#waiting!;
      this.#waiting = null;
      if (waiting._owner === this) waiting.cancel("a stack context failed");
      this.#step(failure, true);
    }
  }

  #goOn(): void {
    const future = this.#waiting!;
    this.#waiting = null;
    if (this.#cancelError !== null && !this.#unwinding) this.#logUnseen(future);
    if (future.done()) this.#step(future._value, !future._fulfilled);
    else this.#step(undefined, false); // it stopped waiting: #step throws #cancelError
  }

  // What its own child failed with, just before it was cancelled, is thrown nowhere. Of an
  // operation, such as a write, that tells nothing that the cancellation does not.
  #logUnseen(future: Future<unknown>): void {
    let failed: Future<unknown> | null = future._owner === this ? future : null;
    while (failed instanceof Follower || failed instanceof Gather) failed = failed._failedAs;
    if (!(failed instanceof Coroutine) || !failed.done() || failed._fulfilled) return;
    if (!(failed._value instanceof CancelledError)) logLate(failed._value);
  }

  #stopWaiting(future: Future<unknown>): void {
    future._unlisten(this);
    this.#open!();
  }

  // Whether the generator gets #cancelError now: the first time after cancel() it does, and
  // then where it swallowed it. `own` says that its yield is known to be the function's own.
  #mustThrow(own: boolean): boolean {
    if (!this.#mustNotWait(own)) return false;
    this.#unwinding = true;
    if (this.#rethrows++ < MAX_RETHROWS) return true;
    throw new Error(
      `Cannot cancel the coroutine: it swallowed its cancellation ${MAX_RETHROWS} times`,
    );
  }

  #mustNotWait(own: boolean): boolean {
    return !this.#unwinding || this.#overtime || !mayCleanUp(this.#source, own);
  }

  #limitCleanup(): void {
    this.#loop ??= IOLoop.current();
    this.#cleanupTimer = this.#loop._callLater(CLEANUP_MS, () => {
      this.#overtime = true;
      const waiting = this.#waiting;
      if (waiting === null) return;
      if (waiting._owner === this) waiting.cancel(this.#cancelError);
      if (this.#waiting === waiting && !waiting.done()) {
        this.#stopWaiting(waiting);
      }
    });
  }

  #returned(result: T): void {
    if (this.#cancelError !== null) this.#end(3, this.#cancelError);
    else {
      const leak = this.#runner?._leak() ?? null;
      if (leak === null) this.#end(1, result);
      else this.#end(2, leak);
    }
  }

  #threw(error: unknown): void {
    if (error instanceof Return) this.#returned(error.value as T);
    else if (this.#cancelError !== null) {
      if (!(error instanceof CancelledError)) logLate(error);
      this.#end(3, this.#cancelError);
    } else this.#end(error instanceof CancelledError ? 3 : 2, error);
  }

  #end(state: 1 | 2 | 3, value: unknown): void {
    if (this.#cleanupTimer !== null) {
      this.#loop!.removeTimeout(this.#cleanupTimer);
    }
    if (this.#open !== null) this._scope?._delete(this as Future<unknown>);
    this.#runner?._closeContext();
    if (state === 2) _tidyStack(value);
    this._settle(state, value);
  }

  /** Turns what its generator yields into a Future. @ignore */
  _convert(value: unknown): Future<unknown> {
    if (value instanceof YieldPoint) {
      return (this.#runner ??= new Runner(this))._watch(value);
    }
    if (this.#cancelError !== null && isGenerator(value) && this.#mustNotWait(false)) {
      const child = new Coroutine(value); // it ends before it began
      child.cancel(this.#cancelError);
      return child.run();
    }
    return convertWith(value, (child) => this._convert(child));
  }
}

// A YieldPoint means something only to the coroutine that runs at the moment.
function convert(value: unknown): Future<unknown> {
  const owner = _currentOwner();
  return owner instanceof Coroutine ? owner._convert(value) : convertWith(value, convert);
}

function convertWith(
  value: unknown,
  child: (value: unknown) => Future<unknown>,
): Future<unknown> {
  if (value instanceof Future) return value;
  if (value === null || value === undefined) return nextTurn();
  if (isThenable(value)) return Future.from(value);
  if (typeof value === "object") {
    if (isGenerator(value)) return new Coroutine(value).run();
    if (Array.isArray(value)) return new Gather(value.map(child), null);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      return new Gather(Object.values(value).map(child), Object.keys(value));
    }
    for (const [type, converter] of registered) {
      if (value instanceof type) return child(converter(value));
    }
  }
  throw new BadYieldError(value);
}

type Registered = readonly [
  // deno-lint-ignore no-explicit-any -- a class with any constructor
  abstract new (...args: any[]) => unknown,
  // deno-lint-ignore no-explicit-any -- called with instances of that class only
  (value: any) => unknown,
];
const registered: Registered[] = [];

/** Is the type of {@linkcode convertYielded}: a function, and a way to teach it more. */
export interface ConvertYielded {
  /** Turns `value` into a Future; see {@linkcode convertYielded}. */
  <Y>(value: Y): Future<Yielded<Y>>;
  /** Makes instances of `type` yieldable: `converter` turns one into what already is. */
  register<T>(
    // deno-lint-ignore no-explicit-any -- a class with any constructor
    type: abstract new (...args: any[]) => T,
    converter: (value: T) => unknown,
  ): void;
}

/**
 * Turns what a coroutine may yield into a Future: `null` (one turn of the loop), a Future, a
 * thenable, a generator, an array or a plain record of these, or an instance of a class that
 * was registered. Throws {@linkcode BadYieldError} for anything else.
 *
 * @example A class of one's own
 * ```ts
 * import { convertYielded } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Job {
 *   constructor(readonly work: Promise<number>) {}
 * }
 * convertYielded.register(Job, (job) => job.work);
 * assertEquals(await convertYielded(new Job(Promise.resolve(3))), 3);
 * ```
 */
export const convertYielded: ConvertYielded = Object.assign(convert, {
  register(type: Registered[0], converter: Registered[1]): void {
    registered.push([type, converter]);
  },
}) as ConvertYielded;

/** Tells whether `value` is a generator object. */
export function isGenerator(
  value: unknown,
): value is CoroutineGenerator<unknown> {
  return Object.prototype.toString.call(value) === "[object Generator]";
}

// Whether the generator in which `below` was called is resumed by #step itself, and not by
// another generator that delegates to it: behind the generator's own frame and the
// built-in `next` or `throw` stands a frame of this file.
function calledFromStep(below: (...args: never[]) => unknown): boolean {
  const holder: { stack?: unknown } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 3;
  Error.captureStackTrace(holder, below);
  Error.stackTraceLimit = limit;
  return typeof holder.stack === "string" &&
    holder.stack.split("\n").at(-1)!.includes(import.meta.url);
}

function anonymous(): void {}

function logLate(error: unknown): void {
  appLog.error("Exception in a coroutine that was cancelled: {error}", {
    error: describeError(error),
  });
}

function afterMicrotask(): Future<undefined> {
  const future = new Future<undefined>();
  queueMicrotask(() => future._settle(1, undefined));
  return future;
}

function nextTurn(): Future<undefined> {
  const future = new Future<undefined>();
  afterTurn(() => future._settle(1, undefined));
  return future;
}

function afterTurn(fn: () => void, loop: IOLoop | null = IOLoop.current(false)): void {
  if (loop?.running) loop._addCallback(fn);
  else setImmediate(fn);
}

_setConverter(convert);
