import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { bindUnusedPort } from "../../testing/mod.ts";
import { bindSockets } from "../../iostream/mod.ts";

function addressesOf(listeners: readonly Deno.Listener[]): Deno.NetAddr[] {
  return listeners.map((listener) => listener.addr as Deno.NetAddr);
}

// Runs `body` with what was bound, and closes it.
async function withSockets(
  listeners: readonly Deno.Listener[],
  body: (addresses: Deno.NetAddr[]) => unknown,
): Promise<void> {
  try {
    await body(addressesOf(listeners));
  } finally {
    for (const listener of listeners) listener.close();
  }
}

// Runs `body` while `before` is called with the options of each Deno.listen; it may throw.
async function withListen(
  before: (options: Deno.TcpListenOptions) => void,
  body: () => unknown,
): Promise<void> {
  const { listen } = Deno;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    before(options);
    return listen(options);
  }) as typeof listen;
  try {
    await body();
  } finally {
    Deno.listen = listen;
  }
}

async function canConnect(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
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

Deno.test("bindSockets() without an address takes connections of both families on one port", async () => {
  for (const address of [undefined, ""]) {
    await withSockets(bindSockets(0, address), async (addresses) => {
      assertEquals(addresses.length, 1);
      const { port } = addresses[0]!;
      assert(await canConnect("127.0.0.1", port));
      if (hasIpv6()) assert(await canConnect("::1", port));
    });
  }
});

Deno.test("bindSockets() with a family listens in that one", async () => {
  await withSockets(bindSockets(0, "", { family: "ipv4" }), ([address]) => {
    assertEquals(address?.hostname, "0.0.0.0");
  });
  await withSockets(bindSockets(0, "localhost", { family: "ipv4" }), (addresses) => {
    assertEquals(addresses.map(({ hostname }) => hostname), ["127.0.0.1"]);
  });
});

Deno.test({
  name: "bindSockets() with the family ipv6 listens in that one",
  ignore: !hasIpv6(),
  fn: async () => {
    await withSockets(bindSockets(0, "", { family: "ipv6" }), ([address]) => {
      assertEquals(address?.hostname, "::");
    });
    await withSockets(bindSockets(0, "localhost", { family: "ipv6" }), ([address]) => {
      assertEquals(address?.hostname, "::1");
    });
  },
});

Deno.test("bindSockets() refuses an address that is not of the family", () => {
  const error = assertThrows(() => bindSockets(0, "127.0.0.1", { family: "ipv6" }), TypeError);
  assertStringIncludes(error.message, "127.0.0.1: it is not of the family ipv6");
});

Deno.test("bindSockets() with port 0 gives all sockets of localhost the same port", () =>
  withSockets(bindSockets(0, "localhost"), async (addresses) => {
    const families = hasIpv6() ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
    assertEquals(addresses.map(({ hostname }) => hostname).toSorted(), families);
    const { port } = addresses[0]!;
    for (const address of addresses) {
      assertEquals(address.port, port);
      assert(await canConnect(address.hostname, port));
    }
  }));

Deno.test({
  name: "bindSockets() with port 0 tries another one where it is taken in the second family",
  ignore: !hasIpv6(),
  fn: () => {
    const taken: number[] = [];
    return withListen(
      ({ hostname, port }) => {
        if (hostname !== "::1" || taken.length === 3) return;
        taken.push(port!);
        throw new Deno.errors.AddrInUse("taken");
      },
      () =>
        withSockets(bindSockets(0, "localhost"), (addresses) => {
          assertEquals(addresses.length, 2);
          assertEquals(addresses[0]!.port, addresses[1]!.port);
          assertEquals(taken.length, 3);
        }),
    );
  },
});

Deno.test("bindSockets() of localhost makes do with IPv4 where ::1 cannot be bound", async () => {
  const errors = [
    new Deno.errors.AddrNotAvailable("no such address"),
    Object.assign(new Error("no such family"), { code: "EAFNOSUPPORT" }),
  ];
  for (const error of errors) {
    await withListen(({ hostname }) => {
      if (hostname!.startsWith("::")) throw error;
    }, async () => {
      for (const [address, expected] of [["localhost", "127.0.0.1"], ["", "0.0.0.0"]] as const) {
        await withSockets(bindSockets(0, address), (addresses) => {
          assertEquals(addresses.map(({ hostname }) => hostname), [expected]);
        });
      }
    });
  }
});

Deno.test("bindSockets() on a port in use names it, and leaves nothing open", () => {
  const { listener, port } = bindUnusedPort();
  for (const [address, place] of [["127.0.0.1", "127.0.0.1"], ["localhost", "localhost"]]) {
    const error = assertThrows(() => bindSockets(port, address), Deno.errors.AddrInUse);
    assertStringIncludes(error.message, `Cannot listen on port ${port} of ${place}`);
  }
  const error = assertThrows(() => bindSockets(port), Deno.errors.AddrInUse);
  assertStringIncludes(error.message, "all interfaces");
  listener.close();
});

Deno.test("bindSockets() refuses a wrong port or backlog, and an address of another machine", () => {
  assertThrows(() => bindSockets(65536, "127.0.0.1"), RangeError);
  assertThrows(() => bindSockets(-1, "127.0.0.1"), RangeError);
  for (const backlog of [0, -1, 1.5, NaN]) {
    assertThrows(() => bindSockets(0, "127.0.0.1", { backlog }), RangeError, "backlog");
  }
  assertThrows(() => bindSockets(0, "192.0.2.1"), Deno.errors.AddrNotAvailable);
});

Deno.test("bindSockets() asks the system for a backlog, 128 by default", () => {
  const asked: (number | undefined)[] = [];
  return withListen(({ tcpBacklog }) => void asked.push(tcpBacklog), async () => {
    for (const options of [{}, { backlog: 7 }]) {
      await withSockets(bindSockets(0, "127.0.0.1", options), () => {});
    }
    assertEquals(asked, [128, 7]);
  });
});

Deno.test({
  name: "bindSockets() without --unstable-net refuses reusePort in words",
  ignore: "listenDatagram" in Deno,
  fn: () => {
    const error = assertThrows(() => bindSockets(0, "127.0.0.1", { reusePort: true }), TypeError);
    assertStringIncludes(error.message, "--unstable-net");
  },
});

Deno.test({
  name: "bindSockets() with reusePort shares one port, also between processes",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const children: Deno.ChildProcess[] = [];
    const start = async (port: number) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--unstable-net",
          "--allow-net=127.0.0.1",
          new URL("_shared_port.ts", import.meta.url).href,
          String(port),
        ],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      children.push(child);
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      await reader.cancel();
      return Number(new TextDecoder().decode(value));
    };
    const seen = new Set<string>();
    try {
      const port = await start(0);
      assertEquals(await start(port), port);
      assertEquals(await start(port), port);
      while (seen.size < 3) {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        const answer = new Uint8Array(20);
        const count = await conn.read(answer);
        seen.add(new TextDecoder().decode(answer.subarray(0, count ?? 0)));
        conn.close();
      }
    } finally {
      for (const child of children) {
        await child.stdin.close();
        await child.status;
      }
    }
    assertEquals(seen, new Set(children.map(({ pid }) => String(pid))));
  },
});
