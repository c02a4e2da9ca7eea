import { STATUS_TEXT } from "@std/http/status";

/**
 * Reason phrases by status code, as registered.
 *
 * @example Look a phrase up
 * ```ts
 * import { reasonPhrase, responses } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(responses[404], "Not Found");
 * assertEquals(responses[299], undefined);
 * assertEquals(reasonPhrase(299), "Unknown");
 * ```
 */
export const responses: Readonly<Record<number, string>> = STATUS_TEXT;

/** Gives the reason phrase of a status code, `Unknown` for one that is not registered. */
export function reasonPhrase(code: number): string {
  return responses[code] ?? "Unknown";
}
