// A client that does as it is told: it sends any bytes, and leaves when it likes.
import { Buffer } from "node:buffer";

const encoder = new TextEncoder();

/** How long an answer may take. */
const PATIENCE_MS = 20_000;

/** The answer to a request. */
export interface RawAnswer {
  readonly status: number;
  /** The body as it came, a character for each byte; with its chunks, if it has chunks. */
  readonly body: string;
}

/** A connection to 127.0.0.1 that is closed when it is disposed of. */
export class RawClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #buffer = Buffer.alloc(64 * 1024); // its latin1 is really that
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends all of it. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Takes what comes next: an empty text when the server has closed. */
  async read(): Promise<string> {
    const timer = setTimeout(() => this.close(), PATIENCE_MS);
    try {
      const count = await this.#conn.read(this.#buffer);
      return count === null ? "" : this.#buffer.toString("latin1", 0, count);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return "";
      if (error instanceof Deno.errors.Interrupted) {
        throw new Error(`Cannot go on: nothing came in ${PATIENCE_MS} ms`);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes an answer to its end; `null` when the server closes before that. */
  async answer(): Promise<RawAnswer | null> {
    let text = "";
    for (;;) {
      const part = await this.read();
      if (part === "") return null;
      text += part;
      const end = text.indexOf("\r\n\r\n") + 4;
      if (end < 4) continue;
      const head = text.slice(0, end);
      const length = /^content-length: *(\d+)/im.exec(head)?.[1];
      const whole = /^transfer-encoding: *chunked/im.test(head)
        ? text.endsWith("\r\n0\r\n\r\n")
        : text.length >= end + Number(length ?? 0);
      if (whole) return { status: Number(text.slice(9, 12)), body: text.slice(end) };
    }
  }

  /** Takes what comes until the server closes, and gives the number of bytes. */
  async drain(): Promise<number> {
    for (let total = 0;;) {
      const part = await this.read();
      if (part === "") return total;
      total += part.length;
    }
  }

  /** Leaves. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
