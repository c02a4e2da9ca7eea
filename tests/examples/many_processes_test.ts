import { assertEquals, assertMatch } from "@std/assert";
import { ask } from "../http/_raw_client.ts";
import { FLAGS, Fleet } from "../process/_fleet.ts";

Deno.test({
  name: "the example of many processes serves in each of them, and ends on Ctrl-C",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using fleet = new Fleet(["--port", "0", "--processes", "2"], {
      flags: FLAGS,
      program: "examples/many_processes/main.ts",
    });
    await fleet.until(() => fleet.lines.length === 2);
    const [, port] = /listens on port (\d+)/.exec(fleet.stdout)!;
    assertEquals(fleet.lines, [
      `Process 0 listens on port ${port}`,
      `Process 1 listens on port ${port}`,
    ]);
    assertMatch((await ask(Number(port), "GET", "/")).text, /^process [01], pid \d+\n$/);
    fleet.kill("SIGINT");
    assertEquals((await fleet.ended).code, 0);
    assertEquals(fleet.lines[0], "Process 0 has ended, 0 connections were cut");
  },
});
