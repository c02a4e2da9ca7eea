/** Is a program of examples/ that serves TCP, in a process of its own. */
export interface ExampleServer extends AsyncDisposable {
  readonly port: number;
  /** Presses Ctrl-C and returns what the program printed from then on. */
  stop(): Promise<string>;
}

/** Starts a program of examples/ on a free port. */
export async function startExample(path: string): Promise<ExampleServer> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-P=serve", path, "--port", "0"],
    cwd: new URL("../../examples/", import.meta.url),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  const port = Number(/port (\d+)/.exec(value ?? "")?.[1]);
  let ended = false;
  const stop = async () => {
    ended = true;
    child.kill("SIGINT");
    let rest = "";
    for (;;) {
      const { value, done } = await lines.read();
      if (done) break;
      rest += value;
    }
    await child.status;
    return rest;
  };
  return {
    port,
    stop,
    async [Symbol.asyncDispose]() {
      if (!ended) await stop();
    },
  };
}

/** Sends `input` in the pieces given, then ends, and returns all that came back. */
export async function talk(port: number, pieces: readonly Uint8Array[]): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const answer = new Response(readable(conn)).text();
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) at += await conn.write(piece.subarray(at));
    // Lets the server see this piece alone.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await conn.closeWrite();
  return await answer;
}

function readable(conn: Deno.Conn): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const buffer = new Uint8Array(16 * 1024);
      const count = await conn.read(buffer);
      if (count === null) controller.close();
      else controller.enqueue(buffer.subarray(0, count));
    },
  });
}
