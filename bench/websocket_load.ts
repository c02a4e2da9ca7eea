// WebSocket clients that do as little as can be: frames are made once, and of what comes only
// the bytes are counted. Prints what was done as JSON.
//
//   echo: each connection sends `depth` messages of 32 bytes, waits for as many, and goes on.
//   broadcast: one connection asks, and all wait for the 100 bytes that it brings.
//   idle: opens connections, says so, and holds them until standard input ends.
import { parseArgs } from "node:util";
import { encodeFrame, handshakeRequest, makeKey, Opcode } from "../websocket/mod.ts";

const ECHO_SIZE = 32;
const NEWS_SIZE = 100;
const HEADER_SIZE = 2; // of a frame without mask, of up to 125 bytes
const CONNECT_BATCH = 100; // below any listen backlog
const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    work: { type: "string", default: "echo" },
    connections: { type: "string", default: "64" },
    depth: { type: "string", default: "1" },
    seconds: { type: "string", default: "2" },
    rounds: { type: "string", default: "20" },
  },
});
const port = Number(values.port);
const connections = Number(values.connections);

function frame(text: string): Uint8Array {
  return encodeFrame(Opcode.TEXT, new TextEncoder().encode(text), { mask: MASK });
}

async function connect(): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const url = new URL(`ws://127.0.0.1:${port}/`);
  const request = handshakeRequest({ url, key: makeKey(), subprotocols: [], compression: null });
  await conn.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(4096);
  for (let head = ""; !head.endsWith("\r\n\r\n");) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error(`Cannot go on: the server answered ${head}`);
    head += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return conn;
}

async function connectAll(): Promise<Deno.TcpConn[]> {
  const conns: Deno.TcpConn[] = [];
  while (conns.length < connections) {
    const length = Math.min(CONNECT_BATCH, connections - conns.length);
    conns.push(...await Promise.all(Array.from({ length }, connect)));
  }
  return conns;
}

/** Reads until `size` bytes have come. */
async function take(conn: Deno.TcpConn, size: number, buffer: Uint8Array): Promise<void> {
  while (size > 0) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error("Cannot go on: the server closed");
    size -= count;
  }
}

async function echo(): Promise<number> {
  const depth = Number(values.depth);
  const one = frame("x".repeat(ECHO_SIZE));
  const batch = new Uint8Array(depth * one.length);
  for (let at = 0; at < batch.length; at += one.length) batch.set(one, at);
  const conns = await connectAll();
  const deadline = performance.now() + Number(values.seconds) * 1000;
  const counts = await Promise.all(conns.map(async (conn) => {
    const buffer = new Uint8Array(16384);
    let count = 0;
    for (; performance.now() < deadline; count += depth) {
      for (let at = 0; at < batch.length;) at += await conn.write(batch.subarray(at));
      await take(conn, depth * (HEADER_SIZE + ECHO_SIZE), buffer);
    }
    return count;
  }));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function broadcast(conns: readonly Deno.TcpConn[]): Promise<number> {
  const ask = frame("broadcast");
  const buffers = conns.map(() => new Uint8Array(256));
  const rounds = Number(values.rounds);
  for (let round = 0; round < rounds; round++) {
    await conns[0]!.write(ask);
    await Promise.all(
      conns.map((conn, at) => take(conn, HEADER_SIZE + NEWS_SIZE, buffers[at]!)),
    );
  }
  return rounds * conns.length;
}

async function print(done: unknown): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(done) + "\n"));
}

const start = performance.now();
if (values.work === "echo") {
  const messages = await echo();
  await print({ messages, rate: messages / (performance.now() - start) * 1000 });
} else {
  const conns = await connectAll();
  await print({ connections: conns.length });
  const order = new Uint8Array(1);
  while (await Deno.stdin.read(order) !== null) await print({ messages: await broadcast(conns) });
}
Deno.exit();
