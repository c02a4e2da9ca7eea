import { errorCode, type Transport } from "../ioloop/mod.ts";

/** A file, such as a FIFO, as a transport. */
export class FileTransport implements Transport {
  readonly #file: Deno.FsFile;
  readonly #closed = Promise.withResolvers<null>();

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  // Whether a file was opened for reading is known only by trying. One that was not brings
  // nothing, as a peer that is silent: it is not broken, for it can be written to.
  async read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#file.read(buffer);
    } catch (error) {
      if (errorCode(error) !== "EBADF") throw error;
      return await this.#closed.promise;
    }
  }

  write(data: Uint8Array): Promise<number> {
    return this.#file.write(data);
  }

  close(): void {
    this.#closed.resolve(null);
    this.#file.close();
  }

  // deno-lint-ignore require-await -- its failure is a rejection, as that of read and write
  async closeWrite(): Promise<void> {
    throw new Error("Cannot end the sending direction: a file has no directions of their own");
  }
}

/** A pair of web streams, one of which may be missing, as a transport. */
export class WebTransport implements Transport {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array> | null;
  #rest: Uint8Array = EMPTY; // of the last chunk: what did not fit
  #writing = false;
  #writeClosed = false;

  constructor(
    reader: ReadableStreamDefaultReader<Uint8Array> | null,
    writer: WritableStreamDefaultWriter<Uint8Array> | null,
  ) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader!.read();
      if (done) return null;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError(`Cannot read from the pipe: expected bytes, got a ${typeof value}`);
      }
      this.#rest = value;
    }
    const count = Math.min(buffer.length, this.#rest.length);
    buffer.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async write(data: Uint8Array): Promise<number> {
    this.#writing = true;
    try {
      // A copy: a chunk may lie in the stream's queue after write() has settled.
      await this.#writer!.write(data.slice());
    } finally {
      this.#writing = false;
    }
    return data.length;
  }

  close(): void {
    this.#reader?.cancel().catch(() => {}); // of no interest any more
    if (this.#writing) this.#writer!.abort().catch(() => {});
    else this.closeWrite().catch(() => {});
  }

  async closeWrite(): Promise<void> {
    if (this.#writeClosed) return;
    this.#writeClosed = true;
    await this.#writer?.close();
  }
}

const EMPTY = new Uint8Array(0);
