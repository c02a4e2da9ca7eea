// What goes over the wire when both ends agreed on permessage-deflate. The peer is pako, whose
// contexts live on from message to message as RFC 7692 7.2 describes.
import { assert, assertEquals } from "@std/assert";
// @ts-types="../../websocket/_pako.d.ts"
import { deflate, deflateInit2, deflateReset } from "pako/lib/zlib/deflate.js";
// @ts-types="../../websocket/_pako.d.ts"
import { inflate, inflateInit2, inflateReset } from "pako/lib/zlib/inflate.js";
// @ts-types="../../websocket/_pako.d.ts"
import ZStream from "pako/lib/zlib/zstream.js";
import { IOStream } from "../../iostream/mod.ts";
import { fakeLoop, memoryPair } from "../../testing/mod.ts";
import {
  type CompressionOptions,
  type DeflateAgreement,
  encodeClose,
  encodeFrame,
  FIN,
  Opcode,
  PreparedMessage,
  RSV1,
  WebSocketConnection,
  type WebSocketReceiver,
} from "../../websocket/mod.ts";
import { seeded } from "../_seeded.ts";
import { everyCut, join } from "./_decode.ts";
import { masked } from "./_raw_client.ts";

const Z_SYNC_FLUSH = 2;
const Z_FINISH = 4;
const TAIL = [0, 0, 0xff, 0xff];

/** Compresses or inflates message by message; `alone` begins anew each time. */
class Zlib {
  readonly #stream = new ZStream();
  readonly #run: (stream: ZStream, flush: number) => number;
  readonly #reset: (stream: ZStream) => number;
  readonly #alone: boolean;

  private constructor(run: typeof deflate, reset: typeof deflateReset, alone: boolean) {
    this.#run = run;
    this.#reset = reset;
    this.#alone = alone;
  }

  static deflate(windowBits = 15, alone = false): Zlib {
    const zlib = new Zlib(deflate, deflateReset, alone);
    deflateInit2(zlib.#stream, 6, 8, -windowBits, 8, 0);
    return zlib;
  }

  static inflate(windowBits = 15, alone = false): Zlib {
    const zlib = new Zlib(inflate, inflateReset, alone);
    inflateInit2(zlib.#stream, -windowBits);
    return zlib;
  }

  /** Compresses one message, without its tail. */
  compress(message: Uint8Array, flush = Z_SYNC_FLUSH): Uint8Array {
    const compressed = this.#all(message, flush);
    return flush === Z_FINISH ? compressed : compressed.subarray(0, -4);
  }

  /** Brings back one message; the window of the peer is all it may refer to. */
  expand(compressed: Uint8Array): Uint8Array {
    return this.#all(join(compressed, TAIL), Z_SYNC_FLUSH);
  }

  #all(input: Uint8Array, flush: number): Uint8Array {
    const stream = this.#stream;
    if (this.#alone) this.#reset(stream);
    stream.input = input;
    stream.next_in = 0;
    stream.avail_in = input.length;
    const parts: Uint8Array[] = [];
    do {
      // Small pieces: what lies further back than the window is gone, as in a small decoder.
      stream.output = new Uint8Array(64);
      stream.next_out = 0;
      stream.avail_out = 64;
      const code = this.#run(stream, flush);
      assert(code >= 0 || code === -5, `${code} ${stream.msg}`);
      parts.push(stream.output.subarray(0, stream.next_out));
    } while (stream.avail_out === 0);
    return join(...parts);
  }
}

function agreement(outgoing: [number, boolean], incoming = outgoing): DeflateAgreement {
  const direction = ([windowBits, contextTakeover]: [number, boolean]) => ({
    windowBits,
    contextTakeover,
  });
  return { outgoing: direction(outgoing), incoming: direction(incoming) };
}

interface Frame {
  readonly compressed: boolean;
  readonly opcode: number;
  readonly data: Uint8Array;
}

interface Ends {
  readonly connection: WebSocketConnection;
  readonly seen: unknown[];
  /** Sends bytes to the connection and lets it act. */
  readonly give: (...parts: Uint8Array[]) => Promise<void>;
  /** The frames that the connection has written meanwhile. */
  readonly frames: () => Promise<Frame[]>;
}

async function connected(
  deflate: DeflateAgreement,
  body: (ends: Ends) => Promise<void>,
  options: CompressionOptions & { maxMessageSize?: number } = {},
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const [peer, end] = memoryPair({ capacity: 1 << 24 });
  const running = loop.start();
  const seen: unknown[] = [];
  const receiver: WebSocketReceiver = {
    receive: (message) => (seen.push(message), null),
    receivePing: (data) => void seen.push(["ping", data]),
    receivePong: () => {},
    receiveEnd: () => {},
  };
  const { maxMessageSize = 1 << 20, ...compressionOptions } = options;
  const connection = new WebSocketConnection(receiver, {
    deflate,
    compressionOptions,
    maxMessageSize,
  });
  connection.start(new IOStream(end, { ioLoop: loop }));
  connection.startReading();
  const frames = async () => {
    await tick(0);
    peer.release(0);
    const buffer = new Uint8Array(1 << 24);
    const size = await peer.read(buffer) ?? 0;
    return split(buffer.subarray(0, size));
  };
  try {
    await body({
      connection,
      seen,
      give: async (...parts) => {
        await peer.write(join(...parts));
        await tick(0);
      },
      frames,
    });
  } finally {
    peer.close();
    await tick(0);
    loop.stop();
    await running;
  }
}

function split(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at]!;
    let length = bytes[at + 1]!;
    at += 2;
    if (length >= 126) {
      const size = length === 126 ? 2 : 8;
      length = bytes.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
      at += size;
    }
    assert((first & FIN) !== 0);
    frames.push({
      compressed: (first & RSV1) !== 0,
      opcode: first & 0x3f & ~FIN,
      data: bytes.slice(at, at + length),
    });
    at += length;
  }
  return frames;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Messages that repeat themselves, near and far, and some noise. */
function conversation(): Uint8Array[] {
  const random = seeded(7);
  const noise = Uint8Array.from({ length: 600 }, () => random(256));
  const messages = [utf8("x".repeat(1000)), noise, new Uint8Array(0), utf8("a")];
  for (let count = 0; count < 40; count++) {
    const at = random(500);
    messages.push(join(noise.subarray(at, at + random(100)), utf8(`message ${count} `.repeat(20))));
    if (count % 10 === 0) {
      messages.push(new Uint8Array(count % 20 === 0 ? 70_000 : 16_384).fill(count));
    }
  }
  return messages;
}

for (const bits of [8, 9, 12, 15]) {
  for (const takeover of [true, false]) {
    const how = `${bits} window bits ${takeover ? "and" : "without"} context takeover`;
    Deno.test(`send() is understood by an inflater with ${how}`, async () => {
      await connected(agreement([bits, takeover]), async ({ connection, frames }) => {
        const peer = Zlib.inflate(bits, !takeover);
        let plain = 0;
        let sent = 0;
        for (const message of conversation()) {
          connection.send(message, true);
          const [frame] = await frames();
          const { compressed, data } = frame!;
          assertEquals(compressed ? peer.expand(data) : data, message);
          plain += message.length;
          sent += data.length;
          assert(data.length <= message.length + (takeover ? 64 : 0));
        }
        assert(sent < plain / 2, `${sent} of ${plain} bytes`);
      });
    });

    Deno.test(`a connection understands a deflater with ${how}`, async () => {
      await connected(agreement([bits, takeover]), async ({ seen, give }) => {
        const peer = Zlib.deflate(Math.max(bits, 9), !takeover); // zlib knows none with 8
        const messages = conversation();
        for (const message of messages) {
          await give(masked(Opcode.BINARY, peer.compress(message), { rsv1: true }));
        }
        assertEquals(seen, messages);
      });
    });
  }
}

Deno.test("send() of equal messages gets shorter with context takeover only", async () => {
  const message = "Hello world. Testing 123 123";
  const sizes = async (takeover: boolean) => {
    let sizes: number[] = [];
    await connected(agreement([15, takeover]), async ({ connection, frames }) => {
      for (let count = 0; count < 3; count++) connection.send(message, false);
      sizes = (await frames()).map(({ data }) => data.length);
    });
    return sizes;
  };
  const [first, second, third] = await sizes(true);
  assert(second! < first! / 2 && third! <= second!, `${first}, ${second}, ${third} bytes`);
  assertEquals(await sizes(false), Array(3).fill(message.length));
});

Deno.test("send() without context takeover leaves what gets no shorter, or is under the threshold", async () => {
  await connected(agreement([15, false]), async ({ connection, frames }) => {
    const peer = Zlib.inflate(15, true);
    const noise = crypto.getRandomValues(new Uint8Array(100));
    const long = utf8("many words, many words, many words");
    for (const message of [noise, utf8("short, short"), long]) connection.send(message, true);
    const seen = await frames();
    assertEquals(seen.map(({ compressed }) => compressed), [false, false, true]);
    assertEquals(peer.expand(seen[2]!.data), long);
  }, { threshold: 20 });
});

Deno.test("send() leaves out of the window what is under the threshold, or empty", async () => {
  await connected(agreement([15, true]), async ({ connection, frames }) => {
    const peer = Zlib.inflate();
    const long = utf8("many words, many words, many words");
    for (const message of [long, utf8("many words, many"), new Uint8Array(0), long]) {
      connection.send(message, true);
    }
    const seen = await frames();
    assertEquals(seen.map(({ compressed }) => compressed), [true, false, false, true]);
    assertEquals(peer.expand(seen[0]!.data), long);
    assertEquals(peer.expand(seen[3]!.data), long);
  }, { threshold: 20 });
});

Deno.test("an empty and a tiny message are understood compressed and plain", async () => {
  await connected(agreement([15, true]), async ({ connection, seen, give, frames }) => {
    const peer = Zlib.deflate();
    await give(
      masked(Opcode.TEXT, peer.compress(new Uint8Array(0)), { rsv1: true }),
      masked(Opcode.TEXT, Uint8Array.of(0), { rsv1: true }), // an empty block
      masked(Opcode.TEXT, "", { rsv1: true }), // not even that
      masked(Opcode.TEXT, ""),
      masked(Opcode.TEXT, peer.compress(utf8("a")), { rsv1: true }),
    );
    assertEquals(seen, ["", "", "", "", "a"]);
    connection.send("", false);
    connection.send("a", false);
    const [empty, tiny] = await frames();
    assertEquals([empty!.compressed, empty!.data.length], [false, 0]);
    assertEquals([tiny!.compressed, Zlib.inflate().expand(tiny!.data)], [true, utf8("a")]);
  });
});

Deno.test("the vectors of RFC 7692 7.2.3 say Hello", async () => {
  await connected(agreement([15, true]), async ({ seen, give }) => {
    const vectors = [
      [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
      [0xf2, 0x00, 0x11, 0x00, 0x00], // refers to the one before
      [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], // stored
      [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], // a last block, and one more
      [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], // two blocks
    ];
    for (const vector of vectors) {
      await give(masked(Opcode.TEXT, Uint8Array.from(vector), { rsv1: true }));
    }
    assertEquals(seen, Array(vectors.length).fill("Hello"));
  });
});

Deno.test("a message that ends zlib's stream, and one that does so within, are understood", async () => {
  await connected(agreement([15, true]), async ({ seen, give }) => {
    const peer = Zlib.deflate(15, true);
    const ended = peer.compress(utf8("the end"), Z_FINISH);
    await give(
      masked(Opcode.TEXT, ended, { rsv1: true }),
      masked(Opcode.TEXT, join(ended, ended, [0]), { rsv1: true }),
      masked(Opcode.TEXT, "plain"),
    );
    assertEquals(seen, ["the end", "the endthe end", "plain"]);
  });
});

// Each last block costs a call of zlib: millions of them in one message would take minutes.
Deno.test("a message of very many last blocks is refused with 1007", async () => {
  await connected(agreement([15, true]), async ({ seen, give, frames }) => {
    const empty = Uint8Array.of(0x03, 0x00);
    const bytes = new Uint8Array(100_000);
    for (let at = 0; at < bytes.length; at += 2) bytes.set(empty, at);
    await give(masked(Opcode.BINARY, bytes, { rsv1: true }));
    assertEquals((await frames())[0]!.data, encodeClose(1007));
    assertEquals(seen, []);
  });
});

Deno.test("a compressed message in fragments, with a ping between, cut anywhere", async () => {
  const compressed = Zlib.deflate().compress(utf8("caf\u00e9 ".repeat(9)));
  const input = join(
    masked(Opcode.TEXT, compressed.subarray(0, 1), { fin: false, rsv1: true }),
    masked(Opcode.PING, "p"),
    masked(Opcode.CONTINUATION, "", { fin: false }),
    masked(Opcode.CONTINUATION, compressed.subarray(1, 9), { fin: false }),
    masked(Opcode.CONTINUATION, compressed.subarray(9)),
  );
  for (const cuts of everyCut(input.length)) {
    await connected(agreement([15, true]), async ({ seen, give }) => {
      let from = 0;
      for (const to of [...cuts, input.length]) {
        await give(input.subarray(from, to));
        from = to;
      }
      assertEquals(seen, [["ping", utf8("p")], "caf\u00e9 ".repeat(9)]);
    });
  }
});

/** What a peer may not send when messages are compressed, and the code that answers it. */
const REFUSED: readonly [what: string, code: number, frames: () => Uint8Array][] = [
  ["RSV1 on a ping", 1002, () => masked(Opcode.PING, "").with(0, 0xc9)],
  ["RSV1 on a close frame", 1002, () => masked(Opcode.CLOSE, "").with(0, 0xc8)],
  [
    "RSV1 on a continuation",
    1002,
    () =>
      join(
        masked(Opcode.TEXT, Uint8Array.of(0xf2), { fin: false, rsv1: true }),
        masked(Opcode.CONTINUATION, "", { rsv1: true }),
      ),
  ],
  ["RSV2", 1002, () => masked(Opcode.TEXT, "").with(0, 0xa1)],
  ["RSV3 beside RSV1", 1002, () => masked(Opcode.TEXT, "").with(0, 0xd1)],
  [
    "bytes that are no deflate",
    1007,
    () => masked(Opcode.TEXT, Uint8Array.of(0xff, 0xff), { rsv1: true }),
  ],
  [
    "a message that is cut short",
    1007,
    () =>
      masked(Opcode.BINARY, Zlib.deflate().compress(utf8("cut me short, please")).subarray(0, 9), {
        rsv1: true,
      }),
  ],
  [
    "text that is not UTF-8",
    1007,
    () => masked(Opcode.TEXT, Zlib.deflate().compress(Uint8Array.of(0xc3)), { rsv1: true }),
  ],
  [
    "a reference to before the beginning",
    1007,
    () => masked(Opcode.TEXT, Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00), { rsv1: true }),
  ],
];

for (const [what, code, bytes] of REFUSED) {
  Deno.test(`a compressing connection answers ${what} with ${code}`, async () => {
    await connected(agreement([15, true]), async ({ connection, seen, give, frames }) => {
      await give(bytes(), masked(Opcode.TEXT, "late"));
      const [frame] = await frames();
      assertEquals([frame!.opcode, frame!.data], [Opcode.CLOSE, encodeClose(code)]);
      assertEquals([connection.closing, seen], [true, []]);
    });
  });
}

Deno.test("maxMessageSize counts before and after inflation", async () => {
  const limited = async (message: Uint8Array, rsv1: boolean) => {
    let end: unknown;
    await connected(agreement([15, true]), async ({ seen, give, frames }) => {
      const payload = rsv1 ? Zlib.deflate().compress(message) : message;
      await give(masked(Opcode.BINARY, payload, { rsv1 }));
      if (seen.length > 0) end = (seen[0] as Uint8Array).length;
      else end = (await frames())[0]!.data;
    }, { maxMessageSize: 1024 });
    return end;
  };
  const tooBig = encodeClose(1009, "message too big");
  const noise = crypto.getRandomValues(new Uint8Array(1025));
  assertEquals(await limited(new Uint8Array(1024), true), 1024);
  assertEquals(await limited(new Uint8Array(1025), true), tooBig);
  assertEquals(await limited(new Uint8Array(10_000_000), true), tooBig);
  assertEquals(await limited(noise.subarray(1), true), 1024); // compressed it is longer
  assertEquals(await limited(noise, true), tooBig);
  assertEquals(await limited(noise, false), tooBig);
  assertEquals(await limited(crypto.getRandomValues(new Uint8Array(4000)), true), tooBig);
});

Deno.test("a bomb is stopped at the limit, however large it would get", async () => {
  const block = new Uint8Array(1 << 16);
  const deflater = Zlib.deflate();
  const bomb = join(...Array.from({ length: 64 }, () => join(deflater.compress(block), TAIL)));
  assert(bomb.length < 10_000, `${bomb.length} bytes for 4 MiB`);
  await connected(agreement([15, true]), async ({ seen, give, frames }) => {
    await give(masked(Opcode.BINARY, join(bomb, [0]), { rsv1: true }));
    assertEquals((await frames())[0]!.data, encodeClose(1009, "message too big"));
    assertEquals(seen, []);
  }, { maxMessageSize: 1 << 17 });
});

Deno.test("sendPrepared() between other messages is understood by one context", async () => {
  const messages = [utf8("one and one and one"), utf8("two and two and two and one")];
  const prepared = new PreparedMessage("three and three and two and one and one");
  for (const bits of [9, 15]) {
    await connected(agreement([bits, true]), async ({ connection, frames }) => {
      const peer = Zlib.inflate(bits);
      for (let round = 0; round < 20; round++) {
        connection.send(messages[0]!, true);
        connection.sendPrepared(prepared);
        connection.send(messages[1]!, true);
        connection.sendPrepared(prepared);
        connection.sendPrepared(prepared);
      }
      const sent = await frames();
      assert(sent.every(({ compressed }) => compressed));
      const expected = [messages[0], null, messages[1], null, null]
        .map((message) => message ?? utf8("three and three and two and one and one"));
      for (const [at, { data }] of sent.entries()) {
        assertEquals(peer.expand(data), expected[at % 5]!, `message ${at}`);
      }
    });
  }
});

Deno.test("sendPrepared() sends plain what gets no shorter or is under the threshold", async () => {
  await connected(agreement([15, true]), async ({ connection, frames }) => {
    const noise = crypto.getRandomValues(new Uint8Array(100));
    connection.sendPrepared(new PreparedMessage(noise));
    connection.sendPrepared(new PreparedMessage("aaaaaaaaaaaaaaaaaa"));
    connection.sendPrepared(new PreparedMessage("a".repeat(100)));
    const sent = await frames();
    assertEquals(sent.map(({ compressed }) => compressed), [false, false, true]);
    assertEquals(sent[0]!.data, noise);
  }, { threshold: 20 });
});

Deno.test("a message that is given belongs to its receiver", async () => {
  await connected(agreement([15, true]), async ({ seen, give }) => {
    const peer = Zlib.deflate();
    const message = utf8("keep me, keep me, keep me");
    await give(masked(Opcode.BINARY, peer.compress(message), { rsv1: true }));
    const first = seen[0] as Uint8Array;
    assertEquals(first.buffer.byteLength, first.length);
    first.fill(0); // must not be the window
    await give(masked(Opcode.BINARY, peer.compress(message), { rsv1: true }));
    assertEquals(seen[1], message);
  });
});

Deno.test("compressed frames carry the mask of a client", async () => {
  const { loop, tick } = fakeLoop();
  const [peer, end] = memoryPair();
  const running = loop.start();
  const receiver: WebSocketReceiver = {
    receive: () => null,
    receivePing: () => {},
    receivePong: () => {},
    receiveEnd: () => {},
  };
  const connection = new WebSocketConnection(receiver, {
    client: true,
    deflate: agreement([15, true]),
  });
  connection.start(new IOStream(end, { ioLoop: loop }));
  connection.send("again and again and again", false);
  await tick(0);
  const buffer = new Uint8Array(100);
  const frame = buffer.subarray(0, await peer.read(buffer) ?? 0);
  assertEquals([frame[0], frame[1]! & 0x80], [FIN | RSV1 | Opcode.TEXT, 0x80]);
  const data = frame.slice(6).map((byte, at) => byte ^ frame[2 + at % 4]!);
  assertEquals(Zlib.inflate().expand(data), utf8("again and again and again"));
  assertEquals(encodeFrame(Opcode.TEXT, data).length, frame.length - 4);
  peer.close();
  connection.close();
  await tick(0);
  loop.stop();
  await running;
});
