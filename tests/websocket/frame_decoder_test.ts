import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { WebSocketError } from "../../websocket/errors.ts";
import { Opcode } from "../../websocket/frame.ts";
import {
  FrameDecoder,
  type FrameDecoderOptions,
  FrameEvent,
} from "../../websocket/frame_decoder.ts";
import { encodeClose, encodeFrame, type FrameOptions } from "../../websocket/frame_encoder.ts";
import { seeded } from "../_seeded.ts";
import { decode, everyCut, join, type Seen } from "./_decode.ts";

const encoder = new TextEncoder();
const MASK = Uint8Array.of(0x9a, 0x03, 0x7e, 0xc1);

// What a client sends, which is the harder case: everything is masked.
function client(
  opcode: number,
  payload: string | ArrayLike<number>,
  options: FrameOptions = {},
): Uint8Array {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : Uint8Array.from(payload);
  return encodeFrame(opcode, bytes, { mask: MASK, ...options });
}

function assertEveryCut(
  input: Uint8Array,
  expected: Seen[],
  options: Partial<FrameDecoderOptions> = {},
): void {
  for (const cuts of everyCut(input.length)) {
    assertEquals(decode(input, cuts, { masked: true, ...options }), expected);
  }
}

const PART = { fin: false };

// One conversation with everything that is allowed in it.
const CONVERSATION = join(
  client(Opcode.TEXT, "Hello"),
  client(Opcode.BINARY, [0, 255, 128]),
  client(Opcode.TEXT, ""),
  client(Opcode.BINARY, []),
  client(Opcode.PING, "p"),
  client(Opcode.TEXT, "gr\u00fc", PART),
  client(Opcode.PING, []),
  client(Opcode.CONTINUATION, "\u00dfe, ", PART),
  client(Opcode.PONG, [1]),
  client(Opcode.CONTINUATION, [], PART),
  client(Opcode.CONTINUATION, "\u{1f600}"),
  client(Opcode.BINARY, [1], PART),
  client(Opcode.CONTINUATION, [2]),
  client(Opcode.TEXT, "\ufeffmark and \ufffd"),
  client(Opcode.TEXT, "x".repeat(126)),
  client(Opcode.CLOSE, encodeClose(1001, "ade\u0301")),
);
const CONVERSATION_SEEN: Seen[] = [
  ["text", "Hello"],
  ["binary", [0, 255, 128]],
  ["text", ""],
  ["binary", []],
  ["ping", [112]],
  ["ping", []],
  ["pong", [1]],
  ["text", "gr\u00fc\u00dfe, \u{1f600}"],
  ["binary", [1, 2]],
  ["text", "\ufeffmark and \ufffd"],
  ["text", "x".repeat(126)],
  ["close", 1001, "ade\u0301"],
];

Deno.test("FrameDecoder.next() reads a conversation cut anywhere", () => {
  assertEveryCut(CONVERSATION, CONVERSATION_SEEN);
});

Deno.test("FrameDecoder.next() reads a conversation cut at random", () => {
  const large = client(Opcode.TEXT, "\u20ac\u{1f600}ab".repeat(700));
  const input = join(large, CONVERSATION);
  const expected: Seen[] = [
    ["text", "\u20ac\u{1f600}ab".repeat(700)],
    ...CONVERSATION_SEEN,
  ];
  const random = seeded(6455);
  for (let round = 0; round < 60; round++) {
    const cuts = Array.from({ length: random(12) }, () => random(input.length))
      .sort((a, b) => a - b);
    assertEquals(decode(input, cuts, { masked: true }), expected);
  }
});

Deno.test("FrameDecoder.next() does the same with any bytes, however cut", () => {
  const random = seeded(7692);
  for (let round = 0; round < 300; round++) {
    // A valid conversation with some bytes changed gets further than noise.
    const input = CONVERSATION.slice();
    for (let i = random(3); i >= 0; i--) {
      input[random(input.length)] = random(256);
    }
    const whole = decode(input, [], { masked: true });
    const cuts = Array.from({ length: 8 }, () => random(input.length))
      .sort((a, b) => a - b);
    assertEquals(decode(input, cuts, { masked: true }), whole);
  }
});

Deno.test("FrameDecoder.next() stops after one event", () => {
  const input = join(client(Opcode.TEXT, "a"), client(Opcode.PING, "b"));
  const decoder = new FrameDecoder({ masked: true });
  const first = decoder.next(input, 0, input.length);
  assertEquals(first, 7);
  assertEquals(decoder.event, FrameEvent.TEXT);
  assertEquals(decoder.text, "a");
  const second = decoder.next(input, first, input.length);
  assertEquals(second, 14);
  assertEquals(decoder.event, FrameEvent.PING);
  assertEquals(decoder.text, "");
  assertEquals(decoder.next(input, second, input.length), 14);
  assertEquals(decoder.event, FrameEvent.NONE);
  assertEquals(decoder.data.length, 0);
});

Deno.test("FrameDecoder.next() looks at nothing outside of start and end", () => {
  const frame = client(Opcode.TEXT, "a".repeat(80));
  for (let offset = 0; offset < 9; offset++) {
    const input = join(Array(offset).fill(0xff), frame, [0xff, 0xff]);
    const end = input.length - 2;
    const decoder = new FrameDecoder({ masked: true });
    assertEquals(decoder.next(input, offset, end), end);
    assertEquals(decoder.text, "a".repeat(80));
    assertEquals([...input.subarray(end)], [0xff, 0xff]);
    assert(input.subarray(0, offset).every((byte) => byte === 0xff));
  }
});

Deno.test("FrameDecoder.next() leaves a small frame in the buffer until it is whole", () => {
  const frame = client(Opcode.BINARY, new Uint8Array(4096));
  const copy = frame.slice();
  const decoder = new FrameDecoder({ masked: true });
  assertEquals(decoder.next(frame, 0, frame.length - 1), 0);
  assertEquals(frame, copy);
  assertEquals(decoder.next(frame, 0, frame.length), frame.length);
  assertEquals(decoder.event, FrameEvent.BINARY);
});

Deno.test("FrameDecoder.next() consumes a large frame as it comes", () => {
  const frame = client(Opcode.BINARY, new Uint8Array(4097).fill(5));
  const decoder = new FrameDecoder({ masked: true });
  assertEquals(decoder.next(frame, 0, 7), 0); // the mask is not whole
  assertEquals(decoder.next(frame, 0, 8), 8);
  assertEquals(decoder.next(frame, 8, 8), 8);
  assertEquals(decoder.next(frame, 8, 1000), 1000);
  assertEquals(decoder.event, FrameEvent.NONE);
  assertEquals(decoder.next(frame, 1000, frame.length), frame.length);
  assertEquals(decoder.data, new Uint8Array(4097).fill(5));
  assertEquals(decoder.data.buffer.byteLength, 4097);
});

Deno.test("FrameDecoder.next() copies out of a Buffer too", async () => {
  const { Buffer } = await import("node:buffer");
  const input = Buffer.from(client(Opcode.BINARY, [1, 2, 3]));
  const decoder = new FrameDecoder({ masked: true });
  decoder.next(input, 0, input.length);
  input.fill(0);
  assertEquals([...decoder.data], [1, 2, 3]);
});

Deno.test("FrameDecoder.next() gives a fragmented message memory of its own", () => {
  const input = join(
    client(Opcode.BINARY, [1, 2, 3], PART),
    client(Opcode.CONTINUATION, [4], PART),
    client(Opcode.CONTINUATION, []),
  );
  const decoder = new FrameDecoder({ masked: true });
  decoder.next(input, 0, input.length);
  assertEquals([...decoder.data], [1, 2, 3, 4]);
  assertEquals(decoder.data.buffer.byteLength, 4);
});

Deno.test("FrameDecoder.next() reads each length at its limits", () => {
  for (const length of [0, 1, 125, 126, 127, 4096, 4097, 65535, 65536, 65537]) {
    const text = "t".repeat(length);
    const frame = client(Opcode.TEXT, text);
    const near = [1, 2, 5, 8, 13, 14, 15, frame.length >> 1, frame.length - 1];
    for (const cut of near.filter((at) => at < frame.length)) {
      assertEquals(decode(frame, [cut], { masked: true }), [["text", text]]);
    }
    const plain = encodeFrame(Opcode.TEXT, encoder.encode(text));
    assertEquals(decode(plain, [], { masked: false }), [["text", text]]);
  }
});

Deno.test("FrameDecoder.next() takes control frames between large pieces of a message", () => {
  const part = "\u20ac".repeat(2000); // 6000 bytes
  const input = join(
    client(Opcode.TEXT, part, PART),
    client(Opcode.PING, "1"),
    client(Opcode.CONTINUATION, part),
    client(Opcode.TEXT, "next"),
  );
  const expected: Seen[] = [["ping", [49]], ["text", part + part], [
    "text",
    "next",
  ]];
  for (const cut of [0, 7, 8, 9, 4000, 6007, 6008, 6012, 6015, 6020, 9001]) {
    assertEquals(decode(input, [cut], { masked: true }), expected);
  }
});

Deno.test("FrameDecoder.next() gathers 1000 fragments in one call", () => {
  const middle = client(Opcode.CONTINUATION, "ab", PART);
  const input = join(
    client(Opcode.TEXT, "<", PART),
    ...Array(1000).fill(middle),
    client(Opcode.CONTINUATION, ">"),
  );
  const decoder = new FrameDecoder({ masked: true });
  assertEquals(decoder.next(input, 0, input.length), input.length);
  assertEquals(decoder.text, `<${"ab".repeat(1000)}>`);
});

Deno.test("FrameDecoder.next() survives as many empty fragments as a buffer holds", () => {
  const empty = client(Opcode.CONTINUATION, [], PART);
  const input = new Uint8Array(20_000 * empty.length + 7);
  input.set(client(Opcode.BINARY, [7], PART));
  for (let i = 0; i < 20_000; i++) input.set(empty, 7 + i * empty.length);
  const decoder = new FrameDecoder({ masked: true });
  assertEquals(decoder.next(input, 0, input.length), input.length);
  assertEquals(decoder.event, FrameEvent.NONE);
});

Deno.test("FrameDecoder.next() finds nothing behind a close frame", () => {
  const input = join(
    client(Opcode.CLOSE, []),
    client(Opcode.TEXT, "late"),
    [0xff, 0xff],
  );
  assertEveryCut(input, [["close", null, ""]]);
  const decoder = new FrameDecoder({ masked: true });
  const at = decoder.next(input, 0, input.length);
  assertEquals(at, 6);
  assertEquals(decoder.next(input, at, input.length), input.length);
});

Deno.test("FrameDecoder.next() takes every close code that may be received", () => {
  for (const code of [1000, 1001, 1003, 1007, 1014, 3000, 4999]) {
    const payload = [code >> 8, code & 0xff];
    assertEveryCut(client(Opcode.CLOSE, payload), [["close", code, ""]]);
  }
});

Deno.test("FrameDecoder.next() tells which messages are compressed", () => {
  const input = join(
    client(Opcode.TEXT, [0xff, 0xfe], { rsv1: true }),
    client(Opcode.TEXT, "plain"),
    client(Opcode.BINARY, [1], { rsv1: true, fin: false }),
    client(Opcode.PING, []),
    client(Opcode.CONTINUATION, [2]),
    client(Opcode.BINARY, [3]),
    client(Opcode.TEXT, [0xff], { rsv1: true, fin: false }),
    client(Opcode.CONTINUATION, [0xc0]),
  );
  assertEveryCut(input, [
    ["compressed", [0xff, 0xfe]],
    ["text", "plain"],
    ["ping", []],
    ["compressed", [1, 2]],
    ["binary", [3]],
    ["compressed", [0xff, 0xc0]],
  ], { allowRsv1: true });
});

Deno.test("FrameDecoder.next() says of which kind a compressed message is", () => {
  for (const opcode of [Opcode.TEXT, Opcode.BINARY]) {
    const decoder = new FrameDecoder({ masked: true, allowRsv1: true });
    const input = client(opcode, [1], { rsv1: true });
    decoder.next(input, 0, input.length);
    assertEquals(decoder.event, opcode);
    assertEquals(decoder.compressed, true);
    assertEquals(decoder.text, "");
  }
});

Deno.test("FrameDecoder.next() refuses frames that break the rules with 1002", () => {
  const start = [...client(Opcode.TEXT, "a", PART)];
  const mask = [...MASK];
  const broken: Record<string, number[]> = {
    "first reserved bit": [0xc1, 0x80, ...mask],
    "second reserved bit": [0xa1, 0x80, ...mask],
    "third reserved bit": [0x91, 0x80, ...mask],
    "reserved bit of a control frame": [0xc9, 0x80, ...mask],
    "reserved bit of a continuation": [...start, 0xc0, 0x80, ...mask],
    "fragmented ping": [0x09, 0x80, ...mask],
    "fragmented close": [0x08, 0x80, ...mask],
    "ping of 126 bytes": [0x89, 0xfe, 0, 126, ...mask],
    "ping with a length of 8 bytes": [0x89, 0xff, 0, 0, 0, 0, 0, 0, 0, 1],
    "2 bytes for a length of 125": [0x82, 0xfe, 0, 125, ...mask],
    "2 bytes for no length": [0x82, 0xfe, 0, 0, ...mask],
    "8 bytes for a length of 65535": [0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255],
    "top bit of the length": [0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0],
    "continuation of nothing": [0x80, 0x80, ...mask],
    "continuation behind the end": [
      ...client(Opcode.TEXT, "a", PART),
      ...client(Opcode.CONTINUATION, "b"),
      ...client(Opcode.CONTINUATION, "c"),
    ],
    "text inside a message": [...start, ...client(Opcode.TEXT, "b")],
    "binary inside a message": [...start, ...client(Opcode.BINARY, [])],
    "no mask": [0x81, 0x01, 0x61],
    "close of 1 byte": [...client(Opcode.CLOSE, [3])],
    "close of 1 byte, with another behind": [
      ...client(Opcode.CLOSE, [3]),
      0xe8,
    ],
  };
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    broken[`opcode ${opcode}`] = [0x80 | opcode, 0x80, ...mask];
  }
  for (
    const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]
  ) {
    broken[`close code ${code}`] = [
      ...client(Opcode.CLOSE, [code >> 8, code & 0xff]),
    ];
  }
  for (const [what, bytes] of Object.entries(broken)) {
    const input = Uint8Array.from(bytes);
    for (const cuts of everyCut(input.length)) {
      const seen = decode(input, cuts, { masked: true })
        .filter(([kind]) => kind === "fail");
      assertEquals(seen, [["fail", 1002]], `${what}, cut at ${cuts}`);
    }
  }
});

Deno.test("FrameDecoder.next() allows only the first reserved bit, and only where a message begins", () => {
  const start = client(Opcode.TEXT, "a", PART);
  const refused = [
    [0xa1, 0x80, ...MASK],
    [0x91, 0x80, ...MASK],
    [0xe1, 0x80, ...MASK],
    [0xc9, 0x80, ...MASK],
    [0xc8, 0x80, ...MASK],
    [...start, 0xc0, 0x80, ...MASK],
  ];
  for (const bytes of refused) {
    const options = { masked: true, allowRsv1: true };
    assertEquals(decode(Uint8Array.from(bytes), [], options), [["fail", 1002]]);
  }
});

Deno.test("FrameDecoder.next() refuses masked frames of a server", () => {
  const input = client(Opcode.TEXT, "a");
  assertEveryCut(input, [["fail", 1002]], { masked: false });
});

Deno.test("FrameDecoder.next() refuses text that is not UTF-8 with 1007", () => {
  const bad: Record<string, number[]> = {
    "lone tail": [0x80],
    "tail behind ASCII": [0x61, 0x62, 0x63, 0x64, 0xbf],
    "overlong 2": [0xc0, 0x80],
    "overlong 2, highest": [0xc1, 0xbf],
    "overlong 3": [0xe0, 0x9f, 0xbf],
    "overlong 4": [0xf0, 0x8f, 0xbf, 0xbf],
    "surrogate": [0xed, 0xa0, 0x80],
    "last surrogate": [0xed, 0xbf, 0xbf],
    "above the last": [0xf4, 0x90, 0x80, 0x80],
    "lead F5": [0xf5, 0x80, 0x80, 0x80],
    "FE": [0xfe],
    "FF": [0xff],
    "ASCII for a tail": [0xc3, 0x61],
    "ASCII before a tail": [0xc3, 0x61, 0xa9],
    "four of ASCII before a tail": [0xc3, 0x61, 0x61, 0x61, 0x61, 0xa9],
    "lead for a tail": [0xe2, 0x82, 0xe2],
    "ends after a lead": [0x61, 0xc3],
    "ends in 3": [0xe2, 0x82],
    "ends in 4": [0xf0, 0x9f, 0x98],
    "U+FFFD, then a lone tail": [0xef, 0xbf, 0xbd, 0x80],
  };
  for (const [what, bytes] of Object.entries(bad)) {
    const long = [...encoder.encode("long ".repeat(1000)), ...bytes];
    const inputs = [
      client(Opcode.TEXT, bytes),
      client(Opcode.TEXT, long),
      join(
        client(Opcode.TEXT, [], PART),
        ...bytes.map((byte) => client(Opcode.CONTINUATION, [byte], PART)),
        client(Opcode.CONTINUATION, []),
      ),
      client(Opcode.CLOSE, [3, 0xe8, ...bytes]),
    ];
    for (const input of inputs) {
      for (const cuts of [[], [input.length - 1], [7, 100, input.length - 2]]) {
        const seen = decode(input, cuts, { masked: true });
        assertEquals(seen, [["fail", 1007]], what);
      }
    }
  }
});

Deno.test("FrameDecoder.next() takes the first and last character of each length", () => {
  const edges = "\0\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}";
  const bytes = encoder.encode(edges);
  assertEveryCut(client(Opcode.TEXT, bytes), [["text", edges]]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const input = join(
      client(Opcode.TEXT, bytes.subarray(0, cut), PART),
      client(Opcode.PING, []),
      client(Opcode.CONTINUATION, bytes.subarray(cut)),
    );
    assertEquals(decode(input, [], { masked: true }), [["ping", []], [
      "text",
      edges,
    ]]);
  }
});

Deno.test("FrameDecoder.next() agrees with TextDecoder about text in pieces", () => {
  const judge = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const random = seeded(3629);
  const alphabet = [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2]
    .concat([0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff]);
  let valid = 0;
  for (let round = 0; round < 20_000; round++) {
    const length = 1 + random(4);
    const bytes = Uint8Array.from(
      { length },
      () => alphabet[random(alphabet.length)]!,
    );
    let expected: Seen;
    try {
      expected = ["text", judge.decode(bytes)];
      valid++;
    } catch {
      expected = ["fail", 1007];
    }
    const cut = random(length + 1);
    const decoder = new FrameDecoder({ masked: true });
    const input = join(
      client(Opcode.TEXT, bytes.subarray(0, cut), PART),
      client(Opcode.CONTINUATION, bytes.subarray(cut)),
    );
    let seen: Seen;
    try {
      decoder.next(input, 0, input.length);
      seen = ["text", decoder.text];
    } catch (error) {
      seen = ["fail", (error as WebSocketError).code];
    }
    assertEquals(seen, expected);
  }
  assert(valid > 500);
});

Deno.test("FrameDecoder.next() refuses text at its first impossible byte", () => {
  const payload = new Uint8Array(9000).fill(0x61);
  payload[5000] = 0xff;
  const frame = client(Opcode.TEXT, payload);
  const decoder = new FrameDecoder({ masked: true });
  assertEquals(decoder.next(frame, 0, 5008), 5008);
  const error = assertThrows(
    () => decoder.next(frame, 5008, 5009),
    WebSocketError,
    "text must be UTF-8",
  );
  assertEquals(error.code, 1007);
});

Deno.test("FrameDecoder.next() refuses a fragment at its first impossible byte", () => {
  const decoder = new FrameDecoder({ masked: true });
  const input = client(Opcode.TEXT, [0xed, 0xa0], PART);
  assertThrows(
    () => decoder.next(input, 0, input.length),
    WebSocketError,
    "text must be UTF-8",
  );
});

Deno.test("FrameDecoder.next() takes a message of exactly maxMessageSize and no more", () => {
  for (const size of [10, 5000]) {
    const options = { masked: true, maxMessageSize: size };
    const text = "a".repeat(size);
    const fits = client(Opcode.TEXT, text);
    assertEquals(decode(fits, [], options), [["text", text]]);
    assertEquals(decode(fits, [9], options), [["text", text]]);
    const more = client(Opcode.TEXT, text + "a");
    assertEquals(decode(more, [], options), [["fail", 1009]]);
    assertEquals(decode(more, [9], options), [["fail", 1009]]);
  }
});

Deno.test("FrameDecoder.next() sums maxMessageSize over fragments, not over messages", () => {
  const options = { masked: true, maxMessageSize: 10 };
  const first = client(Opcode.BINARY, [1, 2, 3, 4, 5, 6], PART);
  const ping = client(Opcode.PING, Array(100).fill(1));
  const fits = join(first, ping, client(Opcode.CONTINUATION, [7, 8, 9, 10]));
  const seen = decode(join(fits, fits), [], options);
  assertEquals(seen.map(([kind]) => kind), [
    "ping",
    "binary",
    "ping",
    "binary",
  ]);
  const more = join(first, client(Opcode.CONTINUATION, [7, 8, 9, 10, 11]));
  assertEveryCut(more, [["fail", 1009]], options);
});

Deno.test("FrameDecoder.next() refuses too long a message by its announced length", () => {
  const head = client(Opcode.BINARY, new Uint8Array(5000)).subarray(0, 8);
  const decoder = new FrameDecoder({ masked: true, maxMessageSize: 4999 });
  const error = assertThrows(
    () => decoder.next(head, 0, head.length),
    WebSocketError,
    "message too big: 5000 bytes, at most 4999",
  );
  assertEquals(error.code, 1009);
});

Deno.test("FrameDecoder.next() refuses lengths beyond all numbers as too big", () => {
  const input = join([0x82, 0xff, 0x7f], Array(7).fill(0xff), MASK);
  assertEquals(decode(input, [], { masked: true }), [["fail", 1009]]);
});

Deno.test("FrameDecoder.next() allows 10 MiB and no more unless told", () => {
  const size = 10 * 1024 * 1024;
  const head = (length: number) => {
    const bytes = Uint8Array.of(0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0);
    new DataView(bytes.buffer).setUint32(6, length);
    return bytes;
  };
  assertEquals(decode(head(size), [], { masked: false }), []);
  assertEquals(decode(head(size + 1), [], { masked: false }), [["fail", 1009]]);
});

Deno.test("FrameDecoder.next() takes only empty messages when maxMessageSize is 0", () => {
  const options = { masked: true, maxMessageSize: 0 };
  assertEquals(decode(client(Opcode.TEXT, ""), [], options), [["text", ""]]);
  assertEquals(decode(client(Opcode.TEXT, "a"), [], options), [["fail", 1009]]);
});

Deno.test("FrameDecoder.next() throws the same error again, for good", () => {
  const decoder = new FrameDecoder({ masked: true });
  const bad = Uint8Array.of(0x83, 0x80);
  const good = client(Opcode.TEXT, "a");
  const first = assertThrows(() => decoder.next(bad, 0, 2), WebSocketError);
  for (const [bytes, end] of [[good, good.length], [good, 0]] as const) {
    const again = assertThrows(
      () => decoder.next(bytes, 0, end),
      WebSocketError,
    );
    assertStrictEquals(again, first);
  }
  assertEquals(decoder.event, FrameEvent.NONE);
});

Deno.test("FrameDecoder() refuses a limit that is none", () => {
  for (const maxMessageSize of [-1, NaN]) {
    assertThrows(
      () => new FrameDecoder({ masked: true, maxMessageSize }),
      RangeError,
      "maxMessageSize",
    );
  }
});
