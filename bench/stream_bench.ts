// Streams beside a plain loop over `Deno.Conn`: lines, bulk, a line that drips in, memory.
// Rounds alternate between the two, so that what disturbs, disturbs both.
//
//   deno run -P=bench bench/stream_bench.ts --rounds 3
import { parseArgs } from "node:util";
import { IOStream } from "../iostream/mod.ts";
import { IOLoop } from "../ioloop/mod.ts";
import { memoryPair } from "../testing/mod.ts";
import { median } from "./_figures.ts";
import { type IdleKind, IdleProcess } from "./_idle_process.ts";

const LINE = "a line of some forty bytes, as logs have.\n";
const LINES = 1_000_000;
const WRITE_SIZE = 64 * 1024;
const DRIPPING_LINE = 1024 * 1024;
const DELIMITER = "--end--\r\n";
const DRIP = `${"x".repeat(2000)}${DELIMITER}`;
const IDLE_STREAMS = 10_000;
const CARRIED = 1024 * 1024;

/** What is measured: the same work done by a stream and by a plain loop. */
interface Work {
  readonly name: string;
  readonly unit: string;
  readonly digits: number;
  readonly stream: () => Promise<number>;
  readonly plain: () => Promise<number>;
}

const encoder = new TextEncoder();

/** Gives the ms that `work` takes, to or from a plain loop in a process of its own. */
async function transfer(
  action: "take" | "send",
  size: number,
  work: (conn: Deno.Conn) => PromiseLike<void>,
  line = "x",
): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const file = new URL("servers/bulk_peer.ts", import.meta.url);
  const peer = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      file.pathname,
      String(listener.addr.port),
      action,
      String(size),
      line,
    ],
  }).spawn();
  const conn = await listener.accept();
  const began = performance.now();
  await work(conn);
  const spent = performance.now() - began;
  await peer.status;
  return spent;
}

/** Gives microseconds for a line. */
async function readLines(): Promise<number> {
  const spent = await transfer(
    "send",
    LINES * LINE.length,
    (conn) =>
      new IOLoop().run(function* () {
        const stream = new IOStream(conn);
        for (let i = 0; i < LINES; i++) yield* stream.readUntil("\n");
        stream.close();
      }),
    LINE,
  );
  return spent * 1000 / LINES;
}

/** Gives microseconds for a line that is found by `indexOf` and copied by `slice`. */
async function sliceLines(): Promise<number> {
  let lines = 0;
  const spent = await transfer("send", LINES * LINE.length, async (conn) => {
    const buffer = new Uint8Array(WRITE_SIZE);
    let end = 0; // of what is in the buffer
    for (let count; (count = await conn.read(buffer.subarray(end))) !== null;) {
      end += count;
      let start = 0;
      for (let at; (at = buffer.indexOf(0x0a, start)) >= 0 && at < end; start = at + 1) {
        lines += buffer.slice(start, at + 1).length > 0 ? 1 : 0;
      }
      buffer.copyWithin(0, start, end);
      end -= start;
    }
    conn.close();
  }, LINE);
  if (lines !== LINES) throw new Error(`Cannot go on: ${lines} lines came`);
  return spent * 1000 / LINES;
}

/** Gives MiB per second. */
async function rate(
  action: "take" | "send",
  size: number,
  work: (conn: Deno.Conn) => PromiseLike<void>,
): Promise<number> {
  return size / 2 ** 20 / await transfer(action, size, work) * 1000;
}

function sendByStream(size: number): Promise<number> {
  return rate("take", size, (conn) =>
    new IOLoop().run(function* () {
      const stream = new IOStream(conn);
      const piece = new Uint8Array(WRITE_SIZE);
      for (let sent = 0; sent < size; sent += WRITE_SIZE) yield* stream.write(piece);
      stream.close();
    }));
}

function sendPlainly(size: number): Promise<number> {
  return rate("take", size, async (conn) => {
    const piece = new Uint8Array(WRITE_SIZE);
    for (let sent = 0; sent < size; sent += WRITE_SIZE) {
      for (let at = 0; at < WRITE_SIZE;) at += await conn.write(piece.subarray(at));
    }
    conn.close();
  });
}

function takeByStream(size: number): Promise<number> {
  return rate("send", size, (conn) =>
    new IOLoop().run(function* () {
      const stream = new IOStream(conn);
      const buffer = new Uint8Array(WRITE_SIZE);
      for (let got = 0; got < size;) got += yield* stream.readInto(buffer, { partial: true });
      stream.close();
    }));
}

function takePlainly(size: number): Promise<number> {
  return rate("send", size, async (conn) => {
    const buffer = new Uint8Array(WRITE_SIZE);
    for (let got = 0; got < size;) got += (await conn.read(buffer)) ?? size;
    conn.close();
  });
}

/** Gives microseconds for a byte that comes alone, behind a long line without its delimiter. */
async function dripByStream(): Promise<number> {
  let spent = 0;
  await new IOLoop().run(async () => {
    const [near, far] = memoryPair();
    const stream = new IOStream(near);
    const read = stream.readUntil(DELIMITER);
    const line = new Uint8Array(DRIPPING_LINE);
    for (let at = 0; at < line.length;) at += await far.write(line.subarray(at, at + WRITE_SIZE));
    const began = performance.now();
    for (const byte of encoder.encode(DRIP)) await far.write(Uint8Array.of(byte));
    await read;
    spent = performance.now() - began;
    stream.close();
    far.close();
  });
  return spent * 1000 / DRIP.length;
}

/** The same, by a loop that looks for the delimiter from where it could begin. */
async function dripPlainly(): Promise<number> {
  const [near, far] = memoryPair();
  const buffer = new Uint8Array(2 * DRIPPING_LINE);
  let end = DRIPPING_LINE;
  const began = performance.now();
  for (const byte of encoder.encode(DRIP)) {
    const read = near.read(buffer.subarray(end));
    await far.write(Uint8Array.of(byte));
    end += (await read)!;
    if (text(buffer.subarray(end - DELIMITER.length, end)) === DELIMITER) break;
  }
  near.close();
  far.close();
  return (performance.now() - began) * 1000 / DRIP.length;
}

const decoder = new TextDecoder();

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/**
 * Gives KiB of memory for an idle connection, after each carried `bytes`: resident ones, or of
 * live objects where garbage would hide them.
 */
async function measureIdle(
  kind: IdleKind,
  count: number,
  bytes: number,
): Promise<number> {
  await using process = await IdleProcess.start(kind);
  const conns: Deno.Conn[] = [];
  const open = async (more: number) => {
    for (let i = 0; i < more; i++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: process.port });
      conns.push(conn);
      await process.carry(conn, bytes);
    }
    return await process.memory();
  };
  const before = await open(Math.ceil(count / 10)); // the heap has its working size by then
  const after = await open(count);
  for (const conn of conns) conn.close();
  const which = bytes === 0 ? "resident" : "live";
  return (after[which] - before[which]) / count / 1024;
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(encoder.encode(text));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      rounds: { type: "string", default: "3" },
      mebibytes: { type: "string", default: "1024" },
      idle: { type: "string", default: String(IDLE_STREAMS) },
    },
  });
  const size = Number(values.mebibytes) * 2 ** 20;
  const idle = Number(values.idle);
  const works: Work[] = [
    {
      name: "a line of 42 bytes",
      unit: "us",
      digits: 3,
      stream: readLines,
      plain: sliceLines,
    },
    {
      name: `${values.mebibytes} MiB sent in writes of 64 KiB`,
      unit: "MiB/s",
      digits: 0,
      stream: () => sendByStream(size),
      plain: () => sendPlainly(size),
    },
    {
      name: `${values.mebibytes} MiB received in reads of 64 KiB`,
      unit: "MiB/s",
      digits: 0,
      stream: () => takeByStream(size),
      plain: () => takePlainly(size),
    },
    {
      name: "a byte that comes alone behind a line of 1 MiB",
      unit: "us",
      digits: 2,
      stream: dripByStream,
      plain: dripPlainly,
    },
    {
      name: `each of ${idle} idle connections, resident`,
      unit: "KiB",
      digits: 1,
      stream: () => measureIdle("stream", idle, 0),
      plain: () => measureIdle("plain", idle, 0),
    },
    {
      name: `each of ${idle} that a coroutine waits for in readUntil(), resident`,
      unit: "KiB",
      digits: 1,
      stream: () => measureIdle("waiting", idle, 0),
      plain: () => measureIdle("plain", idle, 0),
    },
    {
      name: `each of ${idle / 10} idle connections that carried 1 MiB, live`,
      unit: "KiB",
      digits: 1,
      stream: () => measureIdle("stream", idle / 10, CARRIED),
      plain: () => measureIdle("plain", idle / 10, CARRIED),
    },
  ];
  await readLines(); // the compiler gets to see the code
  await dripByStream();
  const results = works.map(() => ({ stream: [] as number[], plain: [] as number[] }));
  for (let round = 1; round <= Number(values.rounds); round++) {
    await print(`round ${round} of ${values.rounds}\n`);
    for (const [i, { stream, plain }] of works.entries()) {
      results[i]!.plain.push(await plain());
      results[i]!.stream.push(await stream());
    }
  }
  await print("\n| work | unit | stream | plain loop | ratio |\n| --- | --- | --- | --- | --- |\n");
  for (const [i, { name, unit, digits }] of works.entries()) {
    const ours = median(results[i]!.stream)!;
    const plain = median(results[i]!.plain)!;
    const cells = [name, unit, ours.toFixed(digits), plain.toFixed(digits)];
    await print(`| ${cells.join(" | ")} | ${(ours / plain).toFixed(2)} |\n`);
  }
}

if (import.meta.main) await main();
