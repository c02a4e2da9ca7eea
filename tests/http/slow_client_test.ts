import { assert, assertEquals, assertInstanceOf, assertLess } from "@std/assert";
import { genLog } from "../../ioloop/mod.ts";
import { StreamClosedError } from "../../iostream/mod.ts";
import { HTTPHeaders } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { type App, serveInMemory } from "./_serve.ts";
import { type Line, MANNERS, withWire } from "./_wire.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const FIXED = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKS = "3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n";

const LIMIT = 1000;
const LATE = 400; // how much later than that a connection is closed, at most

Deno.test("HTTPServer headerTimeout answers with 408 wherever in its head a client stops", async () => {
  let count = 0;
  const { matched } = await expectLog(
    genLog,
    /its head took too long/,
    () =>
      withWire("whole", async ({ open, tick }) => {
        const lines = Array.from({ length: GET.length - 1 }, (_, at) => {
          const line = open();
          line.send(GET.slice(0, at + 1));
          return line;
        });
        await tick(LIMIT - 1);
        assert(lines.every(({ came, ended }) => came === "" && !ended));
        await tick(LATE);
        for (const { statuses, ended } of lines) assertEquals([statuses, ended], [[408], true]);
        count = lines.length;
      }, { headerTimeout: LIMIT }),
  );
  assertEquals(matched.length, count);
});

Deno.test("HTTPServer headerTimeout counts from the first byte of a head that drips behind another request", () =>
  withWire("whole", async ({ open, tick }) => {
    const line = open();
    line.send(GET + GET.slice(0, 1));
    await expectLog(genLog, /its head took too long/, async () => {
      for (let at = 1; !line.ended; at++) {
        assertLess(at, 20, "it is not refused");
        line.send(GET.slice(at, at + 1));
        await tick(100);
      }
    });
    assertEquals([line.statuses, line.seen], [[200, 408], ["GET /"]]);
  }, { headerTimeout: LIMIT }));

for (const manner of MANNERS) {
  Deno.test(`HTTPServer bodyTimeout closes wherever in its body a client stops, ${manner}`, async () => {
    let count = 0;
    const { matched } = await expectLog(
      genLog,
      /^Timeout reading body from 10\./,
      () =>
        withWire(manner, async ({ open, tick }) => {
          const lines: Line[] = [];
          for (const [head, body] of [[FIXED, "hello"], [CHUNKED, CHUNKS]] as const) {
            for (let at = 0; at < body.length; at++) {
              const line = open();
              line.send(head + body.slice(0, at));
              lines.push(line);
            }
          }
          await tick(LIMIT - 1);
          assert(lines.every(({ ended }) => !ended));
          await tick(LATE);
          for (const { came, ended, seen } of lines) {
            assertEquals([came, ended, seen], ["", true, []]);
          }
          count = lines.length;
        }, { bodyTimeout: LIMIT }),
    );
    assertEquals(matched.length, count);
  });

  Deno.test(`HTTPServer bodyTimeout is for the whole body, however it drips, ${manner}`, () =>
    withWire(manner, async ({ open, tick }) => {
      const inTime = open();
      const late = open();
      inTime.send(CHUNKED);
      late.send(CHUNKED);
      await expectLog(genLog, /^Timeout reading body/, async () => {
        for (let at = 0; at < CHUNKS.length; at++) {
          inTime.send(CHUNKS.slice(at, at + 1));
          await tick(20);
          if (at % 5 === 0) late.send(CHUNKS.slice(at / 5, at / 5 + 1));
        }
        await tick(LIMIT);
      });
      assertEquals([inTime.statuses, inTime.seen], [[200], ["POST / hello"]]);
      assertEquals([late.came, late.ended, late.seen], ["", true, []]);
    }, { bodyTimeout: LIMIT }));
}

Deno.test("HTTPServer closes a client that was refused and goes on sending", () =>
  withWire("whole", async ({ open, tick }) => {
    const line = open();
    line.send("x\r\n\r\n");
    for (let time = 0; time < 3000; time += 100) {
      line.send(GET);
      await tick(100);
    }
    assertEquals([line.statuses, line.seen], [[400], []]);
    assert(line.near.closed());
  }));

const PIECE = new Uint8Array(65_536);
const PIECES = 1600;

// Answers with 100 MiB; `made` is what it has made of them.
function hugeAnswer(): { app: App; made: () => number; failed: () => unknown } {
  let made = 0;
  let failed: unknown = null;
  const app: App = async ({ connection }) => {
    connection.writeHeaders(
      { code: 200 },
      new HTTPHeaders({ "Content-Length": `${PIECES * PIECE.length}` }),
    );
    try {
      for (let piece = 0; piece < PIECES; piece++) {
        made += PIECE.length;
        await connection.write(PIECE);
      }
      connection.finish();
    } catch (error) {
      failed = error;
    }
  };
  return { app, made: () => made, failed: () => failed };
}

Deno.test("HTTPServer makes no more of 100 MiB than its client takes", () => {
  const { app, made, failed } = hugeAnswer();
  return serveInMemory(app, async ({ client, far, tick }) => {
    await client.send(GET);
    await tick(0);
    const buffer = new Uint8Array(1_000_000);
    let taken = 0;
    for (let round = 0; taken < PIECES * PIECE.length; round++) {
      // Most that may be on its way: what the connection stores, and a piece at each of its ends.
      assertLess(made() - taken, 4 * PIECE.length);
      if (round % 100 === 0) await tick(100);
      taken += (await far.read(buffer))!;
    }
    await tick(0);
    assertEquals([made(), failed()], [PIECES * PIECE.length, null]);
    await client.send(GET);
    await tick(0);
    assertLess(made() - taken, 4 * PIECE.length); // the connection goes on
  });
});

Deno.test("HTTPServer writeTimeout ends a large answer that a client stops to take", () => {
  const { app, made, failed } = hugeAnswer();
  return serveInMemory(app, async ({ client, near, tick }) => {
    await client.send(GET);
    await tick(0);
    await client.bytes(1_000_000);
    await tick(0);
    const before = made();
    await tick(LIMIT - 1);
    assert(!near.closed());
    await expectLog(genLog, /does not take what is written/, () => tick(LATE));
    assert(near.closed());
    assertInstanceOf(failed(), StreamClosedError);
    assertEquals(made(), before);
  }, { writeTimeout: LIMIT });
});

const DRIPPING = 1000;
const MAX_TURNS = 10;

Deno.test("HTTPServer answers others at once while 1,000 clients drip heads and bodies", () =>
  withWire("whole", async ({ server, open, tick }) => {
    const slow = Array.from({ length: DRIPPING }, open);
    const heads = slow.filter((_, index) => index % 2 === 0);
    const bodies = slow.filter((_, index) => index % 2 === 1);
    for (const line of bodies) line.send(FIXED.replace("5", `${GET.length}`));
    const good = open();
    const last = GET.length - 1;
    for (let at = 0; at < last; at++) {
      for (const line of heads) line.send(GET[at]!);
      for (const line of bodies) line.send("b");
      if (at % 5 !== 0) continue;
      good.send(GET);
      const asked = good.seen.length;
      let turns = 0;
      const count = () => {
        if (good.seen.length > asked || turns > MAX_TURNS) return;
        turns++;
        server.ioLoop.addCallback(count);
      };
      server.ioLoop.addCallback(count);
      await tick(10);
      assertEquals(good.statuses.length, asked + 1);
      assert(turns <= MAX_TURNS, "it had to wait");
    }
    for (const line of slow) line.send("\n");
    await tick(0);
    assert(slow.every(({ statuses }) => statuses.length === 1 && statuses[0] === 200));
  }));

Deno.test("HTTPServer idleConnectionTimeout closes 1,000 idle connections, and none in use", async () => {
  const { matched } = await expectLog(
    genLog,
    "",
    () =>
      withWire("whole", async ({ open, tick }) => {
        const unused = Array.from({ length: 500 }, open);
        const used = Array.from({ length: 500 }, open);
        const busy = open();
        for (const line of used) line.send(GET);
        await tick(LIMIT - 1);
        assert([...unused, ...used].every(({ ended }) => !ended));
        busy.send(GET);
        await tick(LATE);
        assert(unused.every(({ came, near }) => came === "" && near.closed()));
        assert(used.every(({ statuses, near }) => statuses.length === 1 && near.closed()));
        assert(!busy.ended);
        busy.send(GET);
        await tick(0);
        assertEquals(busy.statuses, [200, 200]);
      }, { idleConnectionTimeout: LIMIT }),
    { required: false },
  );
  assertEquals(matched, []);
});

// Three requests, one behind the other, and where each begins to be one and ends.
const REQUESTS = [GET, `${FIXED}hello`, CHUNKED + CHUNKS];
const INPUT = `\r\n${REQUESTS.join("")}`;

// What is seen of the first `end` bytes of INPUT, and whether something is left of them.
function seenOf(end: number): { seen: string[]; left: boolean } {
  const seen: string[] = [];
  let start = 2;
  for (const [index, request] of REQUESTS.entries()) {
    if (end < start + request.length) break;
    seen.push(index === 0 ? "GET /" : "POST / hello");
    start += request.length;
  }
  return { seen, left: end > start };
}

for (const manner of MANNERS) {
  Deno.test(`HTTPServer answers a client that ends its side behind any byte, ${manner}`, async () => {
    let refusals = 0;
    const { matched } = await expectLog(
      genLog,
      /it ends in the middle/,
      () =>
        withWire(manner, async ({ open, tick }) => {
          for (let end = 0; end <= INPUT.length; end++) {
            const line = open();
            line.send(INPUT.slice(0, end));
            line.end();
            await tick(0);
            const { seen, left } = seenOf(end);
            const statuses = [...seen.map(() => 200), ...left ? [400] : []];
            assertEquals(
              [line.seen, line.statuses, line.ended],
              [seen, statuses, true],
              `at ${end}`,
            );
            assert(line.near.closed());
            if (left) refusals++;
          }
        }),
    );
    assertEquals(matched.length, refusals);
  });

  for (const leaves of ["close", "reset"] as const) {
    Deno.test(`HTTPServer leaves nothing of a client that is gone by ${leaves} behind any byte, ${manner}`, () =>
      withWire(manner, async ({ open, tick }) => {
        const lines = Array.from({ length: INPUT.length + 1 }, (_, end) => {
          const line = open();
          line.send(INPUT.slice(0, end));
          return line;
        });
        await tick(0);
        for (const { far } of lines) {
          if (leaves === "reset") far.reset();
          far.close();
        }
        await tick(0);
        for (const [end, { near, seen }] of lines.entries()) {
          assert(near.closed(), `at ${end}`);
          assertEquals(seen, seenOf(end).seen);
        }
      }));
  }
}
