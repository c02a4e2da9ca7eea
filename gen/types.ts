import type { Future } from "../ioloop/mod.ts";
import type { YieldPoint } from "./yield_point.ts";

/**
 * Is the type of a generator that a coroutine runs, with its result. Annotate a generator
 * method with it when it uses a plain `yield`: that one gives `any`, where `yield*` gives
 * the type of what was waited for.
 */
// deno-lint-ignore no-explicit-any -- a plain `yield` has whatever type its variable says
export type CoroutineGenerator<T = void> = Generator<unknown, T, any>;

/** Is what a coroutine may yield to get a `T`. */
export type Yieldable<T> =
  | PromiseLike<T>
  | YieldPoint<T>
  | CoroutineGenerator<T>
  | { readonly [K in keyof T]: Yieldable<T[K]> };

/**
 * Is what may be waited for as far as the compiler can tell: an object, whose class may be one
 * that was registered, or nothing. Text and numbers never are.
 */
export type MaybeYieldable = object | null | undefined;

/** Is several of these. */
export type MaybeYieldables = readonly MaybeYieldable[] | Readonly<Record<string, MaybeYieldable>>;

/** Is the type of the result of yielding a `Y`. */
export type Yielded<Y> = Y extends Future<infer T> ? T
  : Y extends YieldPoint<infer T> ? T
  // deno-lint-ignore no-explicit-any -- any generator
  : Y extends Generator<any, infer T, any> ? T
  : Y extends PromiseLike<infer T> ? T
  : Y extends null | undefined ? undefined
  : Y extends readonly unknown[] | Readonly<Record<string, unknown>>
    ? { -readonly [K in keyof Y]: Yielded<Y[K]> }
  : unknown;
