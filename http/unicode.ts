const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Gives text as UTF-8; bytes stay what they are. */
export function utf8(data: string | Uint8Array): Uint8Array;
/**
 * Gives text as UTF-8; bytes and `null` stay what they are, `undefined` becomes `null`.
 *
 * @throws {TypeError} if `data` is anything else.
 */
export function utf8(data?: string | Uint8Array | null): Uint8Array | null;
export function utf8(data?: string | Uint8Array | null): Uint8Array | null {
  if (data === null || data === undefined) return null;
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  throw new TypeError(
    `Cannot encode as UTF-8: expected text, bytes or null, got ${typeof data}`,
  );
}

/**
 * Decodes UTF-8; text stays what it is.
 *
 * @throws {TypeError} if the bytes are not UTF-8.
 */
export function toUnicode(data: string | Uint8Array): string;
/**
 * Decodes UTF-8; text and `null` stay what they are, `undefined` becomes `null`.
 *
 * @throws {TypeError} if the bytes are not UTF-8, or `data` is anything else.
 */
export function toUnicode(data?: string | Uint8Array | null): string | null;
export function toUnicode(data?: string | Uint8Array | null): string | null {
  if (data === null || data === undefined) return null;
  if (typeof data === "string") return data;
  if (data instanceof Uint8Array) return decoder.decode(data);
  throw new TypeError(
    `Cannot decode UTF-8: expected text, bytes or null, got ${typeof data}`,
  );
}

/** Another name of {@linkcode toUnicode}. */
export const nativeStr: typeof toUnicode = toUnicode;

/** Another name of {@linkcode toUnicode}. */
export const toBasestring: typeof toUnicode = toUnicode;

/**
 * Decodes all bytes inside arrays, plain objects, sets and maps, keys of maps included.
 *
 * @example Decode arguments
 * ```ts
 * import { recursiveUnicode, utf8 } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(recursiveUnicode({ a: [utf8("b"), 1] }), { a: ["b", 1] });
 * ```
 *
 * @returns a copy; what is neither bytes nor one of those containers is the same object in it.
 * @throws {TypeError} if some bytes are not UTF-8.
 */
export function recursiveUnicode(value: unknown): unknown {
  if (value instanceof Uint8Array) return toUnicode(value);
  if (Array.isArray(value)) return value.map(recursiveUnicode);
  if (value instanceof Set) return new Set([...value].map(recursiveUnicode));
  if (value instanceof Map) {
    return new Map(
      [...value].map((
        [key, item],
      ) => [recursiveUnicode(key), recursiveUnicode(item)]),
    );
  }
  if (!isPlainObject(value)) return value;
  const copy: Record<string, unknown> = Object.create(
    Object.getPrototypeOf(value),
  );
  for (const [key, item] of Object.entries(value)) {
    copy[key] = recursiveUnicode(item);
  }
  return copy;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
