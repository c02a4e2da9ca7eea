// Answers to a known request are a head and as many bytes as its Content-Length says, or
// chunks up to an empty one. Heads and lines are short, so a cut one is kept and looked at again.
//
//   HEAD --a length--> HEAD, once the body was skipped
//   HEAD --chunked--> SIZE --a size--> SIZE, once the chunk was skipped
//                     SIZE --0--> LINE --empty line--> HEAD
const State = { HEAD: 0, SIZE: 1, LINE: 2 } as const;
type State = typeof State[keyof typeof State];

/** Counts the HTTP answers in a stream of bytes. */
export class ResponseCounter {
  /** Answers that have arrived whole. */
  count = 0;
  #state: State = State.HEAD;
  #text = ""; // what has come of a head or a line; empty while bytes are skipped
  #missing = 0; // bytes of a body or a chunk that are still due

  /**
   * Takes the next bytes of the stream, cut anywhere.
   *
   * @throws {TypeError} on an answer without a length, which has no end to count.
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const part = Math.min(this.#missing, bytes.length - at);
        this.#missing -= part;
        at += part;
        if (this.#missing === 0 && this.#state === State.HEAD) this.count++;
      } else at = this.#takeText(bytes, at);
    }
  }

  /** Takes a head or a line that goes on at `at`; gives where the next bytes to look at are. */
  #takeText(bytes: Uint8Array, at: number): number {
    const before = this.#text.length;
    const text = this.#text + latin1(bytes.subarray(at, at + MAX_TEXT));
    const delimiter = this.#state === State.HEAD ? "\r\n\r\n" : "\r\n";
    const end = text.indexOf(delimiter);
    if (end < 0) {
      this.#text = text;
      return at + MAX_TEXT;
    }
    this.#text = "";
    this.#take(text.slice(0, end));
    return at + end + delimiter.length - before;
  }

  #take(text: string): void {
    if (this.#state === State.SIZE) {
      const size = parseInt(text, 16);
      if (size === 0) this.#state = State.LINE;
      else this.#missing = size + "\r\n".length;
    } else if (this.#state === State.LINE) {
      if (text !== "") return; // a trailer
      this.count++;
      this.#state = State.HEAD;
    } else {
      const length = CONTENT_LENGTH_REGEXP.exec(text)?.[1];
      if (length !== undefined) this.#missing = Number(length);
      else if (CHUNKED_REGEXP.test(text)) this.#state = State.SIZE;
      else throw new TypeError(`Cannot count answers: no Content-Length in ${text}`);
      if (length === "0") this.count++;
    }
  }
}

/** As much is looked at in one go, so that many answers at once are not decoded many times. */
const MAX_TEXT = 1024;

const CONTENT_LENGTH_REGEXP = /^content-length: *(\d+)$/im;
const CHUNKED_REGEXP = /^transfer-encoding: *chunked$/im;
const latin1Decoder = new TextDecoder("latin1");

function latin1(bytes: Uint8Array): string {
  return latin1Decoder.decode(bytes);
}
