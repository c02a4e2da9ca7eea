import { Future, IOLoop } from "../ioloop/mod.ts";

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
export function sleep(ms: number): Future<void> {
  const loop = IOLoop.current();
  const future = new Future<void>(() => loop.removeTimeout(timeout));
  const timeout = loop._callLater(ms, () => future.setResult());
  return future;
}
