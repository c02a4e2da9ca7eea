// UTF-8 that comes in pieces, cut anywhere, refused at the first byte that no
// valid text could hold there; and text out of bytes that are known or hoped
// to be valid.
//
// The machine is a table: next state = TABLE[state << 8 | byte]. A state says
// what must follow for the character under way to be complete:
//
//   START   nothing: between characters
//   TAIL_n  n bytes 80..BF
//   E0, ED  one byte 80..BF behind a second byte that is narrower, because
//           E0 80..9F would be overlong and ED A0..BF a surrogate
//   F0, F4  two such bytes behind a narrower second byte, because F0 80..8F
//           would be overlong and F4 90..BF is above U+10FFFF
//   INVALID no way on, for ever
//
// C0, C1 and F5..FF start nothing valid, so they lead to INVALID at once.
import { Buffer } from "node:buffer";

const State = {
  START: 0,
  TAIL_1: 1,
  TAIL_2: 2,
  TAIL_3: 3,
  E0: 4,
  ED: 5,
  F0: 6,
  F4: 7,
  INVALID: 8,
} as const;

/** The state between two characters, which is also where text begins and may end. */
export const UTF8_START: number = State.START;

/** The state after a byte that cannot stand where it stood. */
export const UTF8_INVALID: number = State.INVALID;

// In state, from this byte, to this byte, goes to state: the grammar of
// RFC 3629 4. What is not listed goes to INVALID.
const TABLE = makeTable([
  [State.START, 0x00, 0x7f, State.START],
  [State.START, 0xc2, 0xdf, State.TAIL_1],
  [State.START, 0xe0, 0xe0, State.E0],
  [State.START, 0xe1, 0xec, State.TAIL_2],
  [State.START, 0xed, 0xed, State.ED],
  [State.START, 0xee, 0xef, State.TAIL_2],
  [State.START, 0xf0, 0xf0, State.F0],
  [State.START, 0xf1, 0xf3, State.TAIL_3],
  [State.START, 0xf4, 0xf4, State.F4],
  [State.TAIL_1, 0x80, 0xbf, State.START],
  [State.TAIL_2, 0x80, 0xbf, State.TAIL_1],
  [State.TAIL_3, 0x80, 0xbf, State.TAIL_2],
  [State.E0, 0xa0, 0xbf, State.TAIL_1],
  [State.ED, 0x80, 0x9f, State.TAIL_1],
  [State.F0, 0x90, 0xbf, State.TAIL_2],
  [State.F4, 0x80, 0x8f, State.TAIL_2],
]);

function makeTable(
  rows: readonly (readonly [number, number, number, number])[],
): Uint8Array {
  const table = new Uint8Array(9 * 256).fill(State.INVALID);
  for (const [state, from, to, next] of rows) {
    table.fill(next, state << 8 | from, (state << 8 | to) + 1);
  }
  return table;
}

/**
 * Takes the machine over `bytes[start..end)`.
 *
 * @returns The state behind the last byte; `UTF8_INVALID` as soon as one byte
 * is impossible.
 */
export function checkUtf8(
  bytes: Uint8Array,
  start: number,
  end: number,
  state: number,
): number {
  const lastFour = end - 4;
  for (let at = start; at < end && state !== State.INVALID;) {
    const byte = bytes[at]!;
    // Four ASCII bytes between characters in one step: 0.4 ns a byte where most
    // is ASCII, against 1.5 by the table, which costs other text 0.5.
    if (
      byte < 0x80 && state === State.START && at <= lastFour &&
      (bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) < 0x80
    ) {
      at += 4;
    } else {
      state = TABLE[state << 8 | byte]!;
      at++;
    }
  }
  return state;
}

// A Buffer's own decoders, borrowed for plain arrays. 32 bytes of ASCII cost
// 60 to 90 ns by either; a TextDecoder on a subarray costs 400 ns, and
// String.fromCharCode wins below some 12 bytes only. 64 KiB of ASCII cost
// 1.7 us by latin1Slice, 32 us by utf8Slice, 42 us by a TextDecoder.
const { latin1Slice, utf8Slice } = Buffer.prototype as unknown as Record<
  "latin1Slice" | "utf8Slice",
  (this: Uint8Array, start: number, end: number) => string
>;

/** Makes text of bytes that are known to be ASCII. */
export function asciiText(
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  return latin1Slice.call(bytes, start, end);
}

/** Makes text of bytes that are known to be UTF-8; a byte order mark stays in it. */
export function utf8Text(
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  return utf8Slice.call(bytes, start, end);
}

/** Makes text of bytes that ought to be UTF-8, or `null` of others. */
export function tryUtf8Text(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | null {
  const text = utf8Slice.call(bytes, start, end);
  // What is invalid was replaced by U+FFFD. A text with none of these is valid;
  // one that has some may have come with them, which only the machine can tell.
  const valid = !text.includes("\ufffd") ||
    checkUtf8(bytes, start, end, UTF8_START) === UTF8_START;
  return valid ? text : null;
}
