import { ending, format } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";
import { assertEquals } from "./equality.ts";

/** An array or what looks like one, but not a string. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** Throws unless every value of `expected` is, in structure, in `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const values = Array.from(actual);
  const missing = Array.from(expected)
    .filter((wanted) => !values.some((value) => equal(wanted, value)));
  if (missing.length === 0) return;
  throw new AssertionError(
    `Expected actual: "${format(actual)}" to include: "${format(expected)}"${
      ending(msg)
    }\nmissing: ${format(missing)}`,
  );
}

/** Throws unless `actual` contains `expected`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${ending(msg)}`,
  );
}

/** Throws unless `expected` matches `actual`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${ending(msg)}`,
  );
}

/** Throws unless all that `expected` has is, at any depth, in `actual` too. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- the signature that callers rely on
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  const seen = new WeakMap<object, object>();
  assertEquals(
    project(actual, expected, seen),
    project(expected, expected, new WeakMap()),
    msg,
  );
}

type Loose = Record<PropertyKey, unknown>;

/** Copies of `value` what `pattern` has a key for, so that the rest is not compared. */
function project(
  value: Loose,
  pattern: Loose,
  seen: WeakMap<object, object>,
): Loose {
  if (seen.get(value) === pattern) return value; // a cycle
  seen.set(value, pattern);
  const result: Loose = {};
  for (const key of Reflect.ownKeys(value)) {
    if (key in pattern) {
      result[key] = projectMember(value[key], pattern[key], seen);
    }
  }
  return result;
}

function projectMember(
  value: unknown,
  pattern: unknown,
  seen: WeakMap<object, object>,
): unknown {
  if (!isObject(value) || !isObject(pattern) || value instanceof RegExp) {
    return value;
  }
  if (value instanceof Map && pattern instanceof Map) {
    return new Map(
      [...value].filter(([key]) => pattern.has(key)).map((
        [key, member],
      ) => [key, projectMember(member, pattern.get(key), seen)]),
    );
  }
  if (value instanceof Set && pattern instanceof Set) {
    return value.intersection(pattern);
  }
  if (Array.isArray(value) !== Array.isArray(pattern)) return value;
  return Array.isArray(value)
    ? project({ ...value }, { ...pattern as unknown[] }, seen)
    : project(value as Loose, pattern as Loose, seen);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
