import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { urlConcat } from "../../http/mod.ts";
import type { HandlerClass } from "../request_handler.ts";
import type { AuthHandlerClass, StaticFields } from "./_auth_base.ts";
import { type RequestArgument, requestJson, textOf } from "./oauth2_mixin.ts";
import {
  type AuthUser,
  type OAuthHandler,
  type OAuthHandlerClass,
  OAuthMixin,
} from "./oauth_mixin.ts";
import type { OAuthToken } from "./_oauth_signature.ts";

/** Options of {@linkcode TwitterHandler.twitterRequest}; others are arguments of the query. */
export interface TwitterRequestOptions {
  /** The fields of a form; with it the request is a POST. */
  postArgs?: Readonly<Record<string, RequestArgument>>;
  /** An argument of the query. */
  readonly [argument: string]:
    | RequestArgument
    | Readonly<Record<string, RequestArgument>>
    | undefined;
}

/** Is what {@linkcode TwitterMixin} adds to a handler. */
export interface TwitterHandler extends OAuthHandler {
  /** Does what `authorizeRedirect` does, but asks nobody who allowed it before. */
  authenticateRedirect(options?: { callbackUri?: string }): Future<void>;
  /**
   * Asks the API for a path such as `/users/show/ada`, signed when there is a token, and
   * returns the JSON that comes. A full URL is taken as it is.
   *
   * The Future fails with `HTTPClientError` when the answer is no success.
   */
  twitterRequest(
    path: string,
    accessToken: OAuthToken | null,
    options?: TwitterRequestOptions,
  ): Future<unknown>;
}

/** Is the class of a {@linkcode TwitterHandler}. */
export interface TwitterHandlerClass
  extends AuthHandlerClass<TwitterHandler>, StaticFields<OAuthHandlerClass> {
  /** Where users are sent by `authenticateRedirect`. */
  OAUTH_AUTHENTICATE_URL: string;
  /** Where the API is. */
  TWITTER_BASE_URL: string;
}

/**
 * Makes a class of handlers that sign in users by Twitter, and ask its API. The settings
 * `twitterConsumerKey` and `twitterConsumerSecret` are what the site is registered as. A user has
 * what the API tells, and the `username`.
 *
 * @example Sign in
 * ```ts
 * import { RequestHandler, TwitterMixin } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends TwitterMixin(RequestHandler) {
 *   override *get(): CoroutineGenerator {
 *     if (this.getArgument("oauth_token", null) === null) {
 *       yield* this.authenticateRedirect({ callbackUri: "/login" });
 *       return;
 *     }
 *     const user = yield* this.getAuthenticatedUser();
 *     this.setSignedCookie("user", String(user["username"]));
 *     this.redirect("/");
 *   }
 * }
 * assertEquals(Login.TWITTER_BASE_URL, "https://api.twitter.com/1.1");
 * ```
 */
export function TwitterMixin<B extends HandlerClass>(Base: B): B & TwitterHandlerClass {
  class Twitter extends OAuthMixin(Base as HandlerClass) implements TwitterHandler {
    static override OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token";
    static override OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token";
    static override OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize";
    static OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate";
    static TWITTER_BASE_URL = "https://api.twitter.com/1.1";

    authenticateRedirect(options: { callbackUri?: string } = {}): Future<void> {
      const { OAUTH_AUTHENTICATE_URL } = this.constructor as typeof Twitter;
      return coroutine(() => this._oauthRedirect(OAUTH_AUTHENTICATE_URL, options))();
    }

    twitterRequest(
      path: string,
      accessToken: OAuthToken | null,
      { postArgs, ...rest }: TwitterRequestOptions = {},
    ): Future<unknown> {
      const { TWITTER_BASE_URL } = this.constructor as typeof Twitter;
      const url = /^https?:/.test(path) ? path : `${TWITTER_BASE_URL}${path}.json`;
      const args = textOf(rest);
      if (accessToken !== null) {
        const all = { ...args, ...textOf(postArgs ?? {}) };
        const method = postArgs === undefined ? "GET" : "POST";
        Object.assign(args, this.oauthRequestParameters(url, accessToken, all, method));
      }
      return requestJson(this, urlConcat(url, args), postArgs);
    }

    override oauthConsumerToken(): OAuthToken {
      return {
        key: this.requireSetting("twitterConsumerKey", "Twitter OAuth") as string,
        secret: this.requireSetting("twitterConsumerSecret", "Twitter OAuth") as string,
      };
    }

    override *oauthGetUser(accessToken: OAuthToken): CoroutineGenerator<AuthUser | null> {
      const user = yield* this.twitterRequest("/account/verify_credentials", accessToken);
      if (typeof user !== "object" || user === null) return null;
      return { ...user, username: (user as AuthUser)["screen_name"] };
    }
  }
  return Twitter as unknown as B & TwitterHandlerClass;
}
