import { isThenable } from "../ioloop/future.ts";
import { ExceptionStackContext, Future } from "../ioloop/mod.ts";
import { _singleResult } from "./arguments.ts";
import type { Arguments } from "./arguments.ts";

/** Is the type of `Task(...)`. */
export type Task<T> = Future<T>;

/** Is the result of a Task whose callback is called with `R`. */
export type TaskResult<R extends readonly unknown[]> = R extends readonly [] ? undefined
  : R extends readonly [infer T] ? T
  : Arguments;

/**
 * Calls `fn(...args, callback)` and is done when the callback is called or, if `fn` returns a
 * Future or promise instead, when that one is. The result is `undefined`, the argument of
 * the call or, if there were several, {@linkcode Arguments}; later calls are ignored. What `fn`
 * throws, or a callback that it started throws later, fails the Future.
 *
 * @example A function in callback style
 * ```ts
 * import { coroutine, Task } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * function add(a: number, b: number, callback: (sum: number) => void): void {
 *   queueMicrotask(() => callback(a + b));
 * }
 *
 * const main = coroutine(function* () {
 *   return yield* Task(add, 1, 2);
 * });
 * assertEquals(await main(), 3);
 * ```
 */
export function Task<A extends unknown[], T>(
  fn: (...args: A) => PromiseLike<T>,
  ...args: A
): Task<T>;
/** Calls `fn(...args, callback)`. */
export function Task<A extends unknown[], R extends unknown[]>(
  fn: (...args: [...A, (...result: R) => void]) => unknown,
  ...args: A
): Task<TaskResult<R>>;
/** Calls `object[name](...args, callback)`. */
export function Task<K extends PropertyKey, A extends unknown[], T>(
  object: { [P in K]: (...args: A) => PromiseLike<T> },
  name: K,
  ...args: A
): Task<T>;
/** Calls `object[name](...args, callback)`. */
export function Task<
  K extends PropertyKey,
  A extends unknown[],
  R extends unknown[],
>(
  object: { [P in K]: (...args: [...A, (...result: R) => void]) => unknown },
  name: K,
  ...args: A
): Task<TaskResult<R>>;
export function Task(target: unknown, ...rest: unknown[]): Task<unknown> {
  const future = new Future<unknown>();
  const context = new ExceptionStackContext((error) => {
    context.deactivate();
    return future._settle(2, error);
  });
  // What is started once it is done is not its business: contexts must not pile up.
  const callback = (...results: unknown[]) => {
    context.deactivate();
    future._settle(1, _singleResult(results));
  };
  const result = context.run(() =>
    typeof target === "function"
      ? target(...rest, callback)
      : (target as Record<PropertyKey, (...args: unknown[]) => unknown>)[
        rest[0] as PropertyKey
      ]!(...rest.slice(1), callback)
  );
  return isThenable(result) ? Future.from(result) : future;
}
