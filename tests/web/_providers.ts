// Providers that sign in users, as far as a site can tell, and the browser that goes between.
import { createHmac } from "node:crypto";
import { AsyncHTTPClient, type HTTPServerOptions } from "../../http/mod.ts";
import {
  type Application,
  type ApplicationSettings,
  HTTPError,
  type OAuthToken,
  type OAuthVersion,
  RequestHandler,
  type Route,
} from "../../web/mod.ts";
import { ask, type RawAnswer, type RawRequest } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

export const SETTINGS = { cookieSecret: "a secret for tests" };

/** A site and its provider, which share a server. */
export interface Site {
  readonly app: Application;
  readonly base: string; // http://127.0.0.1:port
  readonly browser: Browser;
}

/** Serves a provider, and the handlers that are made for it, while `body` runs. */
export async function withSite(
  provider: readonly Route[],
  site: (base: string) => readonly Route[],
  body: (site: Site) => Promise<void>,
  settings: ApplicationSettings = SETTINGS,
  options: HTTPServerOptions = {},
): Promise<void> {
  await serve(
    provider,
    async ({ app, port }) => {
      const base = `http://127.0.0.1:${port}`;
      app.addHandlers(".*", site(base));
      try {
        await body({ app, base, browser: new Browser(port) });
      } finally {
        AsyncHTTPClient.create().close();
      }
    },
    settings,
    options,
  );
}

/** Asks one page after the other, and keeps cookies. */
export class Browser {
  readonly #home: number;
  readonly cookies = new Map<string, string>();

  constructor(home: number) {
    this.#home = home;
  }

  /** Opens a path of the site, or a URL, and goes nowhere from there. */
  async open(
    target: string,
    method = "GET",
    { headers, ...request }: RawRequest = {},
  ): Promise<RawAnswer> {
    const url = new URL(target, `http://127.0.0.1:${this.#home}`);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await ask(Number(url.port), method, url.pathname + url.search, {
      headers: { Host: url.host, ...cookie === "" ? {} : { Cookie: cookie }, ...headers },
      ...request,
    });
    for (const field of answer.headers.getList("Set-Cookie")) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(field)!;
      if (value === '""') this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
    return answer;
  }

  /** Sends a form. */
  post(target: string, fields: Readonly<Record<string, string>>): Promise<RawAnswer> {
    return this.open(target, "POST", {
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(fields).toString(),
    });
  }

  /** Opens a page and follows redirects to the end. */
  async follow(target: string): Promise<RawAnswer> {
    let url = new URL(target, `http://127.0.0.1:${this.#home}`);
    for (let hops = 0; hops < 20; hops++) {
      const answer = await this.open(url.href);
      if (!answer.headers.has("Location")) return answer;
      url = locationOf(answer, url);
    }
    throw new Error("redirected too often");
  }
}

/** Returns where an answer sends the browser. */
export function locationOf(answer: RawAnswer, from?: URL): URL {
  return new URL(answer.headers.get("Location", ""), from);
}

export const CONSUMER: OAuthToken = { key: "consumer key", secret: "consumer & secret" };
export const REQUEST_TOKEN: OAuthToken = { key: "zxcv", secret: "12+34/" };
export const ACCESS_TOKEN: OAuthToken = { key: "hjkl", secret: "v b%nm" };

/** Signs by the book (RFC 5849 3.4.2), written apart from the code under test. */
export function signature(
  version: OAuthVersion,
  method: string,
  url: string,
  parameters: Iterable<readonly [string, string]>,
  secrets: readonly [string, string],
): string {
  const encode = (text: string) =>
    [...new TextEncoder().encode(text)].map((byte) =>
      /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`
    ).join("");
  // By name, then by value: "=" must not count, it comes behind "%" and "-".
  const list = [...parameters].filter(([name]) => name !== "oauth_signature")
    .map((pair) => pair.map(encode).join("\0")).sort()
    .map((pair) => pair.replace("\0", "=")).join("&");
  const key = secrets.map((secret) => version === "1.0a" ? encode(secret) : secret).join("&");
  const base = [method, url, list].map(encode).join("&");
  return createHmac("sha1", key).update(base).digest("base64");
}

/** Says what a provider does: the fields are changed by tests while it runs. */
export interface ProviderState {
  version: OAuthVersion;
  /** Paths that fail with a status. */
  failing: Map<string, number>;
  /** Requests that came, as path and query or form. */
  seen: { path: string; args: URLSearchParams }[];
}

export function makeProviderState(version: OAuthVersion = "1.0a"): ProviderState {
  return { version, failing: new Map(), seen: [] };
}

class ProviderHandler extends RequestHandler {
  state!: ProviderState;
  override initialize(state: ProviderState): void {
    this.state = state;
  }
  override prepare(): void {
    const args = new URLSearchParams(this.request.query);
    if (this.request.method === "POST") {
      for (
        const [name, value] of new URLSearchParams(new TextDecoder().decode(this.request.body))
      ) {
        args.append(name, value);
      }
    }
    this.state.seen.push({ path: this.request.path, args });
    const status = this.state.failing.get(this.request.path);
    if (status !== undefined) throw new HTTPError(status);
  }
  get args(): URLSearchParams {
    return this.state.seen.at(-1)!.args;
  }
}

/** Refuses what is not signed by the consumer and the token. */
class SignedHandler extends ProviderHandler {
  check(token: OAuthToken | null): void {
    const { method, path, host } = this.request;
    const expected = signature(this.state.version, method, `http://${host}${path}`, this.args, [
      CONSUMER.secret,
      token?.secret ?? "",
    ]);
    if (this.args.get("oauth_signature") !== expected) throw new HTTPError(401);
    if (this.args.get("oauth_token") !== (token?.key ?? null)) throw new HTTPError(401);
    if (!/^\d{10}$/.test(this.args.get("oauth_timestamp") ?? "")) throw new HTTPError(401);
    if ((this.args.get("oauth_nonce") ?? "").length < 16) throw new HTTPError(401);
  }
}

class RequestToken extends SignedHandler {
  override get(): void {
    this.check(null);
    this.write(
      new URLSearchParams({
        oauth_token: REQUEST_TOKEN.key,
        oauth_token_secret: REQUEST_TOKEN.secret,
      }).toString(),
    );
  }
}

class Authorize extends ProviderHandler {
  override get(): void {
    const home = new URL(this.args.get("oauth_callback") ?? "/login", this.request.fullUrl());
    home.searchParams.set("oauth_token", this.args.get("oauth_token")!);
    home.searchParams.set("oauth_verifier", "verified");
    this.redirect(home.href);
  }
}

class AccessToken extends SignedHandler {
  override get(): void {
    this.check(REQUEST_TOKEN);
    if (this.args.get("oauth_verifier") !== "verified") throw new HTTPError(401);
    this.write(
      new URLSearchParams({
        oauth_token: ACCESS_TOKEN.key,
        oauth_token_secret: ACCESS_TOKEN.secret,
        user_id: "7",
      }).toString(),
    );
  }
}

class User extends SignedHandler {
  override get(): void {
    this.check(ACCESS_TOKEN);
    this.write({ screen_name: "ada", name: "Ada", args: Object.fromEntries(this.args) });
  }
  override post(): void {
    this.check(ACCESS_TOKEN);
    this.write({ posted: this.args.get("status") });
  }
}

/** The routes of a provider of OAuth 1. */
export function oauthProvider(state: ProviderState): Route[] {
  return [
    ["/oauth/request_token", RequestToken, state],
    ["/oauth/authorize", Authorize, state],
    ["/oauth/authenticate", Authorize, state],
    ["/oauth/access_token", AccessToken, state],
    ["/api/me", User, state],
    ["/api/account/verify_credentials.json", User, state],
    ["/api/statuses/update.json", User, state],
    ["/api/users/show/(.*)\\.json", User, state],
  ];
}

class Authorize2 extends ProviderHandler {
  override get(): void {
    const home = new URL(this.args.get("redirect_uri")!);
    home.searchParams.set("code", "a code");
    home.searchParams.set("state", this.args.get("state")!);
    this.redirect(home.href);
  }
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
}

class Token2 extends ProviderHandler {
  override async get(): Promise<void> {
    const sent = this.state.seen.findLast(({ path }) => path === "/oauth2/authorize")!.args;
    const { args } = this;
    if (
      args.get("code") !== "a code" || args.get("client_id") !== "us" ||
      args.get("client_secret") !== "our secret" ||
      args.get("redirect_uri") !== sent.get("redirect_uri") ||
      sent.get("code_challenge") !== await sha256(args.get("code_verifier") ?? "") ||
      sent.get("code_challenge_method") !== "S256"
    ) {
      this.setStatus(400);
      this.write({ error: "invalid_grant" });
      return;
    }
    this.write({ access_token: "a token", expires_in: 3600 });
  }
  override async post(): Promise<void> {
    if (this.args.get("grant_type") !== "authorization_code") throw new HTTPError(400);
    await this.get();
  }
}

class UserInfo2 extends ProviderHandler {
  override get(): void {
    if (this.args.get("access_token") !== "a token") throw new HTTPError(401);
    this.write({
      id: "7",
      name: "Ada",
      email: "ada@example.org",
      args: Object.fromEntries(this.args),
    });
  }
}

class Text2 extends ProviderHandler {
  override get(): void {
    this.write("no JSON");
  }
}

/** The routes of a provider of OAuth 2, in the manner of Google and Facebook. */
export function oauth2Provider(state: ProviderState): Route[] {
  return [
    ["/oauth2/authorize", Authorize2, state],
    ["/oauth2/token", Token2, state],
    ["/oauth2/user", UserInfo2, state],
    ["/oauth2/text", Text2, state],
    ["/graph/me", UserInfo2, state],
  ];
}

/** Is what a provider of OpenID says, and what it vouches for. */
export interface OpenIdState extends ProviderState {
  /** What it answers when it is asked whether a signature is its own. */
  verdict: string;
  /** Changes the arguments that the user brings back. */
  tamper: (args: URLSearchParams) => void;
}

class OpenId extends ProviderHandler {
  declare state: OpenIdState;
  override get(): void {
    const home = new URL(this.args.get("openid.return_to")!);
    const args = new URLSearchParams({
      "openid.ns": "http://specs.openid.net/auth/2.0",
      "openid.mode": "id_res",
      "openid.return_to": home.href,
      "openid.claimed_id": "https://example.org/ada",
      "openid.ns.ext1": "http://openid.net/srv/ax/1.0",
      "openid.ext1.type.mail": "http://axschema.org/contact/email",
      "openid.ext1.value.mail": "ada@example.org",
      "openid.ext1.type.one": "http://axschema.org/namePerson/first",
      "openid.ext1.value.one": "Ada",
      "openid.ext1.type.two": "http://axschema.org/namePerson/last",
      "openid.ext1.value.two": "Lovelace",
      "openid.ext1.type.lang": "http://axschema.org/pref/language",
      "openid.ext1.value.lang": "EN",
    });
    const names = [...args.keys()].map((name) => name.slice("openid.".length));
    args.set("openid.signed", names.join(","));
    args.set("openid.sig", "a signature");
    this.state.tamper(args);
    for (const [name, value] of args) home.searchParams.set(name, value);
    this.redirect(home.href);
  }
  override post(): void {
    if (this.args.get("openid.mode") !== "check_authentication") throw new HTTPError(400);
    this.write(this.state.verdict);
  }
}

/** The route of a provider of OpenID 2.0. */
export function openIdProvider(state: OpenIdState): Route[] {
  return [["/openid", OpenId, state]];
}
