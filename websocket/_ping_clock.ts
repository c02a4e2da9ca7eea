// When to ping, and when to give up waiting for a pong: one timeout of the loop for all the
// connections on it, set for the earliest.
//
// Connections that wait equally long form a lane. Whoever enters is due last, so a lane is in
// order by itself: entering and leaving cost the same for ten connections and ten thousand.
// There are as many lanes as there are different intervals.
import type { IOLoop, Timeout } from "../ioloop/mod.ts";

/** Is told when its time has come. */
export interface Waiter {
  /** When that is, in ms of the loop; the clock's to set. */
  due: number;
  /** The lane that it waits in; null while it does not wait. The clock's to set. */
  lane: Set<Waiter> | null;
  /** Is called when it is due, and does not wait any more. */
  ring(): void;
}

const clocks = new WeakMap<IOLoop, PingClock>();

/** Wakes the connections of one loop. */
export class PingClock {
  readonly #loop: IOLoop;
  readonly #lanes = new Map<number, Set<Waiter>>(); // by the ms that they wait; none is empty
  #timeout: Timeout | null = null; // there while somebody waits, other than in #ring()
  #ringing = false;

  private constructor(loop: IOLoop) {
    this.#loop = loop;
  }

  /** The one of `loop`. */
  static of(loop: IOLoop): PingClock {
    let clock = clocks.get(loop);
    if (clock === undefined) clocks.set(loop, clock = new PingClock(loop));
    return clock;
  }

  /** Has `waiter`, who does not wait yet, called in `ms`. */
  wait(waiter: Waiter, ms: number): void {
    let lane = this.#lanes.get(ms);
    if (lane === undefined) this.#lanes.set(ms, lane = new Set());
    waiter.due = this.#loop.time() + ms;
    waiter.lane = lane.add(waiter);
    if (this.#ringing) return; // it looks for the earliest itself, in the end
    if (this.#timeout === null || waiter.due < this.#timeout.deadline) this.#arm(waiter.due);
  }

  /** Lets `waiter` go, if it waits. */
  leave(waiter: Waiter): void {
    const { lane } = waiter;
    if (lane === null) return;
    waiter.lane = null;
    lane.delete(waiter);
    if (lane.size > 0) return; // if it was the earliest, the clock finds nobody due, once
    for (const [ms, other] of this.#lanes) if (other === lane) this.#lanes.delete(ms);
    if (this.#lanes.size === 0) this.#disarm();
  }

  #ring(): void {
    this.#timeout = null;
    const now = this.#loop.time();
    const due: Waiter[] = [];
    for (const lane of this.#lanes.values()) {
      for (const waiter of lane) {
        if (waiter.due > now) break;
        due.push(waiter);
      }
    }
    this.#ringing = true;
    for (const waiter of due) {
      if (waiter.lane === null) continue; // one before it ended it
      this.leave(waiter);
      waiter.ring();
    }
    this.#ringing = false;
    let next = Infinity;
    for (const lane of this.#lanes.values()) {
      const [first] = lane;
      next = Math.min(next, first!.due);
    }
    if (next < Infinity) this.#arm(next);
  }

  #arm(due: number): void {
    this.#disarm();
    this.#timeout = this.#loop._callLater(due - this.#loop.time(), () => this.#ring());
  }

  #disarm(): void {
    if (this.#timeout !== null) this.#loop.removeTimeout(this.#timeout);
    this.#timeout = null;
  }
}
