import { isIP } from "node:net";

/** Is a family of internet addresses. */
export type AddressFamily = "ipv4" | "ipv6";

/**
 * Tells whether `text` is an IPv4 or IPv6 address, written out: host names are none, nor is
 * anything with a blank around it.
 *
 * @example Addresses and what looks like them
 * ```ts
 * import { isValidIp } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * const texts = ["127.0.0.1", "::1", "localhost", " ::1"];
 * assertEquals(texts.map(isValidIp), [true, true, false, false]);
 * ```
 */
export function isValidIp(text: string): boolean {
  return familyOf(text) !== null;
}

/** Returns the family of an address that is written out; null for anything else. */
export function familyOf(text: string): AddressFamily | null {
  if (typeof text !== "string") return null;
  const version = isIP(text);
  return version === 4 ? "ipv4" : version === 6 ? "ipv6" : null;
}
