/**
 * Returns the code of an error of the operating system, such as `"ECONNRESET"`; null for any
 * other value.
 *
 * @example A file that is not there
 * ```ts
 * import { errorCode } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * const error = await Deno.stat("no such file").catch((error) => error);
 * assertEquals(errorCode(error), "ENOENT");
 * ```
 */
export function errorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as Error & { code?: unknown };
  return typeof code === "string" ? code : null;
}
