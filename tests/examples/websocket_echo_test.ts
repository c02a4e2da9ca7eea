import { assertEquals } from "@std/assert";
import { ServedExample } from "./_served_example.ts";
import { WebSocketPeer } from "./_websocket_peer.ts";
import { browser, runInBrowser } from "./_browser.ts";

const start = () =>
  ServedExample.start("websocket_echo/main.ts", [], { permissions: ["-P=serve"] });

Deno.test("the echo sends text and bytes back as what they were, in order", async () => {
  await using example = await start();
  const peer = new WebSocketPeer(`ws://127.0.0.1:${example.port}/echo`);
  const large = new Uint8Array(64 * 1024).map((_, at) => at);
  const messages = ["", "text \u{1f300}", Uint8Array.of(), Uint8Array.of(0, 255), large];
  for (const message of messages) await peer.send(message);
  for (const message of messages) assertEquals(await peer.next(), message);
  await peer.close();
});

Deno.test("the echo refuses a message that is too large with 1009", async () => {
  await using example = await start();
  for (const path of ["echo", "broadcast"]) {
    const peer = new WebSocketPeer(`ws://127.0.0.1:${example.port}/${path}`);
    await peer.send("x".repeat(64 * 1024 + 1));
    assertEquals(await peer.closed, 1009);
  }
});

Deno.test("the broadcast reaches everybody, and tells how many there are", async () => {
  await using example = await start();
  const url = `ws://127.0.0.1:${example.port}/broadcast`;
  const ada = new WebSocketPeer(url);
  assertEquals(await ada.next(), '{"present":1}');
  const bob = new WebSocketPeer(url);
  for (const peer of [ada, bob]) assertEquals(await peer.next(), '{"present":2}');
  await bob.send('{"present":7}');
  await bob.send(Uint8Array.of(1, 2));
  for (const peer of [ada, bob]) {
    assertEquals(JSON.parse(String(await peer.next())), { text: '{"present":7}' });
    assertEquals(await peer.next(), Uint8Array.of(1, 2));
  }
  await bob.close();
  assertEquals(await ada.next(), '{"present":1}');
  await ada.close();
});

Deno.test({
  name: "the page of the echo sends and shows text and bytes in Chromium",
  ignore: browser === null,
  fn: () => runInBrowser("_websocket_echo_in_browser.ts"),
});
