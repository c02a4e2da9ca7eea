import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import * as gen from "../../gen/mod.ts";
import * as ioloop from "../../ioloop/mod.ts";
import { describeError } from "../../ioloop/errors.ts";
import { BadYieldError, CancelledError, TimeoutError } from "../../ioloop/mod.ts";

Deno.test("TimeoutError is one class for loop and coroutines", () => {
  const cause = new Error("why");
  const error = new TimeoutError("Timed out after 5 ms", { cause });
  assertEquals([error.name, error.message], ["TimeoutError", "Timed out after 5 ms"]);
  assertStrictEquals(error.cause, cause);
  assertEquals(new TimeoutError().message, "Timed out");
  assertStrictEquals(gen.TimeoutError, ioloop.TimeoutError);
  assertStrictEquals(gen.CancelledError, ioloop.CancelledError);
  assertStrictEquals(gen.BadYieldError, ioloop.BadYieldError);
});

Deno.test("CancelledError carries its reason", () => {
  assertEquals(new CancelledError().message, "Cancelled");
  assertEquals(new CancelledError("shutdown").message, "Cancelled: shutdown");
  assertEquals(new CancelledError("shutdown").reason, "shutdown");
  const reason = new Error("client left");
  const error = new CancelledError(reason);
  assertEquals([error.name, error.message], ["CancelledError", "Cancelled: client left"]);
  assertStrictEquals(error.reason, reason);
  assertStrictEquals(error.cause, reason);
});

Deno.test("BadYieldError shows the value and says what was expected", () => {
  const { name, message } = new BadYieldError(42);
  assertEquals(name, "BadYieldError");
  assert(message.startsWith("Cannot wait for 42: expected a Future"));
});

// An error with a getter that throws, in a callback, ended the loop.
Deno.test("describeError() never throws", () => {
  const error = new Error("x");
  Object.defineProperty(error, "stack", {
    get() {
      throw new Error("y");
    },
  });
  const proxy = new Proxy({}, {
    getPrototypeOf() {
      throw new Error("y");
    },
  });
  for (const each of [error, proxy]) {
    assertEquals(describeError(each), "an error that cannot be shown");
  }
});
