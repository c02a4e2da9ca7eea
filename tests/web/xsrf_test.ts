import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  type ApplicationSettings,
  type HandlerClass,
  RequestHandler,
  streamRequestBody,
} from "../../web/mod.ts";
import { serve, type Served } from "./_serve.ts";

class Form extends RequestHandler {
  override get(): void {
    this.write(this.xsrfToken);
  }
  override post(): void {
    this.write("posted");
  }
  override put(): void {
    this.write("put");
  }
  override delete(): void {
    this.write("deleted");
  }
  override patch(): void {
    this.write("patched");
  }
  override options(): void {
    this.write("options");
  }
}

interface Xsrf extends Served {
  /** Fetches a token; the cookie that goes with it is what the client then has. */
  token(cookie?: string): Promise<{ token: string; cookie: string }>;
  /** Posts, and returns the status. */
  post(parts: {
    token?: string;
    cookie?: string;
    query?: string;
    headers?: Record<string, string>;
  }): Promise<number>;
}

async function withXsrf(
  test: (xsrf: Xsrf) => Promise<void>,
  settings: ApplicationSettings = {},
  handler: HandlerClass = Form,
): Promise<void> {
  // Each refusal is a warning.
  await expectLog(genLog, "", () =>
    serve([["/", handler]], (served) => {
      const cookieField = (cookie: string | undefined) =>
        cookie === undefined ? {} : { Cookie: `_xsrf=${cookie}` };
      return test({
        ...served,
        async token(cookie) {
          const { headers, text } = await served.get("/", { ...cookieField(cookie) });
          const [field = ""] = headers.getList("Set-Cookie");
          const set = /^_xsrf="?([^";]+)/.exec(field)?.[1];
          return { token: text, cookie: set ?? cookie ?? "" };
        },
        async post({ token, cookie, query = "", headers = {} }) {
          const body = token === undefined ? "" : `_xsrf=${encodeURIComponent(token)}`;
          const type = { "Content-Type": "application/x-www-form-urlencoded" };
          const { status } = await served.ask("POST", `/${query}`, {
            headers: { ...type, ...cookieField(cookie), ...headers },
            body,
          });
          return status;
        },
      });
    }, { xsrfCookies: true, ...settings }), { required: false });
}

Deno.test("xsrfCookies refuses a POST without a token, and without a cookie", async () => {
  await withXsrf(async ({ token, post }) => {
    const { token: text, cookie } = await token();
    assertEquals(await post({}), 403);
    assertEquals(await post({ token: text }), 403);
    assertEquals(await post({ cookie }), 403);
    assertEquals(await post({ token: text, cookie }), 200);
  });
});

Deno.test("xsrfCookies says in the log why a request was refused", async () => {
  await serve([["/", Form]], async ({ ask }) => {
    const Cookie = "_xsrf=0123";
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /403 POST \/ .*'_xsrf' argument missing from POST/],
      [{ "X-Xsrftoken": "3|" }, /'_xsrf' argument has invalid format/],
      [{ "X-Xsrftoken": "4567", Cookie }, /XSRF cookie does not match POST argument/],
    ];
    for (const [headers, line] of cases) {
      await expectLog(genLog, line, async () => {
        assertEquals((await ask("POST", "/", { headers })).status, 403);
      });
    }
  }, { xsrfCookies: true });
});

Deno.test("xsrfCookies takes the token from body, query and both header fields", async () => {
  await withXsrf(async ({ token, post }) => {
    const { token: text, cookie } = await token();
    assertEquals(await post({ cookie, token: text }), 200);
    assertEquals(await post({ cookie, query: `?_xsrf=${encodeURIComponent(text)}` }), 200);
    assertEquals(await post({ cookie, headers: { "X-Xsrftoken": text } }), 200);
    assertEquals(await post({ cookie, headers: { "X-Csrftoken": text } }), 200);
    assertEquals(await post({ cookie, headers: { "X-Other": text } }), 403);
  });
});

Deno.test("xsrfCookies guards every method but GET, HEAD and OPTIONS", async () => {
  await withXsrf(async ({ ask }) => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      assertEquals([method, (await ask(method, "/")).status], [method, 403]);
    }
    assertEquals((await ask("OPTIONS", "/")).status, 200);
    assertEquals((await ask("GET", "/")).status, 200);
  });
});

Deno.test("xsrfCookies refuses a token or a cookie that is malformed", async () => {
  await withXsrf(async ({ token, post }) => {
    const { token: text, cookie } = await token();
    for (const bad of ["3|", "2|", "2|zz|00|1", "2|00000000||1", "2|00|00|1", "99|x"]) {
      assertEquals([bad, await post({ token: bad, cookie })], [bad, 403]);
      assertEquals([bad, await post({ token: text, cookie: bad })], [bad, 403]);
      assertEquals([bad, await post({ token: bad, cookie: bad })], [bad, 403]);
    }
  });
});

Deno.test("xsrfCookies takes short and foreign tokens that are the same on both sides", async () => {
  await withXsrf(async ({ post }) => {
    for (const text of ["abc", "0123", "z", "some-other-frameworks-token"]) {
      assertEquals([text, await post({ token: text, cookie: text })], [text, 200]);
      assertEquals([text, await post({ token: `${text}0`, cookie: text })], [text, 403]);
    }
  });
});

Deno.test("xsrfToken is masked anew each time, and every one of them is taken", async () => {
  await withXsrf(async ({ token, post }) => {
    const first = await token();
    const tokens = new Set([first.token]);
    for (let i = 0; i < 9; i++) tokens.add((await token(first.cookie)).token);
    assertEquals(tokens.size, 10);
    for (const text of tokens) assertEquals(await post({ token: text, cookie: first.cookie }), 200);
    assertMatch(first.token, /^2\|[0-9a-f]{8}\|[0-9a-f]{32}\|[0-9]{10}$/);
  });
});

Deno.test("xsrfToken is the same text throughout one request", async () => {
  class Twice extends RequestHandler {
    override get(): void {
      assertEquals(this.xsrfToken, this.xsrfToken);
      assertStringIncludes(this.xsrfFormHtml(), this.xsrfToken);
    }
  }
  await serve([["/", Twice]], async ({ get }) => {
    const { headers } = await get("/");
    assertEquals(headers.getList("Set-Cookie").length, 1);
  });
});

Deno.test("xsrfToken of another client is refused", async () => {
  await withXsrf(async ({ token, post }) => {
    const one = await token();
    const other = await token();
    assertNotEquals(one.cookie, other.cookie);
    assertEquals(await post({ token: one.token, cookie: other.cookie }), 403);
  });
});

Deno.test("xsrfToken keeps its moment, and sets no cookie where there is one", async () => {
  await withXsrf(async ({ get }) => {
    const cookie = "2|01020304|00000000000000000000000000000000|1000000000";
    const { text, headers } = await get("/", { Cookie: `_xsrf=${cookie}` });
    assertMatch(text, /\|1000000000$/);
    assertEquals(headers.has("Set-Cookie"), false);
  });
});

Deno.test("xsrfCookieVersion 1 and 2 take each other's tokens", async () => {
  const made: { token: string; cookie: string }[] = [];
  for (const xsrfCookieVersion of [1, 2] as const) {
    await withXsrf(async ({ token }) => {
      made.push(await token());
    }, { xsrfCookieVersion });
  }
  assertMatch(made[0]!.token, /^[0-9a-f]{32}$/);
  for (const xsrfCookieVersion of [1, 2] as const) {
    await withXsrf(async ({ token, post }) => {
      for (const { token: text, cookie } of made) {
        assertEquals(await post({ token: text, cookie }), 200);
        assertEquals(await post({ token: (await token(cookie)).token, cookie }), 200);
      }
    }, { xsrfCookieVersion });
  }
});

Deno.test("xsrfFormHtml() is the hidden input of the token", async () => {
  class Page extends RequestHandler {
    override get(): void {
      this.write(this.xsrfFormHtml());
    }
  }
  await serve([["/", Page]], async ({ get }) => {
    assertMatch((await get("/")).text, /^<input type="hidden" name="_xsrf" value="2\|[^"]+"\/>$/);
  });
});

async function cookieOf(settings: ApplicationSettings, user: unknown = null): Promise<string> {
  class Page extends Form {
    override getCurrentUser(): unknown {
      return user;
    }
  }
  let field = "";
  await serve([["/", Page]], async ({ get }) => {
    field = (await get("/")).headers.get("Set-Cookie") ?? "";
  }, settings);
  return field;
}

Deno.test("xsrfCookieName and xsrfCookieKwargs shape the cookie", async () => {
  const field = await cookieOf({
    xsrfCookieName: "__Host-xsrf",
    xsrfCookieKwargs: { httpOnly: true, expiresDays: 2, secure: true },
  });
  assertMatch(field, /^__Host-xsrf=[^;]+; expires=[^;]+ GMT; HttpOnly; Path=\/; Secure$/);
  const end = Date.parse(/expires=([^;]+)/.exec(field)![1]!);
  assert(Math.abs(end - Date.now() - 2 * 86_400_000) < 10_000);
});

Deno.test("xsrfCookieName is the cookie that is checked", async () => {
  await withXsrf(async ({ ask }) => {
    const headers = { "X-Xsrftoken": "abc", Cookie: "__Host-xsrf=abc" };
    assertEquals((await ask("POST", "/", { headers })).status, 200);
    assertEquals(
      (await ask("POST", "/", { headers: { ...headers, Cookie: "_xsrf=abc" } })).status,
      403,
    );
  }, { xsrfCookieName: "__Host-xsrf" });
});

Deno.test("xsrfToken's cookie lasts 30 days for a user, else until the browser ends", async () => {
  assertMatch(await cookieOf({}), /^_xsrf=[^;]+; Path=\/$/);
  const field = await cookieOf({}, "ada");
  const end = Date.parse(/expires=([^;]+)/.exec(field)![1]!);
  assert(Math.abs(end - Date.now() - 30 * 86_400_000) < 10_000);
  assertMatch(
    await cookieOf({ xsrfCookieKwargs: { expiresDays: null } }, "ada"),
    /^_xsrf=[^;]+; Path=\/$/,
  );
});

Deno.test("checkXsrfCookie() can be overridden, for handlers that programs call", async () => {
  class Hook extends Form {
    override checkXsrfCookie(): void {}
  }
  await withXsrf(async ({ post }) => assertEquals(await post({}), 200), {}, Hook);
});

Deno.test("xsrfCookies answers 404 to a POST that no route matches", async () => {
  await withXsrf(async ({ ask }) => {
    assertEquals((await ask("POST", "/elsewhere")).status, 404);
  });
});

Deno.test("xsrfCookies refuses a streamed body before any of it was taken", async () => {
  let taken = 0;
  @streamRequestBody
  class Upload extends RequestHandler {
    override dataReceived(): void {
      taken++;
    }
    override post(): void {
      this.write("ok");
    }
  }
  await withXsrf(
    async ({ ask }) => {
      assertEquals((await ask("POST", "/", { body: "x".repeat(1000) })).status, 403);
      assertEquals(taken, 0);
      const headers = { "X-Xsrftoken": "abc", Cookie: "_xsrf=abc" };
      assertEquals((await ask("POST", "/", { headers, body: "x" })).status, 200);
      assertEquals(taken, 1);
    },
    {},
    Upload,
  );
});
