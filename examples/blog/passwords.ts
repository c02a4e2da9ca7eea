// Runs in a worker: scrypt takes its time and its memory, or it would be no use.
import { Buffer } from "node:buffer";
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";

const LENGTH = 32;
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 << 20 }; // 32 MB, about 100 ms

/** Returns what can be kept of a password. */
export function hashPassword(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password.normalize("NFC"), salt, LENGTH, COST);
  return `${salt.toString("base64")}:${hash.toString("base64")}`;
}

/**
 * Tells whether a password is the one that was hashed. Null is the hash of nobody: that takes as
 * long, so that the time does not tell which names there are.
 */
export function isPassword(password: string, kept: string | null): boolean {
  const [salt, hash] = (kept ?? ":").split(":").map((part) => Buffer.from(part, "base64"));
  const given = scryptSync(password.normalize("NFC"), salt!, LENGTH, COST);
  return hash!.length === LENGTH && timingSafeEqual(given, hash!);
}
