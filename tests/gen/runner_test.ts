import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Arguments, KeyReuseError, Runner, UnknownKeyError } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";

Deno.test("Runner keeps a key from registerCallback() to popResult()", () => {
  const runner = new Runner(new Future());
  runner.registerCallback("key");
  assert(!runner.isReady("key"));
  assertThrows(() => runner.registerCallback("key"), KeyReuseError);
  runner.setResult("key", 42);
  runner.setResult("key", 43);
  assert(runner.isReady("key"));
  assertEquals(runner.popResult("key"), 42);
  for (const use of [() => runner.isReady("key"), () => runner.popResult("key")]) {
    assertThrows(use, UnknownKeyError);
  }
});

Deno.test("resultCallback() sets what it is called with", () => {
  const runner = new Runner(new Future());
  for (const [args, expected] of [[[], undefined], [[1], 1]] as const) {
    runner.registerCallback("key");
    runner.resultCallback("key")(...args);
    assertEquals(runner.popResult("key"), expected);
  }
  runner.registerCallback("key");
  runner.resultCallback("key")(1, 2);
  assertEquals((runner.popResult("key") as Arguments).args, [1, 2]);
});

Deno.test("setResult() does nothing for a foreign key, or once the coroutine has ended", () => {
  const coroutine = new Future<void>();
  const runner = new Runner(coroutine);
  runner.setResult("foreign", 1);
  runner.registerCallback("key");
  coroutine.setResult();
  runner.setResult("key", 1);
  assert(!runner.isReady("key"));
});
