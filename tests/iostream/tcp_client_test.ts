import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { bindUnusedPort } from "../../testing/mod.ts";
import { CancelledError, Future, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { sleep } from "../../gen/mod.ts";
import {
  type AddressFamily,
  DefaultResolver,
  type IOStream,
  OverrideResolver,
  type ResolvedAddress,
  Resolver,
  TCPClient,
  TCPServer,
} from "../../iostream/mod.ts";

/** Notes who connects, and says hello. */
class Greeter extends TCPServer {
  readonly peers: Deno.NetAddr[] = [];

  override handleStream(stream: IOStream, address: Deno.Addr): void {
    this.peers.push(address as Deno.NetAddr);
    stream.write("hello\n");
    stream.close();
  }
}

/** Gives the addresses that it was made with, and notes what it was asked. */
class Script extends Resolver {
  readonly families: (AddressFamily | undefined)[] = [];
  closed = 0;
  readonly #hostnames: readonly string[];

  constructor(...hostnames: string[]) {
    super();
    this.#hostnames = hostnames;
  }

  override resolve(
    _host: string,
    port: number,
    family?: AddressFamily,
  ): Future<ResolvedAddress[]> {
    this.families.push(family);
    const all = this.#hostnames.map((hostname): ResolvedAddress => ({
      family: hostname.includes(":") ? "ipv6" : "ipv4",
      hostname,
      port,
    }));
    return Future.resolved(all.filter((address) => (family ?? address.family) === address.family));
  }

  override close(): void {
    this.closed++;
  }
}

class Silent extends Resolver {
  cancelled = false;

  override resolve(): Future<ResolvedAddress[]> {
    return new Future(() => this.cancelled = true);
  }
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

// Runs `body` with a server on a port of `address` and a client.
function withServer(
  address: string,
  body: (client: TCPClient, server: Greeter, port: number) => Promise<void>,
  resolver?: Resolver,
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = new Greeter();
    server.listen(0, address);
    const client = new TCPClient(resolver === undefined ? {} : { resolver });
    try {
      await body(client, server, (server.addresses[0] as Deno.NetAddr).port);
    } finally {
      client.close();
      server.stop();
    }
  }, { timeout: 10_000 });
}

async function assertGreeted(stream: IOStream): Promise<void> {
  assertEquals(new TextDecoder().decode(await stream.readUntilClose()), "hello\n");
}

// Deno removes the file of a Unix socket once the accept in flight has ended.
function isEmpty(directory: string): boolean {
  return [...Deno.readDirSync(directory)].length === 0;
}

// A port on which nobody listens, for the moment.
function freePort(): number {
  const { listener, port } = bindUnusedPort();
  listener.close();
  return port;
}

Deno.test("TCPClient.connect() reaches a host by name and by address, in any or one family", () =>
  withServer("localhost", async (client, _server, port) => {
    for (const host of ["localhost", "127.0.0.1"]) {
      for (const options of [{}, { family: "ipv4" as const }]) {
        await assertGreeted(await client.connect(host, port, options));
      }
    }
  }));

Deno.test({
  name: "TCPClient.connect() reaches IPv6, and a host of both families that serves but one",
  ignore: !hasIpv6(),
  fn: async () => {
    await withServer("::1", async (client, _server, port) => {
      await assertGreeted(await client.connect("::1", port));
      await assertGreeted(await client.connect("::1", port, { family: "ipv6" }));
    });
    for (const served of ["127.0.0.1", "::1"]) {
      const resolver = new Script("::1", "127.0.0.1");
      await withServer(served, async (client, server, port) => {
        await assertGreeted(await client.connect("both", port));
        assertEquals(server.peers.map(({ hostname }) => hostname), [served]);
        const other = served === "::1" ? "ipv4" : "ipv6";
        await assertRejects(
          () => client.connect("both", port, { family: other }).then(),
          Deno.errors.ConnectionRefused,
        );
      }, resolver);
      assertEquals(resolver.families.length, 2);
    }
  },
});

Deno.test("TCPClient.connect() tries the next address of the same family", () =>
  withServer("127.0.0.2", async (client, server, port) => {
    await assertGreeted(await client.connect("two", port));
    assertEquals(server.peers.length, 1);
  }, new Script("127.0.0.1", "127.0.0.2")));

Deno.test("TCPClient.connect() fails with the platform's error", () =>
  new IOLoop().run(async () => {
    const client = new TCPClient();
    await assertRejects(
      () => client.connect("127.0.0.1", freePort()).then(),
      Deno.errors.ConnectionRefused,
    );
    await assertRejects(
      () => client.connect("nowhere.invalid", 80).then(),
      Deno.errors.NotFound,
      "nowhere.invalid",
    );
    await assertRejects(
      () => client.connect("::1", 80, { family: "ipv4" }).then(),
      Deno.errors.NotFound,
    );
    client.close();
    const nobody = new TCPClient({ resolver: new Script() });
    await assertRejects(() => nobody.connect("nobody", 80).then(), Deno.errors.NotFound);
  }));

Deno.test("TCPClient.connect() from a source address: the server sees it", () =>
  withServer("127.0.0.1", async (client, server, port) => {
    await assertGreeted(await client.connect("127.0.0.1", port, { sourceIp: "127.0.0.1" }));
    await assertGreeted(await client.connect("127.0.0.1", port, { sourceIp: "127.0.0.3" }));
    const sourcePort = freePort();
    await assertGreeted(await client.connect("127.0.0.1", port, { sourcePort }));
    const [first, second, third] = server.peers;
    assertEquals(first!.hostname, "127.0.0.1");
    assertEquals(second!.hostname, "127.0.0.3");
    assertEquals([third!.hostname, third!.port], ["127.0.0.1", sourcePort]);
  }));

Deno.test("TCPClient.connect() from a source address looks up that family only", () => {
  const resolver = new Script("::1", "127.0.0.1");
  return withServer("127.0.0.1", async (client, _server, port) => {
    await assertGreeted(await client.connect("both", port, { sourceIp: "127.0.0.1" }));
    assertEquals(resolver.families, ["ipv4"]);
  }, resolver);
});

Deno.test("TCPClient.connect() from an address that is not of this machine fails", () =>
  withServer("127.0.0.1", async (client, server, port) => {
    await assertRejects(
      () => client.connect("127.0.0.1", port, { sourceIp: "192.0.2.1" }).then(),
      Deno.errors.AddrNotAvailable,
      "192.0.2.1",
    );
    assertEquals(server.peers, []);
  }));

Deno.test("TCPClient.connect() throws at once for what cannot be meant", () =>
  new IOLoop().run(() => {
    const client = new TCPClient();
    for (const port of [0, -1, 65536, 1.5, NaN]) {
      assertThrows(() => client.connect("localhost", port), RangeError, "Cannot connect to port");
    }
    for (const sourcePort of [-1, 65536, 1.5]) {
      assertThrows(() => client.connect("localhost", 80, { sourcePort }), RangeError, "from port");
    }
    assertThrows(() => client.connect("localhost", 80, { sourceIp: "localhost" }), TypeError);
    assertThrows(
      () => client.connect("localhost", 80, { sourceIp: "::1", family: "ipv4" }),
      TypeError,
      "not of the family",
    );
    client.close();
    client.close();
    assertThrows(() => client.connect("localhost", 80), Error, "the client was closed");
    assertThrows(() => client.connectUnix("/nowhere"), Error, "the client was closed");
  }));

Deno.test("TCPClient.connect() within its timeout, while the resolver never answers", () =>
  new IOLoop().run(async () => {
    const resolver = new Silent();
    const client = new TCPClient({ resolver });
    const error = await assertRejects(
      () => client.connect("silent", 80, { timeout: 50 }).then(),
      TimeoutError,
    );
    assertStringIncludes(error.message, "silent:80: it took longer than 50 ms");
    assert(resolver.cancelled);
    client.close();
  }));

// Takes the place of Deno.connect: no attempt ever ends, but those that are given up.
async function withStalledNetwork(
  body: (open: Set<string>) => Promise<void>,
): Promise<void> {
  const { connect } = Deno;
  const open = new Set<string>();
  Deno.connect = (({ hostname, signal }: Deno.ConnectOptions) => {
    open.add(hostname!);
    return new Promise((_, reject) => {
      signal!.addEventListener("abort", () => {
        open.delete(hostname!);
        reject(signal!.reason);
      });
    });
  }) as unknown as typeof connect;
  try {
    await body(open);
  } finally {
    Deno.connect = connect;
  }
}

Deno.test("TCPClient.connect() closes every attempt when its time is over, or it is cancelled", () =>
  withStalledNetwork((open) =>
    new IOLoop().run(async () => {
      const client = new TCPClient({ resolver: new Script("10.0.0.1", "fd00::1") });
      const timed = client.connect("slow", 80, { timeout: 330 });
      timed.catch(() => {});
      while (open.size < 2) await sleep(5);
      assertEquals([...open], ["10.0.0.1", "fd00::1"]);
      await assertRejects(() => timed.then(), TimeoutError);
      while (open.size > 0) await sleep(1);
      const cancelled = client.connect("slow", 80);
      while (open.size < 1) await sleep(1);
      cancelled.cancel();
      while (open.size > 0) await sleep(1);
      await assertRejects(() => cancelled.then(), CancelledError);
      client.close();
    })
  ));

Deno.test("TCPClient.connect() that is done leaves no timeout behind, and cancel() finds it done", () =>
  withServer("127.0.0.1", async (client, _server, port) => {
    const future = client.connect("127.0.0.1", port, { timeout: 20 });
    const stream = await future;
    assertEquals(future.cancel(), false);
    await sleep(30);
    await assertGreeted(stream);
  }));

Deno.test("TCPClient.connect() closes the stream of a Future that is cancelled before it was read", () =>
  withServer("127.0.0.1", async (client, server, port) => {
    const future = client.connect("127.0.0.1", port);
    while (!future.done()) await sleep(1);
    assertEquals(future.cancel(), true);
    assert(future.cancelled());
    while (server.connectionCount > 0 || server.peers.length === 0) await sleep(1);
  }));

Deno.test("TCPClient.connect() gives its options to the stream", () =>
  withServer("127.0.0.1", async (client, _server, port) => {
    const stream = await client.connect("127.0.0.1", port, {
      maxBufferSize: 4096,
      readChunkSize: 512,
      maxWriteBufferSize: 100,
    });
    const { maxBufferSize, readChunkSize, maxWriteBufferSize } = stream;
    assertEquals([maxBufferSize, readChunkSize, maxWriteBufferSize], [4096, 512, 100]);
    stream.close();
  }));

Deno.test("TCPClient.connect() goes where an OverrideResolver sends it", () =>
  withServer("127.0.0.1", async (_client, _server, port) => {
    const resolver = new OverrideResolver(new DefaultResolver(), {
      "example.com:80": ["127.0.0.1", port],
    });
    const client = new TCPClient({ resolver });
    await assertGreeted(await client.connect("example.com", 80));
    client.close();
  }));

Deno.test("TCPClient.close() closes the resolver that it made, and no other", () =>
  new IOLoop().run(() => {
    const made: Script[] = [];
    class Own extends Script {
      constructor() {
        super("127.0.0.1");
        made.push(this);
      }
    }
    try {
      Resolver.configure(Own);
      new TCPClient().close();
      const given = new Own();
      new TCPClient({ resolver: given }).close();
      assertEquals(made.map(({ closed }) => closed), [1, 0]);
    } finally {
      Resolver.configure(null);
    }
  }));

Deno.test({
  name: "TCPClient.connect() connects by name where only the name is granted",
  permissions: { net: ["localhost", "0.0.0.0"] },
  fn: () =>
    new IOLoop().run(async () => {
      const server = new Greeter();
      server.listen(0, "0.0.0.0");
      const { port } = server.addresses[0] as Deno.NetAddr;
      const client = new TCPClient();
      await assertGreeted(await client.connect("localhost", port));
      await assertRejects(
        () => client.connect("127.0.0.1", port).then(),
        Deno.errors.NotCapable,
        "--allow-net",
      );
      client.close();
      server.stop();
    }),
});

Deno.test("TCPClient.connectUnix() connects to a path, in its time, or fails with the platform's error", () =>
  new IOLoop().run(async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/socket`;
    const server = new Greeter();
    server.listenUnix(path);
    const client = new TCPClient();
    await assertGreeted(await client.connectUnix(path, { timeout: 5000 }));
    server.stop();
    while (!isEmpty(directory)) await sleep(1);
    await assertRejects(() => client.connectUnix(path).then(), Deno.errors.NotFound);
    client.close();
    await Deno.remove(directory);
  }));

Deno.test("TCPClient.connectUnix() that is cancelled closes what comes late", () =>
  new IOLoop().run(async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/socket`;
    const server = new Greeter();
    server.listenUnix(path);
    const client = new TCPClient();
    const future = client.connectUnix(path);
    future.cancel();
    await assertRejects(() => future.then(), CancelledError);
    while (server.peers.length === 0 || server.connectionCount > 0) await sleep(1);
    server.stop();
    client.close();
    while (!isEmpty(directory)) await sleep(1);
    await Deno.remove(directory);
  }));

// Deno kept a connection whose attempt was aborted in the moment in which it succeeded.
Deno.test("TCPClient.connect() that is cancelled at any moment leaves no connection behind", () =>
  withServer("127.0.0.1", async (client, server, port) => {
    const moments: ((cancel: () => void) => void)[] = [
      (cancel) => cancel(),
      queueMicrotask,
      (cancel) => Promise.resolve().then(() => queueMicrotask(cancel)),
      setImmediate,
      (cancel) => setImmediate(() => setImmediate(cancel)),
    ];
    for (let round = 0; round < 300; round++) {
      const future = client.connect("127.0.0.1", port);
      moments[round % moments.length]!(() => future.cancel());
      await future.then((stream) => stream.close(), () => {});
    }
    while (server.connectionCount > 0) await sleep(1);
  }));
