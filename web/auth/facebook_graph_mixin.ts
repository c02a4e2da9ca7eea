import { createHmac } from "node:crypto";
import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import type { HandlerClass } from "../request_handler.ts";
import type { AuthHandlerClass, StaticFields } from "./_auth_base.ts";
import { AuthError } from "./auth_error.ts";
import {
  type OAuth2Handler,
  type OAuth2HandlerClass,
  OAuth2Mixin,
  type OAuth2RequestOptions,
} from "./oauth2_mixin.ts";
import type { AuthUser } from "./oauth_mixin.ts";
import { askForJson, lookUp } from "./_provider.ts";

const FIELDS = ["id", "name", "first_name", "last_name", "locale", "picture", "link"];

/** Options of {@linkcode FacebookGraphHandler.getAuthenticatedUser}. */
export interface FacebookUserOptions {
  /** The one that the user was sent back to. */
  redirectUri: string;
  /** By default the setting `facebookApiKey`. */
  clientId?: string;
  /** By default the setting `facebookSecret`. */
  clientSecret?: string;
  /** What the user brought back; by default the argument `code`. */
  code?: string;
  /** Fields to ask for besides the usual ones. */
  extraFields?: readonly string[];
}

/** Is what {@linkcode FacebookGraphMixin} adds to a handler. */
export interface FacebookGraphHandler extends OAuth2Handler {
  /**
   * Ends the sign-in of a user who came back, and returns the user: `id`, `name`,
   * `first_name`, `last_name`, `locale`, `picture`, `link` and the extra fields, null for one
   * that is not known; `access_token`, and `session_expires`, the seconds as text.
   *
   * The Future fails with {@linkcode AuthError}: 403 when the state is that of another sign-in,
   * or the user or the code was refused; 503 when Facebook fails.
   */
  getAuthenticatedUser(options: FacebookUserOptions): Future<AuthUser>;
  /** Asks the Graph API for a path such as `/me`; see `oauth2Request`. */
  facebookRequest(path: string, options?: OAuth2RequestOptions): Future<unknown>;
}

/** Is the class of a {@linkcode FacebookGraphHandler}. */
export interface FacebookGraphHandlerClass
  extends AuthHandlerClass<FacebookGraphHandler>, StaticFields<OAuth2HandlerClass> {
  /** Where the Graph API is. */
  FACEBOOK_BASE_URL: string;
}

/**
 * Makes a class of handlers that sign in users by Facebook, and ask its Graph API. The settings
 * `facebookApiKey` and `facebookSecret` are what the site is registered as.
 *
 * @example Sign in
 * ```ts
 * import { FacebookGraphMixin, RequestHandler } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends FacebookGraphMixin(RequestHandler) {
 *   override *get(): CoroutineGenerator {
 *     const redirectUri = "https://here.example/login";
 *     if (this.getArgument("state", null) === null) {
 *       const clientId = String(this.settings["facebookApiKey"]);
 *       this.authorizeRedirect({ redirectUri, clientId });
 *       return;
 *     }
 *     const user = yield* this.getAuthenticatedUser({ redirectUri });
 *     this.setSignedCookie("user", String(user["id"]));
 *     this.redirect("/");
 *   }
 * }
 * assertEquals(Login.FACEBOOK_BASE_URL, "https://graph.facebook.com");
 * ```
 */
export function FacebookGraphMixin<B extends HandlerClass>(Base: B): B & FacebookGraphHandlerClass {
  class FacebookGraph extends OAuth2Mixin(Base as HandlerClass) implements FacebookGraphHandler {
    static override OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token";
    static override OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth";
    static FACEBOOK_BASE_URL = "https://graph.facebook.com";

    getAuthenticatedUser(options: FacebookUserOptions): Future<AuthUser> {
      return coroutine(() => this.#getUser(options))();
    }

    facebookRequest(path: string, options: OAuth2RequestOptions = {}): Future<unknown> {
      const { FACEBOOK_BASE_URL } = this.constructor as typeof FacebookGraph;
      return this.oauth2Request(FACEBOOK_BASE_URL + path, options);
    }

    *#getUser(
      { redirectUri, clientId, clientSecret, code, extraFields = [] }: FacebookUserOptions,
    ): CoroutineGenerator<AuthUser> {
      const { codeVerifier } = this.oauth2CheckState();
      const secret = clientSecret ?? this.#setting("facebookSecret");
      const url = this.oauthRequestTokenUrl({
        redirectUri,
        clientId: clientId ?? this.#setting("facebookApiKey"),
        clientSecret: secret,
        code: code ?? this.getArgument("code"),
        extraParams: { "code_verifier": codeVerifier },
      });
      const session = yield* askForJson(this.getAuthHttpClient(), "get an access token", url);
      const accessToken = session["access_token"];
      if (typeof accessToken !== "string") {
        throw new AuthError("Cannot get an access token: Facebook answered with none", {
          status: 503,
        });
      }
      const fields = [...new Set([...FIELDS, ...extraFields])];
      const found = yield* lookUp(
        "look up the user",
        this.#lookUp({
          accessToken,
          "appsecret_proof": createHmac("sha256", secret).update(accessToken).digest("hex"),
          fields: fields.join(","),
        }),
      );
      const user: AuthUser = {};
      for (const field of fields) user[field] = found[field] ?? null;
      user["access_token"] = accessToken;
      user["session_expires"] = String(session["expires_in"]);
      return user;
    }

    *#lookUp(options: OAuth2RequestOptions): CoroutineGenerator<AuthUser> {
      const user = yield* this.facebookRequest("/me", options);
      if (typeof user === "object" && user !== null) return user as AuthUser;
      throw new AuthError("Cannot look up the user: there is none", { status: 503 });
    }

    #setting(name: string): string {
      return this.requireSetting(name, "Facebook") as string;
    }
  }
  return FacebookGraph as unknown as B & FacebookGraphHandlerClass;
}
