import { assertEquals, assertThrows } from "@std/assert";
import { genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  createSignedValue,
  decodeSignedValue,
  DEFAULT_SIGNED_VALUE_MIN_VERSION,
  DEFAULT_SIGNED_VALUE_VERSION,
  getSignatureKeyVersion,
  MAX_SUPPORTED_SIGNED_VALUE_VERSION,
  MIN_SUPPORTED_SIGNED_VALUE_VERSION,
} from "../../web/mod.ts";

const SECRET = "It's a secret to everybody";
const DAY = 86_400_000;
const clock = () => 1_300_000_000_000;

const VERSION_1 = "dmFsdWU=|1300000000|31c934969f53e48164c50768b40cbd7e2daaaa4f";
const VERSION_2 = "2|1:0|10:1300000000|3:key|8:dmFsdWU=|" +
  "3d4e60b996ff9c5d5788e333a0cba6f238a22c6c0f94788870e1a9ecd482e152";

function decode(value: string | Uint8Array, options = {}, name = "key"): string | null {
  const bytes = decodeSignedValue(SECRET, name, value, { clock, ...options });
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

// Version 1 logs why it refuses.
async function refused(value: string, log: RegExp): Promise<void> {
  await expectLog(genLog, log, () => assertEquals(decode(value), null));
}

Deno.test("createSignedValue() makes the values that Tornado makes", () => {
  assertEquals(createSignedValue(SECRET, "key", "value", { version: 1, clock }), VERSION_1);
  assertEquals(createSignedValue(SECRET, "key", "value", { version: 2, clock }), VERSION_2);
  assertEquals(createSignedValue(SECRET, "key", "value", { clock }), VERSION_2);
  const bytes = new TextEncoder().encode("value");
  const secret = new TextEncoder().encode(SECRET);
  assertEquals(createSignedValue(secret, "key", bytes, { clock }), VERSION_2);
});

Deno.test("createSignedValue() refuses versions that it does not know", () => {
  for (const version of [0, 3, 1.5]) {
    assertThrows(() => createSignedValue(SECRET, "key", "value", { version }), RangeError);
  }
});

Deno.test("The versions of signed values are 1 to 2, 2 being made and 1 taken", () => {
  assertEquals(MIN_SUPPORTED_SIGNED_VALUE_VERSION, 1);
  assertEquals(MAX_SUPPORTED_SIGNED_VALUE_VERSION, 2);
  assertEquals(DEFAULT_SIGNED_VALUE_VERSION, 2);
  assertEquals(DEFAULT_SIGNED_VALUE_MIN_VERSION, 1);
});

Deno.test("decodeSignedValue() reads both versions", () => {
  assertEquals(decode(VERSION_1), "value");
  assertEquals(decode(VERSION_2), "value");
  assertEquals(decode(new TextEncoder().encode(VERSION_2)), "value");
});

Deno.test("decodeSignedValue() gives null for no value, and for one that is none", () => {
  for (const value of [null, undefined, "", "|", "||", "a|b|c", "2|", "2|1:0|", "2|x", "value"]) {
    assertEquals(decodeSignedValue(SECRET, "key", value, { minVersion: 2, clock }), null);
  }
  assertEquals(decode("2|1:0|10:1300000000|3:key|8:dmFsdWU=|"), null);
  assertEquals(decode(`2|1:0|10:1300000000|3:key|999999:dmFsdWU=|${"0".repeat(64)}`), null);
  assertEquals(decode("2|9999999999:0|"), null);
});

Deno.test("decodeSignedValue() takes no version below minVersion, nor one it does not know", () => {
  assertEquals(decode(VERSION_1, { minVersion: 2 }), null);
  assertEquals(decode(VERSION_2, { minVersion: 2 }), "value");
  assertEquals(decode(VERSION_2.replace(/^2/, "3")), null);
  assertEquals(decode(VERSION_2.replace(/^2/, "999")), null);
  assertThrows(() => decode(VERSION_2, { minVersion: 3 }), RangeError);
});

Deno.test("decodeSignedValue() does not take the value of another name", async () => {
  assertEquals(decode(VERSION_2, {}, "other"), null);
  await expectLog(genLog, /Invalid signature of cookie other/, () => {
    assertEquals(decode(VERSION_1, {}, "other"), null);
  });
});

Deno.test("decodeSignedValue() does not take a value that has expired", async () => {
  const after = (days: number) => ({ clock: () => clock() + days * DAY });
  assertEquals(decode(VERSION_2, after(31)), "value");
  assertEquals(decode(VERSION_2, after(31.001)), null);
  assertEquals(decode(VERSION_2, { ...after(1), maxAgeDays: 0.5 }), null);
  assertEquals(decode(VERSION_2, { ...after(40), maxAgeDays: 50 }), "value");
  assertEquals(decode(VERSION_1, after(31)), "value");
  await expectLog(genLog, /Expired cookie key/, () => {
    assertEquals(decode(VERSION_1, after(31.001)), null);
  });
});

Deno.test("decodeSignedValue() finds each change of one character", async () => {
  for (let at = 0; at < VERSION_2.length; at++) {
    const other = VERSION_2[at] === "1" ? "2" : "1";
    const changed = VERSION_2.slice(0, at) + other + VERSION_2.slice(at + 1);
    const decoded = at < 2 ? await quietly(() => decode(changed)) : decode(changed);
    assertEquals(decoded, null, changed);
  }
  for (let at = 0; at < VERSION_1.length; at++) {
    const other = VERSION_1[at] === "a" ? "b" : "a";
    await quietly(() => {
      assertEquals(decode(VERSION_1.slice(0, at) + other + VERSION_1.slice(at + 1)), null);
    });
  }
});

async function quietly<T>(body: () => T): Promise<T> {
  let result: T;
  await expectLog(genLog, "", () => {
    result = body();
  }, { required: false });
  return result!;
}

Deno.test("decodeSignedValue() does not take a signature that is longer or shorter", async () => {
  for (const value of [VERSION_1, VERSION_2]) {
    for (const changed of [value.slice(0, -1), value.slice(0, -2), `${value}0`, `${value}|`]) {
      await quietly(() => assertEquals(decode(changed), null, changed));
    }
  }
});

// Version 1 signs base64 and time run together, so where one ends and the other begins can be
// moved under the same signature.
async function movedBorder(base64: string, digits: number): Promise<void> {
  const value = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const signed = createSignedValue(SECRET, "key", value, { version: 1, clock });
  const [, seconds, signature] = signed.split("|") as [string, string, string];
  const moved = base64.slice(-digits) + seconds;
  const forged = `${base64.slice(0, -digits)}|${moved}|${signature}`;
  await refused(forged, /Cookie key was probably tampered with/);
}

Deno.test("decodeSignedValue() does not take a version 1 whose time was moved ahead", async () => {
  await movedBorder("abcd1234", 4);
});

Deno.test("decodeSignedValue() does not take a version 1 whose time begins with a zero", async () => {
  await movedBorder("abcd0000", 4);
});

Deno.test("Signed values carry any bytes, in both versions", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const version of [1, 2]) {
    for (const value of [all, new Uint8Array(0), new TextEncoder().encode("é|:=")]) {
      const signed = createSignedValue(SECRET, "key", value, { version, clock });
      assertEquals(decodeSignedValue(SECRET, "key", signed, { clock }), value);
    }
  }
});

Deno.test("Signed values may have a name that is not ASCII", () => {
  const signed = createSignedValue(SECRET, "schlüssel", "value", { clock });
  assertEquals(decode(signed, {}, "schlüssel"), "value");
});

Deno.test("Signed values say which of several keys signed them", () => {
  const keys = { 0: "first", 1: "second" };
  for (const keyVersion of [0, 1]) {
    const signed = createSignedValue(keys, "key", "value", { clock, keyVersion });
    assertEquals(getSignatureKeyVersion(signed), keyVersion);
    assertEquals(decodeSignedValue(keys, "key", signed, { clock })?.length, 5);
  }
});

Deno.test("decodeSignedValue() reads what an older key signed, until that key is removed", () => {
  const signed = createSignedValue({ 0: "first" }, "key", "value", { clock, keyVersion: 0 });
  const verify = (keys: Record<number, string>) =>
    decodeSignedValue(keys, "key", signed, { clock });
  assertEquals(verify({ 0: "first", 1: "second" })?.length, 5);
  assertEquals(verify({ 1: "second" }), null);
  assertEquals(verify({ 0: "other", 1: "second" }), null);
});

Deno.test("createSignedValue() with several keys needs one of them named, and version 2", () => {
  const keys = { 0: "first", 1: "second" };
  assertThrows(
    () => createSignedValue(keys, "key", "value"),
    TypeError,
    "keys 0, 1, got undefined",
  );
  assertThrows(
    () => createSignedValue(keys, "key", "value", { keyVersion: 2 }),
    TypeError,
    "got 2",
  );
  assertThrows(
    () => createSignedValue(keys, "key", "value", { keyVersion: 0, version: 1 }),
    TypeError,
    "version 2",
  );
});

Deno.test("getSignatureKeyVersion() is null for a value that does not say", () => {
  for (const value of [VERSION_1, "", "2|", "2|x:0|", "text"]) {
    assertEquals(getSignatureKeyVersion(value), null);
  }
  assertEquals(getSignatureKeyVersion(VERSION_2), 0);
});
