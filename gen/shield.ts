import { Future } from "../ioloop/mod.ts";
import { convertYielded, Coroutine } from "./coroutine.ts";
import type { Yielded } from "./types.ts";

class Shield extends Future<unknown> {
  override cancel(): boolean {
    return false;
  }
}

/**
 * Protects a stretch of work from the cancellation of the coroutine that yields it: the
 * work ends first, then the coroutine is cancelled. Nor does a coroutine end with its request
 * while it is shielded.
 */
export function shield<Y>(yieldable: Y): Future<Yielded<Y>> {
  const inner = convertYielded(yieldable) as Future<unknown>;
  if (inner instanceof Coroutine) inner._leaveScope();
  const outer = new Shield();
  inner._listen({
    _settled: () =>
      outer._settle(
        inner._fulfilled ? 1 : inner.cancelled() ? 3 : 2,
        inner._value,
      ),
  });
  return outer as Future<unknown> as Future<Yielded<Y>>;
}
