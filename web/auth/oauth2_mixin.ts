import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { urlConcat } from "../../http/mod.ts";
import type { HandlerClass } from "../request_handler.ts";
import { AuthBase, type AuthHandler, type AuthHandlerClass } from "./_auth_base.ts";
import { beginLogin, challengeOf, endLogin } from "./_login_cookie.ts";

/** Is what goes into a query or a form. */
export type RequestArgument = string | number;

/** Options of {@linkcode OAuth2Handler.authorizeRedirect}. */
export interface OAuth2RedirectOptions {
  /** The full URL that the provider sends the user back to. */
  redirectUri?: string;
  /** What this site is registered as. */
  clientId?: string;
  /** What is asked for. */
  scope?: readonly string[];
  /**
   * What the user is to bring back.
   *
   * @default {"code"}
   */
  responseType?: string;
  /** More parameters. */
  extraParams?: Readonly<Record<string, string>>;
}

/** Options of {@linkcode OAuth2Handler.oauth2Request}; others are arguments of the query. */
export interface OAuth2RequestOptions {
  /** The token that allows it; it goes into the query. */
  accessToken?: string;
  /** The fields of a form; with it the request is a POST. */
  postArgs?: Readonly<Record<string, RequestArgument>>;
  /** An argument of the query. */
  readonly [argument: string]:
    | RequestArgument
    | Readonly<Record<string, RequestArgument>>
    | undefined;
}

/** What {@linkcode OAuth2Handler.oauthRequestTokenUrl} puts into the query. */
export interface OAuth2TokenUrlOptions {
  /** The one that the user was sent back to. */
  redirectUri?: string;
  /** What this site is registered as. */
  clientId?: string;
  /** The secret of this site. */
  clientSecret?: string;
  /** What the user brought back. */
  code?: string;
  /** More parameters. */
  extraParams?: Readonly<Record<string, string>>;
}

/** Is what the provider of an {@linkcode OAuth2Handler} was told, and has to be told again. */
export interface OAuth2Login {
  /** The `code_verifier` for the token request. */
  readonly codeVerifier: string;
}

/** Is what {@linkcode OAuth2Mixin} adds to a handler. */
export interface OAuth2Handler extends AuthHandler {
  /**
   * Sends the user to the provider, with a `state` and the challenge of a code verifier (RFC
   * 7636); a signed cookie keeps both for ten minutes. The answer is finished then.
   *
   * @throws {Error} when the setting `cookieSecret` is missing.
   */
  authorizeRedirect(options?: OAuth2RedirectOptions): void;
  /**
   * Checks that the user who comes back with this request is the one who was sent away, and was
   * not refused. Providers with a `getAuthenticatedUser` of their own have it done there.
   *
   * @throws {AuthError} 403 when the state is that of another sign-in, or of none; or when the
   *   provider says that it was refused.
   * @throws {HTTPError} 400 when the state is missing.
   */
  oauth2CheckState(): OAuth2Login;
  /**
   * Asks for a URL, and returns the JSON that comes.
   *
   * The Future fails with `HTTPClientError` when the answer is no success.
   */
  oauth2Request(url: string, options?: OAuth2RequestOptions): Future<unknown>;
  /** Returns the URL of the access token, with the arguments in its query. */
  oauthRequestTokenUrl(options?: OAuth2TokenUrlOptions): string;
}

/** Is the class of an {@linkcode OAuth2Handler}; its static fields say what the provider is. */
export interface OAuth2HandlerClass extends AuthHandlerClass<OAuth2Handler> {
  /** Where users are sent. */
  OAUTH_AUTHORIZE_URL: string;
  /** Where access tokens come from. */
  OAUTH_ACCESS_TOKEN_URL: string;
}

/**
 * Makes a class of handlers that sign in users by OAuth 2 (RFC 6749). It does what all providers
 * have in common; {@linkcode GoogleOAuth2Mixin} and {@linkcode FacebookGraphMixin} do the rest
 * for two of them, and {@linkcode OpenIDConnectMixin} for all that speak that.
 *
 * @example A provider of one's own
 * ```ts
 * import { OAuth2Mixin, RequestHandler } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends OAuth2Mixin(RequestHandler) {
 *   static override OAUTH_AUTHORIZE_URL = "https://example.org/authorize";
 *   static override OAUTH_ACCESS_TOKEN_URL = "https://example.org/token";
 *
 *   override *get(): CoroutineGenerator {
 *     const us = { redirectUri: "https://here.example/login", clientId: "us" };
 *     if (this.getArgument("state", null) === null) {
 *       this.authorizeRedirect({ ...us, scope: ["profile"] });
 *       return;
 *     }
 *     const { codeVerifier } = this.oauth2CheckState();
 *     const url = this.oauthRequestTokenUrl({
 *       ...us,
 *       code: this.getArgument("code"),
 *       extraParams: { "code_verifier": codeVerifier },
 *     });
 *     const tokens = yield* this.oauth2Request(url);
 *     this.write(tokens as Record<string, unknown>);
 *   }
 * }
 * assertEquals(Login.OAUTH_AUTHORIZE_URL, "https://example.org/authorize");
 * ```
 */
export function OAuth2Mixin<B extends HandlerClass>(Base: B): B & OAuth2HandlerClass {
  class OAuth2 extends AuthBase(Base) implements OAuth2Handler {
    static OAUTH_AUTHORIZE_URL = "";
    static OAUTH_ACCESS_TOKEN_URL = "";

    authorizeRedirect(
      { redirectUri, clientId, scope = [], responseType = "code", extraParams }:
        OAuth2RedirectOptions = {},
    ): void {
      const url = this.#provider.OAUTH_AUTHORIZE_URL;
      const { state, verifier } = beginLogin(this, url);
      const args: Record<string, string> = { "response_type": responseType };
      if (redirectUri !== undefined) args["redirect_uri"] = redirectUri;
      if (clientId !== undefined) args["client_id"] = clientId;
      Object.assign(args, extraParams);
      if (scope.length > 0) args["scope"] = scope.join(" ");
      args["state"] = state;
      if (responseType.split(" ").includes("code")) {
        args["code_challenge"] = challengeOf(verifier);
        args["code_challenge_method"] = "S256";
      }
      this.redirect(urlConcat(url, args));
    }

    oauth2CheckState(): OAuth2Login {
      return { codeVerifier: endLogin(this, this.#provider.OAUTH_AUTHORIZE_URL).verifier };
    }

    oauth2Request(
      url: string,
      { accessToken, postArgs, ...args }: OAuth2RequestOptions = {},
    ): Future<unknown> {
      const query: Record<string, string> = {};
      if (accessToken !== undefined) query["access_token"] = accessToken;
      return requestJson(this, urlConcat(url, { ...query, ...textOf(args) }), postArgs);
    }

    oauthRequestTokenUrl(
      { redirectUri, clientId, clientSecret, code, extraParams }: OAuth2TokenUrlOptions = {},
    ): string {
      const args: Record<string, string> = {};
      if (redirectUri !== undefined) args["redirect_uri"] = redirectUri;
      if (code !== undefined) args["code"] = code;
      if (clientId !== undefined) args["client_id"] = clientId;
      if (clientSecret !== undefined) args["client_secret"] = clientSecret;
      return urlConcat(this.#provider.OAUTH_ACCESS_TOKEN_URL, { ...args, ...extraParams });
    }

    get #provider(): typeof OAuth2 {
      return this.constructor as typeof OAuth2;
    }
  }
  return OAuth2 as unknown as B & OAuth2HandlerClass;
}

/** Fetches JSON; with a form it is a POST. */
export function requestJson(
  handler: AuthHandler,
  url: string,
  postArgs: Readonly<Record<string, RequestArgument>> | undefined,
): Future<unknown> {
  return coroutine(function* (): CoroutineGenerator<unknown> {
    const response = yield* handler.getAuthHttpClient().fetch(
      url,
      postArgs === undefined ? {} : {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(textOf(postArgs)).toString(),
      },
    );
    return response.json();
  })();
}

/** Returns the arguments that are there, as text. */
export function textOf(args: Readonly<Record<string, unknown>>): Record<string, string> {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}
