import { assertEquals } from "@std/assert";
import { encodeClose, encodeFrame, type FrameOptions, Opcode } from "../../websocket/mod.ts";
import { type RawAnswer, RawClient } from "../http/_raw_client.ts";

/** A frame as it came; a server sends no mask. */
export interface RawFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly data: Uint8Array;
  readonly text: string; // the data as UTF-8
}

/** What {@linkcode RawWebSocket.open} does besides the handshake. */
export interface RawOpen {
  /** Fields that replace or join those of the handshake; an empty one is left out. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes that leave in one piece with the handshake. */
  readonly behind?: Uint8Array;
}

/** The key of RFC 6455 1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** Makes a frame as a client sends it. */
export function masked(
  opcode: number,
  payload: string | Uint8Array = "",
  options: FrameOptions = {},
): Uint8Array {
  const data = typeof payload === "string" ? encoder.encode(payload) : payload;
  return encodeFrame(opcode, data, { mask: MASK, ...options });
}

/** Writes the head of a handshake; a field that is empty is left out. */
export function handshake(path: string, headers: Readonly<Record<string, string>> = {}): string {
  const fields: Record<string, string> = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    ...headers,
  };
  const lines = Object.entries(fields).filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** A WebSocket client that breaks whatever rule it is told to, and sees every frame. */
export class RawWebSocket implements Disposable {
  /** The answer to the handshake. */
  readonly answer: RawAnswer;
  readonly #client: RawClient;

  private constructor(client: RawClient, answer: RawAnswer) {
    this.#client = client;
    this.answer = answer;
  }

  static async open(
    port: number,
    path: string,
    { headers = {}, behind = new Uint8Array(0) }: RawOpen = {},
  ): Promise<RawWebSocket> {
    const client = await RawClient.connect(port);
    const head = encoder.encode(handshake(path, headers));
    await client.send(Uint8Array.of(...head, ...behind));
    const answer = await client.answer();
    assertEquals(answer.status, 101, answer.text);
    return new RawWebSocket(client, answer);
  }

  /** Sends bytes as they are. */
  send(bytes: Uint8Array): Promise<void> {
    return this.#client.send(bytes);
  }

  /** Sends a frame, masked. */
  sendFrame(opcode: number, payload?: string | Uint8Array, options?: FrameOptions): Promise<void> {
    return this.send(masked(opcode, payload, options));
  }

  /** Sends a text message in one frame. */
  sendText(text: string): Promise<void> {
    return this.sendFrame(Opcode.TEXT, text);
  }

  /** Reads the next frame. */
  async frame(): Promise<RawFrame> {
    const [flags, size] = await this.#bytes(2);
    let length = size!;
    if (length >= 126) {
      const extended = await this.#bytes(length === 126 ? 2 : 8);
      length = extended.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    const data = await this.#bytes(length);
    return {
      fin: flags! >= 0x80,
      opcode: flags! & 0x7f, // with the reserved bits: none is ever set
      data,
      text: decoder.decode(data),
    };
  }

  /** Reads a text frame. */
  async text(): Promise<string> {
    const { opcode, text } = await this.frame();
    assertEquals(opcode, Opcode.TEXT, text);
    return text;
  }

  /** Reads the server's close frame: its code (null for none) and its reason. */
  async closeFrame(): Promise<[code: number | null, reason: string]> {
    const { opcode, data } = await this.frame();
    assertEquals(opcode, Opcode.CLOSE);
    if (data.length === 0) return [null, ""];
    return [data[0]! * 256 + data[1]!, decoder.decode(data.subarray(2))];
  }

  /** Closes as a client should: close frame, close frame, end. */
  async shut(code?: number, reason?: string): Promise<void> {
    await this.sendFrame(Opcode.CLOSE, encodeClose(code, reason));
    await this.closeFrame();
    await this.ended();
  }

  /** Waits for the end of the connection, before which nothing may come. */
  async ended(): Promise<void> {
    assertEquals(await this.#client.rest(), "");
  }

  /** Ends the sending side. */
  closeWrite(): Promise<void> {
    return this.#client.closeWrite();
  }

  /** Leaves without a word. */
  vanish(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  async #bytes(count: number): Promise<Uint8Array> {
    return Uint8Array.from(await this.#client.bytes(count), (char) => char.charCodeAt(0));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
