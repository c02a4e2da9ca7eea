import type { Future } from "../ioloop/mod.ts";
import { convertYielded } from "./coroutine.ts";
import { type ErrorClass, Gather } from "./_gather.ts";
import type { MaybeYieldables, Yielded } from "./types.ts";

/** Options of {@linkcode multi}. */
export interface MultiOptions {
  /** Classes of errors that are not logged when another child failed first. */
  quietExceptions?: ErrorClass | readonly ErrorClass[];
}

/** Is the type of `Multi(children)`. */
export type Multi<C> = Future<Yielded<C>>;

/**
 * Waits for several yieldables at once: an array gives an array of results (typed as a
 * tuple), a record a record. `yield [a, b]` does the same.
 *
 * When a child fails, the others that the same coroutine created are cancelled; it is done
 * when all children are, and fails with the first error. Further errors are logged.
 *
 * @example A tuple and a record
 * ```ts
 * import { coroutine, Multi } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const main = coroutine(function* () {
 *   const [one, two] = yield* Multi([Promise.resolve(1), Promise.resolve("two")]);
 *   const { sum } = yield* Multi({ sum: Promise.resolve(one + two.length) });
 *   return sum;
 * });
 * assertEquals(await main(), 4);
 * ```
 */
export function multi<const C extends MaybeYieldables>(
  children: C,
  { quietExceptions = [] }: MultiOptions = {},
): Multi<C> {
  const list = Array.isArray(children);
  const quiet = Array.isArray(quietExceptions) ? quietExceptions : [quietExceptions as ErrorClass];
  return new Gather(
    Object.values(children).map(convertYielded),
    list ? null : Object.keys(children),
    quiet,
  ) as Future<unknown> as Multi<C>;
}

/** Is the same as {@linkcode multi}. */
export const Multi: typeof multi = multi;

/** Is the same as {@linkcode multi}. */
export const multiFuture: typeof multi = multi;

/** Is the same as {@linkcode multi}. */
export const MultiYieldPoint: typeof multi = multi;
