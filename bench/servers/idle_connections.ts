// Holds connections. Each carries a length, that many bytes, and is answered by one byte; then
// it idles with a read pending. A line on standard input is answered by the memory: resident, and
// of live objects.
import { IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";

const FIRST_READ = 1024;
const CHUNK = 65536;
const SETTLE_MILLISECONDS = 100;

const ONE_BYTE = Uint8Array.of(1);
const encoder = new TextEncoder();
const held = new Set<unknown>();

function* serveStream(stream: IOStream) {
  held.add(stream);
  const head = yield* stream.readBytes(4);
  let missing = new DataView(head.buffer).getUint32(0);
  while (missing > 0) {
    missing -= (yield* stream.readBytes(Math.min(missing, CHUNK), { partial: true })).length;
  }
  stream.write(ONE_BYTE);
  if (Deno.args[0] === "waiting") yield* stream.readUntil("\n");
}

async function servePlainly(conn: Deno.Conn): Promise<void> {
  held.add(conn);
  const head = new Uint8Array(4);
  await conn.read(head);
  let missing = new DataView(head.buffer).getUint32(0);
  const chunk = missing > 0 ? new Uint8Array(CHUNK) : ONE_BYTE;
  while (missing > 0) missing -= (await conn.read(chunk))!;
  await conn.write(ONE_BYTE);
  await conn.read(new Uint8Array(FIRST_READ));
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(encoder.encode(text));
}

async function accept(listener: Deno.Listener, kind: string): Promise<void> {
  const loop = IOLoop.current();
  for await (const conn of listener) {
    if (kind === "plain") servePlainly(conn).catch(() => {});
    else loop.spawnCallback(serveStream, new IOStream(conn));
  }
}

if (import.meta.main) {
  const loop = new IOLoop();
  loop.start();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  accept(listener, Deno.args[0]!);
  await print(`${listener.addr.port}\n`);
  for await (const _ of Deno.stdin.readable) {
    for (let i = 0; i < 3; i++) { // what one collection frees may hold what the next one frees
      (globalThis as unknown as { gc: () => void }).gc();
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS));
    }
    const { rss, heapUsed, external } = Deno.memoryUsage();
    await print(`${rss} ${heapUsed + external}\n`);
  }
}
