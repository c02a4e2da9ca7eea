import { ending } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** Fails the test, with `msg`. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${ending(msg)}`);
}

/** Fails the test because code ran that should never run. */
export function unreachable(msg?: string): never {
  throw new AssertionError(`Unreachable${ending(msg)}`);
}
