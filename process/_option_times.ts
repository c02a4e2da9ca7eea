// Dates are local times. One that says only the time of day is of 1 January 1900, as strptime of
// C has it.

const DATE_REGEXPS: readonly RegExp[] = [
  /^[a-z]{3}\s+(?<month>[a-z]{3})\s+(?<day>\d{1,2})\s+(?<clock>\d{1,2}:\d{1,2}:\d{1,2})\s+(?<year>\d{4})$/i,
  /^(?<year>\d{4})-(?<month>\d{1,2})-(?<day>\d{1,2})\s+(?<clock>\d{1,2}:\d{1,2}(:\d{1,2})?)$/,
  /^(?<year>\d{4})-(?<month>\d{1,2})-(?<day>\d{1,2})T(?<clock>\d{1,2}:\d{1,2})$/,
  /^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})\s+(?<clock>\d{1,2}:\d{1,2}(:\d{1,2})?)$/,
  /^(?<year>\d{4})-(?<month>\d{1,2})-(?<day>\d{1,2})$/,
  /^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})$/,
  /^(?<clock>\d{1,2}:\d{1,2}(:\d{1,2})?)$/,
];

const MONTHS: readonly string[] = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

const PART_REGEXP = /\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)\s*([a-z]*)\s*/iy;

const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  microseconds: 0.001,
  ms: 1,
  milliseconds: 1,
  "": 1000,
  s: 1000,
  sec: 1000,
  seconds: 1000,
  m: 60_000,
  min: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  days: 86_400_000,
  w: 604_800_000,
  weeks: 604_800_000,
};

/** Reads a date in one of ten formats; null when it is in none, or no day of the calendar. */
export function readDate(text: string): Date | null {
  for (const regexp of DATE_REGEXPS) {
    const groups = regexp.exec(text.trim())?.groups;
    if (groups !== undefined) return dateOf(groups);
  }
  return null;
}

/** Reads a duration in ms: numbers with units, of which seconds are the default. */
export function readDuration(text: string): number | null {
  let sum = 0;
  let at = 0;
  do {
    PART_REGEXP.lastIndex = at;
    const [part, number, unit] = PART_REGEXP.exec(text) ?? [];
    const factor = UNITS[unit?.toLowerCase() ?? "none"];
    if (part === undefined || factor === undefined) return null;
    sum += Number(number) * factor;
    at += part.length;
  } while (at < text.length);
  return sum;
}

function dateOf(groups: Readonly<Record<string, string | undefined>>): Date | null {
  const year = Number(groups.year ?? 1900);
  const month = monthOf(groups.month ?? "1");
  const day = Number(groups.day ?? 1);
  const [hour = 0, minute = 0, second = 0] = (groups.clock ?? "0").split(":").map(Number);
  const date = new Date(year, month, day, hour, minute, second);
  const inRange = month >= 0 && month < 12 && hour < 24 && minute < 60 && second < 60;
  return inRange && date.getMonth() === month && date.getDate() === day ? date : null;
}

function monthOf(text: string): number {
  const byName = MONTHS.indexOf(text.toLowerCase());
  return byName >= 0 ? byName : Number(text) - 1;
}
