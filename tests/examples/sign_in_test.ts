import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bindUnusedPort } from "../../testing/mod.ts";
import { Browser, locationOf } from "../web/_providers.ts";
import { type OpenIDProviderOptions, RealProvider } from "../web/_providers_openid.ts";
import { ServedExample } from "./_served_example.ts";

const PERMISSIONS = ["--allow-net", "--allow-env", "--allow-read"];

async function withSignIn(
  body: (browser: Browser, provider: RealProvider) => Promise<void>,
  options: Omit<OpenIDProviderOptions, "redirectUri"> = {},
): Promise<void> {
  const { listener, port } = bindUnusedPort();
  listener.close(); // both have to know it before they start
  const base = `http://127.0.0.1:${port}`;
  await using provider = await RealProvider.start({
    redirectUri: `${base}/callback`,
    ...options,
  });
  await using _example = await ServedExample.start("sign_in/main.ts", ["--port", String(port)], {
    permissions: PERMISSIONS,
    env: {
      OIDC_ISSUER: provider.issuer,
      OIDC_CLIENT_ID: RealProvider.CLIENT_ID,
      OIDC_CLIENT_SECRET: RealProvider.CLIENT_SECRET,
      BASE_URL: base,
    },
  });
  await body(new Browser(port), provider);
}

Deno.test("the example of signing in goes the whole round with a real provider", async () => {
  await withSignIn(async (browser, provider) => {
    assertEquals(
      locationOf(await browser.open("/profile"), new URL(provider.issuer)).pathname,
      "/sign-in",
    );
    const home = await browser.follow("/sign-in");
    assertEquals(home.status, 200);
    assertStringIncludes(home.text, "Hello, ada");
    const cookie = browser.cookies.get("session")!;
    assert(!cookie.includes("ada"));

    const profile = { sub: "ada", name: "Ada", email: "ada@example.org" };
    assertEquals(JSON.parse((await browser.open("/profile")).text), profile);
    assertEquals(provider.seen.filter((seen) => seen === "POST /token").length, 1);

    const token = /name="_xsrf" value="([^"]+)"/.exec(home.text)![1]!;
    assertEquals((await browser.post("/sign-out", {})).status, 403);
    assertEquals((await browser.post("/sign-out", { _xsrf: token })).status, 303);
    browser.cookies.set("session", cookie); // it is worth nothing any more
    assertMatch((await browser.open("/")).text, /Sign in/);
  });
});

Deno.test("the example of signing in refreshes an access token before it ends", async () => {
  await withSignIn(async (browser, provider) => {
    await browser.follow("/sign-in");
    for (const count of [2, 3]) {
      assertEquals((await browser.open("/profile")).status, 200);
      assertEquals(provider.seen.filter((seen) => seen === "POST /token").length, count);
    }
  }, { accessTokenLives: 20 });
});

Deno.test("the example of signing in answers 403 to a refusal and to a forged state", async () => {
  await withSignIn(async (browser, provider) => {
    assertEquals((await browser.open("/callback?code=1&state=forged")).status, 403);
    assertEquals((await browser.open("/callback?code=1")).status, 400);
    provider.refusing = true;
    assertEquals((await browser.follow("/sign-in")).status, 403);
    assertMatch((await browser.open("/")).text, /Sign in/);
  });
});

Deno.test("the example of signing in says what it needs to know", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...PERMISSIONS, "examples/sign_in/main.ts", "--port", "0"],
    cwd: new URL("../../", import.meta.url),
    env: { OIDC_ISSUER: "" },
    stdin: "null",
  }).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "Set OIDC_ISSUER");
});
