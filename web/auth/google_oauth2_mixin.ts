import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import type { HandlerClass } from "../request_handler.ts";
import type { AuthHandlerClass, StaticFields } from "./_auth_base.ts";
import { type OAuth2Handler, type OAuth2HandlerClass, OAuth2Mixin } from "./oauth2_mixin.ts";
import { askForJson, formPost, type JSONObject } from "./_provider.ts";

/** Is what this site is registered as with Google. */
export interface GoogleOAuthSettings {
  /** The client ID. */
  readonly key: string;
  /** The client secret. */
  readonly secret: string;
}

/** Options of {@linkcode GoogleOAuth2Handler.getAuthenticatedUser}. */
export interface GoogleUserOptions {
  /** The one that the user was sent back to. */
  redirectUri: string;
  /** What the user brought back; by default the argument `code`. */
  code?: string;
  /** By default that of `getGoogleOauthSettings()`. */
  clientId?: string;
  /** By default that of `getGoogleOauthSettings()`. */
  clientSecret?: string;
}

/** Is what {@linkcode GoogleOAuth2Mixin} adds to a handler. */
export interface GoogleOAuth2Handler extends OAuth2Handler {
  /**
   * Ends the sign-in of a user who came back, and returns the tokens: `access_token`,
   * `id_token` and others. Who the user is tells a request to `OAUTH_USERINFO_URL`.
   *
   * The Future fails with {@linkcode AuthError}: 403 when the state is that of another sign-in,
   * or the user or the code was refused; 503 when Google fails.
   */
  getAuthenticatedUser(options: GoogleUserOptions): Future<Record<string, unknown>>;
  /** Returns what this site is registered as: the setting `googleOauth`; override it. */
  getGoogleOauthSettings(): GoogleOAuthSettings;
}

/** Is the class of a {@linkcode GoogleOAuth2Handler}. */
export interface GoogleOAuth2HandlerClass
  extends AuthHandlerClass<GoogleOAuth2Handler>, StaticFields<OAuth2HandlerClass> {
  /** Where one asks who the user is. */
  OAUTH_USERINFO_URL: string;
  /** The name of the setting. */
  OAUTH_SETTINGS_KEY: string;
}

/**
 * Makes a class of handlers that sign in users by Google. The setting `googleOauth` is
 * `{ key, secret }`, the client ID and its secret.
 *
 * @example Sign in
 * ```ts
 * import { GoogleOAuth2Mixin, RequestHandler } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends GoogleOAuth2Mixin(RequestHandler) {
 *   override *get(): CoroutineGenerator {
 *     const redirectUri = "https://here.example/login";
 *     if (this.getArgument("state", null) === null) {
 *       const { key } = this.getGoogleOauthSettings();
 *       this.authorizeRedirect({ redirectUri, clientId: key, scope: ["profile", "email"] });
 *       return;
 *     }
 *     const { "access_token": accessToken } = yield* this.getAuthenticatedUser({ redirectUri });
 *     const user = yield* this.oauth2Request(Login.OAUTH_USERINFO_URL, {
 *       accessToken: String(accessToken),
 *     });
 *     this.setSignedCookie("user", JSON.stringify(user));
 *     this.redirect("/");
 *   }
 * }
 * assertEquals(Login.OAUTH_SETTINGS_KEY, "googleOauth");
 * ```
 */
export function GoogleOAuth2Mixin<B extends HandlerClass>(Base: B): B & GoogleOAuth2HandlerClass {
  class GoogleOAuth2 extends OAuth2Mixin(Base as HandlerClass) implements GoogleOAuth2Handler {
    static override OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth";
    static override OAUTH_ACCESS_TOKEN_URL = "https://www.googleapis.com/oauth2/v4/token";
    static OAUTH_USERINFO_URL = "https://www.googleapis.com/oauth2/v1/userinfo";
    static OAUTH_SETTINGS_KEY = "googleOauth";

    getAuthenticatedUser(options: GoogleUserOptions): Future<JSONObject> {
      return coroutine(() => this.#getTokens(options))();
    }

    getGoogleOauthSettings(): GoogleOAuthSettings {
      const name = (this.constructor as typeof GoogleOAuth2).OAUTH_SETTINGS_KEY;
      return this.requireSetting(name, "Google OAuth") as GoogleOAuthSettings;
    }

    *#getTokens(
      { redirectUri, code, clientId, clientSecret }: GoogleUserOptions,
    ): CoroutineGenerator<JSONObject> {
      const { codeVerifier } = this.oauth2CheckState();
      const url = (this.constructor as typeof GoogleOAuth2).OAUTH_ACCESS_TOKEN_URL;
      const fields = {
        "redirect_uri": redirectUri,
        "code": code ?? this.getArgument("code"),
        "client_id": clientId ?? this.getGoogleOauthSettings().key,
        "client_secret": clientSecret ?? this.getGoogleOauthSettings().secret,
        "grant_type": "authorization_code",
        "code_verifier": codeVerifier,
      };
      return yield* askForJson(
        this.getAuthHttpClient(),
        "get the tokens",
        url,
        formPost(fields),
      );
    }
  }
  return GoogleOAuth2 as unknown as B & GoogleOAuth2HandlerClass;
}
