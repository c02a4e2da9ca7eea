// The hash of a file is kept with the size and the time that the file had just before it was
// read. While these are the same, a file is not read again for its hash.
import { createHash } from "node:crypto";
import { readPieces } from "./_file_pieces.ts";

const MAX_KEPT = 10_000; // some 400 bytes each; beyond it the oldest goes
const PIECE_SIZE = 65536;

interface Kept {
  readonly size: number;
  readonly modified: number | undefined;
  readonly hash: string | Promise<string>; // a promise while the file is being read
}

const kept = new Map<string, Kept>(); // by absolute path

/**
 * Returns the SHA-512 of a file's content in hex; those who ask together read it once. `info` is
 * what the file system says of the file just now, if that is known.
 */
export async function contentHash(path: string, info?: Deno.FileInfo): Promise<string> {
  info ??= await Deno.stat(path);
  const known = find(path, info);
  if (known !== undefined) return known;
  const hash = readHash(path);
  keep(path, info, hash);
  try {
    keep(path, info, await hash);
  } catch (error) {
    kept.delete(path);
    throw error;
  }
  return hash;
}

/**
 * Does the same at once: for code that cannot wait, such as a template. With `useKept` false the
 * file is read in any case.
 */
export function contentHashSync(path: string, useKept: boolean): string {
  const info = Deno.statSync(path);
  const known = find(path, info);
  if (useKept && typeof known === "string") return known;
  const digest = createHash("sha512");
  using file = Deno.openSync(path);
  const piece = new Uint8Array(PIECE_SIZE);
  for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
    digest.update(piece.subarray(0, count));
  }
  const hash = digest.digest("hex");
  keep(path, info, hash);
  return hash;
}

/** Forgets every hash. */
export function forgetContentHashes(): void {
  kept.clear();
}

async function readHash(path: string): Promise<string> {
  const digest = createHash("sha512");
  for await (const piece of readPieces(path)) digest.update(piece);
  return digest.digest("hex");
}

function find(path: string, info: Deno.FileInfo): string | Promise<string> | undefined {
  const known = kept.get(path);
  const fresh = known?.size === info.size && known.modified === info.mtime?.getTime();
  return fresh ? known.hash : undefined;
}

function keep(path: string, info: Deno.FileInfo, hash: string | Promise<string>): void {
  kept.set(path, { size: info.size, modified: info.mtime?.getTime(), hash });
  if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value!);
}
