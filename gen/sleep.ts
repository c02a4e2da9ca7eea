import { Future, IOLoop } from "../ioloop/mod.ts";
import { withSignal } from "./with_signal.ts";

/** Options of {@linkcode sleep}. */
export interface SleepOptions {
  /** Wakes it when it is aborted: the Future fails with `CancelledError`. */
  signal?: AbortSignal;
}

/**
 * Is done after `ms` milliseconds of the current loop. Cancelling it removes its timer.
 *
 * @example Wait in a coroutine
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { sleep } from "@waterspout/waterspout/gen";
 *
 * await new IOLoop().run(function* () {
 *   yield* sleep(5);
 * });
 * ```
 */
export function sleep(ms: number, { signal }: SleepOptions = {}): Future<void> {
  const loop = IOLoop.current();
  const future = new Future<void>(() => loop.removeTimeout(timeout));
  const timeout = loop._callLater(ms, () => future.setResult());
  if (loop._tracer !== null) loop._tracer._note(future, `sleep ${ms} ms`);
  return signal === undefined ? future : withSignal(signal, future);
}
