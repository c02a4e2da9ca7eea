import { assert, assertEquals } from "@std/assert";
import { cpuCount } from "../../process/mod.ts";

Deno.test("cpuCount() is a whole number from 1, that of the processors", () => {
  assert(Number.isInteger(cpuCount()) && cpuCount() >= 1);
  assertEquals(cpuCount(), navigator.hardwareConcurrency);
});
