import { assert, assertEquals, assertMatch } from "@std/assert";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { type AsyncHTTPClient, HTTPClientError, SimpleAsyncHTTPClient } from "../../http/mod.ts";
import { appLog, genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  AuthError,
  type AuthUser,
  FacebookGraphMixin,
  GoogleOAuth2Mixin,
  HTTPError,
  OAuth2Mixin,
  OAuthMixin,
  type OAuthToken,
  type OAuthVersion,
  OpenIdMixin,
  RequestHandler,
  type Route,
  TwitterMixin,
} from "../../web/mod.ts";
import {
  ACCESS_TOKEN,
  CONSUMER,
  locationOf,
  makeProviderState,
  oauth2Provider,
  oauthProvider,
  openIdProvider,
  type OpenIdState,
  REQUEST_TOKEN,
  SETTINGS,
  signature,
  withSite,
} from "./_providers.ts";

/** Runs `body`, whose warnings of the framework are returned. */
async function warnings(body: () => Promise<void>): Promise<readonly string[]> {
  return (await expectLog(genLog, "", body)).matched;
}

// OAuth 1

function oauthSite(base: string, version: OAuthVersion = "1.0a"): Route[] {
  class Login extends OAuthMixin(RequestHandler) {
    static override OAUTH_REQUEST_TOKEN_URL = `${base}/oauth/request_token`;
    static override OAUTH_AUTHORIZE_URL = `${base}/oauth/authorize`;
    static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth/access_token`;
    static override OAUTH_VERSION = version;

    override oauthConsumerToken(): OAuthToken {
      return CONSUMER;
    }
    override *oauthGetUser(accessToken: OAuthToken): CoroutineGenerator<AuthUser | null> {
      const mode = this.getArgument("user", "");
      if (mode === "none") return null;
      if (mode === "bug") throw new Error("a mistake of the program");
      const url = `${base}/api/me`;
      const parameters = { "a b": "ä!*'()", "a": "1", "a-b": "2" }; // sorted as they are encoded
      const signed = this.oauthRequestParameters(url, accessToken, parameters);
      const query = new URLSearchParams({ ...signed, ...parameters });
      return (yield* this.getAuthHttpClient().fetch(`${url}?${query}`)).json() as AuthUser;
    }
    override *get(): CoroutineGenerator {
      if (["oauth_token", "denied"].every((name) => this.getArgument(name, null) === null)) {
        const callbackUri = this.getArgument("callback", null);
        yield* this.authorizeRedirect({
          ...callbackUri === null ? {} : { callbackUri },
          extraParams: { "x_extra": "1" },
        });
        return;
      }
      this.write(yield* this.getAuthenticatedUser());
    }
  }
  class Caught extends Login {
    override *get(): CoroutineGenerator {
      try {
        yield* this.getAuthenticatedUser();
      } catch (error) {
        this.setStatus(503);
        this.write(`failed: ${(error as Error).message}`);
      }
    }
  }
  class Registered extends Login {
    static override OAUTH_NO_CALLBACKS = true;
  }
  return [["/login", Login], ["/caught", Caught], ["/registered", Registered]];
}

const COOKIE = `${btoa(REQUEST_TOKEN.key)}|${btoa(REQUEST_TOKEN.secret)}`;

Deno.test("the signatures of the fake provider are those of the standard's example", () => {
  const parameters = {
    "oauth_consumer_key": "dpf43f3p2l4k3l03",
    "oauth_token": "nnch734d00sl2jdk",
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_timestamp": "1191242096",
    "oauth_nonce": "kllo9940pd9333jh",
    "oauth_version": "1.0",
    file: "vacation.jpg",
    size: "original",
  };
  assertEquals(
    signature("1.0", "GET", "http://photos.example.net/photos", Object.entries(parameters), [
      "kd94hf93k423kf44",
      "pfkkdhi9sl3r4s00",
    ]),
    "tR3+Ty81lMeYAr/Fid0kMTYa/WM=",
  );
});

for (const version of ["1.0", "1.0a"] as const) {
  Deno.test(`OAuthMixin ${version} sends the user away with a request token in a cookie`, async () => {
    const state = makeProviderState(version);
    await withSite(oauthProvider(state), (base) => oauthSite(base, version), async (site) => {
      const answer = await site.browser.open("/login?callback=/login");
      assertEquals(answer.status, 302);
      const target = locationOf(answer);
      assertEquals(target.origin + target.pathname, `${site.base}/oauth/authorize`);
      assertEquals(Object.fromEntries(target.searchParams), {
        oauth_token: REQUEST_TOKEN.key,
        oauth_callback: `${site.base}/login`,
      });
      assertEquals(
        answer.headers.get("Set-Cookie"),
        `_oauth_request_token="${COOKIE}"; HttpOnly; Path=/; SameSite=Lax`,
      );
      const { args } = state.seen[0]!;
      assertEquals(args.get("oauth_consumer_key"), CONSUMER.key);
      assertEquals(args.get("oauth_callback"), version === "1.0a" ? `${site.base}/login` : null);
      assertEquals(args.get("x_extra"), version === "1.0a" ? "1" : null);
    });
  });

  Deno.test(`OAuthMixin ${version} gets the user, and takes the cookie away`, async () => {
    const state = makeProviderState(version);
    await withSite(oauthProvider(state), (base) => oauthSite(base, version), async (site) => {
      const answer = await site.browser.follow("/login?callback=/login");
      assertEquals(answer.status, 200);
      const user = JSON.parse(answer.text);
      assertEquals([user.screen_name, user.access_token], ["ada", {
        user_id: "7",
        key: ACCESS_TOKEN.key,
        secret: ACCESS_TOKEN.secret,
      }]);
      assertEquals(user.args["a b"], "ä!*'()"); // signed as the provider signs
      assertEquals(site.browser.cookies.size, 0);
    });
  });
}

Deno.test("authorizeRedirect() of OAuthMixin with oob answers with the URL to go to", async () => {
  const state = makeProviderState();
  await withSite(oauthProvider(state), oauthSite, async ({ base, browser }) => {
    const answer = await browser.open("/login?callback=oob");
    assertEquals(answer.status, 200);
    assertEquals(answer.text, `${base}/oauth/authorize?oauth_token=${REQUEST_TOKEN.key}`);
    assertEquals(state.seen[0]!.args.get("oauth_callback"), "oob");
  });
});

Deno.test("authorizeRedirect() of OAuthMixin names no callback that has to be registered", async () => {
  const state = makeProviderState();
  await withSite(oauthProvider(state), oauthSite, async ({ base, browser }) => {
    const answer = await browser.open("/registered");
    assertEquals(locationOf(answer).href, `${base}/oauth/authorize?oauth_token=zxcv`);
    assertEquals(state.seen[0]!.args.get("oauth_callback"), null);
    const { matched } = await expectLog(appLog, /TypeError: Cannot name a callback/, async () => {
      assertEquals((await browser.open("/registered?callback=/login")).status, 500);
    });
    assertEquals(matched.length, 1);
  });
});

Deno.test("OAuthMixin refuses a request token that is not that of the cookie", async () => {
  const state = makeProviderState();
  await withSite(oauthProvider(state), oauthSite, async ({ browser }) => {
    const lines = await warnings(async () => {
      assertEquals(
        (await browser.open("/login?oauth_token=zxcv&oauth_verifier=secret")).status,
        403,
      );
      const cookies = [`${btoa("other")}|${btoa("x")}`, "zxcv", "?|?", `${COOKIE}|`, btoa("zxcv")];
      for (const cookie of cookies) {
        browser.cookies.set("_oauth_request_token", `"${cookie}"`);
        assertEquals((await browser.open("/login?oauth_token=zxcv")).status, 403, cookie);
        assertEquals(browser.cookies.size, 0);
      }
    });
    assertEquals(
      lines[0],
      "403 GET /login (127.0.0.1): Cannot sign in: there is no request token cookie",
    );
    assertEquals(state.seen, []);
  });
});

Deno.test("OAuthMixin takes a user's no for an answer", async () => {
  await withSite(oauthProvider(makeProviderState()), oauthSite, async ({ browser }) => {
    const [line] = await warnings(async () => {
      assertEquals((await browser.open("/login?denied=zxcv")).status, 403);
    });
    assertMatch(line!, /the user said no$/);
  });
});

Deno.test("OAuthMixin answers 503 when the provider fails, wherever", async () => {
  for (const path of ["/oauth/request_token", "/oauth/access_token", "/api/me"]) {
    const state = makeProviderState();
    state.failing.set(path, 500);
    await withSite(oauthProvider(state), oauthSite, async ({ browser }) => {
      const lines = await warnings(async () => {
        assertEquals((await browser.follow("/login?callback=/login")).status, 503, path);
      });
      assertMatch(lines.at(-1)!, /^503 GET \/login \(127\.0\.0\.1\): Cannot .*: HTTP 500/);
      for (const line of lines) assert(!/zxcv|hjkl|verified|secret/.test(line), line);
    });
  }
});

Deno.test("OAuthMixin answers 503 when there is no user, and logs a mistake of the program", async () => {
  await withSite(oauthProvider(makeProviderState()), oauthSite, async ({ browser }) => {
    await warnings(async () => {
      const path = encodeURIComponent("/login?user=none");
      assertEquals((await browser.follow(`/login?callback=${path}`)).status, 503);
    });
    const { matched } = await expectLog(appLog, /a mistake of the program/, async () => {
      const path = encodeURIComponent("/login?user=bug");
      assertEquals((await browser.follow(`/login?callback=${path}`)).status, 500);
    });
    assertMatch(matched[0]!, /^Uncaught exception GET \/login \(127\.0\.0\.1\)\n/);
    assert(!/zxcv|verified/.test(matched[0]!));
  });
});

Deno.test("the Future of getAuthenticatedUser() has the failure of a user look-up", async () => {
  await withSite(oauthProvider(makeProviderState()), oauthSite, async ({ browser }) => {
    const path = encodeURIComponent("/caught?user=bug");
    const answer = await browser.follow(`/login?callback=${path}`);
    assertEquals([answer.status, answer.text], [503, "failed: a mistake of the program"]);
  });
});

Deno.test("the hooks of OAuthMixin that are needed say so when they are not overridden", async () => {
  class Plain extends OAuthMixin(RequestHandler) {
    override *get(): CoroutineGenerator {
      yield* this.authorizeRedirect();
    }
    override post(): void {
      this.oauthGetUser(ACCESS_TOKEN);
    }
  }
  await withSite([], () => [["/", Plain]], async ({ browser }) => {
    await expectLog(appLog, /oauthConsumerToken is not overridden/, async () => {
      assertEquals((await browser.open("/")).status, 500);
    });
    await expectLog(appLog, /oauthGetUser is not overridden/, async () => {
      assertEquals((await browser.open("/", "POST")).status, 500);
    });
  });
});

// OAuth 2

const CLIENT = { clientId: "us", clientSecret: "our secret" };

function oauth2Site(base: string): Route[] {
  class Login extends OAuth2Mixin(RequestHandler) {
    static override OAUTH_AUTHORIZE_URL = `${base}/oauth2/authorize?a=b`;
    static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth2/token`;

    override get(): void {
      if (this.getArgument("check", null) !== null) {
        this.write(this.oauth2CheckState().codeVerifier);
        return;
      }
      this.authorizeRedirect({
        redirectUri: `${base}/login`,
        clientId: "us",
        scope: ["scope1", "scope 2"],
        responseType: this.getArgument("type", "code"),
        extraParams: { approval: "auto" },
      });
    }
  }
  class Google extends GoogleOAuth2Mixin(RequestHandler) {
    static override OAUTH_AUTHORIZE_URL = `${base}/oauth2/authorize`;
    static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth2/token`;
    static override OAUTH_USERINFO_URL = `${base}/oauth2/user`;

    override *get(): CoroutineGenerator {
      const redirectUri = `${base}/google`;
      if (this.getArgument("state", null) === null && this.getArgument("code", null) === null) {
        const { key } = this.getGoogleOauthSettings();
        this.authorizeRedirect({ redirectUri, clientId: key, scope: ["profile", "email"] });
        return;
      }
      const tokens = yield* this.getAuthenticatedUser({ redirectUri });
      const accessToken = String(tokens["access_token"]);
      const user = yield* this.oauth2Request(Google.OAUTH_USERINFO_URL, { accessToken });
      this.write({ tokens, user });
    }
  }
  class Facebook extends FacebookGraphMixin(RequestHandler) {
    static override OAUTH_AUTHORIZE_URL = `${base}/oauth2/authorize`;
    static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth2/token`;
    static override FACEBOOK_BASE_URL = `${base}/graph`;

    override *get(): CoroutineGenerator {
      const redirectUri = `${base}/facebook`;
      if (this.getArgument("state", null) === null) {
        this.authorizeRedirect({ redirectUri, clientId: "us" });
        return;
      }
      this.write(yield* this.getAuthenticatedUser({ redirectUri, extraFields: ["email"] }));
    }
  }
  return [["/login", Login], ["/google", Google], ["/facebook", Facebook]];
}

const PROOF = "ae98a593aecd7996d1e1f57c507950b08d54f433f53431a598205c514f92431a";

const OAUTH2_SETTINGS = {
  ...SETTINGS,
  googleOauth: { key: CLIENT.clientId, secret: CLIENT.clientSecret },
  facebookApiKey: CLIENT.clientId,
  facebookSecret: CLIENT.clientSecret,
};

function withOAuth2(
  body: (
    site: Parameters<Parameters<typeof withSite>[2]>[0],
    state: ReturnType<typeof makeProviderState>,
  ) => Promise<void>,
): Promise<void> {
  const state = makeProviderState();
  return withSite(oauth2Provider(state), oauth2Site, (site) => body(site, state), OAUTH2_SETTINGS);
}

Deno.test("OAuth2Mixin sends the user away with scope, state and challenge", async () => {
  await withOAuth2(async ({ base, browser }) => {
    const answer = await browser.open("/login");
    const target = locationOf(answer);
    assertEquals([answer.status, target.origin + target.pathname], [
      302,
      `${base}/oauth2/authorize`,
    ]);
    const { state, code_challenge: challenge, ...rest } = Object.fromEntries(target.searchParams);
    assertEquals(rest, {
      a: "b",
      response_type: "code",
      redirect_uri: `${base}/login`,
      client_id: "us",
      scope: "scope1 scope 2",
      approval: "auto",
      code_challenge_method: "S256",
    });
    assertMatch(state!, /^[\w-]{43}$/);
    assertMatch(challenge!, /^[\w-]{43}$/);
    assertMatch(
      answer.headers.get("Set-Cookie", ""),
      /^_auth_login="2\|.*"; HttpOnly; Max-Age=600; Path=\/; SameSite=Lax$/,
    );
    const other = locationOf(await browser.open("/login?type=token")).searchParams;
    assertEquals([other.get("response_type"), other.get("code_challenge")], ["token", null]);
    assert(other.get("state") !== state);
  });
});

Deno.test("oauth2CheckState() takes the state of this browser, once", async () => {
  await withOAuth2(async ({ browser }) => {
    const state = locationOf(await browser.open("/login")).searchParams.get("state");
    const path = `/login?check=1&state=${state}`;
    const answer = await browser.open(path);
    assertEquals(answer.status, 200);
    assertMatch(answer.text, /^[\w-]{43}$/);
    await warnings(async () => assertEquals((await browser.open(path)).status, 403));
  });
});

Deno.test("oauth2CheckState() refuses a state that is missing, forged or another browser's", async () => {
  await withOAuth2(async ({ base, browser }) => {
    const target = locationOf(await browser.open("/login"));
    const state = target.searchParams.get("state")!;
    const cookie = browser.cookies.get("_auth_login")!;
    const lines = await warnings(async () => {
      assertEquals((await browser.open("/login?check=1")).status, 400);
      assertEquals((await browser.open("/login?check=1&state=forged")).status, 403);
      assertEquals((await browser.open(`/login?check=1&state=${state.toLowerCase()}`)).status, 403);
      browser.cookies.set("_auth_login", cookie.replace(/.{3}"$/, '000"'));
      assertEquals((await browser.open(`/login?check=1&state=${state}`)).status, 403);
      browser.cookies.delete("_auth_login");
      assertEquals((await browser.open(`/login?check=1&state=${state}`)).status, 403);
      // The callback of another provider is not where this sign-in ends.
      browser.cookies.set("_auth_login", cookie);
      assertEquals((await browser.open(`${base}/google?code=1&state=${state}`)).status, 403);
    });
    for (const line of lines) assert(!line.includes(state), line);
    assertEquals(lines.length, 6);
    assertEquals((await browser.open(`/login?check=1&state=${state}`)).status, 200);
  });
});

Deno.test("oauth2CheckState() says what the provider calls a refusal", async () => {
  await withOAuth2(async ({ browser }) => {
    for (const [error, shown] of [["access_denied", "access_denied"], ["a%0Ab", "no"]]) {
      const state = locationOf(await browser.open("/login")).searchParams.get("state");
      const lines = await warnings(async () => {
        const path = `/login?check=1&error=${error}&error_description=x&state=${state}`;
        assertEquals((await browser.open(path)).status, 403);
      });
      assertEquals(lines, [
        `403 GET /login (127.0.0.1): Cannot sign in: the provider says ${shown}`,
      ]);
      assertEquals(browser.cookies.size, 0);
    }
  });
});

Deno.test("OAuth2Mixin needs the setting cookieSecret", async () => {
  await withSite([], oauth2Site, async ({ browser }) => {
    await expectLog(appLog, /needs the setting cookieSecret/, async () => {
      assertEquals((await browser.open("/login")).status, 500);
    });
  }, {});
});

Deno.test("GoogleOAuth2Mixin trades the code for tokens, which tell who the user is", async () => {
  await withOAuth2(async ({ browser }, state) => {
    const { status, text } = await browser.follow("/google");
    const { tokens, user } = JSON.parse(text);
    assertEquals([status, tokens], [200, { access_token: "a token", expires_in: 3600 }]);
    assertEquals([user.name, user.email], ["Ada", "ada@example.org"]);
    assertEquals(state.seen[0]!.args.get("scope"), "profile email");
    assertEquals(browser.cookies.size, 0);
  });
});

Deno.test("GoogleOAuth2Mixin refuses a code that Google does, and answers 503 when it fails", async () => {
  await withOAuth2(async ({ browser }, state) => {
    const back = locationOf(await browser.open(locationOf(await browser.open("/google")).href));
    back.searchParams.set("code", "forged");
    const [line] = await warnings(async () => {
      assertEquals((await browser.open(back.href)).status, 403);
    });
    assertEquals(
      line,
      "403 GET /google (127.0.0.1): Cannot get the tokens: HTTP 400: Bad Request, invalid_grant",
    );
    state.failing.set("/oauth2/token", 502);
    await warnings(async () => assertEquals((await browser.follow("/google")).status, 503));
    await warnings(async () => assertEquals((await browser.open("/google?code=1")).status, 400));
  });
});

Deno.test("FacebookGraphMixin gets the user, the token, and when it ends as text", async () => {
  await withOAuth2(async ({ browser }, state) => {
    const { status, text } = await browser.follow("/facebook");
    assertEquals(status, 200);
    assertEquals(JSON.parse(text), {
      id: "7",
      name: "Ada",
      first_name: null,
      last_name: null,
      locale: null,
      picture: null,
      link: null,
      email: "ada@example.org",
      access_token: "a token",
      session_expires: "3600",
    });
    const { args } = state.seen.at(-1)!;
    assertEquals(args.get("fields"), "id,name,first_name,last_name,locale,picture,link,email");
    // HMAC-SHA256 of "a token" with "our secret", by openssl.
    assertEquals(args.get("appsecret_proof"), PROOF);
  });
});

Deno.test("FacebookGraphMixin answers 503 when the user look-up fails", async () => {
  await withOAuth2(async ({ browser }, state) => {
    state.failing.set("/graph/me", 500);
    const [line] = await warnings(async () => {
      assertEquals((await browser.follow("/facebook")).status, 503);
    });
    assertEquals(
      line,
      "503 GET /facebook (127.0.0.1): Cannot look up the user: HTTP 500: Internal Server Error",
    );
  });
});

Deno.test("oauth2Request() sends arguments and forms, and fails as the client does", async () => {
  const state = makeProviderState();
  class Api extends OAuth2Mixin(RequestHandler) {
    override *get(): CoroutineGenerator {
      const base = `http://${this.request.host}`;
      const accessToken = "a token";
      const url = `${base}/oauth2/user?x=1`;
      const user = (yield* this.oauth2Request(url, { accessToken, limit: 3, none: undefined })) as {
        args: unknown;
      };
      assertEquals(user.args, { x: "1", access_token: "a token", limit: "3" });
      for (const [options, code] of [[{}, 401], [{ postArgs: { a: 1 } }, 405]] as const) {
        try {
          yield* this.oauth2Request(`${base}/oauth2/user`, options);
        } catch (error) {
          this.write(`${(error as HTTPClientError).code === code} `);
        }
      }
      try {
        yield* this.oauth2Request(`${base}/oauth2/text`);
      } catch (error) {
        this.write(String(error instanceof SyntaxError));
      }
    }
  }
  await withSite(oauth2Provider(state), () => [["/api", Api]], async ({ browser }) => {
    assertEquals((await browser.open("/api")).text, "true true true");
    assertEquals(state.seen[2]!.args.get("a"), "1");
  });
});

Deno.test("oauthRequestTokenUrl() puts what it is given into the query", async () => {
  class Url extends OAuth2Mixin(RequestHandler) {
    static override OAUTH_ACCESS_TOKEN_URL = "https://example.org/token?";
    override get(): void {
      this.write(
        `${this.oauthRequestTokenUrl()} ${
          this.oauthRequestTokenUrl({
            redirectUri: "r",
            clientId: "i",
            clientSecret: "s",
            code: "c d",
            extraParams: { e: "f" },
          })
        }`,
      );
    }
  }
  await withSite([], () => [["/", Url]], async ({ browser }) => {
    assertEquals(
      (await browser.open("/")).text,
      "https://example.org/token " +
        "https://example.org/token?redirect_uri=r&code=c+d&client_id=i&client_secret=s&e=f",
    );
  });
});

// Twitter

function twitterSite(base: string): Route[] {
  abstract class Twitter extends TwitterMixin(RequestHandler) {
    static override OAUTH_REQUEST_TOKEN_URL = `${base}/oauth/request_token`;
    static override OAUTH_AUTHORIZE_URL = `${base}/oauth/authorize`;
    static override OAUTH_AUTHENTICATE_URL = `${base}/oauth/authenticate`;
    static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth/access_token`;
    static override TWITTER_BASE_URL = `${base}/api`;
  }
  class Login extends Twitter {
    override *get(): CoroutineGenerator {
      if (this.getArgument("oauth_token", null) !== null) {
        this.write(yield* this.getAuthenticatedUser());
      } else if (this.getArgument("authorize", null) !== null) {
        yield* this.authorizeRedirect();
      } else yield* this.authenticateRedirect({ callbackUri: "/login" });
    }
  }
  class Show extends Twitter {
    override *get(name: string): CoroutineGenerator {
      try {
        const options = { "include": "all", count: 2 };
        const token = this.getArgument("unsigned", null) === null ? ACCESS_TOKEN : null;
        this.write((yield* this.twitterRequest(`/users/show/${name}`, token, options)) as AuthUser);
      } catch (error) {
        if (!(error instanceof HTTPClientError)) throw error;
        this.setStatus(500);
        this.write("error from twitter request");
      }
    }
    override *post(): CoroutineGenerator {
      const postArgs = { status: "Hello & goodbye" };
      const url = `${base}/api/statuses/update.json`;
      this.write((yield* this.twitterRequest(url, ACCESS_TOKEN, { postArgs })) as AuthUser);
    }
  }
  return [["/login", Login], ["/show/(.*)", Show]];
}

const TWITTER_SETTINGS = {
  twitterConsumerKey: CONSUMER.key,
  twitterConsumerSecret: CONSUMER.secret,
};

Deno.test("TwitterMixin sends the user away, to authorize or to authenticate", async () => {
  const provider = oauthProvider(makeProviderState());
  await withSite(provider, twitterSite, async ({ base, browser }) => {
    const authorize = locationOf(await browser.open("/login?authorize=1"));
    assertEquals(authorize.href, `${base}/oauth/authorize?oauth_token=zxcv`);
    const authenticate = locationOf(await browser.open("/login"));
    assertEquals(authenticate.pathname, "/oauth/authenticate");
    assertEquals(authenticate.searchParams.get("oauth_token"), "zxcv");
    assertEquals(browser.cookies.get("_oauth_request_token"), `"${COOKIE}"`);
  }, TWITTER_SETTINGS);
});

Deno.test("TwitterMixin gets the user, with a username", async () => {
  const provider = oauthProvider(makeProviderState());
  await withSite(provider, twitterSite, async ({ browser }) => {
    const user = JSON.parse((await browser.follow("/login")).text);
    assertEquals([user.username, user.name, user.access_token.user_id], ["ada", "Ada", "7"]);
  }, TWITTER_SETTINGS);
});

Deno.test("twitterRequest() signs queries and forms, and its failure can be caught", async () => {
  const state = makeProviderState();
  await withSite(oauthProvider(state), twitterSite, async ({ browser }) => {
    const user = JSON.parse((await browser.open("/show/ada")).text);
    assertEquals([user.name, user.args.include, user.args.count], ["Ada", "all", "2"]);
    assertEquals((await browser.open("/show/ada?unsigned=1")).status, 500);
    assertEquals(state.seen.at(-1)!.args.get("oauth_signature"), null);
    state.failing.set("/api/users/show/error.json", 500);
    const { status, text } = await browser.open("/show/error");
    assertEquals([status, text], [500, "error from twitter request"]);
  }, TWITTER_SETTINGS);
});

Deno.test("twitterRequest() posts a form, and takes a full URL", async () => {
  await withSite(oauthProvider(makeProviderState()), twitterSite, async ({ browser }) => {
    const { text } = await browser.open("/show/x", "POST");
    assertEquals(JSON.parse(text), { posted: "Hello & goodbye" });
  }, TWITTER_SETTINGS);
});

Deno.test("TwitterMixin needs its settings", async () => {
  await withSite([], twitterSite, async ({ browser }) => {
    await expectLog(appLog, /Twitter OAuth.*twitterConsumerKey/, async () => {
      assertEquals((await browser.open("/login")).status, 500);
    });
  });
});

// OpenID 2.0

function openIdSite(base: string): Route[] {
  class Login extends OpenIdMixin(RequestHandler) {
    static override OPENID_ENDPOINT = `${base}/openid`;
    override *get(): CoroutineGenerator {
      if (this.getArgument("openid.mode", null) === null) {
        if (this.getArgument("few", null) === null) this.authenticateRedirect();
        else this.authenticateRedirect({ callbackUri: "/login", axAttrs: ["email"] });
        return;
      }
      this.write(yield* this.getAuthenticatedUser());
    }
  }
  return [["/login", Login], ["/other", class extends Login {}]];
}

function makeOpenIdState(): OpenIdState {
  return {
    ...makeProviderState(),
    verdict: "ns:http://specs.openid.net/auth/2.0\nis_valid:true\n",
    tamper: () => {},
  };
}

Deno.test("OpenIdMixin sends the user away, and says what it wants to know", async () => {
  await withSite(openIdProvider(makeOpenIdState()), openIdSite, async ({ base, browser }) => {
    const all = locationOf(await browser.open("/login")).searchParams;
    assertEquals(all.get("openid.mode"), "checkid_setup");
    assertEquals(all.get("openid.realm"), `${base}/`);
    assert(all.get("openid.return_to")!.startsWith(`${base}/login?state=`));
    assertEquals(
      all.get("openid.ax.required"),
      "firstname,fullname,lastname,email,language,username",
    );
    assertEquals(all.get("openid.ax.type.firstname"), "http://axschema.org/namePerson/first");
    const few = locationOf(await browser.open("/login?few=1")).searchParams;
    assertEquals(few.get("openid.ax.required"), "email");
  });
});

Deno.test("OpenIdMixin gets what the provider signed about the user", async () => {
  const state = makeOpenIdState();
  await withSite(openIdProvider(state), openIdSite, async ({ browser }) => {
    const { status, text } = await browser.follow("/login");
    assertEquals(status, 200);
    assertEquals(JSON.parse(text), {
      first_name: "Ada",
      last_name: "Lovelace",
      name: "Ada Lovelace",
      email: "ada@example.org",
      locale: "en",
      claimed_id: "https://example.org/ada",
    });
    const { args } = state.seen.at(-1)!;
    assertEquals(args.get("openid.mode"), "check_authentication");
    assertEquals(args.get("openid.sig"), "a signature");
  });
});

Deno.test("OpenIdMixin uses nothing that the provider did not sign", async () => {
  const state = makeOpenIdState();
  state.tamper = (args) => {
    args.set("openid.signed", "mode,return_to,claimed_id");
    args.set("openid.ext1.value.mail", "eve@example.org");
  };
  await withSite(openIdProvider(state), openIdSite, async ({ browser }) => {
    const { text } = await browser.follow("/login");
    assertEquals(JSON.parse(text), { claimed_id: "https://example.org/ada" });
  });
});

const VERDICTS = [
  "is_valid:false\n",
  "",
  "xis_valid:true",
  "is_valid:true2\n",
  "x:is_valid:true\n",
];

Deno.test("OpenIdMixin refuses all but the exact line is_valid:true", async () => {
  const state = makeOpenIdState();
  await withSite(openIdProvider(state), openIdSite, async ({ browser }) => {
    for (const verdict of VERDICTS) {
      state.verdict = verdict;
      await warnings(async () => {
        assertEquals((await browser.follow("/login")).status, 403, verdict);
      });
    }
    state.verdict = "is_valid:true";
    assertEquals((await browser.follow("/login")).status, 200);
  });
});

function returnTo(args: URLSearchParams, from: string, to: string): void {
  args.set("openid.return_to", args.get("openid.return_to")!.replace(from, to));
}

Deno.test("OpenIdMixin refuses an answer that is for another page, sign-in or browser", async () => {
  const state = makeOpenIdState();
  await withSite(openIdProvider(state), openIdSite, async ({ base, browser }) => {
    const forge: [string, (args: URLSearchParams) => void][] = [
      ["another page", (args) => returnTo(args, "/login?", "/other?")],
      ["another site", (args) => returnTo(args, base, "https://example.org")],
      ["another sign-in", (args) => args.set("openid.return_to", `${base}/login?state=x`)],
      ["a page that is not signed", (args) => args.set("openid.signed", "claimed_id")],
      ["a user who said no", (args) => args.set("openid.mode", "cancel")],
      ["a provider that needs more", (args) => args.set("openid.mode", "setup_needed")],
      ["a forged state", (args) => args.set("state", "forged")],
    ];
    for (const [what, tamper] of forge) {
      state.tamper = tamper;
      const [line] = await warnings(async () => {
        assertEquals((await browser.follow("/login")).status, 403, what);
      });
      assert(!line!.includes("openid."), line);
    }
    state.tamper = () => {};
    const back = locationOf(await browser.open(locationOf(await browser.open("/login")).href));
    browser.cookies.clear();
    await warnings(async () => assertEquals((await browser.open(back.href)).status, 403));
  });
});

Deno.test("OpenIdMixin answers 503 when the provider fails", async () => {
  const state = makeOpenIdState();
  await withSite(openIdProvider(state), openIdSite, async ({ browser }) => {
    const back = locationOf(await browser.open(locationOf(await browser.open("/login")).href));
    state.failing.set("/openid", 500);
    await warnings(async () => assertEquals((await browser.open(back.href)).status, 503));
  });
});

// All of them

Deno.test("getAuthHttpClient() is used for what is asked, and may be overridden", async () => {
  const state = makeProviderState();
  class Login extends GoogleOAuth2Mixin(RequestHandler) {
    override getAuthHttpClient(): AsyncHTTPClient {
      return new SimpleAsyncHTTPClient({
        defaults: { userAgent: "ours" },
        maxIdle: 0,
      });
    }
    override *get(): CoroutineGenerator {
      const url = `http://${this.request.host}/agent`;
      this.write((yield* this.oauth2Request(url)) as AuthUser);
    }
  }
  class Agent extends RequestHandler {
    override get(): void {
      this.write({ agent: this.request.headers.get("User-Agent") });
    }
  }
  const routes: Route[] = [["/agent", Agent], ["/login", Login]];
  await withSite(oauth2Provider(state), () => routes, async ({ browser }) => {
    assertEquals((await browser.open("/login")).text, '{"agent":"ours"}');
  });
});

Deno.test("getAuthenticatedUser() of Google and Facebook takes code, ID and secret as options", async () => {
  const state = makeProviderState();
  const site = (base: string): Route[] => {
    class Google extends GoogleOAuth2Mixin(RequestHandler) {
      static override OAUTH_AUTHORIZE_URL = `${base}/oauth2/authorize`;
      static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth2/token`;
      override *get(): CoroutineGenerator {
        const redirectUri = `${base}/google`;
        const code = this.getArgument("code", null);
        if (code === null) this.authorizeRedirect({ redirectUri, clientId: "us" });
        else this.write(yield* this.getAuthenticatedUser({ redirectUri, code, ...CLIENT }));
      }
    }
    class Facebook extends FacebookGraphMixin(RequestHandler) {
      static override OAUTH_AUTHORIZE_URL = `${base}/oauth2/authorize`;
      static override OAUTH_ACCESS_TOKEN_URL = `${base}/oauth2/token`;
      static override FACEBOOK_BASE_URL = `${base}/graph`;
      override *get(): CoroutineGenerator {
        const redirectUri = `${base}/facebook`;
        const code = this.getArgument("code", null);
        if (code === null) this.authorizeRedirect({ redirectUri, clientId: "us" });
        else this.write(yield* this.getAuthenticatedUser({ redirectUri, code, ...CLIENT }));
      }
    }
    return [["/google", Google], ["/facebook", Facebook]];
  };
  await withSite(oauth2Provider(state), site, async ({ browser }) => {
    for (const path of ["/google", "/facebook"]) {
      const { status, text } = await browser.follow(path);
      assertEquals([status, JSON.parse(text).access_token], [200, "a token"], path);
    }
  });
});

Deno.test("a mixin keeps what its class has, its way to log included", async () => {
  const logged: string[] = [];
  class Ours extends RequestHandler {
    greeting = "hello";
    override logException(error: unknown): void {
      logged.push((error as Error).message);
    }
  }
  class Login extends OAuth2Mixin(Ours) {
    override get(): void {
      const greeting: string = this.greeting;
      if (this.getArgument("state", null) === null) this.write(greeting);
      else this.oauth2CheckState();
    }
  }
  await withSite([], () => [["/", Login]], async ({ browser }) => {
    assertEquals((await browser.open("/")).text, "hello");
    assertEquals((await browser.open("/?state=forged")).status, 403);
    assertMatch(logged[0]!, /this browser began none/);
  });
});

Deno.test("cookies of a sign-in over TLS are for TLS alone", async () => {
  const state = makeProviderState();
  const site = (base: string) => [...oauthSite(base), ...oauth2Site(base).slice(1)];
  const provider = [...oauthProvider(state), ...oauth2Provider(state)];
  await withSite(
    provider,
    site,
    async ({ browser }) => {
      for (const path of ["/login", "/google"]) {
        const answer = await browser.open(path, "GET", { headers: { "X-Scheme": "https" } });
        assertMatch(answer.headers.get("Set-Cookie", ""), /; HttpOnly; .*SameSite=Lax; Secure$/);
      }
    },
    OAUTH2_SETTINGS,
    { xheaders: true },
  );
});

Deno.test("AuthError is an HTTPError that knows what the provider calls it", () => {
  const error = new AuthError("Cannot sign in", { status: 503, code: "server_error" });
  assert(error instanceof HTTPError);
  assertEquals([error.name, error.statusCode, error.code], ["AuthError", 503, "server_error"]);
  assertEquals([new AuthError("no").statusCode, new AuthError("no").code], [403, null]);
});
