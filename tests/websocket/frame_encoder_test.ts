import { assertEquals, assertThrows } from "@std/assert";
import { FIN, Opcode, RSV1 } from "../../websocket/frame.ts";
import {
  encodeClose,
  encodeFrame,
  frameHeaderSize,
  writeFrameHeader,
} from "../../websocket/frame_encoder.ts";
import { decode, join } from "./_decode.ts";

const encoder = new TextEncoder();
const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

Deno.test("encodeFrame() gives the examples of RFC 6455 5.7", () => {
  const hello = encoder.encode("Hello");
  assertEquals(
    encodeFrame(Opcode.TEXT, hello),
    join([0x81, 0x05], hello),
  );
  assertEquals(
    encodeFrame(Opcode.TEXT, hello, { mask: MASK }),
    join([0x81, 0x85], MASK, [0x7f, 0x9f, 0x4d, 0x51, 0x58]),
  );
  assertEquals(
    encodeFrame(Opcode.TEXT, encoder.encode("Hel"), { fin: false }),
    join([0x01, 0x03], encoder.encode("Hel")),
  );
  assertEquals(
    encodeFrame(Opcode.CONTINUATION, encoder.encode("lo")),
    join([0x80, 0x02], encoder.encode("lo")),
  );
  assertEquals(
    encodeFrame(Opcode.PING, hello),
    join([0x89, 0x05], hello),
  );
});

Deno.test("encodeFrame() takes the shortest length at each limit", () => {
  const heads: [number, number[]][] = [
    [0, [0x82, 0]],
    [125, [0x82, 125]],
    [126, [0x82, 126, 0, 126]],
    [65535, [0x82, 126, 0xff, 0xff]],
    [65536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ];
  for (const [length, head] of heads) {
    const frame = encodeFrame(Opcode.BINARY, new Uint8Array(length));
    assertEquals([...frame.subarray(0, head.length)], head);
    assertEquals(frame.length, head.length + length);
    assertEquals(frameHeaderSize(length, false), head.length);
    assertEquals(frameHeaderSize(length, true), head.length + 4);
  }
});

Deno.test("encodeFrame() is undone by the decoder at each limit, masked or not", () => {
  for (const length of [0, 1, 125, 126, 127, 4096, 4097, 65535, 65536, 65537]) {
    const payload = Uint8Array.from({ length }, (_, i) => i);
    const copy = payload.slice();
    for (const masked of [false, true]) {
      const options = masked ? { mask: MASK } : {};
      const frame = encodeFrame(Opcode.BINARY, payload, options);
      const [seen] = decode(frame, [], { masked });
      assertEquals(seen, ["binary", [...payload]]);
    }
    assertEquals(payload, copy);
  }
});

Deno.test("encodeFrame() sets the flag of compression", () => {
  const options = { rsv1: true, fin: false };
  const frame = encodeFrame(Opcode.TEXT, new Uint8Array(0), options);
  assertEquals(frame, Uint8Array.of(0x41, 0));
});

Deno.test("encodeFrame() refuses what is not a frame", () => {
  const one = new Uint8Array(1);
  for (const opcode of [-1, 16, 1.5, NaN]) {
    assertThrows(() => encodeFrame(opcode, one), RangeError, "no opcode");
  }
  const mask = new Uint8Array(3);
  assertThrows(() => encodeFrame(2, one, { mask }), RangeError, "4 bytes");
});

Deno.test("encodeFrame() keeps control frames small and whole", () => {
  for (const opcode of [Opcode.CLOSE, Opcode.PING, Opcode.PONG]) {
    assertEquals(encodeFrame(opcode, new Uint8Array(125)).length, 127);
    assertThrows(
      () => encodeFrame(opcode, new Uint8Array(126)),
      RangeError,
      "at most 125 bytes, not 126",
    );
    for (const options of [{ fin: false }, { rsv1: true }]) {
      assertThrows(
        () => encodeFrame(opcode, new Uint8Array(0), options),
        TypeError,
        "never fragmented or compressed",
      );
    }
  }
});

Deno.test("writeFrameHeader() writes at an offset and nothing else", () => {
  const target = new Uint8Array(20).fill(0xee);
  const at = writeFrameHeader(target, 3, Opcode.TEXT, 300, RSV1 | FIN, MASK);
  assertEquals(at, 3 + frameHeaderSize(300, true));
  assertEquals(
    target,
    join([0xee, 0xee, 0xee, 0xc1, 0xfe, 1, 44], MASK, Array(9).fill(0xee)),
  );
});

Deno.test("writeFrameHeader() writes lengths of more than 32 bits", () => {
  const target = new Uint8Array(10);
  writeFrameHeader(target, 0, Opcode.BINARY, 0x123_4567_89ab, FIN);
  const length = [0, 0, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab];
  assertEquals([...target], [0x82, 127, ...length]);
});

Deno.test("encodeClose() writes code and reason", () => {
  assertEquals(encodeClose(), new Uint8Array(0));
  assertEquals(encodeClose(null, null), new Uint8Array(0));
  assertEquals(encodeClose(1001), Uint8Array.of(3, 0xe9));
  assertEquals(
    encodeClose(1001, "bye"),
    join([3, 0xe9], encoder.encode("bye")),
  );
});

Deno.test("encodeClose() takes a reason alone as 1000", () => {
  assertEquals(
    encodeClose(undefined, "bye"),
    join([3, 0xe8], encoder.encode("bye")),
  );
});

Deno.test("encodeClose() counts a reason in bytes, up to 123", () => {
  assertEquals(encodeClose(1000, "a".repeat(123)).length, 125);
  assertEquals(encodeClose(1000, "\u00e9".repeat(61)).length, 124);
  for (const reason of ["a".repeat(124), "\u00e9".repeat(62)]) {
    assertThrows(
      () => encodeClose(1000, reason),
      RangeError,
      "at most 123 bytes, not 124",
    );
  }
});

Deno.test("encodeClose() refuses codes that must not be sent", () => {
  for (
    const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1000.5]
  ) {
    assertThrows(() => encodeClose(code), RangeError, `code ${code}`);
  }
});
