import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { stub } from "@std/testing/mock";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { bindUnusedPort, expectLog } from "../../testing/mod.ts";
import { genLog } from "../../ioloop/mod.ts";
import {
  AuthError,
  OpenIDConnectMixin,
  type OpenIDConnectSettings,
  RequestHandler,
  type Route,
} from "../../web/mod.ts";
import { answer, answering } from "../http/_answering.ts";
import { localhost } from "../iostream/_certificates.ts";
import { Browser, locationOf, SETTINGS, withSite } from "./_providers.ts";
import { type OpenIDProviderOptions, RealProvider } from "./_providers_openid.ts";

/** A site whose sign-in says all that it got. */
function makeSite(base: string, settings: OpenIDConnectSettings): Route[] {
  const redirectUri = `${base}/login`;
  class Base extends OpenIDConnectMixin(RequestHandler) {
    override getOpenIDConnectSettings(): OpenIDConnectSettings {
      return settings;
    }
  }
  class Login extends Base {
    override *get(): CoroutineGenerator {
      if (this.getArgument("state", null) === null && this.getArgument("code", null) === null) {
        yield* this.authorizeRedirect({ redirectUri, extraParams: { state: "not ours" } });
        return;
      }
      const user = yield* this.getAuthenticatedUser({ redirectUri });
      const info = yield* this.getUserInfo(user.accessToken, user.claims.sub);
      this.write({ user, info });
    }
  }
  class Refresh extends Base {
    override *get(): CoroutineGenerator {
      const subject = this.getArgument("sub", "ada");
      this.write(yield* this.refreshTokens(this.getArgument("token"), subject));
    }
  }
  class Info extends Base {
    override *get(): CoroutineGenerator {
      this.write(yield* this.getUserInfo(this.getArgument("token"), "somebody else"));
    }
  }
  return [["/login", Login], ["/refresh", Refresh], ["/info", Info]];
}

interface Real {
  readonly base: string;
  readonly browser: Browser;
  readonly provider: RealProvider;
}

async function withProvider(
  body: (real: Real) => Promise<void>,
  method: OpenIDProviderOptions["method"] = "client_secret_basic",
): Promise<void> {
  // The site's port is known before its provider is made, whose address its routes need.
  let provider: RealProvider | undefined;
  try {
    await withSite([], () => [], async ({ base, browser, app }) => {
      provider = await RealProvider.start({ redirectUri: `${base}/login`, method });
      app.addHandlers(
        ".*",
        makeSite(base, {
          issuer: provider.issuer,
          clientId: RealProvider.CLIENT_ID,
          clientSecret: method === "none" ? undefined : RealProvider.CLIENT_SECRET,
        }),
      );
      await body({ base, browser, provider });
    });
  } finally {
    await provider?.[Symbol.asyncDispose]();
  }
}

async function warnings(body: () => Promise<void>): Promise<readonly string[]> {
  return (await expectLog(genLog, "", body)).matched;
}

for (const method of ["client_secret_basic", "client_secret_post", "none"] as const) {
  Deno.test(`OpenIDConnectMixin signs in with a real provider, by ${method}`, async () => {
    await withProvider(async ({ browser, provider }) => {
      const { status, text } = await browser.follow("/login");
      assertEquals(status, 200, text);
      const { user, info } = JSON.parse(text);
      assertEquals([user.claims.sub, user.claims.iss], ["ada", provider.issuer]);
      assertEquals(info, { sub: "ada", name: "Ada", email: "ada@example.org" });
      assert(user.expiresIn > 0 && user.idToken.split(".").length === 3);
      assertEquals(browser.cookies.has("_auth_login"), false);
    }, method);
  });
}

Deno.test("authorizeRedirect() of OpenIDConnectMixin sends state, nonce and challenge", async () => {
  await withProvider(async ({ base, browser, provider }) => {
    const target = locationOf(await browser.open("/login"));
    assertEquals(target.origin, provider.issuer);
    const { state, nonce, code_challenge: challenge, ...rest } = Object.fromEntries(
      target.searchParams,
    );
    for (const secret of [state, nonce, challenge]) assertMatch(secret!, /^[\w-]{43}$/);
    assertEquals(rest, {
      response_type: "code",
      client_id: RealProvider.CLIENT_ID,
      redirect_uri: `${base}/login`,
      scope: "openid profile email",
      code_challenge_method: "S256",
    });
    assertMatch(browser.cookies.get("_auth_login")!, /^"2\|/);
  });
});

/** Signs in up to the way back, and returns that. */
async function comeBack({ browser, provider }: Real): Promise<URL> {
  let target = locationOf(await browser.open("/login"));
  while (target.origin === provider.issuer) {
    target = locationOf(await browser.open(target.href), target);
  }
  return target;
}

Deno.test("OpenIDConnectMixin refuses a state that is missing, forged or another browser's", async () => {
  await withProvider(async (real) => {
    const back = await comeBack(real);
    const asked = real.provider.seen.length;
    const forged = new URL(back);
    forged.searchParams.set("state", "forged");
    const missing = new URL(back);
    missing.searchParams.delete("state");
    const victim = new Browser(Number(new URL(real.base).port));
    const lines = await warnings(async () => {
      assertEquals((await real.browser.open(forged.href)).status, 403);
      assertEquals((await real.browser.open(missing.href)).status, 400);
      assertEquals((await victim.open(back.href)).status, 403);
    });
    assertEquals(real.provider.seen.length, asked); // it was not told
    for (const line of lines) {
      assert(!line.includes(back.searchParams.get("code")!), line);
      assert(!line.includes(back.searchParams.get("state")!), line);
    }
    assertEquals((await real.browser.open(back.href)).status, 200);
    await warnings(async () => assertEquals((await real.browser.open(back.href)).status, 403));
  });
});

Deno.test("OpenIDConnectMixin refuses the answer of another provider (RFC 9207)", async () => {
  await withProvider(async (real) => {
    for (const iss of ["https://evil.example", null]) {
      const back = await comeBack(real);
      if (iss === null) back.searchParams.delete("iss");
      else back.searchParams.set("iss", iss);
      const [line] = await warnings(async () => {
        assertEquals((await real.browser.open(back.href)).status, 403);
      });
      assertMatch(line!, /the answer is of another provider$/);
    }
  });
});

Deno.test("OpenIDConnectMixin refuses the code of somebody else's sign-in", async () => {
  await withProvider(async (real) => {
    const port = Number(new URL(real.base).port);
    const stolen = await comeBack({ ...real, browser: new Browser(port) });
    const own = await comeBack(real);
    own.searchParams.set("code", stolen.searchParams.get("code")!);
    const [line] = await warnings(async () => {
      assertEquals((await real.browser.open(own.href)).status, 403);
    });
    assertMatch(line!, /invalid_grant$/); // its verifier is not ours
  });
});

Deno.test("OpenIDConnectMixin takes a provider's no for an answer", async () => {
  await withProvider(async ({ browser, provider }) => {
    provider.refusing = true;
    const lines = await warnings(async () => {
      assertEquals((await browser.follow("/login")).status, 403);
    });
    assertEquals(lines, [
      "403 GET /login (127.0.0.1): Cannot sign in: the provider says access_denied",
    ]);
  });
});

Deno.test("refreshTokens() gets new tokens of the same user, and is refused a spent one", async () => {
  await withProvider(async ({ browser }) => {
    const { user } = JSON.parse((await browser.follow("/login")).text);
    const refresh = (token: string, sub = "ada") =>
      browser.open(`/refresh?${new URLSearchParams({ token, sub })}`);
    const answer = await refresh(user.refreshToken);
    assertEquals(answer.status, 200);
    const tokens = JSON.parse(answer.text);
    assert(tokens.accessToken !== user.accessToken && tokens.refreshToken !== user.refreshToken);
    const lines = await warnings(async () => {
      assertEquals((await refresh(tokens.refreshToken, "eve")).status, 403);
      assertEquals((await refresh("forged")).status, 403);
      assertEquals((await refresh(user.refreshToken)).status, 403);
    });
    assertMatch(lines[0]!, /it is about somebody else$/);
    assertMatch(lines[1]!, /invalid_grant$/);
  });
});

Deno.test("getUserInfo() refuses an answer about somebody else", async () => {
  await withProvider(async ({ browser }) => {
    const { user } = JSON.parse((await browser.follow("/login")).text);
    const lines = await warnings(async () => {
      assertEquals((await browser.open(`/info?token=${user.accessToken}`)).status, 403);
      assertEquals((await browser.open("/info?token=forged")).status, 503);
    });
    assertMatch(lines[0]!, /it is about somebody else$/);
    for (const line of lines) assert(!line.includes(user.accessToken), line);
  });
});

Deno.test("OpenIDConnectMixin asks what a provider publishes once", async () => {
  await withProvider(async ({ browser, provider }) => {
    await browser.follow("/login");
    await browser.follow("/login");
    const count = (path: string) => provider.seen.filter((seen) => seen === path).length;
    assertEquals(count("GET /.well-known/openid-configuration"), 1);
    assertEquals(count("GET /jwks"), 1);
    assertEquals(count("POST /token"), 2);
  });
});

Deno.test("OpenIDConnectMixin answers 503 when the provider is not there", async () => {
  const { listener, port } = bindUnusedPort();
  listener.close();
  const settings = { issuer: `http://127.0.0.1:${port}`, clientId: "us" };
  await withSite([], (base) => makeSite(base, settings), async ({ browser }) => {
    const [line] = await warnings(async () => {
      assertEquals((await browser.open("/login")).status, 503);
    });
    assertMatch(line!, /^503 GET \/login .*: Cannot discover the provider: HTTP 599/);
    assertEquals(browser.cookies.size, 0);
  });
});

Deno.test("OpenIDConnectMixin answers 503 when the provider cannot show who it is", () =>
  answering(() => answer("{}"), async ({ server }) => {
    const settings = { issuer: `https://127.0.0.1:${server.port}`, clientId: "us" };
    await withSite([], (base) => makeSite(base, settings), async ({ browser }) => {
      const lines = await warnings(async () => {
        assertEquals((await browser.open("/login")).status, 503);
      });
      assertMatch(lines.at(-1)!, /^503 GET \/login .*: Cannot discover the provider: .*TLS/);
    });
    assertEquals(server.asked.length, 0);
  }, { sslOptions: localhost }));

// A provider that breaks the rules.

type Answers = Record<string, unknown>;
type Claims = Record<string, unknown>;

interface Liar {
  readonly browser: Browser;
  /** What it publishes, and gives for a code; tests change both. */
  readonly metadata: Answers;
  readonly answer: Answers;
  /** Ends a sign-in with an ID token of these claims, beside those that are right. */
  signIn(claims?: Claims, options?: { key?: CryptoKey; alg?: string; kid?: string }): Promise<
    { status: number; line: string }
  >;
  /** Changes its key. */
  rotate(): Promise<void>;
  readonly counts: Record<string, number>;
}

async function withLiar(body: (liar: Liar) => Promise<void>): Promise<void> {
  const metadata: Answers = {};
  const answer: Answers = { "access_token": "an access token", "token_type": "Bearer" };
  const counts: Record<string, number> = {};
  let pair = await generateKeyPair("RS256");
  let kid = 0;
  const serveJson = (make: () => unknown) =>
    class extends RequestHandler {
      override async get(): Promise<void> {
        counts[this.request.path] = (counts[this.request.path] ?? 0) + 1;
        this.writeJson(await make());
      }
      override post(): Promise<void> {
        return this.get();
      }
    };
  const provider: Route[] = [
    ["/.well-known/openid-configuration", serveJson(() => metadata)],
    [
      "/jwks",
      serveJson(async () => ({
        keys: [{ ...await exportJWK(pair.publicKey), kid: String(kid), alg: "RS256" }],
      })),
    ],
    ["/token", serveJson(() => answer)],
    ["/me", serveJson(() => ({ sub: "ada" }))],
  ];
  const site = (base: string) => {
    Object.assign(metadata, {
      issuer: base,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      userinfo_endpoint: `${base}/me`,
      jwks_uri: `${base}/jwks`,
    });
    return makeSite(base, { issuer: base, clientId: "us", clientSecret: "secret" });
  };
  await withSite(provider, site, async ({ base, browser }) => {
    await body({
      browser,
      metadata,
      answer,
      counts,
      async rotate() {
        pair = await generateKeyPair("RS256");
        kid++;
      },
      async signIn(claims = {}, { key = pair.privateKey, alg = "RS256", kid: named } = {}) {
        const sent = locationOf(await browser.open("/login")).searchParams;
        const now = Math.floor(Date.now() / 1000);
        const right = {
          iss: base,
          aud: "us",
          sub: "ada",
          iat: now,
          exp: now + 60,
          nonce: sent.get("nonce"),
        };
        answer["id_token"] = await new SignJWT({ ...right, ...claims })
          .setProtectedHeader({ alg, kid: named ?? String(kid) })
          .sign(alg.startsWith("HS") ? new TextEncoder().encode("secret".repeat(9)) : key);
        let status = 0;
        const { matched } = await expectLog(genLog, "", async () => {
          status = (await browser.open(`/login?code=1&state=${sent.get("state")}`)).status;
        }, { required: false });
        return { status, line: matched[0]?.replace(/^.*: (?=Cannot)/, "") ?? "" };
      },
    });
  });
}

const HOUR = 3600;

Deno.test("OpenIDConnectMixin takes an ID token that is right, and none that is not", async () => {
  await withLiar(async ({ signIn }) => {
    const now = Math.floor(Date.now() / 1000);
    const good: Claims[] = [
      {},
      { aud: ["us", "them"], azp: "us" },
      { exp: now - 10 }, // clocks differ
      { at_hash: await halfHash("an access token") },
    ];
    for (const claims of good) {
      assertEquals((await signIn(claims)).status, 200, JSON.stringify(claims));
    }
    const bad: [Claims, RegExp][] = [
      [{ iss: "https://evil.example" }, /ERR_JWT_CLAIM_VALIDATION_FAILED/],
      [{ aud: "them" }, /ERR_JWT_CLAIM_VALIDATION_FAILED/],
      [{ aud: ["us", "them"] }, /for another site/],
      [{ azp: "them" }, /for another site/],
      [{ exp: now - HOUR }, /ERR_JWT_EXPIRED/],
      [{ nbf: now + HOUR }, /ERR_JWT_CLAIM_VALIDATION_FAILED/],
      [{ nonce: "forged" }, /of another sign-in/],
      [{ nonce: undefined }, /of another sign-in/],
      [{ sub: undefined }, /ERR_JWT_CLAIM_VALIDATION_FAILED/],
      [{ at_hash: await halfHash("another token") }, /came with another token/],
    ];
    for (const [claims, message] of bad) {
      const { status, line } = await signIn(claims);
      assertEquals(status, 403, JSON.stringify(claims));
      assertMatch(line, message);
    }
  });
});

async function halfHash(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return new Uint8Array(digest, 0, 16).toBase64({ alphabet: "base64url", omitPadding: true });
}

Deno.test("OpenIDConnectMixin refuses a signature that is not the provider's", async () => {
  await withLiar(async ({ signIn, answer, metadata, browser }) => {
    const { privateKey: key } = await generateKeyPair("RS256");
    assertMatch((await signIn({}, { key })).line, /ERR_JWS_SIGNATURE_VERIFICATION_FAILED$/);
    // A key that both know signs nothing, nor does no key, even if the provider offers it.
    metadata["id_token_signing_alg_values_supported"] = ["RS256", "HS256", "none"];
    assertMatch((await signIn({}, { alg: "HS256" })).line, /ERR_JOSE_ALG_NOT_ALLOWED$/);
    const sent = locationOf(await browser.open("/login")).searchParams;
    const payload = btoa(JSON.stringify({ sub: "ada", nonce: sent.get("nonce") }));
    answer["id_token"] = `${btoa('{"alg":"none"}').replaceAll("=", "")}.${payload}.`;
    await warnings(async () => {
      assertEquals((await browser.open(`/login?code=1&state=${sent.get("state")}`)).status, 403);
    });
    assertEquals((await signIn()).status, 200);
  });
});

Deno.test("OpenIDConnectMixin asks for keys anew when one is missing, but not each time", async () => {
  await withLiar(async ({ signIn, rotate, counts }) => {
    assertEquals((await signIn()).status, 200);
    for (const kid of ["unknown", "unknown too"]) {
      assertMatch((await signIn({}, { kid })).line, /ERR_JWKS_NO_MATCHING_KEY$/);
    }
    assertEquals(counts["/jwks"], 1);
    await rotate();
    const { now } = Date;
    using _clock = stub(Date, "now", () => now() + 40_000); // the keys may be asked for again
    assertEquals((await signIn()).status, 200);
    assertEquals(counts["/jwks"], 2);
  });
});

Deno.test("OpenIDConnectMixin answers 503 to a provider that is not what it should be", async () => {
  const mistakes: [string, (liar: Liar) => void, RegExp][] = [
    ["issuer", ({ metadata }) => metadata["issuer"] = "https://evil.example", /another one$/],
    ["no token URL", ({ metadata }) => delete metadata["token_endpoint"], /no token_endpoint$/],
    ["no URL", ({ metadata }) => metadata["jwks_uri"] = "javascript:1", /no jwks_uri$/],
    [
      "keys",
      ({ metadata }) => metadata["jwks_uri"] = metadata["userinfo_endpoint"],
      /it has none$/,
    ],
    ["access token", ({ answer }) => delete answer["access_token"], /no bearer token$/],
    ["token type", ({ answer }) => answer["token_type"] = "mac", /no bearer token$/],
  ];
  for (const [what, change, message] of mistakes) {
    await withLiar(async (liar) => {
      change(liar);
      if (what === "issuer") {
        const [line] = await warnings(async () => {
          assertEquals((await liar.browser.open("/login")).status, 503);
        });
        assertMatch(line!, message);
        return;
      }
      const { status, line } = await liar.signIn();
      assertEquals(status, 503, what);
      assertMatch(line, message);
    });
  }
});

Deno.test("getOpenIDConnectSettings() is the setting, and says so when it is missing", async () => {
  class Login extends OpenIDConnectMixin(RequestHandler) {
    override async get(): Promise<void> {
      if (this.getArgument("fails", null) !== null) {
        const error = await assertRejects(
          () => this.authorizeRedirect({ redirectUri: "http://x/" }).then(),
          Error,
        );
        assert(!(error instanceof AuthError));
        this.write(error.message);
      } else this.write({ ...this.getOpenIDConnectSettings() });
    }
  }
  const routes: Route[] = [["/", Login]];
  const openIDConnect = { issuer: "https://accounts.example", clientId: "us" };
  await withSite([], () => routes, async ({ browser }) => {
    assertEquals(JSON.parse((await browser.open("/")).text), openIDConnect);
  }, { ...SETTINGS, openIDConnect });
  await withSite([], () => routes, async ({ browser }) => {
    assertMatch((await browser.open("/?fails=1")).text, /needs the setting openIDConnect$/);
  });
});
