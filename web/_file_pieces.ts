const PIECE_SIZE = 65536;

/**
 * Reads bytes [start, end) of a file, piece by piece; less when the file ends before. The
 * file is open from the first `next()` to the end, or to `return()`.
 */
export async function* readPieces(
  path: string,
  start = 0,
  end = Infinity,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path);
  if (start > 0) await file.seek(start, Deno.SeekMode.Start);
  for (let left = end - start; left > 0;) {
    const piece = new Uint8Array(Math.min(left, PIECE_SIZE));
    const count = await file.read(piece);
    if (count === null) return;
    left -= count;
    yield piece.subarray(0, count);
  }
}
