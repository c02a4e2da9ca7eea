// Looks at the dashboard in two tabs, and restarts its server meanwhile. It ends with 0 when the
// numbers moved. It is a program of its own because the browser's driver leaves timers and handles
// behind that a test must not.
import { assert, assertEquals } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { BROWSER_FLAGS } from "./_browser_flags.ts";
import { ServedExample } from "./_served_example.ts";

const [executablePath = "", screenshot] = Deno.args;

const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
try {
  const port = await watch();
  await watchOn(port);
} finally {
  await browser.close();
}

/** Returns the port, which the next server is to take over. */
async function watch(): Promise<number> {
  await using example = await start(0);
  const ada = await open(example.port);
  await status(ada, "connected");
  await viewers(ada, 1);
  const bob = await open(example.port);
  for (const page of [ada, bob]) await viewers(page, 2);
  await points(ada, 10);
  assert(Number(await ada.locator("#memory").textContent()) > 1);
  assert(Number(await ada.locator("#lag").textContent()) >= 0);
  if (screenshot !== undefined) await ada.screenshot({ path: screenshot });
  await bob.close();
  await viewers(ada, 1);
  return example.port;
}

async function watchOn(port: number): Promise<void> {
  const [ada] = browser.contexts().flatMap((context) => context.pages()) as [Page];
  await status(ada, "disconnected, trying again");
  await using _example = await start(port);
  await status(ada, "connected");
  await viewers(ada, 1);
  const count = await points(ada, 1);
  await points(ada, count + 3);
}

function start(port: number): Promise<ServedExample> {
  return ServedExample.start("sse_dashboard/main.ts", ["--port", String(port), "--period", "50"], {
    permissions: ["-P=serve"],
  });
}

async function open(port: number): Promise<Page> {
  const page = await browser.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(`http://127.0.0.1:${port}/`);
  assertEquals(await page.title(), "Dashboard");
  return page;
}

/** Waits until the line has that many points at least, and returns how many. */
async function points(page: Page, count: number): Promise<number> {
  const line = 'document.getElementById("line").points.numberOfItems';
  await page.waitForFunction(`${line} >= ${count}`);
  return Number(await page.evaluate(line));
}

function viewers(page: Page, count: number): Promise<void> {
  return page.locator("#viewers").getByText(String(count), { exact: true }).waitFor();
}

function status(page: Page, text: string): Promise<void> {
  return page.getByRole("status").getByText(text, { exact: true }).waitFor();
}
