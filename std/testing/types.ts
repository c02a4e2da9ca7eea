/**
 * Assertions on types, which the type checker makes and nothing runs.
 *
 * @module
 */

/** Takes `true` or `false`, whichever the type argument says. */
// deno-lint-ignore no-unused-vars -- only its type counts
export function assertType<T extends boolean>(expectTrue: T): void {}

/** Is `true` when `T` and `U` are the same type, told from `any` as well. */
export type IsExact<T, U> = (<X>() => X extends Flat<T> ? 1 : 2) extends
  (<X>() => X extends Flat<U> ? 1 : 2) ? true : false;

/** An intersection of records as one record, so that both spellings are the same. */
type Flat<T> = 0 extends (1 & T) ? T
  : T extends Record<PropertyKey, unknown> ? { [K in keyof T]: Flat<T[K]> }
  : T;
