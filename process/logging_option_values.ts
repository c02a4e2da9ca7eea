/** Holds the values of the options of {@linkcode defineLoggingOptions}. */
export interface LoggingOptionValues {
  /** The lowest level that is shown; null or `"none"` leaves logging as it is. */
  logging: string | null;
  /** Whether lines go to standard error; null: if nothing else gets them. */
  logToStderr: boolean | null;
  /** The file that gets lines; several processes put their numbers behind it. */
  logFilePrefix: string | null;
  /** The bytes that the file may have, when it is rotated by size. */
  logFileMaxSize: number;
  /** How many former files are kept. */
  logFileNumBackups: number;
  /** When the file is rotated by time: S, M, H, D, midnight, or W0 (Monday) to W6. */
  logRotateWhen: string;
  /** After how many of these. */
  logRotateInterval: number;
  /** What the file is rotated by: `"size"` or `"time"`. */
  logRotateMode: string;
}
