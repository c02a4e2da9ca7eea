// A WebSocket client that does as little as can be: frames are made once, and of what comes only
// heads of frames are looked at.
import { encodeFrame, handshakeRequest, makeKey, Opcode } from "../websocket/mod.ts";
import { constants, deflateRawSync } from "node:zlib";

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** What a deflated message leaves out: RFC 7692 7.2.1. */
const TAIL_LENGTH = 4;

/** Gives a message as it is sent; each deflated one stands alone, so it can be sent again. */
export function messageFrame(text: string, deflate: boolean): Uint8Array {
  const payload = new TextEncoder().encode(text);
  if (!deflate) return encodeFrame(Opcode.TEXT, payload, { mask: MASK });
  const deflated = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
  const sent = new Uint8Array(deflated.subarray(0, -TAIL_LENGTH));
  return encodeFrame(Opcode.TEXT, sent, { mask: MASK, rsv1: true });
}

/**
 * Opens a WebSocket at 127.0.0.1; with `deflate` its messages may be compressed.
 *
 * @throws {Error} when the server refuses it, or does not compress though it was to.
 */
export async function openWebSocket(port: number, deflate = false): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const request = handshakeRequest({
    url: new URL(`ws://127.0.0.1:${port}/`),
    key: makeKey(),
    subprotocols: [],
    compression: deflate ? { noContextTakeover: true } : null,
  });
  await conn.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(4096);
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    const count = await conn.read(buffer);
    if (count === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, count));
  }
  if (!head.startsWith("HTTP/1.1 101") || head.includes("permessage-deflate") !== deflate) {
    throw new Error(`Cannot go on: the server answered ${head}`);
  }
  return conn;
}

/** Counts the messages in a stream of bytes: frames without mask, whole messages each. */
export class MessageCounter {
  /** Messages that have arrived whole. */
  count = 0;
  #head: number[] = []; // what has come of the head of a frame
  #missing = 0; // bytes of its payload that are still due

  /** Takes the next bytes of the stream, cut anywhere. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#missing > 0) {
        const part = Math.min(this.#missing, bytes.length - at);
        this.#missing -= part;
        at += part;
        if (this.#missing === 0) this.count++;
      } else this.#takeHead(bytes[at++]!);
    }
  }

  #takeHead(byte: number): void {
    this.#head.push(byte);
    const [, short, high, low] = this.#head;
    if (short === undefined) return;
    if (short === LONG) throw new TypeError("Cannot count messages: one is over 64 KiB");
    if (short < MEDIUM) this.#missing = short;
    else if (low === undefined) return;
    else this.#missing = high! * 256 + low;
    this.#head = [];
    if (this.#missing === 0) this.count++;
  }
}

const MEDIUM = 126; // the length stands in two bytes more
const LONG = 127;
