import { assertEquals } from "@std/assert";
import { encodeUsernamePassword } from "../../http/credentials.ts";

Deno.test("encodeUsernamePassword() joins by a colon, in NFC and UTF-8", () => {
  const expected = new TextEncoder().encode("jos\u00e9:p:\u00e9");
  assertEquals(encodeUsernamePassword("jos\u00e9", "p:\u00e9"), expected);
  assertEquals(encodeUsernamePassword("jose\u0301", "p:e\u0301"), expected);
  assertEquals(encodeUsernamePassword("", ""), new TextEncoder().encode(":"));
});
