/** The version of this package. */
export const VERSION: string = "0.1.0";

/** The version as numbers; the fourth is 0 for a release and negative for a pre-release. */
export const VERSION_INFO: readonly [number, number, number, number] = [0, 1, 0, 0];
