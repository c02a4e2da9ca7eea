/** Tells whether a path begins with a slash, or names a host: it stands for itself then. */
export function isAbsolute(path: string): boolean {
  return /^(?:\/|https?:)/.test(path);
}
