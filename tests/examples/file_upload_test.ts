import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { RawClient, until } from "../http/_raw_client.ts";
import { Browser } from "../web/_providers.ts";
import { filesIn, startUpload } from "./_file_upload.ts";

async function withUpload(
  body: (browser: Browser, directory: string, port: number) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await using example = await startUpload(directory);
    await body(new Browser(example.port), directory, example.port);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function tokenFrom(browser: Browser): Promise<string> {
  return /data-token="([^"]+)"/.exec((await browser.open("/")).text)![1]!;
}

async function send(browser: Browser, form: FormData, headers: Record<string, string>) {
  const { headers: own, body } = await encode(form);
  return await browser.open("/upload", "POST", { headers: { ...own, ...headers }, body });
}

async function encode(form: FormData) {
  const request = new Request("http://x/", { method: "POST", body: form });
  return {
    headers: { "Content-Type": request.headers.get("Content-Type")! },
    body: new Uint8Array(await request.arrayBuffer()),
  };
}

Deno.test("the upload example keeps small and large files under their SHA-256", async () => {
  await withUpload(async (browser, directory) => {
    const contents = ["small", "l".repeat(300_000), ""];
    const form = new FormData();
    for (const content of contents) {
      form.append("file", new File([content], `../${content.length}.txt`));
    }
    const answer = await send(browser, form, { "X-Xsrftoken": await tokenFrom(browser) });
    assertEquals(answer.status, 200);
    const hashes = contents.map((content) => createHash("sha256").update(content).digest("hex"));
    assertEquals(
      JSON.parse(answer.text),
      contents.map(({ length }, index) => ({
        filename: `../${length}.txt`,
        size: length,
        sha256: hashes[index],
      })),
    );
    assertEquals(filesIn(directory), hashes.toSorted());
    assertEquals(await Deno.readTextFile(`${directory}/${hashes[1]}`), contents[1]);
  });
});

Deno.test("the upload example refuses a form without the token, and what is no form", async () => {
  await withUpload(async (browser, directory) => {
    const form = new FormData();
    form.append("file", new File(["x"], "x.txt"));
    assertEquals((await send(browser, form, {})).status, 403);
    const headers = { "X-Xsrftoken": await tokenFrom(browser) };
    assertEquals((await browser.open("/upload", "POST", { headers, body: "x" })).status, 400);
    assertEquals(filesIn(directory), []);
  });
});

Deno.test("the upload example leaves nothing of a client that leaves", async () => {
  await withUpload(async (browser, directory, port) => {
    const token = await tokenFrom(browser);
    const form = new FormData();
    form.append("file", new File(["l".repeat(400_000)], "large.txt"));
    const { headers, body } = await encode(form);
    using client = await RawClient.connect(port);
    const fields = {
      Host: `127.0.0.1:${port}`,
      Cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; "),
      "X-Xsrftoken": token,
      "Content-Length": String(body.length),
      ...headers,
    };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    await client.send(`POST /upload HTTP/1.1\r\n${lines.join("")}\r\n`);
    await client.send(body.subarray(0, 300_000));
    await until(() => filesIn(directory).length === 1);
    client.close();
    await until(() => filesIn(directory).length === 0);
  });
});
