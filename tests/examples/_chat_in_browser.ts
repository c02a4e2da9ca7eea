// Opens the chat in three tabs of a browser, as people would, and restarts its server
// meanwhile. It ends with 0 when all of them saw what they should. It is a program of its own
// because the browser's driver leaves timers and handles behind that a test must not.
import { assertEquals } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { ServerProcess } from "../process/_server_process.ts";

const [executablePath = "", screenshot] = Deno.args;

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const port = await chat();
  await reconnect(port);
} finally {
  await browser.close();
}

/** Returns the port, which the next server is to take over. */
async function chat(): Promise<number> {
  await using gallery = await ServerProcess.listening();
  const ada = await open(gallery.port);
  const bob = await open(gallery.port);
  await present(ada, 2);
  await say(ada, "Ada", "Is anybody here?");
  await seen(bob, 1);
  await say(bob, "Bob", "<i>I am</i> \u{1f300}");
  const lines = ["Ada Is anybody here?", "Bob <i>I am</i> \u{1f300}"];
  for (const page of [ada, bob]) assertEquals(await seen(page, 2), lines);

  const late = await open(gallery.port);
  assertEquals(await seen(late, 2), lines);
  for (const page of [ada, bob, late]) await present(page, 3);
  if (screenshot !== undefined) await late.screenshot({ path: screenshot });
  await late.close();
  await present(ada, 2);

  gallery.server.kill("SIGTERM");
  assertEquals((await gallery.server.ended).code, 0);
  for (const page of [ada, bob]) await status(page, "disconnected, trying again");
  return gallery.port;
}

/** The two tabs that are left find the new server by themselves, and its empty history. */
async function reconnect(port: number): Promise<void> {
  await using _gallery = await ServerProcess.listening(port);
  const pages = browser.contexts().flatMap((context) => context.pages());
  assertEquals(pages.length, 2);
  const [ada, bob] = pages as [Page, Page];
  for (const page of pages) await present(page, 2);
  await say(bob, "Bob", "We are back");
  for (const page of [ada, bob]) assertEquals(await seen(page, 1), ["Bob We are back"]);
}

async function open(port: number): Promise<Page> {
  const context = browser.contexts()[0] ?? await browser.newContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(`http://127.0.0.1:${port}/chat.html`);
  return page;
}

async function say(page: Page, name: string, text: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
  assertEquals(await page.getByLabel("Message").inputValue(), "");
}

/** Waits for `count` lines and returns them. */
async function seen(page: Page, count: number): Promise<string[]> {
  const lines = page.locator("#lines p");
  await lines.nth(count - 1).waitFor();
  return await lines.allTextContents();
}

function present(page: Page, count: number): Promise<void> {
  return status(page, `connected, ${count} here`);
}

function status(page: Page, text: string): Promise<void> {
  return page.getByRole("status").getByText(text, { exact: true }).waitFor();
}
