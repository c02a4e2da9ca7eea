// Tells from what was seen whether a server can go on for ever.
import { fitLine } from "./_line_fit.ts";

/** What was seen at one time. */
export interface SoakSample {
  /** Seconds since the load began. */
  readonly at: number;
  /** Bytes of resident memory. */
  readonly resident: number;
  /** Bytes of live objects and what they hold. */
  readonly live: number;
}

/** How memory went on in the second half of the time. */
export interface Trend {
  /** Bytes in an hour, by the line that fits best. */
  readonly slope: number;
  /** Bytes that this line rises from the first of these samples to the last. */
  readonly rise: number;
  /** Bytes that it may rise: the allowance, and what chance may do to the line. */
  readonly allowed: number;
}

/** Standard errors that a rise may be by chance: three in a thousand runs have more. */
const ERRORS_ALLOWED = 3;

/** How much memory may rise in the second half: a part of its mean, and some bytes. */
export interface Allowance {
  readonly share: number;
  readonly bytes: number;
}

/** Live memory comes and goes with the load; resident memory also with what the heap keeps back. */
export const ALLOWANCES: Readonly<Record<"resident" | "live", Allowance>> = {
  resident: { share: 0.05, bytes: 8 * 1024 * 1024 },
  live: { share: 0.05, bytes: 2 * 1024 * 1024 },
};

/**
 * Fits a line to a figure in the second half of the time.
 *
 * @throws {RangeError} if there are not two samples in it.
 */
export function trendOf(
  samples: readonly SoakSample[],
  figure: "resident" | "live",
  { share, bytes }: Allowance = ALLOWANCES[figure],
): Trend {
  const end = samples.at(-1)?.at ?? 0;
  const half = samples.filter(({ at }) => at >= end / 2);
  const points = half.map((sample) => [sample.at, sample[figure]] as const);
  const { slope, intercept, slopeError } = fitLine(points);
  const length = end - (half[0]?.at ?? 0);
  const mean = intercept + slope * (end - length / 2);
  const allowed = share * mean + bytes + ERRORS_ALLOWED * slopeError * length;
  return { slope: slope * 3600, rise: slope * length, allowed };
}

/** What is known when the load has ended. */
export interface SoakEnd {
  readonly samples: readonly SoakSample[];
  readonly unexpected: number;
  /** Errors that the server logged. */
  readonly errors: number;
  /** Open files before the load, and when its connections had time to end. */
  readonly files: { readonly before: number; readonly after: number };
  /** Connections, WebSockets and handlers that are left. */
  readonly left: number;
}

/** Gives what is wrong, a line for each; nothing when all is well. */
export function faultsOf({ samples, unexpected, errors, files, left }: SoakEnd): string[] {
  const faults: string[] = [];
  for (const figure of ["resident", "live"] as const) {
    const { slope, rise, allowed } = trendOf(samples, figure);
    if (rise > allowed) {
      faults.push(
        `${figure} memory does not level off: ${megabytes(rise)} MB more in the second half, ` +
          `${megabytes(slope)} in an hour, allowed ${megabytes(allowed)}`,
      );
    }
  }
  if (unexpected > 0) faults.push(`${unexpected} unexpected errors of clients`);
  if (errors > 0) faults.push(`${errors} errors in the log of the server`);
  if (files.after > files.before) {
    faults.push(`${files.after} open files at the end, ${files.before} before the load`);
  }
  if (left > 0) faults.push(`${left} connections, WebSockets and handlers are left`);
  return faults;
}

/** Formats bytes. */
export function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(2);
}
