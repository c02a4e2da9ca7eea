import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { coroutine } from "../../gen/mod.ts";
import { expectLog, memoryPair } from "../../testing/mod.ts";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { IOStream, StreamClosedError, TCPServer } from "../../iostream/mod.ts";
import { LineClient } from "../../examples/line_protocol/client.ts";
import {
  compute,
  formatRequest,
  parseAnswer,
  parseRequest,
  RefusedError,
} from "../../examples/line_protocol/protocol.ts";
import { LineServer, type LineServerOptions } from "../../examples/line_protocol/server.ts";
import { startExample, talk } from "./_example_server.ts";
import { run } from "./_programs.ts";

const encode = (text: string) => new TextEncoder().encode(text);

// Runs `body` with a server in this process.
function withServer(
  body: (port: number, server: TCPServer) => Promise<void>,
  options: LineServerOptions = {},
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = new LineServer(options);
    server.listen(0, "127.0.0.1");
    await body((server.addresses[0] as Deno.NetAddr).port, server);
    assertEquals(await server.drain({ timeout: 1000 }), { cut: 0 });
  }, { timeout: 10_000 });
}

Deno.test("the line protocol parses what it formats, and refuses the rest in words", () => {
  for (const line of ["ADD 1 2", "MUL 0.5 -3", "ADD", "QUIT"]) {
    assertEquals(formatRequest(parseRequest(line)), `${line}\n`);
  }
  for (const line of ["", "add 1", "ADD x", "ADD  1", "ADD 1 ", "QUIT now", "ADD Infinity"]) {
    assertThrows(() => parseRequest(line), RefusedError);
  }
  assertEquals(compute({ command: "ADD", numbers: [] }), 0);
  assertEquals(compute({ command: "MUL", numbers: [2, 3] }), 6);
  assertEquals([parseAnswer("OK"), parseAnswer("OK 1")], ["", "1"]);
  assertThrows(() => parseAnswer("ERR no"), RefusedError, "no");
  assertThrows(() => parseAnswer("what"), SyntaxError);
});

Deno.test("the line server answers lines that are cut anywhere", () =>
  withServer(async (port) => {
    const input = encode("ADD 1 2\nMUL 2 3\r\nADD x\nQUIT\n");
    const output = 'OK 3\nOK 6\nERR "x" is not a number\nOK\n';
    assertEquals(await talk(port, [input]), output);
    assertEquals(await talk(port, Array.from(input, (byte) => Uint8Array.of(byte))), output);
    for (let at = 1; at < input.length; at++) {
      assertEquals(await talk(port, [input.subarray(0, at), input.subarray(at)]), output);
    }
  }));

Deno.test("the line server survives clients that hang up at any byte", () =>
  withServer(async (port) => {
    const input = encode("ADD 1 2\nMUL 2 3");
    for (let at = 0; at <= input.length; at++) {
      const answer = await talk(port, [input.subarray(0, at)]);
      assertEquals(answer, at > 7 ? "OK 3\n" : "");
    }
  }));

Deno.test("the line server ends a line without end, and a client that says nothing", () =>
  withServer(async (port) => {
    await expectLog(genLog, /Unsatisfiable read/, async () => {
      assertEquals(await talk(port, [new Uint8Array(1025).fill(65)]).catch(() => ""), "");
    });
    const stream = await IOStream.connect({ hostname: "127.0.0.1", port });
    assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "ERR too slow\n");
  }, { idleTimeout: 50 }));

// The answer quoted the line, and was longer than the client takes.
Deno.test("the line server refuses a long word in a line that is not too long", () =>
  withServer(async (port) => {
    const words = [`${"x".repeat(1023)}\n`, `ADD ${"y".repeat(1019)}\n`];
    assertEquals(
      await talk(port, words.map(encode)),
      `ERR "${"x".repeat(20)}..." is no command\nERR "${"y".repeat(20)}..." is not a number\n`,
    );
  }));

// It waited for ever, and a thousand such clients kept everybody else out.
Deno.test("the line server sends a client away that does not read its answers", () =>
  new IOLoop().run(async () => {
    const [near, far] = memoryPair({ capacity: 100 });
    const server = new LineServer({ idleTimeout: 20 });
    const stream = new IOStream(near);
    const handled = coroutine(server.handleStream.bind(server))(stream);
    for (let i = 0; i < 40; i++) await far.write(encode("ADD\n"));
    await handled;
    assert(stream.closed());
    far.close();
  }, { timeout: 10_000 }));

Deno.test("LineClient shares a connection between callers, in order", () =>
  withServer(async (port) => {
    const client = await LineClient.connect("127.0.0.1", port);
    const answers = await Promise.all([client.add(1, 2), client.multiply(3, 4), client.add(0.5)]);
    assertEquals(answers, [3, 12, 0.5]);
    await assertRejects(() => client.add(Infinity), RefusedError, "is not a number");
    assertEquals(await client.add(1), 1); // a refusal harms nobody
    client.close();
    await assertRejects(() => client.add(1), StreamClosedError);
  }));

Deno.test("LineClient ends with a caller that is cancelled before its answer", () =>
  new IOLoop().run(async () => {
    class Mute extends TCPServer {
      override handleStream(): void {}
    }
    const server = new Mute();
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const client = await LineClient.connect("127.0.0.1", port);
    const first = client.ask({ command: "ADD", numbers: [1] });
    const second = client.ask({ command: "ADD", numbers: [2] });
    first.cancel();
    await assertRejects(() => second.then(), StreamClosedError);
    await server.drain({ timeout: 0 }); // what came lies there unread
  }));

Deno.test("the line server and its client work as programs", async () => {
  await using server = await startExample("line_protocol/server.ts");
  const ask = (...words: string[]) =>
    run(Deno.execPath(), [
      "run",
      "-P=serve",
      "examples/line_protocol/client.ts",
      "--port",
      String(server.port),
      ...words,
    ]);
  assertEquals(await ask("ADD", "1", "2"), "3\n");
});
