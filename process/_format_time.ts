// The codes of strftime that logs use, in local time.
const CODES: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => digits(date.getFullYear() % 100, 2),
  m: (date) => digits(date.getMonth() + 1, 2),
  d: (date) => digits(date.getDate(), 2),
  H: (date) => digits(date.getHours(), 2),
  M: (date) => digits(date.getMinutes(), 2),
  S: (date) => digits(date.getSeconds(), 2),
  f: (date) => digits(date.getMilliseconds() * 1000, 6),
  j: (date) => digits(dayOfYear(date), 3),
  a: (date) => DAYS[date.getDay()]!,
  b: (date) => MONTHS[date.getMonth()]!,
  z: (date) => zone(-date.getTimezoneOffset()),
  "%": () => "%",
};

const DAYS: readonly string[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: readonly string[] = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
];

/** Writes a time as `format` says, such as `%Y-%m-%d`. */
export function formatTime(date: Date, format: string): string {
  return format.replace(/%(.)/g, (_, code: string) => CODES[code]!(date));
}

/** Returns the first code in `format` that is not known, else null. */
export function unknownTimeCode(format: string): string | null {
  for (const [code, letter] of format.matchAll(/%(.?)/g)) {
    if (CODES[letter!] === undefined) return code;
  }
  return null;
}

function dayOfYear(date: Date): number {
  const day = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return (day - Date.UTC(date.getFullYear(), 0, 0)) / 86_400_000;
}

function zone(minutes: number): string {
  const size = Math.abs(minutes);
  return (minutes < 0 ? "-" : "+") + digits(Math.floor(size / 60), 2) + digits(size % 60, 2);
}

function digits(n: number, count: number): string {
  return String(n).padStart(count, "0");
}
