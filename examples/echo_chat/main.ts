/**
 * A chat whose messages make a detour: each goes to an echo server, and what comes back is shown.
 *
 * It teaches to live with a service that may go away: one connection over `IOStream` that all
 * share, attempts further and further apart, and messages that wait meanwhile (`echo_link.ts`).
 * Who chats is told whether the service is there.
 *
 * Run it with `deno run -P=serve examples/echo_chat/main.ts --echo-port 7000`, beside
 * `deno run -P=serve examples/echo_server/main.ts`, which may be stopped and started again; the
 * page is http://127.0.0.1:8888/.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Application, StaticFileHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { Room, WebSocketHandler } from "@waterspout/waterspout/websocket";
import { announce } from "../serve_tcp.ts";
import { EchoLink, type EchoLinkOptions } from "./echo_link.ts";

const MAX_TEXT = 1000;

/** Says something to all, by way of the echo server. */
export class EchoChat {
  readonly room: Room = new Room();
  readonly #link: EchoLink;

  /** Begins to connect to the echo server. */
  constructor(options: Omit<EchoLinkOptions, "onLine" | "onChange">) {
    this.#link = new EchoLink({
      ...options,
      onLine: (line) => this.room.broadcast({ text: JSON.parse(line) }),
      onChange: () => this.room.broadcast(this.status),
    });
  }

  /** What is said about the echo server. */
  get status(): { connected: boolean } {
    return { connected: this.#link.connected };
  }

  /** Sends a text; false if too many are on their way. */
  say(text: string): boolean {
    return this.#link.send(JSON.stringify(text)); // which has no line break
  }

  /** Leaves the echo server. */
  close(): void {
    this.#link.close();
  }
}

class ChatHandler extends WebSocketHandler {
  #chat!: EchoChat;

  override initialize({ chat }: { chat: EchoChat }): void {
    this.#chat = chat;
  }

  override open(): void {
    this.#chat.room.join(this);
    this.writeMessage(this.#chat.status);
  }

  override onMessage(message: string | Uint8Array): void {
    if (typeof message !== "string" || message.length > MAX_TEXT) {
      this.close(1008, `expected a text of ${MAX_TEXT} characters at most`);
    } else if (!this.#chat.say(message)) this.writeMessage({ refused: message });
  }
}

/** Makes the application. */
export function makeEchoChat(chat: EchoChat): Application {
  const path = fileURLToPath(new URL("./static", import.meta.url));
  return new Application([
    ["/socket", ChatHandler, { chat }],
    ["/(.*)", StaticFileHandler, { path, defaultFilename: "index.html" }],
  ]);
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      "port": { type: "string", default: "8888" },
      "address": { type: "string", default: "127.0.0.1" },
      "echo-port": { type: "string", default: "7000" },
      "echo-address": { type: "string", default: "127.0.0.1" },
    },
  });
  enablePrettyLogging();
  const chat = new EchoChat({ host: values["echo-address"], port: Number(values["echo-port"]) });
  await runServer(makeEchoChat(chat), {
    port: Number(values.port),
    address: values.address,
    onListen: announce("The chat"),
  });
  chat.close();
}
