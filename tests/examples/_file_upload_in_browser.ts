// Sends files from a browser over a slow line, and looks at the bar. It ends with 0 when all was
// as it should. It is a program of its own because the browser's driver leaves timers and handles
// behind that a test must not.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { chromium } from "playwright-core";
import { BROWSER_FLAGS } from "./_browser_flags.ts";
import { filesIn, startUpload } from "./_file_upload.ts";

const [executablePath = "", screenshot] = Deno.args;

const directory = await Deno.makeTempDir();
const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
try {
  await using example = await startUpload(directory);
  const page = await browser.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(`http://127.0.0.1:${example.port}/`);
  const slow = async (bytesPerSecond: number) => {
    const session = await page.context().newCDPSession(page);
    await session.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: bytesPerSecond,
    });
  };
  await slow(1_000_000);
  await page.evaluate(`
    globalThis.shown = [];
    const status = document.querySelector('[role="status"]');
    new MutationObserver(() => shown.push(status.textContent))
      .observe(status, { childList: true, characterData: true, subtree: true });
  `);

  const content = Buffer.alloc(2_000_000, "content ");
  await page.getByLabel("Files").setInputFiles([
    { name: "large.bin", mimeType: "application/octet-stream", buffer: content },
    { name: "small.txt", mimeType: "text/plain", buffer: Buffer.from("small") },
  ]);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("done", { exact: true }).waitFor();
  const shown = await page.evaluate("shown") as string[];
  const between = shown.map((text) => Number(/^(\d+) %$/.exec(text)?.[1] ?? 0))
    .filter((percent) => percent > 0 && percent < 100);
  assert(between.length > 0, `the bar did not move: ${shown.join(", ")}`);
  assertEquals(between, between.toSorted((a, b) => a - b));
  assertEquals(await page.evaluate('document.querySelector("progress").value'), 1);

  const sha256 = createHash("sha256").update(content).digest("hex");
  const items = await page.locator("#files li").allTextContents();
  assertEquals(items[0], `large.bin, 2000000 bytes, ${sha256}`);
  assertMatch(items[1]!, /^small\.txt, 5 bytes, /);
  assertEquals(filesIn(directory).length, 2);
  if (screenshot !== undefined) await page.screenshot({ path: screenshot });

  await slow(100_000); // long enough to be cancelled
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/^[1-9]\d* %$/).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("cancelled", { exact: true }).waitFor();
  while (filesIn(directory).length > 2) await new Promise((resolve) => setTimeout(resolve, 10));
} finally {
  await browser.close();
  await Deno.remove(directory, { recursive: true });
}
