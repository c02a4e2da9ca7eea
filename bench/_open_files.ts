/** Files that a process has open besides the connections that are counted. */
export const OTHER_FILES = 200;

/** Gives the most files that a process may have open. */
export async function openFileLimit(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).output();
  const limit = new TextDecoder().decode(stdout).trim();
  return limit === "unlimited" ? Infinity : Number(limit);
}
