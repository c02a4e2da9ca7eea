import { YieldPoint } from "./yield_point.ts";
import type { YieldPointRunner } from "./yield_point.ts";

/** Is what `Callback(key)` returns: a function whose call satisfies `Wait(key)`. */
// deno-lint-ignore no-explicit-any -- the caller of a callback decides what it passes
export type ResultCallback = (...args: any[]) => void;

class CallbackPoint extends YieldPoint<ResultCallback> {
  readonly #key: unknown;
  #runner: YieldPointRunner | null = null;

  constructor(key: unknown) {
    super();
    this.#key = key;
  }

  start(runner: YieldPointRunner): void {
    runner.registerCallback(this.#key);
    this.#runner = runner;
  }

  isReady(): boolean {
    return true;
  }

  getResult(): ResultCallback {
    return this.#runner!.resultCallback(this.#key);
  }
}

class WaitPoint<T> extends YieldPoint<T> {
  readonly #key: unknown;
  #runner: YieldPointRunner | null = null;

  constructor(key: unknown) {
    super();
    this.#key = key;
  }

  start(runner: YieldPointRunner): void {
    this.#runner = runner;
  }

  isReady(): boolean {
    return this.#runner!.isReady(this.#key);
  }

  getResult(): T {
    return this.#runner!.popResult(this.#key) as T;
  }
}

class WaitAllPoint<T extends readonly unknown[]> extends YieldPoint<T> {
  readonly #waits: readonly WaitPoint<unknown>[];

  constructor(keys: readonly unknown[]) {
    super();
    this.#waits = keys.map((key) => new WaitPoint(key));
  }

  start(runner: YieldPointRunner): void {
    for (const wait of this.#waits) wait.start(runner);
  }

  isReady(): boolean {
    return this.#waits.every((wait) => wait.isReady());
  }

  getResult(): T {
    return this.#waits.map((wait) => wait.getResult()) as unknown as T;
  }
}

/**
 * Yielded, gives a function whose call satisfies {@linkcode Wait} of the same key.
 *
 * @example Start now, wait later
 * ```ts
 * import { Callback, coroutine, Wait } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const main = coroutine(function* () {
 *   queueMicrotask((yield* Callback("key")).bind(null, 42));
 *   return yield* Wait<number>("key");
 * });
 * assertEquals(await main(), 42);
 * ```
 */
export function Callback(key: unknown): Callback {
  return new CallbackPoint(key);
}

/** Is the type of `Callback(key)`. */
export type Callback = YieldPoint<ResultCallback>;

/**
 * Yielded, waits for the call of the function that {@linkcode Callback} of the same key gave.
 * The result is `undefined`, the argument of the call or, if there were several,
 * {@linkcode Arguments}.
 */
export function Wait<T = unknown>(key: unknown): Wait<T> {
  return new WaitPoint<T>(key);
}

/** Is the type of `Wait(key)`. */
export type Wait<T = unknown> = YieldPoint<T>;

/** Yielded, waits for several keys; the results come in the order of the keys. */
export function WaitAll<T extends readonly unknown[] = unknown[]>(
  keys: readonly unknown[],
): WaitAll<T> {
  return new WaitAllPoint<T>(keys);
}

/** Is the type of `WaitAll(keys)`. */
export type WaitAll<T extends readonly unknown[] = unknown[]> = YieldPoint<T>;
