// What RFC 6455 asks of either end, by the groups of the public test suites: framing, pings,
// reserved bits, opcodes, fragmentation, UTF-8, closing. One table, run against a server's end
// and a client's end that send each message back, with the bytes whole, one by one, and in
// threes.
import { assert, assertEquals } from "@std/assert";
import { IOStream } from "../../iostream/mod.ts";
import { fakeLoop, memoryPair } from "../../testing/mod.ts";
import {
  encodeClose,
  encodeFrame,
  type FrameOptions,
  Opcode,
  WebSocketConnection,
  type WebSocketReceiver,
} from "../../websocket/mod.ts";
import { join } from "./_decode.ts";

const { TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG } = Opcode;
const MORE = { fin: false };

/** What is sent: frames as arguments of encodeFrame, or bytes as they are. */
type Sent = readonly [opcode: number, payload?: string | Uint8Array, options?: FrameOptions];

/** What must come back: an opcode and its payload, as text if it is text. */
type Came = readonly [opcode: number, payload: string | Uint8Array | number];

interface Case {
  readonly name: string;
  readonly send: readonly Sent[];
  /** Everything that comes; behind it, if there is no close frame, the connection is alive. */
  readonly expect: readonly Came[];
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** A close with a code and no reason. */
function closed(code: number): readonly Came[] {
  return [[CLOSE, code]];
}

const HELLO = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!";

const SIZES = [0, 1, 124, 125, 126, 127, 128, 4095, 4096, 4097, 65535, 65536];

const FRAMING: Case[] = SIZES.flatMap((size) => [
  {
    name: `text of ${size} bytes`,
    send: [[TEXT, "*".repeat(size)]],
    expect: [[TEXT, "*".repeat(size)]],
  },
  {
    name: `binary of ${size} bytes`,
    send: [[BINARY, new Uint8Array(size).fill(0xfe)]],
    expect: [[BINARY, new Uint8Array(size).fill(0xfe)]],
  },
]);

const PINGS: Case[] = [
  { name: "a ping without data", send: [[PING]], expect: [[PONG, ""]] },
  { name: "a ping with text", send: [[PING, "hello"]], expect: [[PONG, "hello"]] },
  {
    name: "a ping with bytes",
    send: [[PING, bytes(0, 255, 254, 253)]],
    expect: [[PONG, bytes(0, 255, 254, 253)]],
  },
  {
    name: "a ping of 125 bytes",
    send: [[PING, "p".repeat(125)]],
    expect: [[PONG, "p".repeat(125)]],
  },
  { name: "a pong that nobody asked for", send: [[PONG]], expect: [] },
  { name: "a pong with data", send: [[PONG, "data"], [PING, "x"]], expect: [[PONG, "x"]] },
  {
    name: "ten pings",
    send: Array.from({ length: 10 }, (_, i) => [PING, `payload-${i}`] as const),
    expect: Array.from({ length: 10 }, (_, i) => [PONG, `payload-${i}`] as const),
  },
];

/** Frames whose first byte is set to something else. */
function withFirst(first: number, payload = ""): Sent {
  return [first & 0x0f, payload, { first } as FrameOptions];
}

const RESERVED_BITS: Case[] = [1, 2, 3, 4, 5, 6, 7].flatMap((bits) => [
  {
    name: `text with reserved bits ${bits}`,
    send: [[TEXT, "fine"], withFirst(0x80 | bits << 4 | TEXT, "bad"), [PING]],
    expect: [[TEXT, "fine"], ...closed(1002)],
  },
  {
    name: `a ping with reserved bits ${bits}`,
    send: [withFirst(0x80 | bits << 4 | PING)],
    expect: closed(1002),
  },
  {
    name: `a close frame with reserved bits ${bits}`,
    send: [withFirst(0x80 | bits << 4 | CLOSE)],
    expect: closed(1002),
  },
]);

const OPCODES: Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
  { name: `opcode ${opcode}`, send: [withFirst(0x80 | opcode)], expect: closed(1002) },
  {
    name: `opcode ${opcode} with payload, behind a message`,
    send: [[TEXT, "fine"], withFirst(0x80 | opcode, "payload"), [PING]],
    expect: [[TEXT, "fine"], ...closed(1002)],
  },
]);

const FRAGMENTS: Case[] = [
  { name: "a ping in two fragments", send: [withFirst(PING, "a")], expect: closed(1002) },
  { name: "a pong in two fragments", send: [withFirst(PONG, "a")], expect: closed(1002) },
  { name: "a close frame in two fragments", send: [withFirst(CLOSE)], expect: closed(1002) },
  {
    name: "text in two fragments",
    send: [[TEXT, "frag", MORE], [CONTINUATION, "ment"]],
    expect: [[TEXT, "fragment"]],
  },
  {
    name: "bytes in three fragments, with pings between",
    send: [[BINARY, bytes(1), MORE], [PING, "1"], [CONTINUATION, bytes(2), MORE], [PING, "2"], [
      CONTINUATION,
      bytes(3),
    ]],
    expect: [[PONG, "1"], [PONG, "2"], [BINARY, bytes(1, 2, 3)]],
  },
  {
    name: "empty fragments",
    send: [[TEXT, "", MORE], [CONTINUATION, "", MORE], [CONTINUATION, ""]],
    expect: [[TEXT, ""]],
  },
  {
    name: "empty fragments around text",
    send: [[TEXT, "", MORE], [CONTINUATION, "middle", MORE], [CONTINUATION, ""]],
    expect: [[TEXT, "middle"]],
  },
  {
    name: "a continuation of nothing",
    send: [[CONTINUATION, "x"], [TEXT, "late"]],
    expect: closed(1002),
  },
  {
    name: "an open continuation of nothing",
    send: [[CONTINUATION, "x", MORE], [TEXT, "late"]],
    expect: closed(1002),
  },
  {
    name: "a continuation behind a whole message",
    send: [[TEXT, "whole"], [CONTINUATION, "x"]],
    expect: [[TEXT, "whole"], ...closed(1002)],
  },
  {
    name: "a message that begins within another",
    send: [[TEXT, "one", MORE], [TEXT, "two"]],
    expect: closed(1002),
  },
  {
    name: "bytes that begin within text",
    send: [[TEXT, "one", MORE], [BINARY, "two", MORE], [CONTINUATION, "x"]],
    expect: closed(1002),
  },
];

/** Text, and whether it is UTF-8: of the kinds that decoders get wrong. */
const TEXTS: readonly [name: string, data: Uint8Array, valid: boolean][] = [
  ["words of many kinds", utf8(HELLO), true],
  ["the first characters of each length", utf8("\0\u0080\u0800\u{10000}"), true],
  ["the last characters of each length", utf8("\x7f\u07ff\uffff\u{10ffff}"), true],
  ["what surrounds the surrogates", utf8("\ud7ff\ue000\ufffd"), true],
  ["characters that mean nothing", utf8("\ufffe\uffff\u{1fffe}\u{2ffff}"), true],
  ["a byte order mark", utf8("\ufeffmark"), true],
  ["a continuation byte alone", bytes(0x80), false],
  ["many continuation bytes", bytes(0x80, 0xbf, 0x80), false],
  ["a first byte alone", bytes(0xc3), false],
  ["first bytes with a blank behind", bytes(0xe0, 0x20), false],
  ["a character of three without its last byte", bytes(0xe2, 0x82), false],
  ["a character of four without its last byte", bytes(0xf0, 0x9f, 0x92), false],
  ["FE", bytes(0xfe), false],
  ["FF", bytes(0xff), false],
  ["overlong NUL in two", bytes(0xc0, 0x80), false],
  ["overlong slash in two", bytes(0xc0, 0xaf), false],
  ["overlong slash in three", bytes(0xe0, 0x80, 0xaf), false],
  ["overlong slash in four", bytes(0xf0, 0x80, 0x80, 0xaf), false],
  ["the last overlong one in three", bytes(0xe0, 0x9f, 0xbf), false],
  ["five bytes", bytes(0xf8, 0x88, 0x80, 0x80, 0x80), false],
  ["six bytes", bytes(0xfc, 0x84, 0x80, 0x80, 0x80, 0x80), false],
  ["the first surrogate", bytes(0xed, 0xa0, 0x80), false],
  ["a pair of surrogates", bytes(0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80), false],
  ["one above the last character", bytes(0xf4, 0x90, 0x80, 0x80), false],
  ["words with a bad byte", join(utf8(HELLO), [0xed, 0xa0, 0x80], utf8("edited")), false],
];

const UTF8: Case[] = TEXTS.flatMap(([name, data, valid]) => {
  const expect = valid
    ? [[TEXT, new TextDecoder("utf-8", { ignoreBOM: true }).decode(data)] as const]
    : closed(1007);
  const each = [...data].map((byte, at): Sent => [
    at === 0 ? TEXT : CONTINUATION,
    bytes(byte),
    { fin: at === data.length - 1 },
  ]);
  return [
    { name: `${name}, in one frame`, send: [[TEXT, data]], expect },
    { name: `${name}, byte by byte`, send: each, expect },
  ];
});

const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];

const CLOSING: Case[] = [
  { name: "a close frame without code", send: [[CLOSE]], expect: [[CLOSE, ""]] },
  { name: "a close frame of one byte", send: [[CLOSE, bytes(3)]], expect: closed(1002) },
  {
    name: "a close frame of 125 bytes",
    send: [[CLOSE, encodeClose(1000, "*".repeat(123))]],
    expect: closed(1000),
  },
  {
    name: "a close frame of 126 bytes",
    send: [[
      CLOSE,
      join(encodeClose(1000), utf8("*".repeat(124))),
      { large: true } as FrameOptions,
    ]],
    expect: closed(1002),
  },
  {
    name: "a close reason that is not UTF-8",
    send: [[CLOSE, join(encodeClose(1000), [0xce, 0xba, 0xed, 0xa0, 0x80])]],
    expect: closed(1007),
  },
  {
    name: "a message and a ping behind a close frame",
    send: [[CLOSE, encodeClose(1000)], [TEXT, "late"], [PING, "late"], [CLOSE, encodeClose(1001)]],
    expect: closed(1000),
  },
  {
    name: "a close frame within a message",
    send: [[TEXT, "begun", MORE], [CLOSE, encodeClose(1000)], [CONTINUATION, "ended"]],
    expect: closed(1000),
  },
  ...VALID_CODES.map((code): Case => ({
    name: `close code ${code}`,
    send: [[CLOSE, encodeClose(code, "why not")]],
    expect: closed(code),
  })),
  ...INVALID_CODES.map((code): Case => ({
    name: `close code ${code}, which no peer may send`,
    send: [[CLOSE, bytes(code >> 8, code & 0xff)]],
    expect: closed(1002),
  })),
];

const GROUPS: Readonly<Record<string, readonly Case[]>> = {
  framing: FRAMING,
  pings: PINGS,
  "reserved bits": RESERVED_BITS,
  opcodes: OPCODES,
  fragments: FRAGMENTS,
  "UTF-8": UTF8,
  closing: CLOSING,
};

/** A mask that shows if it is not taken off. */
const MASK = bytes(0x37, 0xfa, 0x21, 0x3d);

/** Frames that no encoder makes are made by hand. */
function encode([opcode, payload = "", options = {}]: Sent, client: boolean): Uint8Array {
  const { first, large, ...rest } = options as FrameOptions & { first?: number; large?: boolean };
  const data = typeof payload === "string" ? utf8(payload) : payload;
  const mask = client ? {} : { mask: MASK }; // what a client's end reads comes from a server
  const frame = encodeFrame(first === undefined && !large ? opcode : BINARY, data, {
    ...rest,
    ...mask,
  });
  if (first !== undefined) frame[0] = first;
  if (large) frame[0] = 0x80 | opcode;
  return frame;
}

interface End {
  /** Sends bytes and lets the end act. */
  readonly give: (data: Uint8Array) => Promise<void>;
  /** Everything that it has sent so far. */
  readonly came: () => Promise<Came[]>;
  readonly connection: WebSocketConnection;
  /** Whether it has ended its side of the connection. */
  readonly ended: () => boolean;
  /** Ends this side. */
  readonly leave: () => Promise<void>;
}

/** Runs `body` with one end of a WebSocket that sends each message back. */
async function echoing(client: boolean, body: (end: End) => Promise<void>): Promise<void> {
  const { loop, tick } = fakeLoop();
  const [peer, conn] = memoryPair({ capacity: 1 << 20 });
  const running = loop.start();
  let ends = 0;
  const receiver: WebSocketReceiver = {
    receive: (message) => {
      connection.send(message, message instanceof Uint8Array);
      return null;
    },
    receivePing: () => {},
    receivePong: () => {},
    receiveEnd: () => void ends++,
  };
  const connection = new WebSocketConnection(receiver, { client });
  connection.start(new IOStream(conn, { ioLoop: loop }));
  connection.startReading();
  const reader = readAll(peer, client);
  try {
    await body({
      connection,
      give: async (data) => {
        await peer.write(data).catch(() => {}); // it may have closed for good
        await tick(0);
      },
      came: async () => {
        await tick(0);
        return reader.came();
      },
      ended: () => reader.ended,
      leave: async () => {
        peer.close();
        await tick(0);
      },
    });
  } finally {
    if (!peer.closed()) peer.close();
    await tick(0);
    loop.stop();
    await running;
  }
  assertEquals(ends, 1);
}

function readAll(peer: { read(buffer: Uint8Array): Promise<number | null> }, client: boolean) {
  let all = new Uint8Array(0);
  const reader = { ended: false, came: () => split(all, client) };
  const buffer = new Uint8Array(1 << 17);
  (async () => {
    for (;;) {
      const count = await peer.read(buffer).catch(() => null);
      if (count === null) break;
      all = join(all, buffer.subarray(0, count)) as Uint8Array<ArrayBuffer>;
    }
    reader.ended = true;
  })();
  return reader;
}

/** Takes the frames apart, whatever their kind; those of a client must have a mask. */
function split(all: Uint8Array, client: boolean): Came[] {
  const frames: Came[] = [];
  for (let at = 0; at < all.length;) {
    const opcode = all[at]! & 0x0f;
    assertEquals(all[at]! & 0xf0, 0x80);
    assertEquals(all[at + 1]! >> 7, client ? 1 : 0);
    let length = all[at + 1]! & 0x7f;
    at += 2;
    if (length >= 126) {
      const size = length === 126 ? 2 : 8;
      length = all.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
      at += size;
    }
    const mask = client ? all.subarray(at, at + 4) : bytes(0, 0, 0, 0);
    if (client) at += 4;
    const data = all.slice(at, at + length).map((byte, i) => byte ^ mask[i % 4]!);
    at += length;
    frames.push([opcode, data]);
  }
  return frames;
}

/** What a case expects, as it comes. */
function asBytes([opcode, payload]: Came): Came {
  if (typeof payload === "number") return [opcode, encodeClose(payload)];
  return [opcode, typeof payload === "string" ? utf8(payload) : payload];
}

function assertCame(came: readonly Came[], expected: readonly Came[], what: string): void {
  const short = ([opcode, data]: Came) => `${opcode}: ${(data as Uint8Array).toHex()}`;
  assertEquals(came.map(short), expected.map(asBytes).map(short), what);
}

for (const client of [false, true]) {
  const side = client ? "a client" : "a server";
  for (const [group, cases] of Object.entries(GROUPS)) {
    Deno.test(`${side} keeps the rules of ${group}, however the bytes are cut`, async () => {
      for (const { name, send, expect } of cases) {
        const input = join(...send.map((sent) => encode(sent, client)));
        for (const step of input.length > 2000 ? [input.length] : [input.length, 1, 3]) {
          await echoing(client, async ({ give, came, connection, ended, leave }) => {
            const what = `${name}, ${step} bytes at a time`;
            for (let at = 0; at < input.length; at += step) {
              await give(input.subarray(at, at + step));
            }
            const alive = expect.every(([opcode]) => opcode !== CLOSE);
            assertEquals(connection.closing, !alive, what);
            if (alive) await give(encode([CLOSE, encodeClose(1000)], client));
            assertCame(await came(), alive ? [...expect, ...closed(1000)] : expect, what);
            // The server ends the connection first, and so does whoever was told nonsense.
            const orderly = alive || send.some(([opcode]) => opcode === CLOSE) &&
                connection.closeReason !== null;
            assertEquals(ended() || (client && orderly), true, what);
            await leave();
            assert(ended(), what);
          });
        }
      }
    });
  }

  Deno.test(`${side} fails at the first impossible byte of text, before the frame is whole`, async () => {
    const bad = join(utf8(HELLO), [0xf4, 0x90], utf8("not looked at"));
    const at = utf8(HELLO).length + 1;
    const frame = encode([TEXT, bad], client);
    const header = frame.length - bad.length;
    const pieces: [string, Uint8Array, Uint8Array][] = [
      ["in one frame", frame.subarray(0, header + at), frame.subarray(header + at)],
      [
        "in two frames",
        join(
          encode([TEXT, bad.subarray(0, 9), MORE], client),
          encode([CONTINUATION, bad.subarray(9)], client).subarray(0, header + at - 9),
        ),
        bad.subarray(at, at + 1).map((byte) => client ? byte : byte ^ MASK[(at - 9) % 4]!),
      ],
    ];
    for (const [what, good, rest] of pieces) {
      await echoing(client, async ({ give, came, connection }) => {
        await give(good);
        assertEquals([connection.closing, await came()], [false, []], what);
        await give(rest.subarray(0, 1));
        assertCame(await came(), closed(1007), what);
      });
    }
  });

  Deno.test(`${side} refuses frames ${client ? "with" : "without"} a mask with 1002`, async () => {
    await echoing(client, async ({ give, came }) => {
      await give(encode([TEXT, "fine"], client));
      await give(encode([TEXT, "bad"], !client));
      assertCame(await came(), [[TEXT, "fine"], ...closed(1002)], "");
    });
  });

  Deno.test(`${side} takes a message in pieces of any size`, async () => {
    const data = Uint8Array.from({ length: 65536 }, (_, at) => at * 7);
    for (const size of [64, 1024, 16384]) {
      await echoing(client, async ({ give, came }) => {
        for (let at = 0; at < data.length; at += size) {
          const fin = at + size >= data.length;
          const piece = data.subarray(at, at + size);
          await give(encode([at === 0 ? BINARY : CONTINUATION, piece, { fin }], client));
        }
        assertCame(await came(), [[BINARY, data]], `${size} bytes`);
      });
    }
  });
}
