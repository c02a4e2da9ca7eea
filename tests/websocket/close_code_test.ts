import { assertEquals } from "@std/assert";
import { canReceiveCloseCode, canSendCloseCode } from "../../websocket/close_code.ts";

const ALLOWED = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012]
  .concat([1013, 1014, 3000, 3999, 4000, 4999]);
const REFUSED = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999]
  .concat([5000, 65535]);

Deno.test("canReceiveCloseCode() takes registered codes and the open ranges", () => {
  for (const code of ALLOWED) assertEquals(canReceiveCloseCode(code), true);
});

Deno.test("canReceiveCloseCode() refuses what must not cross the wire", () => {
  for (const code of REFUSED) assertEquals(canReceiveCloseCode(code), false);
});

Deno.test("canSendCloseCode() allows what a peer takes", () => {
  for (const code of ALLOWED) assertEquals(canSendCloseCode(code), true);
  for (const code of REFUSED) assertEquals(canSendCloseCode(code), false);
});

Deno.test("canSendCloseCode() refuses what is not an integer", () => {
  for (const code of [1000.5, NaN, Infinity, -1000]) {
    assertEquals(canSendCloseCode(code), false);
  }
});
