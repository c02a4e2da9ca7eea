import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { type ApplicationSettings, RequestHandler } from "../../web/mod.ts";
import { serve, type Served } from "./_serve.ts";

type Body = (handler: RequestHandler) => unknown;

function withHandler(
  body: Body,
  test: (served: Served) => Promise<void>,
  settings: ApplicationSettings = {},
): Promise<void> {
  class Handling extends RequestHandler {
    override get(): unknown {
      return body(this);
    }
  }
  return serve([["/", Handling]], test, settings);
}

// The Set-Cookie fields that a handler's answer has.
async function cookiesSetBy(body: Body, settings: ApplicationSettings = {}): Promise<string[]> {
  let fields: string[] = [];
  await withHandler(body, async ({ get }) => {
    fields = (await get("/")).headers.getList("Set-Cookie");
  }, settings);
  return fields;
}

Deno.test("setCookie() writes the attributes in alphabetical order", async () => {
  const cookies = await cookiesSetBy((handler) => {
    handler.setCookie("foo", "bar", { maxAge: 10 });
    handler.setCookie("a", "1", { secure: true });
    handler.setCookie("c", "1", { httpOnly: true });
    handler.setCookie("x", "blah", { domain: "foo.com", path: "/foo" });
    handler.setCookie("all", "1", {
      sameSite: "Lax",
      secure: true,
      path: "/p",
      maxAge: 0,
      httpOnly: true,
      expires: new Date(0),
      domain: "d",
    });
    handler.setCookie("plain", new TextEncoder().encode("bytes"), { path: "" });
  });
  assertEquals(cookies, [
    "foo=bar; Max-Age=10; Path=/",
    "a=1; Path=/; Secure",
    "c=1; HttpOnly; Path=/",
    "x=blah; Domain=foo.com; Path=/foo",
    "all=1; Domain=d; expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Max-Age=0; Path=/p; " +
    "SameSite=Lax; Secure",
    "plain=bytes",
  ]);
});

Deno.test("setCookie() prints nothing for flags that are false", async () => {
  const cookies = await cookiesSetBy((handler) => {
    handler.setCookie("a", "1", { httpOnly: false, secure: false, path: "/" });
  });
  assertEquals(cookies, ["a=1; Path=/"]);
});

Deno.test("setCookie() replaces what an earlier call with the name set", async () => {
  const cookies = await cookiesSetBy((handler) => {
    handler.setCookie("a", "1");
    handler.setCookie("b", "2");
    handler.setCookie("a", "3", { path: "/x" });
  });
  assertEquals(cookies, ["a=3; Path=/x", "b=2; Path=/"]);
});

Deno.test("setCookie() counts expiresDays from now; expires wins", async () => {
  const [days, both, ms] = await cookiesSetBy((handler) => {
    handler.setCookie("a", "1", { expiresDays: 10 });
    handler.setCookie("b", "1", { expiresDays: 10, expires: new Date(0) });
    handler.setCookie("c", "1", { expires: 86_400_000 });
  });
  const end = /^a=1; expires=(.+ GMT); Path=\/$/.exec(days!)![1]!;
  assert(Math.abs(Date.parse(end) - Date.now() - 10 * 86_400_000) < 10_000);
  assertEquals(both, "b=1; expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/");
  assertEquals(ms, "c=1; expires=Fri, 02 Jan 1970 00:00:00 GMT; Path=/");
});

Deno.test("setCookie() quotes values that getCookie() gives back", async () => {
  const values = { equals: "a=b", quote: 'a"b', semicolon: "a;b", comma: "a,b\\c", latin: "\xe9" };
  const cookies = await cookiesSetBy((handler) => {
    for (const [name, value] of Object.entries(values)) handler.setCookie(name, value);
  });
  assertEquals(cookies, [
    'equals="a=b"; Path=/',
    'quote="a\\"b"; Path=/',
    'semicolon="a\\073b"; Path=/',
    'comma="a\\054b\\\\c"; Path=/',
    'latin="\\351"; Path=/',
  ]);
  await withHandler((handler) => handler.write({ ...handler.cookies }), async ({ get }) => {
    const Cookie = cookies.map((cookie) => cookie.replace("; Path=/", "")).join("; ");
    assertEquals(JSON.parse((await get("/", { Cookie })).text), values);
  });
});

Deno.test("setCookie() refuses what would end a name, a value or an attribute", async () => {
  const cookies = await cookiesSetBy((handler) => {
    const refuses = (name: string, value: string, options = {}) =>
      assertThrows(() => handler.setCookie(name, value, options), TypeError, "Cannot set cookie");
    for (let code = 0; code <= 0x20; code++) refuses("a", `x${String.fromCharCode(code)}y`);
    for (const code of [...Array(0x20).keys(), 0x7f, 0x3b]) {
      const text = `x${String.fromCharCode(code)}y`;
      refuses(text, "1");
      for (const option of ["domain", "path", "sameSite"]) refuses("a", "1", { [option]: text });
    }
    for (const name of ["", "a b", "a=b", "a;b", 'a"b', "é"]) refuses(name, "1");
    refuses("a", "\u20ac");
    for (const option of ["domain", "path", "sameSite"]) refuses("a", "1", { [option]: "\u010a" });
    refuses("a", "1", { maxAge: 1.5 });
    refuses("a", "1", { maxAge: NaN });
  });
  assertEquals(cookies, []);
});

Deno.test("clearCookie() sets an empty cookie that has expired", async () => {
  const [plain, placed] = await cookiesSetBy((handler) => {
    handler.clearCookie("a");
    handler.clearCookie("b", { domain: "d", path: "/p" });
  });
  const end = /^a=""; expires=(.+ GMT); Path=\/$/.exec(plain!)![1]!;
  assert(Date.parse(end) < Date.now() - 86_400_000);
  assertMatch(placed!, /^b=""; Domain=d; expires=.+ GMT; Path=\/p$/);
});

Deno.test("clearCookie() takes no end of its own", async () => {
  await cookiesSetBy((handler) => {
    for (const options of [{ expires: new Date() }, { expiresDays: 1 }, { maxAge: 1 }]) {
      assertThrows(() => handler.clearCookie("a", options), TypeError, "is not an option");
    }
  });
});

Deno.test("clearAllCookies() clears each cookie of the request", async () => {
  await withHandler((handler) => handler.clearAllCookies(), async ({ get }) => {
    const { headers } = await get("/", { Cookie: "foo=bar; baz=xyzzy; spa ce=1" });
    const names = headers.getList("Set-Cookie").map((field) => /^[^;]+/.exec(field)![0]);
    assertEquals(names, ['foo=""', 'baz=""']);
  });
});

Deno.test("Cookies go with an error page, a redirect and a flushed answer", async () => {
  const bodies: Body[] = [
    (handler) => handler.sendError(400),
    () => {
      throw new TypeError("broken");
    },
    (handler) => handler.redirect("/"),
    (handler) => void handler.flush(),
  ];
  for (const [i, end] of bodies.entries()) {
    class Handling extends RequestHandler {
      override get(): unknown {
        this.setCookie("a", "1");
        return end(this);
      }
      override logException(): void {}
    }
    await serve([["/", Handling]], async ({ get }) => {
      const { headers, status } = await get("/");
      assertEquals([i, headers.getList("Set-Cookie")], [i, ["a=1; Path=/"]], String(status));
    });
  }
});

Deno.test("getCookie() takes malformed cookies without an error", async () => {
  const body: Body = (handler) => handler.write(handler.getCookie("foo", "default"));
  await withHandler(body, async ({ get }) => {
    const cases = {
      "/=exception;": "default",
      "foo=bar; =; ;;": "bar",
      'foo="unterminated': '"unterminated',
      "foo": "default",
      "foo=a=b=c": "a=b=c",
      "=x; foo=y": "y",
    };
    for (const [Cookie, text] of Object.entries(cases)) {
      assertEquals([Cookie, (await get("/", { Cookie })).text], [Cookie, text]);
    }
  });
});

Deno.test("cookies does not take its names from Object.prototype", async () => {
  await withHandler(
    (handler) => handler.write(String(handler.getCookie("toString"))),
    async ({ get }) => {
      assertEquals((await get("/")).text, "null");
    },
  );
});

const SECRET = { cookieSecret: "0123456789" };

Deno.test("getSignedCookie() reads what setSignedCookie() set", async () => {
  await withHandler((handler) => {
    const bytes = handler.getSignedCookie("user");
    if (bytes !== null) handler.write(bytes);
    else handler.setSignedCookie("user", "ada; byron");
  }, async ({ get }) => {
    const [field] = (await get("/")).headers.getList("Set-Cookie");
    assertMatch(field!, /^user="2\|1:0\|10:[0-9]+\|4:user\|16:[^;]+"; expires=.+ GMT; Path=\/$/);
    const end = /expires=([^;]+)/.exec(field!)![1]!;
    assert(Math.abs(Date.parse(end) - Date.now() - 30 * 86_400_000) < 10_000);
    const cookie = field!.slice(0, field!.indexOf(";"));
    assertEquals((await get("/", { Cookie: cookie })).text, "ada; byron");
    assertEquals((await get("/", { Cookie: cookie.replace("user=", "admin=") })).text, "");
    const forged = cookie.replace(/.(?="$)/, (digit) => digit === "0" ? "1" : "0");
    assertEquals((await get("/", { Cookie: forged })).text, "");
  }, SECRET);
});

Deno.test("setSignedCookie() takes options, and ends with the browser by expiresDays null", async () => {
  const cookies = await cookiesSetBy((handler) => {
    handler.setSignedCookie("a", "1", { expiresDays: null, httpOnly: true, version: 1 });
  }, SECRET);
  assertMatch(cookies[0]!, /^a="?MQ==\|[0-9]+\|[0-9a-f]{40}"?; HttpOnly; Path=\/$/);
});

Deno.test("getSignedCookie() takes the value, its greatest age and oldest version as options", async () => {
  await withHandler((handler) => {
    const value = handler.createSignedValue("a", "1", 1);
    const read = (options = {}) => handler.getSignedCookie("a", { value, ...options })?.length;
    assertEquals(read(), 1);
    assertEquals(read({ minVersion: 2 }), undefined);
    assertEquals(handler.getSignedCookie("a"), null);
    assertEquals(handler.getSignedCookie("a", { value: null }), null);
    assertEquals(handler.getSecureCookie("a", { value })?.length, 1);
  }, async ({ get }) => {
    await expectLog(genLog, "", async () => {
      assertEquals((await get("/")).status, 200);
    }, { required: false });
  }, SECRET);
});

Deno.test("Signed cookies use the key of the setting keyVersion, and read all of them", async () => {
  const keys = { 0: "first", 1: "second" };
  let first = "";
  await withHandler((handler) => {
    first = handler.createSignedValue("a", "1");
    handler.setSecureCookie("a", "1");
  }, async ({ get }) => {
    await get("/");
  }, { cookieSecret: keys, keyVersion: 0 });
  await withHandler((handler) => {
    assertEquals(handler.getSignedCookie("a", { value: first })?.length, 1);
    assertEquals(handler.getSignedCookieKeyVersion("a", first), 0);
    assertEquals(handler.getSecureCookieKeyVersion("a", handler.createSignedValue("a", "1")), 1);
    assertEquals(handler.getSignedCookieKeyVersion("a"), null);
  }, async ({ get }) => {
    assertEquals((await get("/")).status, 200);
  }, { cookieSecret: keys, keyVersion: 1 });
});

Deno.test("Signed cookies without the setting cookieSecret are an error that names it", async () => {
  await withHandler((handler) => {
    for (
      const use of [
        () => handler.setSignedCookie("a", "1"),
        () => handler.getSignedCookie("a"),
        () => handler.createSignedValue("a", "1"),
      ]
    ) assertThrows(use, Error, "needs the setting cookieSecret");
  }, async ({ get }) => {
    assertEquals((await get("/")).status, 200);
  });
});
