// Connects to a port and sends bytes, or takes all that comes: a plain loop, so that what is at
// the other end of the connection is all that differs. What it sends are copies of a line.
const WRITE_SIZE = 64 * 1024;

async function main([port, action, bytes, line = "x"]: string[]): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const buffer = new TextEncoder().encode(line.repeat(WRITE_SIZE / line.length));
  if (action === "take") { while (await conn.read(buffer) !== null); }
  else {
    for (let left = Number(bytes); left > 0; left -= buffer.length) {
      const piece = buffer.subarray(0, left);
      for (let at = 0; at < piece.length;) at += await conn.write(piece.subarray(at));
    }
  }
  conn.close();
}

if (import.meta.main) await main(Deno.args);
