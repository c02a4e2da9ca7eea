/**
 * The gallery: one server with a page for each thing that Waterspout is good at.
 *
 * Run it with `deno task serve`; `--port` and `--address` choose where it listens.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Application, StaticFileHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, loopPage, runServer } from "@waterspout/waterspout/process";
import { ChatHandler, ChatRoom } from "./chat.ts";
import { HelloHandler } from "./hello.ts";
import { BulletinBoard, PollNewHandler, PollUpdatesHandler } from "./long_poll.ts";
import { SlowHandler, TwoAtOnceHandler } from "./two_at_once.ts";

/** Makes the application. */
export function makeGallery(): Application {
  const room = new ChatRoom();
  const board = new BulletinBoard();
  const pages = decodeURIComponent(new URL("./static", import.meta.url).pathname);
  return new Application([
    ["/hello", HelloHandler],
    ["/hello/([^/]+)", HelloHandler],
    ["/two-at-once", TwoAtOnceHandler],
    ["/slow", SlowHandler],
    ["/poll/new", PollNewHandler, { board }],
    ["/poll/updates", PollUpdatesHandler, { board }],
    ["/chat/socket", ChatHandler, { room }],
    ...loopPage(),
    ["/(.*)", StaticFileHandler, { path: pages, defaultFilename: "index.html" }],
  ]);
}

function readOptions(): { port: number; address: string } {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`--port must be a number from 0 to 65535, got ${values.port}`);
  }
  return { port, address: values.address };
}

async function main(): Promise<void> {
  enablePrettyLogging();
  await runServer(makeGallery(), {
    ...readOptions(),
    onListen(server) {
      const { hostname, port } = server.addresses[0] as Deno.NetAddr;
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      print(`The gallery is open on http://${host}:${port}/ (Ctrl-C closes it)`);
    },
  });
  print("The gallery is closed");
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${(error as Error).message}\n`));
    Deno.exit(1);
  }
}
