// A log file that begins anew when it is large or old; what was there is kept for a while, under
// further names. Everything is synchronous: a line is in the file when the logger returns, also
// if the process ends right behind it.
import { basename, dirname, join } from "node:path";
import { formatTime } from "./_format_time.ts";

/** Says when a file begins anew, and what becomes of the former one. */
export interface Rotation {
  /** Is told of the file when it is opened; `changedAt` is null when it is new. */
  opened(changedAt: Date | null): void;
  /** Tells whether the file begins anew before `length` bytes follow its `size`. */
  due(size: number, length: number): boolean;
  /** Moves the file away, and removes what is not kept any longer. */
  move(path: string): void;
}

/** Rotates by size: `path.1` is the newest of the former files. */
export class SizeRotation implements Rotation {
  readonly #maxSize: number;
  readonly #backups: number;

  /** With a `maxSize` or `backups` of 0 the file just grows. */
  constructor(maxSize: number, backups: number) {
    this.#maxSize = maxSize;
    this.#backups = backups;
  }

  opened(): void {}

  due(size: number, length: number): boolean {
    return this.#maxSize > 0 && this.#backups > 0 && size > 0 && size + length >= this.#maxSize;
  }

  move(path: string): void {
    for (let n = this.#backups - 1; n > 0; n--) renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    renameIfThere(path, `${path}.1`);
  }
}

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

interface Period {
  readonly ms: number;
  /** What the name of a former file ends with: when its period began. */
  readonly suffix: string;
  readonly suffixRegexp: RegExp;
}

const SECONDLY = period(SECOND_MS, "%Y-%m-%d_%H-%M-%S");
const MINUTELY = period(60 * SECOND_MS, "%Y-%m-%d_%H-%M");
const HOURLY = period(3600 * SECOND_MS, "%Y-%m-%d_%H");
const DAILY = period(DAY_MS, "%Y-%m-%d");
const WEEKLY = period(7 * DAY_MS, "%Y-%m-%d");

/** Rotates by time: `path.2026-11-21` is a former file. */
export class TimeRotation implements Rotation {
  readonly #period: Period;
  readonly #count: number;
  readonly #backups: number;
  readonly #weekday: number | null; // from Sunday on
  readonly #atMidnight: boolean;
  #next = 0; // when it is due

  /**
   * `when` is S, M, H, D, midnight, or W0 (Monday) to W6; `interval` says how many of these.
   * With `backups` 0 all former files are kept.
   *
   * @throws {TypeError} for another `when`.
   * @throws {RangeError} when `interval` is not a whole number above 0.
   */
  constructor(when: string, interval: number, backups: number) {
    const [, unit, weekday] = /^(S|M|H|D|MIDNIGHT|W(?=\d))([0-6])?$/.exec(when.toUpperCase()) ?? [];
    if (unit === undefined || (weekday !== undefined) !== (unit === "W")) {
      throw new TypeError(
        `Cannot rotate logs: expected S, M, H, D, midnight or W0 to W6 as when, got ${when}`,
      );
    }
    if (!(Number.isInteger(interval) && interval > 0)) {
      throw new RangeError(`Cannot rotate logs: the interval must be from 1 on, got ${interval}`);
    }
    this.#period = { S: SECONDLY, M: MINUTELY, H: HOURLY, D: DAILY, W: WEEKLY }[unit] ?? DAILY;
    this.#count = interval;
    this.#backups = backups;
    this.#weekday = weekday === undefined ? null : (Number(weekday) + 1) % 7;
    this.#atMidnight = unit === "MIDNIGHT" || unit === "W";
  }

  opened(changedAt: Date | null): void {
    this.#next = this.#dueAfter(changedAt ?? new Date());
  }

  due(): boolean {
    return Date.now() >= this.#next;
  }

  move(path: string): void {
    const began = new Date(this.#next - this.#period.ms * this.#count);
    renameIfThere(path, `${path}.${formatTime(began, this.#period.suffix)}`);
    if (this.#backups === 0) return;
    const prefix = `${basename(path)}.`;
    const former = [...Deno.readDirSync(dirname(path))].map(({ name }) => name)
      .filter((name) => name.startsWith(prefix))
      .filter((name) => this.#period.suffixRegexp.test(name.slice(prefix.length)));
    for (const name of former.sort().slice(0, -this.#backups)) {
      Deno.removeSync(join(dirname(path), name));
    }
  }

  // Midnights are counted by the calendar: a day may have 23 hours or 25.
  #dueAfter(time: Date): number {
    if (!this.#atMidnight) return time.getTime() + this.#period.ms * this.#count;
    const days = this.#weekday === null
      ? this.#count
      : (this.#weekday - time.getDay() + 7) % 7 + 1 + 7 * (this.#count - 1);
    return new Date(time.getFullYear(), time.getMonth(), time.getDate() + days).getTime();
  }
}

const encoder = new TextEncoder();

/** Appends lines to a file. */
export class RotatingFile implements Disposable {
  readonly #path: string;
  readonly #rotation: Rotation;
  #file: Deno.FsFile | null = null;
  #size = 0; // of #file

  /** Opens the file, so that one that cannot be written is known at once. */
  constructor(path: string, rotation: Rotation) {
    this.#path = path;
    this.#rotation = rotation;
    this.#open();
  }

  /** Appends text; a file that was closed is opened again. */
  write(text: string): void {
    const bytes = encoder.encode(text);
    if (this.#file === null) this.#open();
    try {
      if (this.#rotation.due(this.#size, bytes.length)) this.#rotate();
    } finally {
      this.#append(bytes); // also when the former file could not be moved
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = null;
  }

  #open(): void {
    const known = changedAt(this.#path);
    this.#file = Deno.openSync(this.#path, { append: true, create: true });
    this.#size = this.#file.statSync().size;
    this.#rotation.opened(known);
  }

  #rotate(): void {
    this[Symbol.dispose]();
    try {
      this.#rotation.move(this.#path);
    } finally {
      this.#open();
    }
  }

  #append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#file!.writeSync(bytes.subarray(at));
    this.#size += bytes.length;
  }
}

function period(ms: number, suffix: string): Period {
  const pattern = suffix.replace("%Y", "\\d{4}").replace(/%\w/g, "\\d{2}");
  return { ms, suffix, suffixRegexp: new RegExp(`^${pattern}$`) };
}

function changedAt(path: string): Date | null {
  try {
    return Deno.statSync(path).mtime;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
