import { assert, assertEquals, assertThrows } from "@std/assert";
import { Future } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import {
  encodeClose,
  encodeFrame,
  Opcode,
  PreparedMessage,
  WebSocketClosedError,
  WebSocketConnection,
  type WebSocketReceiver,
} from "../../websocket/mod.ts";
import { everyCut, join } from "./_decode.ts";
import { masked } from "./_raw_client.ts";

/** Notes what it is told; a message is worked on until `work` is done, if there is one. */
class Receiver implements WebSocketReceiver {
  readonly seen: unknown[] = [];
  work: Future<unknown> | null = null;

  receive(message: string | Uint8Array): Future<unknown> | null {
    this.seen.push(message);
    return this.work;
  }

  receivePing(data: Uint8Array): void {
    this.seen.push(["ping", data]);
  }

  receivePong(data: Uint8Array): void {
    this.seen.push(["pong", data]);
  }

  receiveEnd(): void {
    this.seen.push("end");
  }
}

interface Connected {
  readonly connection: WebSocketConnection;
  readonly receiver: Receiver;
  readonly client: MemoryConn;
  /** Moves the clock; 0 lets everything that is due happen. */
  readonly tick: (ms: number) => Promise<void>;
  /** Reads what the connection has written. */
  readonly read: () => Promise<Uint8Array>;
}

/** Runs `body` with the two ends of a connection in memory. */
async function connected(
  body: (ends: Connected) => Promise<void>,
  { maxMessageSize = 65536 }: { maxMessageSize?: number } = {},
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const [client, end] = memoryPair();
  const running = loop.start();
  const receiver = new Receiver();
  const connection = new WebSocketConnection(receiver, { maxMessageSize });
  connection.start(new IOStream(end, { ioLoop: loop }));
  connection.startReading();
  const buffer = new Uint8Array(65536);
  const read = async () => {
    await tick(0);
    return buffer.slice(0, await client.read(buffer) ?? 0);
  };
  try {
    await body({ connection, receiver, client, tick, read });
  } finally {
    if (!client.closed()) client.close();
    await tick(0);
    loop.stop();
    await running;
  }
  assertEquals(receiver.seen.at(-1), "end");
  assertEquals(receiver.seen.filter((event) => event === "end").length, 1);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("WebSocketConnection reads and answers bytes cut anywhere", async () => {
  const input = join(
    masked(Opcode.TEXT, "a\u00e9", { fin: false }),
    masked(Opcode.PING, "p"),
    masked(Opcode.CONTINUATION, "\u00e9"),
    masked(Opcode.BINARY, Uint8Array.of(1, 2)),
    masked(Opcode.PONG, ""),
    masked(Opcode.CLOSE, encodeClose(1000, "bye")),
  );
  for (const cuts of everyCut(input.length)) {
    await connected(async ({ connection, receiver, client, tick, read }) => {
      let from = 0;
      for (const to of [...cuts, input.length]) {
        await client.write(input.subarray(from, to));
        if (cuts.length > 0) await tick(0);
        from = to;
      }
      assertEquals(
        await read(),
        join(
          encodeFrame(Opcode.PONG, utf8("p")),
          encodeFrame(Opcode.CLOSE, encodeClose(1000)),
        ),
      );
      assertEquals(await read(), new Uint8Array(0)); // the end
      assertEquals(receiver.seen, [
        ["ping", utf8("p")],
        "a\u00e9\u00e9",
        Uint8Array.of(1, 2),
        ["pong", new Uint8Array(0)],
        "end",
      ]);
      assertEquals([connection.closeCode, connection.closeReason], [1000, "bye"]);
    });
  }
});

Deno.test("send() frames text and bytes of every length around its thresholds", async () => {
  await connected(async ({ connection, read }) => {
    for (const size of [0, 1, 64, 65, 125, 126, 1362, 1363, 4085, 4086, 4087, 60000]) {
      connection.send("x".repeat(size), false);
      assertEquals(await read(), encodeFrame(Opcode.TEXT, utf8("x".repeat(size))));
      connection.send(new Uint8Array(size).fill(5), true);
      assertEquals(await read(), encodeFrame(Opcode.BINARY, new Uint8Array(size).fill(5)));
    }
    for (const text of ["\u00e9", `${"x".repeat(63)}\u4e16`, "\u4e16".repeat(1363), "\ud800"]) {
      connection.send("before", false);
      connection.send(text, false);
      connection.send("behind", false);
      const frames = ["before", text, "behind"].map((t) => encodeFrame(Opcode.TEXT, utf8(t)));
      assertEquals(await read(), join(...frames));
    }
    connection.send("\u00e9", true);
    assertEquals(await read(), encodeFrame(Opcode.BINARY, utf8("\u00e9")));
  });
});

Deno.test("send() is done when the bytes are taken, and several leave in one write", async () => {
  await connected(async ({ connection, read }) => {
    const [one, two] = [connection.send("one", false), connection.send("two", false)];
    assertEquals([one.done(), connection.bufferedAmount], [false, 10]);
    assertEquals(
      await read(),
      join(encodeFrame(Opcode.TEXT, utf8("one")), encodeFrame(Opcode.TEXT, utf8("two"))),
    );
    assertEquals([one.done(), two.done(), connection.bufferedAmount], [true, true, 0]);
  });
});

Deno.test("sendPrepared() keeps its place among other messages, short and long", async () => {
  const long = "long ".repeat(2000);
  const text = (message: string) => encodeFrame(Opcode.TEXT, utf8(message));
  await connected(async ({ connection, read }) => {
    const messages = ["a", "b", long, "c", "d", long, "e"];
    const prepared = new Map(messages.map((message) => [message, new PreparedMessage(message)]));
    for (let mask = 0; mask < 1 << messages.length; mask++) { // which of them are prepared
      const sent = messages.map((message, at) =>
        (mask & 1 << at) === 0
          ? connection.send(message, false)
          : connection.sendPrepared(prepared.get(message)!)
      );
      assertEquals(sent.every((future) => !future.done()), true);
      const expected = join(...messages.map(text));
      let came = new Uint8Array(0);
      while (came.length < expected.length) came = join(came, await read()) as typeof came;
      assertEquals([came.toHex() === expected.toHex(), connection.bufferedAmount], [true, 0]);
      assertEquals(sent.every((future) => future.done()), true);
    }
  });
});

Deno.test("send() fails when the connection ends before its bytes are taken", async () => {
  await connected(async ({ connection, client, tick }) => {
    const sent = connection.send(new Uint8Array(200_000), true);
    await tick(0);
    assert(!sent.done());
    client.reset();
    await tick(0);
    const error = sent.exception();
    assert(error instanceof WebSocketClosedError);
    assert(error.cause instanceof Error);
    assertThrows(() => connection.send("late", false), WebSocketClosedError);
  });
});

Deno.test("a connection reads nothing while its receiver works, then goes on", async () => {
  await connected(async ({ receiver, client, tick }) => {
    const work = receiver.work = new Future<void>();
    await client.write(join(masked(Opcode.TEXT, "one"), masked(Opcode.PING, "p")));
    await client.write(masked(Opcode.TEXT, "two"));
    await tick(0);
    assertEquals(receiver.seen, ["one"]);
    receiver.work = null;
    work.setResult();
    await tick(0);
    assertEquals(receiver.seen, ["one", ["ping", utf8("p")], "two"]);
  });
});

Deno.test("a connection learns of its peer's end while its receiver works", async () => {
  await connected(async ({ receiver, client, tick }) => {
    const work = receiver.work = new Future<void>();
    await client.write(masked(Opcode.TEXT, "one"));
    await tick(0);
    client.close();
    await tick(0);
    assertEquals(receiver.seen, ["one", "end"]);
    work.setResult(); // changes nothing
    await tick(0);
  });
});

// Answers that the receiver did not wait for piled up without a limit.
Deno.test("send() to a peer that asks and does not read makes its messages wait", async () => {
  await connected(async ({ connection, receiver, client, tick, read }) => {
    const size = 10_000;
    const asked = 1000;
    receiver.receive = (message) => {
      receiver.seen.push(message);
      connection.send(new Uint8Array(size), true);
      return null;
    };
    await client.write(join(...Array(asked).fill(masked(Opcode.TEXT, "?"))));
    await tick(0);
    assert(connection.bufferedAmount < 1_200_000, `${connection.bufferedAmount} bytes wait`);
    let came = 0;
    while (came < asked * (size + 4)) came += (await read()).length;
    assertEquals(receiver.seen.length, asked);
  });
});

Deno.test("a peer that pings and does not read has to wait", async () => {
  await connected(async ({ connection, receiver, client, tick, read }) => {
    const pings = 4000; // their answers are some 500 KiB
    const input = join(...Array(pings).fill(masked(Opcode.PING, "x".repeat(125))));
    let taken = 0;
    let most = 0;
    const write = async () => {
      while (taken < input.length) taken += await client.write(input.subarray(taken));
    };
    const written = write();
    for (let turn = 0; turn < 100; turn++) {
      await tick(0);
      most = Math.max(most, connection.bufferedAmount);
    }
    assert(taken < input.length, "the pings wait");
    const before = receiver.seen.length;
    assert(before < pings && most < 200_000, `${before} pings, ${most} bytes queued`);
    let size = 0;
    while (size < pings * 127) size += (await read()).length;
    await written;
    assertEquals([size, receiver.seen.length], [pings * 127, pings]);
  });
});

Deno.test("shutdown() says 1001, and drops in 5 s a peer that does not answer", async () => {
  await connected(async ({ connection, receiver, tick, read }) => {
    let ends = 0;
    connection.onEnd = () => ends++;
    connection.shutdown();
    connection.shutdown();
    assertEquals(await read(), encodeFrame(Opcode.CLOSE, encodeClose(1001)));
    await tick(4999);
    assertEquals([ends, receiver.seen], [0, []]);
    await tick(1);
    assertEquals([ends, receiver.seen], [1, ["end"]]);
  });
});

Deno.test("sendClose() finds the peer's answer behind what its receiver has not taken", async () => {
  await connected(async ({ connection, receiver, client, tick }) => {
    receiver.work = new Future<void>();
    await client.write(join(
      masked(Opcode.TEXT, "one"),
      masked(Opcode.TEXT, "dropped"),
      masked(Opcode.PING, "not answered"),
    ));
    await tick(0);
    connection.sendClose(1000, "enough");
    await client.write(masked(Opcode.CLOSE, encodeClose(1000, "fine")));
    await tick(0);
    assertEquals(receiver.seen, ["one", "end"]);
    assertEquals([connection.closeCode, connection.closeReason], [1000, "fine"]);
  });
});

Deno.test("sendClose() takes what the peer breaks afterwards for its end", async () => {
  await connected(async ({ connection, receiver, client, tick }) => {
    connection.sendClose(1000);
    await client.write(Uint8Array.of(0xff, 0xff, 0xff));
    await tick(0);
    assertEquals(receiver.seen, []);
    client.close();
    await tick(0);
    assertEquals([receiver.seen, connection.closeCode], [["end"], null]);
  });
});

Deno.test("close() ends at once and drops what a peer has not read", async () => {
  await connected(async ({ connection, receiver, client, tick }) => {
    const sent = connection.send(new Uint8Array(200_000), true);
    await tick(0);
    connection.close();
    assertEquals(receiver.seen, ["end"]);
    assert(sent.exception() instanceof WebSocketClosedError);
    await client.write(Uint8Array.of(1)).then(
      () => assert(false, "somebody could still read"),
      (error) => assert(error instanceof Deno.errors.BrokenPipe),
    );
    connection.close();
  });
});

Deno.test("a message over the limit ends the connection with 1009, whole or in pieces", async () => {
  for (
    const input of [
      masked(Opcode.BINARY, new Uint8Array(1001)),
      join(
        masked(Opcode.BINARY, new Uint8Array(1000), { fin: false }),
        masked(Opcode.CONTINUATION, new Uint8Array(1)),
      ),
    ]
  ) {
    await connected(async ({ receiver, client, read }) => {
      await client.write(input);
      assertEquals(
        await read(),
        encodeFrame(Opcode.CLOSE, encodeClose(1009, "message too big")),
      );
      assertEquals(await read(), new Uint8Array(0)); // it ended its sending side
      assertEquals(receiver.seen, []);
    }, { maxMessageSize: 1000 });
  }
});
