import { assertEquals } from "@std/assert";
import { EchoChat, makeEchoChat } from "../../examples/echo_chat/main.ts";
import type { EchoLinkOptions } from "../../examples/echo_chat/echo_link.ts";
import { EchoServer } from "../../examples/echo_server/main.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { type IOStream, TCPServer } from "../../iostream/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { until } from "../http/_raw_client.ts";
import { ServedExample } from "./_served_example.ts";
import { startExample } from "./_example_server.ts";
import { WebSocketPeer } from "./_websocket_peer.ts";

function withChat(
  options: Omit<EchoLinkOptions, "host" | "onLine" | "onChange">,
  body: (peer: () => WebSocketPeer) => Promise<void>,
): Promise<void> {
  return new IOLoop().run(async () => {
    const chat = new EchoChat({ host: "127.0.0.1", ...options });
    const server = makeEchoChat(chat).listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    await body(() => new WebSocketPeer(`ws://127.0.0.1:${port}/socket`));
    chat.close();
    await server.shutdown();
  }, { timeout: 20_000 });
}

async function next(peer: WebSocketPeer): Promise<unknown> {
  return JSON.parse(String(await peer.next()));
}

/** Collects what it gets and sends nothing back, until it is told to break off. */
class Silent extends TCPServer {
  readonly streams: IOStream[] = [];
  seen = "";
  override *handleStream(stream: IOStream) {
    this.streams.push(stream);
    for (;;) this.seen += new TextDecoder().decode(yield* stream.readUntil("\n"));
  }
}

Deno.test("the echo chat shows to all what came back from the echo server", async () => {
  await using echo = await startExample("echo_server/main.ts");
  await using example = await ServedExample.start(
    "echo_chat/main.ts",
    ["--echo-port", String(echo.port)],
    { permissions: ["-P=serve"] },
  );
  const url = `ws://127.0.0.1:${example.port}/socket`;
  const peers = [new WebSocketPeer(url), new WebSocketPeer(url)];
  for (const peer of peers) {
    for (let connected = false; !connected;) {
      connected = (await next(peer) as { connected: boolean }).connected;
    }
  }
  for (const text of ["hello", "two\nlines \u{1f300}", '"{}"']) {
    await peers[0]!.send(text);
    for (const peer of peers) assertEquals(await next(peer), { text });
  }
  for (const peer of peers) await peer.close();
});

Deno.test("the echo chat keeps what is said while the echo server is away", async () => {
  const { listener, port } = bindUnusedPort();
  listener.close();
  await withChat({ port, firstRetry: 5, lastRetry: 20 }, async (join) => {
    const peer = join();
    assertEquals(await next(peer), { connected: false });
    for (const text of ["one", "two"]) await peer.send(text);
    const echo = new EchoServer();
    echo.listen(port, "127.0.0.1");
    assertEquals(await next(peer), { connected: true });
    for (const text of ["one", "two"]) assertEquals(await next(peer), { text });
    await echo.drain({ timeout: 1 });
    assertEquals(await next(peer), { connected: false });
    await peer.send("three");
    const again = new EchoServer();
    again.listen(port, "127.0.0.1");
    assertEquals(await next(peer), { connected: true });
    assertEquals(await next(peer), { text: "three" });
    await peer.close();
    await again.drain({ timeout: 1 });
  });
});

Deno.test("the echo chat sends again what had not come back when the connection broke", async () => {
  const { listener, port } = bindUnusedPort();
  listener.close();
  await withChat({ port, firstRetry: 5, lastRetry: 20, maxLines: 3 }, async (join) => {
    const silent = new Silent();
    silent.listen(port, "127.0.0.1");
    const peer = join();
    while (!(await next(peer) as { connected: boolean }).connected);
    for (const text of ["1", "2", "3", "4"]) await peer.send(text);
    assertEquals(await next(peer), { refused: "4" });
    await until(() => silent.seen === '"1"\n"2"\n"3"\n');
    silent.stop();
    silent.streams[0]!.close();
    assertEquals(await next(peer), { connected: false });
    const echo = new EchoServer();
    echo.listen(port, "127.0.0.1");
    assertEquals(await next(peer), { connected: true });
    for (const text of ["1", "2", "3"]) assertEquals(await next(peer), { text });
    await peer.send("5");
    assertEquals(await next(peer), { text: "5" });
    await peer.close();
    await echo.drain({ timeout: 1 });
  });
});

Deno.test("the echo chat closes the connection of who sends what is no text", async () => {
  const { listener, port } = bindUnusedPort();
  listener.close();
  await withChat({ port }, async (join) => {
    for (const bad of [Uint8Array.of(1), "x".repeat(1001)]) {
      const peer = join();
      await peer.send(bad);
      assertEquals(await peer.closed, 1008);
    }
  });
});
