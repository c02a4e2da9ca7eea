// Connects to a port and sends bytes, or takes all that comes: a plain loop, so that what is at
// the other end of the connection is all that differs.
const WRITE_SIZE = 64 * 1024;

async function main([port, action, bytes]: string[]): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const buffer = new Uint8Array(WRITE_SIZE);
  if (action === "take") { while (await conn.read(buffer) !== null); }
  else {
    for (let sent = 0; sent < Number(bytes); sent += WRITE_SIZE) {
      for (let at = 0; at < WRITE_SIZE;) at += await conn.write(buffer.subarray(at));
    }
  }
  conn.close();
}

if (import.meta.main) await main(Deno.args);
