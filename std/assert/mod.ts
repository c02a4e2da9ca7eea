/**
 * A stand-in for the assertions of JSR, for a clone that cannot reach it.
 *
 * Names, signatures and behaviour are those of version 1 of the real package; the
 * texts of failures may differ. It holds the assertions that tests are usually written with.
 *
 * @module
 */
export { assert } from "./assert.ts";
export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export { assertEquals, assertNotEquals, assertStrictEquals } from "./equality.ts";
export { fail, unreachable } from "./fail.ts";
export { assertIsError, assertRejects, assertThrows } from "./failure.ts";
export {
  type ArrayLikeArg,
  assertArrayIncludes,
  assertMatch,
  assertObjectMatch,
  assertStringIncludes,
} from "./inclusion.ts";
export {
  assertAlmostEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "./order.ts";
export {
  type AnyConstructor,
  assertExists,
  assertInstanceOf,
  type GetConstructorType,
} from "./type.ts";
