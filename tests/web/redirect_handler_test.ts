import { assertEquals } from "@std/assert";
import { RedirectHandler, type Route } from "../../web/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { appLog } from "../../ioloop/mod.ts";
import { serve } from "./_serve.ts";

function location(route: Route, path: string): Promise<[number, string | null]> {
  return new Promise((resolve, reject) => {
    serve([route], async ({ get }) => {
      const { status, headers } = await get(path);
      resolve([status, headers.get("Location")]);
    }).catch(reject);
  });
}

Deno.test("RedirectHandler redirects for good, or for now", async () => {
  assertEquals(await location(["/a", RedirectHandler, { url: "/b" }], "/a"), [301, "/b"]);
  assertEquals(
    await location(["/a", RedirectHandler, { url: "/b", permanent: false }], "/a"),
    [302, "/b"],
  );
});

Deno.test("RedirectHandler answers HEAD as it answers GET", () =>
  serve([["/a", RedirectHandler, { url: "/b" }]], async ({ ask }) => {
    const { status, headers } = await ask("HEAD", "/a");
    assertEquals([status, headers.get("Location")], [301, "/b"]);
  }));

Deno.test("RedirectHandler appends the query before a fragment", async () => {
  const to = async (url: string, path: string) =>
    (await location(["/a", RedirectHandler, { url }], path))[1];
  assertEquals(await to("/b", "/a?x=1&y=%20"), "/b?x=1&y=%20");
  assertEquals(await to("/b?z=0", "/a?x=1"), "/b?z=0&x=1");
  assertEquals(await to("/b#top", "/a?x=1"), "/b?x=1#top");
});

Deno.test("RedirectHandler fills in positional and named groups", async () => {
  assertEquals(
    await location(["/a/(.*)/(.*)", RedirectHandler, { url: "/{1}/{0}" }], "/a/b/c"),
    [301, "/c/b"],
  );
  assertEquals(
    await location(
      ["/a/(?<first>.*)/(?<second>.*)", RedirectHandler, { url: "/{second}/{first}" }],
      "/a/b/c",
    ),
    [301, "/c/b"],
  );
  assertEquals(
    await location(["/a(/.*)?", RedirectHandler, { url: "/b{0}" }], "/a"),
    [301, "/b"],
  );
});

Deno.test("RedirectHandler encodes a group again, so that it stays a part of the path", async () => {
  const route: Route = ["/a/(.*)", RedirectHandler, { url: "/b/{0}" }];
  assertEquals(await location(route, "/a/x%3Fy%23z/%C3%A9"), [301, "/b/x%3Fy%23z/%C3%A9"]);
  assertEquals(await location(route, "/a/%0d%0aX:1"), [301, "/b/%0D%0AX%3A1"]);
});

Deno.test("RedirectHandler matches a path that begins with two slashes", async () => {
  const route: Route = ["//a", RedirectHandler, { url: "/b" }];
  assertEquals(await location(route, "//a"), [301, "/b"]);
});

Deno.test("RedirectHandler never makes another host of a group", async () => {
  const route: Route = ["/a/(.*)", RedirectHandler, { url: "/{0}" }];
  assertEquals(await location(route, "/a//evil.com/x"), [301, "/evil.com/x"]);
  assertEquals(await location(route, "/a/%2F%2Fevil.com"), [301, "/evil.com"]);
  assertEquals(await location(route, "/a/%5Cevil.com"), [301, "/%5Cevil.com"]);
  const elsewhere: Route = ["/a/(.*)", RedirectHandler, { url: "//cdn.example/{0}" }];
  assertEquals(await location(elsewhere, "/a/x"), [301, "//cdn.example/x"]);
});

Deno.test("RedirectHandler answers 500 when its URL names a group that is not there", () =>
  serve([["/a/(.*)", RedirectHandler, { url: "/{1}" }]], async ({ get }) => {
    await expectLog(appLog, /has no group \{1\}/, async () => {
      assertEquals((await get("/a/b")).status, 500);
    });
  }));
