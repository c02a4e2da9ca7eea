// WebSocket clients, which take orders as JSON and print what was done as JSON.
//
//   echo: each connection sends `depth` messages, waits for as many, and goes on.
//   broadcast: opens connections, says so, and at each line on standard input one of them asks, and
//   all wait for the message that it brings, so many times.
import { openMany } from "./_idle_memory.ts";
import { MessageCounter, messageFrame, openWebSocket } from "./_websocket_client.ts";
import type { SocketOrder } from "./_websocket_runner.ts";

const BUFFER_SIZE = 16384;
const NEWS_BUFFER_SIZE = 256;

const order: SocketOrder & { readonly port: number } = JSON.parse(Deno.args[0]!);

/** A connection, and what has come on it. */
class Client {
  readonly #conn: Deno.TcpConn;
  readonly #counter = new MessageCounter();
  readonly #buffer: Uint8Array;

  constructor(conn: Deno.TcpConn, bufferSize: number) {
    this.#conn = conn;
    this.#buffer = new Uint8Array(bufferSize);
  }

  /** Messages that have come. */
  get count(): number {
    return this.#counter.count;
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Waits until so many messages have come in all. */
  async take(count: number): Promise<void> {
    while (this.#counter.count < count) {
      const read = await this.#conn.read(this.#buffer);
      if (read === null) throw new Error("Cannot go on: the server closed");
      this.#counter.push(this.#buffer.subarray(0, read));
    }
  }
}

async function connect(bufferSize: number): Promise<Client[]> {
  const { port, connections, deflate } = order;
  const conns = await openMany(connections, () => openWebSocket(port, deflate));
  return conns.map((conn) => new Client(conn, bufferSize));
}

async function echo({ text, depth, seconds, deflate }: SocketOrder & { work: "echo" }) {
  const one = messageFrame(text, deflate);
  const batch = new Uint8Array(depth * one.length);
  for (let at = 0; at < batch.length; at += one.length) batch.set(one, at);
  const clients = await connect(BUFFER_SIZE);
  const start = performance.now();
  const deadline = start + seconds * 1000;
  await Promise.all(clients.map(async (client) => {
    while (performance.now() < deadline) {
      await client.send(batch);
      await client.take(client.count + depth);
    }
  }));
  const count = clients.reduce((sum, client) => sum + client.count, 0);
  await print({ count, rate: count / (performance.now() - start) * 1000 });
}

async function broadcast({ times, deflate }: SocketOrder & { work: "broadcast" }) {
  const ask = messageFrame("broadcast", deflate);
  const clients = await connect(NEWS_BUFFER_SIZE);
  await print({ connections: clients.length });
  let came = 0;
  while (await Deno.stdin.read(new Uint8Array(1)) !== null) {
    const start = performance.now();
    for (let time = 0; time < times; time++) {
      await clients[0]!.send(ask);
      came++;
      await Promise.all(clients.map((client) => client.take(came)));
    }
    const count = times * clients.length;
    await print({ count, rate: count / (performance.now() - start) * 1000 });
  }
}

async function print(done: unknown): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(done) + "\n"));
}

if (order.work === "echo") await echo(order);
else await broadcast(order);
Deno.exit();
