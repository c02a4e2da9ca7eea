/**
 * A WebSocket that sends back what it gets, and one that sends it to everybody.
 *
 * It teaches the life of a WebSocket: text and bytes come back as what they were, waiting for the
 * write slows down a client that sends and does not read, and a `Room` sends one message to all
 * who are there, encoded once. The page speaks to both.
 *
 * Run it with `deno run -P=serve examples/websocket_echo/main.ts` and open
 * http://127.0.0.1:8888/ in two tabs.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Application, StaticFileHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { Room, WebSocketHandler } from "@waterspout/waterspout/websocket";
import { announce, readPlace } from "../serve_tcp.ts";

const MAX_MESSAGE = 64 * 1024;

/** Sends back what it gets. */
class EchoHandler extends WebSocketHandler {
  override get maxMessageSize(): number {
    return MAX_MESSAGE; // a larger one ends the connection with 1009
  }

  override *onMessage(message: string | Uint8Array): CoroutineGenerator {
    yield* this.writeMessage(message);
  }
}

/** Sends what it gets to everybody, and says how many there are. */
class BroadcastHandler extends WebSocketHandler {
  #room!: Room;

  override initialize({ room }: { room: Room }): void {
    this.#room = room;
  }

  override get maxMessageSize(): number {
    return MAX_MESSAGE;
  }

  // A member that does not read is let go, before it costs the others memory.
  override get writeBufferPolicy(): "close" {
    return "close";
  }

  override open(): void {
    this.#room.join(this);
    this.#room.broadcast({ present: this.#room.size });
  }

  override onMessage(message: string | Uint8Array): void {
    // Text is wrapped: nobody can say what only we say.
    this.#room.broadcast(typeof message === "string" ? { text: message } : message);
  }

  override onClose(): void {
    this.#room.broadcast({ present: this.#room.size }); // it has left by itself
  }
}

/** Makes the application. */
export function makeEcho(): Application {
  const path = fileURLToPath(new URL("./static", import.meta.url));
  return new Application([
    ["/echo", EchoHandler],
    ["/broadcast", BroadcastHandler, { room: new Room() }],
    ["/(.*)", StaticFileHandler, { path, defaultFilename: "index.html" }],
  ]);
}

if (import.meta.main) {
  enablePrettyLogging();
  await runServer(makeEcho(), {
    ...readPlace(8888),
    onListen: announce("The echo"),
  });
}
