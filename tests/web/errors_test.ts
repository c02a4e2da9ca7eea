import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { Finish, HTTPError, InvalidArgumentError, MissingArgumentError } from "../../web/mod.ts";

Deno.test("HTTPError says its status, reason and log message", () => {
  const error = new HTTPError(404, "no such page");
  assertEquals(String(error), "HTTPError: HTTP 404: Not Found (no such page)");
  assertEquals([error.statusCode, error.reason, error.logMessage], [
    404,
    undefined,
    "no such page",
  ]);
  assertEquals(new HTTPError().message, "HTTP 500: Internal Server Error");
  assertEquals(new HTTPError(299).message, "HTTP 299: Unknown");
  const own = new HTTPError(404, undefined, { reason: "Gone Fishing", cause: error });
  assertEquals([own.message, own.reason], ["HTTP 404: Gone Fishing", "Gone Fishing"]);
  assertStrictEquals(own.cause, error);
});

Deno.test("MissingArgumentError is an HTTPError 400 that names the argument", () => {
  const error = new MissingArgumentError("foo");
  assertInstanceOf(error, HTTPError);
  assertEquals([error.statusCode, error.argName], [400, "foo"]);
  assertEquals(error.name, "MissingArgumentError");
  assertEquals(error.logMessage, "Missing argument foo");
});

Deno.test("Finish carries what is still to be written", () => {
  assertEquals(new Finish().chunk, undefined);
  assertEquals(new Finish({ a: 1 }).chunk, { a: 1 });
});

Deno.test("HTTPError.getMessage() is what is logged, null for nothing", () => {
  assertEquals(new HTTPError(404, "no such page").getMessage(), "no such page");
  assertEquals(new HTTPError(404).getMessage(), null);
  assertEquals(new MissingArgumentError("foo").getMessage(), "Missing argument foo");
});

Deno.test("InvalidArgumentError is an HTTPError 400 whose reason names the argument", () => {
  const error = new InvalidArgumentError("page", "x", "a whole number");
  assertInstanceOf(error, HTTPError);
  assertEquals([error.name, error.statusCode, error.argName], [
    "InvalidArgumentError",
    400,
    "page",
  ]);
  assertEquals(error.reason, "Invalid argument page");
  assertEquals(error.getMessage(), 'Invalid argument page: expected a whole number, got "x"');
});
