/**
 * The loop: turns, callbacks, timeouts, readiness of connections and listeners, and the
 * {@linkcode Future}. It imports nothing of this project; everything else stands on it.
 *
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 *
 * const loop = new IOLoop();
 * loop.addCallback(() => loop.stop());
 * await loop.start();
 * ```
 *
 * @module
 */
export {
  type Flushable,
  IOLoop,
  type IOLoopOptions,
  type LoopCallback,
  type RunOptions,
} from "./ioloop.ts";
export type { SlowCallback, SlowCallbackWatch } from "./slow_callback.ts";
export {
  type AnyFunction,
  type BaseStackContext,
  type ContextGuard,
  ExceptionStackContext,
  NullContext,
  runWithStackContext,
  StackContext,
  StackContextInconsistentError,
  wrap,
} from "./stack_context.ts";
export { PeriodicCallback, type PeriodicCallbackOptions } from "./periodic_callback.ts";
export {
  chainFuture,
  Future,
  futureAddDoneCallback,
  type FutureListener,
  type FutureOwner,
  type FutureScope,
  futureSetExceptionUnlessCancelled,
  futureSetResultUnlessCancelled,
  isFuture,
} from "./future.ts";
export {
  DummyExecutor,
  dummyExecutor,
  type Executor,
  type JobFunction,
  type JobResult,
  type WorkerJob,
} from "./executor.ts";
export { WorkerExecutor, type WorkerExecutorOptions } from "./executor_workers.ts";
export {
  type ExecutorDecorator,
  type ExecutorMethod,
  runOnExecutor,
  type RunOnExecutorOptions,
} from "./executor_decorator.ts";
export { type Source, SourceChannel, type Taken } from "./source_channel.ts";
export { Channel, type ChannelLoop, type ChannelOwner } from "./channel.ts";
export type { Timeout } from "./timeout_heap.ts";
export {
  type SubscribeOptions,
  type TraceBatch,
  type TracedLoop,
  type TraceOptions,
  Tracer,
} from "./tracer.ts";
export type { TraceEvent, TraceEventName } from "./trace_event.ts";
export type { Transport } from "./transport.ts";
export { BadYieldError, CancelledError, TimeoutError } from "./errors.ts";
export { Configurable, type ConfigurableClass, type ConfigurableOptions } from "./configurable.ts";
export { errorCode } from "./error_code.ts";
export { reUnescape } from "./re_unescape.ts";
export { accessLog, appLog, genLog, type Logger } from "./log.ts";
export { VERSION, VERSION_INFO } from "./version.ts";
