// Who may send a request, and on which connection. It knows no socket, no clock and no timer:
// whoever owns it says what happened, and does what it is told.
//
// A request takes a place. Places are limited, in all and for each key (what a connection is
// good for: an origin, a way to it, a way to secure it). Where there is none the place waits,
// first in, first out; one whose key is at its limit stands aside and lets others pass. With
// the place comes an idle connection, if there is one: the one that was used last, so that the
// others may end.
//
//   enter() --> WAITING --granted--> GRANTED --leave()--> LEFT
//                  +------------------leave()---------------^
const State = { WAITING: 0, GRANTED: 1, LEFT: 2 } as const;
type State = typeof State[keyof typeof State];

/** How much there may be at a time. */
export interface PoolLimits {
  /** Requests in progress. */
  readonly maxActive: number;
  /** Requests in progress for one key. */
  readonly maxActivePerKey: number;
  /** Idle connections. */
  readonly maxIdle: number;
  /** Idle connections for one key. */
  readonly maxIdlePerKey: number;
}

/** Says what has to be done. */
export interface PoolActions<C> {
  /** These waited, and may go on. */
  readonly granted: readonly Place<C>[];
  /** These are not kept. */
  readonly closed: readonly C[];
}

/** Is the place of one request. */
export class Place<C> {
  /** What its connection must be good for. */
  readonly key: string;
  /** The connection that came with it; null: one has to be made. */
  connection: C | null = null;
  /** Called by the owner of the pool when the place was granted after it had to wait. */
  onGranted: (() => void) | null = null;
  /** Its state, for the pool. */
  state: State = State.WAITING;
  /** When it came, counted. */
  readonly order: number;
  /** Whether an idle connection is of no use to it. */
  readonly fresh: boolean;

  constructor(key: string, order: number, fresh: boolean) {
    this.key = key;
    this.order = order;
    this.fresh = fresh;
  }

  /** Whether its request may be sent. */
  get granted(): boolean {
    return this.state === State.GRANTED;
  }
}

interface Keyed<C> {
  readonly key: string;
  active: number;
  readonly idle: C[]; // the one that was used last is the last
  readonly aside: Set<Place<C>>; // whose turn came while the key was at its limit, in order
  waiting: number; // places, aside or in the queue
}

/** Holds places and idle connections. */
export class Pool<C> {
  readonly #limits: PoolLimits;
  readonly #keys = new Map<string, Keyed<C>>(); // what has a place or an idle connection
  readonly #idle = new Map<C, { readonly keyed: Keyed<C>; readonly expires: number }>(); // by age
  readonly #queue = new Set<Place<C>>(); // in order; empty while there is room for all
  readonly #roomy = new Set<Keyed<C>>(); // below their limit, and somebody stands aside
  #active = 0;
  #entered = 0;
  #waiting = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** How many places are granted. */
  get active(): number {
    return this.#active;
  }

  /** How many places wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many idle connections there are. */
  get idle(): number {
    return this.#idle.size;
  }

  /** How many keys it knows. */
  get size(): number {
    return this.#keys.size;
  }

  /** Takes a place; it may have to wait. A `fresh` one gets no idle connection. */
  enter(key: string, fresh = false): Place<C> {
    const place = new Place<C>(key, this.#entered++, fresh);
    let keyed = this.#keys.get(key);
    if (keyed === undefined) {
      keyed = { key, active: 0, idle: [], aside: new Set(), waiting: 0 };
      this.#keys.set(key, keyed);
    }
    if (this.#active < this.#limits.maxActive && this.#hasRoom(keyed) && keyed.waiting === 0) {
      this.#grant(place, keyed);
      return place;
    }
    this.#waiting++;
    keyed.waiting++;
    this.#queue.add(place);
    if (this.#active < this.#limits.maxActive) this.#first(); // puts it aside
    return place;
  }

  /**
   * Gives a place back, granted or not, with its connection if that can be used again, until
   * `expires`.
   */
  leave(place: Place<C>, connection: C | null = null, expires = Infinity): PoolActions<C> {
    if (place.state === State.LEFT) return NOTHING;
    const keyed = this.#keys.get(place.key)!;
    const { granted } = place;
    place.state = State.LEFT;
    place.connection = null;
    let closed: C[] = NONE;
    if (granted) {
      this.#active--;
      keyed.active--;
      if (keyed.aside.size > 0) this.#roomy.add(keyed);
      if (connection !== null) closed = this.#keep(connection, keyed, expires);
    } else this.#unqueue(place, keyed);
    const next = this.#waiting === 0 ? NONE : this.#grantNext();
    this.#forgetIfUnused(keyed);
    return next.length === 0 && closed.length === 0 ? NOTHING : { granted: next, closed };
  }

  /** Forgets an idle connection that closed. */
  forget(connection: C): void {
    const entry = this.#idle.get(connection);
    if (entry === undefined) return;
    this.#idle.delete(connection);
    const { keyed } = entry;
    keyed.idle.splice(keyed.idle.indexOf(connection), 1);
    this.#forgetIfUnused(keyed);
  }

  /** Takes out the idle connections whose time is over. */
  expire(now: number): C[] {
    const expired: C[] = [];
    for (const [connection, { expires }] of this.#idle) {
      if (expires <= now) expired.push(connection);
    }
    for (const connection of expired) this.forget(connection);
    return expired;
  }

  /** When the next idle connection expires; Infinity when none does. */
  nextExpiry(): number {
    let next = Infinity;
    for (const { expires } of this.#idle.values()) next = Math.min(next, expires);
    return next;
  }

  /** Takes out all idle connections. */
  clear(): C[] {
    return this.expire(Infinity);
  }

  #hasRoom(keyed: Keyed<C>): boolean {
    return keyed.active < this.#limits.maxActivePerKey;
  }

  #grant(place: Place<C>, keyed: Keyed<C>): void {
    place.state = State.GRANTED;
    this.#active++;
    keyed.active++;
    if (place.fresh) return;
    const connection = keyed.idle.pop();
    if (connection === undefined) return;
    this.#idle.delete(connection);
    place.connection = connection;
  }

  // Returns what has to go for it.
  #keep(connection: C, keyed: Keyed<C>, expires: number): C[] {
    const { maxIdle, maxIdlePerKey } = this.#limits;
    if (maxIdle === 0 || maxIdlePerKey === 0) return [connection];
    let victim: C | undefined;
    if (keyed.idle.length >= maxIdlePerKey) victim = keyed.idle[0];
    else if (this.#idle.size >= maxIdle) [victim] = this.#idle.keys();
    keyed.idle.push(connection);
    this.#idle.set(connection, { keyed, expires });
    if (victim === undefined) return NONE;
    this.forget(victim);
    return [victim];
  }

  #grantNext(): Place<C>[] {
    const granted: Place<C>[] = [];
    while (this.#active < this.#limits.maxActive) {
      const place = this.#first();
      if (place === null) break;
      const keyed = this.#keys.get(place.key)!;
      this.#unqueue(place, keyed);
      this.#grant(place, keyed);
      if (!this.#hasRoom(keyed)) this.#roomy.delete(keyed);
      granted.push(place);
    }
    return granted;
  }

  // Who is next; null when all keys that are waited for are at their limits. Each place is put
  // aside once at most, so a long queue of one key does not slow down the others.
  #first(): Place<C> | null {
    let first: Place<C> | null = null;
    for (const place of this.#queue) {
      const keyed = this.#keys.get(place.key)!;
      if (this.#hasRoom(keyed)) {
        first = place;
        break;
      }
      this.#queue.delete(place);
      keyed.aside.add(place);
    }
    for (const { aside } of this.#roomy) {
      const [place] = aside;
      if (first === null || place!.order < first.order) first = place!;
    }
    return first;
  }

  #unqueue(place: Place<C>, keyed: Keyed<C>): void {
    this.#waiting--;
    keyed.waiting--;
    this.#queue.delete(place);
    if (keyed.aside.delete(place) && keyed.aside.size === 0) this.#roomy.delete(keyed);
  }

  #forgetIfUnused(keyed: Keyed<C>): void {
    if (keyed.active > 0 || keyed.idle.length > 0 || keyed.waiting > 0) return;
    this.#keys.delete(keyed.key);
  }
}

const NONE: never[] = [];
const NOTHING: PoolActions<never> = { granted: NONE, closed: NONE };
