import { COLON, CR, FIELD_VALUE, HEX, HTAB, LF, SEMICOLON, SP, TOKEN } from "./_bytes.ts";
import { HTTPInputError } from "./errors.ts";

// A chunked body (RFC 9112 7.1), resumable at any byte, without a copy:
//
//   SIZE --;--> EXTENSION --CR--> SIZE_LF       SIZE --blank--> BLANKS --;--> EXTENSION
//   SIZE --CR--> SIZE_LF --LF, size > 0--> DATA --last byte--> DATA_CR --> DATA_LF --> SIZE
//   SIZE_LF --LF, size = 0--> LINE --token--> NAME --:--> TRAILER --CR--> TRAILER_LF --> LINE
//   LINE --CR--> LAST_LF --LF--> DONE           any state --#fail()--> DEAD
//
// Trailer fields are dropped, but what is none is refused: behind an end without its empty
// line stands the next request, and that would be taken for one of them.
//
// The owner of the bytes pulls, one piece of data a call, so that it can wait
// between two pieces.
const State = {
  DATA: 0,
  DATA_CR: 1,
  DATA_LF: 2,
  SIZE: 3,
  SIZE_LF: 4,
  BLANKS: 5,
  EXTENSION: 6,
  LINE: 7,
  NAME: 8,
  TRAILER: 9,
  TRAILER_LF: 10,
  LAST_LF: 11,
  DONE: 12,
  DEAD: 13,
} as const;
type State = typeof State[keyof typeof State];

/** Limits of a {@linkcode ChunkedDecoder}. */
export interface ChunkedDecoderOptions {
  /**
   * Bytes in the line before a chunk at most: size, extensions and CRLF.
   *
   * @default {64}
   */
  maxChunkLineSize?: number;
  /**
   * Bytes in all trailer fields of a body at most.
   *
   * @default {65536}
   */
  maxTrailerSize?: number;
}

/**
 * Takes the data out of a chunked body; extensions and trailer fields are read and dropped.
 *
 * @example Collect a body
 * ```ts
 * import { ChunkedDecoder } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new TextEncoder().encode("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
 * const decoder = new ChunkedDecoder();
 * let body = "";
 * for (let at = 0; at < bytes.length && !decoder.done;) {
 *   at = decoder.next(bytes, at, bytes.length);
 *   body += new TextDecoder().decode(bytes.subarray(decoder.pieceStart, decoder.pieceEnd));
 * }
 * assertEquals(body, "abcde");
 * assertEquals(decoder.done, true);
 * ```
 */
export class ChunkedDecoder {
  /** Where the data that the last {@linkcode next} found begins, as an offset into its bytes. */
  pieceStart = 0;
  /** Where that data ends; equal to {@linkcode pieceStart} when there was none. */
  pieceEnd = 0;

  readonly #maxChunkLineSize: number;
  readonly #maxTrailerSize: number;
  #state: State = State.SIZE;
  #size = 0; // of the chunk while its line is read, then what is missing of its data
  #lineSize = 0; // bytes of the chunk's line so far
  #trailerSize = 0; // bytes of the trailer section so far

  /** Makes a decoder that stands before the first chunk of a body. */
  constructor(options: ChunkedDecoderOptions = {}) {
    this.#maxChunkLineSize = options.maxChunkLineSize ?? 64;
    this.#maxTrailerSize = options.maxTrailerSize ?? 65_536;
  }

  /** Whether the body is complete, its last CRLF included. */
  get done(): boolean {
    return this.#state === State.DONE;
  }

  /**
   * Reads on at `bytes[start]` and stops behind the first piece of data it finds, or at `end`.
   *
   * The data is `bytes[pieceStart..pieceEnd)`: a whole chunk, or the part of one that is
   * there. Once the body is {@linkcode done} nothing more is consumed.
   *
   * @returns the offset of the first byte that was not consumed.
   * @throws {HTTPInputError} with status 400, or 431 when the trailer fields are too large.
   */
  next(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    this.pieceStart = start;
    this.pieceEnd = start;
    while (at < end) {
      const byte = bytes[at]!;
      switch (this.#state) {
        case State.DATA: {
          const available = end - at;
          const taken = available < this.#size ? available : this.#size;
          this.#size -= taken;
          if (this.#size === 0) this.#state = State.DATA_CR;
          this.pieceStart = at;
          this.pieceEnd = at + taken;
          return this.pieceEnd;
        }
        case State.DATA_CR:
          this.#expect(byte, CR, State.DATA_LF);
          break;
        case State.DATA_LF:
          this.#expect(byte, LF, State.SIZE);
          break;
        case State.SIZE:
          this.#countLine();
          if (HEX[byte]! < 16) this.#digit(HEX[byte]!);
          else if (this.#lineSize === 1) this.#fail("its size is missing");
          else if (byte === CR) this.#state = State.SIZE_LF;
          else if (byte === SEMICOLON) this.#state = State.EXTENSION;
          else if (byte === SP || byte === HTAB) this.#state = State.BLANKS;
          else this.#fail("its size is not a hexadecimal number");
          break;
        case State.SIZE_LF:
          this.#countLine();
          this.#lineSize = 0;
          this.#expect(byte, LF, this.#size === 0 ? State.LINE : State.DATA);
          break;
        case State.BLANKS:
          this.#countLine();
          if (byte === SEMICOLON) this.#state = State.EXTENSION;
          else if (byte !== SP && byte !== HTAB) {
            this.#fail("its size is not a hexadecimal number");
          }
          break;
        case State.EXTENSION:
          this.#countLine();
          if (byte === CR) this.#state = State.SIZE_LF;
          else if (FIELD_VALUE[byte] !== 1) {
            this.#fail("a control character is in its extension");
          }
          break;
        case State.LINE:
          if (byte === CR) {
            this.#state = State.LAST_LF;
            break;
          }
          this.#countTrailer();
          if (TOKEN[byte] !== 1) this.#failName();
          this.#state = State.NAME;
          break;
        case State.NAME:
          this.#countTrailer();
          if (byte === COLON) this.#state = State.TRAILER;
          else if (TOKEN[byte] !== 1) this.#failName();
          break;
        case State.TRAILER:
          this.#countTrailer();
          if (byte === CR) this.#state = State.TRAILER_LF;
          else if (FIELD_VALUE[byte] !== 1) {
            this.#fail("a control character is in a trailer field");
          }
          break;
        case State.TRAILER_LF:
          this.#countTrailer();
          this.#expect(byte, LF, State.LINE);
          break;
        case State.LAST_LF:
          this.#expect(byte, LF, State.DONE);
          break;
        case State.DONE:
          return at;
        case State.DEAD:
          this.#fail("an earlier one was refused");
      }
      at++;
    }
    return at;
  }

  /** Stands before the first chunk of another body. */
  reset(): void {
    this.#state = State.SIZE;
    this.#size = 0;
    this.#lineSize = 0;
    this.#trailerSize = 0;
  }

  #digit(value: number): void {
    this.#size = this.#size * 16 + value;
    if (this.#size > Number.MAX_SAFE_INTEGER) {
      this.#fail("its size is above 2^53-1");
    }
  }

  #expect(byte: number, expected: number, next: State): void {
    if (byte !== expected) this.#fail("a line does not end in CRLF");
    this.#state = next;
  }

  #countLine(): void {
    if (++this.#lineSize > this.#maxChunkLineSize) {
      this.#fail(`its size line exceeds ${this.#maxChunkLineSize} bytes`);
    }
  }

  #countTrailer(): void {
    if (++this.#trailerSize > this.#maxTrailerSize) {
      this.#fail(
        `the trailer fields exceed ${this.#maxTrailerSize} bytes`,
        431,
      );
    }
  }

  #failName(): never {
    this.#fail("the name of a trailer field must be a token and a colon");
  }

  #fail(why: string, status = 400): never {
    this.#state = State.DEAD;
    throw new HTTPInputError(`Cannot read chunk: ${why}`, { status });
  }
}
