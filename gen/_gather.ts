// Waits for several Futures. Children that were created by whoever created this (the
// coroutine that yields the list) are owned: they are cancelled when one child fails or
// when this is cancelled. Children it does not own are waited for. It is done only when
// all children are: nothing it started runs on behind its back.
//
// The results stay with the children until they are read: what a queue or a lock gave goes
// back if this is cancelled before.
import { describeError } from "../ioloop/errors.ts";
import { appLog, CancelledError, Future } from "../ioloop/mod.ts";
import type { FutureListener } from "../ioloop/mod.ts";

/** An error class, as `quietExceptions` takes them. */
// deno-lint-ignore no-explicit-any -- any class of errors
export type ErrorClass = abstract new (...args: any[]) => Error;

interface Failure {
  readonly index: number;
  readonly error: unknown;
}

/** Is a Future of the results of `children`: an array, or a record when there are keys. */
export class Gather extends Future<unknown> {
  readonly #children: readonly Future<unknown>[];
  readonly #listeners: readonly FutureListener[]; // one for each child
  readonly #keys: readonly string[] | null;
  readonly #quiet: readonly ErrorClass[];
  #missing: number; // children that are not done
  #first: Failure | null = null; // what will be thrown
  readonly #others: Failure[] = []; // what will be logged
  #sameTurn = false; // while true a failure with a lower index takes precedence
  #cancelled: CancelledError | null = null;
  #results: unknown = null; // once they were read

  constructor(
    children: readonly Future<unknown>[],
    keys: readonly string[] | null,
    quiet: readonly ErrorClass[] = [],
  ) {
    super();
    this.#children = children;
    this.#keys = keys;
    this.#quiet = quiet;
    this.#missing = children.length;
    this.#listeners = children.map((child, index) => ({
      _settled: () => this.#childDone(child, index),
    }));
    if (this.#missing === 0) this.#finish();
    else children.forEach((child, index) => child._listen(this.#listeners[index]!));
  }

  override result(): unknown {
    return this._fulfilled ? this.#read() : super.result();
  }

  override get _value(): unknown {
    return this._fulfilled ? this.#read() : super._value;
  }

  /** How many it waits for. @ignore */
  override get _what(): string {
    return `${this.#children.length} at once`;
  }

  /** The child whose failure it failed with; null if it did not. @ignore */
  get _failedAs(): Future<unknown> | null {
    return this.#first === null ? null : this.#children[this.#first.index]!;
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return this.#takeBack(reason);
    this.#cancelled ??= reason instanceof CancelledError ? reason : new CancelledError(reason);
    this.#cancelOwned(this.#cancelled);
    if (this.#mayEnd()) this.#finish();
    return true;
  }

  #childDone(child: Future<unknown>, index: number): void {
    if (this.done()) return;
    if (!child._fulfilled) this.#fail({ index, error: child._value });
    this.#missing--;
    if (this.#mayEnd()) this.#finish();
  }

  // Who cancels does not wait for what is not owned: that goes on by itself.
  #mayEnd(): boolean {
    return this.#missing === 0 || this.#cancelled !== null &&
        !this.#children.some((child) => !child.done() && this.#owns(child));
  }

  #fail(failure: Failure): void {
    if (this.#first === null) {
      this.#first = failure;
      this.#sameTurn = true;
      queueMicrotask(() => {
        this.#sameTurn = false;
        this.#cancelOwned(new CancelledError("a child beside it failed"));
      });
    } else if (this.#sameTurn && failure.index < this.#first.index) {
      this.#others.push(this.#first);
      this.#first = failure;
    } else this.#others.push(failure);
  }

  #owns(child: Future<unknown>): boolean {
    return child._owner !== null && child._owner === this._owner;
  }

  // Tells whether a child could be cancelled: one that is done may take its result back.
  #cancelOwned(reason: CancelledError): boolean {
    let some = false;
    for (const child of this.#children) {
      if (this.#owns(child) && child.cancel(reason)) some = true;
    }
    return some;
  }

  #takeBack(reason: unknown): boolean {
    if (!this._fulfilled || this.#results !== null) return false;
    const error = reason instanceof CancelledError ? reason : new CancelledError(reason);
    if (!this.#cancelOwned(error)) return false;
    this._revoke(error);
    return true;
  }

  #finish(): void {
    if (this.done()) return;
    const thrown = this.#cancelled === null; // the first one is, so only others are logged
    const unseen = thrown || this.#first === null ? this.#others : [this.#first, ...this.#others];
    for (const { error } of unseen) {
      if (
        error instanceof CancelledError ||
        this.#quiet.some((type) => error instanceof type)
      ) {
        continue;
      }
      appLog.error("Multiple exceptions in yield list: {error}", {
        error: describeError(error),
      });
    }
    if (this.#cancelled !== null) this.#abandon(this.#cancelled);
    else if (this.#first !== null) this._settle(2, this.#first.error);
    else this._settle(1, undefined);
  }

  // What runs on is not its own, and a failure of that is not its business either.
  #abandon(error: CancelledError): void {
    this.#children.forEach((child, index) => child._unlisten(this.#listeners[index]!));
    this._settle(3, error);
  }

  #read(): unknown {
    if (this.#results !== null) return this.#results;
    const results = this.#children.map((child) => child._value);
    const keys = this.#keys;
    this.#results = keys === null
      ? results
      : Object.fromEntries(results.map((result, i) => [keys[i]!, result]));
    return this.#results;
  }
}
