import { assertEquals } from "@std/assert";
import { isValidIp } from "../../iostream/mod.ts";

Deno.test("isValidIp() knows addresses of both families", () => {
  for (const address of ["127.0.0.1", "4.4.4.4", "::1", "2620:0:1cfe:face:b00c::3", "::"]) {
    assertEquals(isValidIp(address), true, address);
  }
});

Deno.test("isValidIp() refuses names, blanks, NUL and garbage, and never throws", () => {
  const others = [
    "localhost",
    "4.4.4.4<",
    " 127.0.0.1",
    "127.0.0.1 ",
    "::1\n",
    "",
    " ",
    "\n",
    "\0",
  ];
  for (const text of [...others, "1.2.3", "1.2.3.4.5", "256.1.1.1", ":::", "x".repeat(100)]) {
    assertEquals(isValidIp(text), false, JSON.stringify(text));
  }
  for (const value of [null, undefined, 4, {}]) {
    assertEquals(isValidIp(value as unknown as string), false);
  }
});
