const BLANKS_REGEXP = /[\0-\x20]+/g;

/** Replaces every run of blanks and control characters by one blank, and drops it at both ends. */
export function squeeze(text: string): string {
  return text.replace(BLANKS_REGEXP, " ").replace(/^ | $/g, "");
}
