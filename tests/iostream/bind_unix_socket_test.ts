import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { HTTPHeaders, HTTPServer } from "../../http/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { addAcceptHandler, bindUnixSocket, IOStream, TCPClient } from "../../iostream/mod.ts";

// Runs `body` with a directory of its own.
async function withDirectory(body: (directory: string) => unknown): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

// Leaves a socket file behind, as a process does that is killed.
async function leaveBehind(path: string): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      `data:text/javascript,${
        encodeURIComponent(
          `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} });` +
            `Deno.kill(Deno.pid, "SIGKILL");`,
        )
      }`,
    ],
    stdin: "null",
  });
  const { signal } = await child.output();
  assertEquals(signal, "SIGKILL");
  assert((await Deno.lstat(path)).isSocket);
}

async function echoOnce(listener: Deno.UnixListener, path: string): Promise<void> {
  const [client, served] = await Promise.all([
    Deno.connect({ transport: "unix", path }),
    listener.accept(),
  ]);
  await client.write(Uint8Array.of(7));
  const buffer = new Uint8Array(2);
  assertEquals(await served.read(buffer), 1);
  client.close();
  served.close();
}

Deno.test("bindUnixSocket() serves HTTP", () =>
  withDirectory((directory) =>
    new IOLoop().run(async () => {
      const path = `${directory}/http`;
      const server = new HTTPServer((request) => {
        const headers = new HTTPHeaders({ "Content-Length": "5" });
        request.connection.writeHeaders({ code: 200 }, headers);
        request.connection.write("hello");
        request.connection.finish();
      });
      server.addListener(bindUnixSocket(path));
      const client = new TCPClient();
      const stream = await client.connectUnix(path);
      stream.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      const answer = new TextDecoder().decode(await stream.readUntilClose());
      assert(answer.startsWith("HTTP/1.1 200 OK\r\n"), answer);
      assert(answer.endsWith("\r\n\r\nhello"), answer);
      client.close();
      server.stop();
      await server.closeAllConnections();
    })
  ));

Deno.test("bindUnixSocket() gives the file its mode", () =>
  withDirectory((directory) => {
    for (const [options, mode] of [[{}, 0o600], [{ mode: 0o666 }, 0o666]] as const) {
      const listener = bindUnixSocket(`${directory}/socket`, options);
      assertEquals(Deno.statSync(`${directory}/socket`).mode! & 0o777, mode);
      listener.close();
    }
  }));

Deno.test("bindUnixSocket() replaces a socket that a dead process left", () =>
  withDirectory(async (directory) => {
    const path = `${directory}/socket`;
    await leaveBehind(path);
    const listener = bindUnixSocket(path);
    await echoOnce(listener, path);
    listener.close();
  }));

Deno.test("bindUnixSocket() leaves a socket alone on which somebody answers", () =>
  withDirectory(async (directory) => {
    const path = `${directory}/socket`;
    const listener = bindUnixSocket(path);
    const error = assertThrows(() => bindUnixSocket(path), Deno.errors.AddrInUse);
    assertStringIncludes(error.message, path);
    const probe = await listener.accept(); // the question that was asked
    probe.close();
    await echoOnce(listener, path);
    listener.close();
  }));

Deno.test("bindUnixSocket() refuses other kinds of file, and leaves them alone", () =>
  withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/file`, "precious");
    await Deno.mkdir(`${directory}/directory`);
    for (const name of ["file", "directory"]) {
      const error = assertThrows(
        () => bindUnixSocket(`${directory}/${name}`),
        Deno.errors.AlreadyExists,
      );
      assertStringIncludes(error.message, `${name}: it exists and is not a socket`);
    }
    assertEquals(await Deno.readTextFile(`${directory}/file`), "precious");
    assertThrows(() => bindUnixSocket(""), TypeError, "its path is empty");
  }));

Deno.test({
  name: "bindUnixSocket() takes an abstract name on Linux, and no file appears",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const path = `\0waterspout-${crypto.randomUUID()}`;
    const listener = bindUnixSocket(path);
    await echoOnce(listener, path);
    const error = assertThrows(() => bindUnixSocket(path), Deno.errors.AddrInUse);
    assertStringIncludes(error.message, `@${path.slice(1)}: it is in use`);
    listener.close();
    await assertRejects(() => Deno.connect({ transport: "unix", path }));
  },
});

Deno.test("bindUnixSocket() gives connections that a stream reads and an accept handler takes", () =>
  withDirectory((directory) =>
    new IOLoop().run(async () => {
      const path = `${directory}/socket`;
      const listener = bindUnixSocket(path);
      const remove = addAcceptHandler(listener, (conn) => {
        const stream = new IOStream(conn);
        stream.write("hello\n");
        stream.close();
      });
      const client = new TCPClient();
      const stream = await client.connectUnix(path);
      assertEquals(new TextDecoder().decode(await stream.readUntil("\n")), "hello\n");
      stream.close();
      client.close();
      remove();
      listener.close();
    })
  ));
