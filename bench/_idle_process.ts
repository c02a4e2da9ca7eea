const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Streams that nobody reads, streams that coroutines wait for, plain connections with a read. */
export type IdleKind = "stream" | "waiting" | "plain";

/** A process that holds connections and tells how much memory it has. */
export class IdleProcess implements AsyncDisposable {
  /** The port that it listens on, at 127.0.0.1. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(
    port: number,
    child: Deno.ChildProcess,
    lines: ReadableStreamDefaultReader<Uint8Array>,
  ) {
    this.port = port;
    this.#child = child;
    this.#lines = lines;
  }

  /** Starts a process whose connections are of that kind. */
  static async start(kind: IdleKind): Promise<IdleProcess> {
    const file = new URL("servers/idle_connections.ts", import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-net=127.0.0.1",
        "--allow-env",
        "--v8-flags=--expose-gc",
        file.pathname,
        kind,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.getReader();
    const { value } = await lines.read();
    return new IdleProcess(Number(decoder.decode(value)), child, lines);
  }

  /** Sends bytes on a connection, and waits for the byte that says that they arrived. */
  async carry(conn: Deno.Conn, bytes: number): Promise<void> {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes);
    await conn.write(length);
    const data = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) at += await conn.write(data.subarray(at));
    await conn.read(new Uint8Array(1));
  }

  /**
   * Gives the memory in bytes, after a collection of garbage: what is resident, and what live
   * objects take. The resident memory of a process that was busy stays high.
   */
  async memory(): Promise<{ resident: number; live: number }> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(encoder.encode("memory\n"));
    writer.releaseLock();
    const { value } = await this.#lines.read();
    const [resident, live] = decoder.decode(value).split(" ").map(Number);
    return { resident: resident!, live: live! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.stdin.close().catch(() => {});
    await this.#lines.cancel();
    await this.#child.status;
  }
}
