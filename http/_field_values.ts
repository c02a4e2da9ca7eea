// Values of the fields that decide how a message is read, straight from its bytes.
// All of them expect bytes of class FIELD_VALUE, blanks around the value trimmed.

import { COMMA, HTAB, SP } from "./_bytes.ts";

const ZERO = 0x30;

/** Spells `word`, which is in lower case, as bytes for {@linkcode isWord}. */
export function wordBytes(word: string): Uint8Array {
  return new TextEncoder().encode(word);
}

/**
 * Tells whether `bytes[start..end)` is `word` in any case.
 *
 * Setting bit 5 lowers letters and keeps digits and `-`; only control characters,
 * which no token or field value holds, could be mistaken for those.
 */
export function isWord(
  bytes: Uint8Array,
  start: number,
  end: number,
  word: Uint8Array,
): boolean {
  if (end - start !== word.length) return false;
  for (let at = 0; at < word.length; at++) {
    if ((bytes[start + at]! | 0x20) !== word[at]) return false;
  }
  return true;
}

/**
 * Reads a Content-Length, which may be a list of equal numbers (RFC 9110 8.6).
 *
 * @returns the length, or -1 when the value is malformed, contradicts itself or is above 2^53-1.
 */
export function readContentLength(
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let length = -1;
  for (let at = start;; at++) {
    at = skipBlanks(bytes, at, end);
    const first = at;
    let value = 0;
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === first || value > Number.MAX_SAFE_INTEGER) return -1;
    if (length !== -1 && value !== length) return -1;
    length = value;
    at = skipBlanks(bytes, at, end);
    if (at === end) return length;
    if (bytes[at] !== COMMA) return -1;
  }
}

/** What {@linkcode readConnection} found; bits, because the field may come several times. */
export const ConnectionOption = {
  CLOSE: 1,
  KEEP_ALIVE: 2,
  UPGRADE: 4,
} as const;

const CLOSE = wordBytes("close");
const KEEP_ALIVE = wordBytes("keep-alive");
const UPGRADE = wordBytes("upgrade");

/** Reads the options in a Connection field that concern the connection itself (RFC 9110 7.6.1). */
export function readConnection(
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let options = 0;
  for (let at = start; at < end; at++) {
    at = skipBlanks(bytes, at, end);
    const first = at;
    while (at < end && bytes[at] !== COMMA) at++;
    const last = trimBlanks(bytes, first, at);
    if (isWord(bytes, first, last, CLOSE)) options |= ConnectionOption.CLOSE;
    else if (isWord(bytes, first, last, KEEP_ALIVE)) {
      options |= ConnectionOption.KEEP_ALIVE;
    } else if (isWord(bytes, first, last, UPGRADE)) {
      options |= ConnectionOption.UPGRADE;
    }
  }
  return options;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
  return at;
}

/** Gives the end of `bytes[start..end)` without the blanks and tabs that close it. */
export function trimBlanks(
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;
  return at;
}
