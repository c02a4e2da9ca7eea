import { assertEquals } from "@std/assert";
import { reasonPhrase, responses } from "../../http/status.ts";

Deno.test("responses holds the registered phrases", () => {
  assertEquals([responses[200], responses[404], responses[431]], [
    "OK",
    "Not Found",
    "Request Header Fields Too Large",
  ]);
  assertEquals(responses[600], undefined);
});

Deno.test("reasonPhrase() of a code that is not registered is Unknown", () => {
  assertEquals([reasonPhrase(304), reasonPhrase(599)], ["Not Modified", "Unknown"]);
});
