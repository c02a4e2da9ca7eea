// Sends text and bytes from a page of Chromium. It ends with 0 when what came back is what it
// should be. It is a program of its own because the browser's driver leaves timers and handles
// behind that a test must not.
import { assertEquals } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { BROWSER_FLAGS } from "./_browser_flags.ts";
import { seen, status } from "./_chat_page.ts";
import { ServedExample } from "./_served_example.ts";

const [executablePath = ""] = Deno.args;

const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
try {
  await using example = await ServedExample.start("websocket_echo/main.ts", [], {
    permissions: ["-P=serve"],
  });
  const ada = await open(example.port);
  await status(ada, "1 here");
  const bob = await open(example.port);
  await status(ada, "2 here");
  await status(bob, "2 here");

  await say(ada, "h\u00e9llo", "echo");
  await say(ada, "h\u00e9llo", "echo", true);
  assertEquals(await seen(ada, 2), ["echo, text: h\u00e9llo", "echo, 6 bytes: h\u00e9llo"]);
  await say(bob, '{"present":9}', "broadcast");
  await say(bob, "bytes", "broadcast", true);
  const said = ['broadcast, text: {"present":9}', "broadcast, 5 bytes: bytes"];
  assertEquals(await seen(bob, 2), said);
  assertEquals((await seen(ada, 4)).slice(2), said);
  await bob.close();
  await status(ada, "1 here");
} finally {
  await browser.close();
}

async function open(port: number): Promise<Page> {
  const page = await browser.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(`http://127.0.0.1:${port}/`);
  return page;
}

async function say(page: Page, text: string, to: string, bytes = false): Promise<void> {
  await page.getByLabel("To").selectOption(to);
  await page.getByLabel("as bytes").setChecked(bytes);
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
}
