import { assertEquals } from "@std/assert";
import { HTTPHeaders } from "../../http/mod.ts";
import {
  computeAcceptValue,
  encodeClose,
  encodeFrame,
  type FrameOptions,
  Opcode,
} from "../../websocket/mod.ts";
import { RawClient } from "../http/_raw_client.ts";
import type { RawFrame } from "./_raw_client.ts";

/** A WebSocket server that answers what it is told, and sees every frame. */
export class RawServer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  /** Its URL. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/path?q=1`;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Takes the next connection and reads the request on it. */
  async request(): Promise<RawPeer> {
    const conn = await this.#listener.accept();
    const raw = new RawClient(conn);
    let head = "";
    while (!head.endsWith("\r\n\r\n")) head += await raw.bytes(1);
    return new RawPeer(raw, head);
  }

  /** Takes the next connection and opens a WebSocket on it. */
  async accept(headers: Readonly<Record<string, string>> = {}): Promise<RawPeer> {
    const peer = await this.request();
    await peer.open(headers);
    return peer;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

/** The server's end of one connection. */
export class RawPeer implements Disposable {
  /** The first line of the request. */
  readonly line: string;
  /** The fields of the request. */
  readonly headers: HTTPHeaders;
  readonly #raw: RawClient;

  constructor(raw: RawClient, head: string) {
    this.#raw = raw;
    const end = head.indexOf("\r\n");
    this.line = head.slice(0, end);
    this.headers = HTTPHeaders.parse(head.slice(end + 2));
  }

  /** The fields of an answer that is as it should be; an empty one is left out. */
  answer(
    headers: Readonly<Record<string, string>> = {},
    status = "101 Switching Protocols",
  ): string {
    const fields = {
      "Upgrade": "websocket",
      "Connection": "Upgrade",
      "Sec-WebSocket-Accept": computeAcceptValue(this.headers.get("Sec-WebSocket-Key")!),
      ...headers,
    };
    const lines = Object.entries(fields).filter(([, value]) => value !== "")
      .map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`;
  }

  open(headers: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.send(this.answer(headers));
  }

  /** Sends bytes, or text, as they are. */
  send(data: string | Uint8Array): Promise<void> {
    return this.#raw.send(data);
  }

  /** Sends a frame, without mask. */
  sendFrame(
    opcode: number,
    payload: string | Uint8Array = "",
    options?: FrameOptions,
  ): Promise<void> {
    const data = typeof payload === "string" ? encoder.encode(payload) : payload;
    return this.send(encodeFrame(opcode, data, options));
  }

  sendText(text: string): Promise<void> {
    return this.sendFrame(Opcode.TEXT, text);
  }

  /** Reads the next frame, which must have a mask. */
  async frame(): Promise<RawFrame & { readonly mask: Uint8Array }> {
    const [flags, size] = await this.#bytes(2);
    assertEquals(size! >> 7, 1, "the frame of a client has a mask");
    let length = size! & 0x7f;
    if (length >= 126) {
      const extended = await this.#bytes(length === 126 ? 2 : 8);
      length = extended.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    const mask = await this.#bytes(4);
    const data = (await this.#bytes(length)).map((byte, at) => byte ^ mask[at % 4]!);
    return {
      fin: flags! >= 0x80,
      opcode: flags! & 0x7f,
      data,
      mask,
      text: new TextDecoder().decode(data),
    };
  }

  async text(): Promise<string> {
    const { opcode, text } = await this.frame();
    assertEquals(opcode, Opcode.TEXT, text);
    return text;
  }

  /** Reads a close frame: its code (null for none) and its reason. */
  async closeFrame(): Promise<[code: number | null, reason: string]> {
    const { opcode, data } = await this.frame();
    assertEquals(opcode, Opcode.CLOSE);
    if (data.length === 0) return [null, ""];
    return [data[0]! * 256 + data[1]!, new TextDecoder().decode(data.subarray(2))];
  }

  /** Closes as a server should: close frame, close frame, end. */
  async shut(code?: number, reason?: string): Promise<void> {
    await this.sendFrame(Opcode.CLOSE, encodeClose(code, reason));
    await this.closeFrame();
    this.vanish();
  }

  /** Waits for the end of the connection, before which nothing may come. */
  async ended(): Promise<void> {
    assertEquals(await this.#raw.rest(), "");
  }

  closeWrite(): Promise<void> {
    return this.#raw.closeWrite();
  }

  /** Leaves without a word. */
  vanish(): void {
    this.#raw.close();
  }

  [Symbol.dispose](): void {
    this.#raw[Symbol.dispose]();
  }

  async #bytes(count: number): Promise<Uint8Array> {
    return Uint8Array.from(await this.#raw.bytes(count), (char) => char.charCodeAt(0));
  }
}

const encoder = new TextEncoder();
