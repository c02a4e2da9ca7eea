import { assert, assertEquals } from "@std/assert";
import { HTTPError, RequestHandler } from "../../web/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { serve } from "../web/_serve.ts";
import { ServedExample } from "./_served_example.ts";

const PERMISSIONS = ["-P=serve"];
const STYLES = ["callback", "yield", "task", "parallel"];
const OSLO = { city: "Oslo", degrees: 6 };

async function get(port: number, path: string): Promise<[number, unknown]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const text = await response.text();
  return [response.status, response.ok ? JSON.parse(text) : null];
}

Deno.test("each style of fetching shows what its service says, or that it failed", async () => {
  await using example = await ServedExample.start("fetch_styles/main.ts", [], {
    permissions: PERMISSIONS,
  });
  for (const style of STYLES) {
    assertEquals(await get(example.port, `/${style}/Oslo`), [200, [OSLO]], style);
    assertEquals(await get(example.port, `/${style}/Paris`), [502, null], style);
    assertEquals(await get(example.port, `/${style}/%3F%26%2F..`), [502, null], style);
  }
});

Deno.test("the parallel style asks all at once, and gives up when one fails", async () => {
  let asked = 0;
  const all = Promise.withResolvers<void>();
  const waits = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  class Service extends RequestHandler {
    override async get(city: string): Promise<void> {
      if (++asked === 3) all.resolve();
      await all.promise; // one after the other would wait for ever
      if (city === "never") {
        waits.resolve();
        await gone.promise;
      }
      if (city === "bad") {
        await waits.promise;
        throw new HTTPError(500);
      }
      this.write({ city });
    }
    override onConnectionClose(): void {
      gone.resolve();
    }
  }
  await serve([["/(.*)", Service]], async ({ port }) => {
    await using example = await ServedExample.start(
      "fetch_styles/main.ts",
      ["--service", `http://127.0.0.1:${port}`],
      { permissions: PERMISSIONS },
    );
    const cities = ["c", "a", "b"];
    assertEquals(await get(example.port, `/parallel/${cities}`), [
      200,
      cities.map((city) => ({ city })),
    ]);
    assertEquals(await get(example.port, "/parallel/never,bad"), [502, null]);
    await gone.promise;
    assertEquals(await get(example.port, `/parallel/${"a,".repeat(10)}a`), [400, null]);
  });
});

Deno.test("each style of fetching answers 502 where nobody serves", async () => {
  const { listener, port } = bindUnusedPort();
  listener.close();
  await using example = await ServedExample.start(
    "fetch_styles/main.ts",
    ["--service", `http://127.0.0.1:${port}`],
    { permissions: PERMISSIONS },
  );
  const answers = await Promise.all(STYLES.map((style) => get(example.port, `/${style}/Oslo`)));
  assert(answers.every(([status]) => status === 502));
});
