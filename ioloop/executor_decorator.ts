import type { Executor, JobFunction, JobResult, WorkerJob } from "./executor.ts";
import type { Future } from "./future.ts";

/** Options of {@linkcode runOnExecutor}. */
export interface RunOnExecutorOptions<K extends string = "executor"> {
  /**
   * The property of `this` that holds the executor.
   *
   * @default {"executor"}
   */
  executor?: K;
}

/** Is a method that hands its work to the executor in property `K` of its object. */
export type ExecutorMethod<F extends JobFunction, K extends string = "executor"> = (
  this: ThisParameterType<F> & { readonly [P in K]: Executor },
  ...args: Parameters<F>
) => Future<JobResult<F>>;

/** Is what {@linkcode runOnExecutor} returns for options: it takes the method. */
export type ExecutorDecorator<K extends string> = <F extends JobFunction>(
  method: F | WorkerJob<F>,
  context?: ClassMethodDecoratorContext,
) => ExecutorMethod<F, K>;

/**
 * Makes a method that runs on the executor of its object and returns a Future. It is given a
 * function, or a {@linkcode WorkerJob} for a `WorkerExecutor`, which cannot run functions.
 *
 * As a decorator, `@runOnExecutor`, it asks of the method to declare `T | Future<T>` as its
 * result, since a decorator cannot change a type.
 *
 * @throws {TypeError} when a method and options are given together.
 *
 * @example A method that runs in a worker, and one that is decorated
 * ```ts
 * import {
 *   dummyExecutor,
 *   type Future,
 *   runOnExecutor,
 *   WorkerExecutor,
 * } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * class Texts {
 *   readonly executor = dummyExecutor;
 *   readonly pool = new WorkerExecutor({ workers: 1 });
 *
 *   @runOnExecutor
 *   count(text: string): number | Future<number> {
 *     return text.length;
 *   }
 *
 *   readonly join = runOnExecutor({ executor: "pool" })({ module: "node:path/posix", name: "join" });
 * }
 * const texts = new Texts();
 * assertEquals(await texts.count("abc"), 3);
 * assertEquals(await texts.join("a", "b"), "a/b");
 * texts.pool.shutdown();
 * ```
 */
export function runOnExecutor<F extends JobFunction>(
  method: F | WorkerJob<F>,
  context?: ClassMethodDecoratorContext,
): ExecutorMethod<F>;
/** Takes the executor from another property of `this`. */
export function runOnExecutor<K extends string = "executor">(
  options?: RunOnExecutorOptions<K>,
): ExecutorDecorator<K>;
export function runOnExecutor(
  first: JobFunction | WorkerJob | RunOnExecutorOptions<string> = {},
  second?: object,
): ExecutorMethod<JobFunction, string> | ExecutorDecorator<string> {
  if (typeof first === "function" || "module" in first) {
    if (second !== undefined && !("kind" in second)) {
      throw new TypeError(
        "Cannot make a method that runs on an executor: give a method or options, not both",
      );
    }
    return wrap(first, "executor");
  }
  const { executor = "executor" } = first;
  return ((method: JobFunction | WorkerJob) => wrap(method, executor)) as ExecutorDecorator<string>;
}

function wrap(
  method: JobFunction | WorkerJob,
  property: string,
): ExecutorMethod<JobFunction, string> {
  return function (...args): Future<unknown> {
    const executor = this[property];
    if (executor === undefined) {
      throw new TypeError(
        `Cannot run on an executor: its object has none in property "${property}"`,
      );
    }
    return executor.submit(typeof method === "function" ? method.bind(this) : method, ...args);
  };
}
