// A multipart/form-data body (RFC 7578, RFC 2046 5.1) as it arrives, cut anywhere.
//
//   PREAMBLE --boundary line--> HEADER --empty line--> CONTENT --boundary line--> HEADER
//       \                                                 \------last boundary--> EPILOGUE
//        \--last boundary--> EPILOGUE                           any state --#fail()--> DEAD
//
// A boundary line begins with CRLF, dashes and the boundary. What could be the beginning of one
// is held back until more has come; all else goes on at once, so what is held is less than such a
// line, or the header of a part. The CRLF in front of the first boundary may be missing, and that
// behind a header may be the one in front of a boundary: in both cases one is put in, or left in,
// and not counted as content (#skip).
import { Buffer } from "node:buffer";
import { CR, DASH, HTAB, LF, SP } from "./_bytes.ts";
import { HTTPInputError } from "./errors.ts";
import { dashBoundary, type PartHead, readPartHead } from "./multipart.ts";

const State = { PREAMBLE: 0, HEADER: 1, CONTENT: 2, EPILOGUE: 3, DEAD: 4 } as const;
type State = typeof State[keyof typeof State];

const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from("\r\n");
const HEADER_END = Buffer.from("\r\n\r\n");
const MAX_PADDING = 1024; // blanks behind a boundary; RFC 2046 allows any number, nobody sends any

/** Limits of a {@linkcode MultipartDecoder}. */
export interface MultipartDecoderOptions {
  /**
   * Parts at most.
   *
   * @default {100}
   */
  maxParts?: number;
  /**
   * Bytes in the header of a part at most.
   *
   * @default {10240}
   */
  maxPartHeaderSize?: number;
}

/** Is told of the parts of a form. Its methods run inside `push()`; they must not push. */
export interface MultipartSink {
  /** Takes the head of a part that begins. */
  partBegan(head: PartHead): void;
  /** Takes a piece of its content, never an empty one: a view, of which it keeps a copy if it must. */
  partData(bytes: Uint8Array): void;
  /** Is told that it is complete. */
  partEnded(): void;
}

/**
 * Reads a `multipart/form-data` body piece by piece; {@linkcode parseMultipartFormData} reads one
 * that is there whole, by the same rules.
 *
 * @example A form in two pieces
 * ```ts
 * import { MultipartDecoder, utf8 } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: string[] = [];
 * const decoder = new MultipartDecoder("1234", {
 *   partBegan: ({ name }) => seen.push(name),
 *   partData: (bytes) => seen.push(new TextDecoder().decode(bytes)),
 *   partEnded: () => seen.push("end"),
 * });
 * decoder.push(utf8('--1234\r\nContent-Disposition: form-data; name="a"\r\n\r\nFo'));
 * decoder.push(utf8("o\r\n--1234--\r\n"));
 * decoder.finish();
 * assertEquals(seen, ["a", "Foo", "end"]);
 * ```
 */
export class MultipartDecoder {
  readonly #sink: MultipartSink;
  readonly #delimiter: Buffer; // CRLF, dashes, boundary
  readonly #maxParts: number;
  readonly #maxHeaderSize: number;
  #state: State = State.PREAMBLE;
  #held: Buffer = CRLF; // came, and may be the beginning of a boundary line or is a header
  #room: Buffer = EMPTY; // where a header is gathered that comes in pieces; #held is its beginning
  #looked = 0; // bytes of the header in which its end was looked for
  #skip = 2; // of the next content, bytes that are none
  #parts = 0;

  /**
   * Takes the boundary, as in the Content-Type field, and who is told.
   *
   * @throws {HTTPInputError} when the boundary has not 1 to 70 bytes.
   */
  constructor(
    boundary: string,
    sink: MultipartSink,
    { maxParts = 100, maxPartHeaderSize = 10_240 }: MultipartDecoderOptions = {},
  ) {
    this.#sink = sink;
    this.#delimiter = Buffer.concat([CRLF, dashBoundary(boundary)]);
    this.#maxParts = maxParts;
    this.#maxHeaderSize = maxPartHeaderSize;
  }

  /**
   * Takes the next bytes.
   *
   * @throws {HTTPInputError} when they are no form or pass a limit, and on every call after it.
   */
  push(bytes: Uint8Array): void {
    if (this.#state === State.DEAD) this.#fail("it was refused before");
    if (this.#state === State.EPILOGUE) return;
    let data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#held.length > 0) {
      data = this.#state === State.HEADER ? this.#gather(data) : Buffer.concat([this.#held, data]);
    }
    let at = 0;
    for (;;) {
      const next = this.#state === State.HEADER
        ? this.#readHeader(data, at)
        : this.#readContent(data, at);
      if (next === -1) return;
      at = next;
      if ((this.#state as State) === State.EPILOGUE) {
        this.#held = EMPTY;
        return;
      }
    }
  }

  /**
   * Says that nothing more comes.
   *
   * @throws {HTTPInputError} when the last boundary is missing.
   */
  finish(): void {
    if (this.#state !== State.EPILOGUE) this.#fail("its final boundary is missing");
  }

  // Returns where to go on, -1 when more must come first.
  #readHeader(data: Buffer, at: number): number {
    const most = this.#maxHeaderSize + HEADER_END.length;
    const came = data.subarray(at, at + most);
    const end = came.indexOf(HEADER_END, this.#looked);
    if (end === -1) {
      if (came.length === most) {
        this.#fail(`a part has no header, or one above ${this.#maxHeaderSize} bytes`);
      }
      this.#looked = Math.max(0, came.length - HEADER_END.length + 1);
      // What was gathered in the room begins there, and stays; all else is the caller's.
      this.#held = this.#room.length > 0 ? came : Buffer.from(came);
      return -1;
    }
    this.#looked = 0;
    this.#room = EMPTY;
    let head: PartHead;
    try {
      head = readPartHead(data.subarray(at, at + end));
    } catch (error) {
      this.#state = State.DEAD;
      throw error;
    }
    this.#state = State.CONTENT;
    this.#skip = 2;
    this.#sink.partBegan(head);
    return at + end + 2;
  }

  // Puts `data` behind what is held of a header. The room doubles, so that one that comes byte by
  // byte is not copied with every byte.
  #gather(data: Buffer): Buffer {
    const size = this.#held.length + data.length;
    if (size > this.#room.length) {
      const room = Buffer.alloc(Math.max(size, 2 * this.#room.length));
      room.set(this.#held);
      this.#room = room;
    }
    this.#room.set(data, this.#held.length);
    return this.#room.subarray(0, size);
  }

  // Passes content on up to a boundary line; returns where to go on behind it, -1 when there is none.
  #readContent(data: Buffer, at: number): number {
    for (let from = at;;) {
      const found = data.indexOf(this.#delimiter, from);
      if (found === -1) {
        const keep = Math.max(at, data.length - this.#delimiter.length + 1);
        this.#hold(data, at, keep);
        return -1;
      }
      const end = this.#endOfLine(data, found + this.#delimiter.length);
      if (end === "content") {
        from = found + 1;
        continue;
      }
      if (end === "unknown") {
        this.#hold(data, at, found);
        return -1;
      }
      this.#pass(data, at, found);
      if (this.#state === State.CONTENT) this.#sink.partEnded();
      this.#state = end.isLast ? State.EPILOGUE : State.HEADER;
      if (!end.isLast && ++this.#parts > this.#maxParts) {
        this.#fail(`it has more than ${this.#maxParts} parts`);
      }
      return end.at;
    }
  }

  #endOfLine(data: Buffer, at: number): { at: number; isLast: boolean } | "content" | "unknown" {
    if (data[at] === DASH && (at + 1 >= data.length || data[at + 1] === DASH)) {
      return at + 1 >= data.length ? "unknown" : { at: at + 2, isLast: true };
    }
    let end = at;
    while (data[end] === SP || data[end] === HTAB) end++;
    if (end - at > MAX_PADDING) return "content";
    if (end >= data.length || data[end] === CR && end + 1 >= data.length) return "unknown";
    return data[end] === CR && data[end + 1] === LF ? { at: end + 2, isLast: false } : "content";
  }

  #hold(data: Buffer, at: number, keep: number): void {
    this.#pass(data, at, keep);
    this.#held = Buffer.from(data.subarray(keep)); // the pieces are the caller's
  }

  #pass(data: Buffer, start: number, end: number): void {
    const skipped = Math.min(this.#skip, end - start);
    this.#skip -= skipped;
    const from = start + skipped;
    if (from === end || this.#state !== State.CONTENT) return;
    this.#sink.partData(new Uint8Array(data.buffer, data.byteOffset + from, end - from));
  }

  #fail(why: string): never {
    this.#state = State.DEAD;
    throw new HTTPInputError(`Cannot parse form: ${why}`);
  }
}
