import { assertEquals } from "@std/assert";
import { accessLog, appLog, genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";

Deno.test("accessLog, appLog and genLog log under categories of their own", async () => {
  const logs = { access: accessLog, application: appLog, general: genLog };
  for (const [name, log] of Object.entries(logs)) {
    const { matched } = await expectLog(["waterspout", name], /./, () => {
      accessLog.info("access");
      appLog.info("application");
      genLog.info("general");
    });
    assertEquals(matched, [name]);
    assertEquals(log.isEnabledFor("error"), false);
  }
});
