// What becomes of the samples of several rounds.

/** Gives the value in the middle of those that are known; `null` when there is none. */
export function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const middle = known.length >> 1;
  const upper = known[middle];
  if (upper === undefined) return null;
  return known.length % 2 === 1 ? upper : (upper + known[middle - 1]!) / 2;
}

/** Gives how far the values lie apart, as a part of their median. */
export function spread(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  const middle = median(known);
  if (middle === null || middle === 0) return 0;
  return (Math.max(...known) - Math.min(...known)) / middle;
}

/** Formats a value; `null` stays what it is. */
export function fixed(value: number | null, digits: number): string | null {
  return value === null ? null : value.toFixed(digits);
}

/** Gives a value beside a reference; `null` where one of them is not known or is nothing. */
export function ratio(value: number | null, reference: number | null): number | null {
  return value === null || reference === null || reference === 0 ? null : value / reference;
}
