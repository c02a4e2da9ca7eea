/**
 * A chat that one can join by WebSocket or by long polling, in one room.
 *
 * It teaches how to keep what is said apart from how it travels: `messages.ts` holds the messages
 * and who waits for them, the handlers are thin. Who comes back, by either way, says which
 * message was the last and gets what was missed.
 *
 * Run it with `deno run -P=serve examples/chat/main.ts`, then open http://127.0.0.1:8888/ in one
 * tab and http://127.0.0.1:8888/?poll in another.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import {
  Application,
  HTTPError,
  RequestHandler,
  StaticFileHandler,
} from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { WebSocketHandler } from "@waterspout/waterspout/websocket";
import { announce, readPlace } from "../serve_tcp.ts";
import { Messages, readMessage } from "./messages.ts";

const POLL = 25_000; // ms; proxies give up after 30 or 60 seconds
const MAX_BODY = 16 * 1024;

class PollHandler extends RequestHandler {
  #messages!: Messages;

  override initialize({ messages }: { messages: Messages }): void {
    this.#messages = messages;
  }

  override *get(): CoroutineGenerator {
    const after = this.getArgument("after", { type: "int", default: 0 });
    const wait = this.getArgument("wait", { type: "int", default: POLL });
    this.setHeader("Cache-Control", "no-store");
    this.write({ messages: yield* this.#messages.wait(after, Math.min(wait, POLL)) });
  }

  override post(): void {
    // Pages of other sites cannot send this type without asking us first.
    const type = this.request.headers.get("Content-Type");
    if (type !== "application/json") throw new HTTPError(415);
    const message = readMessage(new TextDecoder().decode(this.request.body));
    if (message === null) throw new HTTPError(400, "expected a name and a text");
    this.setStatus(201);
    this.write({ ...this.#messages.add(message) });
  }
}

class SocketHandler extends WebSocketHandler {
  #messages!: Messages;

  override initialize({ messages }: { messages: Messages }): void {
    this.#messages = messages;
  }

  override get maxMessageSize(): number {
    return MAX_BODY;
  }

  // Who does not read is let go, and gets what was missed when it comes back.
  override get writeBufferPolicy(): "close" {
    return "close";
  }

  override prepare(): void {
    this.getArgument("after", { type: "int", default: 0 }); // 400 instead of the handshake
  }

  override open(): void {
    const after = this.getArgument("after", { type: "int", default: 0 });
    this.writeMessage({ messages: this.#messages.since(after) });
    this.#messages.room.join(this);
  }

  override onMessage(message: string | Uint8Array): void {
    const said = typeof message === "string" ? readMessage(message) : null;
    if (said === null) this.close(1008, "expected a name and a text");
    else this.#messages.add(said);
  }
}

/** Makes the application. */
export function makeChat(messages: Messages = new Messages()): Application {
  const path = fileURLToPath(new URL("./static", import.meta.url));
  return new Application([
    ["/messages", PollHandler, { messages }],
    ["/socket", SocketHandler, { messages }],
    ["/(.*)", StaticFileHandler, { path, defaultFilename: "index.html" }],
  ]);
}

if (import.meta.main) {
  enablePrettyLogging();
  await runServer(makeChat(), {
    ...readPlace(8888),
    maxBodySize: MAX_BODY,
    grace: 1000, // who polls would keep it waiting
    onListen: announce("The chat"),
  });
}
