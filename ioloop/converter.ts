// The loop runs what callbacks return, and `run` runs coroutines, but how a generator is
// run is the business of gen/, a layer above. This is the socket it plugs into.
import { BadYieldError } from "./errors.ts";
import { Future, isThenable } from "./future.ts";

let convert: (value: unknown) => Future<unknown> = (value) => {
  if (!isThenable(value)) throw new BadYieldError(value);
  return Future.from(value);
};

/**
 * Sets how values are turned into Futures; `gen/` does, and knows generators.
 *
 * @ignore
 */
export function _setConverter(
  converter: (value: unknown) => Future<unknown>,
): void {
  convert = converter;
}

/**
 * Turns what can be waited for into a Future.
 *
 * @throws {BadYieldError} for anything else.
 * @ignore
 */
export function _toFuture(value: unknown): Future<unknown> {
  return convert(value);
}

/**
 * Tells whether `value` is work that goes on: a thenable or a generator. Arrays and
 * records are mere values here.
 *
 * @ignore
 */
export function _isWork(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isThenable(value) ||
    Object.prototype.toString.call(value) === "[object Generator]";
}
