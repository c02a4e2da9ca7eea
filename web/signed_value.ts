// A signed value carries its text in the open, with a time and a signature over both, the name
// included, so that a value cannot be moved to another cookie.
//
//   version 1: base64 | seconds | HMAC-SHA1 over name, base64 and seconds, run together
//   version 2: 2 | length:key version | length:seconds | length:name | length:base64 | HMAC-SHA256
//              over all before it; lengths are in bytes
//
// Version 1 has no lengths, so the border between its base64 and its seconds can be moved under
// the same signature: hence its limits on times ahead and on leading zeros.
import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { genLog } from "../ioloop/mod.ts";
import type { Data } from "../iostream/mod.ts";

/** Is a key that signs, or several by number, of which one signs and all verify. */
export type CookieSecret = Data | Readonly<Record<number, Data>>;

/** Options of {@linkcode createSignedValue}. */
export interface SignOptions {
  /**
   * The format, 1 or 2.
   *
   * @default {2}
   */
  version?: number | undefined;
  /** Returns the time, in ms since the epoch; by default `Date.now`. */
  clock?: (() => number) | undefined;
  /** Which of several keys signs. */
  keyVersion?: number | undefined;
}

/** Options of {@linkcode decodeSignedValue}. */
export interface VerifyOptions {
  /**
   * The days after which a value is no longer taken.
   *
   * @default {31}
   */
  maxAgeDays?: number | undefined;
  /** Returns the time, in ms since the epoch; by default `Date.now`. */
  clock?: (() => number) | undefined;
  /**
   * The oldest format that is taken, 1 or 2.
   *
   * @default {1}
   */
  minVersion?: number | undefined;
}

/** The oldest format that is known. */
export const MIN_SUPPORTED_SIGNED_VALUE_VERSION = 1;
/** The newest format that is known. */
export const MAX_SUPPORTED_SIGNED_VALUE_VERSION = 2;
/** The format that values are signed in. */
export const DEFAULT_SIGNED_VALUE_VERSION = 2;
/** The oldest format that is taken. */
export const DEFAULT_SIGNED_VALUE_MIN_VERSION = 1;

const DAY = 86_400; // in seconds
const MAX_AHEAD = 31 * DAY;
const BASE64_REGEXP = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Signs a value, bound to `name` and the time. Everybody can read it; nobody without the key
 * can make another.
 *
 * @example Sign and verify
 * ```ts
 * import { createSignedValue, decodeSignedValue } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const signed = createSignedValue("a long random key", "user", "ada");
 * const bytes = decodeSignedValue("a long random key", "user", signed);
 * assertEquals(new TextDecoder().decode(bytes!), "ada");
 * assertEquals(decodeSignedValue("a long random key", "admin", signed), null);
 * ```
 *
 * @throws {RangeError} when the version is not known.
 * @throws {TypeError} when there are several keys and `keyVersion` names none of them, or the
 *   version is 1: it does not say which key signed.
 */
export function createSignedValue(
  secret: CookieSecret,
  name: string,
  value: Data,
  { version = DEFAULT_SIGNED_VALUE_VERSION, clock = Date.now, keyVersion }: SignOptions = {},
): string {
  const seconds = String(Math.floor(clock() / 1000));
  const base64 = Buffer.from(value as Uint8Array).toString("base64");
  if (version === 1) {
    if (!isKey(secret)) {
      throw new TypeError("Cannot sign: several keys need version 2, which says who signed");
    }
    return `${base64}|${seconds}|${signature1(secret, name, base64, seconds)}`;
  }
  if (version !== 2) throw new RangeError(`Cannot sign: version ${version} is not known`);
  const fields = [String(keyVersion ?? 0), seconds, name, base64];
  const signed = `2|${fields.map((field) => `${Buffer.byteLength(field)}:${field}`).join("|")}|`;
  return signed + signature2(signingKey(secret, keyVersion), signed);
}

/**
 * Returns what was signed; null when it was not signed with this key and name, was signed too
 * long ago, or is no signed value at all.
 *
 * @throws {RangeError} when `minVersion` is beyond the versions that are known.
 */
export function decodeSignedValue(
  secret: CookieSecret,
  name: string,
  value: Data | null | undefined,
  {
    maxAgeDays = 31,
    clock = Date.now,
    minVersion = DEFAULT_SIGNED_VALUE_MIN_VERSION,
  }: VerifyOptions = {},
): Uint8Array | null {
  if (minVersion > MAX_SUPPORTED_SIGNED_VALUE_VERSION) {
    throw new RangeError(`Cannot verify: version ${minVersion} is not known`);
  }
  if (value === null || value === undefined || value.length === 0) return null;
  const bytes = Buffer.from(value as Uint8Array);
  const version = versionOf(bytes);
  if (version < minVersion) return null;
  const now = clock() / 1000;
  const oldest = now - maxAgeDays * DAY;
  if (version === 1) return decode1(secret, name, bytes.toString("latin1"), now, oldest);
  if (version === 2) return decode2(secret, name, bytes, oldest);
  return null;
}

/** Returns which key signed a value, null when it does not say. Nothing is verified. */
export function getSignatureKeyVersion(value: Data): number | null {
  const bytes = Buffer.from(value as Uint8Array);
  return versionOf(bytes) === 2 ? splitFields(bytes)?.keyVersion ?? null : null;
}

function decode1(
  secret: CookieSecret,
  name: string,
  text: string,
  now: number,
  oldest: number,
): Uint8Array | null {
  const [base64, seconds, signature, ...rest] = text.split("|");
  if (signature === undefined || rest.length > 0 || !isKey(secret)) return null;
  if (!sameText(signature, signature1(secret, name, base64!, seconds!))) {
    genLog.warn("Invalid signature of cookie {name}", { name });
    return null;
  }
  const time = parseInt(seconds!, 10);
  if (!(time >= oldest)) {
    genLog.warn("Expired cookie {name}", { name });
    return null;
  }
  if (time > now + MAX_AHEAD || seconds!.startsWith("0")) {
    genLog.warn("Cookie {name} was probably tampered with: its time is ahead", { name });
    return null;
  }
  return fromBase64(base64!);
}

function decode2(
  secret: CookieSecret,
  name: string,
  bytes: Buffer,
  oldest: number,
): Uint8Array | null {
  const fields = splitFields(bytes);
  if (fields === null) return null;
  const key = isKey(secret) ? secret : secret[fields.keyVersion];
  if (key === undefined) return null;
  const signed = bytes.subarray(0, bytes.length - fields.signature.length);
  if (!sameText(fields.signature, signature2(key, signed))) return null;
  if (fields.name !== name || fields.seconds < oldest) return null;
  return fromBase64(fields.base64);
}

interface Fields {
  readonly keyVersion: number;
  readonly seconds: number;
  readonly name: string;
  readonly base64: string;
  readonly signature: string;
}

// Takes version 2 apart; null when it is not well formed.
function splitFields(bytes: Buffer): Fields | null {
  const fields: string[] = [];
  let at = 2; // behind "2|"
  while (fields.length < 4) {
    const colon = bytes.indexOf(":", at);
    const digits = colon === -1 ? "" : bytes.toString("latin1", at, colon);
    if (!/^[0-9]{1,6}$/.test(digits)) return null;
    const end = colon + 1 + Number(digits);
    if (bytes[end] !== 0x7c) return null; // "|"
    fields.push(bytes.toString("utf8", colon + 1, end));
    at = end + 1;
  }
  const [keyVersion, seconds, name, base64] = fields as [string, string, string, string];
  if (!/^[0-9]+$/.test(keyVersion) || !/^[0-9]+$/.test(seconds)) return null;
  const signature = bytes.toString("latin1", at);
  return { keyVersion: Number(keyVersion), seconds: Number(seconds), name, base64, signature };
}

// A number in front of the first "|" is the version. One of more than three digits is text that
// was signed before there were versions.
function versionOf(bytes: Buffer): number {
  const digits = /^([1-9][0-9]{0,2})\|/.exec(bytes.toString("latin1", 0, 4));
  return digits === null ? 1 : Number(digits[1]);
}

function signingKey(secret: CookieSecret, keyVersion: number | undefined): Data {
  if (isKey(secret)) return secret;
  const key = keyVersion === undefined ? undefined : secret[keyVersion];
  if (key === undefined) {
    throw new TypeError(
      `Cannot sign: keyVersion must name one of the keys ${Object.keys(secret).join(", ")}, ` +
        `got ${keyVersion}`,
    );
  }
  return key;
}

function isKey(secret: CookieSecret): secret is Data {
  return typeof secret === "string" || secret instanceof Uint8Array;
}

function signature1(key: Data, ...parts: string[]): string {
  const hmac = createHmac("sha1", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

function signature2(key: Data, signed: Data): string {
  return createHmac("sha256", key).update(signed).digest("hex");
}

function sameText(one: string, other: string): boolean {
  const bytes = Buffer.from(one);
  const others = Buffer.from(other);
  return bytes.length === others.length && timingSafeEqual(bytes, others);
}

function fromBase64(base64: string): Uint8Array | null {
  return BASE64_REGEXP.test(base64) ? new Uint8Array(Buffer.from(base64, "base64")) : null;
}
