import { difference, ending, format } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/** Throws unless `actual` and `expected` are equal in structure. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${ending(msg)}` +
      difference(textOf(actual), textOf(expected)),
  );
}

/** Throws when `actual` and `expected` are equal in structure. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ${format(expected)}${ending(msg)}`,
  );
}

/** Throws unless `actual` is `expected`, as `Object.is` sees it. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const actualText = textOf(actual);
  const expectedText = textOf(expected);
  if (actualText === expectedText) {
    throw new AssertionError(
      `Values have the same structure but are not reference-equal${ending(msg)}\n\n${actualText}\n`,
    );
  }
  throw new AssertionError(
    `Values are not strictly equal${ending(msg)}` +
      difference(actualText, expectedText),
  );
}

/** A string stands as it is, so that its lines are compared one by one. */
function textOf(value: unknown): string {
  return typeof value === "string" && value.includes("\n") ? value : format(value);
}
