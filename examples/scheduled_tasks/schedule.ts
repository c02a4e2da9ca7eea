// A schedule is five fields: minute, hour, day of the month, month, day of the week (0 is Sunday).
// A field is a list of "*", numbers and ranges, each with or without "/step". All five have to
// hold. Times are UTC, in which no hour comes twice and none is left out.
//
// The search looks at the largest unit first, and where that does not fit it jumps to the start
// of the next one: a year is some hundred steps, not half a million minutes.
const FIELDS: readonly { name: string; first: number; last: number }[] = [
  { name: "minute", first: 0, last: 59 },
  { name: "hour", first: 0, last: 23 },
  { name: "day", first: 1, last: 31 },
  { name: "month", first: 1, last: 12 },
  { name: "weekday", first: 0, last: 6 },
];
const PART_REGEXP = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/([1-9]\d*))?$/;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const HORIZON = 40 * 366 * DAY; // that a 29th of February is a Sunday may take that long

/** Says in which minutes something is due. */
export class Schedule {
  readonly #fields: readonly ReadonlySet<number>[];

  /**
   * Reads five fields.
   *
   * @throws {TypeError} when `text` is something else.
   * @throws {RangeError} when a number is out of the range of its field.
   */
  constructor(text: string) {
    const words = text.trim().split(/\s+/);
    if (words.length !== FIELDS.length) {
      throw new TypeError(`Cannot read schedule "${text}": expected ${FIELDS.length} fields`);
    }
    this.#fields = words.map((word, at) => readField(word, FIELDS[at]!));
  }

  /** The start of the first such minute behind `time`, in ms since the epoch; null for never. */
  next(time: number): number | null {
    const [minutes, hours, days, months, weekdays] = this.#fields;
    let at = (Math.floor(time / MINUTE) + 1) * MINUTE;
    while (at <= time + HORIZON) {
      const date = new Date(at);
      if (!months!.has(date.getUTCMonth() + 1)) {
        at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
      } else if (!days!.has(date.getUTCDate()) || !weekdays!.has(date.getUTCDay())) {
        at = (Math.floor(at / DAY) + 1) * DAY;
      } else if (!hours!.has(date.getUTCHours())) at = (Math.floor(at / HOUR) + 1) * HOUR;
      else if (!minutes!.has(date.getUTCMinutes())) at += MINUTE;
      else return at;
    }
    return null;
  }
}

function readField(text: string, { name, first, last }: typeof FIELDS[number]): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = PART_REGEXP.exec(part);
    if (match === null) throw new TypeError(`Cannot read schedule: "${part}" is no ${name}`);
    const [, from, to, step] = match;
    const start = Number(from ?? first);
    // "5" is one value; "5/10" goes on to the end, as "*" does.
    const end = Number(to ?? (from === undefined || step !== undefined ? last : from));
    if (start < first || start > end || end > last) {
      throw new RangeError(
        `Cannot read schedule: expected a ${name} from ${first} to ${last}, got "${part}"`,
      );
    }
    for (let value = start; value <= end; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}
