// Load for machines without wrk: connections that each send a batch of requests,
// wait for all its answers, and go on until the time is up. Prints, as JSON, how
// many answers came, and how many in a second.
import { parseArgs } from "node:util";
import { ResponseCounter } from "./_response_counter.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    connections: { type: "string", default: "64" },
    depth: { type: "string", default: "1" },
    seconds: { type: "string", default: "2" },
  },
});
const port = Number(values.port);
const depth = Number(values.depth);
const start = performance.now();
const deadline = start + Number(values.seconds) * 1000;
const batch = new TextEncoder().encode(
  `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`.repeat(depth),
);

/** Gives the number of answers that one connection got. */
async function load(): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay();
  const counter = new ResponseCounter();
  const buffer = new Uint8Array(16384);
  for (let due = depth; performance.now() < deadline; due += depth) {
    for (let at = 0; at < batch.length;) {
      at += await conn.write(batch.subarray(at));
    }
    while (counter.count < due) {
      const count = await conn.read(buffer);
      if (count === null) throw new Error("Cannot go on: the server closed");
      counter.push(buffer.subarray(0, count));
    }
  }
  return counter.count;
}

const loads = Array.from({ length: Number(values.connections) }, load);
const counts = await Promise.all(loads);
const requests = counts.reduce((sum, count) => sum + count, 0);
const rate = requests / (performance.now() - start) * 1000;
await Deno.stdout.write(
  new TextEncoder().encode(JSON.stringify({ requests, rate })),
);
