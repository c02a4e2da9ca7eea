// Opens the chat in two tabs, by WebSocket and by long polling, and restarts its server meanwhile.
// It ends with 0 when both saw what they should. It is a program of its own because the browser's
// driver leaves timers and handles behind that a test must not.
import { assertEquals } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { BROWSER_FLAGS } from "./_browser_flags.ts";
import { seen, status } from "./_chat_page.ts";
import { ServedExample } from "./_served_example.ts";

const [executablePath = ""] = Deno.args;

const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
try {
  const port = await talk();
  await goOn(port);
} finally {
  await browser.close();
}

/** Returns the port, which the next server is to take over. */
async function talk(): Promise<number> {
  await using example = await start(0);
  const ada = await open(example.port, "/");
  const bob = await open(example.port, "/?poll");
  await status(ada, "connected by WebSocket");
  await status(bob, "connected by long polling");
  await say(ada, "Ada", "Is anybody here?");
  await seen(bob, 1);
  await say(bob, "Bob", "<i>I am</i>");
  const lines = ["Ada: Is anybody here?", "Bob: <i>I am</i>"];
  for (const page of [ada, bob]) assertEquals(await seen(page, 2), lines);
  return example.port;
}

async function goOn(port: number): Promise<void> {
  const [ada, bob] = browser.contexts().flatMap((context) => context.pages()) as [Page, Page];
  for (const page of [ada, bob]) await status(page, "disconnected, trying again");
  await using _example = await start(port);
  await status(ada, "connected by WebSocket");
  await status(bob, "connected by long polling");
  await say(bob, "Bob", "We are back");
  for (const page of [ada, bob]) assertEquals((await seen(page, 3))[2], "Bob: We are back");
}

function start(port: number): Promise<ServedExample> {
  return ServedExample.start("chat/main.ts", ["--port", String(port)], {
    permissions: ["-P=serve"],
  });
}

async function open(port: number, path: string): Promise<Page> {
  const page = await browser.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(`http://127.0.0.1:${port}${path}`);
  return page;
}

async function say(page: Page, name: string, text: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
}
