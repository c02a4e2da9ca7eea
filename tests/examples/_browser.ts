import { installed, run } from "./_programs.ts";

/** What the browser is called on one system or the other. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

async function find(): Promise<string | null> {
  for (const name of NAMES) {
    if (await installed(name)) return (await run("which", [name])).trim();
  }
  return null;
}

/** The path of the browser, null where there is none. */
export const browser: string | null = await find();

/** Runs a program that drives the browser. */
export async function runInBrowser(program: string): Promise<void> {
  const args = ["run", "--allow-all", `tests/examples/${program}`, browser!];
  await run(Deno.execPath(), args);
}
