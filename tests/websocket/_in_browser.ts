// Opens a page in the browser of the first argument whose script talks over WebSockets to a
// server of ours, with compression and without. It ends with 0 when all echoes came. It is a
// program of its own because the browser's driver leaves timers and handles behind.
import { assertEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import { type CompressionOptions, WebSocketHandler } from "../../websocket/mod.ts";

class Page extends RequestHandler {
  override get(): void {
    this.write("<!doctype html><title>x</title>");
  }
}

class Echo extends WebSocketHandler {
  override getCompressionOptions(): CompressionOptions | null {
    return this.request.path === "/deflate" ? {} : null;
  }
  override selectSubprotocol(): string {
    return "two";
  }
  override onMessage(message: string | Uint8Array): void {
    this.ping("between");
    this.writeMessage(message);
  }
}

/** Runs in the page. */
async function talk(url: string): Promise<unknown> {
  const socket = new WebSocket(url, ["one", "two"]);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const messages = ["hello", "hello", "", "gr\u00fcn \u{1f300}", "x".repeat(200_000)];
  const echoes: unknown[] = [socket.protocol, socket.extensions];
  for (const message of [...messages, new Uint8Array([0, 255])]) {
    const echoed = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
    socket.send(message);
    const data = await echoed;
    echoes.push(
      data instanceof ArrayBuffer ? [...new Uint8Array(data)].join() : data === message,
    );
  }
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close(3001, "enough");
  const { code, wasClean } = await closed;
  return [...echoes, code, wasClean];
}

await new IOLoop().run(async () => {
  const server = new Application([["/", Page], ["/(?:deflate|plain)", Echo]]).listen(
    0,
    "127.0.0.1",
  );
  const { port } = server.addresses[0] as Deno.NetAddr;
  const browser = await chromium.launch({
    executablePath: Deno.args[0]!,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    for (const [path, extensions] of [["deflate", "permessage-deflate"], ["plain", ""]]) {
      const came = await page.evaluate(talk, `ws://127.0.0.1:${port}/${path}`);
      const good = [true, true, true, true, true, "0,255"];
      assertEquals(came, ["two", extensions, ...good, 3001, true]);
    }
  } finally {
    await browser.close();
    await Future.from(server.shutdown());
  }
});
Deno.exit(0);
