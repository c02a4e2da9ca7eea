import type { Transport } from "../../iostream/mod.ts";
import { HTTPHeaders } from "../../http/mod.ts";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: HTTPHeaders;
  readonly body: Uint8Array;
  readonly text: string; // the body as UTF-8
}

/** What {@linkcode ask} sends besides method and path. */
export interface RawRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A client that sees every byte: it sends what it is told and reads answers one by one. */
export class RawClient implements Disposable {
  readonly #conn: Transport;
  #came = ""; // read and not taken, as latin-1

  constructor(conn: Transport) {
    this.#conn = conn;
  }

  static async connect(port: number): Promise<RawClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new RawClient(conn);
  }

  /** Sends bytes, or text as UTF-8. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Reads the next answer, interim ones too. `method` is the one that was asked with. */
  async answer(method = "GET"): Promise<RawAnswer> {
    const [start = "", ...lines] = (await this.#takeUntil("\r\n\r\n")).split("\r\n");
    const [, code, reason] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(start) ?? [];
    if (code === undefined) throw new Error(`not a status line: ${JSON.stringify(start)}`);
    const status = Number(code);
    const headers = new HTTPHeaders();
    for (const line of lines) if (line !== "") headers.parseLine(line);
    const bodiless = method === "HEAD" || status < 200 || status === 204 || status === 304;
    const body = latin1Bytes(bodiless ? "" : await this.#body(headers));
    return { status, reason: reason!, headers, body, text: decoder.decode(body) };
  }

  /** Reads up to the end of the connection; what came is latin-1. A reset counts as an end. */
  async rest(): Promise<string> {
    while (await this.#read());
    return this.#take(this.#came.length);
  }

  /** Reads `count` bytes, as latin-1. */
  async bytes(count: number): Promise<string> {
    while (this.#came.length < count) await this.#mustRead();
    return this.#take(count);
  }

  /** Ends the sending side. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Closes it; what was sent to it and not read makes that a reset. */
  close(): void {
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // The test closed it.
    }
  }

  async #body(headers: HTTPHeaders): Promise<string> {
    const length = headers.get("Content-Length");
    if (length !== null) return await this.bytes(Number(length));
    if (headers.get("Transfer-Encoding") !== "chunked") return await this.rest();
    let body = "";
    for (;;) {
      const size = parseInt(await this.#takeUntil("\r\n"), 16);
      body += await this.bytes(size);
      await this.bytes(2);
      if (size === 0) return body;
    }
  }

  async #takeUntil(delimiter: string): Promise<string> {
    let end: number;
    while ((end = this.#came.indexOf(delimiter)) < 0) await this.#mustRead();
    return this.#take(end + delimiter.length);
  }

  #take(count: number): string {
    const taken = this.#came.slice(0, count);
    this.#came = this.#came.slice(count);
    return taken;
  }

  async #mustRead(): Promise<void> {
    if (!await this.#read()) {
      throw new Error(`the connection ended after ${JSON.stringify(this.#came)}`);
    }
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    try {
      const count = await this.#conn.read(buffer);
      if (count === null) return false;
      this.#came += latin1(buffer.subarray(0, count));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    }
  }
}

/** Asks over a connection of its own and returns the answer. */
export async function ask(
  port: number,
  method: string,
  path: string,
  { headers = {}, body }: RawRequest = {},
): Promise<RawAnswer> {
  using client = await RawClient.connect(port);
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const fields: Record<string, string> = { Host: "localhost", Connection: "close", ...headers };
  if (bytes !== undefined) fields["Content-Length"] ??= String(bytes.length);
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  await client.send(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  if (bytes !== undefined) await client.send(bytes);
  return await client.answer(method);
}

/** Waits until `holds`, at most a few seconds: for what happens in the loop some time soon. */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`it never held: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Not TextDecoder: its latin1 is windows-1252.
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
