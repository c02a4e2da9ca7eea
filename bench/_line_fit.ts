/** A straight line through points. */
export interface Line {
  readonly slope: number;
  readonly intercept: number;
  /** The standard error of the slope: how far chance alone may take it; 0 for two points. */
  readonly slopeError: number;
}

/**
 * Gives the line with the least squares of differences.
 *
 * @throws {RangeError} if there are not two points with different abscissas.
 */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  let [covariance, variance] = [0, 0];
  for (const [x, y] of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  if (!(variance > 0)) throw new RangeError("Cannot fit a line: it takes two different abscissas");
  const slope = covariance / variance;
  const intercept = meanY - slope * meanX;
  const squares = points.reduce((sum, [x, y]) => sum + (y - intercept - slope * x) ** 2, 0);
  const freedom = points.length - 2;
  const slopeError = freedom > 0 ? Math.sqrt(squares / freedom / variance) : 0;
  return { slope, intercept, slopeError };
}
