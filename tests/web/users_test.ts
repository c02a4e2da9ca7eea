import { assert, assertEquals, assertThrows } from "@std/assert";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { appLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  addSlash,
  authenticated,
  isAbsolute,
  removeSlash,
  RequestHandler,
  url,
} from "../../web/mod.ts";
import { serve } from "./_serve.ts";

Deno.test("currentUser asks getCurrentUser() once, when it is first used", async () => {
  let asked = 0;
  class User extends RequestHandler {
    override getCurrentUser(): string {
      asked++;
      return "ada";
    }
    override get(): void {
      if (this.getArgument("use", null) !== null) this.write(this.currentUser + this.currentUser);
    }
  }
  await serve([["/", User]], async ({ get }) => {
    assertEquals((await get("/")).text, "");
    assertEquals(asked, 0);
    assertEquals((await get("/?use=1")).text, "adaada");
    assertEquals(asked, 1);
  });
});

Deno.test("currentUser is null by default, and a null one is not asked for again", async () => {
  let asked = 0;
  class Nobody extends RequestHandler {
    override getCurrentUser(): unknown {
      asked++;
      return super.getCurrentUser();
    }
    override get(): void {
      assertEquals([this.currentUser, this.currentUser], [null, null]);
    }
  }
  await serve([["/", Nobody]], async ({ get }) => {
    assertEquals((await get("/")).status, 200);
    assertEquals(asked, 1);
  });
});

Deno.test("currentUser that an async prepare set is used, and the hook is not called", async () => {
  class User extends RequestHandler {
    override getCurrentUser(): never {
      throw new Error("not to be called");
    }
    override *prepare(): CoroutineGenerator {
      yield* sleep(1);
      this.currentUser = { name: "ada" };
    }
    override get(): void {
      this.write(this.currentUser.name);
    }
  }
  await serve([["/", User]], async ({ get }) => assertEquals((await get("/")).text, "ada"));
});

class Members extends RequestHandler {
  override getCurrentUser(): string | null {
    return this.getArgument("user", null);
  }
  @authenticated
  override *get(name: string): CoroutineGenerator {
    yield* sleep(1);
    this.write(`${this.currentUser} sees ${name}`);
  }
  override head = authenticated(function (this: RequestHandler) {
    this.setHeader("X-Seen", "1");
  });
  @authenticated
  override post(): void {
    this.write("posted");
  }
}

Deno.test("authenticated lets a user pass, with the arguments of the path", async () => {
  await serve([["/(.*)", Members]], async ({ get, ask }) => {
    assertEquals((await get("/x?user=ada")).text, "ada sees x");
    assertEquals((await ask("HEAD", "/x?user=ada")).headers.get("X-Seen"), "1");
    assertEquals((await ask("POST", "/x?user=ada")).text, "posted");
  });
});

Deno.test("authenticated sends others to the login URL, with the page they wanted", async () => {
  await serve([["/(.*)", Members]], async ({ get, ask }) => {
    const answer = await get("/relative?a=b%20c");
    assertEquals(answer.status, 302);
    assertEquals(answer.headers.get("Location"), "/login?next=%2Frelative%3Fa%3Db%2520c");
    const head = await ask("HEAD", "/relative");
    assertEquals([head.status, head.headers.get("Location")], [302, "/login?next=%2Frelative"]);
    assertEquals((await ask("POST", "/relative")).status, 403);
  }, { loginUrl: "/login" });
});

Deno.test("authenticated gives an absolute login URL the full URL, and one with a query nothing", async () => {
  await serve([["/(.*)", Members]], async ({ get }) => {
    const { headers } = await get("/page", { Host: "here.example" });
    assertEquals(
      headers.get("Location"),
      "http://example.com/login?next=http%3A%2F%2Fhere.example%2Fpage",
    );
  }, { loginUrl: "http://example.com/login" });
  await serve([["/(.*)", Members]], async ({ get }) => {
    assertEquals((await get("/page")).headers.get("Location"), "/login?from=us");
  }, { loginUrl: "/login?from=us" });
});

Deno.test("authenticated without the setting loginUrl is a 500 that names it in the log", async () => {
  await serve([["/(.*)", Members]], async ({ get }) => {
    await expectLog(appLog, /needs the setting loginUrl/, async () => {
      assertEquals((await get("/page")).status, 500);
    });
  });
});

Deno.test("getLoginUrl() can be overridden", async () => {
  class Own extends Members {
    override getLoginUrl(): string {
      return `/login/${this.getArgument("lang")}`;
    }
  }
  await serve([["/(.*)", Own]], async ({ get }) => {
    assertEquals(
      (await get("/?lang=fr")).headers.get("Location"),
      "/login/fr?next=%2F%3Flang%3Dfr",
    );
  });
});

class Slash extends RequestHandler {
  @addSlash
  override get(): void {
    this.write("with");
  }
  override head = addSlash(() => undefined);
  @addSlash
  override post(): void {
    this.write("posted");
  }
}

Deno.test("addSlash redirects to the path with a slash, keeping the query", async () => {
  await serve([["/a/?", Slash]], async ({ get, ask }) => {
    assertEquals((await get("/a/")).text, "with");
    assertEquals((await ask("POST", "/a/")).text, "posted");
    const { status, headers } = await get("/a?b=c%20d");
    assertEquals([status, headers.get("Location")], [301, "/a/?b=c%20d"]);
    assertEquals((await ask("HEAD", "/a")).headers.get("Location"), "/a/");
    assertEquals((await ask("POST", "/a")).status, 404);
  });
});

class NoSlash extends RequestHandler {
  @removeSlash
  override get(): void {
    this.write("without");
  }
  @removeSlash
  override post(): void {
    this.write("posted");
  }
}

Deno.test("removeSlash redirects to the path without slashes, keeping the query", async () => {
  await serve([["/.*", NoSlash]], async ({ get, ask }) => {
    assertEquals((await get("/a")).text, "without");
    assertEquals((await get("/")).text, "without");
    const { status, headers } = await get("/a/?b=c");
    assertEquals([status, headers.get("Location")], [301, "/a?b=c"]);
    assertEquals((await get("/a///")).headers.get("Location"), "/a");
    assertEquals((await ask("POST", "/a/")).status, 404);
  });
});

Deno.test("removeSlash takes a path that is full of slashes without holding the loop", async () => {
  await serve([["/.*", NoSlash]], async ({ get }) => {
    const slashes = "/".repeat(60_000);
    const start = performance.now();
    assertEquals((await get(`/a${slashes}b`)).text, "without");
    assertEquals((await get(`/a${slashes}`)).headers.get("Location"), "/a");
    assert(performance.now() - start < 1000);
  });
});

Deno.test("addSlash and removeSlash never send a client to another host", async () => {
  await serve([["//evil.example", Slash], ["/.*", NoSlash]], async ({ get }) => {
    assertEquals((await get("//evil.example")).headers.get("Location"), "/evil.example/");
    assertEquals((await get("//evil.example/")).headers.get("Location"), "/evil.example");
  });
});

Deno.test("requireSetting() returns a setting, or says who needs it", async () => {
  class Settings extends RequestHandler {
    override get(): void {
      assertThrows(() => this.requireSetting("no"), Error, "Cannot use this feature: the app");
      assertThrows(() => this.requireSetting("no", "mail"), Error, "mail: the application needs");
      this.write(this.requireSetting("greeting") as string);
    }
  }
  const greeting = "hello";
  await serve([["/", Settings]], async ({ get }) => {
    assertEquals((await get("/")).text, greeting);
  }, { greeting });
});

Deno.test("reverseUrl() of a handler is the application's", async () => {
  class Link extends RequestHandler {
    override get(): void {
      this.write(this.reverseUrl("story", 42, "a b"));
    }
  }
  const story = url("/story/([0-9]+)/(.*)", Link, {}, "story");
  await serve([["/", Link], story], async ({ get }) => {
    assertEquals((await get("/")).text, "/story/42/a%20b");
  });
});

Deno.test("getJson() returns the body, or is 400 with the reason in the log", async () => {
  class Json extends RequestHandler {
    override post(): void {
      this.write({ sum: this.getJson<{ numbers: number[] }>().numbers.length });
    }
  }
  await serve([["/", Json]], async ({ ask }) => {
    const post = (body: string | Uint8Array) => ask("POST", "/", { body });
    assertEquals((await post('{"numbers": [1, 2]}')).text, '{"sum":2}');
    assertEquals((await post('\ufeff{"numbers": []}')).text, '{"sum":0}');
    for (const body of ["", "{", "nul", Uint8Array.of(0x22, 0xff, 0x22)]) {
      assertEquals((await post(body)).status, 400);
    }
  });
});

Deno.test("isAbsolute() is true of a path with a slash in front, and of a web address", () => {
  for (const path of ["/", "/a", "http://x/", "https://x/"]) assertEquals(isAbsolute(path), true);
  for (const path of ["", "a", "a/b", "ftp://x"]) assertEquals(isAbsolute(path), false);
});
