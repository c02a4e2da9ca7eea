import { isThenable } from "../ioloop/future.ts";
import { Future, IOLoop } from "../ioloop/mod.ts";
import { Coroutine, isGenerator } from "./coroutine.ts";
import { ReturnValueIgnoredError } from "./errors.ts";
import { Return } from "./return.ts";
import type { CoroutineGenerator } from "./types.ts";

const made = new WeakSet<(...args: never[]) => unknown>();

/** Is what {@linkcode coroutine} returns. */
export interface CoroutineFunction<This, A extends unknown[], T> {
  /** Starts the coroutine; it runs to its first pending yield before this returns. */
  (this: This, ...args: A): Future<T>;
  /** The function it was made of. */
  readonly wrapped: (this: This, ...args: A) => unknown;
}

/**
 * Makes a function that runs `fn`'s generator as a coroutine and returns the Future of its
 * result. A plain function's result or error also arrives in a Future.
 *
 * @example Typed results with `yield*`
 * ```ts
 * import { coroutine } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const double = coroutine(function* (n: number) {
 *   yield null; // lets others run
 *   return 2 * n;
 * });
 * const main = coroutine(function* () {
 *   const four = yield* double(2); // a number
 *   return four + 1;
 * });
 * assertEquals(await main(), 5);
 * ```
 */
export function coroutine<This, A extends unknown[], T>(
  fn: (this: This, ...args: A) => CoroutineGenerator<T>,
): CoroutineFunction<This, A, T>;
/** Makes a function that returns the Future of a plain function's result. */
export function coroutine<This, A extends unknown[], T>(
  fn: (this: This, ...args: A) => T,
): CoroutineFunction<This, A, Awaited<T>>;
export function coroutine(
  fn: (...args: unknown[]) => unknown,
): CoroutineFunction<unknown, unknown[], unknown> {
  const run = function (this: unknown, ...args: unknown[]): Future<unknown> {
    try {
      const result = fn.apply(this, args);
      if (isGenerator(result)) return new Coroutine(result, fn).run();
      return isThenable(result) ? Future.from(result) : Future.resolved(result);
    } catch (error) {
      return error instanceof Return ? Future.resolved(error.value) : Future.failed(error);
    }
  };
  return mark(run, fn);
}

/**
 * Makes a function in callback style of a generator function: nobody gets its result, so a
 * result other than `undefined` is {@linkcode ReturnValueIgnoredError}. Errors before the
 * first pending yield go to the caller, later ones to the stack contexts of the caller or, if
 * none takes them, to the loop's `handleCallbackException`.
 */
export function engine<This, A extends unknown[]>(
  fn: (this: This, ...args: A) => unknown,
): (this: This, ...args: A) => void {
  const inner = coroutine(fn as (...args: unknown[]) => unknown);
  const run = function (this: unknown, ...args: unknown[]): void {
    const future = inner.apply(this, args);
    if (future.done()) checkIgnored(future.result());
    else {
      const ended = () => checkIgnored(future.result());
      Object.defineProperty(ended, "name", { value: fn.name }); // whose failure is logged
      IOLoop.current().addFuture(future, ended);
    }
  };
  return mark(run, fn as (...args: unknown[]) => unknown) as (
    this: This,
    ...args: A
  ) => void;
}

/** Tells whether `fn` was returned by {@linkcode coroutine} or {@linkcode engine}. */
export function isCoroutineFunction(fn: unknown): boolean {
  return typeof fn === "function" && made.has(fn as () => unknown);
}

function mark<F extends (...args: never[]) => unknown>(
  run: F,
  fn: (...args: unknown[]) => unknown,
): F & { wrapped: (...args: unknown[]) => unknown } {
  made.add(run);
  Object.defineProperty(run, "name", { value: fn.name, configurable: true });
  return Object.assign(run, { wrapped: fn });
}

function checkIgnored(result: unknown): void {
  if (result !== undefined) throw new ReturnValueIgnoredError(result);
}
