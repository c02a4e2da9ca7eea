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

// A log showed the outermost error only, and of an AggregateError nothing that helps.
Deno.test("describeError() shows what led to an error, within bounds", () => {
  const cause = new Error("middle", { cause: "root" });
  const text = describeError(new AggregateError([new Error("one"), 2], "all", { cause }));
  const heads = text.split("\n").filter((line) => !line.startsWith("    at "));
  assertEquals(heads, [
    "AggregateError: all",
    "Caused by Error: one",
    "Caused by 2",
    "Caused by Error: middle",
    'Caused by "root"',
  ]);
  const circular = new Error("circular");
  circular.cause = circular;
  assertEquals(describeError(circular).split("Caused by").length, 6);
});
