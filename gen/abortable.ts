import { chainFuture, Future } from "../ioloop/mod.ts";

/**
 * Calls `fn` with an `AbortSignal` and returns the Future of what it returns. Cancelling the
 * Future aborts the signal, and so does cancelling the coroutine that waits for it: the way to
 * call what the web offers, such as `fetch`. See {@linkcode withSignal} for the other way.
 *
 * @throws what `fn` throws at once.
 *
 * @example Work that ends with the coroutine
 * ```ts
 * import { abortable, coroutine } from "@waterspout/waterspout/gen";
 * import { assert } from "@std/assert";
 *
 * let seen: AbortSignal | undefined;
 * const main = coroutine(function* () {
 *   yield* abortable((signal) => {
 *     seen = signal; // as in fetch(url, { signal })
 *     return new Promise<void>(() => {});
 *   });
 * });
 * const running = main();
 * running.cancel("the user left");
 * await running.catch(() => {});
 * assert(seen?.aborted);
 * ```
 */
export function abortable<T>(fn: (signal: AbortSignal) => T | PromiseLike<T>): Future<T> {
  const controller = new AbortController();
  const future = new Future<T>((error) => controller.abort(error));
  chainFuture(Future.from(fn(controller.signal)), future);
  return future;
}
