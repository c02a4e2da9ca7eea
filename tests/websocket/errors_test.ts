import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { WebSocketClosedError, WebSocketError } from "../../websocket/errors.ts";

Deno.test("WebSocketError() carries message, cause and close code", () => {
  const cause = new Error("under it");
  const error = new WebSocketError("Cannot go on", { code: 1009, cause });
  assertEquals(error.name, "WebSocketError");
  assertEquals(error.message, "Cannot go on");
  assertEquals(error.code, 1009);
  assertStrictEquals(error.cause, cause);
});

Deno.test("WebSocketError() is a protocol error unless told", () => {
  const error = new WebSocketError("Cannot go on");
  assertEquals(error.code, 1002);
  assertEquals("cause" in error, false);
});

Deno.test("WebSocketClosedError() is a WebSocketError with code 1006 unless told", () => {
  const error = new WebSocketClosedError("Cannot write message");
  assertInstanceOf(error, WebSocketError);
  assertEquals(error.name, "WebSocketClosedError");
  assertEquals(error.code, 1006);
  assertEquals(new WebSocketClosedError("Closed", { code: 1001 }).code, 1001);
});
