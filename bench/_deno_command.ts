/** What runs a server under Deno: two of them may share a port, and one may start another. */
export const DENO: readonly string[] = [
  Deno.execPath(),
  "run",
  "--no-prompt",
  "--unstable-net",
  "--allow-net=127.0.0.1",
  "--allow-env",
  "--allow-read",
  "--allow-run",
  "--allow-sys",
];
