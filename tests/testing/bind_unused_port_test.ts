import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { bindUnusedPort } from "../../testing/mod.ts";

Deno.test("bindUnusedPort() listens on a port of its own at 127.0.0.1", () => {
  const first = bindUnusedPort();
  const second = bindUnusedPort();
  assert(first.port > 0);
  assertNotEquals(first.port, second.port);
  assertEquals(first.listener.addr.hostname, "127.0.0.1");
  assertEquals(first.listener.addr.port, first.port);
  first.listener.close();
  second.listener.close();
});

Deno.test("bindUnusedPort() takes another address", () => {
  const { listener } = bindUnusedPort({ address: "0.0.0.0" });
  assertEquals(listener.addr.hostname, "0.0.0.0");
  listener.close();
});

Deno.test({
  name: "bindUnusedPort() says what reusePort needs",
  ignore: "listenDatagram" in Deno,
  fn() {
    assertThrows(() => bindUnusedPort({ reusePort: true }), TypeError, "--unstable-net");
  },
});
