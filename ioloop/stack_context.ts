// The contexts of a piece of code are a chain of frames, innermost first, held by one
// AsyncLocalStorage:
//
//   { context: c3 } -> { context: c2 } -> { context: c1 } -> null
//
// So they follow `await`, promises and timers of the runtime by themselves. What the loop
// calls later is carried by a wrapper, which enters the chain anew, outermost first: each
// context then sees the callback begin and end, and gets what it throws. While no context was
// ever entered in the process, all this is one look at a flag.
//
// A context's own handlers run in the chain outside of it: an error in what they start goes
// outwards and can't come back to them.
import { AsyncLocalStorage } from "node:async_hooks";
import { _isWork, _toFuture } from "./converter.ts";
import type { Future } from "./future.ts";

/** Is a link of the chain. @ignore */
export interface Frame {
  readonly context: BaseStackContext;
  readonly parent: Frame | null;
  readonly watched: boolean; // somewhere in the chain is a StackContext, which sees each step
}

/** A function of any shape. */
// deno-lint-ignore no-explicit-any -- wrapping keeps the type of the function
export type AnyFunction = (...args: any[]) => unknown;

interface Wrapped {
  readonly fn: AnyFunction;
  readonly frame: Frame | null;
}

const storage = new AsyncLocalStorage<Frame | null>();
const WRAPPED = Symbol("wrapped");

/** Whether a context was entered, ever. @ignore */
export let _inUse = false;

/** Says that a generator was given to `run` of a context, where its yields would leave it. */
export class StackContextInconsistentError extends Error {
  /** Is made where `run` is called. */
  constructor() {
    super(
      "Cannot run a generator in a context: its yields would leave it. Use runWithStackContext()",
    );
    this.name = "StackContextInconsistentError";
  }
}

/** Is what {@linkcode StackContext} and {@linkcode ExceptionStackContext} have in common. */
export abstract class BaseStackContext {
  #active = true;

  /** Whether callbacks that are added from now on still get it. @ignore */
  get _active(): boolean {
    return this.#active;
  }

  /** Stops it from being passed on; callbacks that were added before keep it. */
  deactivate(): void {
    this.#active = false;
  }

  /**
   * Calls `body` in the context and returns its result, or undefined where the context
   * swallowed an error. What `body` starts through the loop or awaits is in the context too.
   *
   * @throws what `body` throws, if no context swallows it.
   * @throws {StackContextInconsistentError} when `body` returns a generator.
   */
  run<T>(body: () => T): T | undefined {
    const result = enter(frameOf(this, current()), body);
    if (Object.prototype.toString.call(result) === "[object Generator]") {
      throw new StackContextInconsistentError();
    }
    return result;
  }

  /** Calls `body`, with whatever the context does before and behind it. @ignore */
  abstract _around<T>(body: () => T): T | undefined;
}

/** Is what the factory of a {@linkcode StackContext} returns. */
export interface ContextGuard {
  /** Is called before the body or a callback that it started. */
  enter?(): void;
  /**
   * Is called behind it, with what it threw if it did; `true` swallows that, an error thrown
   * here takes its place.
   */
  exit?(error?: unknown): boolean | void;
}

/**
 * Surrounds a piece of code, and every callback and coroutine step that it starts, with an
 * `enter` and an `exit`. `factory` is called anew each time. `deactivate` ends that for what
 * is started later.
 *
 * It costs nothing where it is not used; where it is, an entry costs some microseconds.
 *
 * @example A prefix for everything that a piece of code starts
 * ```ts
 * import { IOLoop, StackContext } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * let user = "nobody";
 * const asAnn = new StackContext(() => ({
 *   enter: () => void (user = "Ann"),
 *   exit: () => void (user = "nobody"),
 * }));
 * const loop = new IOLoop();
 * asAnn.run(() =>
 *   loop.addCallback(() => {
 *     assertEquals(user, "Ann");
 *     loop.stop();
 *   })
 * );
 * assertEquals(user, "nobody");
 * await loop.start();
 * ```
 */
export class StackContext extends BaseStackContext {
  readonly #factory: () => ContextGuard;

  /** Takes what makes a guard for each entry. */
  constructor(factory: () => ContextGuard) {
    super();
    this.#factory = factory;
  }

  /** @ignore */
  override _around<T>(body: () => T): T | undefined {
    const guard = this.#factory();
    guard.enter?.();
    let result: T;
    try {
      result = body();
    } catch (error) {
      if (guard.exit?.(error) === true) return undefined;
      throw error;
    }
    guard.exit?.();
    return result;
  }
}

/**
 * Catches what a piece of code, or a callback that it started, throws: `handler` is called with
 * the error. `true` swallows it; otherwise the next context outside gets it, and at last the
 * caller or the loop's `handleCallbackException`. An error that `handler` throws takes its place.
 *
 * @example Catch what a callback throws later
 * ```ts
 * import { ExceptionStackContext, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * const loop = new IOLoop();
 * const caught: unknown[] = [];
 * new ExceptionStackContext((error) => {
 *   caught.push(error);
 *   loop.stop();
 *   return true;
 * }).run(() => {
 *   loop.addCallback(() => {
 *     throw "late";
 *   });
 * });
 * await loop.start();
 * assertEquals(caught, ["late"]);
 * ```
 */
export class ExceptionStackContext extends BaseStackContext {
  readonly #handler: (error: unknown) => boolean | void;

  /** Takes what is called with each error. */
  constructor(handler: (error: unknown) => boolean | void) {
    super();
    this.#handler = handler;
  }

  /** @ignore */
  override _around<T>(body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      if (this.#handler(error) === true) return undefined;
      throw error;
    }
  }
}

/** Is the type of {@linkcode NullContext}. */
export interface NullContext {
  /** Calls `body` outside of all contexts and returns its result. */
  run<T>(body: () => T): T;
}

/** Leaves all contexts: for what is shared by many, such as a pool of connections. */
export const NullContext: NullContext = {
  run(body) {
    return _inUse ? storage.run(null, body) : body();
  },
};

/**
 * Makes a function that runs `fn` in the contexts, and with the values of every
 * AsyncLocalStorage, of here and now, whoever calls it. A wrapped function is returned as it
 * is, and so is `null`. The loop does it with what is given to it inside of a context.
 */
export function wrap<F extends AnyFunction | null | undefined>(fn: F): F {
  if (fn === null || fn === undefined || WRAPPED in fn) return fn;
  const inner: AnyFunction = fn;
  const frame = current();
  const inSnapshot = AsyncLocalStorage.snapshot();
  const run = function (this: unknown, ...args: unknown[]): unknown {
    return inSnapshot(enterAll, frame, () => inner.apply(this, args));
  };
  return mark(run, inner, frame) as F;
}

function mark(run: AnyFunction, fn: AnyFunction, frame: Frame | null): AnyFunction {
  Object.defineProperty(run, "name", { value: fn.name, configurable: true });
  return Object.assign(run, { [WRAPPED]: { fn, frame } });
}

/**
 * Calls `fn` in `context` and returns its result; a generator runs as a coroutine. This is the
 * way into a context from a coroutine: `yield runWithStackContext(context, other)`.
 *
 * @example A coroutine in a context
 * ```ts
 * import { IOLoop, runWithStackContext, StackContext } from "@waterspout/waterspout/ioloop";
 * import { sleep } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * let inside = false;
 * const context = new StackContext(() => ({
 *   enter: () => void (inside = true),
 *   exit: () => void (inside = false),
 * }));
 * await new IOLoop().run(function* () {
 *   yield* runWithStackContext(context, function* () {
 *     yield* sleep(1);
 *     assertEquals(inside, true);
 *   });
 *   assertEquals(inside, false);
 * });
 * ```
 */
export function runWithStackContext<T>(
  context: StackContext | ExceptionStackContext,
  fn: () => Generator<unknown, T, unknown>,
): Future<T>;
/** Calls `fn` in `context` and returns its result. */
export function runWithStackContext<T>(
  context: StackContext | ExceptionStackContext,
  fn: () => T,
): T | undefined;
export function runWithStackContext(
  context: StackContext | ExceptionStackContext,
  fn: () => unknown,
): unknown {
  return context.run(() => {
    const result = fn();
    return _isWork(result) ? _toFuture(result) : result;
  });
}

/**
 * Wraps a function that is called later, if it is added inside of a context. It is brought the
 * contexts only: a snapshot of everything holds the snapshot that it was made in, so that a
 * callback which adds itself for ever would leave an endless chain of them.
 *
 * @ignore
 */
export function _carry<F extends AnyFunction>(fn: F): F {
  const frame = current();
  if (frame === null || WRAPPED in fn) return fn;
  const run = (...args: unknown[]) => enterAll(frame, () => fn(...args));
  return mark(run, fn, frame) as F;
}

/**
 * Returns what was wrapped, or the function itself.
 *
 * @ignore
 */
export function _unwrapped(fn: AnyFunction): AnyFunction {
  return (fn as { [WRAPPED]?: Wrapped })[WRAPPED]?.fn ?? fn;
}

/**
 * Gives an error to the contexts in which `fn` was wrapped, and throws it if none swallows it.
 *
 * @ignore
 */
export function _raiseIn(fn: AnyFunction, error: unknown): void {
  enterAll((fn as { [WRAPPED]?: Wrapped })[WRAPPED]?.frame ?? null, () => {
    throw error;
  });
}

/**
 * Runs the next step of a coroutine: those contexts that watch steps, among the ones in which
 * it was suspended, are entered again.
 *
 * @ignore
 */
export function _resume(step: () => void): void {
  const frame = _inUse ? current() : null;
  if (frame !== null && frame.watched) enterAll(frame, step);
  else step();
}

/**
 * Enters `context` for the rest of the work that runs now.
 *
 * @ignore
 */
export function _enterHere(context: ExceptionStackContext): void {
  _inUse = true;
  storage.enterWith(frameOf(context, current()));
}

/**
 * Notes the contexts of here and now, for {@linkcode _comeBack}.
 *
 * @ignore
 */
export function _here(): Frame | null {
  return storage.getStore() ?? null;
}

/**
 * Comes back, for the rest of the work that runs now, from contexts that were entered by
 * {@linkcode _enterHere}.
 *
 * @ignore
 */
export function _comeBack(frame: Frame | null): void {
  storage.enterWith(frame);
}

function frameOf(context: BaseStackContext, parent: Frame | null): Frame {
  const watched = context instanceof StackContext || parent !== null && parent.watched;
  return { context, parent, watched };
}

// The chain of here and now without what was deactivated.
function current(): Frame | null {
  return _inUse ? activePart(storage.getStore() ?? null) : null;
}

function activePart(frame: Frame | null): Frame | null {
  if (frame === null) return null;
  const parent = activePart(frame.parent);
  if (!frame.context._active) return parent;
  return parent === frame.parent ? frame : frameOf(frame.context, parent);
}

// With `frame` as the innermost one.
function enter<T>(frame: Frame, body: () => T): T | undefined {
  _inUse = true;
  return frame.context._around(() => storage.run(frame, body));
}

function enterAll<T>(frame: Frame | null, body: () => T): T | undefined {
  if (frame === null) return NullContext.run(body);
  return enterAll(frame.parent, () => enter(frame, body));
}
