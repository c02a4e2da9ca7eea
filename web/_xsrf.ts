// The token against forged requests, in its two written forms. What a page carries and what the
// cookie holds are equal once decoded; version 2 is masked anew each time, so that a compressed
// page does not give the token away by its length.
//
//   version 1: the token in hex; any other text stands for its own bytes
//   version 2: 2 | mask, 8 hex | token xor mask, hex | seconds
import { Buffer } from "node:buffer";
import { randomBytes, timingSafeEqual } from "node:crypto";

/** Is a token, and when it was made. */
export interface XsrfToken {
  readonly bytes: Uint8Array;
  /** In seconds since the epoch. */
  readonly seconds: number;
}

/** Makes a new token. */
export function makeXsrfToken(): XsrfToken {
  return { bytes: randomBytes(16), seconds: now() };
}

/** Writes a token. */
export function encodeXsrfToken(token: XsrfToken, version: number): string {
  const bytes = Buffer.from(token.bytes);
  if (version === 1) return bytes.toString("hex");
  if (version !== 2) {
    throw new RangeError(`Cannot make an XSRF token: expected version 1 or 2, got ${version}`);
  }
  const mask = randomBytes(4);
  return ["2", mask.toString("hex"), xor(bytes, mask).toString("hex"), token.seconds].join("|");
}

/** Reads a token; null when it is none. */
export function decodeXsrfToken(text: string): XsrfToken | null {
  if (!/^[1-9][0-9]*\|/.test(text)) {
    if (text === "") return null;
    const isHex = /^(?:[0-9a-fA-F]{2})+$/.test(text);
    return { bytes: Buffer.from(text, isHex ? "hex" : "utf8"), seconds: now() };
  }
  const parts = /^2\|([0-9a-f]{8})\|((?:[0-9a-f]{2})+)\|([0-9]+)$/i.exec(text);
  if (parts === null) return null;
  const masked = Buffer.from(parts[2]!, "hex");
  return { bytes: xor(masked, Buffer.from(parts[1]!, "hex")), seconds: Number(parts[3]) };
}

/** Compares two tokens, in a time that says nothing about them. */
export function sameXsrfToken(one: XsrfToken, other: XsrfToken): boolean {
  return one.bytes.length === other.bytes.length && timingSafeEqual(one.bytes, other.bytes);
}

function xor(bytes: Buffer, mask: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, i) => byte ^ mask[i % 4]!));
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
