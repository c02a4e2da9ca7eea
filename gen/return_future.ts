import { ExceptionStackContext, Future, IOLoop } from "../ioloop/mod.ts";
import { ReturnValueIgnoredError } from "./errors.ts";

/** Is the result of a function whose callback is called with `R`. */
export type CallbackResult<R extends readonly unknown[]> = R extends readonly [] ? undefined : R[0];

/** Is what {@linkcode returnFuture} returns: `callback` may be given as before, or not. */
export interface FutureFunction<This, A extends unknown[], R extends unknown[]> {
  /** Calls the function and returns the Future of what it gives to its callback. */
  (
    this: This,
    ...args: [...A, callback?: ((...result: R) => unknown) | null]
  ): Future<CallbackResult<R>>;
}

/**
 * Makes a function that returns a Future of one in callback style. The last parameter that
 * `fn` declares is the callback: `fn` calls it once, with its result or nothing, and returns
 * nothing itself. What it throws goes to the caller; what a callback that it started throws
 * later fails the Future.
 *
 * A callback that is given all the same is called with the result in a later turn of the
 * loop. What it throws, and a failure of the Future, then go to the stack contexts of the
 * caller or, if none takes it, to the loop's `handleCallbackException`.
 *
 * @throws {TypeError} when `fn` declares no parameter.
 *
 * @example With and without a callback
 * ```ts
 * import { returnFuture } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const add = returnFuture((a: number, b: number, callback: (sum: number) => void): void => {
 *   queueMicrotask(() => callback(a + b));
 * });
 * assertEquals(await add(1, 2), 3);
 * ```
 */
export function returnFuture<This, A extends unknown[], R extends unknown[]>(
  fn: (this: This, ...args: [...A, (...result: R) => void]) => void,
): FutureFunction<This, A, R> {
  const place = fn.length - 1;
  if (place < 0) {
    throw new TypeError("Cannot make a function that returns a Future: it declares no callback");
  }
  return function (this: This, ...args: unknown[]): Future<CallbackResult<R>> {
    const callback = args[place] as ((...result: unknown[]) => unknown) | null | undefined;
    const future = new Future<unknown>();
    let begun = false; // until then errors are the caller's
    const context = new ExceptionStackContext((error) => begun && future._settle(2, error));
    args[place] = (result: unknown) => {
      context.deactivate(); // what is started from now on is not its business
      future._settle(1, result);
    };
    const returned: unknown = context.run(() => fn.apply(this, args as Parameters<typeof fn>));
    begun = true;
    if (returned !== undefined) throw new ReturnValueIgnoredError(returned);
    if (callback) IOLoop.current().addFuture(future, () => callback(future.result()));
    return future as Future<unknown> as Future<CallbackResult<R>>;
  };
}
