import { assertEquals } from "@std/assert";
import { errorCode } from "../../ioloop/mod.ts";

Deno.test("errorCode() gives the code of an error of the operating system", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const refused = await Deno.connect({ hostname: "127.0.0.1", port }).catch((error) => error);
  assertEquals(errorCode(refused), "ECONNREFUSED");
  const missing = await Deno.stat("no such file").catch((error) => error);
  assertEquals(errorCode(missing), "ENOENT");
});

Deno.test("errorCode() gives null for any other value", () => {
  for (
    const value of [new Error("mine"), Object.assign(new Error(), { code: 42 }), null, {}, "E"]
  ) {
    assertEquals(errorCode(value), null);
  }
});
