// Answers to a known request are a head and as many bytes as its Content-Length
// says. Heads are few hundred bytes, so a cut one is kept and looked at again.
//
//   HEAD --empty line--> BODY --last byte--> HEAD

/** Counts the HTTP answers in a stream of bytes. */
export class ResponseCounter {
  /** Answers that have arrived whole. */
  count = 0;
  #head = ""; // what has come of a head; empty while a body arrives
  #missing = 0; // bytes of the body still due; > 0 exactly while in a body

  /**
   * Takes the next bytes of the stream, cut anywhere.
   *
   * @throws {TypeError} on an answer without a length, which has no end to count.
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const part = Math.min(this.#missing, bytes.length - at);
      if (part > 0) {
        this.#missing -= part;
        at += part;
      } else {
        at = this.#takeHead(bytes, at);
        if (at < 0) return; // cut: the head goes on in the next bytes
      }
      if (this.#missing === 0) this.count++;
    }
  }

  /** Takes a head that goes on at `at`; gives where its body starts, or -1. */
  #takeHead(bytes: Uint8Array, at: number): number {
    const before = this.#head.length;
    const text = this.#head + latin1(bytes.subarray(at));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      this.#head = text;
      return -1;
    }
    const length = CONTENT_LENGTH_REGEXP.exec(text.slice(0, end))?.[1];
    if (length === undefined) {
      throw new TypeError(`Cannot count answers: no Content-Length in ${text}`);
    }
    this.#head = "";
    this.#missing = Number(length);
    return at + end + "\r\n\r\n".length - before;
  }
}

const CONTENT_LENGTH_REGEXP = /^content-length: *(\d+)$/im;
const latin1Decoder = new TextDecoder("latin1");

function latin1(bytes: Uint8Array): string {
  return latin1Decoder.decode(bytes);
}
