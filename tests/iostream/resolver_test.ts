import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import {
  type AddressFamily,
  DefaultResolver,
  OverrideResolver,
  type ResolvedAddress,
  Resolver,
} from "../../iostream/mod.ts";

/** Resolves each name to an address that says what was asked for. */
class Recorder extends Resolver {
  readonly asked: string[] = [];
  closed = 0;

  override resolve(
    host: string,
    port: number,
    family?: AddressFamily,
  ): Future<ResolvedAddress[]> {
    this.asked.push(`${host}:${port}${family === undefined ? "" : `:${family}`}`);
    return Future.resolved([{ family: family ?? "ipv4", hostname: "127.0.0.1", port }]);
  }

  override close(): void {
    this.closed++;
  }
}

Deno.test("DefaultResolver.resolve() looks up a name of this machine, in one family if asked", () =>
  new IOLoop().run(async () => {
    const resolver = Resolver.create();
    assertInstanceOf(resolver, DefaultResolver);
    const all = await resolver.resolve("localhost", 80);
    for (const { family, hostname, port } of all) {
      assertEquals([family, port], [hostname.includes(":") ? "ipv6" : "ipv4", 80]);
    }
    assertEquals(await resolver.resolve("localhost", 81, "ipv4"), [
      { family: "ipv4", hostname: "127.0.0.1", port: 81 },
    ]);
    resolver.close();
  }));

Deno.test("DefaultResolver.resolve() of an address is that address, at once", () => {
  const resolver = new DefaultResolver();
  for (const [hostname, family] of [["127.0.0.1", "ipv4"], ["::1", "ipv6"]] as const) {
    for (const asked of [undefined, family]) {
      const future = resolver.resolve(hostname, 80, asked);
      assertEquals(future.result(), [{ family, hostname, port: 80 }]);
    }
  }
});

Deno.test("DefaultResolver.resolve() fails with an error of the platform", async () => {
  const resolver = new DefaultResolver();
  const failing: [string, AddressFamily | undefined][] = [
    ["nowhere.invalid", undefined],
    ["", undefined],
    ["a b", undefined],
    ["127.0.0.1", "ipv6"],
    ["::1", "ipv4"],
  ];
  for (const [host, family] of failing) {
    const error = await assertRejects(
      () => resolver.resolve(host, 80, family).then(),
      Deno.errors.NotFound,
    );
    assertStringIncludes(error.message, `Cannot resolve ${host || "an empty name"}`);
  }
});

Deno.test({
  name: "DefaultResolver.resolve() without net permission names the flag",
  permissions: { net: false },
  fn: async () => {
    const error = await assertRejects(
      () => new DefaultResolver().resolve("localhost", 80).then(),
      Deno.errors.NotCapable,
    );
    assertStringIncludes(error.message, "--allow-net");
  },
});

Deno.test("OverrideResolver.resolve() prefers the family's entry to the port's to the host's", async () => {
  const recorder = new Recorder();
  const resolver = new OverrideResolver(recorder, {
    "example.com": "10.0.0.1",
    "example.com:443": ["10.0.0.2", 8443],
    "example.com:443:ipv6": ["10.0.0.3", 9443],
    "other.com:80": "10.0.0.4",
  });
  await resolver.resolve("example.com", 443, "ipv6");
  await resolver.resolve("example.com", 443, "ipv4");
  await resolver.resolve("example.com", 443);
  await resolver.resolve("example.com", 80, "ipv6");
  await resolver.resolve("example.com", 80);
  await resolver.resolve("other.com", 80);
  assertEquals(recorder.asked, [
    "10.0.0.3:9443:ipv6",
    "10.0.0.2:8443:ipv4",
    "10.0.0.2:8443",
    "10.0.0.1:80:ipv6",
    "10.0.0.1:80",
    "10.0.0.4:80",
  ]);
});

Deno.test("OverrideResolver.resolve() lets through what is not in the table", async () => {
  const recorder = new Recorder();
  const resolver = new OverrideResolver(recorder, { "other.com:80": "10.0.0.4" });
  await resolver.resolve("other.com", 443);
  await resolver.resolve("constructor", 80, "ipv4");
  assertEquals(recorder.asked, ["other.com:443", "constructor:80:ipv4"]);
});

Deno.test("OverrideResolver.close() closes the resolver behind it", () => {
  const recorder = new Recorder();
  new OverrideResolver(recorder, {}).close();
  assertEquals(recorder.closed, 1);
});

Deno.test("Resolver.configure() chooses the implementation and its options", async () => {
  const recorder = new Recorder();
  try {
    Resolver.configure(OverrideResolver, { resolver: recorder, mapping: { a: "b" } });
    const resolver = Resolver.create();
    assertInstanceOf(resolver, OverrideResolver);
    await resolver.resolve("a", 80);
    assertEquals(recorder.asked, ["b:80"]);
    Resolver.configure(OverrideResolver, { mapping: { a: "127.0.0.1" } });
    const [address] = await Resolver.create().resolve("a", 80); // a DefaultResolver is behind it
    assertEquals(address?.hostname, "127.0.0.1");
  } finally {
    Resolver.configure(null);
  }
  assertInstanceOf(Resolver.create(), DefaultResolver);
  assertThrows(() => Resolver.configure(Map as never), TypeError);
});
