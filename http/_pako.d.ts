// The part of pako's inflate that is used here: zlib's own interface, in zlib's names.

/** The stream of zlib: where it reads and where it writes. */
export default class ZStream {
  input: Uint8Array;
  next_in: number;
  avail_in: number;
  output: Uint8Array;
  next_out: number;
  avail_out: number;
  msg: string;
}

/** Prepares a stream for input in the envelope that `windowBits` says. */
export function inflateInit2(stream: ZStream, windowBits: number): number;

/** Inflates as far as input and output reach. */
export function inflate(stream: ZStream, flush: number): number;

/** Prepares a stream for the next input of the same kind. */
export function inflateReset(stream: ZStream): number;
