import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { type AsyncHTTPClient, urlConcat } from "../../http/mod.ts";
import type { HandlerClass } from "../request_handler.ts";
import { AuthBase, type AuthHandler, type AuthHandlerClass } from "./_auth_base.ts";
import { AuthError } from "./auth_error.ts";
import { loginCookieOptions } from "./_login_cookie.ts";
import { type OAuthToken, type OAuthVersion, signOAuth } from "./_oauth_signature.ts";
import { ask, lookUp } from "./_provider.ts";

const COOKIE = "_oauth_request_token";
const DENIED = "denied"; // what Twitter, for one, sends a user back with who said no

/** Is what a provider tells about a user, under the names that it uses. */
export type AuthUser = Record<string, unknown>;

/** Options of {@linkcode OAuthHandler.authorizeRedirect}. */
export interface OAuthRedirectOptions {
  /**
   * Where the provider sends the user back to, if it is not registered with it: a URL, or a path
   * of this site. With `"oob"` nobody is sent: the answer is the URL to go to, and the provider
   * shows the user what to type in.
   */
  callbackUri?: string;
  /** More parameters for the request token; 1.0a only. */
  extraParams?: Readonly<Record<string, string>>;
  /** The client to use, instead of `getAuthHttpClient()`. */
  httpClient?: AsyncHTTPClient;
}

/** Is what {@linkcode OAuthMixin} adds to a handler. */
export interface OAuthHandler extends AuthHandler {
  /**
   * Gets a request token and sends the user to the provider with it. The answer is finished
   * then. The token is kept in the cookie `_oauth_request_token`.
   *
   * The Future fails with {@linkcode AuthError}, 503, when the provider gives no token.
   *
   * @throws {TypeError} in the Future, when a callback is given and the provider wants it
   *   registered.
   */
  authorizeRedirect(options?: OAuthRedirectOptions): Future<void>;
  /**
   * Ends the sign-in of a user who came back, and returns what `oauthGetUser` does, with the
   * `access_token`.
   *
   * The Future fails with {@linkcode AuthError}: 403 when the cookie is missing or of another
   * sign-in, or the user said no; 503 when the provider fails, or tells of no user.
   */
  getAuthenticatedUser(options?: { httpClient?: AsyncHTTPClient }): Future<AuthUser>;
  /** Returns key and secret of this site, as registered with the provider; override it. */
  oauthConsumerToken(): OAuthToken;
  /**
   * Returns what the provider tells about the user with this access token, null for nothing;
   * override it. It may be a generator or `async`.
   */
  oauthGetUser(accessToken: OAuthToken): unknown;
  /**
   * Signs a request. `parameters` are all that it has, in query and form; those that are
   * returned have to be sent with them.
   */
  oauthRequestParameters(
    url: string,
    accessToken: OAuthToken,
    parameters?: Readonly<Record<string, string>>,
    method?: string,
  ): Record<string, string>;
  /** Sends the user to `authorizeUrl` with a new request token. @ignore */
  _oauthRedirect(authorizeUrl: string, options: OAuthRedirectOptions): CoroutineGenerator;
}

/** Is the class of an {@linkcode OAuthHandler}; its static fields say what the provider is. */
export interface OAuthHandlerClass extends AuthHandlerClass<OAuthHandler> {
  /** Where request tokens come from. */
  OAUTH_REQUEST_TOKEN_URL: string;
  /** Where users are sent. */
  OAUTH_AUTHORIZE_URL: string;
  /** Where access tokens come from. */
  OAUTH_ACCESS_TOKEN_URL: string;
  /**
   * The version of OAuth.
   *
   * @default {"1.0a"}
   */
  OAUTH_VERSION: OAuthVersion;
  /**
   * Whether the provider wants callbacks registered.
   *
   * @default {false}
   */
  OAUTH_NO_CALLBACKS: boolean;
}

/**
 * Makes a class of handlers that sign in users by OAuth 1.0 or 1.0a (RFC 5849), with HMAC-SHA1.
 * Name the provider's URLs in static fields, and override `oauthConsumerToken` and `oauthGetUser`.
 *
 * @example A provider of one's own
 * ```ts
 * import { OAuthMixin, type OAuthToken, RequestHandler } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends OAuthMixin(RequestHandler) {
 *   static override OAUTH_REQUEST_TOKEN_URL = "https://example.org/request_token";
 *   static override OAUTH_AUTHORIZE_URL = "https://example.org/authorize";
 *   static override OAUTH_ACCESS_TOKEN_URL = "https://example.org/access_token";
 *
 *   override oauthConsumerToken(): OAuthToken {
 *     return { key: "our key", secret: "our secret" };
 *   }
 *   override *oauthGetUser(accessToken: OAuthToken): CoroutineGenerator<Record<string, string>> {
 *     const url = "https://example.org/me";
 *     const signed = this.oauthRequestParameters(url, accessToken);
 *     const response = yield* this.getAuthHttpClient().fetch(`${url}?${new URLSearchParams(signed)}`);
 *     return response.json() as Record<string, string>;
 *   }
 *   override *get(): CoroutineGenerator {
 *     if (this.getArgument("oauth_token", null) === null) {
 *       yield* this.authorizeRedirect({ callbackUri: "/login" });
 *       return;
 *     }
 *     const user = yield* this.getAuthenticatedUser();
 *     this.setSignedCookie("user", String(user["id"]));
 *     this.redirect("/");
 *   }
 * }
 * assertEquals(Login.OAUTH_VERSION, "1.0a");
 * ```
 */
export function OAuthMixin<B extends HandlerClass>(Base: B): B & OAuthHandlerClass {
  class OAuth extends AuthBase(Base) implements OAuthHandler {
    static OAUTH_REQUEST_TOKEN_URL = "";
    static OAUTH_AUTHORIZE_URL = "";
    static OAUTH_ACCESS_TOKEN_URL = "";
    static OAUTH_VERSION: OAuthVersion = "1.0a";
    static OAUTH_NO_CALLBACKS = false;

    authorizeRedirect(options: OAuthRedirectOptions = {}): Future<void> {
      return coroutine(() => this._oauthRedirect(this.#provider.OAUTH_AUTHORIZE_URL, options))();
    }

    getAuthenticatedUser(
      { httpClient = this.getAuthHttpClient() }: { httpClient?: AsyncHTTPClient } = {},
    ): Future<AuthUser> {
      return coroutine(() => this.#getUser(httpClient))();
    }

    oauthConsumerToken(): OAuthToken {
      throw new Error("Cannot sign: oauthConsumerToken is not overridden");
    }

    oauthGetUser(_accessToken: OAuthToken): unknown {
      throw new Error("Cannot look up the user: oauthGetUser is not overridden");
    }

    oauthRequestParameters(
      url: string,
      accessToken: OAuthToken,
      parameters: Readonly<Record<string, string>> = {},
      method = "GET",
    ): Record<string, string> {
      const own = { ...this.#baseParameters(), "oauth_token": accessToken.key };
      return { ...own, ...this.#sign(method, url, { ...own, ...parameters }, accessToken) };
    }

    *_oauthRedirect(
      authorizeUrl: string,
      { callbackUri, extraParams, httpClient = this.getAuthHttpClient() }: OAuthRedirectOptions,
    ): CoroutineGenerator {
      const { OAUTH_NO_CALLBACKS, OAUTH_REQUEST_TOKEN_URL: url } = this.#provider;
      if (callbackUri !== undefined && OAUTH_NO_CALLBACKS) {
        throw new TypeError("Cannot name a callback: the provider wants it registered");
      }
      const callback = callbackUri === undefined || callbackUri === "oob"
        ? callbackUri
        : new URL(callbackUri, this.request.fullUrl()).href;
      const parameters = this.#baseParameters();
      if (this.#provider.OAUTH_VERSION === "1.0a") {
        if (callback !== undefined) parameters["oauth_callback"] = callback;
        Object.assign(parameters, extraParams);
      }
      Object.assign(parameters, this.#sign("GET", url, parameters, null));
      const action = "get a request token";
      const response = yield* ask(httpClient, action, urlConcat(url, parameters));
      const token = readToken(action, response.text());
      this.setCookie(
        COOKIE,
        [token.key, token.secret].map((part) => encoder.encode(part).toBase64()).join("|"),
        loginCookieOptions(this),
      );
      const query: Record<string, string> = { "oauth_token": token.key };
      if (callback !== undefined && callback !== "oob") query["oauth_callback"] = callback;
      const target = urlConcat(authorizeUrl, query);
      if (callback === "oob") this.finish(target);
      else this.redirect(target);
    }

    *#getUser(client: AsyncHTTPClient): CoroutineGenerator<AuthUser> {
      if (this.getArgument(DENIED, null) !== null) {
        throw new AuthError("Cannot sign in: the user said no", { code: "access_denied" });
      }
      const key = this.getArgument("oauth_token");
      const verifier = this.getArgument("oauth_verifier", null);
      const cookie = this.getCookie(COOKIE);
      if (cookie === null) throw new AuthError("Cannot sign in: there is no request token cookie");
      this.clearCookie(COOKIE, loginCookieOptions(this));
      const request = readCookie(cookie);
      if (request === null || request.key !== key) {
        throw new AuthError("Cannot sign in: the request token is not that of the cookie");
      }
      const url = this.#provider.OAUTH_ACCESS_TOKEN_URL;
      const parameters = { ...this.#baseParameters(), "oauth_token": request.key };
      if (verifier !== null) Object.assign(parameters, { "oauth_verifier": verifier });
      Object.assign(parameters, this.#sign("GET", url, parameters, request));
      const action = "get an access token";
      const response = yield* ask(client, action, urlConcat(url, parameters));
      const accessToken = readToken(action, response.text());
      const user = yield* lookUp("look up the user", this.#lookUp(accessToken));
      if (typeof user !== "object" || user === null) {
        throw new AuthError("Cannot look up the user: there is none", { status: 503 });
      }
      return { ...user, "access_token": accessToken };
    }

    *#lookUp(accessToken: OAuthToken): CoroutineGenerator<unknown> {
      return yield* coroutine(() => this.oauthGetUser(accessToken))();
    }

    get #provider(): typeof OAuth {
      return this.constructor as typeof OAuth;
    }

    #baseParameters(): Record<string, string> {
      return {
        "oauth_consumer_key": this.oauthConsumerToken().key,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": String(Math.floor(Date.now() / 1000)),
        "oauth_nonce": crypto.randomUUID().replaceAll("-", ""),
        "oauth_version": "1.0",
      };
    }

    #sign(
      method: string,
      url: string,
      parameters: Readonly<Record<string, string>>,
      token: OAuthToken | null,
    ): Record<string, string> {
      const { OAUTH_VERSION } = this.#provider;
      const consumer = this.oauthConsumerToken();
      return {
        "oauth_signature": signOAuth(OAUTH_VERSION, consumer, method, url, parameters, token),
      };
    }
  }
  return OAuth as unknown as B & OAuthHandlerClass;
}

const encoder = new TextEncoder();

function readToken(action: string, body: string): OAuthToken {
  const { "oauth_token": key, "oauth_token_secret": secret, ...rest } = Object.fromEntries(
    new URLSearchParams(body),
  );
  if (key === undefined || secret === undefined) {
    throw new AuthError(`Cannot ${action}: the provider answered with none`, { status: 503 });
  }
  return { ...rest, key, secret };
}

function readCookie(cookie: string): OAuthToken | null {
  const [key, secret, ...rest] = cookie.split("|");
  if (key === undefined || secret === undefined || rest.length > 0) return null;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const decode = (text: string) => decoder.decode(Uint8Array.fromBase64(text));
    return { key: decode(key), secret: decode(secret) };
  } catch {
    return null; // it is no base64, or no text
  }
}
