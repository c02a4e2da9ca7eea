import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeGettingStarted } from "../../examples/getting_started/main.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { Browser } from "../web/_providers.ts";
import { ServedExample } from "./_served_example.ts";

Deno.test("the first application greets who is named in its path, as often as it is told", () =>
  new IOLoop().run(async () => {
    const server = makeGettingStarted().listen(0, "127.0.0.1");
    const browser = new Browser((server.addresses[0] as Deno.NetAddr).port);
    const greetings = async (path: string) => {
      const { status, text } = await browser.open(path);
      return status === 200 ? [...text.matchAll(/<p>(.*)<\/p>/g)].map(([, p]) => p) : status;
    };
    assertEquals(await greetings("/"), []);
    assertEquals(await greetings("/greet/Ada"), ["Hello, Ada!"]);
    assertEquals(await greetings("/greet/Ad%C3%A8le%20%3C?times=2"), [
      "Hello, Ad\u00e8le &lt;!",
      "Hello, Ad\u00e8le &lt;!",
    ]);
    assertEquals((await greetings("/greet/Ada?times=1000") as string[]).length, 100);
    assertEquals(await greetings("/greet/Ada?times=-1"), []);
    assertEquals(await greetings("/greet/Ada?times=two"), 400);
    assertEquals(await greetings("/greet/"), 404);
    await server.shutdown();
  }, { timeout: 20_000 }));

Deno.test("the form of the first application leads to a greeting", async () => {
  await using example = await ServedExample.start("getting_started/main.ts", [], {
    permissions: ["-P=serve"],
  });
  const browser = new Browser(example.port);
  const { text } = await browser.open("/");
  const _xsrf = /name="_xsrf" value="([^"]+)"/.exec(text)![1]!;
  const answer = await browser.post("/", { _xsrf, name: "Ada & Bob" });
  assertEquals([answer.status, answer.headers.get("Location")], [303, "/greet/Ada%20%26%20Bob"]);
  const greeting = await browser.open(answer.headers.get("Location")!);
  assertStringIncludes(greeting.text, "<p>Hello, Ada &amp; Bob!</p>");
  assertEquals((await browser.post("/", { _xsrf })).status, 400);
  assertEquals((await browser.post("/", { name: "Ada" })).status, 403);
});
