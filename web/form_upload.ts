// A form that is too large to be kept whole. The decoder says at once what came; what has to be
// done with it, opening and writing files, takes time, and is done before more is taken: that is
// the back-pressure on the client.
import { join } from "node:path";
import { describeError } from "../ioloop/errors.ts";
import { appLog } from "../ioloop/mod.ts";
import {
  type HTTPServerRequest,
  MultipartDecoder,
  type MultipartDecoderOptions,
  parseHeader,
  type PartHead,
} from "../http/mod.ts";
import { HTTPError } from "./errors.ts";

/** Options of {@linkcode FormUpload}; sizes are in bytes. */
export interface FormUploadOptions extends MultipartDecoderOptions {
  /** The directory that large files go to; without it all are kept in memory. */
  directory?: string;
  /**
   * The size from which on a file goes to the directory.
   *
   * @default {65536}
   */
  memoryLimit?: number;
  /**
   * The size of a file at most.
   *
   * @default {Infinity}
   */
  maxFileSize?: number;
  /**
   * The size of all values and of the files in memory, together, at most.
   *
   * @default {10485760}
   */
  maxMemory?: number;
}

/** Is a file that came in a form. */
export interface UploadedFile extends PartHead {
  /** Its size in bytes. */
  readonly size: number;
  /** Its content, if it is in memory. */
  readonly body: Uint8Array | null;
  /** Where its content is, if it is on disk: a name of our own in the directory. */
  readonly path: string | null;
}

/** Is a form that came. */
export interface UploadedForm {
  /** The values by name. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** The files, in their order. */
  readonly files: readonly UploadedFile[];
}

/** Is the part of a handler that a {@linkcode FormUpload} uses. */
export interface UploadHandler {
  /** The request. */
  readonly request: HTTPServerRequest;
  /** Calls `fn` once nothing can be written any more. @ignore */
  _whenEnded(fn: () => void): void;
}

type Step = PartHead | Uint8Array | null; // a part begins, goes on, ends

interface Part {
  readonly head: PartHead;
  pieces: Uint8Array[];
  size: number;
  file: Deno.FsFile | null;
  path: string | null;
}

/**
 * Takes a `multipart/form-data` body as it arrives: small parts are kept in memory, large files
 * go to a directory, where they stay until the request ends, however it does; rename those that
 * are to be kept. For a handler with {@linkcode streamRequestBody}; a smaller form is in
 * `request.files` without it.
 *
 * @example An upload to disk
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, FormUpload, RequestHandler, streamRequestBody } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir();
 *
 * @streamRequestBody
 * class Upload extends RequestHandler {
 *   #form = new FormUpload(this, { directory, memoryLimit: 1000 });
 *   override dataReceived(chunk: Uint8Array): Promise<void> {
 *     return this.#form.push(chunk);
 *   }
 *   override post(): void {
 *     const { files } = this.#form.finish();
 *     this.write(files.map(({ filename, size, path }) => `${filename} ${size} ${path !== null}`).join());
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Upload]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const body = new FormData();
 *   body.set("large", new File(["x".repeat(5000)], "large.txt"));
 *   body.set("small", new File(["x"], "small.txt"));
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/`, { method: "POST", body }));
 *   assertEquals(yield* Future.from(response.text()), "large.txt 5000 true,small.txt 1 false");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * await Deno.remove(directory, { recursive: true });
 * ```
 */
export class FormUpload {
  readonly #decoder: MultipartDecoder | null; // null: the body is no form
  readonly #directory: string | null;
  readonly #memoryLimit: number;
  readonly #maxFileSize: number;
  readonly #maxMemory: number;
  readonly #values: Record<string, string[]> = Object.create(null);
  readonly #files: UploadedFile[] = [];
  #steps: Step[] = []; // what the decoder said and is not done yet
  #part: Part | null = null;
  #memory = 0; // bytes that are kept
  #discarded = false;
  #work: Promise<void> = Promise.resolve(); // the last push()

  /** Reads from the handler's request what body to expect. */
  constructor(
    handler: UploadHandler,
    {
      directory,
      memoryLimit = 65_536,
      maxFileSize = Infinity,
      maxMemory = 10_485_760,
      ...limits
    }: FormUploadOptions = {},
  ) {
    this.#directory = directory ?? null;
    this.#memoryLimit = memoryLimit;
    this.#maxFileSize = maxFileSize;
    this.#maxMemory = maxMemory;
    handler._whenEnded(() => this.#discard());
    const [type, { boundary }] = parseHeader(handler.request.headers.get("Content-Type", ""));
    if (type.toLowerCase() !== "multipart/form-data" || boundary === undefined) {
      this.#decoder = null;
      return;
    }
    this.#decoder = new MultipartDecoder(boundary, {
      partBegan: (head) => this.#steps.push(head),
      partData: (bytes) => this.#steps.push(bytes.slice()),
      partEnded: () => this.#steps.push(null),
    }, limits);
  }

  /**
   * Takes the next bytes; return its promise from `dataReceived`, and a slow disk slows the client.
   *
   * @throws {HTTPInputError} when they are no form.
   * @throws {HTTPError} 400 when the request does not announce one, or a value is not UTF-8.
   * @throws {HTTPError} 413 when a file or all that is kept is too large.
   */
  push(chunk: Uint8Array): Promise<void> {
    this.#checked().push(chunk);
    return this.#work = this.#work.then(() => this.#takeSteps());
  }

  /**
   * Returns the form; call it when the body is there.
   *
   * @throws {HTTPInputError} when its end is missing.
   * @throws {HTTPError} 400 when the request does not announce one.
   */
  finish(): UploadedForm {
    this.#checked().finish();
    return { values: this.#values, files: this.#files };
  }

  #checked(): MultipartDecoder {
    if (this.#decoder !== null) return this.#decoder;
    throw new HTTPError(400, "Cannot read a form: the body is no multipart/form-data");
  }

  // Removes the files that are still there under our names, also if the form never became whole.
  #discard(): void {
    this.#discarded = true;
    const remove = async () => {
      this.#part?.file?.close();
      const paths = this.#files.map(({ path }) => path).concat(this.#part?.path ?? null);
      this.#part = null;
      for (const path of paths) {
        if (path === null) continue;
        await Deno.remove(path).catch((error) => {
          if (error instanceof Deno.errors.NotFound) return;
          appLog.error("Cannot remove {path}: {error}", { path, error: describeError(error) });
        });
      }
    };
    this.#work = this.#work.then(remove, remove);
  }

  async #takeSteps(): Promise<void> {
    const steps = this.#steps;
    this.#steps = [];
    for (const step of steps) {
      if (this.#discarded) return;
      if (step === null) this.#endPart();
      else if (step instanceof Uint8Array) await this.#takeData(this.#part!, step);
      else this.#part = { head: step, pieces: [], size: 0, file: null, path: null };
    }
  }

  async #takeData(part: Part, bytes: Uint8Array): Promise<void> {
    const { name, filename } = part.head;
    part.size += bytes.length;
    if (filename !== "" && part.size > this.#maxFileSize) {
      throw new HTTPError(413, `File ${filename} is larger than ${this.#maxFileSize} bytes`);
    }
    if (part.file === null) {
      this.#memory += bytes.length;
      part.pieces.push(bytes);
      const goesToDisk = filename !== "" && this.#directory !== null &&
        part.size > this.#memoryLimit;
      if (goesToDisk) await this.#moveToDisk(part, this.#directory!);
      else if (this.#memory > this.#maxMemory) {
        throw new HTTPError(413, `The form holds more than ${this.#maxMemory} bytes, at ${name}`);
      }
      return;
    }
    await writeAll(part.file, bytes);
  }

  async #moveToDisk(part: Part, directory: string): Promise<void> {
    part.path = join(directory, `upload-${crypto.randomUUID()}`);
    part.file = await Deno.open(part.path, { write: true, createNew: true, mode: 0o600 });
    const { pieces } = part;
    part.pieces = [];
    for (const piece of pieces) {
      this.#memory -= piece.length;
      await writeAll(part.file, piece);
    }
  }

  #endPart(): void {
    const { head, pieces, size, file, path } = this.#part!;
    this.#part = null;
    file?.close();
    const body = file === null ? joinPieces(pieces, size) : null;
    if (head.filename !== "") this.#files.push({ ...head, size, body, path });
    else (this.#values[head.name] ??= []).push(readText(head.name, body!));
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readText(name: string, body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch (cause) {
    throw new HTTPError(400, `Cannot decode ${name}: it is not UTF-8`, { cause });
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

function joinPieces(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
