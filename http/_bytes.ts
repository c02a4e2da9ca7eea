// What the byte machines of this folder share: names for bytes, and one 256-entry
// table per character class of RFC 9110 and RFC 9112 (1: the byte belongs to it).

/** Horizontal tab. */
export const HTAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Blank. */
export const SP = 0x20;
/** `,` */
export const COMMA = 0x2c;
/** `-` */
export const DASH = 0x2d;
/** `/` */
export const SLASH = 0x2f;
/** `:` */
export const COLON = 0x3a;
/** `;` */
export const SEMICOLON = 0x3b;

function classOf(isMember: RegExp): Uint8Array {
  return Uint8Array.from(
    { length: 256 },
    (_, byte) => isMember.test(String.fromCharCode(byte)) ? 1 : 0,
  );
}

/** Bytes of a token: methods and field names (RFC 9110 5.6.2). */
export const TOKEN: Uint8Array = classOf(/[!#$%&'*+.^_`|~0-9A-Za-z-]/);

/** Bytes of a field value: all but control characters, tab excepted (RFC 9110 5.5). */
export const FIELD_VALUE: Uint8Array = classOf(/[\t\x20-\x7e\x80-\xff]/);

/** Bytes of a request-target: visible ASCII but `#`, which no form of it contains (RFC 9112 3.2). */
export const TARGET: Uint8Array = classOf(/[!-~]/).with(0x23, 0);

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = "0123456789abcdef".indexOf(
    String.fromCharCode(byte).toLowerCase(),
  );
  return digit === -1 ? 255 : digit;
});
