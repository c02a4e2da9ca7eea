import { assert, assertEquals, assertThrows } from "@std/assert";
import { maskInPlace, readMask, rotateMask, websocketMask } from "../../websocket/mask.ts";

const encoder = new TextEncoder();

function byteByByte(mask: Uint8Array, data: Uint8Array): Uint8Array {
  return data.map((byte, i) => byte ^ mask[i % 4]!);
}

Deno.test("websocketMask() gives the known results", () => {
  const vectors: [Uint8Array, Uint8Array, Uint8Array][] = [
    [encoder.encode("abcd"), encoder.encode(""), encoder.encode("")],
    [encoder.encode("abcd"), encoder.encode("b"), Uint8Array.of(3)],
    [
      encoder.encode("abcd"),
      encoder.encode("54321"),
      encoder.encode("TVPVP"),
    ],
    [
      encoder.encode("ZXCV"),
      encoder.encode("98765432"),
      encoder.encode("c`t`olpd"),
    ],
    [
      Uint8Array.of(0, 1, 2, 3),
      Uint8Array.of(0xff, 0xfb, 0xfd, 0xfc, 0xfe, 0xfa),
      Uint8Array.of(0xff, 0xfa, 0xff, 0xff, 0xfe, 0xfb),
    ],
    [
      Uint8Array.of(0xff, 0xfb, 0xfd, 0xfc),
      Uint8Array.of(0, 1, 2, 3, 4, 5),
      Uint8Array.of(0xff, 0xfa, 0xff, 0xff, 0xfb, 0xfe),
    ],
  ];
  for (const [mask, data, expected] of vectors) {
    assertEquals(websocketMask(mask, data), expected);
  }
});

Deno.test("websocketMask() leaves its input alone", () => {
  const data = Uint8Array.of(1, 2, 3);
  websocketMask(Uint8Array.of(9, 9, 9, 9), data);
  assertEquals(data, Uint8Array.of(1, 2, 3));
});

Deno.test("websocketMask() refuses a mask that is not four bytes", () => {
  for (const length of [0, 3, 5]) {
    assertThrows(
      () => websocketMask(new Uint8Array(length), new Uint8Array(1)),
      RangeError,
      `4 bytes, not ${length}`,
    );
  }
});

Deno.test("maskInPlace() agrees with byte by byte at all lengths and offsets", () => {
  const mask = Uint8Array.of(0x81, 0x02, 0xf3, 0x44);
  const data = Uint8Array.from({ length: 160 }, (_, i) => i * 7 + 3);
  const lengths = [...Array(73).keys(), 127, 128, 129];
  for (const length of lengths) {
    for (let offset = 0; offset < 16; offset++) {
      const expected = data.slice();
      const end = offset + length;
      expected.set(byteByByte(mask, data.subarray(offset, end)), offset);
      const actual = data.slice();
      maskInPlace(actual, offset, end, readMask(mask, 0));
      assert(
        actual.every((byte, i) => byte === expected[i]),
        `length ${length}, offset ${offset}`,
      );
    }
  }
});

Deno.test("maskInPlace() works in a view that begins anywhere in its buffer", () => {
  const mask = Uint8Array.of(1, 2, 3, 4);
  for (let offset = 0; offset < 8; offset++) {
    const view = new Uint8Array(new ArrayBuffer(120), offset, 100).fill(0x55);
    const expected = byteByByte(mask, view);
    maskInPlace(view, 0, view.length, readMask(mask, 0));
    assertEquals(view, expected);
  }
});

Deno.test("maskInPlace() tells ASCII, wherever the one other byte lies", () => {
  for (const length of [0, 1, 3, 4, 7, 32, 63, 64, 65, 100]) {
    const bytes = new Uint8Array(length + 6).fill(0xff); // around it: no ASCII
    bytes.fill(0x41, 3, 3 + length);
    assertEquals(maskInPlace(bytes, 3, 3 + length, 0), true);
    for (let at = 3; at < 3 + length; at++) {
      bytes[at] = 0x80;
      assertEquals(maskInPlace(bytes, 3, 3 + length, 0), false);
      bytes[at] = 0x41;
    }
  }
});

Deno.test("rotateMask() lets a payload be masked in two parts", () => {
  const key = readMask(Uint8Array.of(0x11, 0x92, 0x33, 0xf4), 0);
  const whole = new Uint8Array(90);
  maskInPlace(whole, 0, 90, key);
  for (let cut = 0; cut <= 90; cut++) {
    const parts = new Uint8Array(90);
    maskInPlace(parts, 0, cut, key);
    maskInPlace(parts, cut, 90, rotateMask(key, cut));
    assertEquals(parts, whole);
  }
});
