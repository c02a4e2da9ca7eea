import { installed, run } from "./_programs.ts";

/** What the browser is called on one system or the other. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

async function findBrowser(): Promise<string | null> {
  for (const name of NAMES) {
    if (await installed(name)) return (await run("which", [name])).trim();
  }
  return null;
}

const browser = await findBrowser();

Deno.test({
  name: "the chat works in tabs of Chromium, and they find a server that was restarted",
  ignore: browser === null,
  fn: async () => {
    await run(Deno.execPath(), [
      "run",
      "--allow-all",
      "tests/examples/_chat_in_browser.ts",
      browser!,
    ]);
  },
});
