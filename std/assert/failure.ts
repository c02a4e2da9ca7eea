import { stripVTControlCharacters } from "node:util";
import { ending } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** A class of errors, abstract ones too. */
// deno-lint-ignore no-explicit-any -- an error class with any parameters
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/**
 * Throws unless `error` is an `Error`, of `ErrorClass` when that is given, with a
 * message that `msgMatches` fits.
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object${ending(msg)}`,
    );
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}"${
        ending(msg)
      }`,
    );
  }
  if (!msgMatches) return;
  const text = stripVTControlCharacters(error.message);
  const fits = typeof msgMatches === "string"
    ? text.includes(stripVTControlCharacters(msgMatches))
    : msgMatches.test(text);
  if (fits) return;
  throw new AssertionError(
    `Expected error message to include ${
      typeof msgMatches === "string" ? JSON.stringify(msgMatches) : msgMatches
    }, but got ${JSON.stringify(error.message)}${ending(msg)}`,
  );
}

/** Throws unless `fn` throws; gives what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Throws unless `fn` throws an error of `ErrorClass` whose message contains
 * `msgIncludes`; gives that error.
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const expected = expectation(classOrMsg, msgIncludes, msg);
  try {
    fn();
  } catch (error) {
    check(error, expected, "thrown");
    return error;
  }
  throw new AssertionError(
    `Expected function to throw${ending(expected.msg)}`,
  );
}

/** Rejects unless the promise of `fn` rejects; gives what it rejected with. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/**
 * Rejects unless the promise of `fn` rejects with an error of `ErrorClass` whose
 * message contains `msgIncludes`; gives that error.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const expected = expectation(classOrMsg, msgIncludes, msg);
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch {
    // Told apart below: to throw at once is not to reject.
  }
  if (typeof promise !== "object" || typeof promise?.then !== "function") {
    throw new AssertionError(
      `Function throws when expected to reject${ending(expected.msg)}`,
    );
  }
  try {
    await promise;
  } catch (error) {
    check(error, expected, "rejected");
    return error;
  }
  throw new AssertionError(
    `Expected function to reject${ending(expected.msg)}`,
  );
}

interface Expectation<E extends Error> {
  readonly ErrorClass: ErrorClass<E> | undefined;
  readonly msgIncludes: string | undefined;
  readonly msg: string | undefined;
}

function expectation<E extends Error>(
  classOrMsg: ErrorClass<E> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): Expectation<E> {
  return typeof classOrMsg === "string"
    ? { ErrorClass: undefined, msgIncludes: undefined, msg: classOrMsg }
    : { ErrorClass: classOrMsg, msgIncludes, msg };
}

/** Without a class anything that was thrown will do, its message is not looked at. */
function check<E extends Error>(
  error: unknown,
  { ErrorClass, msgIncludes, msg }: Expectation<E>,
  how: string,
): void {
  if (!ErrorClass) return;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${how}${ending(msg)}`);
  }
  assertIsError(error, ErrorClass, msgIncludes, msg);
}
