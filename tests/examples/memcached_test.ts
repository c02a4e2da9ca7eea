import { assert, assertEquals } from "@std/assert";
import { expectLog } from "../../testing/mod.ts";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { MemcachedServer, type MemcachedServerOptions } from "../../examples/memcached/main.ts";
import { ITEM_SIZE, Store } from "../../examples/memcached/store.ts";
import { startExample, talk } from "./_example_server.ts";

const encode = (text: string) => new TextEncoder().encode(text);

let now = 1_000_000_000_000;

function withServer(
  body: (port: number) => Promise<void>,
  options: MemcachedServerOptions = {},
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = new MemcachedServer(options, () => now);
    server.listen(0, "127.0.0.1");
    await body((server.addresses[0] as Deno.NetAddr).port);
    assertEquals(await server.drain({ timeout: 1000 }), { cut: 0 });
  }, { timeout: 20_000 });
}

// Sends lines and returns the lines that came back.
async function ask(port: number, ...lines: string[]): Promise<string[]> {
  const answer = await talk(port, [encode(lines.map((line) => `${line}\r\n`).join(""))]);
  return answer.split("\r\n").slice(0, -1);
}

Deno.test("memcached: set, get, delete, and what is not there", () =>
  withServer(async (port) => {
    assertEquals(await ask(port, "get a", "set a 7 0 5", "hello", "get a", "get b a b"), [
      ...["END", "STORED", "VALUE a 7 5", "hello", "END", "VALUE a 7 5", "hello", "END"],
    ]);
    assertEquals(await ask(port, "delete a", "delete a", "get a"), ["DELETED", "NOT_FOUND", "END"]);
  }));

Deno.test("memcached: a value may hold any bytes, and none", () =>
  withServer(async (port) => {
    assertEquals(
      await ask(port, "set a 0 0 9", "end\r\nEND\0", "get a", "set a 0 0 0", "", "get a"),
      ["STORED", "VALUE a 0 9", "end", "END\0", "END", "STORED", "VALUE a 0 0", "", "END"],
    );
  }));

Deno.test("memcached: add and replace look at what is there", () =>
  withServer(async (port) => {
    assertEquals(
      await ask(port, "replace a 0 0 1", "1", "add a 0 0 1", "2", "add a 0 0 1", "3", "get a"),
      ["NOT_STORED", "STORED", "NOT_STORED", "VALUE a 0 1", "2", "END"],
    );
    assertEquals(await ask(port, "replace a 0 0 1", "4", "get a", "flush_all", "get a"), [
      ...["STORED", "VALUE a 0 1", "4", "END", "OK", "END"],
    ]);
  }));

Deno.test("memcached: incr wraps around, decr stops at zero, both want numbers", () =>
  withServer(async (port) => {
    assertEquals(
      await ask(port, "incr n 1", "set n 0 0 2", "10", "incr n 5", "decr n 16", "incr n x"),
      ["NOT_FOUND", "STORED", "15", "0", "CLIENT_ERROR invalid numeric delta argument"],
    );
    assertEquals(
      await ask(port, "set n 0 0 20", "18446744073709551615", "incr n 2", "set n 0 0 1", "x"),
      ["STORED", "1", "STORED"],
    );
    assertEquals(await ask(port, "incr n 1"), [
      "CLIENT_ERROR cannot increment or decrement non-numeric value",
    ]);
  }));

Deno.test("memcached: noreply is quiet, quit ends, version answers", () =>
  withServer(async (port) => {
    assertEquals(
      await ask(port, "set a 0 0 1 noreply", "1", "delete b noreply", "get a", "version", "quit"),
      ["VALUE a 0 1", "1", "END", "VERSION 1.0.0"],
    );
  }));

Deno.test("memcached: items are forgotten when their time is over", () =>
  withServer(async (port) => {
    assertEquals(await ask(port, "set a 0 10 1", "1", "set b 0 -1 1", "2"), ["STORED", "STORED"]);
    assertEquals(await ask(port, "get a b"), ["VALUE a 0 1", "1", "END"]);
    now += 10_000;
    assertEquals(await ask(port, "get a", "delete a"), ["END", "NOT_FOUND"]);
    const date = now / 1000 + 5;
    assertEquals(await ask(port, `set a 0 ${date} 1`, "1", "get a"), [
      ...["STORED", "VALUE a 0 1", "1", "END"],
    ]);
    now += 5_000;
    assertEquals(await ask(port, "get a"), ["END"]);
  }));

Deno.test("memcached: bad lines are refused, and the conversation goes on", () =>
  withServer(async (port) => {
    const bad = "CLIENT_ERROR bad command line format";
    const refused: [string, string][] = [
      ["", "ERROR"],
      ["what", "ERROR"],
      ["get", "ERROR"],
      ["GET a", "ERROR"],
      ["set a 0 0", "ERROR"],
      ["set a 0 0 -1", bad],
      ["set a x 0 1", bad],
      [`get ${"k".repeat(251)}`, bad],
      ["delete \x7f", bad],
    ];
    for (const [line, answer] of refused) {
      assertEquals(await ask(port, line, "get a"), [answer, "END"], line);
    }
  }));

Deno.test("memcached: a block of another length than announced is refused", () =>
  withServer(async (port) => {
    const [first] = await ask(port, "set a 0 0 2", "long", "get a");
    assertEquals(first, "CLIENT_ERROR bad data chunk");
  }));

Deno.test("memcached: a value that is too large is passed over, and the old one is gone", () =>
  withServer(async (port) => {
    assertEquals(
      await ask(port, "set a 0 0 1", "1", "set a 0 0 100000", "x".repeat(100000), "get a"),
      ["STORED", "SERVER_ERROR object too large for cache", "END"],
    );
  }, { maxValueSize: 1000 }));

Deno.test("memcached: a line without end ends the connection", () =>
  withServer(async (port) => {
    await expectLog(genLog, /Unsatisfiable read/, async () => {
      await talk(port, [new Uint8Array(4096).fill(65)]).catch(() => {});
    });
  }));

Deno.test("memcached: the same answers wherever the bytes are cut", () =>
  withServer(async (port) => {
    const input = encode(
      "set k 1 0 4\r\n\r\n\r\n\r\nget k\r\nset n 0 0 1\r\n9\r\nincr n 1\r\nbad\r\nget k n\r\nquit\r\n",
    );
    const output = "STORED\r\nVALUE k 1 4\r\n\r\n\r\n\r\nEND\r\nSTORED\r\n10\r\nERROR\r\n" +
      "VALUE k 1 4\r\n\r\n\r\n\r\nVALUE n 0 2\r\n10\r\nEND\r\n";
    assertEquals(await talk(port, [input]), output);
    assertEquals(await talk(port, Array.from(input, (byte) => Uint8Array.of(byte))), output);
    for (let at = 1; at < input.length; at++) {
      const pieces = [input.subarray(0, at), input.subarray(at)];
      assertEquals(await talk(port, pieces), output, `cut at ${at}`);
    }
  }));

// All of the answer was made at once: a line of 2 KiB made a gigabyte of it.
Deno.test("memcached: the same value a thousand times in a line is not held a thousand times", () =>
  withServer(async (port) => {
    const value = "x".repeat(1 << 20);
    assertEquals(await ask(port, `set a 0 0 ${value.length}`, value), ["STORED"]);
    const stream = await IOStream.connect({ hostname: "127.0.0.1", port });
    const before = Deno.memoryUsage().rss;
    stream.write(`get${" a".repeat(1000)}\r\n`);
    await stream.readUntil("\r\n");
    for (let i = 0; i < 5; i++) await stream.readBytes(value.length);
    assert(Deno.memoryUsage().rss - before < 500 << 20);
    stream.close();
  }));

Deno.test("memcached: a key that looks like an option is a key to get", () =>
  withServer(async (port) => {
    assertEquals(await ask(port, "set noreply 0 0 1", "1", "get noreply", "get", "get a\x01"), [
      ...["STORED", "VALUE noreply 0 1", "1", "END", "ERROR"],
      "CLIENT_ERROR bad command line format",
    ]);
  }));

Deno.test("memcached: a client may hang up at any byte", () =>
  withServer(async (port) => {
    const input = encode("set k 1 0 4\r\nabcd\r\nget k\r\n");
    for (let at = 0; at < input.length; at++) await talk(port, [input.subarray(0, at)]);
    assertEquals(await ask(port, "get k"), ["VALUE k 1 4", "abcd", "END"]);
  }));

Deno.test("memcached: the store drops what was not used for longest", () => {
  const store = new Store(3 * (ITEM_SIZE + 2), () => now);
  const item = (text: string) => ({ flags: 0, expires: Infinity, value: encode(text) });
  assertEquals([store.set("a", item("1")), store.set("b", item("2"))], [true, true]);
  assertEquals(store.set("c", item("3")), true);
  store.get("a");
  assertEquals(store.set("d", item("4")), true);
  assertEquals(["a", "b", "c", "d"].map((key) => store.get(key) !== undefined), [
    ...[true, false, true, true],
  ]);
  assertEquals(store.set("e", item("x".repeat(2 * ITEM_SIZE + 6))), false);
  assertEquals(store.size, 3);
});

Deno.test("memcached works as a program", async () => {
  await using server = await startExample("memcached/main.ts");
  assertEquals(await ask(server.port, "set a 0 0 1", "1", "get a"), [
    ...["STORED", "VALUE a 0 1", "1", "END"],
  ]);
});
