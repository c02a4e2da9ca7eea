import { assertEquals, assertStringIncludes } from "@std/assert";
import { sleep } from "../../gen/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { EchoServer } from "../../examples/echo_server/main.ts";
import { startExample } from "./_example_server.ts";

async function findNetcat(): Promise<boolean> {
  try {
    await new Deno.Command("nc", { args: ["-h"], stdin: "null", stdout: "null", stderr: "null" })
      .output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test({
  name: "the echo server echoes to nc, and ends on Ctrl-C",
  ignore: !await findNetcat(),
  fn: async () => {
    await using server = await startExample("echo_server/main.ts");
    const nc = new Deno.Command("nc", {
      args: ["-N", "127.0.0.1", String(server.port)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = nc.stdin.getWriter();
    await writer.write(new TextEncoder().encode("hello\nworld\n"));
    await writer.close();
    const { stdout } = await nc.output();
    assertEquals(new TextDecoder().decode(stdout), "hello\nworld\n");
    assertStringIncludes(await server.stop(), "0 connections were cut");
  },
});

Deno.test("the echo server reads no more from a client that does not read", () =>
  new IOLoop().run(function* () {
    const server = new EchoServer();
    server.listen(0, "127.0.0.1");
    const { hostname, port } = server.addresses[0] as Deno.NetAddr;
    // A client that reads nothing ahead: what comes back stays in the kernel.
    const client = yield* IOStream.connect({ hostname, port }, { maxBufferSize: 1 << 20 });
    const size = 32 << 20;
    const written = client.write(new Uint8Array(size).fill(1));
    yield* sleep(150); // it would be through in a fraction of that
    assertEquals(written.done(), false);
    let total = 0;
    while (total < size) total += (yield* client.readBytes(1 << 19, { partial: true })).length;
    yield* written;
    client.close();
    assertEquals(yield* server.drain({ timeout: 1000 }), { cut: 0 });
  }, { timeout: 20_000 }));
