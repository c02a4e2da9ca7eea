// Files are looked at every now and then, not watched by the system: that works on every kind of
// file system, holds no resource open, and a few hundred looks take about a millisecond.
import { join } from "node:path";

const SETTLE_MS = 100; // whoever saves several files, or formats them, is done by then

/** Tells when one of several files changes. */
export class FileWatch {
  readonly #paths = new Set<string>();
  #known = new Map<string, string>(); // what each file looked like

  /**
   * Adds a file, or a directory with all in it but hidden files. It need not be there yet; one
   * that may not be read is ignored.
   */
  add(path: string): void {
    if (this.#paths.has(path) || !mayRead(path)) return;
    this.#paths.add(path);
    note(path, this.#known);
  }

  /** How many paths were added. */
  get size(): number {
    return this.#paths.size;
  }

  /** Returns a file that changed, came or went since it was added or looked at last, or null. */
  look(): string | null {
    const known = this.#known;
    const now = this.#known = new Map<string, string>();
    for (const path of this.#paths) note(path, now);
    for (const [path, state] of now) if (known.get(path) !== state) return path;
    for (const path of known.keys()) if (!now.has(path)) return path;
    return null;
  }

  /** Waits until nothing changes for a moment. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => setTimeout(resolve, SETTLE_MS)); while (this.look() !== null);
  }
}

function note(path: string, known: Map<string, string>): void {
  try {
    const { isDirectory, mtime, size } = Deno.statSync(path);
    if (isDirectory) noteAll(path, known);
    else known.set(path, `${mtime?.getTime()} ${size}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

// Links are not followed: they may lead back.
function noteAll(directory: string, known: Map<string, string>): void {
  for (const { name, isSymlink } of Deno.readDirSync(directory)) {
    if (!name.startsWith(".") && !isSymlink) note(join(directory, name), known);
  }
}

function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}
