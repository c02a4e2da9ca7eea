import { assertEquals, assertStrictEquals } from "@std/assert";
import { HTTPInputError, HTTPOutputError } from "../../http/errors.ts";

Deno.test("HTTPInputError() carries status, cause and name", () => {
  const cause = new Error("inner");
  const error = new HTTPInputError("outer", { status: 413, cause });
  assertEquals([error.name, error.message, error.status], ["HTTPInputError", "outer", 413]);
  assertStrictEquals(error.cause, cause);
  assertEquals(new HTTPInputError("outer").status, 400);
});

Deno.test("HTTPOutputError() carries cause and name", () => {
  const cause = new Error("inner");
  const error = new HTTPOutputError("outer", { cause });
  assertEquals([error.name, error.message], ["HTTPOutputError", "outer"]);
  assertStrictEquals(error.cause, cause);
});
