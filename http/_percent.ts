// Percent-encoding (RFC 3986 2.1) on binary strings, which have one character per byte.

import { Buffer } from "node:buffer";
import { HEX } from "./_bytes.ts";
import { latin1 } from "./_latin1.ts";

const PERCENT = 0x25;
const PLUS = 0x2b;
const BLANK = 0x20;

const RESERVED_REGEXP = /[^\w.~-]/g;

const encoder = new TextEncoder();

/** Gives text in UTF-8, or bytes as they are, as a binary string. */
export function binaryString(data: string | Uint8Array): string {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  return latin1(bytes, 0, bytes.length);
}

/** Encodes all but letters, digits and `_.-~`; with `plus` a blank becomes `+`, without it `/` stays. */
export function percentEncode(binary: string, plus: boolean): string {
  return binary.replace(RESERVED_REGEXP, (char) => {
    if (plus && char === " ") return "+";
    if (!plus && char === "/") return "/";
    return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

/** Decodes `%XX`, and with `plus` a `+` as a blank; a `%` without two digits stays. */
export function percentDecode(
  binary: string,
  plus: boolean,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length);
  if (!binary.includes("%") && !(plus && binary.includes("+"))) {
    Buffer.prototype.latin1Write.call(bytes, binary, 0, binary.length);
    return bytes;
  }
  let length = 0;
  for (let at = 0; at < binary.length; at++) {
    let byte = binary.charCodeAt(at);
    if (byte === PERCENT && at + 2 < binary.length) {
      const high = HEX[binary.charCodeAt(at + 1)]!;
      const low = HEX[binary.charCodeAt(at + 2)]!;
      if (high < 16 && low < 16) {
        byte = high << 4 | low;
        at += 2;
      }
    } else if (byte === PLUS && plus) byte = BLANK;
    bytes[length++] = byte;
  }
  return bytes.slice(0, length);
}
