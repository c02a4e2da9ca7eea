// Deno tells when an operation has completed, never when a socket is ready. A channel
// turns the one into the other. It holds at most one read (or accept) in flight:
//
//   idle --READ wanted--> in flight --completes--> arrived --taken--> idle or in flight
//
// What arrived stays until it is taken, and nothing new is asked for before that: this
// is the back-pressure. A completion only notes the outcome and puts the channel on the
// loop's ready list; its owner is told in the loop's turn, again in each turn while
// something lies there untaken and READ is wanted (level-triggered).

/** Is the part of the loop that a channel talks to. */
export interface ChannelLoop {
  /** Puts a channel on the ready list and wakes the loop; `completed`: I/O was done. @ignore */
  _enqueue(channel: Channel<unknown>, completed: boolean): void;
}

/** Owns a channel: starts its operations and is told what they brought. */
export interface ChannelOwner<T> {
  /** Starts the next read or accept. */
  begin(): Promise<T>;
  /** Is called in the loop's turn with the events, of those wanted, that hold. */
  ready(events: number): void;
  /** Is given what arrived after the channel was closed, to free it. */
  discard?(arrived: T): void;
}

/** No event at all. */
export const NONE = 0;
/** Something arrived that can be taken: bytes, the end, a connection, or a failure. */
export const READ = 1;
/** The connection takes another write. */
export const WRITE = 4;
/** The source failed; told along with READ or WRITE. */
export const ERROR = 0x18;

const NOTHING: unique symbol = Symbol("nothing arrived");

/** Is the loop's record of one source: its interest and the operation in flight. */
export class Channel<T> {
  readonly #loop: ChannelLoop;
  readonly #owner: ChannelOwner<T>;
  #interest = NONE;
  #inFlight = false;
  #arrived: T | typeof NOTHING = NOTHING;
  #error: unknown = NOTHING; // at most one of #arrived and #error is there
  #writing = false;
  #closed = false;

  /** Whether it is on the ready list; the loop's field. @ignore */
  _queued = false;

  /** Makes a channel that wants nothing yet. */
  constructor(loop: ChannelLoop, owner: ChannelOwner<T>) {
    this.#loop = loop;
    this.#owner = owner;
  }

  /** The events that are wanted. */
  get interest(): number {
    return this.#interest;
  }

  /**
   * Says which events are wanted from now on. A read that is in flight when READ is
   * dropped cannot be called back: what it brings stays here until it is wanted again.
   */
  want(events: number): void {
    this.#interest = events;
    if (this.#closed) return;
    if (events & READ) {
      if (this.#ended()) this.#enqueue(false);
      else if (!this.#inFlight) this.#begin();
    }
    if (events & WRITE && !this.#writing) this.#enqueue(false);
  }

  /**
   * Takes what arrived: undefined when there is nothing. The next operation starts when
   * the turn is over, if READ is still wanted then.
   *
   * @throws what the operation failed with.
   */
  take(): T | undefined {
    if (this.#error !== NOTHING) {
      const error = this.#error;
      this.#error = NOTHING;
      throw error;
    }
    const arrived = this.#arrived;
    this.#arrived = NOTHING;
    return arrived === NOTHING ? undefined : arrived;
  }

  /** Whether an operation is in flight: its buffer must not be touched. */
  get inFlight(): boolean {
    return this.#inFlight;
  }

  /** Says that a write is in flight: WRITE does not hold until it ended. */
  set writing(value: boolean) {
    this.#writing = value;
    if (!value && this.#interest & WRITE && !this.#closed) this.#enqueue(true);
  }

  /** Ends the channel: whatever completes later is dropped, its owner is told nothing more. */
  close(): void {
    this.#closed = true;
    this.#interest = NONE;
    if (this.#arrived !== NOTHING) this.#owner.discard?.(this.#arrived);
    this.#arrived = NOTHING;
    this.#error = NOTHING;
  }

  /** Tells the owner which wanted events hold; called by the loop in its turn. @ignore */
  _dispatch(): void {
    this._queued = false;
    let events = NONE;
    if (this.#interest & READ && this.#ended()) events |= READ;
    if (this.#interest & WRITE && !this.#writing) events |= WRITE;
    if (events === NONE) return;
    try {
      this.#owner.ready(events);
    } finally {
      this.want(this.#interest);
    }
  }

  #ended(): boolean {
    return this.#arrived !== NOTHING || this.#error !== NOTHING;
  }

  #enqueue(completed: boolean): void {
    if (this._queued) return;
    this._queued = true;
    this.#loop._enqueue(this as Channel<unknown>, completed);
  }

  #begin(): void {
    this.#inFlight = true;
    let operation: Promise<T>;
    try {
      operation = this.#owner.begin();
    } catch (error) {
      this.#failed(error);
      return;
    }
    operation.then(this.#completed, this.#failed);
  }

  readonly #completed = (result: T): void => {
    this.#inFlight = false;
    if (this.#closed) {
      this.#owner.discard?.(result);
      return;
    }
    this.#arrived = result;
    if (this.#interest & READ) this.#enqueue(true);
  };

  readonly #failed = (error: unknown): void => {
    this.#inFlight = false;
    if (this.#closed) return;
    this.#error = error;
    // A source that fails at once, again and again, must not count as one that brings something.
    if (this.#interest & READ) this.#enqueue(false);
  };
}
