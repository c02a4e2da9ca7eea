// Our server and our client with those of others: npm's ws, Python's Tornado, Deno, Chromium.
import { assert, assertEquals } from "@std/assert";
import { WebSocket as NodeWebSocket, WebSocketServer } from "ws";
import { IOLoop } from "../../ioloop/mod.ts";
import {
  type CompressionOptions,
  websocketConnect,
  type WebSocketConnectOptions,
  WebSocketHandler,
} from "../../websocket/mod.ts";
import { installed, run } from "../examples/_programs.ts";
import { serve } from "../web/_serve.ts";

const PYTHON = "/usr/bin/python3"; // Debian's, which has its packages
const TORNADO = new URL("_tornado.py", import.meta.url).pathname;

async function hasTornado(): Promise<boolean> {
  if (!await installed(PYTHON)) return false;
  return await run(PYTHON, ["-c", "import tornado"]).then(() => true, () => false);
}

async function findBrowser(): Promise<string | null> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    if (await installed(name)) return (await run("which", [name])).trim();
  }
  return null;
}

const ignoreTornado = !await hasTornado();
const browser = await findBrowser();

/** What is sent back and forth; equal ones, so that a context would be missed. */
const MESSAGES: readonly (string | Uint8Array<ArrayBuffer>)[] = [
  "hello",
  "hello",
  "",
  "gr\u00fcn \u{1f300} \0",
  Uint8Array.of(0, 255),
  new Uint8Array(0),
  "x".repeat(125),
  "x".repeat(126),
  "many words, many words, ".repeat(4000),
  Uint8Array.from({ length: 70_000 }, (_, at) => at * at),
  "hello",
];

/** An echo with subprotocols, that compresses as `options` say. */
function echo(options: CompressionOptions | null): typeof WebSocketHandler {
  return class Echo extends WebSocketHandler {
    override getCompressionOptions(): CompressionOptions | null {
      return options;
    }
    override selectSubprotocol(offered: readonly string[]): string | null {
      return offered[1] ?? null;
    }
    override onMessage(message: string | Uint8Array): void {
      if (message === "close") this.close(3001, "as you like");
      else this.writeMessage(message);
    }
  };
}

/** Connects to a server of another make, and checks its echoes. */
async function askAll(url: string, options: WebSocketConnectOptions): Promise<void> {
  await new IOLoop().run(async () => {
    const connection = await websocketConnect(url, options);
    const { compressionOptions = null } = options;
    assertEquals(connection.protocol.compressed, compressionOptions !== null);
    for (const message of MESSAGES) {
      connection.writeMessage(message);
      assertEquals(await connection.readMessage(), message);
    }
    for (const message of MESSAGES) connection.writeMessage(message);
    for (const message of MESSAGES) assertEquals(await connection.readMessage(), message);
    connection.close(3002, "enough");
    assertEquals(await connection.readMessage(), null);
    assertEquals(connection.closeCode, 3002);
  }, { timeout: 20_000 });
}

/** The ways in which both ends may compress. */
const WAYS: readonly [string, CompressionOptions | null][] = [
  ["without compression", null],
  ["with compression", {}],
  ["with compression of small windows", { maxWindowBits: 9, peerMaxWindowBits: 10 }],
  ["with compression, each alone", { noContextTakeover: true, peerNoContextTakeover: true }],
];

for (const [how, options] of WAYS) {
  Deno.test(`our server echoes to the client of ws ${how}`, () =>
    serve([["/", echo(options)]], async ({ port }) => {
      const socket = new NodeWebSocket(`ws://127.0.0.1:${port}/`, {
        perMessageDeflate: options !== null && { threshold: 1, clientMaxWindowBits: true },
      });
      await new Promise((resolve, reject) => {
        socket.once("open", resolve);
        socket.once("error", reject);
      });
      assertEquals(socket.extensions, options === null ? "" : "permessage-deflate");
      for (const message of MESSAGES) {
        const echoed = new Promise<string | Uint8Array>((resolve) =>
          socket.once(
            "message",
            (data: Uint8Array, binary: boolean) =>
              resolve(binary ? new Uint8Array(data) : new TextDecoder().decode(data)),
          )
        );
        socket.send(message);
        assertEquals(await echoed, message);
      }
      const end = new Promise((resolve) => socket.once("close", resolve));
      socket.close(3002, "enough");
      assertEquals(await end, 3002);
    }));

  Deno.test(`our client talks to the server of ws ${how}`, async () => {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      perMessageDeflate: options !== null && { threshold: 1 },
    });
    await new Promise((resolve) => server.once("listening", resolve));
    server.on("connection", (socket: NodeWebSocket) => {
      socket.on("message", (data: Uint8Array, binary: boolean) => socket.send(data, { binary }));
    });
    const { port } = server.address() as { port: number };
    await askAll(`ws://127.0.0.1:${port}/`, { compressionOptions: options });
    await new Promise((resolve) => server.close(resolve));
  });
}

for (const deflate of [false, true]) {
  const how = deflate ? "with compression" : "without compression";
  Deno.test({
    name: `our server echoes to the client of Tornado ${how}`,
    ignore: ignoreTornado,
    fn: () =>
      serve([["/", echo(deflate ? {} : null)]], async ({ port }) => {
        const url = `ws://127.0.0.1:${port}/`;
        await run(PYTHON, [TORNADO, "client", url, ...deflate ? ["deflate"] : []]);
      }),
  });

  Deno.test({
    name: `our client talks to the server of Tornado ${how}`,
    ignore: ignoreTornado,
    fn: async () => {
      const child = new Deno.Command(PYTHON, {
        args: [TORNADO, "server", ...deflate ? ["deflate"] : []],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let printed = "";
      const until = async (wanted: RegExp) => {
        for (;;) {
          const match = wanted.exec(printed);
          if (match !== null) return match;
          const { value, done } = await output.read();
          assert(!done, printed);
          printed += value;
        }
      };
      try {
        const [, port] = await until(/port (\d+)\n/);
        const url = `ws://127.0.0.1:${port}/echo`;
        await askAll(url, deflate ? { compressionOptions: {} } : {});
        await until(/closed 3002 enough/);
      } finally {
        await child.stdin.close();
        while (!(await output.read()).done);
        await child.status;
      }
    },
  });
}

Deno.test("our client talks to Deno.upgradeWebSocket", async () => {
  const abort = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: abort.signal, onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    },
  );
  await askAll(`ws://127.0.0.1:${server.addr.port}/`, {});
  abort.abort();
  await server.finished;
});

Deno.test({
  name: "our server echoes to Chromium, with compression and without",
  ignore: browser === null,
  fn: async () => {
    await run(Deno.execPath(), [
      "run",
      "--allow-all",
      "tests/websocket/_in_browser.ts",
      browser!,
    ]);
  },
});
