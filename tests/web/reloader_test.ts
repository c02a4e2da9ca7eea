// Nothing here imports process/, which the setting needs.
import { assertEquals } from "@std/assert";
import { genLog, IOLoop } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { Application } from "../../web/mod.ts";

Deno.test("Application.listen() with autoreload warns once when process/ is not imported", async () => {
  const loop = new IOLoop();
  await loop.run(async () => {
    const { matched } = await expectLog(genLog, /^Cannot reload/, async () => {
      for (
        const settings of [{ debug: true, autoreload: false }, { debug: true }, {
          autoreload: true,
        }]
      ) {
        await new Application([], settings).listen(0, "127.0.0.1").shutdown();
      }
    });
    assertEquals(matched, [
      "Cannot reload when a file changes: import @waterspout/waterspout/process, which does that",
    ]);
  });
  loop.close();
});
