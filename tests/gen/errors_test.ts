import { assertEquals } from "@std/assert";
import {
  KeyReuseError,
  LeakedCallbackError,
  ReturnValueIgnoredError,
  UnknownKeyError,
} from "../../gen/mod.ts";

Deno.test("errors about keys carry them and show them in their message", () => {
  const key = ["a", 1];
  const reuse = new KeyReuseError(key);
  assertEquals([reuse.name, reuse.key], ["KeyReuseError", key]);
  assertEquals(
    reuse.message,
    'Cannot register the key [ "a", 1 ]: it is pending; Wait for it first',
  );
  const unknown = new UnknownKeyError(key);
  assertEquals([unknown.name, unknown.key], ["UnknownKeyError", key]);
  const leaked = new LeakedCallbackError(["a", key]);
  assertEquals([leaked.name, leaked.keys], ["LeakedCallbackError", ["a", key]]);
  assertEquals(leaked.message, 'Cannot end the coroutine: no Wait for "a", [ "a", 1 ]');
});

Deno.test("ReturnValueIgnoredError shows the value that would be lost", () => {
  const error = new ReturnValueIgnoredError(42);
  assertEquals(error.name, "ReturnValueIgnoredError");
  assertEquals(error.message, "Cannot return 42 from an engine function: nobody would get it");
});
