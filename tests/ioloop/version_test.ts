import { assertEquals } from "@std/assert";
import { VERSION, VERSION_INFO } from "../../ioloop/mod.ts";
import config from "../../deno.json" with { type: "json" };

Deno.test("VERSION is the version of the package", () => {
  assertEquals(VERSION, config.version);
  assertEquals(VERSION_INFO.slice(0, 3).join("."), VERSION.split("-")[0]);
  assertEquals(VERSION_INFO[3] < 0, VERSION.includes("-"));
});
