// Runs the blog in a browser, as its author would. It ends with 0 when all was as it should. It
// is a program of its own because the browser's driver leaves timers and handles behind that a
// test must not.
import { assert, assertEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { startBlog } from "./_blog.ts";
import { BROWSER_FLAGS } from "./_browser_flags.ts";

const [executablePath = "", screenshot] = Deno.args;

const directory = await Deno.makeTempDir();
const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
try {
  await using blog = await startBlog(directory);
  const context = await browser.newContext({ locale: "en-US" });
  const page = await context.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(`http://127.0.0.1:${blog.port}/`);
  await page.getByRole("link", { name: "Become the author" }).click();
  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Become the author" }).click();

  await page.getByRole("link", { name: "New entry" }).click();
  await page.getByLabel("Title").fill("On engines");
  await page.getByLabel("Text, in Markdown").fill(
    "It *weaves* patterns.\n\n- one\n- two\n\n<script>document.title = 'taken over'</script>",
  );
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("heading", { name: "On engines" }).waitFor();
  assertEquals(new URL(page.url()).pathname, "/entry/on-engines");
  assertEquals(await page.title(), "On engines");
  assertEquals(await page.locator("article li").allTextContents(), ["one", "two"]);
  assertEquals(await page.locator("article em").textContent(), "weaves");
  const cookies = await context.cookies();
  assert(cookies.every(({ name, httpOnly }) => httpOnly || name === "language"));
  assertEquals(await page.evaluate("document.cookie"), "");

  await page.getByRole("button", { name: "Deutsch" }).click();
  await page.getByRole("link", { name: "Neuer Eintrag" }).waitFor();
  assertEquals(await page.locator("html").getAttribute("lang"), "de");
  if (screenshot !== undefined) await page.screenshot({ path: screenshot });
  await page.getByRole("button", { name: "Abmelden" }).click();
  await page.getByRole("link", { name: "Anmelden" }).click();
  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("Passwort").fill("wrong");
  await page.getByRole("button", { name: "Anmelden" }).click();
  await page.getByRole("alert").getByText("Name oder Passwort ist falsch").waitFor();
  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("Passwort").fill("correct horse");
  await page.getByRole("button", { name: "Anmelden" }).click();
  await page.getByRole("button", { name: "Abmelden" }).waitFor();
} finally {
  await browser.close();
  await Deno.remove(directory, { recursive: true });
}
