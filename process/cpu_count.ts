/**
 * Tells how many processors this process may use, at least 1. On Linux that heeds the processors
 * that it is bound to, and the quota of its container.
 *
 * @example
 * ```ts
 * import { cpuCount } from "@waterspout/waterspout/process";
 * import { assert } from "@std/assert";
 *
 * assert(cpuCount() >= 1);
 * ```
 */
export function cpuCount(): number {
  return Math.max(1, navigator.hardwareConcurrency);
}
