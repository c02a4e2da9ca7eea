// Which address to try next (RFC 8305, "happy eyeballs", in a simple form). It decides and
// does nothing: whoever connects reports what happened and does what it is told.
//
// The addresses are split into two lines, those of the first one's family and the others.
// In each line one attempt runs at a time. The second line starts when the first attempt of
// all fails, or has not ended in DELAY_MS:
//
//   first line    a1 --fails--> a2 --fails--> a3
//   second line      '---------> b1 --fails--> b2        (or after DELAY_MS)
//
// The first attempt that succeeds ends it all. When both lines are through, the last error
// is the outcome.
import type { AddressFamily } from "./ip_address.ts";
import type { ResolvedAddress } from "./resolver.ts";

/** The ms after which the second family is tried beside the first. */
export const DELAY_MS = 300;

/** Is what has to be done. */
export type Action =
  /** Start an attempt. */
  | { readonly kind: "attempt"; readonly address: ResolvedAddress }
  /** Call `delayPassed` after {@linkcode DELAY_MS}. */
  | { readonly kind: "delay" }
  /** Do not call `delayPassed` any more. */
  | { readonly kind: "endDelay" }
  /** Close an attempt, whether it is connected by now or not. */
  | { readonly kind: "abandon"; readonly address: ResolvedAddress }
  /** It is over: the attempt at this address is connected. */
  | { readonly kind: "succeed"; readonly address: ResolvedAddress }
  /** It is over: nothing could be connected. */
  | { readonly kind: "fail"; readonly error: unknown };

const State = { FRESH: 0, FIRST_ONLY: 1, BOTH: 2, OVER: 3 } as const;
type State = typeof State[keyof typeof State];

/** Decides about the attempts to connect to one of several addresses. */
export class HappyEyeballs {
  readonly #family: AddressFamily | null; // of the first line
  readonly #first: ResolvedAddress[]; // those that were not tried yet
  readonly #second: ResolvedAddress[];
  readonly #running = new Set<ResolvedAddress>(); // one in each line at most
  #state: State = State.FRESH;
  #delayed = false; // a delay was asked for and has neither passed nor ended

  /** Takes the addresses, the preferred ones first; each object is one attempt. */
  constructor(addresses: readonly ResolvedAddress[]) {
    const family = addresses[0]?.family ?? null;
    this.#family = family;
    this.#first = addresses.filter((address) => address.family === family);
    this.#second = addresses.filter((address) => address.family !== family);
  }

  /** Begins. */
  start(): Action[] {
    this.#state = State.FIRST_ONLY;
    const actions = this.#next(this.#first);
    if (actions.length === 0) {
      this.#state = State.OVER;
      return [{ kind: "fail", error: new Deno.errors.NotFound("Cannot connect: no address") }];
    }
    if (this.#second.length > 0) {
      this.#delayed = true;
      actions.push({ kind: "delay" });
    }
    return actions;
  }

  /** Takes note that an attempt failed. */
  failed(address: ResolvedAddress, error: unknown): Action[] {
    if (!this.#running.delete(address)) return [];
    const line = address.family === this.#family ? this.#first : this.#second;
    const actions = [...this.#next(line), ...this.#openSecond()];
    if (this.#running.size > 0) return actions;
    return [...actions, ...this.#end({ kind: "fail", error })];
  }

  /** Takes note that an attempt is connected. */
  connected(address: ResolvedAddress): Action[] {
    if (!this.#running.delete(address)) return [{ kind: "abandon", address }];
    return this.#end({ kind: "succeed", address });
  }

  /** Takes note that the delay is over. */
  delayPassed(): Action[] {
    this.#delayed = false;
    return this.#openSecond();
  }

  /** Ends it without an outcome. */
  giveUp(): Action[] {
    return this.#end();
  }

  #openSecond(): Action[] {
    if (this.#state !== State.FIRST_ONLY) return [];
    this.#state = State.BOTH;
    return [...this.#endDelay(), ...this.#next(this.#second)];
  }

  #next(line: ResolvedAddress[]): Action[] {
    const address = line.shift();
    if (address === undefined) return [];
    this.#running.add(address);
    return [{ kind: "attempt", address }];
  }

  #endDelay(): Action[] {
    if (!this.#delayed) return [];
    this.#delayed = false;
    return [{ kind: "endDelay" }];
  }

  #end(...outcome: Action[]): Action[] {
    if (this.#state === State.OVER) return [];
    this.#state = State.OVER;
    const losers = [...this.#running];
    this.#running.clear();
    return [
      ...this.#endDelay(),
      ...losers.map((address): Action => ({ kind: "abandon", address })),
      ...outcome,
    ];
  }
}
