import type { Transport } from "../ioloop/mod.ts";
import { FileTransport, WebTransport } from "./_pipe_transports.ts";
import { BaseIOStream, type IOStreamOptions } from "./base_iostream.ts";

/** A pipe as web streams, such as a `Deno.ChildProcess` or `Deno.stdin` has. */
export interface WebPipe {
  /** What is read; without it the stream only writes. */
  readonly readable?: ReadableStream<Uint8Array> | undefined;
  /** What is written to; without it the stream only reads. */
  readonly writable?: WritableStream<Uint8Array> | undefined;
}

/**
 * Reads and writes a pipe: of a subprocess, of this process (`Deno.stdin`), a FIFO in the file
 * system, or any pair of web streams, one of which may be missing.
 *
 * The stream owns its source: closing it closes the file, or cancels `readable` and closes
 * `writable`. Nothing is read from the source that the stream does not want.
 *
 * Of a file, the system does one thing at a time: a write waits for a read that is in flight.
 * So open a FIFO once for each direction, and make a stream of each.
 *
 * @example Talk to a subprocess
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { PipeIOStream } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * const cat = new Deno.Command("cat", { stdin: "piped", stdout: "piped" }).spawn();
 * await new IOLoop().run(function* () {
 *   using stream = new PipeIOStream({ readable: cat.stdout, writable: cat.stdin });
 *   stream.write("hello\n");
 *   assertEquals(new TextDecoder().decode(yield* stream.readUntil("\n")), "hello\n");
 * });
 * await cat.status;
 * ```
 */
export class PipeIOStream extends BaseIOStream {
  /**
   * Takes over `source`.
   *
   * @throws {TypeError} when it has neither direction, or one that is locked.
   */
  constructor(source: Deno.FsFile | WebPipe, options: IOStreamOptions = {}) {
    const { transport, oneWay } = open(source);
    super(transport, options, oneWay);
  }
}

interface Pipe {
  readonly transport: Transport;
  readonly oneWay: "read" | "write" | null; // the only direction there is
}

function open(source: Deno.FsFile | WebPipe): Pipe {
  if (source instanceof Deno.FsFile) return { transport: new FileTransport(source), oneWay: null };
  const { readable, writable } = source;
  if (readable === undefined && writable === undefined) {
    throw new TypeError("Cannot make a pipe stream: the source has no readable and no writable");
  }
  return {
    transport: new WebTransport(readable?.getReader() ?? null, writable?.getWriter() ?? null),
    oneWay: readable === undefined ? "write" : writable === undefined ? "read" : null,
  };
}
