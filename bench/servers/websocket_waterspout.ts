import { Application } from "@waterspout/waterspout/web";
import { runServer } from "@waterspout/waterspout/process";
import { type CompressionOptions, Room, WebSocketHandler } from "@waterspout/waterspout/websocket";

const news = "n".repeat(100);
const room = new Room();

class Echo extends WebSocketHandler {
  override getCompressionOptions(): CompressionOptions | null {
    return Deno.args[1] === "deflate" ? {} : null;
  }

  override open(): void {
    room.join(this);
  }

  override onMessage(message: string | Uint8Array): void {
    if (message === "broadcast") room.broadcast(news);
    else this.writeMessage(message);
  }
}

await runServer(new Application([["/", Echo]], { logFunction: () => {} }), {
  port: Number(Deno.args[0]),
  address: "127.0.0.1",
  onListen: () => {
    Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
  },
});
