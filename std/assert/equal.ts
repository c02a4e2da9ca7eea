// Structural equality: same prototype, then the contents that such a value has.
// The strict equality of node:util is no stand-in for it: that one tells 0 from -0
// and does not ask the getters of a class.

/** Decides whether `a` and `b` are equal in structure, cycles included. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

/** Pairs that are being compared: one that comes again, in a cycle, adds nothing. */
type Seen = Map<object, object>;

const TypedArray = Object.getPrototypeOf(Uint8Array) as typeof Uint8Array;

/** Classes whose instances are equal when their texts are. */
const TEXTUAL = new Set<unknown>(
  [RegExp, URL, URLSearchParams, Intl.Locale].map((type) => type.prototype),
);

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (a === b || Object.is(a, b)) return true; // 0 is -0, NaN is NaN
  if (!isObject(a) || !isObject(b)) return false;
  if (a instanceof Date && b instanceof Date) {
    return Object.is(a.getTime(), b.getTime());
  }
  if (!samePrototype(a, b)) return false;
  if (a instanceof TypedArray) return sameBytes(a, b as Uint8Array);
  if (a instanceof ArrayBuffer || a instanceof SharedArrayBuffer) {
    return sameBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  if (a instanceof WeakMap) throw refuse("WeakMap");
  if (a instanceof WeakSet) throw refuse("WeakSet");
  if (a instanceof WeakRef) {
    return compare(a.deref(), (b as typeof a).deref(), seen);
  }
  if (seen.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  seen.set(a, b);
  if (a instanceof Set) return sameEntries(a, b as typeof a, seen);
  if (a instanceof Map) return sameEntries(a, b as typeof a, seen);
  if (TEXTUAL.has(Object.getPrototypeOf(a))) return String(a) === String(b);
  return sameProperties(a, b, seen);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function refuse(type: string): TypeError {
  return new TypeError(`Cannot compare ${type} instances`);
}

/** An object without a prototype counts as a plain one. */
function samePrototype(a: object, b: object): boolean {
  const plain = (value: object) => Object.getPrototypeOf(value) ?? Object.prototype;
  return plain(a) === plain(b);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length &&
    a.every((value, at) => value === b[at] || Object.is(value, b[at]));
}

type Collection = Set<unknown> | Map<unknown, unknown>;

/** Every entry of `a` has one in `b` with an equal key and an equal value. */
function sameEntries(a: Collection, b: Collection, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  const keys = [...a.keys()];
  if (!keys.some(isObject)) {
    return keys.every((key) =>
      b.has(key) && (a instanceof Set ||
        compare(a.get(key), (b as typeof a).get(key), seen))
    );
  }
  return [...a.entries()].every(([key, value]) =>
    b.entries().some(([otherKey, otherValue]) =>
      compare(key, otherKey, seen) && compare(value, otherValue, seen)
    )
  );
}

function sameProperties(a: object, b: object, seen: Seen): boolean {
  for (const key of keysOf(a).union(keysOf(b))) {
    if ((key in a) !== (key in b)) return false;
    if (!compare(Reflect.get(a, key), Reflect.get(b, key), seen)) return false;
  }
  return true;
}

/** Enumerable keys of a plain object or array, all keys up the chain of others. */
function keysOf(value: object): Set<PropertyKey> {
  const prototype = Object.getPrototypeOf(value);
  if (isBase(prototype)) return new Set(Reflect.ownKeys({ ...value }));
  const keys = new Set<PropertyKey>();
  for (let at = value; !isBase(at); at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) keys.add(key);
  }
  return keys;
}

function isBase(value: unknown): boolean {
  return value === null || value === Object.prototype ||
    value === Array.prototype;
}
