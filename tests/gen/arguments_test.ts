import { assertEquals } from "@std/assert";
import { Arguments } from "../../gen/mod.ts";

Deno.test("Arguments holds arguments and can be taken apart", () => {
  const value = new Arguments([1, "two"]);
  assertEquals(value.args, [1, "two"]);
  assertEquals(value.kwargs, {});
  const [args, kwargs] = value;
  assertEquals([args, kwargs], [[1, "two"], {}]);
});
