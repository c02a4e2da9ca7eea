// In a file of its own: what was read once with permission is known afterwards without.
import { assertEquals, assertRejects } from "@std/assert";
import { genLog } from "../../ioloop/mod.ts";
import { IOStream, type SslOptions } from "../../iostream/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { authority, localhost } from "./_certificates.ts";
import { inLoop } from "./_tls_pair.ts";

const ONLY_NET: Deno.PermissionOptionsObject = {
  net: true,
  env: false,
  read: false,
  run: false,
  sys: false,
  write: false,
};

function startBoth(
  one: IOStream,
  other: IOStream,
  client: SslOptions,
): [ReturnType<IOStream["startTls"]>, ReturnType<IOStream["startTls"]>] {
  return [
    one.startTls(false, client, { serverHostname: "localhost" }),
    other.startTls(true, localhost),
  ];
}

Deno.test({
  name: "IOStream.startTls() needs no permission but net: it trusts caCerts then, and nobody else",
  permissions: ONLY_NET,
  fn: () =>
    inLoop(async () => {
      const [client, server] = await Promise.all(
        startBoth(...await IOStream.pair(), { caCerts: authority.cert }),
      );
      client.write("hello\n");
      assertEquals((await server.readUntil("\n")).length, 6);
      client.close();
      server.close();

      await expectLog(genLog, /^Cannot set up TLS/, async () => {
        const [refusing, refused] = startBoth(...await IOStream.pair(), {});
        await assertRejects(async () => await refusing, Deno.errors.InvalidData);
        await assertRejects(async () => await refused, Deno.errors.UnexpectedEof);
      }, { required: false });
    }),
});
