import { assertEquals, assertMatch } from "@std/assert";
import { type HandlerClass, RequestHandler } from "../../web/mod.ts";
import { serve } from "./_serve.ts";

// SHA-1 of "Hello, world"
const TAG = '"e02aa1b106d5c7c6a98def2b13005d5b84fd8dc8"';

class Hello extends RequestHandler {
  override get(): void {
    this.setHeader("Content-Language", "en_US");
    this.write("Hello, ");
    this.write("world");
  }
  override head(): void {
    this.get();
  }
  override post(): void {
    this.get();
  }
}

class Plain extends RequestHandler {
  override get(): void {
    this.write("Hello, world");
  }
}

Deno.test("Etag is the SHA-1 of the body in quotes", async () => {
  await serve([["/", Hello], ["/plain", Plain]], async ({ get, ask }) => {
    for (const path of ["/", "/plain", "/plain"]) {
      const { headers, text } = await get(path);
      assertEquals([text, headers.getList("Etag")], ["Hello, world", [TAG]]);
    }
    assertEquals((await ask("HEAD", "/")).headers.get("Etag"), TAG);
  });
});

Deno.test("Etag that the client has makes the answer a 304 without a body", async () => {
  await serve([["/", Hello], ["/plain", Plain]], async ({ get, ask }) => {
    for (const path of ["/", "/plain"]) {
      const answer = await get(path, { "If-None-Match": TAG });
      assertEquals([answer.status, answer.text], [304, ""]);
      assertEquals(answer.headers.get("Etag"), TAG);
      for (const name of ["Content-Length", "Content-Type", "Content-Language"]) {
        assertEquals([name, answer.headers.has(name)], [name, false]);
      }
    }
    const head = await ask("HEAD", "/", { headers: { "If-None-Match": TAG } });
    assertEquals([head.status, head.headers.has("Content-Length")], [304, false]);
  });
});

Deno.test("If-None-Match is compared weakly, with each tag of a list, and * with any", async () => {
  await serve([["/", Plain]], async ({ get }) => {
    const cases: [string, number][] = [
      ["*", 304],
      [` ${TAG} `, 304],
      [`W/${TAG}`, 304],
      [`"a", ${TAG}`, 304],
      [`"a","b,c" , W/${TAG},"d"`, 304],
      ['"a"', 200],
      ["", 200],
      [TAG.slice(1, -1), 200],
      [`"x${TAG.slice(1)}`, 200],
      ["**", 200],
      ['W/"', 200],
    ];
    for (const [field, status] of cases) {
      assertEquals([field, (await get("/", { "If-None-Match": field })).status], [field, status]);
    }
  });
});

Deno.test("Etag is for GET and HEAD and for status 200 only", async () => {
  class Created extends RequestHandler {
    override get(): void {
      this.setStatus(201);
      this.write("made");
    }
  }
  await serve([["/", Hello], ["/created", Created]], async ({ ask, get }) => {
    const post = await ask("POST", "/", { headers: { "If-None-Match": TAG } });
    assertEquals([post.status, post.headers.has("Etag")], [200, false]);
    const created = await get("/created", { "If-None-Match": "*" });
    assertEquals([created.status, created.headers.has("Etag")], [201, false]);
    assertEquals((await get("/nowhere")).headers.has("Etag"), false);
  });
});

Deno.test("Etag is not sent with an answer that was flushed", async () => {
  class Flushed extends RequestHandler {
    override get(): void {
      this.write("Hello, ");
      this.flush();
      this.write("world");
    }
  }
  await serve([["/", Flushed]], async ({ get }) => {
    const { status, headers } = await get("/", { "If-None-Match": "*" });
    assertEquals([status, headers.has("Etag")], [200, false]);
  });
});

function etagged(computeEtag: () => string | null, own?: string): HandlerClass {
  return class extends RequestHandler {
    override computeEtag(): string | null {
      return computeEtag();
    }
    override get(): void {
      if (own !== undefined) this.setHeader("Etag", own);
      this.write("Hello, world");
    }
  };
}

Deno.test("computeEtag() may be overridden, and return null for none", async () => {
  const routes = [
    ["/own", etagged(() => 'W/"v1"')],
    ["/none", etagged(() => null)],
    ["/set", etagged(() => '"computed"', '"set"')],
  ] as const;
  await serve(routes, async ({ get }) => {
    assertEquals((await get("/own")).headers.get("Etag"), 'W/"v1"');
    assertEquals((await get("/own", { "If-None-Match": '"v1"' })).status, 304);
    const none = await get("/none", { "If-None-Match": "*" });
    assertEquals([none.status, none.headers.has("Etag")], [200, false]);
    assertEquals((await get("/set")).headers.get("Etag"), '"set"');
    assertEquals((await get("/set", { "If-None-Match": '"set"' })).status, 304);
    assertEquals((await get("/set", { "If-None-Match": '"computed"' })).status, 200);
  });
});

Deno.test("checkEtagHeader() and setEtagHeader() may be called before the end", async () => {
  let built = 0;
  class Page extends RequestHandler {
    override computeEtag(): string {
      return '"page 1"';
    }
    override get(): void {
      this.setEtagHeader();
      if (this.checkEtagHeader()) {
        this.setStatus(304);
        return;
      }
      built++;
      this.write("page 1");
    }
  }
  await serve([["/", Page]], async ({ get }) => {
    assertEquals((await get("/")).text, "page 1");
    assertEquals((await get("/", { "If-None-Match": '"page 1"' })).status, 304);
    assertEquals(built, 1);
  });
});

Deno.test("Etag changes with the body, whatever its form and length", async () => {
  class Echo extends RequestHandler {
    override get(): void {
      const text = this.getArgument("text").repeat(Number(this.getArgument("times", "1")));
      this.write(this.getArgument("bytes", "") === "" ? text : new TextEncoder().encode(text));
    }
  }
  await serve([["/", Echo]], async ({ get }) => {
    const tag = async (query: string) => (await get(`/?${query}`)).headers.get("Etag")!;
    assertEquals(await tag("text=Hello,+world"), TAG);
    assertEquals(await tag("text=Hello,+world&bytes=1"), TAG);
    const tags = new Set<string>();
    for (let i = 0; i < 600; i++) tags.add(await tag(`text=${i}`));
    for (const times of [1023, 1024, 1025, 100_000]) tags.add(await tag(`text=x&times=${times}`));
    assertEquals(tags.size, 604);
    for (const one of tags) assertMatch(one, /^"[0-9a-f]{40}"$/);
  });
});

Deno.test("Etag goes with a cookie in the same answer, also in a 304", async () => {
  class Counted extends RequestHandler {
    override get(): void {
      this.setCookie("seen", "1");
      this.write("Hello, world");
    }
  }
  await serve([["/", Counted]], async ({ get }) => {
    for (const headers of [{}, { "If-None-Match": TAG }]) {
      const answer = await get("/", headers);
      assertEquals(answer.headers.get("Etag"), TAG);
      assertEquals(answer.headers.get("Set-Cookie"), "seen=1; Path=/");
    }
  });
});
