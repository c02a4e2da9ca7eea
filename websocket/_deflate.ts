// Messages compressed and back, RFC 7692 7.2.
//
// Compression with context takeover is pako's: its contexts live on from message to message and
// work at once, so that messages keep their order. One takes 260 KB (2^(windowBits + 2) +
// 2^(memLevel + 9)) and is made with the first message that needs it. A message of 200 bytes
// costs some 11 us, of 100 KB 6 ms.
//
// A message that stands alone is compressed by node:zlib, which keeps nothing: 34 us and 1.8 ms
// (pako: 87 us and 5.4 ms). That is how messages go out without context takeover, and those
// that go to many; and, as a context may be told of bytes that it did not compress, long ones.
// (node:zlib itself has no synchronous context that lives on, and Deno 2.9 ignores its
// dictionaries.)
//
// Inflation is pako's, too: 7 KB and the window, 18 us and 0.5 ms (node:zlib: 18 us and 0.3 ms).
// Without context takeover all connections share one context.
import { constants, deflateRawSync } from "node:zlib";
// @ts-types="./_pako.d.ts"
import { deflate, deflateInit2, deflateSetDictionary } from "pako/lib/zlib/deflate.js";
// @ts-types="./_pako.d.ts"
import { inflate, inflateInit2, inflateReset, inflateResetKeep } from "pako/lib/zlib/inflate.js";
// @ts-types="./_pako.d.ts"
import ZStream from "pako/lib/zlib/zstream.js";
import { CloseCode } from "./close_code.ts";
import type { CompressionSettings, DeflateDirection } from "./deflate_extension.ts";
import { WebSocketError } from "./errors.ts";

// What each message ends with and does not show: the end of an empty stored block.
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

const LONG = 16384; // bytes, from which zlib is so much faster that the context is told
const MAX_BITS = 15;
const MAX_LAST_BLOCKS = 16; // in one message: no sender makes two
const MIN_CHUNK = 1024; // bytes of output that zlib makes room for at a time
const MAX_CHUNK = 65536;

// zlib has no deflate for a window of 256 bytes and takes 512, in which it refers back to 250.
const MIN_DEFLATE_BITS = 9;

const Z_SYNC_FLUSH = 2;
const Z_DEFLATED = 8;
const Z_DEFAULT_STRATEGY = 0;
const Z_OK = 0;
const Z_STREAM_END = 1;
const Z_BUF_ERROR = -5; // it can do no more with what it has: no failure
const BETWEEN_BLOCKS = 0x80; // of data_type

/** Compresses the messages that one end sends. */
export class MessageDeflater {
  readonly #settings: CompressionSettings;
  readonly #windowBits: number;
  readonly #takeover: boolean;
  #stream: ZStream | null = null; // there from the first message that it compressed
  #before: Uint8Array | null = null; // what was sent alone last, as long as there is no stream

  constructor(settings: CompressionSettings, { windowBits, contextTakeover }: DeflateDirection) {
    this.#settings = settings;
    this.#windowBits = Math.max(windowBits, MIN_DEFLATE_BITS);
    this.#takeover = contextTakeover;
  }

  /** Is the same for those that make the same of a message that stands alone. */
  get key(): number {
    const { compressionLevel, memLevel } = this.#settings;
    return (compressionLevel << 8) + (memLevel << 4) + this.#windowBits;
  }

  /** Tells whether a message of `size` bytes is worth it. */
  takes(size: number): boolean {
    return size > 0 && size >= this.#settings.threshold;
  }

  /** Compresses a message; null if it would not get shorter, and shall go as it is. */
  deflate(message: Uint8Array): Uint8Array | null {
    if (this.#takeover && message.length < LONG) {
      this.#stream ??= this.#open();
      return run(deflate, this.#stream, message, Infinity).subarray(0, -TAIL.length);
    }
    const compressed = this.deflateAlone(message);
    if (compressed !== null) this.sentAlone(message);
    return compressed;
  }

  /**
   * Compresses a message so that any peer understands it, whatever came before; null if it
   * would not get shorter.
   */
  deflateAlone(message: Uint8Array): Uint8Array | null {
    const { compressionLevel, memLevel } = this.#settings;
    const compressed = deflateRawSync(message, {
      level: compressionLevel,
      memLevel,
      windowBits: this.#windowBits,
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: Math.min(Math.max(message.length, MIN_CHUNK), MAX_CHUNK),
    });
    const size = compressed.length - TAIL.length;
    return size < message.length ? compressed.subarray(0, size) : null;
  }

  /** Notes that `message` was sent as {@linkcode deflateAlone} made it: the peer's window has it. */
  sentAlone(message: Uint8Array): void {
    if (!this.#takeover) return;
    const end = message.subarray(Math.max(0, message.length - (1 << this.#windowBits)));
    if (this.#stream !== null) deflateSetDictionary(this.#stream, end);
    else this.#before = end; // a window may begin later than it could
  }

  #open(): ZStream {
    const { compressionLevel, memLevel } = this.#settings;
    const stream = new ZStream();
    const bits = -this.#windowBits; // negative: without an envelope
    deflateInit2(stream, compressionLevel, Z_DEFLATED, bits, memLevel, Z_DEFAULT_STRATEGY);
    if (this.#before !== null) deflateSetDictionary(stream, this.#before);
    this.#before = null;
    return stream;
  }
}

/** Brings back the messages that a peer compressed. */
export class MessageInflater {
  readonly #windowBits: number;
  readonly #takeover: boolean;
  #stream: ZStream | null = null; // its own; there from the first message with context takeover

  constructor({ windowBits, contextTakeover }: DeflateDirection) {
    this.#windowBits = windowBits;
    this.#takeover = contextTakeover;
  }

  /**
   * Inflates a message, and stops when it is over `maxSize` bytes.
   *
   * @throws {WebSocketError} 1009 for a message over `maxSize`, 1007 for one that is damaged or
   * cut short.
   */
  inflate(compressed: Uint8Array, maxSize: number): Uint8Array {
    // Not even an empty block: what zlib makes of nothing right behind another flush, and so
    // what some senders make of an empty message.
    if (compressed.length === 0) return new Uint8Array(0);
    const stream = this.#takeover
      ? this.#stream ??= openInflate(this.#windowBits)
      : anew(shared ??= openInflate(MAX_BITS));
    const input = new Uint8Array(compressed.length + TAIL.length);
    input.set(compressed);
    input.set(TAIL, compressed.length);
    const message = run(inflateBlocks(compressed.length), stream, input, maxSize);
    if (message.length > maxSize) {
      throw new WebSocketError(`Cannot inflate: message too big: over ${maxSize} bytes`, {
        code: CloseCode.MESSAGE_TOO_BIG,
      });
    }
    if (stream.avail_in === 0 && !isComplete(stream)) {
      throw damaged("the message is cut short");
    }
    return message;
  }
}

let shared: ZStream | null = null; // of all messages that stand alone

function openInflate(windowBits: number): ZStream {
  const stream = new ZStream();
  inflateInit2(stream, -windowBits);
  return stream;
}

function anew(stream: ZStream): ZStream {
  inflateReset(stream);
  return stream;
}

// A sender may end the stream of zlib within a message, or with it, and begin it anew
// (RFC 7692 7.2.3.4). `end` is where the message ends and our tail begins.
function inflateBlocks(end: number): typeof inflate {
  let lastBlocks = 0;
  return (stream, flush) => {
    let code = inflate(stream, flush);
    while (code === Z_STREAM_END) {
      if (++lastBlocks > MAX_LAST_BLOCKS) throw damaged("it has too many last blocks");
      inflateResetKeep(stream);
      if (stream.next_in >= end) return Z_OK; // what is left belongs to no block
      code = inflate(stream, flush);
    }
    return code;
  };
}

// Gives `input` to zlib and returns what comes of it; more than `limit` bytes mean that there
// would be still more.
function run(
  step: typeof inflate | typeof deflate,
  stream: ZStream,
  input: Uint8Array,
  limit: number,
): Uint8Array {
  stream.input = input;
  stream.next_in = 0;
  stream.avail_in = input.length;
  stream.output = chunk;
  let parts: Uint8Array[] | null = null; // there if a chunk was not enough
  let size = 0;
  for (;;) {
    stream.next_out = 0;
    stream.avail_out = chunk.length;
    const code = step(stream, Z_SYNC_FLUSH);
    if (code !== Z_OK && code !== Z_BUF_ERROR) throw damaged(stream.msg || "it needs a dictionary");
    const part = chunk.slice(0, stream.next_out);
    size += part.length;
    // Behind the last block there is no more output, even if the chunk is full. (Asked again,
    // zlib would look for the next block, and not say any more that it stands between two.)
    if (stream.avail_out > 0 || size > limit || isComplete(stream)) {
      return parts === null ? part : concat([...parts, part], size);
    }
    (parts ??= []).push(part);
  }
}

// Of an inflating stream; one that compresses never sets this bit.
function isComplete(stream: ZStream): boolean {
  return stream.avail_in === 0 && (stream.data_type & BETWEEN_BLOCKS) !== 0;
}

// Where zlib writes; used within one call only.
const chunk = new Uint8Array(16384);

function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function damaged(why: string): WebSocketError {
  return new WebSocketError(`Cannot inflate: ${why}`, { code: CloseCode.INVALID_PAYLOAD });
}
