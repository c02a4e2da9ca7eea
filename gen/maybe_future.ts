import { Future } from "../ioloop/mod.ts";

/**
 * Makes a Future of anything: a Future as it is, a promise is followed, and any other value
 * is the result of a Future that is done.
 */
export function maybeFuture<T>(value: T | PromiseLike<T>): Future<T> {
  return Future.from(value);
}
