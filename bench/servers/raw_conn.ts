// The floor: a loop over `Deno.Conn` that looks for the empty line after each head
// and for nothing else, and answers with bytes made once.

const port = Number(Deno.args[0]);
const CR = 13;
const LF = 10;

/** As many answers as the deepest pipeline asks for at once. */
const MAX_ANSWERS = 64;

const answer = [
  "HTTP/1.1 200 OK",
  "Server: raw",
  "Content-Type: text/html; charset=UTF-8",
  `Date: ${new Date().toUTCString()}`,
  "Content-Length: 12",
  "",
  "Hello, world",
].join("\r\n");
const answers = new TextEncoder().encode(answer.repeat(MAX_ANSWERS));
const answerLength = answers.length / MAX_ANSWERS;

async function serve(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  let matched = 0; // bytes of the empty line seen so far, across reads
  try {
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      let heads = 0;
      for (let at = 0; at < count; at++) {
        if (buffer[at] === (matched % 2 === 0 ? CR : LF)) matched++;
        else matched = buffer[at] === CR ? 1 : 0;
        if (matched === 4) {
          heads++;
          matched = 0;
        }
      }
      await writeAll(conn, answers.subarray(0, heads * answerLength));
    }
  } catch {
    // The client left in the middle: nobody waits for the rest.
  } finally {
    conn.close();
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port });
await Deno.stdout.write(new TextEncoder().encode("listening\n"));
for await (const conn of listener) {
  conn.setNoDelay();
  serve(conn);
}
