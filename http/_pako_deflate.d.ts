// The part of pako's Deflate that is used here.

/** Compresses what is pushed, and gives what comes out to `onData`. */
export class Deflate {
  constructor(options: { gzip?: boolean; level?: number });
  onData: (piece: Uint8Array) => void;
  push(bytes: Uint8Array, flush: number): boolean;
}
