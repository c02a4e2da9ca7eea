// Opens the loop's page in a browser beside a server that is at work, and looks at what it
// shows. It ends with 0 when that is right. A second argument is where a picture of it goes.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { ServerProcess } from "../process/_server_process.ts";
import { BROWSER_FLAGS } from "./_browser_flags.ts";

const [executablePath = "", screenshot = ""] = Deno.args;

const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
const complaints: string[] = [];
try {
  await look();
} finally {
  await browser.close();
}
assertEquals(complaints, []);

async function look(): Promise<void> {
  await using gallery = await ServerProcess.listening();
  const origin = `http://127.0.0.1:${gallery.port}`;
  const page = await (await browser.newContext({ viewport: { width: 1100, height: 880 } }))
    .newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(`${origin}/_loop`);
  await page.getByRole("status").getByText("connected", { exact: true }).waitFor();

  const get = (path: string) => fetch(origin + path).then((answer) => answer.text());
  await get("/hello/Ada");
  await row(page, "GET /hello/Ada \u2192 200").waitFor();
  await stages(page, ["accept", "parse", "route", "handler", "answer", "answered", "write"]);

  const slow = get("/slow?ms=3000");
  const waits = page.locator("#coroutines li", { hasText: "waits for sleep 3000 ms" });
  await waits.waitFor();
  assertEquals(await waits.count(), 1);

  await get("/two-at-once"); // alone: what is too much for a batch is left out
  await row(page, "GET /two-at-once \u2192 200").click();
  await stages(page, ["handler", "coroutine", "step", "waits for", "answer", "write"]);
  const way = await page.locator("#way").innerText();
  assertMatch(way, /2 at once/);
  if (screenshot !== "") await takePicture(page, get);
  await slow;
  await page.getByText("None waits.").waitFor();
  await row(page, "GET /slow \u2192 200").first().waitFor();

  const label = await page.getByRole("img", { name: /The four steps of a turn/ })
    .getAttribute("aria-label");
  assertMatch(label!, /\d+ callbacks, \d+ timeouts, \d+ events, \d+ flush/);
  assert(Number(await page.locator("#total-timeout").textContent()) > 0);

  const trace = await page.evaluate(() => fetch("/_loop/trace.json").then((file) => file.json()));
  assert((trace as { traceEvents: unknown[] }).traceEvents.length > 50);

  const pause = page.getByRole("button", { name: "Pause" });
  await pause.click();
  await get("/hello/Bob");
  await page.getByRole("button", { name: "Go on" }).click();
  await get("/hello/Eve");
  await row(page, "GET /hello/Eve \u2192 200").waitFor();
  assertEquals(await row(page, "GET /hello/Bob").count(), 0);

  gallery.server.kill("SIGTERM");
  assertEquals((await gallery.server.ended).code, 0);
  await page.getByRole("status").getByText("disconnected, trying again", { exact: true }).waitFor();
  complaints.length = 0; // that it cannot connect any more
}

/** Takes it while there is something to see. */
async function takePicture(page: Page, get: (path: string) => Promise<string>): Promise<void> {
  const paths = [
    "/two-at-once",
    "/hello",
    "/chat.html",
    "/slow?ms=700",
    "/slow?ms=350",
    "/nothing",
  ];
  await Promise.all(paths.map(get));
  await page.getByLabel("Show").selectOption("5000");
  const again = get("/two-at-once");
  await page.locator("#coroutines li", { hasText: "waits for 2 at once" }).waitFor();
  await page.screenshot({ path: screenshot });
  await again;
}

function row(page: Page, text: string) {
  return page.getByRole("button", { name: text });
}

/** What there is in a page, of which no types are loaded here. */
interface InPage {
  readonly document: {
    querySelectorAll(selector: string): Iterable<{ readonly textContent: string }>;
  };
}

/** Waits until the way of the connection has all of these, in this order. */
async function stages(page: Page, wanted: readonly string[]): Promise<void> {
  await page.waitForFunction((wanted) => {
    const { document } = globalThis as unknown as InPage;
    let at = 0;
    for (const { textContent } of document.querySelectorAll("#way .stage")) {
      if (textContent === wanted[at]) at++;
    }
    return at === wanted.length;
  }, wanted);
}
