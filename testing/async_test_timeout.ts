const VARIABLE = "ASYNC_TEST_TIMEOUT";
const DEFAULT_MS = 5000;

/**
 * Returns the time that an asynchronous test has, in ms: what the variable `ASYNC_TEST_TIMEOUT`
 * of the environment says, for slow machines, else 5000.
 *
 * @example
 * ```ts
 * import { getAsyncTestTimeout } from "@waterspout/waterspout/testing";
 * import { assert } from "@std/assert";
 *
 * assert(getAsyncTestTimeout() > 0);
 * ```
 */
export function getAsyncTestTimeout(): number {
  return fromEnvironment() ?? DEFAULT_MS;
}

/** Returns the time of a test that asks for `own` ms: never less than the environment says. @ignore */
export function _testTimeout(own: number | undefined): number {
  return own === undefined ? getAsyncTestTimeout() : Math.max(own, fromEnvironment() ?? 0);
}

function fromEnvironment(): number | null {
  const { state } = Deno.permissions.querySync({ name: "env", variable: VARIABLE });
  const ms = state === "granted" ? Number.parseFloat(Deno.env.get(VARIABLE) ?? "") : NaN;
  return ms >= 0 ? ms : null;
}
