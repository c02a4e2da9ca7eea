// Load for machines without wrk: connections that each send a batch of requests,
// wait for all its answers, and go on until the time is up. Takes a load as JSON, with
// the port and the request; prints, as JSON, how many answers came, and how many in a second.
import type { Load, LoadRequest } from "./_load_runner.ts";
import { ResponseCounter } from "./_response_counter.ts";

const READ_SIZE = 65536;

const { port, depth, seconds, connections, request, ca }: Required<Load> & { port: number } = JSON
  .parse(Deno.args[0]!);
const caCerts = ca === undefined ? null : [await Deno.readTextFile(ca)];
const address = { hostname: "127.0.0.1", port };
const batches = batchesOf(request);
const start = performance.now();
const deadline = start + seconds * 1000;

/** Gives the batches that are sent in turn: one begins with each of the paths. */
function batchesOf({ method, paths, headers, body }: LoadRequest): Uint8Array[] {
  const length = new TextEncoder().encode(body).length;
  const fields = Object.entries({
    Host: `127.0.0.1:${port}`,
    ...(length > 0 ? { "Content-Length": length } : {}),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return paths.map((_, first) => {
    const requests = Array.from({ length: depth }, (_, index) => {
      const path = paths[(first + index) % paths.length];
      return `${method} ${path} HTTP/1.1\r\n${fields}\r\n${body}`;
    });
    return new TextEncoder().encode(requests.join(""));
  });
}

async function connect(): Promise<Deno.Conn> {
  if (caCerts !== null) return await Deno.connectTls({ ...address, caCerts });
  const conn = await Deno.connect(address);
  conn.setNoDelay();
  return conn;
}

/** Gives the number of answers that one connection got. */
async function load(): Promise<number> {
  using conn = await connect();
  const counter = new ResponseCounter();
  const buffer = new Uint8Array(READ_SIZE);
  for (let turn = 0; performance.now() < deadline; turn++) {
    const batch = batches[turn % batches.length]!;
    for (let at = 0; at < batch.length;) at += await conn.write(batch.subarray(at));
    while (counter.count < (turn + 1) * depth) {
      const count = await conn.read(buffer);
      if (count === null) throw new Error("Cannot go on: the server closed");
      counter.push(buffer.subarray(0, count));
    }
  }
  return counter.count;
}

const counts = await Promise.all(Array.from({ length: connections }, load));
const requests = counts.reduce((sum, count) => sum + count, 0);
const rate = requests / (performance.now() - start) * 1000;
await Deno.stdout.write(
  new TextEncoder().encode(JSON.stringify({ requests, rate })),
);
