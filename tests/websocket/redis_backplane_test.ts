import { assertEquals } from "@std/assert";
import { IOLoop } from "../../ioloop/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { type WebSocketClientConnection, websocketConnect } from "../../websocket/mod.ts";
import { installed } from "../examples/_programs.ts";

// Ignored where Debian's package `redis-server` is missing.
const ignore = !await installed("redis-server");

const ROOT = new URL("../../", import.meta.url);

/** A program that runs until it is told to end, and what it has printed first. */
class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;

  constructor(command: string, args: readonly string[]) {
    this.#child = new Deno.Command(command, {
      args: [...args],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits until it has printed `wanted` and returns the match. */
  async printed(wanted: RegExp): Promise<RegExpExecArray> {
    for (let text = "";;) {
      const match = wanted.exec(text);
      if (match !== null) return match;
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`it ended, and printed only ${text}`);
      text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    const timer = setTimeout(() => this.#child.kill(), 5000);
    while (!(await this.#output.read()).done);
    await this.#child.status;
    clearTimeout(timer);
  }
}

Deno.test({
  name: "Topics of two processes reach each other over Redis, text and bytes",
  ignore,
  fn: async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    const options = ["--save", "", "--appendonly", "no"];
    const redis = new Deno.Command("redis-server", {
      args: ["--port", String(port), "--bind", "127.0.0.1", ...options],
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const log = redis.stdout.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (let text = ""; !text.includes("Ready to accept connections");) {
        const { value, done } = await log.read();
        if (done) throw new Error(`redis-server did not start: ${text}`);
        text += value;
      }
      const program = ["run", "--no-prompt", "-A", "tests/websocket/_topics_server.ts"];
      const start = () => new Program(Deno.execPath(), [...program, String(port)]);
      await using one = start();
      await using two = start();
      const ports: string[] = [];
      for (const server of [one, two]) ports.push((await server.printed(/^(\d+)\n/))[1]!);
      await new IOLoop().run(() => talk(ports.map((port) => `ws://127.0.0.1:${port}`)), {
        timeout: 30_000,
      });
    } finally {
      redis.kill("SIGTERM");
      while (!(await log.read()).done);
      await redis.status;
    }
  },
});

async function talk([one, two]: string[]): Promise<void> {
  const join = async (url: string) => {
    const client = await websocketConnect(url);
    assertEquals(await client.readMessage(), "ready");
    return client;
  };
  const ann = await join(`${one}/tea`);
  const bob = await join(`${one}/tea`);
  const cyd = await join(`${two}/tea`);
  const dan = await join(`${two}/coffee`);
  ann.writeMessage("gr\u00fcn");
  ann.writeMessage(Uint8Array.of(0, 255));
  for (const client of [bob, cyd]) {
    assertEquals(await client.readMessage(), "gr\u00fcn");
    assertEquals(await client.readMessage(), Uint8Array.of(0, 255));
  }
  cyd.writeMessage("from the other side");
  for (const client of [ann, bob]) {
    assertEquals(await client.readMessage(), "from the other side");
  }
  dan.writeMessage("to nobody");
  for (const client of [ann, bob, cyd, dan]) await close(client);
}

// Nothing may have come that was not read: no message twice, none of another topic.
async function close(client: WebSocketClientConnection): Promise<void> {
  client.close();
  assertEquals(await client.readMessage(), null);
}
