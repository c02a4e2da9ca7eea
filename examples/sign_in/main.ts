/**
 * Sign-in by OpenID Connect, with any provider: Google, Microsoft, Keycloak and many others.
 *
 * It teaches the whole round: the user goes to the provider and comes back with a code, the code
 * becomes tokens, the verified ID token says who it is. The tokens stay here, in memory, under a
 * random number in a signed cookie; the access token is refreshed when it is about to end.
 *
 * Register http://localhost:8888/callback with a provider, then run it with
 *
 *     OIDC_ISSUER=https://accounts.google.com OIDC_CLIENT_ID=... OIDC_CLIENT_SECRET=... \
 *       deno run --allow-net --allow-env --allow-read examples/sign_in/main.ts
 *
 * and open http://localhost:8888/. BASE_URL says under which name the site is reached, if it is
 * another one.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { xhtmlEscape } from "@waterspout/waterspout/http";
import {
  Application,
  authenticated,
  type OpenIDConnectClaims,
  OpenIDConnectMixin,
  type OpenIDConnectSettings,
  RequestHandler,
} from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { print } from "../serve_tcp.ts";

const COOKIE = "session";
const MAX_SESSIONS = 10_000; // the oldest goes: this is memory
const EARLY = 30_000; // before its end a token is refreshed

interface Session {
  readonly claims: OpenIDConnectClaims;
  accessToken: string;
  refreshToken: string | null;
  ends: number; // the access token, in ms since the epoch
}

abstract class Base extends OpenIDConnectMixin(RequestHandler) {
  override getCurrentUser(): Session | null {
    const id = this.getSignedCookie(COOKIE);
    return id === null ? null : this.sessions.get(new TextDecoder().decode(id)) ?? null;
  }

  get sessions(): Map<string, Session> {
    return this.settings["sessions"] as Map<string, Session>;
  }

  get redirectUri(): string {
    return `${this.settings["baseUrl"]}/callback`;
  }

  get cookieOptions() {
    return { httpOnly: true, sameSite: "Lax", secure: this.redirectUri.startsWith("https:") };
  }
}

class HomeHandler extends Base {
  override get(): void {
    const user = this.currentUser as Session | null;
    this.write(
      user === null
        ? '<a href="/sign-in">Sign in</a>'
        : `<p>Hello, ${xhtmlEscape(String(user.claims["name"] ?? user.claims.sub))}</p>` +
          '<p><a href="/profile">What the provider tells</a></p>' +
          `<form action="/sign-out" method="post">${this.xsrfFormHtml()}` +
          "<button>Sign out</button></form>",
    );
  }
}

class SignInHandler extends Base {
  override *get(): CoroutineGenerator {
    yield* this.authorizeRedirect({ redirectUri: this.redirectUri });
  }
}

// What is wrong ends here as an AuthError: 400 or 403, and 503 if it is the provider's failure.
class CallbackHandler extends Base {
  override *get(): CoroutineGenerator {
    const user = yield* this.getAuthenticatedUser({ redirectUri: this.redirectUri });
    const id = crypto.randomUUID(); // a new one: an old one may be somebody else's
    const { sessions } = this;
    if (sessions.size >= MAX_SESSIONS) sessions.delete(sessions.keys().next().value!);
    sessions.set(id, { ...user, ends: endOf(user.expiresIn) });
    this.setSignedCookie(COOKIE, id, { ...this.cookieOptions, expiresDays: null });
    this.redirect("/");
  }
}

class ProfileHandler extends Base {
  @authenticated
  override *get(): CoroutineGenerator {
    const user = this.currentUser as Session;
    const { sub } = user.claims;
    if (Date.now() > user.ends - EARLY && user.refreshToken !== null) {
      const tokens = yield* this.refreshTokens(user.refreshToken, sub);
      Object.assign(user, tokens, { ends: endOf(tokens.expiresIn) });
    }
    this.writeJson(yield* this.getUserInfo(user.accessToken, sub));
  }
}

class SignOutHandler extends Base {
  override post(): void {
    const id = this.getSignedCookie(COOKIE);
    if (id !== null) this.sessions.delete(new TextDecoder().decode(id));
    this.clearCookie(COOKIE, this.cookieOptions);
    this.redirect("/", { status: 303 });
  }
}

function endOf(expiresIn: number | null): number {
  return expiresIn === null ? Infinity : Date.now() + 1000 * expiresIn;
}

/** Makes the application; `baseUrl` is where browsers find it. */
export function makeSignIn(openIDConnect: OpenIDConnectSettings, baseUrl: string): Application {
  return new Application([
    ["/", HomeHandler],
    ["/sign-in", SignInHandler],
    ["/callback", CallbackHandler],
    ["/profile", ProfileHandler],
    ["/sign-out", SignOutHandler],
  ], {
    openIDConnect,
    baseUrl,
    sessions: new Map<string, Session>(),
    cookieSecret: crypto.randomUUID() + crypto.randomUUID(), // sessions end with the program too
    loginUrl: "/sign-in",
    xsrfCookies: true,
    xsrfCookieKwargs: { httpOnly: true, sameSite: "Lax" },
  });
}

function readEnv(name: string): string {
  const value = Deno.env.get(name);
  if (value !== undefined && value !== "") return value;
  throw new TypeError(`Set ${name}: the page of the provider for your site says what it is`);
}

if (import.meta.main) {
  const { values: { port, address } } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
    },
  });
  enablePrettyLogging();
  const settings = {
    issuer: readEnv("OIDC_ISSUER"),
    clientId: readEnv("OIDC_CLIENT_ID"),
    clientSecret: Deno.env.get("OIDC_CLIENT_SECRET"),
  };
  const baseUrl = Deno.env.get("BASE_URL") ?? `http://localhost:${port}`;
  await runServer(makeSignIn(settings, baseUrl), {
    port: Number(port),
    address,
    onListen: () => print(`The site is open on ${baseUrl}/ (Ctrl-C closes it)`),
  });
}
