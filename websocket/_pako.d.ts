// The parts of pako that are used here: zlib's own interface, in zlib's names.

/** The stream of zlib: where it reads and where it writes. */
export default class ZStream {
  input: Uint8Array;
  next_in: number;
  avail_in: number;
  output: Uint8Array;
  next_out: number;
  avail_out: number;
  msg: string;
  data_type: number;
}

/** Prepares a stream for compression. */
export function deflateInit2(
  stream: ZStream,
  level: number,
  method: number,
  windowBits: number,
  memLevel: number,
  strategy: number,
): number;

/** Compresses as far as input and output reach. */
export function deflate(stream: ZStream, flush: number): number;

/** Prepares a stream for the next input of the same kind. */
export function deflateReset(stream: ZStream): number;

/** Gives the compression a window, as if it had compressed these bytes. */
export function deflateSetDictionary(stream: ZStream, dictionary: Uint8Array): number;

/** Prepares a stream for inflation. */
export function inflateInit2(stream: ZStream, windowBits: number): number;

/** Inflates as far as input and output reach. */
export function inflate(stream: ZStream, flush: number): number;

/** Prepares a stream for the next input of the same kind. */
export function inflateReset(stream: ZStream): number;

/** The same, but what came before stays in the window. */
export function inflateResetKeep(stream: ZStream): number;
