// A server whose clients talk to each other by topics, over Redis at the port in its first
// argument. It prints its own port, and ends when its standard input does.
import { createClient } from "@redis/client";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import { Application } from "../../web/mod.ts";
import { RedisBackplane, Topics, WebSocketHandler } from "../../websocket/mod.ts";

const publisher = createClient({ url: `redis://127.0.0.1:${Deno.args[0]}` });
const subscriber = publisher.duplicate();
// Without a listener they would throw when Redis goes away; they connect again by themselves.
for (const client of [publisher, subscriber]) client.on("error", () => {});
await publisher.connect();
await subscriber.connect();
const topics = new Topics({ backplane: new RedisBackplane({ publisher, subscriber }) });

class Talk extends WebSocketHandler {
  #topic = "";

  override async open(topic: string): Promise<void> {
    this.#topic = topic;
    topics.subscribe(topic, this);
    await topics.ready();
    this.writeMessage("ready");
  }

  override onMessage(message: string | Uint8Array): void {
    topics.publish(this.#topic, message, { except: this });
  }
}

await new IOLoop().run(function* () {
  const server = new Application([["/(.+)", Talk]]).listen(0, "127.0.0.1");
  const { port } = server.addresses[0] as Deno.NetAddr;
  Deno.stdout.writeSync(new TextEncoder().encode(`${port}\n`));
  yield* Future.from(Deno.stdin.read(new Uint8Array(1)));
  yield* server.shutdown();
});
await publisher.close();
await subscriber.close();
