// What a stream does when the other side of a small exchange closes, resets or stalls at any
// byte, or does not keep to the protocol at all.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { type CoroutineGenerator, withTimeout } from "../../gen/mod.ts";
import { type Future, genLog, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import {
  IOStream,
  StreamBufferFullError,
  StreamClosedError,
  type Transport,
  UnsatisfiableReadError,
} from "../../iostream/mod.ts";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { eventually, failsClosed, text } from "./_stream_suite.ts";

const encoder = new TextEncoder();

// The exchange: the client asks for a value and says good-bye.
const REQUESTS = "GET key\nQUIT\n";
const ANSWERS = "VALUE 5\nabcdeBYE\n";

interface ExchangeOptions {
  readonly timeout: number;
}

function* askForValue(stream: IOStream, options: ExchangeOptions): CoroutineGenerator<string> {
  stream.write("GET key\n");
  const head = text(yield* stream.readUntil("\n", { ...options, maxBytes: 64 }));
  const value = yield* stream.readBytes(Number(head.slice("VALUE ".length)), options);
  stream.write("QUIT\n");
  const last = yield* stream.readUntilRegex(/BYE\r?\n/, options);
  return `${text(value)} ${text(last)}`;
}

function* serveValue(stream: IOStream, options: ExchangeOptions): CoroutineGenerator<string> {
  let served = "";
  for (;;) {
    const line = text(yield* stream.readUntil("\n", { ...options, maxBytes: 64 }));
    served += line;
    if (line === "QUIT\n") break;
    yield* stream.write("VALUE 5\nabcde");
  }
  yield* stream.write("BYE\n");
  return served;
}

/** A side of the exchange: what the stream does, what its peer sends, and what comes of it. */
const SIDES = {
  client: { act: askForValue, script: encoder.encode(ANSWERS), result: "abcde BYE\n" },
  server: { act: serveValue, script: encoder.encode(REQUESTS), result: REQUESTS },
} as const;

/** How the exchange ended. */
interface Outcome {
  result: string | null;
  error: unknown;
  closes: number;
}

/** Runs a side of the exchange on a stream, in the loop of the stream. */
function act(side: keyof typeof SIDES, stream: IOStream, options: ExchangeOptions): Outcome {
  const outcome: Outcome = { result: null, error: null, closes: 0 };
  stream.setCloseCallback(() => outcome.closes++);
  stream.ioLoop.spawnCallback(function* (): CoroutineGenerator {
    try {
      outcome.result = yield* SIDES[side].act(stream, options);
    } catch (error) {
      outcome.error = error;
    }
  });
  return outcome;
}

async function send(conn: Transport, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

for (const side of ["client", "server"] as const) {
  const { script, result } = SIDES[side];

  Deno.test(`a ${side} whose peer closes at any byte fails there, or is done`, async () => {
    for (let cut = 0; cut <= script.length; cut++) {
      await inFakeTime(side, async ({ outcome, peer, stream, tick }) => {
        await send(peer, script.subarray(0, cut));
        await tick(0);
        peer.close();
        await tick(1);
        if (cut === script.length) assertEquals(outcome.result, result);
        else {
          assertInstanceOf(outcome.error, StreamClosedError);
          // What is written into the closed connection may be the first to fail.
          const { realError } = outcome.error;
          assert(realError === null || realError instanceof Deno.errors.BrokenPipe, `${realError}`);
        }
        assertEquals([stream.closed(), stream.reading(), outcome.closes], [true, false, 1]);
      });
    }
  });

  Deno.test(`a ${side} whose peer resets at any byte fails there, or is done`, async () => {
    for (let cut = 0; cut <= script.length; cut++) {
      await inFakeTime(side, async ({ outcome, peer, stream, tick }) => {
        await send(peer, script.subarray(0, cut));
        await tick(0);
        peer.reset();
        await tick(0);
        if (cut === script.length) assertEquals(outcome.result, result);
        else {
          assertInstanceOf(outcome.error, StreamClosedError);
          assertInstanceOf(outcome.error.realError, Deno.errors.ConnectionReset);
        }
        assertInstanceOf(stream.error, Deno.errors.ConnectionReset);
        assertEquals([stream.closed(), stream.reading(), outcome.closes], [true, false, 1]);
      });
    }
  });

  Deno.test(`a ${side} whose peer stalls at any byte times out in time and loses nothing`, async () => {
    for (let cut = 0; cut < script.length; cut++) {
      await inFakeTime(side, async ({ outcome, peer, stream, tick }) => {
        await send(peer, script.subarray(0, cut));
        await tick(999);
        assertEquals([outcome.result, outcome.error], [null, null]);
        await tick(1);
        assertInstanceOf(outcome.error, TimeoutError);
        assertEquals([stream.closed(), stream.reading(), outcome.closes], [false, false, 0]);
        // What the abandoned read had got is there for the next.
        await send(peer, encoder.encode("|"));
        await tick(0);
        const rest = text(stream.readUntil("|").result()).slice(0, -1);
        assert(text(script.subarray(0, cut)).endsWith(rest), rest);
        assert(!/[\n]./.test(rest), rest);
      });
    }
  });

  Deno.test(`a ${side} whose peer sends byte by byte is done, unless a read takes too long`, async () => {
    await inFakeTime(side, async ({ outcome, peer, near, tick }) => {
      near.maxRead = near.maxWrite = 1;
      for (const byte of script) {
        await send(peer, Uint8Array.of(byte));
        await tick(900); // each read has its own time limit: keep below it in sum
        if (outcome.error !== null) break;
      }
      assertInstanceOf(outcome.error, TimeoutError); // slower than a read may be
    });
    await inFakeTime(side, async ({ outcome, peer, near, tick }) => {
      near.maxRead = near.maxWrite = 1;
      for (const byte of script) {
        await send(peer, Uint8Array.of(byte));
        await tick(10);
      }
      assertEquals([outcome.result, outcome.error], [result, null]);
    });
  });

  Deno.test(`a ${side} over a socket whose peer closes or resets at any byte fails, or is done`, async () => {
    for (const resets of [false, true]) {
      for (let cut = 0; cut <= script.length; cut++) {
        await overSocket(side, async ({ outcome, peer, stream }) => {
          if (!resets) drain(peer);
          await send(peer, script.subarray(0, cut));
          // Closing with unread bytes resets the connection, if there are any by then.
          if (resets && side === "client") await eventually(() => !stream.writing());
          if (!resets && cut === script.length) await eventually(() => outcome.result !== null);
          peer.close();
          await eventually(() => outcome.closes > 0);
          if (outcome.error === null) assertEquals([outcome.result, cut], [result, script.length]);
          else {
            assertInstanceOf(outcome.error, StreamClosedError);
            const { realError } = outcome.error;
            assert(
              realError === null || realError instanceof Deno.errors.BrokenPipe ||
                realError instanceof Deno.errors.ConnectionReset,
              `${realError}`,
            );
            assert(resets || cut < script.length);
          }
          assertEquals([stream.closed(), stream.reading()], [true, false]);
        });
      }
    }
  });

  Deno.test(`a ${side} over a socket whose peer stalls at any byte times out`, async () => {
    for (let cut = 0; cut < script.length; cut++) {
      await overSocket(side, async ({ outcome, peer, stream }) => {
        drain(peer);
        await send(peer, script.subarray(0, cut));
        await eventually(() => outcome.error !== null);
        assertInstanceOf(outcome.error, TimeoutError);
        assert(!stream.closed());
        peer.close();
      }, { timeout: 20 });
    }
  });
}

interface FakeScene {
  readonly stream: IOStream;
  readonly near: MemoryConn;
  readonly peer: MemoryConn;
  readonly outcome: Outcome;
  readonly tick: (ms: number) => Promise<void>;
}

async function inFakeTime(
  side: keyof typeof SIDES,
  body: (scene: FakeScene) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, peer] = memoryPair();
  const stream = new IOStream(near, { ioLoop: loop });
  const outcome = act(side, stream, { timeout: 1000 });
  await body({ stream, near, peer, outcome, tick });
  stream.close(new Error("the test is over"));
  if (!peer.closed()) peer.close();
  await tick(0);
  loop.stop();
  await running;
}

interface SocketScene {
  readonly stream: IOStream;
  readonly peer: Deno.Conn;
  readonly outcome: Outcome;
}

function overSocket(
  side: keyof typeof SIDES,
  body: (scene: SocketScene) => Promise<void>,
  options: ExchangeOptions = { timeout: 5000 },
): Promise<unknown> {
  return new IOLoop().run(async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const [peer, stream] = await Promise.all([
      listener.accept(),
      IOStream.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    ]);
    try {
      await body({ stream, peer, outcome: act(side, stream, options) });
    } finally {
      stream.close();
    }
  }, { timeout: 10_000 });
}

/** Reads what comes and drops it, until the connection ends one way or the other. */
function drain(conn: Deno.Conn): void {
  (async () => {
    const buffer = new Uint8Array(1024);
    while (await conn.read(buffer) !== null);
  })().catch(() => {}); // the test closes it
}

/** Sends for ever; the Future ends with what ended it. */
async function flood(stream: IOStream): Promise<never> {
  const piece = new Uint8Array(65536).fill(0x61);
  for (;;) await stream.write(piece);
}

/** Sends lines to and fro until `read` is done, and counts them. */
async function pingPong(
  [one, other]: [IOStream, IOStream],
  read: Future<unknown>,
): Promise<number> {
  let rounds = 0;
  while (!read.done()) {
    one.write("ping\n");
    other.write(await other.readUntil("\n"));
    await one.readUntil("\n");
    rounds++;
  }
  one.close();
  other.close();
  return rounds;
}

for (const limit of ["maxBytes", "maxBufferSize"] as const) {
  Deno.test(`a peer that never sends the delimiter is cut off at ${limit}, and others are served`, () =>
    new IOLoop().run(async () => {
      const [evil, stream] = await IOStream.pair({ maxBufferSize: 50_000_000 });
      const others = await IOStream.pair();
      const flooding = failsClosed(flood(evil));
      const read = stream.readUntil("\n", limit === "maxBytes" ? { maxBytes: 40_000_000 } : {});
      const { matched } = await expectLog(genLog, /^Unsatisfiable read/, async () => {
        const failing = failsClosed(read);
        const rounds = await pingPong(others, read);
        assert(rounds > 5, `${rounds}`);
        const { realError } = await failing;
        if (limit === "maxBytes") {
          assertInstanceOf(realError, UnsatisfiableReadError);
          assertEquals(realError.maxBytes, 40_000_000);
        } else {
          assertInstanceOf(realError, StreamBufferFullError);
          assertEquals([realError.buffer, realError.limit], ["read", 50_000_000]);
        }
      }, { required: false });
      assertEquals(matched.length, limit === "maxBytes" ? 1 : 0);
      evil.close(new Error("the test is over"));
      await flooding;
    }, { timeout: 10_000 }));
}

Deno.test("a peer that stops reading fills maxWriteBufferSize and no more", () =>
  new IOLoop().run(async () => {
    const [stream, other] = await IOStream.pair({ maxWriteBufferSize: 1_000_000 });
    const piece = new Uint8Array(100_000);
    let error: unknown = null;
    while (error === null) {
      try {
        stream.write(piece);
      } catch (reason) {
        error = reason;
      }
      await null;
    }
    assertInstanceOf(error, StreamBufferFullError);
    assertEquals([error.buffer, error.size, error.limit], ["write", 1_100_000, 1_000_000]);
    assert(!stream.closed());
    stream.close(error);
    other.close();
  }, { timeout: 10_000 }));

Deno.test("a peer that stops reading is noticed by who limits the time of drain()", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const [near, peer] = memoryPair();
  const stream = new IOStream(near, { ioLoop: loop });
  stream.write(new Uint8Array(200_000));
  const drained = withTimeout(1000, stream.drain());
  await tick(999);
  assert(!drained.done());
  await tick(1);
  assertInstanceOf(drained.exception(), TimeoutError);
  stream.close(new Error("the test is over"));
  peer.close();
  loop.stop();
  await running;
});
