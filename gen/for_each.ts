import { describeError } from "../ioloop/errors.ts";
import { _isWork } from "../ioloop/converter.ts";
import { appLog, CancelledError, Future } from "../ioloop/mod.ts";
import type { CoroutineGenerator } from "./types.ts";

/**
 * Does what `for await` does, in a coroutine: gives each item of `source` to `body` and, if
 * that is a generator function or returns what can be waited for, waits for it before the
 * next item. However it ends, the source is told, by `return()` of its iterator; what that
 * throws is logged if `body` threw before.
 *
 * @example Add up what an async iterable gives
 * ```ts
 * import { coroutine, forEach } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * async function* numbers(): AsyncGenerator<number> {
 *   yield 1;
 *   yield 2;
 * }
 * const sum = coroutine(function* () {
 *   let sum = 0;
 *   yield* forEach(numbers(), (n) => {
 *     sum += n;
 *   });
 *   return sum;
 * });
 * assertEquals(await sum(), 3);
 * ```
 */
export function* forEach<T>(
  source: AsyncIterable<T> | Iterable<T | PromiseLike<T>>,
  body: (item: T) => unknown,
): CoroutineGenerator {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : each(source);
  let at: "source" | "body" | "end" = "source"; // who is at work
  try {
    for (;;) {
      let item: IteratorResult<T>;
      try {
        item = yield* Future.from(iterator.next());
      } catch (error) {
        if (!(error instanceof CancelledError)) at = "end"; // it failed
        throw error;
      }
      if (item.done) {
        at = "end";
        return;
      }
      at = "body";
      const work = body(item.value);
      if (_isWork(work)) yield work;
      at = "source";
    }
  } finally {
    // A source that is at work, here when this is cancelled, ends once it has done its work.
    const ended = at === "end" ? null : end(iterator);
    if (at === "body") yield ended;
  }
}

async function* each<T>(source: Iterable<T | PromiseLike<T>>): AsyncGenerator<T> {
  yield* source;
}

async function end(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch (error) {
    logFailure(error);
  }
}

function logFailure(error: unknown): void {
  appLog.error("Exception at the end of an async iterable: {error}", {
    error: describeError(error),
  });
}
