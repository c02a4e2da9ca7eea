/**
 * Coroutines written as generators: yield what has to be waited for, get its result. Stands
 * on `ioloop/` only.
 *
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Multi, sleep } from "@waterspout/waterspout/gen";
 *
 * await new IOLoop().run(function* () {
 *   yield* sleep(1);
 *   yield* Multi([sleep(1), sleep(2)]);
 * });
 * ```
 *
 * @module
 */
export {
  type ConvertYielded,
  convertYielded,
  Coroutine,
  type GeneratorSource,
  moment,
} from "./coroutine.ts";
export {
  coroutine,
  type CoroutineFunction,
  engine,
  isCoroutineFunction,
} from "./coroutine_function.ts";
export { YieldPoint, type YieldPointRunner } from "./yield_point.ts";
export { Runner, type RunnerCoroutine } from "./runner.ts";
export { Callback, type ResultCallback, Wait, WaitAll } from "./callback.ts";
export { Task, type TaskResult } from "./task.ts";
export { Multi, multi, multiFuture, type MultiOptions, MultiYieldPoint } from "./multi.ts";
export { race } from "./race.ts";
export { abortable } from "./abortable.ts";
export { withSignal } from "./with_signal.ts";
export { forEach } from "./for_each.ts";
export { sleep, type SleepOptions } from "./sleep.ts";
export { shield } from "./shield.ts";
export { withTimeout, type WithTimeoutOptions } from "./with_timeout.ts";
export { maybeFuture } from "./maybe_future.ts";
export { type CallbackResult, type FutureFunction, returnFuture } from "./return_future.ts";
export {
  WaitIterator,
  type WaitIteratorFuture,
  type WaitIteratorIndex,
  type WaitIteratorInput,
  type WaitIteratorResult,
} from "./wait_iterator.ts";
export { YieldFuture } from "./yield_future.ts";
export * as locks from "./locks.ts";
export * as queues from "./queues.ts";
export type { WaitOptions } from "./_waiter.ts";
export { Return } from "./return.ts";
export { Arguments } from "./arguments.ts";
export type {
  CoroutineGenerator,
  MaybeYieldable,
  MaybeYieldables,
  Yieldable,
  Yielded,
} from "./types.ts";
export type { ErrorClass } from "./_gather.ts";
export {
  KeyReuseError,
  LeakedCallbackError,
  ReturnValueIgnoredError,
  UnknownKeyError,
} from "./errors.ts";
export { BadYieldError, CancelledError, TimeoutError } from "../ioloop/mod.ts";
