import type { Future } from "../ioloop/mod.ts";
import { convertYielded, Coroutine } from "./coroutine.ts";
import { Follower } from "./_follower.ts";
import type { MaybeYieldable, Yielded } from "./types.ts";

class Shield extends Follower {
  override cancel(reason?: unknown): boolean {
    return this.done() && this._takeBack(reason); // what has ended needs no shield
  }
}

/**
 * Protects a stretch of work from the cancellation of the coroutine that yields it: the
 * work ends first, then the coroutine is cancelled. Nor does a coroutine end with its request
 * while it is shielded.
 */
export function shield<Y extends MaybeYieldable>(yieldable: Y): Future<Yielded<Y>> {
  const inner = convertYielded(yieldable) as Future<unknown>;
  if (inner instanceof Coroutine) inner._leaveScope();
  const outer = new Shield();
  inner._listen(outer);
  return outer as Future<unknown> as Future<Yielded<Y>>;
}
