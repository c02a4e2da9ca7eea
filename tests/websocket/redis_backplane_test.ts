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

  /** Ends it with no chance to clean up. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // it may have been killed
    const timer = setTimeout(() => this.#child.kill(), 5000);
    while (!(await this.#output.read()).done);
    await this.#child.status;
    clearTimeout(timer);
  }
}

/** A Redis server that can be killed and started anew on its port. */
class Redis implements AsyncDisposable {
  readonly port: number;
  #child: Deno.ChildProcess | null = null;
  #log: ReadableStreamDefaultReader<string> | null = null;

  constructor() {
    const { listener, port } = bindUnusedPort();
    listener.close();
    this.port = port;
  }

  async start(): Promise<void> {
    const options = ["--save", "", "--appendonly", "no"];
    this.#child = new Deno.Command("redis-server", {
      args: ["--port", String(this.port), "--bind", "127.0.0.1", ...options],
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#log = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes("Ready to accept connections");) {
      const { value, done } = await this.#log.read();
      if (done) throw new Error(`redis-server did not start: ${text}`);
      text += value;
    }
  }

  async stop(signal: Deno.Signal): Promise<void> {
    this.#child?.kill(signal);
    while (!(await this.#log!.read()).done);
    await this.#child!.status;
    this.#child = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== null) await this.stop("SIGTERM");
  }
}

function startServer(redisPort: number): Program {
  const program = ["run", "--no-prompt", "-A", "tests/websocket/_topics_server.ts"];
  return new Program(Deno.execPath(), [...program, String(redisPort)]);
}

async function urlOf(server: Program): Promise<string> {
  return `ws://127.0.0.1:${(await server.printed(/^(\d+)\n/))[1]}`;
}

Deno.test({
  name: "Topics of two processes reach each other over Redis, text and bytes",
  ignore,
  fn: async () => {
    await using redis = new Redis();
    await redis.start();
    await using one = startServer(redis.port);
    await using two = startServer(redis.port);
    const urls = [await urlOf(one), await urlOf(two)];
    await new IOLoop().run(() => talk(urls), { timeout: 30_000 });
  },
});

Deno.test({
  name: "Topics go on when Redis, or one of the servers, was killed and started anew",
  ignore,
  fn: async () => {
    await using redis = new Redis();
    await redis.start();
    await using one = startServer(redis.port);
    const urlOne = await urlOf(one);
    await new IOLoop().run(async () => {
      const ann = await join(`${urlOne}/tea`);
      const bob = await join(`${urlOne}/tea`);
      let cyd: WebSocketClientConnection;
      {
        await using two = startServer(redis.port);
        cyd = await join(`${await urlOf(two)}/tea`);
        ann.writeMessage("1");
        for (const client of [bob, cyd]) assertEquals(await client.readMessage(), "1");

        await redis.stop("SIGKILL");
        ann.writeMessage("2"); // those here get it all the same
        assertEquals(await bob.readMessage(), "2");
        await redis.start();
        // Both servers connect again by themselves. What comes is not doubled.
        await reached(ann, cyd, "a");
        await reached(cyd, ann, "c");
        ann.writeMessage("end");
        for (const client of [bob, cyd]) await drained(client, "end");
        two.kill();
        assertEquals(await cyd.readMessage(), null);
      }
      await using anew = startServer(redis.port);
      cyd = await join(`${await urlOf(anew)}/tea`);
      ann.writeMessage("4");
      for (const client of [bob, cyd]) assertEquals(await client.readMessage(), "4");
      cyd.writeMessage("5");
      for (const client of [ann, bob]) assertEquals(await client.readMessage(), "5");
      for (const client of [ann, bob, cyd]) await close(client);
    }, { timeout: 60_000 });
  },
});

/** Sends numbered messages until one arrives; those that do come once each, in order. */
async function reached(
  from: WebSocketClientConnection,
  to: WebSocketClientConnection,
  name: string,
): Promise<void> {
  let sent = 0;
  const sender = setInterval(() => from.writeMessage(`${name}${++sent}`), 50);
  let first = await to.readMessage() as string;
  if (first === "2") first = await to.readMessage() as string; // the client of Redis had kept it
  clearInterval(sender);
  let at = Number(first.slice(name.length));
  assertEquals(first, `${name}${at}`);
  while (at < sent) assertEquals(await to.readMessage(), `${name}${++at}`);
}

/** Reads what else has come, each once, up to `last`. */
async function drained(client: WebSocketClientConnection, last: string): Promise<void> {
  const seen = new Set<string | Uint8Array | null>();
  while (!seen.has(last)) {
    const message = await client.readMessage();
    assertEquals([message, seen.has(message)], [message, false]);
    seen.add(message);
  }
}

async function join(url: string): Promise<WebSocketClientConnection> {
  const client = await websocketConnect(url);
  assertEquals(await client.readMessage(), "ready");
  return client;
}

async function talk([one, two]: string[]): Promise<void> {
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
