import { _currentOwner } from "../ioloop/future.ts";
import { type CancelledError, Future } from "../ioloop/mod.ts";
import { YieldPoint } from "./yield_point.ts";
import type { YieldPointRunner } from "./yield_point.ts";

class YieldFuturePoint<T> extends YieldPoint<T> {
  readonly #future: Future<T>;
  readonly #owner = _currentOwner();
  #runner: YieldPointRunner | null = null; // there while it is waited for

  constructor(future: Future<T>) {
    super();
    this.#future = future;
  }

  start(runner: YieldPointRunner): void {
    if (this.#future.done()) return;
    this.#runner = runner;
    runner.registerCallback(this);
    this.#future._listen({ _settled: () => runner.setResult(this, undefined) });
  }

  isReady(): boolean {
    return this.#runner === null || this.#runner.isReady(this);
  }

  override _cancel(error: CancelledError): void {
    if (this.#future._owner === this.#owner) this.#future.cancel(error);
  }

  getResult(): T {
    this.#runner?.popResult(this);
    this.#runner = null;
    return this.#future.result();
  }
}

/**
 * Makes a {@linkcode YieldPoint} of a Future or promise, for code that takes nothing else. A
 * coroutine can yield the Future itself.
 */
export function YieldFuture<T>(future: PromiseLike<T>): YieldFuture<T> {
  return new YieldFuturePoint<T>(Future.from(future));
}

/** Is the type of `YieldFuture(future)`. */
export type YieldFuture<T> = YieldPoint<T>;
