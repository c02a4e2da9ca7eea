// OpenID Connect Core 1.0, the code flow. Three things tie the end of a sign-in to its beginning:
// the state is this browser's, the code verifier (RFC 7636) makes the code worth nothing to
// others, and the nonce is in the ID token.
import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { type FetchOptions, urlConcat } from "../../http/mod.ts";
import type { HandlerApplication } from "../handler_application.ts";
import type { HandlerClass } from "../request_handler.ts";
import { AuthBase, type AuthHandler, type AuthHandlerClass } from "./_auth_base.ts";
import { AuthError } from "./auth_error.ts";
import { beginLogin, challengeOf, endLogin } from "./_login_cookie.ts";
import { OpenIDProvider } from "./_open_id_provider.ts";
import { askForJson, formPost, type JSONObject } from "./_provider.ts";

/** Is what this site is registered as with a provider. */
export interface OpenIDConnectSettings {
  /** The URL that the provider is known by, just as it writes it. */
  readonly issuer: string;
  /** The client ID. */
  readonly clientId: string;
  /** The client secret; without it the site is a public client. */
  readonly clientSecret?: string | undefined;
}

/** Options of {@linkcode OpenIDConnectHandler.authorizeRedirect}. */
export interface OpenIDConnectRedirectOptions {
  /** The full URL that the provider sends the user back to. */
  redirectUri: string;
  /**
   * What is asked for; `openid` is always.
   *
   * @default {["openid", "profile", "email"]}
   */
  scope?: readonly string[];
  /** More parameters, such as `prompt` or `login_hint`. */
  extraParams?: Readonly<Record<string, string>>;
}

/** Options of {@linkcode OpenIDConnectHandler.getAuthenticatedUser}. */
export interface OpenIDConnectUserOptions {
  /** The one that the user was sent back to. */
  redirectUri: string;
}

/** Is what a provider tells about a user; `sub` is who it is, and never changes. */
export interface OpenIDConnectClaims {
  /** Names the user, with this provider. */
  readonly sub: string;
  /** Another claim, such as `name` or `email`. */
  readonly [claim: string]: unknown;
}

/** Is what a provider gives for a code or a refresh token. */
export interface OpenIDConnectTokens {
  /** What allows requests in the name of the user. */
  readonly accessToken: string;
  /** What gets the next tokens; null when there is none. */
  readonly refreshToken: string | null;
  /** The ID token as it came, verified; null when there is none. */
  readonly idToken: string | null;
  /** The seconds that the access token lives, null when the provider does not say. */
  readonly expiresIn: number | null;
}

/** Is a user who signed in. */
export interface OpenIDConnectUser extends OpenIDConnectTokens {
  /** The claims of the ID token. */
  readonly claims: OpenIDConnectClaims;
}

/** Is what {@linkcode OpenIDConnectMixin} adds to a handler. */
export interface OpenIDConnectHandler extends AuthHandler {
  /**
   * Sends the user to the provider, with a state, a nonce and the challenge of a code verifier; a
   * signed cookie keeps them for ten minutes. The answer is finished then.
   *
   * The Future fails with {@linkcode AuthError}, 503, when the provider cannot be discovered.
   */
  authorizeRedirect(options: OpenIDConnectRedirectOptions): Future<void>;
  /**
   * Ends the sign-in of a user who came back: checks the state, trades the code for tokens and
   * verifies the ID token, its signature, issuer, audience, times and nonce.
   *
   * The Future fails with `HTTPError`, 400, when state or code is missing; with
   * {@linkcode AuthError}: 403 when one of them is not right, or user or code was refused, and
   * 503 when the provider fails.
   */
  getAuthenticatedUser(options: OpenIDConnectUserOptions): Future<OpenIDConnectUser>;
  /**
   * Trades a refresh token for new tokens. Providers may give another refresh token, and then
   * the old one is spent. `subject` is whose it is: an ID token of anybody else is refused.
   *
   * The Future fails with {@linkcode AuthError}: 403 when the provider does not take it any
   * more (`code` is `invalid_grant`), 503 when the provider fails.
   */
  refreshTokens(refreshToken: string, subject: string): Future<OpenIDConnectTokens>;
  /**
   * Asks what else the provider tells about a user. `subject` is the `sub` of the ID token: an
   * answer about anybody else is refused.
   *
   * The Future fails as that of `getAuthenticatedUser` does.
   */
  getUserInfo(accessToken: string, subject: string): Future<OpenIDConnectClaims>;
  /** Returns what this site is registered as: the setting `openIDConnect`; override it. */
  getOpenIDConnectSettings(): OpenIDConnectSettings;
}

/** Is the class of an {@linkcode OpenIDConnectHandler}. */
export interface OpenIDConnectHandlerClass extends AuthHandlerClass<OpenIDConnectHandler> {}

/** By issuer, which the program names: there are few. */
const providers = new WeakMap<HandlerApplication, Map<string, OpenIDProvider>>();

/**
 * Makes a class of handlers that sign in users by OpenID Connect, with any provider. The settings
 * `openIDConnect` (`{ issuer, clientId, clientSecret }`) and `cookieSecret` are needed.
 *
 * @example Sign in
 * ```ts
 * import { Application, OpenIDConnectMixin, RequestHandler } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends OpenIDConnectMixin(RequestHandler) {
 *   override *get(): CoroutineGenerator {
 *     const redirectUri = "https://here.example/login";
 *     if (this.getArgument("state", null) === null) {
 *       yield* this.authorizeRedirect({ redirectUri });
 *       return;
 *     }
 *     const { claims } = yield* this.getAuthenticatedUser({ redirectUri });
 *     this.setSignedCookie("user", claims.sub, { httpOnly: true, sameSite: "Lax" });
 *     this.redirect("/");
 *   }
 * }
 *
 * const app = new Application([["/login", Login]], {
 *   cookieSecret: "a long random text",
 *   openIDConnect: { issuer: "https://accounts.example", clientId: "us", clientSecret: "secret" },
 * });
 * assertEquals(app.settings.openIDConnect.clientId, "us");
 * ```
 */
export function OpenIDConnectMixin<B extends HandlerClass>(Base: B): B & OpenIDConnectHandlerClass {
  class OpenIDConnect extends AuthBase(Base) implements OpenIDConnectHandler {
    authorizeRedirect(options: OpenIDConnectRedirectOptions): Future<void> {
      return coroutine(() => this.#redirect(options))();
    }

    getAuthenticatedUser(options: OpenIDConnectUserOptions): Future<OpenIDConnectUser> {
      return coroutine(() => this.#getUser(options))();
    }

    refreshTokens(refreshToken: string, subject: string): Future<OpenIDConnectTokens> {
      return coroutine(() => this.#refresh(refreshToken, subject))();
    }

    getUserInfo(accessToken: string, subject: string): Future<OpenIDConnectClaims> {
      return coroutine(() => this.#getUserInfo(accessToken, subject))();
    }

    getOpenIDConnectSettings(): OpenIDConnectSettings {
      return this.requireSetting("openIDConnect", "OpenID Connect") as OpenIDConnectSettings;
    }

    *#redirect(
      { redirectUri, scope = ["openid", "profile", "email"], extraParams }:
        OpenIDConnectRedirectOptions,
    ): CoroutineGenerator {
      const { issuer, clientId } = this.getOpenIDConnectSettings();
      const client = this.getAuthHttpClient();
      const url = yield* this.#provider.endpoint(client, "authorization_endpoint");
      const { state, nonce, verifier } = beginLogin(this, issuer);
      const args = {
        ...extraParams,
        "response_type": "code",
        "client_id": clientId,
        "redirect_uri": redirectUri,
        "scope": [...new Set(["openid", ...scope])].join(" "),
        "state": state,
        "nonce": nonce,
        "code_challenge": challengeOf(verifier),
        "code_challenge_method": "S256",
      };
      this.redirect(urlConcat(url, args));
    }

    *#getUser({ redirectUri }: OpenIDConnectUserOptions): CoroutineGenerator<OpenIDConnectUser> {
      const { issuer, clientId } = this.getOpenIDConnectSettings();
      const { nonce, verifier } = endLogin(this, issuer);
      const client = this.getAuthHttpClient();
      const metadata = yield* this.#provider.discover(client);
      // RFC 9207: tells apart providers that were mixed up on the way.
      const iss = this.getArgument("iss", null);
      const mustName = metadata["authorization_response_iss_parameter_supported"] === true;
      if (iss === null ? mustName : iss !== issuer) {
        throw new AuthError("Cannot sign in: the answer is of another provider");
      }
      const answer = yield* this.#askForTokens({
        "grant_type": "authorization_code",
        "code": this.getArgument("code"),
        "redirect_uri": redirectUri,
        "code_verifier": verifier,
      });
      const tokens = readTokens(answer);
      if (tokens.idToken === null) {
        throw new AuthError("Cannot sign in: the provider gave no ID token", { status: 503 });
      }
      const { accessToken } = tokens;
      const expected = { clientId, nonce, accessToken };
      const claims = yield* this.#provider.verify(client, tokens.idToken, expected);
      return { ...tokens, claims: claims as OpenIDConnectClaims };
    }

    *#refresh(refreshToken: string, subject: string): CoroutineGenerator<OpenIDConnectTokens> {
      const answer = yield* this.#askForTokens({
        "grant_type": "refresh_token",
        "refresh_token": refreshToken,
      });
      const tokens = readTokens(answer);
      if (tokens.idToken !== null) {
        const { clientId } = this.getOpenIDConnectSettings();
        const expected = { clientId, nonce: null, accessToken: tokens.accessToken };
        const client = this.getAuthHttpClient();
        checkSubject(yield* this.#provider.verify(client, tokens.idToken, expected), subject);
      }
      return { ...tokens, refreshToken: tokens.refreshToken ?? refreshToken };
    }

    *#getUserInfo(accessToken: string, subject: string): CoroutineGenerator<OpenIDConnectClaims> {
      const client = this.getAuthHttpClient();
      const url = yield* this.#provider.endpoint(client, "userinfo_endpoint");
      const headers = { "Authorization": `Bearer ${accessToken}` };
      const claims = yield* askForJson(client, "look up the user", url, { headers });
      checkSubject(claims, subject);
      return claims as unknown as OpenIDConnectClaims;
    }

    *#askForTokens(fields: Readonly<Record<string, string>>): CoroutineGenerator<JSONObject> {
      const client = this.getAuthHttpClient();
      const metadata = yield* this.#provider.discover(client);
      const url = yield* this.#provider.endpoint(client, "token_endpoint");
      const methods = metadata["token_endpoint_auth_methods_supported"];
      const options = authenticate(this.getOpenIDConnectSettings(), methods, fields);
      return yield* askForJson(client, "get the tokens", url, options);
    }

    get #provider(): OpenIDProvider {
      const { issuer } = this.getOpenIDConnectSettings();
      let known = providers.get(this.application);
      if (known === undefined) providers.set(this.application, known = new Map());
      let provider = known.get(issuer);
      if (provider === undefined) known.set(issuer, provider = new OpenIDProvider(issuer));
      return provider;
    }
  }
  return OpenIDConnect as unknown as B & OpenIDConnectHandlerClass;
}

// Core 9: by default in the Authorization field, each part encoded as in a form (RFC 6749 2.3.1).
function authenticate(
  { clientId, clientSecret }: OpenIDConnectSettings,
  methods: unknown,
  fields: Readonly<Record<string, string>>,
): FetchOptions {
  if (clientSecret === undefined) return formPost({ ...fields, "client_id": clientId });
  if (Array.isArray(methods) && !methods.includes("client_secret_basic")) {
    return formPost({ ...fields, "client_id": clientId, "client_secret": clientSecret });
  }
  const encode = (text: string) => new URLSearchParams([["", text]]).toString().slice(1);
  const options = formPost(fields);
  const credentials = btoa(`${encode(clientId)}:${encode(clientSecret)}`);
  return {
    ...options,
    headers: {
      ...options.headers as Record<string, string>,
      Authorization: `Basic ${credentials}`,
    },
  };
}

function readTokens(answer: JSONObject): OpenIDConnectTokens {
  const accessToken = text(answer["access_token"]);
  if (accessToken === null || text(answer["token_type"])?.toLowerCase() !== "bearer") {
    throw new AuthError("Cannot get the tokens: the provider gave no bearer token", {
      status: 503,
    });
  }
  const expiresIn = Number(answer["expires_in"] ?? NaN);
  return {
    accessToken,
    refreshToken: text(answer["refresh_token"]),
    idToken: text(answer["id_token"]),
    expiresIn: Number.isFinite(expiresIn) ? expiresIn : null,
  };
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function checkSubject(claims: Readonly<JSONObject>, subject: string): void {
  if (claims["sub"] === subject) return;
  throw new AuthError("Cannot take what the provider tells: it is about somebody else");
}
